"""Whether the bi-clustering samples what it says: Geweke's test for longer than the tests have time, and calibration.

    python benchmarks/biclustering_calibration.py [--quick]

Writes ``results/biclustering_calibration.md``. One thread; about half an hour of processor time.

* Geweke's test of every move and of whole sweeps, with the harness of the tests.
* Simulation-based calibration: a truth from the prior, data from it, a chain from another draw of the prior; the
  truth's rank among thinned draws must be uniform (Talts et al. 2018, arXiv:1804.06788). This sees what Geweke's test
  cannot: a chain that is exact and does not get there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import kstest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "inference" / "biclustering"))

import kernels  # noqa: E402
from geweke import verdict  # noqa: E402
from joint import Setting, observed_data, prior_state, small, statistics_of  # noqa: E402

from dynome.inference.biclustering.sweeps import sweep  # noqa: E402

BLOCK = {"coupled": False}
PROCESS = {"coupled": False, "partition": "dp", "resample_concentrations": True}
ADAPTIVE = {"coupled": False, "adapt_factors": True}
MOVES = [
    *((name, "negative_binomial", kind) for name in (
        "latents", "windows", "dispersions", "dynamics", "transitions", "states", "segments", "stretches", "scales",
        "assignments", "splits",
    ) for kind in ({}, BLOCK)),
    *((name, law, {}) for name in ("latents", "dispersions", "assignments") for law in ("bernoulli", "gaussian")),
    *((name, "poisson", kind) for name in ("windows", "assignments") for kind in ({}, BLOCK)),
    ("concentrations", "negative_binomial", PROCESS),
    ("partition_concentrations", "negative_binomial", PROCESS),
]  # fmt: skip
SWEEPS = [
    ("negative_binomial", {}), ("negative_binomial", BLOCK), ("negative_binomial", PROCESS),
    ("negative_binomial", ADAPTIVE), ("poisson", {}), ("poisson", BLOCK), ("poisson", ADAPTIVE), ("bernoulli", BLOCK),
    ("gaussian", {}), ("gaussian", BLOCK),
]  # fmt: skip
RANKED = (
    "n_clusters", "first two nodes together", "largest cluster", "mean bias", "loading squared", "mean log dispersion",
    "mean common rate", "factors squared", "steps", "visited states", "switches", "mean predictor",
    "spread of predictors", "difference of two nodes", "log likelihood",
)  # fmt: skip
N_DRAWS, THIN, BURN = 15, 6, 40


def whole(state, data, hyper, rng):
    return sweep(state, data, hyper, rng)[0]


def geweke_row(name: str, law: str, changes: dict, n_chains: int, n_steps: int) -> dict:
    """Geweke's test of one move, or of the sweep."""
    move, setting = getattr(kernels, name, whole), small(law, **changes)
    began = time.process_time()
    found = verdict(
        lambda state, data, rng: move(state, data, setting.hyper, rng),
        setting,
        n_chains=n_chains,
        n_steps=n_steps,
        seed=1,
    )
    return {
        "move": name, "law": law, "setting": _told(changes), "chains": n_chains, "steps": n_steps, "p": found.p_value,
        "worst": f"{found.name[0]} ({found.score[0]:+.1f})", "seconds": time.process_time() - began,
    }  # fmt: skip


def rank_rows(law: str, changes: dict, n_truths: int, seed: int = 0) -> list[dict]:
    """Uniformity of the ranks of truths among draws."""
    setting = small(law, n_nodes=6, starts=(0, 9, 20), **changes)
    began = time.process_time()
    ranks = np.array([_ranks(setting, rng) for rng in np.random.default_rng(seed).spawn(n_truths)])
    seconds = time.process_time() - began
    p_values = [float(kstest(ranks[:, k], "uniform").pvalue) for k in range(len(RANKED))]
    return [
        {"quantity": name, "law": law, "setting": _told(changes), "truths": n_truths, "p": p, "seconds": seconds}
        for name, p in zip(RANKED, p_values, strict=True)
    ]


def _ranks(setting: Setting, rng: np.random.Generator) -> list[float]:
    """Share of the draws below the truth; where they tie, and within one rank, uniform."""
    truth = prior_state(setting, rng)
    data = observed_data(truth, setting, rng)
    true = statistics_of(truth, data, setting)
    state, draws = prior_state(setting, rng), []
    for k in range(BURN + N_DRAWS * THIN):
        state = whole(state, data, setting.hyper, rng)
        if k >= BURN and (k - BURN) % THIN == THIN - 1:
            draws.append(statistics_of(state, data, setting))
    out = []
    for name in RANKED:
        values = np.array([draw[name] for draw in draws], dtype=float)
        close = np.isclose(values, true[name], rtol=1e-12, atol=0)
        below, tied = int(((values < true[name]) & ~close).sum()), int(close.sum())
        out.append((below + (tied + 1) * rng.random()) / (N_DRAWS + 1))
    return out


def _told(changes: dict) -> str:
    kind = "block" if changes.get("coupled") is False else "coupled"
    process = ", Dirichlet process, concentrations drawn" if changes.get("partition") == "dp" else ""
    return kind + process + (", factors adapt" if changes.get("adapt_factors") else "")


def report(moves: list[dict], ranks: list[dict]) -> str:
    """The tables as a page."""
    lines = [
        "# Bi-clustering: does it sample what it says?",
        "",
        "Made by `python benchmarks/biclustering_calibration.py`. Small problems: 4 nodes, 12 bins of two sequences,",
        "three missing values, one factor, two states (Geweke); 6 nodes, 20 bins (calibration).",
        "",
        "## Geweke's test",
        "",
        "Smallest p-value over about a hundred statistics, times their number: small is bad, 1 says nothing moved.",
        "",
        "| move | law | setting | chains x steps | p | largest change (standard errors) |",
        "|---|---|---|---|---|---|",
        *("| {move} | {law} | {setting} | {chains} x {steps} | {p:.2g} | {worst} |".format(**r) for r in moves),
        "",
        f"Smallest of {len(moves)}: {min((r['p'] for r in moves), default=1):.2g}.",
        "",
        "## Simulation-based calibration",
        "",
        f"Chains from a draw of the prior, {BURN} sweeps thrown away, {N_DRAWS} draws {THIN} sweeps apart; uniformity",
        "of the truth's rank by Kolmogorov and Smirnov.",
        "",
        "| quantity | law | setting | truths | p |",
        "|---|---|---|---|---|",
        *(f"| {r['quantity']} | {r['law']} | {r['setting']} | {r['truths']} | {r['p']:.2g} |" for r in ranks),
        "",
        f"Smallest of {len(ranks)}: {min((r['p'] for r in ranks), default=1):.2g}; with so many,",
        f"{0.01 / max(len(ranks), 1):.1g} would be a surprise at the level of one per cent.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of it, to see that it runs; writes nothing")
    parser.add_argument(
        "--part", choices=("moves", "sweeps", "ranks"), help="one part, as lines of JSON; writes nothing"
    )
    options = parser.parse_args()
    share = 10 if options.quick else 1
    moves, ranks = [], []
    if options.part in (None, "moves"):
        for name, law, changes in MOVES:
            n_chains = 150 if name == "splits" else 300
            moves.append(geweke_row(name, law, changes, n_chains // share, 8))
            print(json.dumps(moves[-1]), flush=True)
    if options.part in (None, "sweeps"):
        for law, changes in SWEEPS:
            moves.append(geweke_row("sweep", law, changes, 120 // share, 6))
            print(json.dumps(moves[-1]), flush=True)
    if options.part in (None, "ranks"):
        for law, changes in (("negative_binomial", BLOCK), ("negative_binomial", {}), ("gaussian", BLOCK)):
            for row in rank_rows(law, changes, 60 // share):
                ranks.append(row)
                print(json.dumps(row), flush=True)
    if options.part is None and not options.quick:
        (Path(__file__).parent / "results" / "biclustering_calibration.md").write_text(report(moves, ranks))


if __name__ == "__main__":
    main()
