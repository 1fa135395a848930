"""Edges as integer arrays: the form that every function of this area computes on.

A connectome holds labels, because positions go wrong silently when nodes are selected or reordered. Computing on
labels is slow, so they are resolved once, here: `table_of` takes a connectome apart, `assemble` puts one together,
and whatever lies between sees positions, weights and layer codes. A *layer* is the edges of one edge type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema, units
from dynome.errors import InputError, UnitsError, listed
from dynome.schema import EDGE, NODE, SOURCE, TARGET

Integers = NDArray[np.int64]


_required = (SOURCE, TARGET, "weight", "edge_type")


class EdgeTable(NamedTuple):
    """Edges of one connectome; every array is (n_edge,)."""

    source: Integers
    target: Integers
    weight: NDArray[Any]
    layer: Integers
    layers: list[str]
    extra: dict[str, NDArray[Any]]


def table_of(connectome: xr.Dataset, edge_type: str | Sequence[str] | None = None) -> EdgeTable:
    """The edges of a connectome, or of some of its layers, by position.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Layers to take; None takes all. A known type that does not occur gives no edges.

    Raises
    ------
    SchemaError
        If `connectome` is not valid.
    InputError
        If `edge_type` is not one of `dynome.schema.EDGE_TYPES`.
    """
    connectome = checked(connectome)
    layers, layer = schema.edge_types(connectome)
    if edge_type is not None:
        wanted = checked_edge_types(edge_type)
        keep = np.isin(layer, [k for k, name in enumerate(layers) if name in wanted])
        if not keep.all():
            connectome = connectome.isel(edge=keep)
            layers, layer = schema.edge_types(connectome)
    node = connectome[NODE].to_numpy()
    source, target = (labels.positions(connectome[end].to_numpy(), node) for end in (SOURCE, TARGET))
    weight = connectome["weight"].to_numpy()
    if (source < 0).any() or (target < 0).any() or weight.dtype.kind not in "iuf" or not np.isfinite(weight).all():
        schema.validate(connectome, "connectome")
    if weight.dtype.kind in "iu":
        weight = weight.astype(np.int64, copy=False)  # sums of small integers must not overflow
    extra = {
        str(name): variable.to_numpy()
        for name, variable in connectome.data_vars.items()
        if variable.dims == (EDGE,) and name not in _required
    }
    return EdgeTable(source, target, weight, layer, layers, extra)


def checked(connectome: xr.Dataset) -> xr.Dataset:
    """The connectome itself, or an error that tells everything that is wrong with what is not one.

    Only names and dims are looked at: checking every edge takes seconds where there are millions.

    Raises
    ------
    SchemaError
        If the parts of a connectome are missing.
    """
    parts = connectome.variables.keys() | connectome.attrs.keys() if isinstance(connectome, xr.Dataset) else set()
    if {NODE, "directed", *_required} - parts:
        schema.validate(connectome, "connectome")
    return connectome


def checked_edge_types(edge_type: str | Sequence[str]) -> list[str]:
    """The edge types that a user names, as a list.

    Raises
    ------
    InputError
        If one of them is unknown to the schema.
    """
    wanted = [edge_type] if isinstance(edge_type, str) else [str(t) for t in edge_type]
    if strangers := [t for t in wanted if t not in schema.EDGE_TYPES]:
        raise InputError(f"edge_type must be one of {', '.join(schema.EDGE_TYPES)}, got {listed(strangers)}")
    return wanted


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a value that is none of the choices of a ``Literal``.

    Raises
    ------
    InputError
        With the choices.
    """
    if value not in get_args(choices):
        raise InputError(f"{name} must be one of {listed(get_args(choices))}, got {value!r}")


def weight_units(connectome: xr.Dataset, layers: Sequence[str]) -> str:
    """The unit that the weights of some layers share.

    Raises
    ------
    UnitsError
        If they have several units, so that their weights cannot be added or compared.
    """
    found = {name: schema.weight_unit(connectome, name) for name in layers}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{name} in {unit!r}" for name, unit in found.items())
        raise UnitsError(f"weights of these layers cannot be combined: {told}; choose one with edge_type=...")
    return next(iter(found.values())) if found else str(connectome["weight"].attrs.get("units", units.DIMENSIONLESS))


def weight_attrs(unit_of: Mapping[str, str]) -> dict[str, str]:
    """Attributes of the weights, told the unit of each layer."""
    distinct = set(unit_of.values())
    if len(distinct) <= 1:
        return {"units": distinct.pop() if distinct else units.DIMENSIONLESS, "long_name": "weight"}
    return {"units": schema.MIXED, "long_name": "weight", **{f"units_{name}": unit for name, unit in unit_of.items()}}


def two_way_layers(layers: Sequence[str], directed: bool) -> Integers:
    """Codes of the layers whose edges are stored in both directions."""
    return np.array([k for k, name in enumerate(layers) if not directed or name == "gap_junction"], dtype=np.int64)


def taken(table: EdgeTable, rows: NDArray[Any] | slice) -> EdgeTable:
    """Some rows of a table, in the order asked for."""
    columns = (table.source[rows], table.target[rows], table.weight[rows], table.layer[rows])
    return EdgeTable(*columns, table.layers, {name: values[rows] for name, values in table.extra.items()})


def stacked(tables: Sequence[EdgeTable]) -> EdgeTable:
    """Tables with the same layers and columns, one below the other."""
    source, target, weight, layer = (np.concatenate([table[k] for table in tables]) for k in range(4))
    extra = {name: np.concatenate([table.extra[name] for table in tables]) for name in tables[0].extra}
    return EdgeTable(source, target, weight, layer, tables[0].layers, extra)


def assemble(
    table: EdgeTable,
    node: xr.Dataset,
    *,
    directed: bool,
    weight: Mapping[str, Any],
    extra: Mapping[str, Mapping[str, Any]],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """A connectome from a table.

    Parameters
    ----------
    table : EdgeTable
        Edges by position.
    node : Dataset
        Labels as the coordinate ``node``, and what else is known of the nodes as further coordinates.
    directed : bool
        Whether edges have a direction.
    weight : mapping
        Attributes of the weights.
    extra : mapping
        Attributes of the further columns, by name.
    attrs : mapping
        Attributes of the connectome.
    """
    names = node[NODE].to_numpy()
    types = np.array(table.layers, dtype=np.str_)
    columns = {
        SOURCE: (EDGE, names[table.source], {"long_name": "presynaptic node"}),
        TARGET: (EDGE, names[table.target], {"long_name": "postsynaptic node"}),
        "weight": (EDGE, table.weight, dict(weight)),
        "edge_type": (EDGE, types[table.layer] if types.size else np.zeros(0, dtype=np.str_)),
    }
    more = {name: (EDGE, values, dict(extra.get(name, {}))) for name, values in table.extra.items()}
    return xr.Dataset({**columns, **more}, coords=node.coords, attrs={**attrs, "directed": int(directed)})


def extra_attrs(connectome: xr.Dataset, table: EdgeTable) -> dict[str, dict[str, Any]]:
    """Attributes of the further columns of a connectome, by name."""
    return {name: {str(k): v for k, v in connectome[name].attrs.items()} for name in table.extra}
