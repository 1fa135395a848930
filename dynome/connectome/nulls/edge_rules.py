"""How a rule for the edges of one layer makes a null model of a whole connectome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from dynome import seeds
from dynome.connectome import edge_table, multiplicity, node_table
from dynome.connectome.edge_table import EdgeTable, Integers
from dynome.schema import NODE

Rule = Callable[[EdgeTable, int, bool, np.random.Generator], EdgeTable]


def null_of(connectome: xr.Dataset, name: str, rule: Rule, random_state: int | None) -> xr.Dataset:
    """The null model that a rule makes of a connectome; `name` and the seed are kept in its attributes."""
    seed = seeds.resolve(random_state)
    table, n_node = edge_table.table_of(connectome), connectome.sizes[NODE]
    whole = null_edges(table, n_node, bool(connectome.attrs["directed"]), rule, seeds.generator(seed, name))
    return assembled(connectome, whole, {"null_model": name, "random_state": seed})


def assembled(connectome: xr.Dataset, table: EdgeTable, attrs: Mapping[str, Any]) -> xr.Dataset:
    """Other edges between the nodes of a connectome, in order."""
    key = multiplicity.edge_keys(table, connectome.sizes[NODE])
    return edge_table.assemble(
        edge_table.taken(table, multiplicity.stable_order(key)),
        node_table.nodes_of(connectome),
        directed=bool(connectome.attrs["directed"]),
        weight=connectome["weight"].attrs,
        extra=edge_table.extra_attrs(connectome, table),
        attrs={**connectome.attrs, **attrs},
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


def dealt_within(group: Integers, values: Integers, rng: np.random.Generator) -> Integers:
    """Values in random order within each group."""
    out = np.empty_like(values)
    out[np.argsort(group, kind="stable")] = values[np.lexsort((rng.random(group.size), group))]
    return out
