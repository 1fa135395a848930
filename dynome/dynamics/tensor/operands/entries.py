"""Entries of a labelled tensor as arrays: what is observed, how much it counts, and what is wrong with it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from dynome.errors import InputError, Problems, listed

SUBJECT = "cannot factorise this tensor"


class Entries(NamedTuple):
    """What was found in a tensor.

    Attributes
    ----------
    negative, infinite : int
        Entries that cannot be used.
    seen : list of (n_m,)
        For each mode, whether a row has any observed entry.
    anything : bool
        Whether any observed entry differs from 0.
    """

    negative: int
    infinite: int
    seen: list[NDArray[np.bool_]]
    anything: bool


def observed(
    X: xr.DataArray,
    weights: xr.DataArray | None = None,
    *,
    dtype: DTypeLike = np.float64,
    samples_only: bool = False,
    negative: bool = False,
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Values, and which of them are observed or how much each counts.

    Parameters
    ----------
    X : DataArray
        Nonnegative, at least two dims. NaN is missing.
    weights : DataArray or None
        How much each entry counts, at least 0, over some or all of the dims; 0 is missing. Only ratios matter: the mean
        of what is above 0 is set to 1.
    dtype : float32 or float64
        Of the values.
    samples_only : bool
        Whether labels of other dims than the first may be without any observed entry.
    negative : bool
        Whether values may be negative.

    Returns
    -------
    values : (n_1, ..., n_N)
        C-contiguous; not to be written to. Anything, NaN too, where the mask is 0 or False.
    mask : (1 or n_1, ..., 1 or n_N), bool or float64, or None
        Observed or not, or weights; of size 1 along dims where it does not vary. None where every entry counts alike.

    Raises
    ------
    InputError
        If a value is negative or infinite, a label has no observed entry, all is 0, or the weights do not fit.
    """
    problems = Problems(SUBJECT)
    if X.ndim < 2 or 0 in X.shape:
        problems.add(f"expected at least 2 dims, none empty, found {dict(X.sizes)}")
        problems.fail(InputError)
    x = np.ascontiguousarray(X.to_numpy(), dtype=dtype)
    missing: NDArray[np.bool_] = np.isnan(x)
    seen = np.asarray(~missing)
    counts = None if weights is None else checked_weights(X, weights, problems)
    if counts is not None:
        seen &= counts > 0
    entries = Entries(
        0 if negative else int((x < 0).sum()),
        int(np.isinf(x).sum()),
        [np.asarray(seen.any(tuple(k for k in range(x.ndim) if k != axis))) for axis in range(x.ndim)],
        bool((x != 0).any(where=seen)),
    )
    report(entries, X, problems, samples_only=samples_only)
    problems.raise_if_any(InputError)
    if counts is None:
        return x, None if seen.all() else _compressed(seen)
    return x, _compressed(np.where(seen, counts, 0.0))


def report(entries: Entries, X: xr.DataArray, problems: Problems, *, samples_only: bool) -> None:
    """Tell what is wrong with the entries.

    Parameters
    ----------
    entries : Entries
        What was found.
    X : DataArray
        For its labels.
    problems : Problems
        Is added to.
    samples_only : bool
        Whether labels of other dims than the first may be without any observed entry.
    """
    if entries.negative:
        problems.add(
            f"expected values >= 0, found {entries.negative} negative ones; use a nonnegative affinity, split signs, "
            'or fit what scatters around 0 with negative="fit"'
        )
    if entries.infinite:
        problems.add(f"found {entries.infinite} infinite values; NaN is the missing value")
    for dim, seen in list(zip(X.dims, entries.seen, strict=True))[: 1 if samples_only else None]:
        if not seen.all():
            names = X[dim].to_numpy()[~seen].tolist()
            problems.add(f"{len(names)} of {dim} have no observed entry: {listed(names)}; drop them")
    if not problems.found and not entries.anything:
        problems.add("every observed entry is 0; there is nothing to factorise")


def checked_weights(X: xr.DataArray, weights: xr.DataArray, problems: Problems) -> NDArray[np.float64] | None:
    """Weights with the dims of the tensor, of size 1 where they have none; None if they can't be used."""
    if not isinstance(weights, xr.DataArray) or not set(weights.dims) <= set(X.dims):
        problems.add(f"weights must be a DataArray over dims of {X.dims}, got {_described(weights)}")
        return None
    for dim in weights.dims:
        if weights.sizes[dim] != X.sizes[dim]:
            problems.add(f"weights have {weights.sizes[dim]} labels along {dim}, expected {X.sizes[dim]}")
        elif dim in weights.coords and dim in X.coords and not np.array_equal(weights[dim], X[dim]):
            problems.add(f"weights have other labels along {dim}; give them those of the tensor, in its order")
    values = weights.to_numpy()
    if values.dtype.kind not in "biuf" or not (np.isfinite(values) & (values >= 0)).all():
        problems.add("weights must be finite numbers >= 0; 0 leaves an entry out")
    if problems.found:
        return None
    missing = [d for d in X.dims if d not in weights.dims]
    spread = weights.expand_dims(missing).transpose(*X.dims).to_numpy().astype(np.float64)
    return np.asarray(spread / spread.mean(where=spread > 0) if (spread > 0).any() else spread)


def _described(value: object) -> str:
    return f"dims {value.dims}" if isinstance(value, xr.DataArray) else f"a {type(value).__name__}"


def _compressed(mask: NDArray[Any]) -> NDArray[Any]:
    """Size 1 along axes where nothing varies."""
    for axis in range(mask.ndim):
        first = mask.take([0], axis=axis)
        if (mask == first).all():
            mask = first
    return np.ascontiguousarray(mask)
