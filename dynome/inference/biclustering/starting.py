"""Where chains begin: a draw from the prior, or a point that the data suggest.

A chain that begins far from where the posterior is takes thousands of sweeps to find it: states given latents and
latents given states hold each other. What the data suggest is found by quick fits with clusters that do not drive each
other: groups of nodes that look alike, far too many, merged by score, a few times over; then states, from several first
guesses, with the latents integrated out. Each call draws its own first guesses, so that chains which agree agree about
the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numba
import numpy as np

from dynome.inference.biclustering.cluster_fits import ClusterFit, path_information, predicted
from dynome.inference.biclustering.dynamics import conjugate, draw_dynamics
from dynome.inference.biclustering.expansions import expansion
from dynome.inference.biclustering.grouping import (
    Signals,
    grouped,
    partition_of,
    partition_score,
    settled,
    signals,
    similar_nodes,
    updated_dispersion,
)
from dynome.inference.biclustering.hdp import updated_transitions
from dynome.inference.biclustering.model import Array, Concentrations, Data, Dynamics, Hyper, State
from dynome.inference.biclustering.paths import draw_latent
from dynome.inference.biclustering.prior_draws import prior_start as prior_start
from dynome.inference.biclustering.state_search import Found, best_of_restarts, refit, searched, segmentation
from dynome.inference.biclustering.thinning import thinned, whole_fits

_PARTITIONS, _MANY = 2, 200_000  # partitions that are tried; observations above which only one is
_WIDTHS = (7, 14)  # bins over which signals are smoothed
_FIRST_DISPERSION = 5.0
_STATES = (2, 2, 3, 3, 4, 6)  # of first guesses
_LARGE, _RESTARTS = 6000, 3  # bins times clusters above which fewer guesses are followed


def started(
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    *,
    n_clusters: int | None = None,
    n_states: Sequence[int] | None = None,
    brief: bool = False,
) -> State:
    """A point that the data suggest.

    Parameters
    ----------
    data : Data
        At least 2 nodes, each observed at least once.
    hyper : Hyper
    rng : numpy Generator
        Another one gives another point.
    n_clusters : int or None
        Groups of nodes before merging; None draws a number, about a third of the nodes and at most 30.
    n_states : sequence of int or None
        Numbers of states of the first guesses, one search each; the best is kept. None: 2 to 6, six searches.
    brief : bool
        Whether one partition does, for chains that are short themselves.

    Returns
    -------
    State
        Latents, dynamics and transitions are drawn given clusters, states and coefficients. States that are not used
        come last.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> data = Data(rng.poisson(1.0, (4, 60)).astype(float), np.array([0, 60]), "negative_binomial")
    >>> start = started(data, Hyper(n_factors=1, n_states=3), rng, n_states=[2])
    >>> start.latent.shape[0], start.transition.shape
    (60, (3, 3))
    """
    with _one_thread():
        guesses = _STATES if n_states is None else n_states
        return _started(data, hyper, rng, n_clusters, guesses, 1 if brief else _PARTITIONS)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Fits are many and small: threads would wait for each other most of the time."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _started(
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    n_clusters: int | None,
    n_states: Sequence[int],
    n_partitions: int,
) -> State:
    apart = hyper._replace(coupled=False)
    few = thinned(data, rng)
    seen, fits, dispersion = _clusters(few, apart, n_clusters, n_partitions, rng)
    kinds = [min(k, hyper.n_states) for k in n_states]
    if len(kinds) > _RESTARTS and few.y.shape[1] * len(fits) > _LARGE:
        kinds = [kinds[k] for k in rng.choice(len(kinds), _RESTARTS, replace=False)]
    found = refit(fits, np.zeros(few.y.shape[1], dtype=np.int64), few, dispersion, apart)
    if max(kinds) > 1:
        found = best_of_restarts(fits, kinds, few, dispersion, apart, rng)
    fits = settled(found.fits, seen, few, dispersion, found.state, apart, rng)
    found = searched(fits, found.state, few, dispersion, apart)
    dispersion = updated_dispersion(found.fits, few, dispersion, hyper)
    if few is not data:
        found = _everywhere(found, data, dispersion, apart)
    return _point(found, data, updated_dispersion(found.fits, data, dispersion, hyper), hyper, rng)


def _clusters(
    data: Data, hyper: Hyper, n_clusters: int | None, n_partitions: int, rng: np.random.Generator
) -> tuple[Signals, list[ClusterFit], Array]:
    """Best of a few partitions, each from signals and a number of groups of its own; all bins are in one state.

    Returns the signals, the clusters and the dispersions.
    """
    n_node = data.y.shape[0]
    dispersion = np.full(n_node, _FIRST_DISPERSION)
    if data.law == "gaussian":
        seen = signals(data, _WIDTHS[0])
        dispersion = np.nanmean((data.y - seen.bias[:, None] - seen.deviation) ** 2, axis=1) + 1e-3
    found = []
    for _ in range(n_partitions if data.y.size <= _MANY else 1):
        seen = signals(data, int(rng.integers(*_WIDTHS)))
        usual = int(np.clip(np.round(n_node / 3 * rng.uniform(0.7, 1.3)), 2, 30))
        label = similar_nodes(seen.deviation, min(n_clusters or usual, n_node))
        found.append((seen, grouped(label, seen, data, dispersion, hyper, rng)))
    seen, fits = max(found, key=lambda one: partition_score(one[1], hyper))
    return seen, fits, updated_dispersion(fits, data, dispersion, hyper)


def _everywhere(found: Found, data: Data, dispersion: Array, hyper: Hyper) -> Found:
    """From some bins to all: the path of every cluster, then states, then both again."""
    fits = whole_fits(found.fits, data, dispersion, hyper)
    zeros = np.zeros(data.y.shape[1], dtype=np.int64)
    state = segmentation(Found(zeros, fits, 0.0), data, dispersion, hyper)
    return refit(fits, np.unique(state, return_inverse=True)[1].astype(np.int64), data, dispersion, hyper)


def _point(found: Found, data: Data, dispersion: Array, hyper: Hyper, rng: np.random.Generator) -> State:
    """Draw latents, dynamics and transitions."""
    n_node, width = data.y.shape[0], 1 + hyper.n_factors
    coefficient = np.zeros((n_node, width))
    precision = np.zeros((data.y.shape[1], len(found.fits), width, width))
    linear = np.zeros(precision.shape[:3])
    for j, fit in enumerate(found.fits):
        coefficient[fit.nodes] = fit.coefficients.mean
        psi, _ = predicted(fit.path, fit.coefficients)
        work = expansion(data._replace(y=data.y[fit.nodes]), psi, dispersion[fit.nodes])
        precision[:, j], linear[:, j] = path_information(work, fit.coefficients)
    usual = _mean_dynamics(found.fits, hyper)
    latent = draw_latent(precision, linear, found.state, usual, data.starts, rng)
    even, concentrations = np.full(hyper.n_states, 1 / hyper.n_states), Concentrations()
    weight, transition = updated_transitions(found.state, data.starts, even, concentrations, hyper, rng)
    return State(
        cluster=partition_of(found.fits, n_node),
        coefficient=coefficient,
        latent=latent,
        dispersion=dispersion if data.law in ("negative_binomial", "gaussian") else np.ones(n_node),
        state=found.state,
        dynamics=draw_dynamics(latent, found.state, data.starts, hyper, rng, hyper.n_states),
        weight=weight,
        transition=transition,
        concentrations=concentrations,
        active=np.ones((len(found.fits), hyper.n_factors), dtype=bool),
    )


def _mean_dynamics(fits: Sequence[ClusterFit], hyper: Hyper) -> Dynamics:
    """Expected dynamics of the states in use, each cluster a group."""
    density = [conjugate(fit.statistics, hyper._replace(coupled=False)) for fit in fits]
    mean = np.concatenate([d.mean for d in density], axis=1)
    noise = np.concatenate([d.scale / d.degrees[:, None, None, None] for d in density], axis=1)
    return Dynamics(mean[..., :-1].copy(), mean[..., -1].copy(), noise)
