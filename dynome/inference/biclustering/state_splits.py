r"""Split of one state into two, and merge of two into one, given the latents; dynamics integrated out.

Two segments are chosen. If they share a state, an empty state is taken and the state's other segments are dealt out
between the two; else their states are merged. The deal starts from an allocation that does not look at the present
labels, is prepared by restricted Gibbs passes, and the probability of its last pass enters the acceptance.

Jain and Neal (2004), doi:10.1198/1061860043001, here for segments of a sequence and a truncated number of states.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from dynome.inference.biclustering.copies import copy
from dynome.inference.biclustering.cuts import below, link, log_path, pick, shuffle
from dynome.inference.biclustering.segment_labels import add, alone, joined, relabel


@njit(cache=True)
def split_or_merge_states(cuts, chain, moments, sums, prior, weight, n_launches, rng):  # type: ignore[no-untyped-def]
    """Try a split or a merge; labels, chain and sums are updated if it is accepted.

    Parameters
    ----------
    cuts, chain, moments, sums, prior
        As in `segment_labels`.
    weight : (n_state,)
        Weights of the states: an empty one is taken in proportion to them.
    n_launches : int
        Passes that prepare the deal.
    rng : numpy Generator

    Returns
    -------
    int
        1 for a split, -1 for a merge, 0 where nothing is changed.
    """
    n_segments = cuts.label.size
    if n_segments < 2:
        return 0
    i = below(n_segments, rng)
    j = (i + 1 + below(n_segments - 1, rng)) % n_segments
    kept = cuts.label.copy()
    a, b = kept[i], kept[j]
    if a == b:
        idle = _log_idle(kept, weight)
        b = pick(idle, rng.random())
        if idle[b] == -np.inf:
            return 0
        anchors = (a, b) if rng.random() < 0.5 else (b, a)
        before = _log_joint(cuts, chain, sums, prior, a, b)
        log_deal = _deal(cuts, chain, moments, sums, prior, i, j, anchors, kept[:0], n_launches, rng)
        log_ratio = _log_joint(cuts, chain, sums, prior, a, b) - before - log_deal - _log_chosen(idle, b)
        if math.log(rng.random()) < log_ratio:
            return 1
        _set(cuts, chain, moments, sums, kept, a, b)
        return 0
    before = _log_joint(cuts, chain, sums, prior, a, b)
    log_deal = _deal(cuts, chain, moments, sums, prior, i, j, (a, b), kept, n_launches, rng)
    stays, goes = (a, b) if rng.random() < 0.5 else (b, a)
    joint = kept.copy()
    for m in range(n_segments):
        if joint[m] == goes:
            joint[m] = stays
    _set(cuts, chain, moments, sums, joint, a, b)
    log_slot = _log_chosen(_log_idle(cuts.label, weight), goes)
    if math.log(rng.random()) < _log_joint(cuts, chain, sums, prior, a, b) - before + log_deal + log_slot:
        return -1
    _set(cuts, chain, moments, sums, kept, a, b)
    return 0


@njit(cache=True)
def _log_idle(label, weight):  # type: ignore[no-untyped-def]
    """Log weight of the states that no segment has, -inf of the others."""
    out = np.log(weight)
    for m in range(label.size):
        out[label[m]] = -np.inf
    return out


@njit(cache=True)
def _log_chosen(log_weights, k):  # type: ignore[no-untyped-def]
    highest = log_weights.max()
    return log_weights[k] - highest - math.log(np.exp(log_weights - highest).sum())


@njit(cache=True)
def _log_joint(cuts, chain, sums, prior, a, b):  # type: ignore[no-untyped-def]
    """Log density of path and latents, as far as two states matter."""
    work = np.empty(sums.gram.shape[2:])
    return log_path(chain, cuts) + alone(sums, prior, a, work) + alone(sums, prior, b, work)


@njit(cache=True)
def _set(cuts, chain, moments, sums, label, a, b):  # type: ignore[no-untyped-def]
    """Give all segments these labels, which differ from the present ones in states a and b only."""
    copy(label, cuts.label)
    link(chain, cuts)
    _clear(sums, a, b)
    for m in range(label.size):
        if label[m] == a or label[m] == b:
            add(sums, moments, m, label[m])


@njit(cache=True)
def _clear(sums, a, b):  # type: ignore[no-untyped-def]
    for k in (a, b):
        sums.n[k] = 0
        sums.gram[k] = 0.0


@njit(cache=True)
def _deal(cuts, chain, moments, sums, prior, i, j, anchors, wanted, n_launches, rng):  # type: ignore[no-untyped-def]
    """Deal out the segments of the anchors' states; log probability of the last pass (which sets `wanted`, if any)."""
    a, b = anchors
    free = np.flatnonzero((cuts.label == a) | (cuts.label == b))
    free = free[(free != i) & (free != j)]
    shuffle(free, rng)
    _clear(sums, a, b)
    cuts.label[i], cuts.label[j] = a, b
    add(sums, moments, i, a)
    add(sums, moments, j, b)
    work, log_weights = np.empty(sums.gram.shape[2:]), np.empty(2)
    for m in free:
        for side in range(2):
            k = anchors[side]
            log_weights[side] = joined(sums, moments, prior, m, k, work) - alone(sums, prior, k, work)
        cuts.label[m] = anchors[pick(log_weights, rng.random())]
        add(sums, moments, m, cuts.label[m])
    link(chain, cuts)
    allowed = np.array(anchors)
    for _ in range(n_launches):
        relabel(cuts, chain, moments, sums, prior, free, allowed, wanted[:0], rng)
    return relabel(cuts, chain, moments, sums, prior, free, allowed, wanted, rng)
