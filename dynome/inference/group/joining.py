"""Variables of many sessions under one numbering, joined by their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import listed
from dynome.inference.group.members import unordered
from dynome.schema import NODE, PAIR, SESSION, SOURCE, STATE, TARGET, TIME

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEXT = "next_state"
_OWN = ("animal", "session", "trial")  # dims of a session's own fit, though they have labels
_MOST = 50_000_000  # values of a variable over all sessions: 400 MB


def joined_variables(units: Mapping[str, xr.Dataset], dim: str, order: Ints) -> xr.Dataset:
    """Every number over `dim` and labels, with a dim ``session``, in the order given.

    Parameters
    ----------
    units : mapping of session to Dataset
    dim : str
        Of what was matched.
    order : (n_session, n)
        Position of the unit at each place, -1 for none.

    Returns
    -------
    Dataset
        NaN where a session has no such unit, label or variable. What would hold more than 50 million numbers is left
        out and named in ``attrs["left_out"]``.
    """
    sessions = [_with_shares(_canonical(data), dim) for data in units.values()]
    names = [str(n) for data in sessions for n in data.data_vars if _joins(data[n], dim)]
    out: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    left_out: list[str] = []
    for name in dict.fromkeys(names):
        having = [name in data and _joins(data[name], dim) for data in sessions]
        first = sessions[having.index(True)][name].transpose(dim, ...)
        dims = [str(d) for d in first.dims[1:]]
        if any(h and {*map(str, data[name].dims)} != {dim, *dims} for h, data in zip(having, sessions, strict=True)):
            continue  # the same name for different things
        axes = {d: _union([data[d] for h, data in zip(having, sessions, strict=True) if h]) for d in dims if d != _NEXT}
        shape = tuple(order.shape[1] if d == _NEXT else axes[d].size for d in dims)
        if order.size * int(np.prod(shape)) > _MOST:
            left_out.append(name)
            continue
        values = np.full((*order.shape, *shape), np.nan)
        for s, data in enumerate(sessions):
            if having[s]:
                _put(values[s], data[name].transpose(dim, *dims), order[s], axes)
        attrs = {k: v for k, v in first.attrs.items() if k in ("units", "long_name")}
        out[name] = ((SESSION, dim, *dims), values, {"units": "1"} | attrs)
        coords |= {d: (d, axis) for d, axis in axes.items()}
        coords |= {_NEXT: np.arange(order.shape[1])} if _NEXT in dims else {}
    joined = xr.Dataset(out, coords=coords)
    joined = joined.assign_coords(_coordinates(sessions, joined))
    return joined.assign_attrs(left_out=listed(left_out)) if left_out else joined


def _with_shares(data: xr.Dataset, dim: str) -> xr.Dataset:
    if "active" not in data or {*data["active"].dims} != {TIME, dim}:
        return data
    share = data["active"].astype(np.float64).mean(TIME)
    return data.assign(active_share=share.assign_attrs(units="1", long_name="share of time that it is active"))


def _canonical(data: xr.Dataset) -> xr.Dataset:
    """Pairs named alike in every session, whatever the order of its nodes."""
    if PAIR not in data.dims or not {SOURCE, TARGET} <= {*data.coords} or data[SOURCE].dims != (PAIR,):
        return data
    ends = [labels.as_labels(data[end].to_numpy()) for end in (SOURCE, TARGET)]
    low, high = unordered(*ends)
    names = np.char.add(np.char.add(low, "|"), high)
    return data.assign_coords({PAIR: names, SOURCE: (PAIR, low), TARGET: (PAIR, high)})


def _joins(variable: xr.DataArray, dim: str) -> bool:
    rest = [str(d) for d in variable.dims if d != dim]
    named = all(d == _NEXT or _has_labels(variable, d) for d in rest)
    return dim in variable.dims and named and variable.dtype.kind in "fb" and (_NEXT not in rest or dim == STATE)


def _has_labels(variable: xr.DataArray, dim: str) -> bool:
    if dim in _OWN or dim.startswith("other_") or dim not in variable.coords:
        return False
    return variable[dim].dtype.kind in ("UTOiu" if dim in (NODE, SOURCE, TARGET) else "UTO")


def _union(axes: list[xr.DataArray]) -> labels.StrArray:
    """All labels, in the order of the first session that has them."""
    names = np.concatenate([labels.as_labels(axis.to_numpy()) for axis in axes])
    _, first = np.unique(names, return_index=True)
    return names[np.sort(first)]


def _put(values: Floats, own: xr.DataArray, order: Ints, axes: Mapping[str, labels.StrArray]) -> None:
    there = np.flatnonzero(order >= 0)
    places = [there]
    taken = own.to_numpy().astype(np.float64)[order[there]]
    for axis, d in enumerate(map(str, own.dims[1:]), start=1):
        if d == _NEXT:
            taken = np.take(taken, order[there], axis=axis)
            places.append(there)
        else:
            places.append(labels.positions(labels.as_labels(own[d].to_numpy()), axes[d]))
    values[np.ix_(*places)] = taken


def _coordinates(sessions: list[xr.Dataset], joined: xr.Dataset) -> dict[str, Any]:
    """Coordinates of labels, from the first session that has each label."""
    out: dict[str, Any] = {}
    for d in map(str, joined.dims):
        if d == _NEXT or d not in joined.coords:
            continue
        for data in sessions:
            for name, coord in data.coords.items():
                if coord.dims == (d,) and name != d and coord.dtype.kind in "fUTO" and str(name) not in joined.dims:
                    _fill(out, str(name), d, coord, joined)
    return {
        name: (d, values if values.dtype.kind == "f" else values.astype(np.str_), attrs)
        for name, (d, values, attrs, _) in out.items()
    }


def _fill(out: dict[str, Any], name: str, dim: str, coord: xr.DataArray, joined: xr.Dataset) -> None:
    place = labels.positions(labels.as_labels(coord[dim].to_numpy()), joined[dim].to_numpy())
    number = coord.dtype.kind == "f"
    n = joined.sizes[dim]
    blank = np.full(n, np.nan) if number else np.full(n, "", dtype=object)
    _, values, _, set_ = out.setdefault(name, (dim, blank, dict(coord.attrs), np.zeros(n, dtype=bool)))
    new = (place >= 0) & ~set_[np.maximum(place, 0)]
    values[place[new]] = coord.to_numpy()[new]
    set_[place[new]] = True
