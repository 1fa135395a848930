"""Does an exact fit find the states, couplings and edges of the synthetic study, and what does it cost?

    OMP_NUM_THREADS=1 python benchmarks/switching_study.py [--seeds 0 1] [--priors none one_hot]

`make_switching_glm` at its defaults: 5 states, 20 neurons, 30 sessions of 2,000 bins to learn from and 20 to be scored
on. Of the restarts the one with the largest evidence of the *training* sessions is kept; nothing is chosen on test
sessions. Scores of the truth are those of a `SwitchingGLM` whose results are the truth. The states of a fit are matched
to the true ones once, by their paths over all test sessions; the same permutation serves weights and edges.

The signs of edges are told in two ways: a Wald test (|coupling| > 2.58 standard errors), and where the prior has
classes, the most probable one (self-history has no class there and is left out). CPU seconds are those of the longest
start and in brackets of the mean one; behind them the training evidence of all starts, in nats a bin and neuron.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import xarray as xr
from sklearn.metrics import balanced_accuracy_score

import dynome as dy
from dynome.dynamics.switching import fitting

N_TRAIN = 30
CRITICAL = 2.58


def model_of(prior: str, n_states: int, restarts: int, seed: int) -> Any:
    return dy.dynamics.SwitchingGLM(
        n_states, link="sigmoid", prior=prior, bias="shared", n_restarts=restarts, random_state=seed
    )


def true_model(data: xr.Dataset) -> Any:
    """A fitted model whose results are the truth."""
    short = data.spike_count.isel(session=slice(0, 1), time=slice(0, 200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is not meant to converge
        model = model_of("none", data.sizes["state"], 1, 0).set_params(max_iter=1).fit(short)
    results = model.results_
    bias = data.bias.broadcast_like(results.bias).transpose(*results.bias.dims)
    truth = {"coupling": data.coupling, "bias": bias, "transition": data.transition, "initial": data.initial}
    truth["basis_weight"] = data.coupling.expand_dims(basis=results.basis).transpose(*results.basis_weight.dims)
    truth["weight"] = data.weight.transpose(*results.weight.dims)
    for name, value in truth.items():
        model.results_[name] = results[name].copy(data=value.to_numpy())
    return model


def timed_starts(seconds: list[float]) -> Any:
    """The EM of one start, which notes its CPU seconds."""
    inner = fitting.expectation_maximization

    def timed(*args: Any, **options: Any) -> Any:
        began = time.process_time()
        found = inner(*args, **options)
        seconds.append(time.process_time() - began)
        return found

    return inner, timed


def scores(model: Any, data: xr.Dataset, test: xr.DataArray) -> dict[str, float]:
    """All that is asked of a fit."""
    path = model.decode(test)
    found = dy.inference.state_accuracy(path, data.true_state.sel(session=test.session))
    order = [int(np.flatnonzero(found.match == k)[0]) for k in range(data.sizes["state"])]
    results = model.results_.isel(state=order)
    coupling, truth = results.coupling.to_numpy(), data.coupling.to_numpy()
    out = {
        "marginal": model.score(test),
        "conditional": float(model.log_likelihood(test, kind="conditional").sum() / test.size),
        "accuracy": float(found.accuracy),
        "mse": float(((coupling - truth) ** 2).mean()),
        "mae": float(np.abs(coupling - truth).mean()),
        "corr": float(np.corrcoef(coupling.ravel(), truth.ravel())[0, 1]),
    }
    sign = data.edge_sign.to_numpy().ravel()
    if "standard_error" in results:
        z = coupling / results.standard_error.to_numpy()
        told = (np.sign(z) * (np.abs(z) > CRITICAL)).ravel()
        out["wald"] = balanced_accuracy_score(sign, told)
    if "edge_class_posterior" in results:
        likeliest = (
            results.edge_class_posterior.transpose("state", "target", "source", "edge_class")
            .fillna(0)
            .argmax("edge_class")
        )
        other = ~np.broadcast_to(np.eye(coupling.shape[1], dtype=bool), coupling.shape).ravel()
        out["classes"] = balanced_accuracy_score(sign[other], likeliest.to_numpy().ravel()[other] - 1)
    return out


def run(seed: int, prior: str, restarts: int) -> None:
    data = dy.datasets.make_switching_glm(random_state=seed)
    train, test = data.spike_count[:N_TRAIN], data.spike_count[N_TRAIN:]
    report(seed, "truth", scores(true_model(data), data, test), "")
    seconds: list[float] = []
    inner, timed = timed_starts(seconds)
    fitting.expectation_maximization = timed
    try:
        model = model_of(prior, data.sizes["state"], restarts, 0).fit(train)
    finally:
        fitting.expectation_maximization = inner
    evidence = (model.results_.restart_evidence / train.size).to_numpy()
    cost = f"{max(seconds):.1f} ({sum(seconds) / len(seconds):.1f}); "
    starts = cost + " ".join(f"{e:.5f}" for e in evidence)
    report(seed, prior, scores(model, data, test), starts)


def report(seed: int, name: str, found: dict[str, float], cost: str) -> None:
    columns = ("marginal", "conditional", "accuracy", "mse", "mae", "corr", "wald", "classes")
    told = " | ".join(f"{found[c]:.5f}" if c in found else "" for c in columns)
    print(f"| {seed} | {name} | {told} | {cost} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--priors", nargs="+", default=["none", "gaussian", "one_hot"])
    parser.add_argument("--restarts", type=int, default=5)
    options = parser.parse_args()
    print("| seed | prior | marginal | conditional | accuracy | MSE | MAE | corr | Wald | classes | CPU s; evidence |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for seed in options.seeds:
        for prior in options.priors:
            run(seed, prior, options.restarts)


if __name__ == "__main__":
    main()
