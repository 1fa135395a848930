"""Edge lists and matrices as people hand them over, checked and turned into arrays.

Each function notes what is wrong in a `Problems` and returns something harmless, so that one error tells everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels, units
from dynome.connectome.edge_table import EdgeTable, Integers
from dynome.errors import InputError, Problems, listed
from dynome.labels import StrArray
from dynome.schema import SOURCE, TARGET

_unitless = ("sign",)


class Entries(NamedTuple):
    """The nonzero entries of a matrix and the labels of its rows and columns."""

    rows: StrArray
    columns: StrArray
    row: Integers
    column: Integers
    value: NDArray[Any]
    units: str | None


def edges_of(
    edges: Any, node: ArrayLike | None, edge_type: str, unit_of: dict[str, str], problems: Problems
) -> tuple[EdgeTable, StrArray]:
    """An edge list by position, and the labels; the unit of the weights is noted in `unit_of` where there are none."""
    columns = columns_of(edges, problems)
    problems.raise_if_any(InputError)
    names, source, target = ends_of(columns.pop(SOURCE), columns.pop(TARGET), node, problems)
    weight = weight_of(columns.pop("weight", None), source.size, unit_of, problems)
    layers, layer = layers_of(columns.pop("edge_type", None), edge_type, source.size, problems)
    extra = {name: extra_of(name, values, unit_of, problems) for name, values in columns.items()}
    return EdgeTable(source, target, weight, layer, layers, extra), names


def columns_of(edges: Any, problems: Problems) -> dict[str, Any]:
    """The columns of an edge list, of one length, with at least source and target."""
    if not isinstance(edges, pd.DataFrame | Mapping):
        problems.add(f"expected a DataFrame or a mapping of columns, found {type(edges).__name__}")
        return {}
    columns = {str(name): edges[name] for name in edges}
    if missing := [name for name in (SOURCE, TARGET) if name not in columns]:
        problems.add(
            f"expected columns source and target, missing {listed(missing)}, found {listed(columns) or 'none'}; "
            'rename them, e.g. edges.rename(columns={"pre": "source", "post": "target"})'
        )
        return {}
    columns = {n: v if isinstance(v, pd.Series) else np.asarray(v) for n, v in columns.items()}
    if crooked := [name for name, values in columns.items() if values.ndim != 1]:
        problems.add(f"columns must be one-dimensional, {listed(crooked)} are not")
    elif len({len(values) for values in columns.values()}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in columns.items())
        problems.add(f"columns must have one length, found {lengths}")
    return columns


def ends_of(
    source: Any, target: Any, node: ArrayLike | None, problems: Problems
) -> tuple[StrArray, Integers, Integers]:
    """Node labels, and the position of both ends of each edge among them."""
    codes: list[Integers] = []
    found: list[StrArray] = []
    for end, values in ((SOURCE, source), (TARGET, target)):
        try:
            code, names = labels.factorize(values)
        except ValueError as error:
            problems.add(f"{end} must hold labels or integer ids: {error}")
            code, names = np.zeros(len(values), dtype=np.int64), np.zeros(0, dtype=np.str_)
        codes.append(code)
        found.append(names)
    occurring = narrowed(labels.factorize(np.concatenate(found))[1])
    all_names = occurring if node is None else node_labels(node, problems)
    if problems.found:
        return all_names, codes[0], codes[1]
    for k, end in enumerate((SOURCE, TARGET)):
        place = labels.positions(found[k], all_names)
        if (place < 0).any():
            strangers = listed(found[k][place < 0].tolist())
            problems.add(f"{end} must name nodes, found unknown {strangers}; add them to node=... or drop the edges")
        codes[k] = place[codes[k]]
    return all_names, codes[0], codes[1]


def node_labels(node: ArrayLike, problems: Problems) -> StrArray:
    """The labels that a user names, each once, no wider than they need to be."""
    try:
        names = labels.as_labels(node)
    except ValueError as error:
        problems.add(f"node must hold labels: {error}")
        return np.zeros(0, dtype=np.str_)
    if repeated := labels.duplicates(names):
        problems.add(f"node labels must be unique, found repeated {listed(repeated)}")
    if (names == "").any():
        problems.add("node labels must not be empty strings; give each node a label")
    return narrowed(names)


def narrowed(names: StrArray) -> StrArray:
    """Labels without unused width, which counts when they are repeated for millions of edges."""
    return names.astype(f"<U{max(1, int(np.char.str_len(names).max(initial=1)))}", copy=False)


def weight_of(values: Any, n_edge: int, unit_of: dict[str, str], problems: Problems) -> NDArray[Any]:
    """Weights as int64 or float, 1 for every edge where there are none; their unit is noted in `unit_of`."""
    if values is None:
        unit_of.setdefault("weight", units.DIMENSIONLESS)
        return np.ones(n_edge, dtype=np.int64)
    weight = _numbers(values)
    if weight is None:
        problems.add(f"weight must be numeric, found dtype {values.dtype}; convert it, e.g. edges.weight.astype(float)")
        return np.ones(n_edge)
    if bad := int((~np.isfinite(weight)).sum()):
        problems.add(f"weight must be finite, found {bad} NaN or infinite values; drop those rows")
    return weight


def layers_of(values: Any, edge_type: str, n_edge: int, problems: Problems) -> tuple[list[str], Integers]:
    """Edge types in the order of the schema, and which of them each edge has."""
    if values is None:
        return [edge_type], np.zeros(n_edge, dtype=np.int64)
    try:
        code, names = labels.factorize(values)
    except ValueError as error:
        problems.add(f"edge_type must be given for every edge or for none: {error}")
        return [edge_type], np.zeros(n_edge, dtype=np.int64)
    return names.tolist(), code


def extra_of(name: str, values: Any, unit_of: Mapping[str, str], problems: Problems) -> NDArray[Any]:
    """A further column: numbers need a unit, missing strings become empty, a missing sign 0."""
    numbers = _numbers(values)
    if numbers is None:
        return strings(values)
    if name == "sign":
        return np.nan_to_num(numbers.astype(np.float64)).astype(np.int8)
    if name not in unit_of:
        problems.add(f'units of {name} are unknown; pass units={{"weight": ..., "{name}": ...}} or drop the column')
    return numbers


def extra_attrs_of(names: Mapping[str, Any], unit_of: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Attributes of the further columns: the unit, where they are numbers."""
    known = {name: unit_of.get(name, units.DIMENSIONLESS if name in _unitless else None) for name in names}
    return {name: {"units": units.canonical(unit)} for name, unit in known.items() if unit is not None}


def _numbers(values: Any) -> NDArray[Any] | None:
    """Numbers as int64, float32 or float64; None where they are no numbers."""
    kind = values.dtype.kind
    if isinstance(values, pd.Series) and kind in "biuf":
        array = values.to_numpy(dtype=np.float64, na_value=np.nan) if values.hasnans else values.to_numpy()
    else:
        array = np.asarray(values)
    if array.dtype.kind in "biu":
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    return array.astype(np.int64) if array.size == 0 and array.dtype.kind == "O" else None


def strings(values: Any) -> StrArray:
    """A column of text as fixed-width strings, missing values as empty ones."""
    column = pd.Series(values)
    return column.astype(object).where(column.notna(), "").to_numpy(dtype=object).astype(np.str_)


def entries_of(matrix: Any, node: ArrayLike | None, problems: Problems) -> Entries:
    """The entries of an adjacency matrix that are neither zero nor NaN."""
    rows = columns = None
    unit = None
    if isinstance(matrix, xr.DataArray):
        if set(matrix.dims) != {SOURCE, TARGET} or not {SOURCE, TARGET} <= set(matrix.coords):
            problems.add(f"expected a DataArray (source, target) with labels on both, found {matrix.dims}")
            return _empty()
        matrix = matrix.transpose(SOURCE, TARGET)
        rows, columns, unit = matrix[SOURCE].to_numpy(), matrix[TARGET].to_numpy(), units.of(matrix)
        matrix = matrix.to_numpy()
    elif isinstance(matrix, pd.DataFrame):
        rows, columns = matrix.index.to_numpy(), matrix.columns.to_numpy()
        matrix = matrix.to_numpy()
    if (rows is None) == (node is None):
        problems.add(
            "rows and columns have no labels; pass node=[...]"
            if node is None
            else "the matrix brings its own labels; leave node out and use reorder or subgraph afterwards"
        )
        return _empty()
    row_labels = node_labels(node if rows is None else rows, problems)  # type: ignore[arg-type]
    column_labels = row_labels if columns is None else node_labels(columns, problems)
    row, column, value = _nonzero(matrix, problems)
    if not problems.found and (shape := np.shape(matrix)) != (row_labels.size, column_labels.size):
        problems.add(
            f"expected {row_labels.size} x {column_labels.size} entries, as there are labels, found shape {shape}"
        )
    return Entries(row_labels, column_labels, row, column, value, unit)


def _nonzero(matrix: Any, problems: Problems) -> tuple[Integers, Integers, NDArray[Any]]:
    if hasattr(matrix, "tocoo"):
        coo = matrix.tocoo(copy=True)
        coo.sum_duplicates()
        (row, column), value = coo.coords, coo.data
    else:
        dense = np.asarray(matrix)
        if dense.ndim != 2 or dense.dtype.kind not in "biuf":
            problems.add(f"expected a matrix of numbers, found shape {dense.shape} and dtype {dense.dtype}")
            return _empty()[2:5]
        row, column = np.nonzero(dense)
        value = dense[row, column]
    present = (value != 0) & ~np.isnan(value)
    return row[present].astype(np.int64), column[present].astype(np.int64), value[present]


def _empty() -> Entries:
    no_label, no_place = np.zeros(0, dtype=np.str_), np.zeros(0, dtype=np.int64)
    return Entries(no_label, no_label, no_place, no_place, np.zeros(0), None)
