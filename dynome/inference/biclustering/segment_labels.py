"""Labels of segments given the latents, drawn one after the other with the dynamics integrated out."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from dynome.inference.biclustering import copies
from dynome.inference.biclustering.cuts import log_weight, pick, shift
from dynome.inference.biclustering.model import Array, Labels
from dynome.inference.biclustering.moments import log_evidence


class Sums(NamedTuple):
    """Moments of the segments of each state.

    Attributes
    ----------
    n : (n_state,)
        Transitions.
    gram : (n_state, n_group, 2 * width + 1, 2 * width + 1)
    """

    n: Labels
    gram: Array


@njit(cache=True)
def sums_of(label, moments, n_states):  # type: ignore[no-untyped-def]
    """Moments of all states."""
    sums = Sums(np.zeros(n_states, dtype=np.int64), np.zeros((n_states, *moments.gram.shape[1:])))
    for m in range(label.size):
        add(sums, moments, m, label[m])
    return sums


@njit(cache=True)
def add(sums, moments, m, label):  # type: ignore[no-untyped-def]
    """Add a segment to a state."""
    sums.n[label] += moments.n[m]
    copies.add(moments.gram[m], 1.0, sums.gram[label])


@njit(cache=True)
def alone(sums, prior, label, work):  # type: ignore[no-untyped-def]
    """Log evidence of the segments of a state."""
    return log_evidence(prior, sums.n[label], sums.gram[label], sums.gram[label], 0.0, work)


@njit(cache=True)
def joined(sums, moments, prior, m, label, work):  # type: ignore[no-untyped-def]
    """Log evidence of the segments of a state with one more."""
    count = sums.n[label] + moments.n[m]
    return log_evidence(prior, count, moments.gram[m], sums.gram[label], 1.0, work)


@njit(cache=True)
def relabel(cuts, chain, moments, sums, prior, segments, allowed, wanted, rng):  # type: ignore[no-untyped-def]
    """Gibbs over `segments` in the order given, among the labels `allowed`; labels, chain and sums are updated.

    With `wanted` (a label for every segment of the recording, or empty) nothing is drawn: those labels are set.

    Returns
    -------
    float
        Log probability of the labels set.
    """
    work = np.empty(sums.gram.shape[2:])
    fit = np.zeros(sums.n.size)
    for k in allowed:
        fit[k] = alone(sums, prior, k, work)
    log_weights = np.empty(allowed.size)
    total = 0.0
    for m in segments:
        old = cuts.label[m]
        shift(chain, cuts, m, -1)
        sums.n[old] -= moments.n[m]
        copies.add(moments.gram[m], -1.0, sums.gram[old])
        if sums.n[old] == 0:
            sums.gram[old] = 0.0  # what rounding has left
        fit[old] = alone(sums, prior, old, work)
        position = 0
        fresh = log_evidence(prior, moments.n[m], moments.gram[m], moments.gram[m], 0.0, work)
        for i in range(allowed.size):
            k = allowed[i]
            together = joined(sums, moments, prior, m, k, work) if sums.n[k] > 0 else fresh
            log_weights[i] = together - fit[k] + log_weight(chain, cuts, m, k)
            if wanted.size > 0 and wanted[m] == k:
                position = i
        if wanted.size == 0:
            position = pick(log_weights, rng.random())
        highest = log_weights.max()
        total += log_weights[position] - highest - math.log(np.exp(log_weights - highest).sum())
        new = allowed[position]
        cuts.label[m] = new
        shift(chain, cuts, m, 1)
        add(sums, moments, m, new)
        fit[new] = alone(sums, prior, new, work)
    return total
