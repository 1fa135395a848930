"""Two embeddings with their features in one order: regions are joined by label, never by position."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed
from dynome.inference.probing.features import layout


def in_order_of(first: xr.DataArray, second: xr.DataArray, pool: Collection[str] | None = None) -> xr.DataArray:
    """The second embedding with dims and labels of features in the order of the first.

    Parameters
    ----------
    first, second : (session or animal, ...)
        Labelled; dims of features by the same names.
    pool : collection of str or None
        Dims that will be averaged over, as in `features_of`; these stay as they are.

    Returns
    -------
    (session or animal, ...)
        A dim that has labels on neither side stays in its order.

    Raises
    ------
    InputError
        If dims, labels or sizes differ, labels repeat, or one side alone has labels.

    Examples
    --------
    >>> a = xr.DataArray([[1.0, 2.0]], dims=("animal", "node"), coords={"animal": ["ann"], "node": ["l", "r"]})
    >>> in_order_of(a, a.isel(node=[1, 0])).values.tolist()
    [[1.0, 2.0]]
    """
    (over_first, mean_first), (over, mean) = layout(first, pool), layout(second, pool)
    one = [str(d) for d in first.dims if d not in (over_first, *mean_first)]
    other = [str(d) for d in second.dims if d not in (over, *mean)]
    problems = Problems("features differ")
    if set(one) != set(other):
        problems.add(f"dims {listed(one)} in first, {listed(other)} in second; rename them, or average with pool")
        problems.fail(InputError)
    at = {d: order for d in one if (order := _order(first, second, d, problems)) is not None}
    problems.raise_if_any(InputError)
    return second.isel(at).transpose(over, *mean, *one)


def _order(first: xr.DataArray, second: xr.DataArray, dim: str, problems: Problems) -> NDArray[np.intp] | None:
    """Where the labels of first are in second; None where neither has labels."""
    n, m = first.sizes[dim], second.sizes[dim]
    if (dim in first.indexes) != (dim in second.indexes):
        which = "first" if dim in first.indexes else "second"
        problems.add(f"{dim} has labels in {which} only; label both alike, or neither")
        return None
    if dim not in first.indexes:
        if n != m:
            problems.add(f"{n} of {dim} in first, {m} in second")
        for name in sorted(set(map(str, first.coords)) & set(map(str, second.coords))):
            a, b = first[name], second[name]
            if a.dims == b.dims == (dim,) and a.dtype.kind in "OUT" and n == m and (a.values != b.values).any():
                problems.add(f"{name} along {dim} differs; put both in one order")
        return None
    a, b = first.indexes[dim], second.indexes[dim]
    for which, index in (("first", a), ("second", b)):
        if not index.is_unique:
            problems.add(f"{dim} of {which} has {listed(index[index.duplicated()].unique().tolist())} more than once")
            return None
    lost, new = a.difference(b, sort=False).tolist(), b.difference(a, sort=False).tolist()
    if lost or new:
        told = [f"{listed(found, 3)} in {which} only" for found, which in ((lost, "first"), (new, "second")) if found]
        problems.add(f"{dim}: {', '.join(told)}; keep the labels that both have")
        return None
    return np.asarray(b.get_indexer(a))
