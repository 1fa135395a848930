"""The search for the partition of least description length.

One run merges single nodes into ever fewer groups and moves nodes between them (Peixoto, Physical Review E 2014,
doi:10.1103/PhysRevE.89.012804), gives the most promising partitions levels above, and then splits, merges and deals
out groups anew, as long as that pays (Peixoto, Physical Review E 2020, doi:10.1103/PhysRevE.102.012305).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.blocks import Graph, base_length, blocks_of
from dynome.connectome.communities.blockmodel.hierarchy import levels_above
from dynome.connectome.communities.blockmodel.laws import Law
from dynome.connectome.communities.blockmodel.merges import agglomerate, deal_out, merging_cost, settle, split_group
from dynome.connectome.communities.blockmodel.random_bits import State, state_from

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_EVERYWHERE = np.empty(0, dtype=np.int64)
_NO_HEAT = np.empty(0)
_CANDIDATES = 6
_SWEEPS = 4


class Nested(NamedTuple):
    """A partition and the levels above it.

    Attributes
    ----------
    group : (n_node,)
        Groups from 0.
    ancestor : (n_level, n_group)
        What each group belongs to at each level; the last has one group.
    length : float
        Description length in nats, up to what does not depend on the partition.
    history : list of float
        Lengths on the way.
    """

    group: Ints
    ancestor: Ints
    length: float
    history: list[float]


def search_once(law: Law, graph: Graph, start: Ints, rng: np.random.Generator, *, patience: int) -> Nested:
    """One run from a start of its own.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    start : (n_node,)
        Many groups, from 0, to begin with.
    rng : Generator
        Randomness of the run.
    patience : int
        Moves of groups without success after which the run ends.
    """
    state = state_from(rng)
    groups, n_groups, lengths = agglomerate(law, graph, start, int(start.max()) + 1, _SWEEPS, 0.0, state)
    best = int(np.argmin(lengths))
    near = [k for k in range(lengths.size) if n_groups[k] <= max(3 * n_groups[best], 4)]
    near = sorted(near, key=lambda k: lengths[k])[:_CANDIDATES]
    found = min((_with_levels(law, graph, groups[k], int(n_groups[k]), state) for k in near), key=lambda f: f.length)
    found = _settled(law, graph, found, state)
    found = found._replace(history=[float(lengths[0]), float(lengths.min()), found.length])
    return refine(law, graph, found, rng, state, patience=patience)


def refine(law: Law, graph: Graph, found: Nested, rng: np.random.Generator, state: State, *, patience: int) -> Nested:
    """Split, merge and deal out groups anew, as long as that pays.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    found : Nested
        Where to start.
    rng : Generator
        Which groups to try.
    state : (1,)
        Random state of the moves.
    patience : int
        Moves without success after which it ends.
    """
    failed = 0
    while failed < patience:
        tried = _attempt(law, graph, found, rng, state)
        if tried is None or tried.length > found.length - 1e-6:
            failed += 1
            continue
        failed = 0
        found = tried._replace(history=[*found.history, tried.length])
    last = _settled(law, graph, _with_levels(law, graph, found.group, found.ancestor.shape[1], state), state)
    if last.length < found.length - 1e-6:
        return refine(law, graph, last._replace(history=[*found.history, last.length]), rng, state, patience=patience)
    return found


def _attempt(law: Law, graph: Graph, found: Nested, rng: np.random.Generator, state: State) -> Nested | None:
    """One proposal, swept over all nodes where it is nearly good enough."""
    group, ancestor, n_group = found.group, found.ancestor, found.ancestor.shape[1]
    r = int(rng.integers(n_group))
    kind = rng.random()
    if kind < 0.4:
        if np.count_nonzero(group == r) < 2:
            return None
        new, above, length = split_group(law, graph, group, ancestor, r, state)
    elif n_group == 1:
        return None
    else:
        s = _partner(law, graph, found, r, rng)
        if kind < 0.7:
            if np.count_nonzero((group == r) | (group == s)) < 3:
                return None
            above = ancestor
            new, length = deal_out(law, graph, group, ancestor, r, s, state)
        else:
            new = np.where(group == s, r, group)
            new, above = new - (new > s), _without(ancestor, s)
            length = settle(law, graph, new, above, _EVERYWHERE, _EVERYWHERE, _NO_HEAT, state)
    if length > found.length + 0.02 * abs(found.length - found.history[1]) + 20:
        return None
    length = settle(law, graph, new, above, np.arange(new.size), _EVERYWHERE, _NO_HEAT, state)
    return Nested(new, above, length, [])


def _partner(law: Law, graph: Graph, found: Nested, r: int, rng: np.random.Generator) -> int:
    """Another group, the likelier the less it costs to merge with it."""
    n_group = found.ancestor.shape[1]
    others = np.delete(np.arange(n_group), r)
    if n_group > 20:
        others = rng.choice(others, 20, replace=False)
    blocks = blocks_of(law, graph, found.group, n_group)
    cost = np.array([merging_cost(law, blocks, r, int(s)) for s in others])
    rank = np.argsort(np.argsort(cost))
    chance = 1.0 / (1.0 + rank)
    return int(rng.choice(others, p=chance / chance.sum()))


def _without(ancestor: Ints, s: int) -> Ints:
    """Levels without a group; what is left empty above goes too."""
    left = np.delete(ancestor, s, axis=1)
    rows = [np.unique(row, return_inverse=True)[1].astype(np.int64) for row in left]
    kept = [row for k, row in enumerate(rows) if k == len(rows) - 1 or 0 < row.max() < left.shape[1] - 1]
    return np.ascontiguousarray(np.stack(kept))


def _with_levels(law: Law, graph: Graph, group: Ints, n_group: int, state: State) -> Nested:
    blocks = blocks_of(law, graph, group.copy(), n_group)
    ancestor, above = levels_above(law, blocks.edges, state)
    return Nested(group, ancestor, float(base_length(law, blocks) + above), [])


def _settled(law: Law, graph: Graph, found: Nested, state: State) -> Nested:
    group = found.group.copy()
    length = settle(law, graph, group, found.ancestor, np.arange(group.size), _EVERYWHERE, _NO_HEAT, state)
    return found._replace(group=group, length=float(length))
