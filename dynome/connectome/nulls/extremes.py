"""The wirings without information: no edges, all edges, and the right edges between the wrong nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.connectome import edge_table
from dynome.connectome.edge_table import EdgeTable
from dynome.errors import InputError

LARGEST = 50_000_000  # edges; a complete connectome of more does not fit into usual memory

_of_source = ("sign", "neurotransmitter")


def without_edges(table: EdgeTable) -> EdgeTable:
    """No edge at all; the columns stay."""
    return edge_table.taken(table, slice(0, 0))


def with_all_edges(table: EdgeTable, n_node: int, directed: bool) -> EdgeTable:
    """Every ordered pair of different nodes joined in every layer that has edges.

    The weights of a layer are spread evenly: all are the summed weight of its edges between different nodes, over the
    number of pairs. ``sign`` and ``neurotransmitter`` are those of the source where all of its edges in the layer
    agree (in a two-way layer: where all edges of the layer agree), else unknown; other columns are dropped.

    Raises
    ------
    InputError
        If there would be more than `LARGEST` edges.
    """
    n_pair = n_node * (n_node - 1)
    if n_pair * len(table.layers) > LARGEST:
        raise InputError(
            f"a complete connectome of {n_node:,} nodes has {n_pair * len(table.layers):,} edges, more than "
            f"{LARGEST:,}; take fewer nodes with subgraph"
        )
    source, target = np.nonzero(~np.eye(n_node, dtype=bool))
    two_way = edge_table.two_way_layers(table.layers, directed)
    known = [name for name in _of_source if name in table.extra]
    parts = []
    for code in range(len(table.layers)):
        part = edge_table.taken(table, (table.layer == code) & (table.source != table.target))
        owner = np.zeros_like(part.source) if code in two_way else part.source
        whose = np.zeros_like(source) if code in two_way else source
        extra = {name: _agreed(part.extra[name], owner, n_node)[whose] for name in known}
        weight = np.full(n_pair, float(part.weight.sum()) / max(n_pair, 1))
        parts.append(EdgeTable(source, target, weight, np.full(n_pair, code), table.layers, extra))
    return edge_table.stacked(parts) if parts else without_edges(table)


def with_labels_permuted(table: EdgeTable, n_node: int, rng: np.random.Generator) -> EdgeTable:
    """The same graph with its nodes in each other's places; self-loops move too."""
    place = rng.permutation(n_node)
    return table._replace(source=place[table.source], target=place[table.target])


def _agreed(values: NDArray[Any], owner: NDArray[np.int64], n_owner: int) -> NDArray[Any]:
    """For each owner the value that all of its rows have, else what stands for unknown."""
    blank = np.zeros(n_owner, dtype=values.dtype)
    out = blank.copy()
    out[owner] = values
    differ = np.zeros(n_owner, dtype=bool)
    differ[owner[values != out[owner]]] = True
    return np.where(differ, blank, out)
