"""Do real recordings switch? Held-out trials of mice and held-out worms, from one state to four.

    OMP_NUM_THREADS=1 DYNOME_DATA_DIR=... python benchmarks/switching_real.py mouse|worms [--states 4]

**mouse**: the 40 most active neurons of each session, 10 ms bins, trials as sequences, held out by trial (5 folds).
Four models: rates alone, or coupling through an exponential history of 50 ms under a hierarchical Gaussian prior; each
with or without the time course of the trial as covariates (5 bumps, and the same times the larger contrast), because
every evoked response is a "state" to a model that does not know of the stimulus. Bits a spike against no change of any
rate; the gain over one state with its standard error over folds.

**worms**: nodes that all four animals have, standardized, 1.5 Hz, Gaussian, exponential history of 5 samples; held out
by animal. Priors: none, hierarchical Gaussian, one-hot, one-hot with the carried connectome, and with the same
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

N_NEURONS = 40
N_BUMPS = 5


def with_time_course(rec: xr.Dataset) -> xr.Dataset:
    """Bumps over the trial, and the same times the contrast."""
    t = rec.time_in_trial.to_numpy()
    centre = np.linspace(0, t.max(), N_BUMPS)
    bump = np.exp(-0.5 * ((t[:, None] - centre) / (centre[1] / 1.5)) ** 2)
    contrast = np.maximum(rec.contrast_left, rec.contrast_right).to_numpy()
    course = np.concatenate([bump, bump * contrast[:, None]], axis=1)
    return rec.assign(course=(("time", "feature"), course, {"units": "1"}), contrast=("time", contrast, {"units": "1"}))


def most_active(rec: xr.Dataset) -> xr.Dataset:
    rank = np.argsort(-rec.spike_count.mean("time").to_numpy(), kind="stable")
    return rec.isel(node=np.sort(rank[:N_NEURONS]))


def mouse(most: int) -> None:
    print("| session | model | " + " | ".join(f"{n} states" for n in range(1, most + 1)) + " | chosen | CPU s |")
    for path, rec in dy.study.sessions(dy.datasets.fetch_mouse_visual_cortex()).items():
        rec = with_time_course(most_active(rec))
        spikes = float(rec.spike_count.mean())
        for name, history, prior in (
            ("rates", dy.dynamics.NoHistory(), "none"),
            ("coupling", dy.dynamics.ExponentialHistory(5), "gaussian"),
        ):
            for covariates in ((), ("course",)):
                model = dy.dynamics.SwitchingGLM(
                    observation="poisson", link="exp" if name == "rates" else "softplus", history=history,
                    prior=prior, covariates=covariates, n_restarts=3, tol=1e-5, max_iter=60,
                )  # fmt: skip
                began = time.process_time()
                curve = dy.inference.state_curve(
                    model, rec, n_states=range(1, most + 1), cv="trial", n_folds=5, random_state=0
                )
                bits = 1 / (spikes * np.log(2))
                told = [f"{bits * float(curve.mean_score[0]):.4f}"] + [
                    f"{bits * float(g):+.4f} +- {bits * float(e):.4f}"
                    for g, e in zip(curve.mean_gain[1:], curve.gain_standard_error[1:], strict=True)
                ]
                what = name + (" + time course" if covariates else "")
                cost = f"{curve.attrs['chosen']} | {time.process_time() - began:.0f}"
                print(f"| {path} | {what} | " + " | ".join(told) + f" | {cost} |", flush=True)
        for n in (2, 3):
            behaviour(path, model.set_params(n_states=n, n_restarts=5, random_state=0), rec)


def behaviour(path: str, model: Any, rec: xr.Dataset) -> None:
    """States of a fit to all trials against what differs between trials."""
    posterior = model.fit(rec).posterior(rec)
    lean = rec.contrast_right - rec.contrast_left
    for name, covariate in (("contrast", rec.contrast), ("right - left", lean), ("feedback", rec.feedback)):
        found = dy.inference.state_covariates(posterior, covariate, random_state=0)
        told = " ".join(f"{float(m):.2f} (q {float(q):.3f})" for m, q in zip(found["mean"], found.q_value, strict=True))
        print(f"  {path}, {model.n_states} states, {name}: mean in each state {told}", flush=True)
    print("  dwell times (s):", model.results_.dwell_time.round(3).to_numpy().tolist(), flush=True)


def worms(most: int) -> None:
    study = dy.datasets.fetch_celegans_calcium()
    animals = dy.dynamics.standardize(dy.dynamics.align_animals(study, rate=1.5, min_animals=4))
    wiring = dy.datasets.load_celegans_connectome("cook2019")
    wiring = dy.connectome.subgraph(wiring, node=np.intersect1d(wiring.node, animals.node))
    rewired = dy.connectome.rewire(wiring, random_state=0)
    print("worms:", dict(animals.sizes), "edges:", wiring.sizes["edge"])
    print("| prior | " + " | ".join(f"{n} states" for n in range(1, most + 1)) + " | chosen | CPU s |")
    fitted: dict[str, Any] = {}
    for name, prior, connectome in (
        ("none", "none", None),
        ("gaussian", "gaussian", None),
        ("one_hot", "one_hot", None),
        ("one_hot, connectome", "one_hot", wiring),
        ("one_hot, rewired", "one_hot", rewired),
    ):
        model = dy.dynamics.SwitchingGLM(
            observation="gaussian", prior=prior, connectome=connectome, n_restarts=4, tol=1e-5, max_iter=100
        )
        began = time.process_time()
        curve = dy.inference.state_curve(
            model, animals, n_states=range(1, most + 1), cv="animal", n_folds=4, random_state=0
        )
        told = [f"{float(curve.mean_score[0]):.4f}"] + [
            f"{float(g):+.4f} +- {float(e):.4f}"
            for g, e in zip(curve.mean_gain[1:], curve.gain_standard_error[1:], strict=True)
        ]
        cost = f"{curve.attrs['chosen']} | {time.process_time() - began:.0f}"
        print(f"| {name} | " + " | ".join(told) + f" | {cost} |", flush=True)
        fitted[name] = model.set_params(n_states=2, random_state=0).fit(animals)
        trust = {k: np.round(v.to_numpy(), 3).tolist() for k, v in fitted[name].results_.items() if "trust" in str(k)}
        print(f"  2 states on all worms: dwell {fitted[name].results_.dwell_time.round(1).to_numpy()} s, {trust}")
    for name, model in fitted.items():
        for n in (2, 3):
            posterior = model.set_params(n_states=n).fit(animals).posterior(animals)
            for covariate in ("velocity", "reversal"):
                found = dy.inference.state_covariates(posterior, animals[covariate], random_state=0)
                told = " ".join(
                    f"{float(m):.3f} (q {float(q):.3f})" for m, q in zip(found["mean"], found.q_value, strict=True)
                )
                print(f"  {name}, {n} states, {covariate}: {told}", flush=True)


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
