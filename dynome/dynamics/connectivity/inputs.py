"""What the labelled functions of this folder share: checks of the activity, labels and units of the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from dynome import labels, units
from dynome.errors import InputError, Problems, UnitsError, listed
from dynome.schema import NODE, SOURCE, TARGET, TIME


def checked(activity: object, subject: str) -> xr.DataArray:
    """The activity as ``(..., time, node)``, or an error that tells everything that is wrong with it.

    Parameters
    ----------
    activity : (..., time, node), numeric
    subject : str
        What cannot be done, for the message.

    Raises
    ------
    InputError
    """
    problems = Problems(subject)
    if not isinstance(activity, xr.DataArray):
        problems.add(f"expected a DataArray (time, node) such as recording.activity, found {type(activity).__name__}")
        problems.fail(InputError)
    if absent := [d for d in (TIME, NODE) if d not in activity.dims]:
        problems.add(f"expected dims time and node, missing {listed(absent)}, found {tuple(map(str, activity.dims))}")
        problems.fail(InputError)
    if activity.dtype.kind not in "iuf":
        problems.add(f"activity must be real numbers, found dtype {activity.dtype}")
    if activity.sizes[TIME] < 2:
        problems.add(f"at least 2 time samples are needed, found {activity.sizes[TIME]}")
    if activity.sizes[NODE] < 1:
        problems.add("at least one node is needed, found none")
    _check_labels(activity, problems)
    problems.raise_if_any(InputError)
    return activity.transpose(..., TIME, NODE)


def _check_labels(activity: xr.DataArray, problems: Problems) -> None:
    if NODE not in activity.coords:
        problems.add("node must have labels, found none; assign them with .assign_coords(node=[...])")
    elif not activity.indexes[NODE].is_unique:
        repeated = listed(labels.duplicates(activity[NODE].to_numpy()))
        problems.add(f"node labels must be unique, found repeated {repeated}; rename or drop the repeats")


def pair_coords(activity: xr.DataArray) -> dict[str, Any]:
    """Coordinates of a result on ``(..., source, target)``.

    What `activity` knows of its nodes goes to both ends: ``cell_type (node)`` becomes ``source_cell_type (source)``
    and ``target_cell_type (target)``. Coordinates of leading dims and scalars stay; those on time go.
    """
    nodes = labels.as_labels(activity[NODE].to_numpy())
    coords: dict[str, Any] = {SOURCE: nodes, TARGET: nodes}
    for name, coord in activity.coords.items():
        if name in (NODE, TIME) or TIME in coord.dims:
            continue
        if NODE not in coord.dims:
            coords[str(name)] = coord.variable
            continue
        for end in (SOURCE, TARGET):
            dims = [end if d == NODE else d for d in coord.dims]
            coords[f"{end}_{name}"] = xr.Variable(dims, coord.variable._data, coord.attrs)
    return coords


def pair_attrs(activity: xr.DataArray, kind: str, unit: str, *, directed: bool = False) -> Mapping[str, Any]:
    """Attributes of a result: those of `activity`, with its own unit and name."""
    own = {"units": unit, "long_name": kind, "kind": kind, "directed": int(directed)}
    return {**activity.attrs, **own}


def unit_power(activity: xr.DataArray, power: int) -> str:
    """The unit of `activity` to a power.

    Raises
    ------
    UnitsError
        If it has no unit.

    Examples
    --------
    >>> x = xr.DataArray([0.0], attrs={"units": "mV"})
    >>> unit_power(x, 2), unit_power(x.assign_attrs(units="dF/F"), -2), unit_power(x.assign_attrs(units="1"), 2)
    ('mV^2', '(dF/F)^-2', '1')
    """
    unit = units.of(activity)
    if unit is None:
        raise UnitsError('this kind has the unit of the activity squared, and activity has none; set attrs["units"]')
    if unit == units.DIMENSIONLESS:
        return unit
    return f"{unit}^{power}" if unit.isalnum() else f"({unit})^{power}"
