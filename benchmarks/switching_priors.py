"""Where should a prior on the coupling matter, and does it? Few data, many neurons, few edges.

    OMP_NUM_THREADS=1 python benchmarks/switching_priors.py [--seeds 100 101 ...] [--out FILE]
    python benchmarks/switching_priors.py --table FILE

`make_switching_glm` with 3 states, 60 neurons and 10 % of edges; 3 sessions to learn from, 5 to be scored on. The model
has the right form (sigmoid, one bias for all states); what differs is the prior. Connectomes are those of
`wiring_from_truth`: right, right without signs, half of the edges wrong, and all of them wrong. Of the restarts the one
with the largest training evidence is kept; nothing is chosen on test sessions.

The states of a fit are matched to the true ones once, by their paths over the test sessions. Signs of edges are told by
each method's own rule (the most probable class, or |coupling| > 2.58 Wald standard errors), and by the threshold on
|coupling| that is best for the method if the truth were known. Self-history is left out of both: it has no class.
Each line of the file is one fit; the table gives mean and standard error over seeds, and differences on the same
data.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from sklearn.metrics import balanced_accuracy_score
from switching_study import CRITICAL, model_of, true_model

import dynome as dy
from dynome.datasets import wiring_from_truth

N_TRAIN, N_TEST = 3, 5
METHODS = ("none", "ridge", "strong_ridge", "gaussian", "one_hot", "right", "unsigned", "half_wrong", "wrong")
WIRINGS: dict[str, dict[str, Any]] = {
    "right": {},
    "unsigned": {"signs": False},
    "half_wrong": {"wrong": 0.5},
    "wrong": {"wrong": 1.0},
}
COLUMNS = ("marginal", "mse", "signs", "best_threshold", "accuracy", "trust", "seconds")
NAMES = {
    "truth": "true parameters",
    "none": "maximum likelihood",
    "ridge": "ridge (precision 1)",
    "strong_ridge": "ridge (precision 10, near the true scale)",
    "gaussian": "Gaussian",
    "one_hot": "one-hot",
    "right": "one-hot, right connectome",
    "unsigned": "one-hot, right connectome without signs",
    "half_wrong": "one-hot, half of the connectome wrong",
    "wrong": "one-hot, wrong connectome",
}


def simulated(seed: int, n_states: int, n_nodes: int, n_time: int) -> xr.Dataset:
    return dy.datasets.make_switching_glm(
        n_states=n_states,
        n_nodes=n_nodes,
        n_sessions=N_TRAIN + N_TEST,
        n_time=n_time,
        class_probability=(0.05, 0.9, 0.05),
        random_state=seed,
    )


def scores(model: Any, data: xr.Dataset, test: xr.DataArray) -> dict[str, float]:
    """All that is asked of a fit."""
    found = dy.inference.state_accuracy(model.decode(test), data.true_state.sel(session=test.session))
    order = [int(np.flatnonzero(found.match == k)[0]) for k in range(data.sizes["state"])]
    results = model.results_.isel(state=order)
    coupling, truth = results.coupling.to_numpy(), data.coupling.to_numpy()
    other = ~np.broadcast_to(np.eye(coupling.shape[1], dtype=bool), coupling.shape)
    sign = data.edge_sign.to_numpy()[other]
    out = {
        "marginal": float(model.score(test)),
        "accuracy": float(found.accuracy),
        "mse": float(((coupling - truth) ** 2).mean()),
        "best_threshold": best_threshold(sign, coupling[other]),
    }
    if "edge_class_posterior" in results:
        posterior = results.edge_class_posterior.transpose("state", "target", "source", "edge_class").to_numpy()
        out["signs"] = balanced_accuracy_score(sign, posterior[other].argmax(-1) - 1)
    elif "standard_error" in results:
        z = (coupling / results.standard_error.to_numpy())[other]
        out["signs"] = balanced_accuracy_score(sign, np.sign(z) * (np.abs(z) > CRITICAL))
    for name in ("trust", "class_concentration"):
        if name in results:
            out[name] = float(results[name])
    return out


def best_threshold(sign: np.ndarray, coupling: np.ndarray) -> float:
    """The best balanced accuracy that any threshold on the couplings reaches."""
    levels = np.quantile(np.abs(coupling), np.linspace(0, 0.999, 100))
    return max(balanced_accuracy_score(sign, np.sign(coupling) * (np.abs(coupling) > level)) for level in levels)


def fitted(method: str, data: xr.Dataset, restarts: int) -> tuple[Any, float]:
    """The best start of one method, and its CPU seconds."""
    prior = "one_hot" if method in WIRINGS else dy.dynamics.RidgePrior(10.0) if method == "strong_ridge" else method
    model = model_of(prior, data.sizes["state"], restarts, 0)
    if method in WIRINGS:
        model.set_params(connectome=wiring_from_truth(data, random_state=0, **WIRINGS[method]))
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is in the table
        model.fit(data.spike_count[:N_TRAIN])
    return model, time.process_time() - began


def run(seed: int, options: argparse.Namespace) -> None:
    data = simulated(seed, options.states, options.nodes, options.time)
    test = data.spike_count[N_TRAIN:]
    write(options.out, {"seed": seed, "method": "truth", **scores(true_model(data), data, test)})
    for method in options.methods:
        model, seconds = fitted(method, data, options.restarts)
        attrs = model.results_.attrs
        cost = {"seconds": seconds, "n_iter": attrs["n_iter"], "converged": attrs["converged"]}
        write(options.out, {"seed": seed, "method": method, **scores(model, data, test), **cost})


def write(path: Path, line: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def table(path: Path) -> None:
    """Mean and standard error over seeds, the median where maximum likelihood ran away, and differences to one-hot."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    by = {(line["method"], line["seed"]): line for line in lines}
    methods = [m for m in NAMES if any(k == m for k, _ in by)]
    seeds = sorted({seed for _, seed in by})
    whole = [s for s in seeds if all((m, s) in by for m in methods)]
    print(f"{len(whole)} seeds: {whole}\n")
    print(
        "| prior | test log likelihood below truth, 1e-3 nats | one-hot is better by | on seeds | weight MSE, 1e-3 | "
        "signs, own rule | signs, best threshold | state accuracy | trust | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    truth, one_hot = (np.array([by[m, s]["marginal"] for s in whole]) for m in ("truth", "one_hot"))
    for method in methods:
        rows = [by[method, s] for s in whole]
        get = {c: np.array([row.get(c, np.nan) for row in rows]) for c in COLUMNS}
        below, better = 1e3 * (truth - get["marginal"]), 1e3 * (one_hot - get["marginal"])
        known = method not in ("truth", "one_hot")
        cells = [
            spread(below, 1),
            spread(better, 2) if known else "",
            f"{int((better > 0).sum())} of {len(whole)}" if known else "",
            spread(1e3 * get["mse"], 1),
            spread(get["signs"], 3) if method != "truth" else "",
            spread(get["best_threshold"], 3),
            spread(get["accuracy"], 3),
            spread(get["trust"], 2),
            "" if np.isnan(get["seconds"]).any() else f"{get['seconds'].mean():.0f}",
        ]
        print(f"| {NAMES[method]} | " + " | ".join(cells) + " |")


def spread(values: np.ndarray, digits: int) -> str:
    if np.isnan(values).any():
        return ""
    if np.abs(values).max() > 1e4:
        return f"median {np.median(values):.1e}"
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.{digits}f} ± {error:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(100, 110)))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--states", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=60)
    parser.add_argument("--time", type=int, default=1000)
    parser.add_argument("--restarts", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("switching_priors.jsonl"))
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    if options.table:
        table(options.table)
        return
    for seed in options.seeds:
        run(seed, options)


if __name__ == "__main__":
    main()
