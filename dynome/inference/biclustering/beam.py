r"""The best path of states with the latents integrated out, given their dynamics: a beam search.

A path of states is told run by run. Each hypothesis carries the filtered law of the latents (in information form) under
its own past, so that states that differ in how much noise they have are told apart, which they are not once latents are
given. Of hypotheses that are in the same state since the same bin the best is kept, and of all the best few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dynome.inference.biclustering.copies import copy
from dynome.inference.biclustering.model import Array, Labels
from dynome.inference.biclustering.smoother import ExpectedTerms, applied, filtered, inverted

_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc", "nsz"}}
_HOPELESS = 1e300


class Segmentation(NamedTuple):
    """A path of states (n_bin,), and its log probability up to a constant."""

    state: Labels
    score: float


def best_states(
    precision: Array,
    linear: Array,
    terms: list[ExpectedTerms],
    transition: Array,
    starts: Labels,
    *,
    width: int = 48,
) -> Segmentation:
    """The best path of states that a beam search finds.

    Parameters
    ----------
    precision : (n_bin, n_cluster, q, q)
        Of the latents given what is observed.
    linear : (n_bin, n_cluster, q)
    terms : list
        Of each cluster.
    transition : (n_state, n_state)
    starts : (n_sequence + 1,)
    width : int
        Hypotheses that are kept.
    """
    stacked = [np.ascontiguousarray(np.stack([t[k] for t in terms], 1)) for k in range(5)]
    constant = np.sum([t.constant for t in terms], axis=0)
    log_transition = np.log(np.maximum(transition, 1e-250))
    state = np.zeros(starts[-1], dtype=np.int64)
    score = _searched(precision, linear, *stacked, constant, log_transition, starts, width, state)
    return Segmentation(state, float(score))


@njit(**_OPTIONS)
def _searched(precision, linear, inside, link, before, push, pull, constant, log_transition, starts, width, state):  # type: ignore[no-untyped-def]
    n_cluster, q = linear.shape[1:]
    n_state = constant.size
    room = width + n_state
    law, new_law = np.empty((room, n_cluster, q, q)), np.empty((room, n_cluster, q, q))
    half, new_half = np.empty((room, n_cluster, q)), np.empty((room, n_cluster, q))
    score, new_score = np.empty(room), np.empty(room)
    value, new_value = np.empty(room), np.empty(room)
    run, new_run = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    try_law, try_half = np.empty((n_cluster, q, q)), np.empty((n_cluster, q))
    room_a, room_b, room_c = np.empty((q, q)), np.empty((q, q)), np.empty((q, q))
    total = 0.0
    for s in range(starts.size - 1):
        first, last = starts[s], starts[s + 1]
        run_state = np.empty((last - first + 1) * n_state, dtype=np.int64)
        run_first, run_parent = np.empty_like(run_state), np.empty_like(run_state)
        n_run, n_kept = n_state, n_state
        _began(law[:n_state], half[:n_state], precision[first], linear[first])
        for k in range(n_state):
            run_state[k], run_first[k], run_parent[k] = k, first, -1
            run[k] = k
            score[k] = -np.log(n_state)
            value[k] = 0.0
        for t in range(first + 1, last):
            for k in range(n_state):
                new_value[n_kept + k] = -np.inf
            for b in range(n_kept):
                here = run_state[run[b]]
                for k in range(n_state):
                    found, ahead = _stepped(
                        law[b], half[b], precision[t], linear[t], inside[k], link[k], before[k], push[k], pull[k],
                        try_law, try_half, room_a, room_b, room_c,
                    )  # fmt: skip
                    found += score[b] + constant[k] + log_transition[here, k]
                    if np.isnan(found + ahead):  # a law that broke down: ordered last, where every slot is still set
                        found, ahead = -_HOPELESS, 0.0
                    slot = b if k == here else n_kept + k
                    if k == here or found + ahead > new_value[slot]:
                        copy(try_law, new_law[slot])
                        copy(try_half, new_half[slot])
                        new_score[slot], new_value[slot] = found, found + ahead
                        new_run[slot] = run[b]
            n_new = 0
            for k in range(n_state):
                if new_value[n_kept + k] > -np.inf:
                    n_new += 1
                    run_state[n_run], run_first[n_run], run_parent[n_run] = k, t, new_run[n_kept + k]
                    new_run[n_kept + k] = n_run
                    n_run += 1
            order = np.argsort(-new_value[: n_kept + n_state])
            n_kept = min(width, n_kept + n_new)
            for b in range(n_kept):
                copy(new_law[order[b]], law[b])
                copy(new_half[order[b]], half[b])
                score[b], value[b], run[b] = new_score[order[b]], new_value[order[b]], new_run[order[b]]
        best = np.argmax(value[:n_kept])
        total += value[best]
        _told(run[best], run_state, run_first, run_parent, last, state)
    return total


@njit(**_OPTIONS)
def _stepped(law, half, precision, linear, inside, link, before, push, pull, new_law, new_half, inverse, gain, root):  # type: ignore[no-untyped-def]
    """Filter one bin on; log evidence of the past, and of what the new law holds."""
    n_cluster, q = half.shape
    past, ahead = 0.0, 0.0
    mean, left = np.empty(q), np.empty(q)
    for j in range(n_cluster):
        for a in range(q):
            left[a] = half[j, a] - pull[j, a]
            for b in range(q):
                gain[a, b] = law[j, a, b] + before[j, a, b]
        past -= 0.5 * inverted(gain, inverse, root)
        applied(inverse, left, mean)
        for a in range(q):
            past += 0.5 * mean[a] * left[a]
        filtered(inverse, mean, inside[j], link[j], push[j], precision[j], linear[j], new_law[j], new_half[j], gain)
        ahead -= 0.5 * inverted(new_law[j], inverse, root)
        applied(inverse, new_half[j], mean)
        for a in range(q):
            ahead += 0.5 * mean[a] * new_half[j, a]
    return past, ahead


@njit(**_OPTIONS)
def _began(law, half, precision, linear):  # type: ignore[no-untyped-def]
    """All hypotheses at the first bin of a sequence: a standard normal, and what is observed."""
    for k in range(law.shape[0]):
        copy(precision, law[k])
        copy(linear, half[k])
        for j in range(law.shape[1]):
            for a in range(law.shape[2]):
                law[k, j, a, a] += 1.0


@njit(**_OPTIONS)
def _told(run, run_state, run_first, run_parent, end, state):  # type: ignore[no-untyped-def]
    """Write the path of a hypothesis, from its last run to its first."""
    at = run
    while at >= 0:
        state[run_first[at] : end] = run_state[at]
        end = run_first[at]
        at = run_parent[at]
