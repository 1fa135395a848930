"""Do real recordings switch? Held-out trials of mice and held-out worms, from one state to four.

    OMP_NUM_THREADS=1 DYNOME_DATA_DIR=... python benchmarks/switching_real.py mouse|worms [--states 4]

**mouse**: the 30 most active neurons of each session, 20 ms bins, trials as sequences, held out by trial (5 folds).
Four models: rates alone, or coupling through an exponential history of 100 ms under a hierarchical Gaussian prior; each
with or without the time course of the trial as covariates (5 bumps, and the same times the larger contrast), because
every evoked response is a "state" to a model that does not know of the stimulus. Bits a spike against no change of any
rate; the gain over one state with its standard error over folds.

**worms**: nodes that all four animals have, standardized, 1.5 Hz, Gaussian, exponential history of 5 samples; held out
by animal. Priors: none, one-hot, one-hot with the carried connectome, and with the same
connectome after degree-preserving rewiring (control). Nats a bin and node.

States against behaviour: `state_covariates`, whose null turns the behaviour in a circle.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import xarray as xr
from sklearn.exceptions import ConvergenceWarning

import dynome as dy

N_NEURONS = 30
N_BUMPS = 5
N_BINS = 39  # a trial


def with_time_course(rec: xr.Dataset) -> xr.Dataset:
    """Bumps over the trial, and the same times the contrast."""
    t = rec.time_in_trial.to_numpy()
    centre = np.linspace(0, t.max(), N_BUMPS)
    bump = np.exp(-0.5 * ((t[:, None] - centre) / (centre[1] / 1.5)) ** 2)
    contrast = np.maximum(rec.contrast_left, rec.contrast_right).to_numpy()
    course = np.concatenate([bump, bump * contrast[:, None]], axis=1)
    return rec.assign(course=(("time", "feature"), course, {"units": "1"}), contrast=("time", contrast, {"units": "1"}))


def in_pairs(rec: xr.Dataset) -> xr.Dataset:
    """Bins of 20 ms: each two of a trial together, its odd last one left out."""
    bins = np.arange(rec.sizes["time"]).reshape(-1, N_BINS)
    first, second = bins[:, 0 : N_BINS - 1 : 2].ravel(), bins[:, 1:N_BINS:2].ravel()
    counts = rec.spike_count.to_numpy()
    found = rec.isel(time=first)
    return found.assign(spike_count=found.spike_count.copy(data=counts[first] + counts[second]))


def most_active(rec: xr.Dataset) -> xr.Dataset:
    rank = np.argsort(-rec.spike_count.mean("time").to_numpy(), kind="stable")
    return rec.isel(node=np.sort(rank[:N_NEURONS]))


def gains(curve: xr.Dataset, factor: float) -> list[str]:
    """Gain of every number of states over one, with its standard error over folds."""
    both = zip(curve.mean_gain[1:], curve.gain_standard_error[1:], strict=True)
    return [f"{factor * float(g):+.4f} +- {factor * float(e):.4f}" for g, e in both]


def mouse(most: int) -> None:
    """Models one after the other, each on all sessions."""
    sessions = {
        path: with_time_course(in_pairs(most_active(rec)))
        for path, rec in dy.study.sessions(dy.datasets.fetch_mouse_visual_cortex()).items()
    }
    null = {}  # rates that never change: the first model with one state
    print("| session | model | " + " | ".join(f"{n} states" for n in range(1, most + 1)) + " | chosen | CPU s |")
    for name, history, prior, link in (
        ("rates", dy.dynamics.NoHistory(), "none", "exp"),
        ("coupling", dy.dynamics.ExponentialHistory(5), "gaussian", "softplus"),
    ):
        for covariates in ((), ("course",)):
            model = dy.dynamics.SwitchingGLM(
                link=link, history=history, prior=prior, covariates=covariates, n_restarts=2, tol=1e-5, max_iter=60
            )
            for path, rec in sessions.items():
                began = time.process_time()
                curve = dy.inference.state_curve(
                    model, rec, n_states=range(1, most + 1), cv="trial", n_folds=5, random_state=0
                )
                bits = 1 / (float(rec.spike_count.mean()) * np.log(2))
                one = float(curve.mean_score[0])
                told = [f"{bits * (one - null.setdefault(path, one)):.4f}", *gains(curve, bits)]
                what = name + (" + time course" if covariates else "")
                cost = f"{curve.attrs['chosen']} | {time.process_time() - began:.0f}"
                print(f"| {path} | {what} | " + " | ".join(told) + f" | {cost} |", flush=True)
                if covariates:
                    behaviour(f"{path}, {what}", model, rec)


def behaviour(path: str, model: Any, rec: xr.Dataset) -> None:
    """Two states of a fit to all trials against what differs between trials."""
    model.set_params(n_states=2, random_state=0).fit(rec)
    posterior = model.posterior(rec)
    lean = rec.contrast_right - rec.contrast_left
    for name, covariate in (("contrast", rec.contrast), ("right - left", lean), ("feedback", rec.feedback)):
        found = dy.inference.state_covariates(posterior, covariate, random_state=0)
        told = " ".join(f"{float(m):.2f} (q {float(q):.3f})" for m, q in zip(found["mean"], found.q_value, strict=True))
        print(f"  {path}: mean {name} in each of 2 states {told}", flush=True)
    rate = model.results_.occupancy.round(2).to_numpy(), model.results_.dwell_time.round(3).to_numpy()
    print(f"  {path}: occupancy, dwell time (s) {rate}", flush=True)


def worms(most: int) -> None:
    study = dy.datasets.fetch_celegans_calcium()
    animals = dy.dynamics.standardize(dy.dynamics.align_animals(study, rate=1.5, min_animals=4))
    wiring = dy.datasets.load_celegans_connectome("cook2019")
    wiring = dy.connectome.subgraph(wiring, node=np.intersect1d(wiring.node, animals.node))
    rewired = dy.connectome.rewire(wiring, random_state=0)
    print("worms:", dict(animals.sizes), "edges:", wiring.sizes["edge"])
    print("| prior | " + " | ".join(f"{n} states" for n in range(1, most + 1)) + " | chosen | CPU s |")
    for name, prior, connectome in (
        ("none", "none", None),
        ("one_hot", "one_hot", None),
        ("one_hot, connectome", "one_hot", wiring),
        ("one_hot, rewired", "one_hot", rewired),
    ):
        model = dy.dynamics.SwitchingGLM(
            observation="gaussian", prior=prior, connectome=connectome, n_restarts=2, tol=1e-4, max_iter=60
        )
        began = time.process_time()
        curve = dy.inference.state_curve(
            model, animals, n_states=range(1, most + 1), cv="animal", n_folds=4, random_state=0
        )
        told = [f"{float(curve.mean_score[0]):.4f}", *gains(curve, 1.0)]
        cost = f"{curve.attrs['chosen']} | {time.process_time() - began:.0f}"
        print(f"| {name} | " + " | ".join(told) + f" | {cost} |", flush=True)
        model.set_params(n_states=2, random_state=0).fit(animals)
        trust = f", trust {float(model.results_.trust):.2f}" if connectome is not None else ""
        print(f"  {name}: 2 states on all worms, dwell {model.results_.dwell_time.round(1).to_numpy()} s{trust}")
        posterior = model.posterior(animals)
        for covariate in ("velocity", "reversal"):
            found = dy.inference.state_covariates(posterior, animals[covariate], random_state=0)
            both = zip(found["mean"], found.q_value, strict=True)
            told = " ".join(f"{float(m):.3f} (q {float(q):.3f})" for m, q in both)
            print(f"  {name}: mean {covariate} in each of 2 states {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("mouse", "worms"))
    parser.add_argument("--states", type=int, default=4)
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # starts that stop at max_iter are scored as they are
        {"mouse": mouse, "worms": worms}[options.what](options.states)


if __name__ == "__main__":
    main()
