"""Connectomes that might have been: random wirings that keep some properties of a real one and no others.

A finding about a connectome means something against what chance would give. Each null model here treats every edge
type by itself, keeps edges without direction symmetric, and leaves self-loops as they are. A new null model is a
rule for the edges of one layer, and a labelled function over `_null`; `null_edges` applies a rule to arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import xarray as xr

from dynome import seeds
from dynome.connectome import edge_table, multiplicity, node_table
from dynome.connectome.edge_table import EdgeTable, Integers
from dynome.errors import InputError
from dynome.schema import NODE

Rule = Callable[[EdgeTable, int, bool, np.random.Generator], EdgeTable]


def rewire(connectome: xr.Dataset, *, n_swaps_per_edge: float = 10, random_state: int | None = None) -> xr.Dataset:
    """Random wiring in which every node keeps its degrees.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    n_swaps_per_edge : float
        Proposed swaps per edge, refused ones included. Ten forget the wiring of usual connectomes; a few per cent of
        the edges coincide with real ones by chance, which no number of swaps changes.
    random_state : int or None
        Seed; None draws a fresh one. The seed is kept in ``attrs["random_state"]``.

    Returns
    -------
    Dataset
        The same nodes and, per edge type, the same number of edges in and out of each node. Weight, sign and further
        columns stay with the *source* of a directed edge: each node keeps the collection of its outgoing weights,
        dealt at random to its new targets (so out-strength is kept, in-strength is not). On edges without direction
        they are dealt at random to all new edges.

    Raises
    ------
    InputError
        If `n_swaps_per_edge` is negative.

    Notes
    -----
    With enough swaps every wiring with these degrees is equally likely: see `dynome.connectome.swap_kernels`. The first
    call in an installation compiles for some seconds.

    References
    ----------
    .. [1] Maslov & Sneppen, Science 2002, doi:10.1126/science.1065103.

    Examples
    --------
    >>> from dynome.connectome import degree, from_edges
    >>> wiring = from_edges({"source": ["a", "b", "c", "d"], "target": ["b", "c", "d", "a"]})
    >>> degree(rewire(wiring, random_state=0)).in_degree.values.tolist()
    [1, 1, 1, 1]
    """
    if not n_swaps_per_edge >= 0:
        raise InputError(f"n_swaps_per_edge must be >= 0, got {n_swaps_per_edge}")
    return _null(connectome, "rewire", partial(rewired, n_swaps_per_edge=n_swaps_per_edge), random_state)


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
    return _null(connectome, "shuffle_weights", dealt_weights, random_state)


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
    return _null(connectome, "erdos_renyi", anywhere, random_state)


def rewired(
    part: EdgeTable, n_node: int, two_way: bool, rng: np.random.Generator, n_swaps_per_edge: float = 10
) -> EdgeTable:
    """The rule of `rewire`."""
    from dynome.connectome import swap_kernels

    steps = round(n_swaps_per_edge * part.source.size) if part.source.size > 1 else 0
    seed = rng.integers(0, 2**64, dtype=np.uint64)
    if two_way:
        one, other, _ = swap_kernels.swap_undirected(part.source, part.target, n_node, steps, seed)
        dealt = rng.permutation(one.size)
        return part._replace(source=one[dealt], target=other[dealt])
    target, _ = swap_kernels.swap_directed(part.source, part.target, n_node, steps, seed)
    return part._replace(target=_dealt_within(part.source, target, rng))


def dealt_weights(part: EdgeTable, _n_node: int, _two_way: bool, rng: np.random.Generator) -> EdgeTable:
    """The rule of `shuffle_weights`."""
    return part._replace(weight=rng.permutation(part.weight))


def anywhere(part: EdgeTable, n_node: int, two_way: bool, rng: np.random.Generator) -> EdgeTable:
    """The rule of `erdos_renyi`."""
    n_pair = n_node * (n_node - 1) // (2 if two_way else 1)
    pair = rng.choice(n_pair, size=part.source.size, replace=False)
    source, target = unordered(pair) if two_way else ordered(pair, n_node)
    return part._replace(source=source, target=target)


def _null(connectome: xr.Dataset, name: str, rule: Rule, random_state: int | None) -> xr.Dataset:
    seed = seeds.resolve(random_state)
    table, n_node = edge_table.table_of(connectome), connectome.sizes[NODE]
    directed = bool(connectome.attrs["directed"])
    whole = null_edges(table, n_node, directed, rule, seeds.generator(seed, name))
    return edge_table.assemble(
        edge_table.taken(whole, multiplicity.stable_order(multiplicity.edge_keys(whole, n_node))),
        node_table.nodes_of(connectome),
        directed=directed,
        weight=connectome["weight"].attrs,
        extra=edge_table.extra_attrs(connectome, table),
        attrs={**connectome.attrs, "null_model": name, "random_state": seed},
    )


def null_edges(table: EdgeTable, n_node: int, directed: bool, rule: Rule, rng: np.random.Generator) -> EdgeTable:
    """A null model on arrays, for loops over many draws.

    Parameters
    ----------
    table : EdgeTable
        Edges by position; two-way ones in both directions.
    n_node : int
        Number of nodes.
    directed : bool
        Whether edges other than gap junctions have a direction.
    rule : callable
        Changes the edges of one layer between different nodes; it is given each pair of two-way edges once.
    rng : Generator
        Source of randomness.

    Returns
    -------
    EdgeTable
        In no particular order.
    """
    two_way = edge_table.two_way_layers(table.layers, directed)
    loop = table.source == table.target
    parts = [edge_table.taken(table, loop)]
    for code in range(len(table.layers)):
        both = code in two_way
        free = (table.layer == code) & ((table.source < table.target) if both else ~loop)
        changed = rule(edge_table.taken(table, free), n_node, both, rng)
        parts += [changed, changed._replace(source=changed.target, target=changed.source)] if both else [changed]
    return edge_table.stacked(parts)


def _dealt_within(group: Integers, values: Integers, rng: np.random.Generator) -> Integers:
    """Values in random order within each group."""
    out = np.empty_like(values)
    out[np.argsort(group, kind="stable")] = values[np.lexsort((rng.random(group.size), group))]
    return out


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
