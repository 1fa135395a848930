"""What all kinds share: labels, units and attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from dynome import labels, units
from dynome.errors import Problems, listed


def check_labels(obj: xr.Dataset | xr.DataArray, dim: str, problems: Problems) -> bool:
    """Note what is wrong with the labels of `dim`; True if they can be looked up."""
    if dim not in obj.coords:
        problems.add(f"{dim} must have labels, found none; assign them with .assign_coords({dim}=[...])")
        return False
    values = obj[dim].to_numpy()
    if values.dtype.kind in "OT" and (missing := int(pd.isna(values).sum())):
        problems.add(f"{missing} of {values.size} {dim} labels are missing; give each {dim} a label or drop it")
        return False
    if values.dtype.kind not in "UT" and not (values.dtype.kind == "O" and all(isinstance(v, str) for v in values)):
        problems.add(f"{dim} labels must be strings, found dtype {values.dtype}; convert with dynome.labels.as_labels")
        return False
    if (empty := int((values == "").sum())) > 0:
        problems.add(f"{empty} {dim} labels are empty strings; give each {dim} a label")
    if repeated := [v for v in labels.duplicates(values) if v]:
        problems.add(f"{dim} labels must be unique, found repeated {listed(repeated)}; rename or drop the repeats")
        return False
    return not empty


def check_units(obj: xr.Dataset, problems: Problems) -> None:
    """Note numeric variables and positions without a unit."""
    numeric = [n for n, v in obj.data_vars.items() if v.dtype.kind in "iufc"]
    spatial = [n for n in ("x", "y", "z") if n in obj.coords]
    if without := [str(n) for n in (*numeric, *spatial) if units.of(obj[n]) is None]:
        problems.add(
            f'numeric variables must have attrs["units"], missing on {listed(without)}; use "1" if dimensionless'
        )


def check_attrs(obj: xr.Dataset | xr.DataArray, what: str, problems: Problems) -> None:
    """Note attributes that a store could not hold, of the object and of its variables."""
    inner = obj.coords if isinstance(obj, xr.DataArray) else obj.variables
    for where, attrs in [(what, obj.attrs), *((str(name), variable.attrs) for name, variable in inner.items())]:
        for name, value in attrs.items():
            if not isinstance(name, str) or plain_attribute(value) is None:
                problems.add(
                    f"attrs[{name!r}] of {where} must be str, int, float or a list of these, found {value!r:.60}"
                )


def plain_attribute(value: object) -> str | float | list[Any] | None:
    """An attribute as str, int, float or a list of these; None where it is none of them."""
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    items = list(plain) if isinstance(plain, list | tuple) else [plain]
    if not all(isinstance(v, str | int | float) for v in items):
        return None
    return items if isinstance(plain, list | tuple) else plain  # type: ignore[return-value]


def in_memory(variable: xr.DataArray) -> bool:
    """Whether looking at the values costs no reading."""
    return isinstance(variable.variable._data, np.ndarray)
