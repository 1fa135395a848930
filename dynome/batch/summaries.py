"""Results of many sessions in one object: numbers side by side, with those that stand out, or one variable whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, listed

OUTLIER = 3.5
_MAD_TO_SD = 0.6745  # of a normal distribution
_OF_THE_RUN = ("seconds", "random_state")  # attributes that say nothing of a session


def summarize(results: Mapping[str, Any], variables: Sequence[str] | None = None) -> xr.Dataset:
    r"""Numbers of every session side by side, and which of them stand out.

    Parameters
    ----------
    results : mapping
        Session (``"animal"`` or ``"animal/session"``) to Dataset, DataArray, DataTree or fitted estimator, such as
        `BatchResults`.
    variables : list of str or None
        Names of variables or numeric attributes, those in a group of a tree as ``"group/name"``; None is all numbers
        but the attributes ``seconds`` and ``random_state``, which tell of the run and not of the session.

    Returns
    -------
    Dataset
        ``value (session, quantity)``: a number as it is, an array by the mean of its finite values; NaN where a session
        has none. ``robust_z (session, quantity)`` and ``outlier``; ``median``, ``mad`` and ``n`` (quantity). Coordinate
        ``animal (session)``.

    Raises
    ------
    InputError
        If there are no results or none has such a variable.

    Notes
    -----
    :math:`z = 0.6745 (x - \operatorname{median}) / \operatorname{MAD}`; beyond 3.5 a session counts as an outlier
    [1]_. Where more than half of the sessions agree exactly, z is NaN.

    References
    ----------
    .. [1] Iglewicz & Hoaglin, How to Detect and Handle Outliers, ASQC Quality Press 1993.

    Examples
    --------
    >>> results = {f"worm{k}": xr.Dataset({"fit": value}) for k, value in enumerate([1.0, 1.1, 0.9, 1.05, 5.0])}
    >>> found = summarize(results)
    >>> found.session[found.outlier.sel(quantity="fit")].to_numpy().tolist()
    ['worm4']
    """
    sessions = list(results)
    if not sessions:
        raise InputError("there are no results to summarise; results.failed tells why")
    rows = [_numbers(results[session]) for session in sessions]
    names = list(dict.fromkeys(name for row in rows for name in row))
    if variables is None:
        names = [name for name in names if name not in _OF_THE_RUN]
    else:
        if unknown := [v for v in variables if v not in names]:
            raise InputError(f"no session has numbers called {listed(unknown)}, there are {listed(names, 20)}")
        names = list(variables)
    value = np.array([[row.get(name, np.nan) for name in names] for row in rows], dtype=np.float64)
    median, mad, z = _robust(value.reshape(len(sessions), len(names)))
    return xr.Dataset(
        {
            "value": (("session", "quantity"), value, {"long_name": "value of each session", "units": "1"}),
            "robust_z": (("session", "quantity"), z, {"long_name": "robust z against all sessions", "units": "1"}),
            "outlier": (("session", "quantity"), np.abs(z) > OUTLIER),
            "median": ("quantity", median, {"units": "1"}),
            "mad": ("quantity", mad, {"long_name": "median absolute deviation", "units": "1"}),
            "n": ("quantity", np.isfinite(value).sum(0), {"long_name": "sessions with a value", "units": "1"}),
        },
        coords={
            "session": sessions,
            "quantity": np.array(names, dtype=np.str_),
            "animal": ("session", _animals(sessions)),
        },
    )


def concatenate(results: Mapping[str, Any], variable: str) -> xr.DataArray:
    """One variable of every session in one array, joined by labels.

    Parameters
    ----------
    results : mapping
        As in `summarize`.
    variable : str
        Its name; in a group of a tree ``"group/name"``.

    Returns
    -------
    DataArray
        ``(session, ...)``, lazy where the results are. NaN where a session lacks a label, such as a node that was not
        recorded. Coordinate ``animal (session)``.

    Raises
    ------
    InputError
        If sessions lack the variable, or have it over different dims.

    Examples
    --------
    >>> one = xr.DataArray([1.0, 2.0], coords={"node": ["a", "b"]}, name="rate")
    >>> two = xr.DataArray([3.0], coords={"node": ["b"]}, name="rate")
    >>> concatenate({"worm1": one, "worm2": two}, "rate").sel(node="b").to_numpy().tolist()
    [2.0, 3.0]
    """
    sessions = list(results)
    if not sessions:
        raise InputError("there are no results to join; results.failed tells why")
    found = {session: _variables(results[session]) for session in sessions}
    if absent := [session for session in sessions if variable not in found[session]]:
        there = listed(list(found[absent[0]]), 20)
        raise InputError(f"{listed(absent)} have no {variable!r}; {absent[0]!r} has {there}")
    arrays = [found[session][variable] for session in sessions]
    if len({array.dims for array in arrays}) > 1:
        raise InputError(f"{variable!r} has different dims: {listed(dict.fromkeys(a.dims for a in arrays))}")
    arrays = [array.drop_vars([n for n in array.coords if n not in array.dims]) for array in arrays]
    joined = xr.concat(arrays, dim="session", join="outer", coords="minimal", compat="override")
    joined = joined.assign_coords(session=sessions, animal=("session", _animals(sessions)))
    return joined.rename(variable.rpartition("/")[2])


def _animals(sessions: Sequence[str]) -> NDArray[np.str_]:
    return np.array([session.split("/")[0] for session in sessions], dtype=np.str_)


def _variables(result: Any) -> dict[str, xr.DataArray]:
    """Arrays of a result by name."""
    result = getattr(result, "results_", result)
    if isinstance(result, xr.DataArray):
        return {str(result.name or "value"): result}
    if isinstance(result, xr.Dataset):
        return {str(name): array for name, array in result.data_vars.items()}
    return {
        f"{key}/{name}".removeprefix("./"): array
        for key, node in result.subtree_with_keys
        for name, array in node.to_dataset(inherit=True).data_vars.items()
    }


def _numbers(result: Any) -> dict[str, float]:
    result = getattr(result, "results_", result)
    told = {str(k): float(v) for k, v in result.attrs.items() if isinstance(v, int | float | np.number)}
    for name, array in _variables(result).items():
        if array.dtype.kind in "iufb" and array.size:
            values = array.to_numpy().astype(np.float64, copy=False)
            finite = values[np.isfinite(values)]
            told[name] = float(finite.mean()) if finite.size else np.nan
    return told


def _robust(value: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    known = np.where(np.isfinite(value), value, np.nan)
    some = np.isfinite(known).any(0)
    median, mad = np.full(some.size, np.nan), np.full(some.size, np.nan)
    median[some] = np.nanmedian(known[:, some], axis=0)
    mad[some] = np.nanmedian(np.abs(known[:, some] - median[some]), axis=0)
    scale = np.where(mad > 0, mad, np.nan)
    return median, mad, _MAD_TO_SD * (value - median) / scale
