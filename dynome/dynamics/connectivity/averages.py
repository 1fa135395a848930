"""Functional connectivity averaged over animals or sessions."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome import units
from dynome.errors import InputError, Problems
from dynome.schema import ANIMAL, SOURCE, TARGET

_edge = 1 - 1e-12  # a correlation of 1, as on the diagonal, has no finite z


def mean_connectivity(fc: xr.DataArray, *, dim: str = ANIMAL, min_count: int = 1) -> xr.DataArray:
    r"""Correlations averaged over animals, or over any other dim.

    Parameters
    ----------
    fc : (..., source, target), dimensionless
        Correlations between -1 and 1 with the dim `dim`; NaN where an animal does not have the pair.
    dim : str
        What to average over.
    min_count : int
        A pair that fewer animals have is NaN.

    Returns
    -------
    (..., source, target), dimensionless
        With the coordinate ``n_averaged (..., source, target)``: how many had the pair.

    Raises
    ------
    InputError
        If `dim` is missing, `min_count` is below 1, or the values are no correlations.

    Notes
    -----
    The mean is taken of Fisher's z, which correlations are nearly normal in:
    :math:`\tanh \langle \operatorname{artanh} r \rangle`.

    Examples
    --------
    >>> ends = {"source": ["a", "b"], "target": ["a", "b"]}
    >>> two = np.array([[[1, 0.2], [0.2, 1]], [[1, 0.6], [0.6, 1]]])
    >>> fc = xr.DataArray(two, dims=("animal", "source", "target"), coords=ends, attrs={"units": "1"})
    >>> round(float(mean_connectivity(fc).sel(source="a", target="b")), 3)
    0.42
    """
    problems = Problems("cannot average functional connectivity")
    if not {dim, SOURCE, TARGET} <= set(fc.dims):
        problems.add(f"expected dims {dim}, source and target, found {tuple(map(str, fc.dims))}")
        problems.fail(InputError)
    if min_count < 1:
        problems.add(f"min_count must be at least 1, got {min_count}")
    if units.of(fc) not in (None, units.DIMENSIONLESS) or bool((abs(fc) > 1 + 1e-9).any()):
        problems.add("expected correlations between -1 and 1; average other kinds with .mean()")
    problems.raise_if_any(InputError)
    plain = fc.drop_vars([n for n, c in fc.coords.items() if n not in fc.dims and dim in c.dims])
    count = plain.notnull().sum(dim)
    z = xr.apply_ufunc(np.arctanh, plain.clip(-_edge, _edge), dask="allowed")
    mean: xr.DataArray = xr.apply_ufunc(np.tanh, z.mean(dim), dask="allowed").where(count >= min_count)
    attrs = {**fc.attrs, "units": units.DIMENSIONLESS, "long_name": f"correlation, mean over {dim}s"}
    return mean.assign_coords(n_averaged=count).assign_attrs(attrs).rename(fc.name)
