"""What each part of a sweep of the bi-clustering costs, at N = 200, T = 5,000 and at N = 30, T = 500.

Processor time of one thread; the parts are timed in interleaved rounds and the fastest round of each is shown, with the
median behind it. Run ``python benchmarks/biclustering_parts.py > benchmarks/results/biclustering_parts.md``.
"""

# ruff: noqa: E402 -- the number of threads is read when the libraries are imported

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import platform
import resource
import time
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from dynome.inference.biclustering.assignments import updated_assignment
from dynome.inference.biclustering.augmentation import working
from dynome.inference.biclustering.dispersions import updated_dispersion
from dynome.inference.biclustering.dynamics import draw_dynamics, draw_path, log_path_prior, step_log_density
from dynome.inference.biclustering.hdp import updated_transitions
from dynome.inference.biclustering.model import Concentrations, Data, Hyper, State
from dynome.inference.biclustering.observations import log_likelihood, predictor, sample_observations
from dynome.inference.biclustering.paths import draw_latent, log_evidence, statistics
from dynome.inference.biclustering.scaling import rescaled
from dynome.inference.biclustering.segments import updated_segments
from dynome.inference.biclustering.split_merge import split_or_merge
from dynome.inference.biclustering.state_paths import draw_states
from dynome.inference.biclustering.stretches import updated_stretches
from dynome.inference.biclustering.sweeps import sweep


class Size(NamedTuple):
    n_nodes: int
    n_bins: int
    n_clusters: int
    n_states: int


def simulated(size: Size, coupled: bool) -> tuple[State, Data, Hyper]:
    """Clusters of equal size with quiet rotations, states of 50 bins; the point of the posterior is the truth."""
    rng = np.random.default_rng(0)
    n, t, j, k = size
    hyper = Hyper(n_factors=2, n_states=k, coupled=coupled)
    state = np.repeat(rng.integers(k, size=-(-t // 50)), 50)[:t].astype(np.int64)
    latent = np.empty((t, j, 3))
    latent[0] = rng.standard_normal((j, 3))
    turns = 0.98 * np.linalg.qr(np.eye(3) + 0.2 * rng.standard_normal((k, j, 3, 3)))[0]
    for b in range(1, t):
        latent[b] = (turns[state[b]] @ latent[b - 1][..., None])[..., 0] + 0.1 * rng.standard_normal((j, 3))
    starts = np.array([0, t])
    cluster = np.arange(n, dtype=np.int64) % j
    coefficient = 0.5 * rng.standard_normal((n, 3))
    dispersion = np.full(n, 10.0)
    psi = predictor(coefficient, latent, cluster)
    y = np.ascontiguousarray(sample_observations(psi, "negative_binomial", dispersion, rng), dtype=float)
    current = State(
        cluster=cluster,
        coefficient=coefficient,
        latent=latent,
        dispersion=dispersion,
        state=state,
        dynamics=draw_dynamics(latent, state, starts, hyper, rng, k),
        weight=np.full(k, 1 / k),
        transition=0.9 * np.eye(k) + 0.1 / k,
        concentrations=Concentrations(),
        active=np.ones((j, 2), dtype=bool),
    )
    return current, Data(y, starts, "negative_binomial"), hyper


def parts(current: State, data: Data, hyper: Hyper) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(1)
    psi = predictor(current.coefficient, current.latent, current.cluster)
    work = working(data, psi, current.dispersion, rng)
    j = current.latent.shape[1]
    precision, linear = statistics(work, current.coefficient, current.cluster, j)
    state, dynamics, starts, latent = current.state, current.dynamics, data.starts, current.latent
    steps = step_log_density(latent, dynamics, starts)
    return {
        "assignment, births, deaths": lambda: updated_assignment(current, data, hyper, rng),
        "one split or merge": lambda: split_or_merge(current, data, hyper, rng),
        "dispersion": lambda: updated_dispersion(data, psi, current.dispersion, hyper, rng),
        "auxiliary variables (Polya-Gamma)": lambda: working(data, psi, current.dispersion, rng),
        "statistics of the latents": lambda: statistics(work, current.coefficient, current.cluster, j),
        "stretches of states, latents integrated out": lambda: updated_stretches(
            current, precision, linear, starts, hyper, rng
        ),
        "latents": lambda: draw_latent(precision, linear, state, dynamics, starts, rng),
        "scales, shifts, shears (with dynamics)": lambda: rescaled(current, data, hyper, rng),
        "transitions": lambda: updated_transitions(state, starts, current.weight, current.concentrations, hyper, rng),
        "steps under every state": lambda: step_log_density(latent, dynamics, starts),
        "states": lambda: draw_states(steps, current.transition, starts, rng),
        "segments": lambda: updated_segments(current, starts, hyper, rng),
        "dynamics": lambda: draw_dynamics(latent, state, starts, hyper, rng, hyper.n_states),
        "predictor and log likelihood": lambda: log_likelihood(
            data.y, predictor(current.coefficient, latent, current.cluster), data.law, current.dispersion
        ),
        "(evidence of the states)": lambda: log_evidence(precision, linear, state, dynamics, starts),
        "(density of the path)": lambda: log_path_prior(latent, state, starts, hyper),
        "(a path of the model)": lambda: draw_path(state, dynamics, starts, rng),
        "**a whole sweep**": lambda: sweep(current, data, hyper, rng),
    }


def timed(calls: dict[str, Callable[[], object]], n_rounds: int) -> dict[str, np.ndarray]:
    for call in calls.values():
        call()  # compiles, and fills the caches
    seconds = {name: np.empty(n_rounds) for name in calls}
    for r in range(n_rounds):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            seconds[name][r] = time.process_time() - begin
    return seconds


def main() -> None:
    print("# What the parts of a sweep cost\n")
    print(
        "Milliseconds of processor time on one thread: the fastest round, and the median in brackets. Negative binomial"
        " counts, two factors, the point is the truth of the simulation. Parts in round brackets are not parts of"
        " every sweep; a sweep draws the parts above them once, stretches and segments with their own probability.\n"
    )
    for size, n_rounds in ((Size(200, 5000, 10, 20), 5), (Size(30, 500, 3, 10), 15)):
        found = {kind: timed(parts(*simulated(size, kind == "coupled")), n_rounds) for kind in ("coupled", "block")}
        print(f"## N = {size.n_nodes}, T = {size.n_bins:,}, {size.n_clusters} clusters, {size.n_states} states\n")
        print("| part | coupled | block |\n| --- | ---: | ---: |")
        for name in found["coupled"]:
            cells = [f"{s.min() * 1e3:.1f} ({np.median(s) * 1e3:.1f})" for s in (f[name] for f in found.values())]
            print(f"| {name} | {' | '.join(cells)} |")
        print()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}"
    print(f"{versions}; peak memory of the run {peak:.1f} GB. The machine was shared with other work.")


if __name__ == "__main__":
    main()
