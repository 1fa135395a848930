"""One connectivity matrix for a whole recording."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import xarray as xr

from dynome.dynamics.connectivity.inputs import checked, pair_attrs, pair_coords, unit_power
from dynome.dynamics.connectivity.kinds import FROM_MOMENTS, INVERTED, UNIT_POWER, Kind, finish, matrix
from dynome.dynamics.connectivity.moments import merge_moments, pair_moments
from dynome.errors import InputError, Problems
from dynome.schema import SOURCE, TARGET


def functional_connectivity(
    activity: xr.DataArray, *, kind: Kind = "correlation", shrink: bool | None = None, min_samples: int = 3
) -> xr.DataArray:
    """Functional connectivity of every pair of nodes.

    Parameters
    ----------
    activity : (..., time, node), any unit
        Activity of one session, or of several along leading dims. A dask array gives a lazy result: correlation and
        covariance go through it once, chunk of time by chunk of time; the other kinds take it as one block.
    kind : {"correlation", "covariance", "spearman", "partial correlation", "precision"}
        What to measure; "tangent" compares sessions and has its own function, `tangent_connectivity`.
    shrink : bool or None
        Ledoit-Wolf shrinkage of the covariance. None shrinks where the covariance is inverted (partial correlation
        and precision) and nowhere else.
    min_samples : int
        A pair with fewer common samples is NaN.

    Returns
    -------
    (..., source, target)
        Symmetric, labelled at both ends; units "1", or those of `activity` to the power 2 (covariance) or -2
        (precision). Coordinate ``n_samples (..., source, target)`` counts the samples of each pair. A coordinate of the
        nodes travels to both ends: ``cell_type`` becomes ``source_cell_type`` and ``target_cell_type``.

    Raises
    ------
    InputError
        If the activity or an argument cannot be used; with NaN in some nodes only, for kinds that are inverted.
    UnitsError
        If covariance or precision is asked of activity without units.

    Notes
    -----
    Missing data: each pair is taken over the samples that both nodes have (pairwise complete). Such a matrix need
    not be positive definite, so partial correlation, precision and anything shrunk refuse it; frames that are missing
    in all nodes are left out. A node that is constant or always missing has NaN correlations and is left out of what
    is inverted.

    The sample covariance is unbiased (divided by n - 1), the shrunk one divided by n as in [1]_. Shrinkage pulls
    towards equal variances: with nodes in different units or gains, standardize first.

    See Also
    --------
    dynamic_connectivity : one matrix for each window of time.
    lagged_correlation : one matrix for each lag.

    References
    ----------
    .. [1] Ledoit & Wolf, Journal of Multivariate Analysis 2004, doi:10.1016/S0047-259X(03)00096-4.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0, 5.0], [1.0, 3.0, 4.0], [2.0, 5.0, np.nan], [4.0, 9.0, 1.0]])
    >>> x = xr.DataArray(x, dims=("time", "node"), coords={"node": ["a", "b", "c"]})
    >>> fc = functional_connectivity(x)
    >>> fc.sel(source="a", target=["b", "c"]).round(2).values.tolist()
    [1.0, -1.0]
    >>> fc.n_samples.sel(source="a").values.tolist()
    [4, 4, 3]
    """
    _check_options(kind, shrink, min_samples)
    x = checked(activity, f"cannot compute {kind}")
    unit = unit_power(x, UNIT_POWER[kind]) if kind in UNIT_POWER else "1"
    shrunk = kind in INVERTED if shrink is None else shrink
    compute = _lazy if x.chunks else _now
    values, n = compute(x, kind, shrunk, min_samples)
    dims = (*x.dims[:-2], SOURCE, TARGET)
    coords = {**pair_coords(x), "n_samples": (dims, n, {"long_name": "samples that both nodes have", "units": "count"})}
    return xr.DataArray(values, dims=dims, coords=coords, name=kind.replace(" ", "_"), attrs=pair_attrs(x, kind, unit))


def _check_options(kind: str, shrink: bool | None, min_samples: int) -> None:
    problems = Problems("cannot compute functional connectivity")
    if kind == "tangent":
        problems.add("kind 'tangent' compares several sessions; call tangent_connectivity(study)")
    elif kind not in get_args(Kind):
        problems.add(f"kind must be one of {', '.join(map(repr, get_args(Kind)))}, got {kind!r}")
    if kind == "spearman" and shrink:
        problems.add("kind 'spearman' has no covariance to shrink; leave shrink=None")
    if min_samples < 2:
        problems.add(f"min_samples must be at least 2, got {min_samples}")
    problems.raise_if_any(InputError)


def _now(x: xr.DataArray, kind: str, shrunk: bool, min_samples: int) -> tuple[Any, Any]:
    return matrix(x.to_numpy(), kind, shrunk, min_samples)


def _lazy(x: xr.DataArray, kind: str, shrunk: bool, min_samples: int) -> tuple[Any, Any]:
    """`matrix` as two dask arrays; moments of chunks of time are merged in a tree."""
    from dask.array import from_delayed
    from dask.delayed import delayed

    dtype = np.dtype(np.float32 if x.dtype == np.float32 else np.float64)
    if kind in FROM_MOMENTS and not shrunk:
        whole = {axis: -1 for axis in range(x.ndim) if axis != x.ndim - 2}
        parts = [delayed(pair_moments)(block) for block in x.data.rechunk(whole).to_delayed().ravel()]
        while len(parts) > 1:
            pairs = [parts[k : k + 2] for k in range(0, len(parts), 2)]
            parts = [delayed(merge_moments)(*p) if len(p) == 2 else p[0] for p in pairs]
        result = delayed(finish)(parts[0], kind, min_samples, dtype)
    else:
        result = delayed(matrix)(x.data, kind, shrunk, min_samples)
    shape = (*x.shape[:-2], x.shape[-1], x.shape[-1])
    types = (dtype, np.dtype(np.int64))
    values, n = (from_delayed(result[k], shape, types[k]) for k in (0, 1))  # type: ignore[no-untyped-call]
    return values, n
