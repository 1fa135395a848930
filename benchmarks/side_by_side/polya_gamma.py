"""Polya-Gamma draws: dynome's beside those of the package polyagamma, its default and its saddle method.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side/polya_gamma.py

CPU nanoseconds a draw, least of interleaved rounds in one process and one thread, and how far the draws
are off: the worst of mean, variance and third moment, in standard errors (3 is chance). Shapes are constant, or
vary as those of counts do: shape = count + r.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from polyagamma import random_polyagamma

from dynome.inference.biclustering.polyagamma import draw_polyagamma

N_DRAWS, N_ROUNDS = 200_000, 3
CONSTANT = [(0.5, 1.0), (1, 1.0), (3.3, 1.0), (8, 0.0), (8, 1.5), (12.5, -2.0), (30, -2.0), (60, -3.0), (110, -4.0)]


def cases():
    """Names, shapes, tilts."""
    rng = np.random.default_rng(0)
    for shape, tilt in CONSTANT:
        yield f"shape {shape:g}, tilt {tilt:g}", np.full(N_DRAWS, float(shape)), np.full(N_DRAWS, float(tilt))
    mean = np.exp(rng.normal(0, 0.7, N_DRAWS))
    for r in (1.0, 5.0, 10.0):
        yield f"counts of mean {mean.mean():.1f}, r = {r:g}", rng.poisson(rng.gamma(r, mean / r)) + r, np.log(mean / r)
    yield "Poisson counts, r = 15 (stand-in)", rng.poisson(mean) + 15.0, np.log(mean / 15)


def worst_error(draws, shape, tilt):
    """The largest deviation among mean, variance and third moment from the right ones, in standard errors."""
    k = np.arange(1, 2001)
    weight = 1 / (2 * np.pi**2 * ((k - 0.5) ** 2 + (tilt[0] / (2 * np.pi)) ** 2))
    half = tilt[0] / 2
    mean = shape[0] / 4 * (np.tanh(half) / half if half else 1.0)
    gap = draws - mean
    right = np.array([0.0, shape[0] * np.sum(weight**2), 2 * shape[0] * np.sum(weight**3)])
    powers = np.stack([gap, gap**2, gap**3])
    errors = (powers.mean(axis=1) - right) / (powers.std(axis=1) / np.sqrt(draws.size))
    return errors[np.argmax(np.abs(errors))]


def main():
    def package(method):
        return lambda shape, tilt, rng: random_polyagamma(
            shape, tilt, method=method, disable_checks=True, random_state=rng
        )

    samplers = {"default": package(None), "saddle": package("saddle"), "dynome": draw_polyagamma}
    samplers["dynome"](np.ones(2), np.ones(2), np.random.default_rng(0))
    columns = " | ".join(samplers)
    print(f"| | {columns} | default / dynome | saddle / dynome | off by: {columns} |")
    print("|---|" + "---|" * 8)
    for name, shape, tilt in cases():
        spent, errors = {s: [] for s in samplers}, []
        for round_ in range(N_ROUNDS):
            for sampler, draw in samplers.items():
                begun = time.process_time()
                found = draw(shape, tilt, np.random.default_rng(round_))
                spent[sampler].append(time.process_time() - begun)
                if round_ == 0:
                    errors.append(f"{worst_error(found, shape, tilt):+.1f}" if np.ptp(tilt) == 0 else "")
        least = {s: min(t) / N_DRAWS * 1e9 for s, t in spent.items()}
        ratios = [f"{least[s] / least['dynome']:.1f}" for s in ("default", "saddle")]
        print(f"| {name} | " + " | ".join([*(f"{t:.0f} ns" for t in least.values()), *ratios, *errors]) + " |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
