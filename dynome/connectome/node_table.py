"""What is known of the nodes: cell types, regions, positions, carried as coordinates beside the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, units
from dynome.connectome.reading import strings
from dynome.errors import Problems, listed
from dynome.labels import StrArray
from dynome.schema import EDGE, NODE

_spatial = ("x", "y", "z")


def nodes_of(connectome: xr.Dataset) -> xr.Dataset:
    """The nodes of a connectome with everything that lies along them, without the edges."""
    return connectome.drop_dims(EDGE).drop_attrs(deep=False)


def node_dataset(
    names: StrArray,
    coords: Mapping[str, Any] | pd.DataFrame | None,
    unit_of: Mapping[str, str],
    problems: Problems,
) -> xr.Dataset:
    """Labels with the coordinates that a user gives.

    Parameters
    ----------
    names : (node,)
        Labels.
    coords : DataFrame, mapping or None
        Tables and Series are looked up by label and may name more nodes; arrays follow the order of `names`.
    unit_of : mapping
        Units by name; positions need one.
    problems : Problems
        Gathers what does not fit.
    """
    known: dict[str, Any] = {NODE: names}
    for name in coords if coords is not None else ():
        column = coords[name]  # type: ignore[index]
        attrs = dict(column.attrs) if isinstance(column, xr.DataArray) else {}
        if isinstance(column, xr.DataArray) and NODE in column.coords:
            column = column.to_series()
        values = _by_label(str(name), column, names, problems) if isinstance(column, pd.Series) else np.asarray(column)
        if values.shape != names.shape:
            problems.add(f"node coordinate {name} must have {names.size} values, found shape {values.shape}")
            continue
        if unit := unit_of.get(str(name)):
            attrs["units"] = units.canonical(unit)
        if name in _spatial and "units" not in attrs:
            problems.add(f'units of {name} are unknown; pass units={{"weight": ..., "{name}": "um"}}')
        known[str(name)] = (NODE, values if values.dtype.kind in "biufU" else strings(values), attrs)
    return xr.Dataset(coords=known)


def _by_label(name: str, column: pd.Series, names: StrArray, problems: Problems) -> NDArray[Any]:
    try:
        index = labels.as_labels(column.index.to_numpy())
        place = labels.positions(names, index)
    except ValueError as error:
        problems.add(f"node coordinate {name} must be indexed by node label: {error}")
        return np.zeros(names.size)
    if (place < 0).any():
        absent = listed(names[place < 0].tolist())
        problems.add(f"node coordinate {name} lacks nodes {absent}; add them, e.g. table.reindex(node)")
        return np.zeros(names.size)
    return np.asarray(column.to_numpy()[place])


def joined_nodes(tables: Sequence[xr.Dataset], problems: Problems) -> xr.Dataset:
    """The union of several node tables, in order of first appearance.

    Where a table does not know a node, another may; a missing value (NaN or an empty string) is no conflict.
    """
    names = np.concatenate([table[NODE].to_numpy() for table in tables])
    codes, found = labels.factorize(names)
    first = np.full(found.size, names.size, dtype=np.int64)
    np.minimum.at(first, codes, np.arange(names.size))
    union = names[np.sort(first)]
    known: dict[str, Any] = {NODE: union}
    for name in dict.fromkeys(str(n) for table in tables for n in table.variables if n != NODE):
        parts = [table for table in tables if name in table.variables]
        known[name] = (NODE, _joined(name, parts, union, problems), _one_unit(name, parts, problems))
    return xr.Dataset(coords=known)


def _joined(name: str, parts: Sequence[xr.Dataset], union: StrArray, problems: Problems) -> NDArray[Any]:
    columns = [part[name].to_numpy() for part in parts]
    textual = any(c.dtype.kind not in "biuf" for c in columns)
    columns = [strings(c) if textual else c.astype(np.float64) for c in columns]
    out = np.full(union.size, "" if textual else np.nan, dtype=np.result_type(*columns))
    for part, column in zip(parts, columns, strict=True):
        place = labels.positions(part[NODE].to_numpy(), union)
        before = out[place]
        unknown = (before == "") if textual else np.isnan(before)
        silent = (column == "") if textual else np.isnan(column)
        if (clash := ~unknown & ~silent & (before != column)).any():
            told = listed(union[place[clash]].tolist())
            problems.add(f"node coordinate {name} has different values for {told}; make the layers agree or drop it")
        out[place] = np.where(silent, before, column)
    return _original_type(out, [part[name].dtype for part in parts])


def _original_type(values: NDArray[Any], types: Sequence[np.dtype[Any]]) -> NDArray[Any]:
    """Integers and flags stay what they were where no value is missing."""
    common = np.result_type(*types) if all(t.kind in "biuf" for t in types) else values.dtype
    return values.astype(common) if common.kind not in "biu" or not np.isnan(values).any() else values


def _one_unit(name: str, parts: Sequence[xr.Dataset], problems: Problems) -> dict[str, Any]:
    found = {units.of(part[name]) for part in parts}
    if len(found) > 1:
        problems.add(f"node coordinate {name} has several units, found {listed(sorted(map(str, found)))}; convert it")
    return {str(k): v for k, v in parts[0][name].attrs.items()}
