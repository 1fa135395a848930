"""A search that moves nodes between communities, compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.communities.assortative.description import expected_share, log_choose, wiring_saving
from dynome.connectome.communities.assortative.node_effects import (
    LEAST_SHARE,
    Effects,
    precision,
    update_node,
    update_shared,
)
from dynome.connectome.communities.blockmodel.random_bits import State, below, uniform

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_SETTLING = 3  # sweeps before the distribution of effects is fitted


@njit(cache=True)
def search(
    start: Ints,
    neighbour: Ints,
    value: Floats,
    community: Ints,
    effects: Effects,
    n_slot: int,
    n_sweeps: int,
    use_wiring: bool,
    use_weights: bool,
    greedy: bool,
    state: State,
) -> None:
    """Sweeps of moves of single nodes, by chance in proportion to the posterior, or always to the best place.

    Parameters
    ----------
    start, neighbour, value
        As in `Edges`.
    community : (n_node,)
        Where to start, codes below `n_slot`; changed in place.
    effects : Effects
        Effects on weights; changed in place.
    n_slot : int
        Most communities.
    n_sweeps : int
        Each visits as many nodes as there are.
    use_wiring, use_weights : bool
        What communities have to explain.
    greedy : bool
        Best place rather than chance; effects are then averaged rather than drawn.
    state : (1,)
        Of the random numbers.

    Notes
    -----
    A node's own effects are integrated out for every place it could go to, given the effects of its neighbours; then
    they are drawn for the place taken (blocked Gibbs sampling). A visit costs its edges plus the communities.
    """
    n_node, n_edge = community.size, neighbour.size / 2
    least = LEAST_SHARE * np.var(value)
    size = np.zeros(n_slot, dtype=np.int64)
    ends, tally, score = np.zeros(n_slot), np.zeros((n_slot, 5)), np.zeros(n_slot)
    n_inside = node_square = 0.0
    for i in range(n_node):
        degree = start[i + 1] - start[i]
        size[community[i]] += 1
        ends[community[i]] += degree
        node_square += degree * degree
        for e in range(start[i], start[i + 1]):
            if community[neighbour[e]] == community[i]:
                n_inside += 0.5
    group_square = (ends * ends).sum()
    for sweep in range(n_sweeps):
        for _ in range(n_node):
            i = below(state, n_node)
            degree = start[i + 1] - start[i]
            _count(i, start, neighbour, value, community, effects, use_weights, tally)
            here = community[i]
            size[here] -= 1
            n_inside -= tally[here, 0]
            group_square += degree * degree - 2 * ends[here] * degree
            ends[here] -= degree
            _partition_scores(size, n_node, score)
            if use_wiring:
                for r in range(n_slot):
                    expected = expected_share(group_square + degree * (2 * ends[r] + degree), node_square, n_edge)
                    score[r] += wiring_saving(n_inside + tally[r, 0], expected, n_edge)
            if use_weights:
                _add_weights_scores(tally, degree, effects, score)
            there = int(np.argmax(score)) if greedy else _draw(score, state)
            community[i] = there
            size[there] += 1
            n_inside += tally[there, 0]
            group_square += degree * (2 * ends[there] + degree)
            ends[there] += degree
            if use_weights:
                update_node(i, start, neighbour, value, community, effects, not greedy, state)
        if use_weights:
            update_shared(start, neighbour, value, community, effects, least, sweep >= _SETTLING)


@njit(cache=True)
def _count(
    i: int,
    start: Ints,
    neighbour: Ints,
    value: Floats,
    community: Ints,
    effects: Effects,
    use_weights: bool,
    tally: Floats,
) -> None:
    """Of each community: neighbours, and sums and squares of what is left of values if inside, and if between."""
    tally[:] = 0.0
    for e in range(start[i], start[i + 1]):
        j = neighbour[e]
        r = community[j]
        tally[r, 0] += 1
        if use_weights:
            inside = value[e] - effects.mean[0] - effects.inner[j]
            between = value[e] - effects.mean[1] - effects.outer[j]
            tally[r, 1] += inside
            tally[r, 2] += inside * inside
            tally[r, 3] += between
            tally[r, 4] += between * between


@njit(cache=True)
def _partition_scores(size: Ints, n_node: int, score: Floats) -> None:
    """What the partition says to each place; of several empty ones, only the first can be taken."""
    n_group = 0
    for r in range(size.size):
        n_group += size[r] > 0
    seen_empty = False
    for r in range(size.size):
        if size[r] == 0 and seen_empty:
            score[r] = -np.inf
        else:
            score[r] = math.log(size[r] + 1.0) - log_choose(n_node - 1, n_group - 1 + (size[r] == 0))
        seen_empty = seen_empty or size[r] == 0


@njit(cache=True)
def _add_weights_scores(tally: Floats, degree: int, effects: Effects, score: Floats) -> None:
    """Logarithm of the probability of a node's values at each place, its own effects integrated out."""
    inner, outer, both = precision(effects.prior)
    noise = effects.noise[0]
    all_between = tally[:, 3].sum()
    all_square = tally[:, 4].sum()
    for r in range(score.size):
        p_inner = inner + tally[r, 0] / noise
        p_outer = outer + (degree - tally[r, 0]) / noise
        determinant = p_inner * p_outer - both * both
        pull_in, pull_out = tally[r, 1] / noise, (all_between - tally[r, 3]) / noise
        fit = pull_in * pull_in * p_outer + pull_out * pull_out * p_inner - 2 * pull_in * pull_out * both
        square = (tally[r, 2] + all_square - tally[r, 4]) / noise
        score[r] += 0.5 * (fit / determinant - square - math.log(determinant))


@njit(cache=True)
def _draw(score: Floats, state: State) -> int:
    """A place with probability in proportion to the exponential of its score."""
    chance = np.exp(score - score.max())
    height = uniform(state) * chance.sum()
    for r in range(chance.size):
        height -= chance[r]
        if height < 0:
            return r
    return int(np.argmax(chance))
