"""Affinities: what is checked of the description of an affinity tensor."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome import labels
from dynome.errors import Problems, listed
from dynome.schema.names import ANIMAL, NODE, PAIR, SOURCE, TARGET, TIME
from dynome.schema.parts import check_attrs, check_labels, check_units, in_memory

_NUMBERS = ("smooth", "threshold", "lag", "bandwidth", "signed")


def check_affinity(obj: xr.Dataset, problems: Problems, lazy: bool) -> None:
    """Note everything that is wrong with the description of an affinity tensor."""
    rate = obj.get("rate")
    if rate is None or set(rate.dims) != {ANIMAL, TIME, NODE}:
        found = "none" if rate is None else tuple(map(str, rate.dims))
        problems.add(f"expected a variable rate (animal, time, node), found {found}; make it with dynome's affinity()")
        return
    if rate.dtype.kind != "f":
        problems.add(f"rate must be floating point, found dtype {rate.dtype}")
    elif (lazy or in_memory(rate)) and (infinite := int(np.isinf(rate).sum())):
        problems.add(f"rate has {infinite} infinite values; NaN is the missing value")
    for name in _NUMBERS:
        if not isinstance(obj.attrs.get(name), int | float):
            problems.add(f"attrs[{name!r}] must be a number, found {obj.attrs.get(name)!r}")
    for name in ("kernel", "direction", "units"):
        if not isinstance(obj.attrs.get(name), str):
            problems.add(f"attrs[{name!r}] must be a string, found {obj.attrs.get(name)!r}")
    check_units(obj, problems)
    check_attrs(obj, "the affinity", problems)
    usable = [check_labels(obj, dim, problems) for dim in (ANIMAL, NODE)]
    missing = [n for n in (PAIR, SOURCE, TARGET) if n not in obj.coords or obj[n].dims != (PAIR,)]
    if missing:
        problems.add(f"expected coordinates pair, source and target over pair, missing {listed(missing)}")
    elif all(usable):
        ends = [labels.positions(obj[end].to_numpy(), obj[NODE].to_numpy()) for end in (SOURCE, TARGET)]
        lost = (ends[0] < 0) | (ends[1] < 0)
        if lost.any():
            names = listed(obj[PAIR].to_numpy()[lost].tolist())
            problems.add(
                f"{int(lost.sum())} pairs name nodes that are not there: {names}; keep all nodes, select pairs"
            )
