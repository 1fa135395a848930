"""Components to tensorly's CP tensors and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from dynome.dynamics.tensor.components import labelled_components
from dynome.errors import InputError, Problems
from dynome.extras import require

if TYPE_CHECKING:
    from tensorly.cp_tensor import CPTensor


def to_tensorly(results: xr.Dataset) -> CPTensor:
    """Components as a tensorly ``CPTensor``.

    Parameters
    ----------
    results : Dataset
        ``results_`` of `NonnegativeCP`, or what `from_tensorly` makes.

    Returns
    -------
    CPTensor
        Weights and one factor a dim, in the order of the fitted tensor.

    Raises
    ------
    InputError
        If there are no components in it.

    Examples
    --------
    >>> from dynome.dynamics import NonnegativeCP
    >>> x = xr.DataArray(np.random.default_rng(0).random((5, 4, 3)), dims=("time", "animal", "pair"))
    >>> to_tensorly(NonnegativeCP(rank=2, random_state=0).fit(x).results_).shape
    (5, 4, 3)
    """
    given: object = results
    dims = given.attrs.get("dims", []) if isinstance(given, xr.Dataset) else []
    if not dims or not {"weight", *(f"{d}_factor" for d in dims)} <= set(results):
        raise InputError("expected the results_ of a fitted NonnegativeCP, found no components; fit first")
    factors = [results[f"{d}_factor"].transpose(d, "component").to_numpy().copy() for d in dims]
    return require("tensorly.cp_tensor", extra="tensor").CPTensor((results["weight"].to_numpy().copy(), factors))


def from_tensorly(
    cp: CPTensor | tuple[Any, Sequence[Any]],
    dims: Sequence[str],
    coords: Mapping[str, ArrayLike] | None = None,
    *,
    units: str = "1",
) -> xr.Dataset:
    """Components of a tensorly ``CPTensor``, labelled as `NonnegativeCP` labels its own.

    Parameters
    ----------
    cp : CPTensor
        Weights (or None) and one factor a mode, of any backend that numpy can read.
    dims : sequence of str
        Names of the modes.
    coords : mapping or None
        Labels by dim, or anything that `xarray.Dataset` takes as coordinates.
    units : str
        Of the tensor.

    Returns
    -------
    Dataset
        ``{dim}_factor (dim, component)`` with columns of norm 1, and ``weight (component)``, largest first. It can be
        the ``init`` of a `NonnegativeCP` if nothing in it is negative.

    Raises
    ------
    InputError
        If names and modes differ in number, names repeat, or a number is not finite.

    Examples
    --------
    >>> found = from_tensorly((None, [np.ones((2, 1)), 3 * np.ones((4, 1))]), ["time", "pair"], {"pair": list("abcd")})
    >>> float(found.weight[0]).__round__(6), found.pair_factor.dims
    (8.485281, ('pair', 'component'))
    """
    weights, factors = cp
    arrays = [np.array(f, dtype=np.float64) for f in factors]
    problems = Problems("cannot label these components")
    if len(dims) != len(arrays) or len(set(dims)) != len(dims):
        problems.add(f"expected {len(arrays)} different dim names, got {list(dims)}")
    if len({f.shape[-1] for f in arrays}) > 1 or any(f.ndim != 2 for f in arrays):
        problems.add(f"expected matrices with the same number of columns, found {[f.shape for f in arrays]}")
    if not all(np.isfinite(f).all() for f in arrays):
        problems.add("found factors with NaN or infinity; fit anew without missing values")
    problems.raise_if_any(InputError)
    if weights is not None:
        arrays[0] = arrays[0] * np.asarray(weights, dtype=np.float64)
    return labelled_components(arrays, dims, dict(coords or {}), units=units, name="tensor")
