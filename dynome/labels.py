"""Labels to positions and back, for a handful of nodes or for millions of edges."""

from __future__ import annotations

from collections.abc import Iterable
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
    InputError
        If a label is missing, is no string or integer, or the input is not one-dimensional.

    Examples
    --------
    >>> as_labels(["AVAL", "AVAR"]).tolist(), as_labels([720575940, 7]).tolist()
    (['AVAL', 'AVAR'], ['720575940', '7'])
    """
    if isinstance(values, str | bytes) or not (hasattr(values, "__array__") or isinstance(values, Iterable)):
        raise InputError(f"expected a list of labels, got {values!r}")
    # A list as objects: numpy would turn ["a", nan] into ["a", "nan"].
    array = np.asarray(values) if hasattr(values, "__array__") else np.array(list(values), dtype=object)
    if array.ndim != 1:
        raise InputError(f"labels must be one-dimensional, got shape {array.shape}")
    if array.dtype.kind == "U":
        return array
    if array.dtype.kind in "iu" or not array.size:
        return array.astype(object).astype(np.str_)
    if array.dtype.kind in "OT":
        missing = pd.isna(array)
        if missing.any():
            raise InputError(f"{int(missing.sum())} of {array.size} labels are missing; give each a label or drop it")
        odd = [v for v in array if not isinstance(v, str | int | np.integer) or isinstance(v, bool)]
        if not odd:
            return array.astype(object).astype(np.str_)
        raise InputError(f"labels must be strings or integers, got {listed(odd)}")
    raise InputError(f"labels must be strings or integers, got dtype {array.dtype} such as {array[0]!r}")


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
        ``labels[out[k]] == values[k]`` wherever ``out[k] >= 0``. A missing value is unknown.

    Raises
    ------
    InputError
        If `labels` repeat.

    Examples
    --------
    >>> positions(["b", "x", "a", "b"], ["a", "b"]).tolist()
    [1, -1, 0, 1]
    """
    known, array = as_labels(labels), np.asarray(values)
    if array.dtype.kind == "T":
        array = array.astype(object)
    if array.ndim != 1:
        raise InputError(f"values to look up must be one-dimensional, got shape {array.shape}")
    if not known.size:
        return np.full(array.size, -1, dtype=np.int64)
    hashes = _hash(known)
    index = pd.Index(hashes)
    if not index.is_unique and (repeated := duplicates(known)):
        raise InputError(f"labels must be unique to be looked up, found repeated {listed(repeated)}")
    out = np.empty(array.size, dtype=np.int64)
    for start in range(0, array.size, _CHUNK):
        part = array[start : start + _CHUNK].astype(np.str_, copy=False)
        if index.is_unique:
            found = index.get_indexer(pd.Index(_hash(part)))
            found[(found >= 0) & (known[found] != part)] = -1
        else:
            # Two labels with one 64-bit hash: let pandas compare the strings themselves.
            found = pd.Index(known.astype(object)).get_indexer(pd.Index(part.astype(object), dtype=object))
        out[start : start + _CHUNK] = found
    if array.dtype.kind == "O":
        out[pd.isna(array)] = -1
    return out


def factorize(values: ArrayLike | pd.Series) -> tuple[NDArray[np.int64], StrArray]:
    """Distinct labels and, for each value, which of them it is.

    Parameters
    ----------
    values : (n,)
        Labels of any kind that `as_labels` takes, besides pandas columns and categories. Millions are welcome.

    Returns
    -------
    codes : (n,)
        ``labels[codes]`` are the values.
    labels : (m,)
        Sorted; ids by their value, so that ``"9"`` comes before ``"10"``.

    Raises
    ------
    InputError
        If a value is missing or is no label.

    Examples
    --------
    >>> codes, found = factorize([10, 9, 10])
    >>> codes.tolist(), found.tolist()
    ([1, 0, 1], ['9', '10'])
    """
    array = values if isinstance(values, pd.Series | np.ndarray) else as_labels(values)
    if isinstance(array, np.ndarray) and (array.dtype.kind == "T" or array.ndim != 1):
        array = as_labels(array)
    if isinstance(array, np.ndarray) and array.dtype.kind == "U":
        codes, found = _factorize_fixed_width(array)
    else:
        raw, distinct = pd.factorize(array)
        if missing := int((raw < 0).sum()):
            raise InputError(f"{missing} of {raw.size} labels are missing; give each a label or drop it")
        distinct = np.asarray(distinct)
        if distinct.dtype.kind in "iu":
            order = np.argsort(distinct)
            rank = np.empty(order.size, dtype=np.int64)
            rank[order] = np.arange(order.size)
            return rank[raw], as_labels(distinct[order])
        codes, found = np.asarray(raw, dtype=np.int64), as_labels(distinct)
    names, inverse = np.unique(found, return_inverse=True)
    rank = np.arange(names.size)
    if np.char.isdecimal(names).all() and np.unique(np.char.str_len(names)).size > 1:
        by_value = np.lexsort((names, np.char.str_len(names)))
        names, rank[by_value] = names[by_value], np.arange(names.size)
    return rank[inverse][codes], names


def _factorize_fixed_width(values: StrArray) -> tuple[NDArray[np.int64], StrArray]:
    """Codes by order of appearance, through the hash of `positions`."""
    starts = range(0, values.size, _CHUNK)
    hashes = np.empty(values.size, dtype=np.uint64)
    for start in starts:
        hashes[start : start + _CHUNK] = _hash(values[start : start + _CHUNK])
    codes, distinct = pd.factorize(hashes)
    first = np.zeros(distinct.size, dtype=np.int64)
    first[codes[::-1]] = np.arange(values.size)[::-1]
    found = values[first]
    for start in starts:
        if (found[codes[start : start + _CHUNK]] != values[start : start + _CHUNK]).any():
            # Two labels with one 64-bit hash: let pandas compare the strings themselves.
            codes, objects = pd.factorize(values.astype(object))
            found = objects.astype(np.str_)
            break
    return np.asarray(codes, dtype=np.int64), found


def _hash(values: StrArray) -> NDArray[np.uint64]:
    """A 64-bit polynomial hash of each label; padding counts as zero, so widths may differ."""
    letters = np.ascontiguousarray(values).view(np.uint32).reshape(values.size, values.dtype.itemsize // 4)
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
    return [str(v) for v in series[series.duplicated(keep=False)].unique()]


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
