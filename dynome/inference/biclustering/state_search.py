"""A first path of states: windows that look alike, then clusters' paths, dynamics and states in turn, by score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dynome.dynamics.hmm.clustering import clusters, smoothed
from dynome.inference.biclustering.beam import best_states
from dynome.inference.biclustering.cluster_fits import ClusterFit, path_information, predicted, refitted
from dynome.inference.biclustering.dynamics import PathStatistics, log_transitions_prior
from dynome.inference.biclustering.expansions import expansion
from dynome.inference.biclustering.hdp import log_states_integrated, transition_counts
from dynome.inference.biclustering.model import Array, Concentrations, Data, Hyper, Labels
from dynome.inference.biclustering.smoother import expected_statistics, expected_terms

_ROUNDS = 4  # of a fit, for each path of states
_WIDTHS = (5, 26)  # of windows, in bins
_BEAM = (8, 48)
_STEPS = 6e5  # of the filter, in a search


class Found(NamedTuple):
    """A path of states and the clusters fitted to it; the score counts both."""

    state: Labels
    fits: list[ClusterFit]
    score: float


def searched(
    fits: Sequence[ClusterFit],
    state: Labels,
    data: Data,
    dispersion: Array,
    hyper: Hyper,
    *,
    rounds: int = 6,
) -> Found:
    """Alternate between states, paths and dynamics from a first path of states.

    Parameters
    ----------
    fits : sequence of ClusterFit
    state : (n_bin,)
        Without gaps. A state that empties is dropped, but a single one is not returned for several: independent laws of
        paths and dynamics score states too low, and the sampler joins them sooner than it divides one.
    data : Data
    dispersion : (n_node,)
    hyper : Hyper
        Not coupled.
    rounds : int
        At most.
    """
    best = found = refit(fits, state, data, dispersion, hyper)
    for _ in range(rounds):
        state = _without_gaps(segmentation(found, data, dispersion, hyper))
        if state.max() == 0 or np.array_equal(state, found.state):
            break
        found = refit(found.fits, state, data, dispersion, hyper)
        best = max(best, found, key=lambda one: one.score)
    return best


def best_of_restarts(
    fits: Sequence[ClusterFit],
    n_states: Sequence[int],
    data: Data,
    dispersion: Array,
    hyper: Hyper,
    rng: np.random.Generator,
) -> Found:
    """Search from one state, and from windows of random widths with each of `n_states`; join states of the best.

    Returns
    -------
    Found
        Of several states where several were asked for.
    """
    longest = int(np.diff(data.starts).max())
    found = []
    for k in n_states:
        width = min(int(rng.integers(*_WIDTHS)), longest)
        state = _without_gaps(similar_windows(fits, data.starts, width, k, rng))
        found.append(searched(fits, state, data, dispersion, hyper))
    best = max(found, key=lambda one: one.score)
    while (joined := joined_states(best.fits, best.state, data.starts, hyper)).max() < best.state.max():
        fewer = searched(best.fits, joined, data, dispersion, hyper)
        if fewer.score <= best.score or joined.max() == 0:
            break
        best = fewer
    return searched(best.fits, best.state, data, dispersion, hyper)


def segmentation(found: Found, data: Data, dispersion: Array, hyper: Hyper) -> Labels:
    """The best path of states at the present dynamics, (n_bin,)."""
    information = []
    for fit in found.fits:
        psi, _ = predicted(fit.path, fit.coefficients)
        work = expansion(data._replace(y=data.y[fit.nodes]), psi, dispersion[fit.nodes])
        information.append(path_information(work, fit.coefficients))
    terms = [expected_terms(fit.statistics, hyper) for fit in found.fits]
    n_states, usual = found.fits[0].statistics.entered.size, Concentrations()
    counts = transition_counts(found.state, data.starts, n_states)
    moves = counts + usual.row / hyper.n_states + usual.stickiness * np.eye(n_states)
    work_size = found.state.size * n_states * len(found.fits)
    return best_states(
        np.ascontiguousarray(np.stack([p for p, _ in information], 1)),
        np.ascontiguousarray(np.stack([h for _, h in information], 1)),
        terms,
        moves / moves.sum(axis=1, keepdims=True),
        data.starts,
        width=int(np.clip(_STEPS / work_size, *_BEAM)),
    ).state


def joined_states(fits: Sequence[ClusterFit], state: Labels, starts: Labels, hyper: Hyper) -> Labels:
    """Join the two states that gain most, or lose least, at the present paths."""
    n_states = int(state.max()) + 1
    each = [expected_statistics(fit.path, state, starts, n_states) for fit in fits]
    alone = np.sum([log_transitions_prior(s, hyper) for s in each], axis=0)
    best, most = state, -np.inf
    for a in range(n_states):
        for b in range(a + 1, n_states):
            both = [PathStatistics(s.entered[[a]] + s.entered[[b]], s.gram[[a]] + s.gram[[b]]) for s in each]
            together = float(np.sum([log_transitions_prior(s, hyper) for s in both]))
            label = np.where(state == b, a, state)
            label = label - (label > b)
            gain = together - alone[a] - alone[b] + _log_path(label, starts, hyper)
            if gain > most:
                best, most = label, gain
    return best


def similar_windows(
    fits: Sequence[ClusterFit], starts: Labels, width: int, n_states: int, rng: np.random.Generator
) -> Labels:
    """States from how large the paths are, and how fast they change, in a window around each bin: k-means, (n_bin,)."""
    mean = np.concatenate([fit.path.mean for fit in fits], axis=1)
    step = np.diff(mean, axis=0, prepend=mean[:1])
    step[starts[:-1]] = 0.0
    power = smoothed(np.concatenate([mean, step], axis=1) ** 2, starts, width)
    feature = np.log(power + 1e-3 * power.mean(axis=0) + 1e-12)
    return clusters(feature, n_states, rng)


def refit(fits: Sequence[ClusterFit], state: Labels, data: Data, dispersion: Array, hyper: Hyper) -> Found:
    """Fit clusters to a path of states (without gaps)."""
    n_states = int(state.max()) + 1
    new = [refitted(fit, data, dispersion, state, hyper, n_states=n_states, rounds=_ROUNDS) for fit in fits]
    return Found(state, new, sum(fit.score for fit in new) + _log_path(state, data.starts, hyper))


def _without_gaps(state: Labels) -> Labels:
    return np.unique(state, return_inverse=True)[1].astype(np.int64)


def _log_path(state: Labels, starts: Labels, hyper: Hyper) -> float:
    """Log probability of the states, as one of the ways to label them."""
    used = int(state.max()) + 1
    total = max(hyper.n_states, used)
    labellings = np.log(np.arange(total - used + 1, total + 1)).sum()
    return log_states_integrated(state, starts, np.full(total, 1 / total), Concentrations()) + float(labellings)
