"""Recordings that end at different times: as one array padded with NaN, and as one matrix each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed

Array = NDArray[np.float64]

SUBJECT = "cannot fit a PARAFAC2 model"


def stacked(X: Any) -> xr.DataArray:
    """Recordings as one array over three dims, NaN after the end of each.

    Parameters
    ----------
    X : (animal, time, node), or mapping of animal to (time, node)
        See `NonnegativeParafac2`.

    Raises
    ------
    InputError
        If dims, nodes or units differ.
    """
    problems = Problems(SUBJECT)
    if isinstance(X, xr.DataArray):
        if X.ndim != 3 or 0 in X.shape:
            problems.add(f"expected 3 dims such as (animal, time, node), none empty, found {dict(X.sizes)}")
    elif not isinstance(X, Mapping) or not X or not all(isinstance(v, xr.DataArray) for v in X.values()):
        problems.add(f"expected a DataArray or a dict of animal to DataArray, got a {type(X).__name__}")
    else:
        first = next(iter(X.values()))
        node = first.dims[-1] if first.ndim == 2 else None
        for name, v in X.items():
            if v.ndim != 2 or v.dims != first.dims or 0 in v.shape:
                problems.add(
                    f"{name} must have dims (time, node), none empty, in the order of the others, found {v.dims}"
                )
            elif set(v[node].to_numpy().tolist()) != set(first[node].to_numpy().tolist()):
                problems.add(f"{name} has other nodes than the first recording; select those that all share")
            elif v.attrs.get("units") != first.attrs.get("units"):
                problems.add(
                    f"{name} is in {v.attrs.get('units')!r}, the first in {first.attrs.get('units')!r}; convert"
                )
    problems.raise_if_any(InputError)
    return X if isinstance(X, xr.DataArray) else _padded(X)


def _padded(recordings: Mapping[str, xr.DataArray]) -> xr.DataArray:
    first = next(iter(recordings.values()))
    time_, node = first.dims
    labels = first[node].to_numpy()
    ordered = [v.sel({node: labels}) if node in v.coords else v for v in recordings.values()]
    longest = max(ordered, key=lambda v: v.sizes[time_])
    values = np.full((len(ordered), longest.sizes[time_], labels.size), np.nan)
    clock = np.full(values.shape[:2], np.nan)
    for k, v in enumerate(ordered):
        values[k, : v.sizes[time_]] = v.to_numpy()
        clock[k, : v.sizes[time_]] = np.asarray(v[time_], dtype=np.float64)
    coords: dict[Any, Any] = {n: c for n, c in first.coords.items() if c.dims == (node,)}
    if time_ in first.coords:
        if all(np.array_equal(v[time_], longest[time_][: v.sizes[time_]]) for v in ordered):
            coords[time_] = longest[time_]
        else:
            coords["clock"] = (("animal", time_), clock, first[time_].attrs)
    return xr.DataArray(
        values,
        dims=("animal", time_, node),
        coords={**coords, "animal": list(recordings)},
        name=first.name,
        attrs=first.attrs,
    )


def complete_slices(X: xr.DataArray) -> list[Array]:
    """One complete matrix a recording: what lies after its end is cut off.

    Parameters
    ----------
    X : (animal, time, node)
        As `stacked` gives it.

    Raises
    ------
    InputError
        If a value is infinite or missing before the end, or there is nothing in it.
    """
    values = X.to_numpy().astype(np.float64)
    problems = Problems(SUBJECT)
    if infinite := int(np.isinf(values).sum()):
        problems.add(f"found {infinite} infinite values")
    gone = np.asarray(np.isnan(values).all(2))
    lengths = values.shape[1] - np.argmin(gone[:, ::-1], axis=1)
    slices = [v[:n] for v, n in zip(values, lengths, strict=True)]
    names = X[X.dims[0]].to_numpy().tolist()
    if empty := [n for n, g in zip(names, gone, strict=True) if g.all()]:
        problems.add(f"{listed(empty)} have no values; drop them")
    elif holes := {n: int(np.isnan(s).sum()) for n, s in zip(names, slices, strict=True) if np.isnan(s).any()}:
        told = ", ".join(f"{n}: {k}" for n, k in holes.items())
        problems.add(f"found missing values before the end of a recording ({told}); fill them or drop the nodes")
    if not problems.found and not any(s.any() for s in slices):
        problems.add("every value is 0; there is nothing to factorise")
    problems.raise_if_any(InputError)
    return slices
