"""Recordings: what is checked of one session on one clock."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome import units
from dynome.errors import Problems, listed
from dynome.schema.names import ACTIVITY, NODE, SPIKE_COUNT, TIME
from dynome.schema.parts import check_attrs, check_labels, check_units, in_memory


def check_recording(obj: xr.Dataset, problems: Problems, lazy: bool) -> None:
    """Note everything that is wrong with a recording."""
    if missing := [d for d in (TIME, NODE) if d not in obj.dims]:
        problems.add(f"expected dims time and node, missing {listed(missing)}, found {tuple(map(str, obj.dims))}")
        return
    _check_clock(obj, problems)
    check_labels(obj, NODE, problems)
    check_units(obj, problems)
    check_attrs(obj, "the recording", problems)
    present = [n for n in (ACTIVITY, SPIKE_COUNT) if n in obj.data_vars]
    if not present:
        problems.add(f"expected a variable activity or spike_count, found {listed(obj.data_vars) or 'none'}")
    if SPIKE_COUNT in present and units.of(obj[SPIKE_COUNT]) not in (None, "count"):
        problems.add(
            f'spike_count must have attrs["units"] == "count", found {obj[SPIKE_COUNT].attrs["units"]!r}; put rates '
            "into activity"
        )
    for name in present:
        variable = obj[name]
        if variable.dims != (TIME, NODE):
            problems.add(f"{name} must have dims (time, node), found {variable.dims}; transpose it")
        elif variable.dtype.kind not in "iuf":
            problems.add(f"{name} must be numeric, found dtype {variable.dtype}")
        elif variable.size and (lazy or in_memory(variable)):
            _check_samples(variable, problems)
    if obj.sizes[NODE] == 0:
        problems.add("a recording needs at least one node, found none")


def _check_clock(obj: xr.Dataset, problems: Problems) -> None:
    if TIME not in obj.coords:
        problems.add("time must be a coordinate in seconds, found none; assign one with .assign_coords(time=...)")
        return
    clock = obj[TIME]
    stamps = clock.to_numpy()
    if stamps.dtype != np.float64:
        problems.add(f"time must be float64 seconds, found {stamps.dtype}; rebuild it, e.g. np.arange(n) / rate")
        return
    if units.of(clock) != units.SECONDS:
        problems.add(f'time must have attrs["units"] == "s", found {clock.attrs.get("units")!r}')
    if not np.isfinite(stamps).all():
        problems.add(f"time must be finite, found {int((~np.isfinite(stamps)).sum())} NaN or infinite stamps")
    elif (backward := int((np.diff(stamps) <= 0).sum())) > 0:
        first = int(np.argmax(np.diff(stamps) <= 0))
        problems.add(
            f"time must be strictly increasing, found {backward} stamps that repeat or go back (first after "
            f"{stamps[first]:g} s); sort and drop repeats, or rebuild it as np.arange(n) / rate"
        )
    if stamps.size < 2:
        problems.add(f"a recording needs at least 2 time samples, found {stamps.size}")


def _check_samples(variable: xr.DataArray, problems: Problems) -> None:
    name, values = str(variable.name), variable.variable
    sums = {}
    if variable.dtype.kind == "f":
        sums["infinite"] = np.isinf(values).sum()
        sums["silent"] = values.isnull().all(TIME)
    if name == SPIKE_COUNT:
        sums["negative"] = (values < 0).sum()
        if variable.dtype.kind == "f":
            sums["fractions"] = ((values != np.floor(values)) & values.notnull()).sum()
    found = xr.Dataset(sums).compute()  # one look at lazy values
    if infinite := int(found.get("infinite", 0)):
        problems.add(f"{name} has {infinite} infinite values; NaN is the missing value")
    if "silent" in found and found["silent"].any():
        silent = found["silent"].to_numpy()
        names = variable[NODE].to_numpy()[silent] if NODE in variable.coords else np.flatnonzero(silent)
        problems.add(f"{name} is NaN at all times for {int(silent.sum())} nodes: {listed(names.tolist())}; drop them")
    if negative := int(found.get("negative", 0)):
        problems.add(f"spike_count must be >= 0, found {negative} negative values")
    if fractions := int(found.get("fractions", 0)):
        problems.add(f"spike_count must be whole numbers, found {fractions} fractions; bin spikes instead of rates")
