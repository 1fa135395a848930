"""Wirings that keep the number of edges, or the edges themselves, and nothing else."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome.connectome.edge_table import EdgeTable, Integers
from dynome.connectome.nulls.edge_rules import null_of


def shuffle_weights(connectome: xr.Dataset, *, random_state: int | None = None) -> xr.Dataset:
    """The same edges with their weights dealt at random among them.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    random_state : int or None
        Seed; None draws a fresh one.

    Returns
    -------
    Dataset
        Who is wired to whom stays, and so do signs and further columns; each edge type keeps its collection of weights.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> edges = {"source": ["a", "b", "c"], "target": ["b", "c", "a"], "weight": [1, 2, 3]}
    >>> sorted(shuffle_weights(from_edges(edges, units="1"), random_state=0).weight.values.tolist())
    [1, 2, 3]
    """
    return null_of(connectome, "shuffle_weights", dealt_weights, random_state)


def erdos_renyi(connectome: xr.Dataset, *, random_state: int | None = None) -> xr.Dataset:
    """Random wiring with as many edges, anywhere.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    random_state : int or None
        Seed; None draws a fresh one.

    Returns
    -------
    Dataset
        The same nodes and, per edge type, the same density and collection of weights; all wirings with that many
        edges between different nodes are equally likely.

    References
    ----------
    .. [1] Erdos & Renyi, Publicationes Mathematicae 1959, the model G(n, m).

    Examples
    --------
    >>> from dynome.connectome import density, from_edges
    >>> wiring = from_edges({"source": ["a", "b"], "target": ["b", "c"]})
    >>> density(erdos_renyi(wiring, random_state=0)) == density(wiring)
    True
    """
    return null_of(connectome, "erdos_renyi", anywhere, random_state)


def dealt_weights(part: EdgeTable, _n_node: int, _two_way: bool, rng: np.random.Generator) -> EdgeTable:
    """The rule of `shuffle_weights`."""
    return part._replace(weight=rng.permutation(part.weight))


def anywhere(part: EdgeTable, n_node: int, two_way: bool, rng: np.random.Generator) -> EdgeTable:
    """The rule of `erdos_renyi`."""
    n_pair = n_node * (n_node - 1) // (2 if two_way else 1)
    pair = rng.choice(n_pair, size=part.source.size, replace=False)
    source, target = unordered(pair) if two_way else ordered(pair, n_node)
    return part._replace(source=source, target=target)


def ordered(pair: Integers, n_node: int) -> tuple[Integers, Integers]:
    """Ordered pairs of different nodes by number."""
    source, target = np.divmod(pair, max(n_node - 1, 1))
    return source, target + (target >= source)


def unordered(pair: Integers) -> tuple[Integers, Integers]:
    """Unordered pairs by number: (0, 1), (0, 2), (1, 2), (0, 3), ..."""
    high = ((1 + np.sqrt(1 + 8 * pair.astype(np.float64))) // 2).astype(np.int64)
    high -= high * (high - 1) // 2 > pair  # the square root may round up to a whole number
    high += (high + 1) * high // 2 <= pair
    return pair - high * (high - 1) // 2, high
