r"""Cuts of the recording into segments of one state each, whose labels are then moved as wholes.

A state path is cut wherever it changes and, with probability `share`, anywhere else. Given the cuts every segment may
take any label, so that stretches appear, vanish, shift and change their state, and a label's probability is that of the
path times `share` for every cut at which the path does not change: the cuts are an auxiliary variable, and nothing is
approximated. The transition matrix is integrated out given the weights of the states.

The path's part of it is here, compiled; what the latents or the observations say about a label is added by
`segments` and `stretches`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from dynome.inference.biclustering.hdp import prior_counts, transition_counts
from dynome.inference.biclustering.model import Array, Labels, State


class Cuts(NamedTuple):
    """Segments of a recording, in order.

    Attributes
    ----------
    edge : (n_segment + 1,)
        First bin of each segment, and the number of bins.
    label : (n_segment,)
    before, after : (n_segment,)
        Position of the segment before and after it in its sequence, -1 where there is none.
    log_share : float
        Log probability of a cut at which the state does not change.
    """

    edge: Labels
    label: Labels
    before: Labels
    after: Labels
    log_share: float


class Chain(NamedTuple):
    """Transitions within sequences, and what the prior adds to them.

    Attributes
    ----------
    moves : (n_state, n_state)
    total : (n_state,)
    prior : (n_state, n_state)
    prior_total : (n_state,)
    """

    moves: Array
    total: Array
    prior: Array
    prior_total: Array


def drawn_cuts(state: Labels, starts: Labels, share: float, rng: np.random.Generator) -> Cuts:
    """Cut a path where it changes, where a sequence begins, and elsewhere with probability `share`.

    Parameters
    ----------
    state : (n_bin,)
    starts : (n_sequence + 1,)
    share : float
        Above 0, at most 1.
    rng : numpy Generator

    Examples
    --------
    >>> cuts = drawn_cuts(np.array([0, 0, 1, 1, 1]), np.array([0, 4, 5]), 1e-9, np.random.default_rng(0))
    >>> cuts.edge.tolist(), cuts.label.tolist(), cuts.before.tolist()
    ([0, 2, 4, 5], [0, 1, 1], [-1, 0, -1])
    """
    cut = rng.random(state.size) < share
    cut[1:] |= state[1:] != state[:-1]
    cut[starts[:-1]] = True
    first = np.flatnonzero(cut)
    opens = np.isin(first, starts[:-1])
    position = np.arange(first.size)
    before = np.where(opens, -1, position - 1)
    after = np.where(np.append(opens[1:], True), -1, position + 1)
    return Cuts(np.append(first, state.size), state[first], before, after, math.log(share))


def share_drawn(n_bins: int, shortest: float, rng: np.random.Generator) -> float:
    """A share of cuts, log-uniform: segments of `shortest` bins on average to about a quarter of the recording."""
    return float(np.exp(rng.uniform(np.log(min(1.0 / shortest, 4.0 / n_bins)), -np.log(shortest))))


def state_of(cuts: Cuts) -> Labels:
    """State of every bin, (n_bin,)."""
    return np.repeat(cuts.label, np.diff(cuts.edge))


def chain_of(current: State, starts: Labels) -> Chain:
    """Transitions of the present path."""
    count = transition_counts(current.state, starts, current.weight.size).astype(float)
    prior = prior_counts(current.weight, current.concentrations)
    return Chain(count, count.sum(1), prior, prior.sum(1))


@njit(cache=True)
def shift(chain, cuts, m, sign):  # type: ignore[no-untyped-def]
    """Add (sign 1) or take away (sign -1) the transitions of a segment: within it, into it and out of it."""
    label = cuts.label[m]
    stays = cuts.edge[m + 1] - cuts.edge[m] - 1
    chain.moves[label, label] += sign * stays
    chain.total[label] += sign * stays
    if cuts.before[m] >= 0:
        chain.moves[cuts.label[cuts.before[m]], label] += sign
        chain.total[cuts.label[cuts.before[m]]] += sign
    if cuts.after[m] >= 0:
        chain.moves[label, cuts.label[cuts.after[m]]] += sign
        chain.total[label] += sign


@njit(cache=True)
def link(chain, cuts):  # type: ignore[no-untyped-def]
    """Count the transitions anew."""
    chain.moves[:] = 0.0
    chain.total[:] = 0.0
    for m in range(cuts.label.size):
        label = cuts.label[m]
        stays = cuts.edge[m + 1] - cuts.edge[m] - 1
        chain.moves[label, label] += stays
        chain.total[label] += stays
        if cuts.before[m] >= 0:
            chain.moves[cuts.label[cuts.before[m]], label] += 1
            chain.total[cuts.label[cuts.before[m]]] += 1


@njit(cache=True)
def log_weight(chain, cuts, m, label):  # type: ignore[no-untyped-def]
    """Log probability of a label of a segment whose transitions are taken away, up to a constant."""
    value, came = 0.0, 0.0
    before = cuts.label[cuts.before[m]] if cuts.before[m] >= 0 else -1
    after = cuts.label[cuts.after[m]] if cuts.after[m] >= 0 else -1
    if before >= 0:
        value += math.log(chain.prior[before, label] + chain.moves[before, label])
        value -= math.log(chain.prior_total[before] + chain.total[before])
        if before == label:
            value += cuts.log_share
            came = 1.0
    stays = cuts.edge[m + 1] - cuts.edge[m] - 1
    cell = chain.prior[label, label] + chain.moves[label, label] + came
    row = chain.prior_total[label] + chain.total[label] + came
    if stays > 0:
        value += math.lgamma(cell + stays) - math.lgamma(cell) - math.lgamma(row + stays) + math.lgamma(row)
    if after >= 0:
        if after == label:
            value += math.log(cell + stays) + cuts.log_share
        else:
            value += math.log(chain.prior[label, after] + chain.moves[label, after])
        value -= math.log(row + stays)
    return value


@njit(cache=True)
def log_path(chain, cuts):  # type: ignore[no-untyped-def]
    """Log probability of the path of a chain that is complete, and of its cuts, up to a constant."""
    value = 0.0
    for a in range(chain.total.size):
        if chain.total[a] > 0:
            value += math.lgamma(chain.prior_total[a]) - math.lgamma(chain.prior_total[a] + chain.total[a])
            for b in range(chain.total.size):
                if chain.moves[a, b] > 0:
                    value += math.lgamma(chain.prior[a, b] + chain.moves[a, b]) - math.lgamma(chain.prior[a, b])
    for m in range(cuts.label.size):
        if cuts.before[m] >= 0 and cuts.label[cuts.before[m]] == cuts.label[m]:
            value += cuts.log_share
    return value


@njit(cache=True)
def shuffle(values, rng):  # type: ignore[no-untyped-def]
    """Put values into random order, in place; numba compiles this much faster than a generator's own shuffle."""
    for i in range(values.size - 1, 0, -1):
        j = below(i + 1, rng)
        values[i], values[j] = values[j], values[i]


@njit(cache=True)
def below(n, rng):  # type: ignore[no-untyped-def]
    """One of 0 ... n - 1."""
    return int(rng.random() * n)


@njit(cache=True)
def pick(log_weights, uniform):  # type: ignore[no-untyped-def]
    """Position drawn in proportion to the weights."""
    highest = log_weights.max()
    total = 0.0
    for k in range(log_weights.size):
        total += math.exp(log_weights[k] - highest)
    reached = -uniform * total
    for k in range(log_weights.size):
        reached += math.exp(log_weights[k] - highest)
        if reached > 0.0:
            return k
    return log_weights.argmax()
