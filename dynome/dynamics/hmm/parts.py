"""One recording of a chain model's input: which of its bins are used, where sequences begin, what is known of each bin.

A part is read as a grid ``(leading dims..., time)`` of bins laid end to end, time fastest. `Part.position` are the bins
of the grid that are used; everything else about a bin is told in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import units
from dynome.errors import Problems, UnitsError, listed
from dynome.schema import ANIMAL, NODE, SESSION, TIME, TRIAL

Array = NDArray[np.float64]
Recording = xr.DataArray | xr.Dataset

_GAP = 1.5  # steps of the clock longer than so many usual ones are gaps
_BOUNDARIES = (ANIMAL, SESSION, TRIAL)


class Part(NamedTuple):
    """One recording, as arrays.

    Attributes
    ----------
    y : (n_bin, n_node)
        Used bins; NaN is missing.
    first : (n_bin,)
        Whether a sequence begins.
    position : (n_bin,)
        In the grid of the recording.
    covariates : list of (n_bin, n_column)
        One entry a group of names.
    names : list of tuple of str
        Their columns.
    step : float or None
        Seconds a bin.
    frame : DataArray (..., time)
        Dims and coordinates of the grid.
    """

    y: Array
    first: NDArray[np.bool_]
    position: NDArray[np.int64]
    covariates: list[Array]
    names: list[tuple[str, ...]]
    step: float | None
    frame: xr.DataArray


def variable_of(data: object, names: Sequence[str], where: str, problems: Problems) -> xr.DataArray | None:
    """The first of `names` that a recording has, as ``(..., time, node)``; None where there is a problem."""
    recording = data
    if isinstance(data, xr.Dataset):
        present = [name for name in names if name in data.data_vars]
        if not present:
            wanted, held = " or ".join(names), listed(data.data_vars) or "none"
            problems.add(f"{where}expected a variable {wanted}, found {held}; pass the variable itself")
            return None
        recording = data[present[0]]
    if not isinstance(recording, xr.DataArray):
        problems.add(
            f"{where}expected a DataArray (time, node), a recording or a study, found {type(recording).__name__}; "
            'label an array with xr.DataArray(x, dims=("time", "node"))'
        )
        return None
    if absent := [d for d in (TIME, NODE) if d not in recording.dims]:
        found = tuple(map(str, recording.dims))
        problems.add(f"{where}expected dims time and node, missing {listed(absent)}, found {found}; rename the dims")
        return None
    if recording.dtype.kind not in "biuf":
        problems.add(f"{where}observations must be real numbers, found dtype {recording.dtype}")
        return None
    return recording.transpose(..., TIME, NODE)


def read(
    values: xr.DataArray, source: Recording, groups: Sequence[Sequence[str]], where: str, problems: Problems
) -> Part:
    """Take one recording apart.

    Parameters
    ----------
    values : (..., time, node)
        As `variable_of` gives it.
    source : DataArray or Dataset
        Where covariates are looked up by name, among variables and coordinates.
    groups : sequence of sequences of str
        Names of covariates.
    where : str
        Which recording this is, for messages.
    problems : Problems
        Everything that is wrong is added.
    """
    frame = _frame(values)
    n_time, n_node = values.sizes[TIME], values.sizes[NODE]
    grid = np.asarray(values.to_numpy(), dtype=np.float64).reshape(math.prod(values.shape[:-2]), n_time, n_node)
    used = _not_padding(grid) if values.ndim > 2 else np.ones(grid.shape[:2], dtype=bool)
    index = np.flatnonzero(used.ravel())
    y = grid.reshape(used.size, n_node)
    if index.size < y.shape[0]:
        y = y[index]
    if infinite := int(np.isinf(y).sum()):
        problems.add(f"{where}found {infinite} infinite values; NaN is the missing value, replace them")
    breaks, step = _breaks(frame, where, problems)
    first = breaks.ravel()[index]
    first |= np.diff(index // max(n_time, 1), prepend=-1) > 0
    found = [_columns(source, names, frame, where, problems) for names in groups]
    covariates = [np.ascontiguousarray(columns[index]) for columns, _ in found]
    return Part(y, first, index, covariates, [names for _, names in found], step, frame)


def _frame(values: xr.DataArray) -> xr.DataArray:
    """Dims and coordinates without nodes, over an array that takes no memory."""
    dims = values.dims[:-1]
    coords = {name: coord.variable for name, coord in values.coords.items() if set(coord.dims) <= set(dims)}
    return xr.DataArray(np.broadcast_to(0.0, values.shape[:-1]), dims=dims, coords=coords)


def _not_padding(grid: Array) -> NDArray[np.bool_]:
    """All bins from the first to the last that has a value, for each row."""
    seen = ~np.logical_and.reduce(np.isnan(grid), axis=2)
    from_first = np.logical_or.accumulate(seen, axis=1)
    to_last = np.logical_or.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(from_first & to_last)


def _breaks(frame: xr.DataArray, where: str, problems: Problems) -> tuple[NDArray[np.bool_], float | None]:
    """Where the grid (row, time) starts anew, and the seconds a bin."""
    n_time = frame.sizes[TIME]
    out = np.zeros((math.prod(frame.shape[:-1]), n_time), dtype=bool)
    out[:, :1] = True
    for name in _BOUNDARIES:
        if name in frame.coords and TIME in frame.coords[name].dims:
            codes = np.asarray(pd.factorize(on_grid(frame, name))[0]).reshape(out.shape)
            out[:, 1:] |= codes[:, 1:] != codes[:, :-1]
    if TIME not in frame.coords or n_time < 2:
        return out, None
    clock = frame[TIME]
    if clock.dtype.kind not in "iuf" or not np.isfinite(clock.to_numpy()).all():
        problems.add(f"{where}time must be finite numbers of seconds, found dtype {clock.dtype} or NaN; rebuild it")
        return out, None
    steps = np.diff(clock.to_numpy().astype(np.float64))
    inside = ~np.logical_and.reduce(out[:, 1:], axis=0)
    usual = float(np.median(steps[inside])) if inside.any() else math.nan
    if usual <= 0:
        problems.add(f"{where}time must increase, found a median step of {usual:g}; sort the bins or rebuild the clock")
        return out, None
    out[:, 1:] |= (steps > _GAP * usual) | (steps <= 0)
    if units.of(clock) == units.DIMENSIONLESS:
        return out, None
    try:
        seconds = units.seconds_per(clock.attrs.get("units", units.SECONDS))
    except UnitsError as error:
        problems.add(f"{where}{error}")
        return out, None
    # Differences of stamps leave digits that no clock has.
    return out, float(f"{usual * seconds:.10g}") if usual > 0 else None


def on_grid(frame: xr.DataArray, name: str) -> NDArray[Any]:
    """A coordinate of the frame for every bin of the grid."""
    sizes: dict[Any, int] = dict(frame.sizes)
    return np.asarray(_spread(frame.coords[name].variable, sizes).to_numpy().ravel())


def with_positions(frame: xr.DataArray) -> xr.DataArray:
    """The frame with 0, 1, ... as labels of leading dims that have none."""
    return frame.assign_coords({d: np.arange(frame.sizes[d]) for d in frame.dims[:-1] if d not in frame.coords})


def _spread(variable: xr.Variable, sizes: dict[Any, int]) -> xr.Variable:
    spread: xr.Variable = variable.set_dims(sizes)  # type: ignore[no-untyped-call]
    return spread.transpose(*sizes)


def _columns(
    source: Recording, names: Sequence[str], frame: xr.DataArray, where: str, problems: Problems
) -> tuple[Array, tuple[str, ...]]:
    """Covariates by name, over the whole grid."""
    columns: list[Array] = [np.empty((frame.size, 0))]
    labels: list[str] = []
    known = source.variables if isinstance(source, xr.Dataset) else source.coords
    for name in names:
        if name not in known:
            problems.add(f"{where}expected a covariate {name!r}, found {listed(map(str, known)) or 'none'}")
            continue
        covariate = source[name]
        extra = [d for d in covariate.dims if d not in frame.dims]
        if len(extra) > 1 or covariate.dtype.kind not in "biuf":
            problems.add(
                f"{where}covariate {name!r} must be numbers over {', '.join(map(str, frame.dims))} and at most one dim "
                f"of features, found dtype {covariate.dtype} over {tuple(map(str, covariate.dims))}"
            )
            continue
        sizes: dict[Any, int] = {**frame.sizes, **{d: covariate.sizes[d] for d in extra}}
        spread = _spread(covariate.variable, sizes)
        values = np.asarray(spread.to_numpy(), dtype=np.float64).reshape(
            frame.size, math.prod(covariate.sizes[d] for d in extra)
        )
        if np.isinf(values).any():
            problems.add(f"{where}covariate {name!r} has infinite values; replace them by NaN or drop the bins")
        columns.append(values)
        labels += [f"{name}_{label}" for label in covariate[extra[0]].to_numpy()] if extra else [name]
    return np.concatenate(columns, axis=1), tuple(labels)
