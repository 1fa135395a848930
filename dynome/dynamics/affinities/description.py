"""Affinity: how much two nodes change together at one moment.

The differential affinity of Dyballa et al. (2024, arXiv:2402.14102): nonnegative, symmetric, instantaneous, without a
window. The paper's exact formula could not be read; the kernels here are the plausible readings, and ``geomean`` is our
default. A sibling adds a kernel to ``_kernels``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.preprocessing.animals import align_animals
from dynome.dynamics.preprocessing.derivatives import derivative
from dynome.dynamics.preprocessing.scaling import standardize
from dynome.dynamics.tensor.pairs import pair_coords
from dynome.errors import InputError, Problems

Kernel = Literal["geomean", "product", "min"]
Array = NDArray[np.float64]


def affinity(
    data: xr.DataTree | xr.Dataset | xr.DataArray,
    *,
    kernel: Kernel = "geomean",
    smooth: float = 1.0,
    min_animals: int = 1,
    max_bytes: float = 4e9,
) -> xr.DataArray:
    r"""Affinity of every pair of nodes at every moment in every animal.

    Parameters
    ----------
    data : DataTree, or (animal, time, node)
        A study, or what `align_animals` makes of it. One unit for all animals.
    kernel : {"geomean", "product", "min"}
        How two rates of change make one affinity; all are 0 where the signs differ.
    smooth : float
        Standard deviation in seconds of the derivative-of-Gaussian filter.
    min_animals : int
        Keep pairs of nodes that were recorded together in at least so many animals.
    max_bytes : float
        Refuse a tensor larger than this.

    Returns
    -------
    (time, animal, pair), 1/s (1/s^2 for ``product``)
        At least 0; NaN where one of the two nodes is missing. ``pair`` carries ``source`` and ``target``.

    Raises
    ------
    InputError
        If the kernel is unknown, no pair remains, or the tensor would be too large.

    Notes
    -----
    Each trace is standardised over its session and differentiated, ``d = dz/dt``. Then ``geomean`` is
    :math:`a_{ij}(t) = \sqrt{\max(0, d_i d_j)}`, ``product`` is :math:`\max(0, d_i d_j)`, and ``min`` is
    :math:`\min(|d_i|, |d_j|)` where the signs agree.

    Examples
    --------
    >>> from dynome import schema, study
    >>> t = np.arange(40) / 4
    >>> x = np.stack([np.sin(t), np.sin(t), np.cos(t)], axis=1)
    >>> worms = study.build({"a": schema.recording(x, time=t, node=["u", "v", "w"], units="dF/F")})
    >>> a = affinity(worms, smooth=0.5).sel(animal="a").mean("time")
    >>> bool(a.sel(pair="u|v") > a.sel(pair="u|w"))
    True
    """
    if kernel not in get_args(Kernel):
        raise InputError(f"kernel must be one of {', '.join(get_args(Kernel))}, got {kernel!r}")
    aligned = align_animals(data) if isinstance(data, xr.DataTree) else data
    activity = aligned["activity"] if isinstance(aligned, xr.Dataset) else aligned
    i, j = _recorded_pairs(activity, min_animals)
    problems = Problems("cannot make an affinity tensor")
    if not i.size:
        problems.add(
            f"no two of {activity.sizes['node']} nodes were recorded together in {min_animals} animals; "
            "lower min_animals or check the labels"
        )
    if (size := 8 * i.size * activity.sizes["time"] * activity.sizes["animal"]) > max_bytes:
        problems.add(
            f"it would take {size / 1e9:.1f} GB, max_bytes is {max_bytes / 1e9:.1f} GB; keep fewer nodes or times"
        )
    problems.raise_if_any(InputError)
    rate = derivative(standardize(activity, dim="time"), width=smooth).transpose("animal", "time", "node")
    values = np.stack([_kernels[kernel](d[:, i], d[:, j]) for d in rate.to_numpy()], axis=1)
    keep = {n: c for n, c in rate.coords.items() if "node" not in c.dims}
    return xr.DataArray(
        values,
        dims=("time", "animal", "pair"),
        coords={**keep, **pair_coords(rate["node"].to_numpy(), i, j)},
        name="affinity",
        attrs={
            "units": "1/s^2" if kernel == "product" else "1/s",
            "long_name": f"{kernel} affinity",
            "kernel": kernel,
            "smooth": float(smooth),
        },
    )


def _recorded_pairs(activity: xr.DataArray, min_animals: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    present = activity.notnull().any("time").transpose("animal", "node").to_numpy().astype(np.int64)
    i, j = np.triu_indices(present.shape[1], 1)
    together = (present.T @ present)[i, j] >= max(min_animals, 1)
    return i[together], j[together]


def _geomean(a: Array, b: Array) -> Array:
    return np.sqrt(_product(a, b))


def _product(a: Array, b: Array) -> Array:
    return np.maximum(a * b, 0.0)


def _min(a: Array, b: Array) -> Array:
    return np.where(a * b <= 0, 0.0 * (a + b), np.minimum(np.abs(a), np.abs(b)))


_kernels: dict[str, Callable[[Array, Array], Array]] = {"geomean": _geomean, "product": _product, "min": _min}
