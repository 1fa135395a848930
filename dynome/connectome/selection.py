"""Parts of a connectome, and other orders and names of its nodes.

Edges can be chosen with xarray alone, e.g. ``wiring.isel(edge=wiring.weight >= 5)``; choosing, reordering or renaming
nodes needs care about the edges, and that is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from dynome import labels, schema
from dynome.connectome import edge_table
from dynome.errors import InputError, listed
from dynome.labels import StrArray
from dynome.schema import EDGE, NODE, SOURCE, TARGET


def subgraph(
    connectome: xr.Dataset, *, node: ArrayLike | None = None, edge_type: str | Sequence[str] | None = None
) -> xr.Dataset:
    """Some nodes with the edges among them, or some edge types.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    node : labels or None
        Nodes to keep, in the order wanted; None keeps all. An edge stays if both of its ends stay.
    edge_type : str, list of str or None
        Edge types to keep; None keeps all.

    Returns
    -------
    Dataset
        Coordinates and attributes travel along. Where the remaining edge types share a unit, the weights have it.

    Raises
    ------
    InputError
        If a label is unknown or repeated, or an edge type is unknown.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> wiring = from_edges({"source": ["ASHR", "AVAL"], "target": ["AVAL", "VA8"]})
    >>> subgraph(wiring, node=["VA8", "AVAL"]).source.values.tolist()
    ['AVAL']
    """
    edge_table.checked(connectome)
    if edge_type is not None:
        wanted = edge_table.checked_edge_types(edge_type)
        types, code = schema.edge_types(connectome)
        connectome = connectome.isel(edge=np.isin(code, [k for k, name in enumerate(types) if name in wanted]))
        connectome = _with_units_told(connectome, [name for name in types if name in wanted])
    if node is None:
        return connectome
    names = _known_labels(connectome, node)
    inside = [labels.positions(connectome[end].to_numpy(), names) >= 0 for end in (SOURCE, TARGET)]
    place = labels.positions(names, connectome[NODE].to_numpy())
    return connectome.isel({NODE: place, EDGE: inside[0] & inside[1]})


def reorder(connectome: xr.Dataset, *, node: ArrayLike) -> xr.Dataset:
    """The same connectome with its nodes in another order, the one that matrices will have.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    node : (node,)
        All of its labels, in the order wanted.

    Raises
    ------
    InputError
        If a label is unknown, repeated or left out.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> wiring = from_edges({"source": ["ASHR"], "target": ["AVAL"]})
    >>> reorder(wiring, node=["AVAL", "ASHR"]).node.values.tolist()
    ['AVAL', 'ASHR']
    """
    names = _known_labels(edge_table.checked(connectome), node)
    before = connectome[NODE].to_numpy()
    if names.size < before.size:
        absent = listed(before[labels.positions(before, names) < 0].tolist())
        raise InputError(f"every node must be named, {absent} are not; use subgraph to drop nodes")
    return connectome.isel(node=labels.positions(names, before))


def rename_nodes(connectome: xr.Dataset, *, node: ArrayLike | Mapping[str, str]) -> xr.Dataset:
    """The same connectome with other names for its nodes, also at the ends of its edges.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    node : (node,) or mapping
        The new labels in the order of the nodes, e.g. ``normalize_worm_names(connectome.node)``; or new labels by old
        ones, where nodes that are not mentioned keep theirs.

    Raises
    ------
    InputError
        If two nodes would get one name, a label is missing, or the mapping names an unknown node.

    Examples
    --------
    >>> from dynome.connectome import from_edges, normalize_worm_names
    >>> wiring = from_edges({"source": ["AVAL"], "target": ["VA08"]})
    >>> rename_nodes(wiring, node=normalize_worm_names(wiring.node)).target.item()
    'VA8'
    """
    table = edge_table.table_of(connectome)
    before = connectome[NODE].to_numpy()
    if isinstance(node, Mapping):
        _known_labels(connectome, list(node))
        node = [node.get(name, name) for name in before.tolist()]
    names = labels.as_labels(node)
    if names.size != before.size:
        raise InputError(f"expected a label for each of {before.size} nodes, found {names.size}")
    if repeated := labels.duplicates(names):
        old = before[np.isin(names, repeated)].tolist()
        raise InputError(f"{listed(old)} would share names: {listed(repeated)}; give each node its own")
    if (names == "").any():
        raise InputError(f"{listed(before[names == ''].tolist())} would have empty names; give each node a label")
    ends = {SOURCE: table.source, TARGET: table.target}
    renamed = {end: (EDGE, names[place], connectome[end].attrs) for end, place in ends.items()}
    return connectome.assign_coords({NODE: (NODE, names, connectome[NODE].attrs)}).assign(renamed)


def _known_labels(connectome: xr.Dataset, node: ArrayLike) -> StrArray:
    names = labels.as_labels(node)
    place = labels.positions(names, connectome[NODE].to_numpy())
    if (place < 0).any():
        raise InputError(f"node must name nodes of the connectome, found unknown {listed(names[place < 0].tolist())}")
    if repeated := labels.duplicates(names):
        raise InputError(f"node must name each node once, found repeated {listed(repeated)}")
    return names


def _with_units_told(connectome: xr.Dataset, types: Sequence[str]) -> xr.Dataset:
    """The connectome with attributes of its weights that fit the remaining edge types."""
    weight = connectome["weight"].copy(deep=False)
    kept = {str(k): v for k, v in weight.attrs.items() if not str(k).startswith("units")}
    told = edge_table.weight_attrs({name: schema.weight_unit(connectome, name) for name in types})
    weight.attrs = {**told, **kept} if types else weight.attrs
    return connectome.assign(weight=weight)
