r"""Moves of stretches of states given dynamics and auxiliary variables, with the latents integrated out.

Latents hold on to the states under which they were drawn, so that states given latents hardly move. Here a segment
between cuts (`cuts`) is tried under other states by the evidence of the observations themselves: the past is carried
through the segment under each state, and meets the future at its end. One pass from the left relabels every segment.

Gerlach, Carter and Kohn (2000), doi:10.1080/01621459.2000.10474273, for segments instead of bins.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from dynome.inference.biclustering.copies import copy
from dynome.inference.biclustering.cuts import (
    chain_of,
    drawn_cuts,
    log_weight,
    pick,
    share_drawn,
    shift,
    shuffle,
    state_of,
)
from dynome.inference.biclustering.hdp import updated_transitions
from dynome.inference.biclustering.messages import Seen, carry_back, carry_forth, links_of, meet, open_sequence
from dynome.inference.biclustering.model import Array, Hyper, Labels, State

_SHORTEST = 3.0  # bins a segment, on average where most are cut


def updated_stretches(
    current: State,
    precision: Array,
    linear: Array,
    starts: Labels,
    hyper: Hyper,
    rng: np.random.Generator,
    *,
    n_offered: int = 10,
) -> State:
    """Relabel every segment by its evidence.

    The latents of the result do not fit its states: they must be drawn (`paths.draw_latent`, with the same `precision`
    and `linear`) before anything reads them.

    Parameters
    ----------
    current : State
        Its latents are not read.
    precision : (n_bin, n_cluster, q, q)
    linear : (n_bin, n_cluster, q)
        As `paths.statistics` returns them. For Poisson counts the working observations belong to another law, and the
        move is not exact.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.
    hyper : Hyper
    rng : numpy Generator
    n_offered : int
        Labels that are tried for a segment, besides those of its neighbours; all if there are no more.

    Returns
    -------
    State
        With other states; weights and transition matrix are drawn given them.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the noise of a state is not positive definite in double precision.
    """
    cuts = drawn_cuts(current.state, starts, share_drawn(current.state.size, _SHORTEST, rng), rng)
    chain, links, seen = chain_of(current, starts), links_of(current.dynamics), Seen(precision, linear)
    relabel_by_evidence(cuts, chain, links, seen, n_offered, rng)
    state = state_of(cuts)
    weight, transition = updated_transitions(state, starts, current.weight, current.concentrations, hyper, rng)
    return current._replace(state=state, weight=weight, transition=transition)


@njit(cache=True, nogil=True)
def relabel_by_evidence(cuts, chain, links, seen, n_offered, rng):  # type: ignore[no-untyped-def]
    """Gibbs over the segments from left to right; labels and chain are updated."""
    n_states = links.constant.size
    shape = links.push.shape[1:]
    future_matrix, future_vector = _futures(cuts, links, seen)
    past_matrix, past_vector = np.zeros((n_states, *shape, shape[1])), np.zeros((n_states, *shape))
    here_matrix, here_vector = np.zeros((*shape, shape[1])), np.zeros(shape)
    work = np.empty((3, shape[1], shape[1]))
    for m in range(cuts.label.size):
        shift(chain, cuts, m, -1)
        log_weights = _offer(cuts, m, n_states, n_offered, rng)
        for k in range(n_states):
            if log_weights[k] > -np.inf:
                copy(here_matrix, past_matrix[k])
                copy(here_vector, past_vector[k])
                fit = _through(cuts, m, k, links, seen, past_matrix[k], past_vector[k], work)
                fit += meet(past_matrix[k], past_vector[k], future_matrix[m], future_vector[m], work)
                log_weights[k] += fit + log_weight(chain, cuts, m, k)
        new = pick(log_weights, rng.random())
        cuts.label[m] = new
        shift(chain, cuts, m, 1)
        copy(past_matrix[new], here_matrix)
        copy(past_vector[new], here_vector)


@njit(cache=True, nogil=True)
def _through(cuts, m, label, links, seen, matrix, vector, work):  # type: ignore[no-untyped-def]
    """Carry the past through a segment, in place."""
    first, total = cuts.edge[m], 0.0
    if cuts.before[m] < 0:
        open_sequence(seen, first, matrix, vector)
        first += 1
    for t in range(first, cuts.edge[m + 1]):
        total += carry_forth(links, seen, t, label, matrix, vector, work)
    return total


@njit(cache=True, nogil=True)
def _futures(cuts, links, seen):  # type: ignore[no-untyped-def]
    """The future at the last bin of every segment."""
    n_segments = cuts.label.size
    shape = links.push.shape[1:]
    matrix, vector = np.zeros((n_segments, *shape, shape[1])), np.zeros((n_segments, *shape))
    work = np.empty((3, shape[1], shape[1]))
    for m in range(n_segments - 1, 0, -1):
        if cuts.before[m] >= 0:
            copy(matrix[m], matrix[m - 1])
            copy(vector[m], vector[m - 1])
            for t in range(cuts.edge[m + 1] - 1, cuts.edge[m] - 1, -1):
                carry_back(links, seen, t, cuts.label[m], matrix[m - 1], vector[m - 1], work)
    return matrix, vector


@njit(cache=True, nogil=True)
def _offer(cuts, m, n_states, n_offered, rng):  # type: ignore[no-untyped-def]
    """Log weight of the labels that are tried, -inf of the others.

    The neighbours' labels are always among them, and of the others a random subset that holds the present one if it is
    none of the neighbours'. That it must hold it then makes such a subset more probable, by what the weight takes back.
    """
    out = np.zeros(n_states)
    if n_offered >= n_states:
        return out
    out[:] = -np.inf
    near = np.zeros(n_states, dtype=np.bool_)
    for neighbour in (cuts.before[m], cuts.after[m]):
        if neighbour >= 0:
            near[cuts.label[neighbour]] = True
            out[cuts.label[neighbour]] = 0.0
    others = np.flatnonzero(~near)
    shuffle(others, rng)
    size = min(n_offered, others.size)
    log_odds = math.log(others.size / size) if size > 0 else 0.0
    left = size
    if not near[cuts.label[m]]:
        out[cuts.label[m]] = log_odds
        left -= 1
    for k in others:
        if left > 0 and out[k] == -np.inf:
            out[k] = log_odds
            left -= 1
    return out
