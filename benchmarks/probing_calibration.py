"""Scores of probes on pure noise: do they average to chance, how often do intervals hold it, how often is p below .05.

    OMP_NUM_THREADS=1 python benchmarks/probing_calibration.py [--runs 200]

"raw" is the share that would be held by animals drawn again alone, without the stretch that outcomes dealt anew give.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from dynome.inference.probing.heldout import dealt_anew, folds_for, probed
from dynome.inference.probing.outcomes import Outcome, class_codes
from dynome.inference.probing.tallies import AUROC, CHANCE, CORRELATION, tallied
from dynome.inference.probing.uncertainty import draws_of, estimated, stretch

DESIGNS = [
    # kind, animals, features, folds, repeats
    ("drug", 9, 2000, "animal", 1),
    ("group", 40, 1000, 5, 5),
    ("group", 20, 1000, 5, 10),
    ("number", 20, 1000, 5, 5),
    ("number", 20, 1000, "animal", 1),
    ("number", 40, 50, 5, 5),
    ("three classes", 30, 300, 5, 5),
]


def outcome_of(kind: str, n: int, rng: np.random.Generator) -> Outcome:
    """An outcome that has nothing to do with any feature."""
    names, each = tuple(f"a{k}" for k in range(n)), np.arange(n)
    if kind == "drug":
        values = np.tile([0.0, 1.0], n)[:, None]
        return Outcome("y", values, ("a", "b"), np.arange(2 * n), each.repeat(2), names, False, "1")
    if kind == "number":
        return Outcome("y", rng.normal(size=(n, 1)), (), each, each, names, True, "1")
    if kind == "group":
        return Outcome("y", (each % 2.0)[:, None], ("a", "b"), each, each, names, True, "1")
    return Outcome("y", (each[:, None] % 3 == np.arange(3)) * 1.0, ("a", "b", "c"), each, each, names, True, "1")


def run(kind: str, n: int, p: int, cv: object, repeats: int, seed: int) -> tuple[float, ...]:
    """Score, whether its interval holds chance, the same without stretch, p, stretch."""
    rng = np.random.default_rng(seed)
    outcome = outcome_of(kind, n, rng)
    x = rng.normal(size=(outcome.animal.size, p))
    if kind == "drug":
        x += 2 * rng.normal(size=(n, p))[outcome.animal]  # people differ more than scans do
    fold, dealt = folds_for(outcome, cv, repeats, seed), dealt_anew(outcome, 200, seed)
    ((held, _),) = probed(lambda _: x, outcome, fold, dealt, (1.0,), "linear", seed)
    tally = tallied(held, AUROC if outcome.classes else CORRELATION)
    strata = class_codes(outcome) if outcome.between else np.zeros(n, dtype=np.int64)
    weight, pseudo = draws_of(strata, 1000, seed)
    factor, chance = stretch(tally), CHANCE[tally.metric]
    found, raw = (estimated(tally, weight, pseudo, f) for f in (factor, 1.0))
    return found.value, found.low <= chance <= found.high, raw.low <= chance <= raw.high, found.p_value, factor


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    n_runs = parser.parse_args().runs
    print("| outcome | animals | features | cv | repeats | mean score | sd | held | raw | stretch | p < .05 | CPU s |")
    print("|" + "---|" * 12)
    for design in DESIGNS:
        began = time.process_time()
        rows = np.array([run(*design, seed) for seed in range(n_runs)])
        mean, sd = rows[:, 0].mean(), rows[:, 0].std()
        cells = [*design, f"{mean:.3f}", f"{sd:.3f}", f"{rows[:, 1].mean():.3f}", f"{rows[:, 2].mean():.3f}"]
        cells += [f"{rows[:, 4].mean():.2f}", f"{(rows[:, 3] < 0.05).mean():.3f}"]
        print("| " + " | ".join(map(str, [*cells, f"{(time.process_time() - began) / n_runs:.2f}"])) + " |", flush=True)
