"""Tests over animals on data without any effect: how often p is below .05, and how often 95 % intervals hold the truth.

    OMP_NUM_THREADS=1 python benchmarks/group_calibration.py [--designs 40] [--sets 200]

Each row draws `designs` sets of animals with unequal numbers of sessions, and `sets` data sets for each. "sessions" is
the test that takes sessions for independent (Welch, or Student for one mean). "power" is with an effect of one
standard deviation of animals.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy import stats

from dynome.inference import group_test


class Row(NamedTuple):
    kind: str  # between, within, mean
    animals: int
    most: int  # sessions of an animal
    icc: float
    noise: str = "normal"
    exchange: str = "auto"
    slopes: float = 0.0  # spread of the effect over animals


ROWS = [
    Row("between", 8, 6, 0.6),
    Row("between", 12, 12, 0.6),
    Row("between", 12, 12, 0.0),
    Row("between", 12, 12, 0.6, "t3"),
    Row("confounded", 12, 12, 0.6),
    Row("number", 12, 12, 0.6),
    Row("mean", 8, 6, 0.6),
    Row("mean", 8, 6, 0.6, "skewed"),
    Row("within", 8, 8, 0.6),
    Row("within", 8, 8, 0.6, slopes=1.0),
    Row("within", 8, 8, 0.6, exchange="sessions"),
    Row("within", 8, 8, 0.6, exchange="sessions", slopes=1.0),
    Row("within", 4, 8, 0.6, exchange="sessions"),
]


def drawn(rng: np.random.Generator, shape: tuple[int, ...], noise: str) -> np.ndarray:
    if noise == "t3":
        return rng.standard_t(3, shape) / 3**0.5
    return rng.exponential(size=shape) - 1 if noise == "skewed" else rng.normal(size=shape)


def study(row: Row, n_sets: int, seed: int) -> tuple[xr.DataArray, xr.DataArray | None, np.ndarray, np.ndarray]:
    """Values (session, set), the factor, the factor as numbers, and random effects of slope by session."""
    rng = np.random.default_rng(seed)
    size = rng.integers(2 if row.kind == "within" else 1, row.most + 1, row.animals)
    half = np.arange(row.animals) % 2
    if row.kind == "confounded":  # one class has few sessions, the other many
        size = np.where(
            half == 0, rng.integers(1, 3, row.animals), rng.integers(row.most // 2, row.most + 1, row.animals)
        )
    animal = np.repeat(np.arange(row.animals), size)
    names = [f"a{a:02d}/s{k:03d}" for k, a in enumerate(animal)]
    level, noise = drawn(rng, (row.animals, n_sets), row.noise), drawn(rng, (animal.size, n_sets), row.noise)
    values = row.icc**0.5 * level[animal] + (1 - row.icc) ** 0.5 * noise
    if row.kind == "mean":
        x = np.ones(animal.size)
    elif row.kind == "within":
        x = np.concatenate([rng.permutation(np.arange(n) % 2) for n in size]).astype(float)
        values += row.slopes * rng.normal(size=(row.animals, n_sets))[animal] * x[:, None]
    else:
        x = (rng.normal(size=row.animals) if row.kind == "number" else half.astype(float))[animal]
    array = xr.DataArray(values, dims=("session", "set"), coords={"session": names})
    factor = None if row.kind == "mean" else xr.DataArray(x, dims="session", coords={"session": names}, name="x")
    return array, factor, x, values


def naive(row: Row, x: np.ndarray, values: np.ndarray) -> np.ndarray:
    if row.kind == "mean":
        return stats.ttest_1samp(values, 0).pvalue
    if row.kind == "number":
        return np.array([stats.pearsonr(x, column).pvalue for column in values.T])
    return stats.ttest_ind(values[x == 1], values[x == 0], equal_var=False).pvalue


def rates(row: Row, n_designs: int, n_sets: int) -> list[float]:
    """p < .05 of sessions, of animals and of the mixed model; intervals that hold 0, of both; power of both."""
    found = []
    for seed in range(n_designs):
        values, factor, x, plain = study(row, n_sets, seed)
        how = {"exchange": row.exchange, "n_permutations": 1000, "random_state": seed}
        null, effect = group_test(values, factor, **how), group_test(values + x[:, None], factor, **how)
        found.append(
            [
                (naive(row, x, plain) < 0.05).mean(),
                (null.p_value <= 0.05).mean(),
                (null.mixed_p_value <= 0.05).mean(),
                ((null.effect_low <= 0) & (null.effect_high >= 0)).mean(),
                ((null.mixed_low <= 0) & (null.mixed_high >= 0)).mean(),
                (effect.p_value <= 0.05).mean(),
                (effect.mixed_p_value <= 0.05).mean(),
            ]
        )
    return np.mean(found, axis=0).tolist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--designs", type=int, default=40)
    parser.add_argument("--sets", type=int, default=200)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| factor | animals | sessions each | ICC | noise | exchange | p < .05: sessions | animals | mixed model "
          "| held: animals | mixed model | power: animals | mixed model | CPU s |")  # fmt: skip
    print("|" + "---|" * 14)
    for row in ROWS:
        began = time.process_time()
        cells = [f"{v:.3f}" for v in rates(row, arguments.designs, arguments.sets)]
        about = [row.kind + (" (animals differ in it)" if row.slopes else ""), row.animals,
                 f"{1 + (row.kind == 'within')} to {row.most}", row.icc, row.noise, row.exchange]  # fmt: skip
        print("| " + " | ".join(map(str, [*about, *cells, f"{time.process_time() - began:.0f}"])) + " |", flush=True)
