"""Groups of groups: the levels above a partition, which say what its edge counts cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.blocks import blocks_of, upper_length, upper_of
from dynome.connectome.communities.blockmodel.graphs import group_graph
from dynome.connectome.communities.blockmodel.laws import GROUPS, Law
from dynome.connectome.communities.blockmodel.merges import agglomerate
from dynome.connectome.communities.blockmodel.random_bits import State

Ints = NDArray[np.int64]


def one_level(n_group: int) -> Ints:
    """All groups in one.

    Parameters
    ----------
    n_group : int
        Groups.

    Returns
    -------
    (1, n_group)
        Zeros.
    """
    return np.zeros((1, n_group), dtype=np.int64)


def levels_above(law: Law, count: Ints, state: State) -> tuple[Ints, float]:
    """Levels above a partition that make its edge counts cheap.

    Parameters
    ----------
    law : Law
        Of the level below.
    count : (n_group, n_group)
        Edges in each cell.
    state : (1,)
        Random state.

    Returns
    -------
    ancestor : (n_level, n_group)
        What each group belongs to at each level; the last has one group.
    length : float
        What the edge counts cost, in nats.
    """
    n = count.shape[0]
    flat, length = one_level(n), _length(law, count, one_level(n))
    if n < 3:
        return flat, length
    above = law._replace(kind=GROUPS, weight=0)
    graph = group_graph(count, directed=law.directed)
    groups, n_groups, lengths = agglomerate(above, graph, np.arange(n), n, 4, 0.0, state)
    best = int(np.argmin(lengths))
    if not 1 < n_groups[best] < n:
        return flat, length
    group = groups[best]
    further, _ = levels_above(law, blocks_of(above, graph, group, int(n_groups[best])).edges, state)
    nested = np.ascontiguousarray(np.vstack([group, further[:, group]]))
    nested_length = _length(law, count, nested)
    return (nested, nested_length) if nested_length < length else (flat, length)


def _length(law: Law, count: Ints, ancestor: Ints) -> float:
    n = count.shape[0]
    above = law._replace(kind=GROUPS, weight=0)
    blocks = blocks_of(above, group_graph(count, directed=law.directed), np.arange(n), n)
    return float(upper_length(above, n, upper_of(above, blocks, ancestor)))
