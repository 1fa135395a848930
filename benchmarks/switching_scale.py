"""A switching GLM of 300 nodes, 5 basis functions and 8 states on 200,000 bins: time, memory, and what it finds.

    OMP_NUM_THREADS=2 python benchmarks/switching_scale.py               # EM iterations from the generating states
    OMP_NUM_THREADS=2 python benchmarks/switching_scale.py --fit         # a whole fit, from nothing

1501 features a target: 2400 regressions of 1501 unknowns each, by preconditioned conjugate gradients in float32. Prints
CPU seconds of the parts of an EM iteration, or of the fit; peak memory; and how many decoded states are right.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

import dynome as dy
from dynome.dynamics.glm.designs import Design
from dynome.dynamics.glm.fisher import Penalty
from dynome.dynamics.glm.histories import RaisedCosineHistory
from dynome.dynamics.glm.passes import Problem, emission
from dynome.dynamics.glm.preconditioned import preconditioned_direction, shared_curvature
from dynome.dynamics.hmm.chain import sticky
from dynome.dynamics.hmm.smoothing import smooth

N_STATE, N_SESSION, HISTORY = 8, 10, RaisedCosineHistory(15, 5)


def accuracy(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of bins in the right state, names matched."""
    table = np.zeros((N_STATE, N_STATE))
    np.add.at(table, (found.ravel(), truth.ravel()), 1)
    return float(table[linear_sum_assignment(-table)].sum() / truth.size)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def took(what: str, run: Callable[[], Any]) -> Any:
    began, cpu = time.perf_counter(), time.process_time()
    out = run()
    times = f"{time.process_time() - cpu:7.1f} CPU s {time.perf_counter() - began:7.1f} s"
    print(f"  {what:10s} {times}, peak {peak():.2f} GiB", flush=True)
    return out


def pieces(data: xr.Dataset, n_iter: int) -> None:
    """EM iterations that begin from the generating states, and from no couplings."""
    truth = data.true_state.to_numpy().ravel()
    y = data.spike_count.to_numpy().reshape(truth.size, -1).astype(np.float32)
    starts = np.linspace(0, truth.size, N_SESSION + 1).astype(np.int64)
    design = Design(y, HISTORY.kernels(), np.zeros((truth.size, 0)), starts, np.float32)
    problem = Problem(design, y, "poisson", "softplus", np.ones((y.shape[1], design.n_feature), bool))
    took("constants", lambda: problem.constant)
    at = np.zeros((N_STATE, y.shape[1], design.n_feature))
    at[:, :, 0] = np.log(np.expm1(y.mean(axis=0)))
    ridge = Penalty(np.zeros_like(at), np.ones_like(at) * (np.arange(design.n_feature) > 0))
    ones, weight = np.ones(at.shape[:2]), np.eye(N_STATE)[truth]
    transition, initial = sticky(N_STATE, 0.98), np.full(N_STATE, 1 / N_STATE)
    for k in range(n_iter):
        print(f"iteration {k + 1}")
        curve = took("curvature", lambda w=weight, c=at: shared_curvature(problem, c, ones, w))
        move = took("direction", lambda c=curve: preconditioned_direction(problem, c, ridge, shared_bias=False))
        at = at + move.step
        del curve
        found = took("emission", lambda w=weight, c=at: emission(problem, c, ones, w))
        posterior = took("smoothing", lambda e=found: smooth(e.log_likelihood, transition, initial, starts))
        weight = np.where(posterior.probability < 1e-10, 0, posterior.probability)
        each = posterior.evidence.sum() / y.size
        print(f"  evidence {each:.5f} nats a bin and node, states {accuracy(weight.argmax(axis=1), truth):.4f} right")


def fit(data: xr.Dataset, max_iter: int) -> None:
    counts = data.spike_count.astype(np.float32)
    model = dy.dynamics.SwitchingGLM(
        N_STATE,
        observation="poisson",
        link="softplus",
        history=HISTORY,
        prior="ridge",
        n_restarts=1,  # states from clusters of activity
        max_iter=max_iter,
        dtype="float32",
        random_state=0,
    )
    took("fit", lambda: model.fit(counts))
    history = model.results_.history.to_numpy()
    print(f"  {history.size} iterations, converged: {model.results_.attrs['converged']}")
    print(f"  states {accuracy(model.decode(counts).to_numpy(), data.true_state.to_numpy()):.4f} right")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--bins", type=int, default=200_000)
    parser.add_argument("--nodes", type=int, default=300)
    parser.add_argument("--iterations", type=int)
    asked = parser.parse_args()
    print(f"{asked.nodes} nodes, 5 basis functions, {N_STATE} states, {asked.bins} bins, float32")
    sizes = (N_STATE, asked.nodes, N_SESSION, asked.bins // N_SESSION)
    data = took("simulated", lambda: dy.datasets.make_switching_glm(*sizes, link="softplus", random_state=0))
    if asked.fit:
        fit(data, asked.iterations or 40)
    else:
        pieces(data, asked.iterations or 3)


if __name__ == "__main__":
    main()
