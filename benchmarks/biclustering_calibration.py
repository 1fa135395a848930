"""Whether the bi-clustering samples what it says: Geweke's test for longer than the tests have time, and calibration.

    python benchmarks/biclustering_calibration.py [--quick] [--truths 130]

Writes ``results/biclustering_calibration.md``. One thread; about three quarters of an hour of processor time.
``--part`` prints lines of JSON as they come; ``--page FILE ...`` makes the page of such lines, of several runs.

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
from collections.abc import Iterator
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
PARTS = ("moves", "sweeps", "ranks")
RANKED_IN = (("negative_binomial", BLOCK), ("negative_binomial", {}), ("gaussian", BLOCK))
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


def rank_lines(n_truths: int, seed: int = 0) -> Iterator[dict]:
    """Ranks of each truth, the settings by turns: a run that is cut short has as many of each."""
    settings = [small(law, n_nodes=6, starts=(0, 9, 20), **changes) for law, changes in RANKED_IN]
    streams = [np.random.default_rng(seed).spawn(n_truths) for _ in settings]
    for truth in range(n_truths):
        for (law, changes), setting, stream in zip(RANKED_IN, settings, streams, strict=True):
            began = time.process_time()
            ranks = _ranks(setting, stream[truth])
            seconds = time.process_time() - began
            yield {"law": law, "setting": _told(changes), "truth": truth, "ranks": ranks, "seconds": seconds}


def rank_rows(lines: list[dict]) -> list[dict]:
    """Uniformity of the ranks of truths among draws, by Kolmogorov and Smirnov."""
    rows = []
    for law, setting in sorted({(line["law"], line["setting"]) for line in lines}):
        ranks = np.array([line["ranks"] for line in lines if (line["law"], line["setting"]) == (law, setting)])
        for name, share in zip(RANKED, ranks.T, strict=True):
            rows.append({
                "quantity": name, "law": law, "setting": setting, "truths": len(share), "mean": float(share.mean()),
                "sd": float(share.std()), "p": float(kstest(share, "uniform").pvalue),
            })  # fmt: skip
    return rows


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
    pages = [
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
        *rank_page(ranks),
    ]
    return "\n".join(pages)


def rank_page(ranks: list[dict]) -> list[str]:
    """Lines of the table of calibration: a row for each quantity, a column for each setting."""
    kinds = list(dict.fromkeys((r["law"], r["setting"], r["truths"]) for r in ranks))
    found = {(r["law"], r["setting"], r["quantity"]): f"{r['p']:.2g} ({r['mean']:.2f}, {r['sd']:.2f})" for r in ranks}
    return [
        "## Simulation-based calibration",
        "",
        f"Chains from a draw of the prior, {BURN} sweeps thrown away, {N_DRAWS} draws {THIN} sweeps apart; p of the",
        "uniformity of the truth's rank by Kolmogorov and Smirnov, in brackets the mean and the standard deviation",
        "of the ranks (.50 and .29 if uniform).",
        "",
        "| quantity | " + " | ".join(f"{law}, {setting}, {n} truths" for law, setting, n in kinds) + " |",
        "|---" * (1 + len(kinds)) + "|",
        *(f"| {name} | " + " | ".join(found[law, kind, name] for law, kind, _ in kinds) + " |" for name in RANKED),
        "",
        f"Smallest of {len(ranks)}: {min((r['p'] for r in ranks), default=1):.2g}; with so many,",
        f"{0.01 / max(len(ranks), 1):.1g} would be a surprise at the level of one per cent.",
        "",
    ]


def lines_of(part: str, share: int, n_truths: int) -> Iterator[dict]:
    """Results of one part as they come."""
    if part == "moves":
        for name, law, changes in MOVES:
            n_chains = 150 if name == "splits" else 300
            yield geweke_row(name, law, changes, n_chains // share, 8)
    elif part == "sweeps":
        for law, changes in SWEEPS:
            yield geweke_row("sweep", law, changes, 120 // share, 6)
    else:
        yield from rank_lines(n_truths // share)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of it, to see that it runs; writes nothing")
    parser.add_argument("--part", choices=PARTS, help="one part, as lines of JSON; writes nothing")
    parser.add_argument("--truths", type=int, default=130, help="of the calibration")
    parser.add_argument("--page", nargs="+", type=Path, help="make the page of lines that earlier runs printed")
    options = parser.parse_args()
    if options.page:
        lines = [json.loads(line) for path in options.page for line in path.read_text().splitlines()]
    else:
        lines = []
        for part in (options.part,) if options.part else PARTS:
            for line in lines_of(part, 10 if options.quick else 1, options.truths):
                print(json.dumps(line), flush=True)
                lines.append(line)
    if options.page or not (options.part or options.quick):
        page = report([row for row in lines if "move" in row], rank_rows([row for row in lines if "ranks" in row]))
        (Path(__file__).parent / "results" / "biclustering_calibration.md").write_text(page)


if __name__ == "__main__":
    main()
