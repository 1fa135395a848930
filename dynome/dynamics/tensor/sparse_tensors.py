"""Sparse tensors as plain data: a table of entries by label, beside the labels of each dim.

========================== =========================================================================================
dim ``entry``              one row an entry that is not 0
``value (entry)``          its value, with units
``entry_{dim} (entry)``    its label along each dim, never its position
coordinate ``{dim}``       the labels of that dim, those without any entry too
``attrs``                  ``kind = "sparse_tensor"``, ``dims`` in order
========================== =========================================================================================

What is absent is 0, not missing. Selecting along a dim, ``tensor.sel(animal=["w1"])``, selects from the tensor: an
entry whose label is no longer among the coordinates is outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels
from dynome.errors import InputError, Problems, listed

KIND = "sparse_tensor"
_GRAIN = 1e-6  # of a bin: a time this close below an edge is on it, whatever rounding made of it


def sparse_tensor(
    table: pd.DataFrame | Mapping[str, ArrayLike],
    dims: Sequence[str],
    *,
    coords: Mapping[str, ArrayLike] | None = None,
    bins: Mapping[str, tuple[float, float, float]] | None = None,
    units: str = "1",
    name: str = "tensor",
) -> xr.Dataset:
    """A sparse tensor from a table of events or of entries.

    Parameters
    ----------
    table : DataFrame or mapping of columns
        One row an event: a column for each dim with its label, and, where there is one, a column ``value``. Without
        that, each row counts 1. Rows with the same labels are added up.
    dims : sequence of str
        At least two columns, the sample dim first by custom.
    coords : mapping or None
        Labels of a dim in the order wanted, those without events too. Otherwise the labels that occur: numbers sorted,
        words in order of appearance.
    bins : mapping or None
        For dims that hold numbers such as spike times: ``(start, stop, width)`` of bins, which include their start and
        exclude their end. The coordinate holds the centres; rows outside are left out.
    units, name : str
        Of the tensor.

    Returns
    -------
    Dataset
        ``value (entry)`` and ``entry_{dim} (entry)`` for each dim, as described at the top of
        `dynome.dynamics.tensor.sparse_tensors`. `NonnegativeCP` takes it as it is.

    Raises
    ------
    InputError
        If a column is absent, a value is missing, negative or infinite, a label is missing or not among `coords`, or
        nothing is left.

    Examples
    --------
    >>> spikes = {"time": [0.2, 0.3, 1.7], "trial": ["a", "a", "b"], "node": ["AVAL", "AVAL", "RIML"]}
    >>> tensor = sparse_tensor(spikes, ["time", "trial", "node"], bins={"time": (0.0, 2.0, 0.5)})
    >>> tensor.value.values.tolist(), tensor.entry_time.values.tolist(), tensor.time.values.tolist()
    ([2.0, 1.0], [0.25, 1.75], [0.25, 0.75, 1.25, 1.75])
    """
    problems = Problems("cannot make a sparse tensor")
    rows = pd.DataFrame(dict(table))
    if len(dims) < 2 or len(set(dims)) < len(dims) or "value" in dims:
        problems.add(f"expected at least two different dims, none called value, got {list(dims)}")
    for dim in dims:
        if dim not in rows:
            problems.add(f"the table has no column {dim!r}; it has {listed(rows.columns)}")
    problems.raise_if_any(InputError)
    values = _checked_values(rows, problems)
    found = {d: _placed(rows[d], d, (coords or {}).get(d), (bins or {}).get(d), problems) for d in dims}
    problems.raise_if_any(InputError)
    positions = np.stack([place for _, place in found.values()], axis=1)
    inside = (positions >= 0).all(1) & (values != 0)
    sums = pd.Series(values[inside]).groupby(list(positions[inside].T)).sum()
    if sums.empty:
        problems.add("nothing is left: every row is 0 or outside of the bins")
        problems.fail(InputError)
    data: dict[str, Any] = {"value": ("entry", sums.to_numpy(np.float64), {"units": units, "long_name": name})}
    for level, (dim, (along, _)) in enumerate(found.items()):
        data[f"entry_{dim}"] = (
            "entry",
            along[sums.index.get_level_values(level)],
            {"long_name": f"{dim} of the entry"},
        )
    attrs = {"kind": KIND, "dims": list(dims), "name": name}
    return xr.Dataset(data, {dim: (dim, along) for dim, (along, _) in found.items()}, attrs)


def is_sparse_tensor(X: object) -> TypeGuard[xr.Dataset]:
    """Whether this is what `sparse_tensor` gives."""
    return isinstance(X, xr.Dataset) and X.attrs.get("kind") == KIND


def entries_of(tensor: xr.Dataset) -> tuple[NDArray[np.int64], NDArray[np.float64], tuple[int, ...]]:
    """Positions, values and shape of the entries that lie within the coordinates.

    Parameters
    ----------
    tensor : Dataset
        As `sparse_tensor` gives it, or a selection along its dims.

    Returns
    -------
    positions : (n_entry, n_dim)
    values : (n_entry,)
    shape : tuple of int

    Raises
    ------
    InputError
        If a variable is absent, a value is negative, missing or infinite, an entry occurs twice, or none is left.
    """
    problems = Problems("this is not a valid sparse tensor")
    dims = [str(d) for d in tensor.attrs.get("dims", [])]
    wanted = ["value", *(f"entry_{d}" for d in dims)]
    if absent := [v for v in wanted if v not in tensor or tensor[v].dims != ("entry",)]:
        problems.add(f"expected variables over entry: {listed(wanted)}; {listed(absent)} are absent")
    if absent := [d for d in dims if d not in tensor.coords]:
        problems.add(f"expected a coordinate for each dim, {listed(absent)} have none")
    if len(dims) < 2:
        problems.add(f"expected at least two names in attrs['dims'], got {dims}")
    problems.raise_if_any(InputError)
    values = _checked_values(pd.DataFrame({"value": tensor["value"].to_numpy()}), problems)
    positions = np.stack([_positions(tensor[f"entry_{d}"].to_numpy(), tensor[d].to_numpy()) for d in dims], axis=1)
    inside = (positions >= 0).all(1)
    positions, values = positions[inside], values[inside]
    if twice := int(pd.DataFrame(positions).duplicated().sum()):
        problems.add(f"{twice} entries occur twice; make it with sparse_tensor, which adds them up")
    if not (values > 0).any():
        problems.add("no entry above 0 is left; there is nothing to factorise")
    problems.raise_if_any(InputError)
    return positions, values, tuple(tensor.sizes[d] for d in dims)


def _checked_values(rows: pd.DataFrame, problems: Problems) -> NDArray[np.float64]:
    if "value" not in rows:
        return np.ones(len(rows))
    try:
        values = rows["value"].to_numpy(np.float64)
    except (TypeError, ValueError):
        problems.add("expected numbers as values; give each row a number, or leave the column out to count rows")
        return np.ones(len(rows))
    if broken := int((~np.isfinite(values)).sum()):
        problems.add(f"found {broken} values that are NaN or infinite; what is absent is 0, so drop these rows")
    if negative := int((values < 0).sum()):
        problems.add(f"expected values >= 0, found {negative} negative ones")
    return values


def _placed(
    column: pd.Series[Any],
    dim: str,
    known: ArrayLike | None,
    bins: tuple[float, float, float] | None,
    problems: Problems,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Labels of a dim, and the position of each row among them; -1 is outside of the bins."""
    nothing = np.zeros(0), np.zeros(len(column), dtype=np.int64)
    if missing := int(column.isna().sum()):
        problems.add(f"{missing} rows have no {dim}; drop them")
        return nothing
    if bins is not None:
        return _binned(column, dim, bins, problems) or nothing
    numeric = column.dtype.kind in "iuf"
    along = np.asarray(known) if known is not None else column.unique() if not numeric else np.unique(column)
    along = along if along.dtype.kind in "iuf" else labels.as_labels(along)
    if len(set(along.tolist())) < len(along):
        problems.add(f"labels of {dim} repeat; give each once")
        return nothing
    place = _positions(column.to_numpy(), along)
    if (place < 0).any():
        unknown = pd.unique(column[place < 0]).tolist()
        problems.add(f"{len(unknown)} labels of {dim} are not among its coordinates: {listed(unknown)}")
    return along, place


def _binned(
    column: pd.Series[Any], dim: str, bins: tuple[float, float, float], problems: Problems
) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    start, stop, width = bins
    if column.dtype.kind not in "iuf" or not (np.isfinite([start, stop, width]).all() and 0 < width <= stop - start):
        problems.add(
            f"bins of {dim} must be (start, stop, width) with 0 < width <= stop - start, got {bins}, for numbers"
        )
        return None
    n = int(np.floor((stop - start) / width + _GRAIN))
    place = np.floor((column.to_numpy(np.float64) - start) / width + _GRAIN)
    return start + (np.arange(n) + 0.5) * width, np.where((place >= 0) & (place < n), place, -1).astype(np.int64)


def _positions(values: NDArray[Any], along: NDArray[Any]) -> NDArray[np.int64]:
    """Position of each value among unique labels; -1 where it is not among them."""
    if along.dtype.kind not in "iuf":
        return labels.positions(values, along)
    if values.dtype.kind not in "iuf" or not along.size:
        return np.full(len(values), -1)
    order = np.argsort(along)
    place = np.searchsorted(along[order], values).clip(max=along.size - 1)
    return np.where(along[order[place]] == values, order[place], -1).astype(np.int64)
