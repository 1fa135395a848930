"""Functional connectivity: dense matrices with a label on each side."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome import units
from dynome.errors import Problems
from dynome.schema.names import SOURCE, TARGET
from dynome.schema.parts import check_attrs, check_labels, in_memory


def check_functional_connectivity(obj: xr.DataArray, problems: Problems, lazy: bool) -> None:
    """Note everything that is wrong with a functional connectivity."""
    if obj.dims[-2:] != (SOURCE, TARGET):
        problems.add(f"the last dims must be (source, target), found {tuple(map(str, obj.dims))}; transpose it")
        return
    for end in (SOURCE, TARGET):
        check_labels(obj, end, problems)
    if units.of(obj) is None:
        problems.add('expected attrs["units"]; use "1" for correlations')
    if obj.dtype.kind not in "biuf":
        problems.add(f"values must be numeric, found dtype {obj.dtype}")
    elif (lazy or in_memory(obj)) and (infinite := int(np.isinf(obj).sum())):
        problems.add(f"found {infinite} infinite values; NaN is the missing value")
    check_attrs(obj, "the functional connectivity", problems)
