"""Labels to positions and back, for a handful of nodes or for millions of edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dynome.errors import InputError, listed

_CHUNK = 1 << 15  # labels hashed at a time: small enough to stay in cache

StrArray = NDArray[np.str_]


def as_labels(values: Any) -> StrArray:
    """Labels as a fixed-width string array.

    Parameters
    ----------
    values : (n,)
        Strings of any kind (list, object array, pandas or numpy strings) or integers (ids become their digits).

    Returns
    -------
    (n,)
        ``<U`` array, a view of the input where it is one already.

    Raises
    ------
    ValueError
        If a label is missing, is a float, or the input is not one-dimensional.

    Examples
    --------
    >>> as_labels(["AVAL", "AVAR"]).tolist(), as_labels([720575940, 7]).tolist()
    (['AVAL', 'AVAR'], ['720575940', '7'])
    """
    if isinstance(values, str):
        raise ValueError(f"expected a list of labels, got the single string {values!r}")
    array = np.asarray(values if hasattr(values, "__array__") or isinstance(values, list) else list(values))
    if array.ndim != 1:
        raise ValueError(f"labels must be one-dimensional, got shape {array.shape}")
    if array.dtype.kind == "U":
        return array
    if array.dtype.kind in "iu" or not array.size:
        return array.astype(np.str_)
    if array.dtype.kind in "OT":
        missing = pd.isna(array)
        if missing.any():
            raise ValueError(f"{int(missing.sum())} of {array.size} labels are missing")
        if array.dtype.kind == "T" or all(isinstance(v, str | int | np.integer) for v in array):
            return array.astype(np.str_)
    raise ValueError(f"labels must be strings or integers, got dtype {array.dtype} such as {array.ravel()[0]!r}")


def positions(values: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Position of each value among `labels`; -1 where it is unknown.

    Parameters
    ----------
    values : (n,)
        Labels to look up, repeats allowed.
    labels : (m,)
        Unique labels.

    Returns
    -------
    (n,)
        ``labels[out[k]] == values[k]`` wherever ``out[k] >= 0``.

    Raises
    ------
    InputError
        If `labels` repeat.

    Examples
    --------
    >>> positions(["b", "x", "a", "b"], ["a", "b"]).tolist()
    [1, -1, 0, 1]
    """
    known = np.asarray(labels).astype(np.str_)
    array = np.asarray(values)
    hashes = _hash(known)
    index = pd.Index(hashes)
    if not index.is_unique:
        if repeated := duplicates(known):
            raise InputError(f"labels must be unique to be looked up, found repeated {listed(repeated)}")
        # Two labels with one 64-bit hash: let pandas compare the strings themselves.
        exact = pd.Index(known.astype(object)).get_indexer(pd.Index(array.astype(object), dtype=object))
        return np.asarray(exact, dtype=np.int64)
    out = np.empty(array.size, dtype=np.int64)
    for start in range(0, array.size, _CHUNK):
        part = array[start : start + _CHUNK].astype(np.str_, copy=False)
        found = index.get_indexer(pd.Index(_hash(part)))
        found[(found >= 0) & (known[found] != part)] = -1
        out[start : start + _CHUNK] = found
    return out


def _hash(values: StrArray) -> NDArray[np.uint64]:
    """A 64-bit polynomial hash of each label; padding counts as zero, so widths may differ."""
    letters = np.ascontiguousarray(values).view(np.uint32).reshape(values.size, -1)
    powers = np.cumprod(np.full(letters.shape[1], 0x9E3779B97F4A7C15, dtype=np.uint64))
    return np.asarray(letters.astype(np.uint64) @ powers, dtype=np.uint64)


def duplicates(labels: ArrayLike) -> list[str]:
    """Labels that occur more than once, in order of first appearance.

    Examples
    --------
    >>> duplicates(["a", "b", "a"])
    ['a']
    """
    series = pd.Series(np.asarray(labels).astype(object), dtype=object)
    return [str(v) for v in series[series.duplicated()].unique()]


def shared(*label_sets: ArrayLike) -> StrArray:
    """Labels that occur in every set, in the order of the first.

    Examples
    --------
    >>> shared(["c", "a", "b"], ["b", "c"]).tolist()
    ['c', 'b']
    """
    first = as_labels(label_sets[0])
    keep = np.ones(first.size, dtype=bool)
    for other in label_sets[1:]:
        keep &= positions(first, as_labels(other)) >= 0
    return first[keep]
