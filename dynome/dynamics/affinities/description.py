"""Affinity: how much two nodes change together at one moment.

The differential affinity of Dyballa et al. (2024, arXiv:2402.14102): nonnegative, symmetric, instantaneous, without a
window. The paper's exact formula could not be read; the kernels here are the plausible readings, and ``geomean`` is our
default. What `affinity` gives describes the tensor by the rates of the nodes; `affinity_tensor` forms it.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import units
from dynome.dynamics.affinities.kernels import Kernel
from dynome.dynamics.preprocessing.animals import align_animals
from dynome.dynamics.preprocessing.clock import gapless_interval
from dynome.dynamics.preprocessing.derivatives import derivative
from dynome.dynamics.preprocessing.scaling import median_and_mad, standardize
from dynome.dynamics.preprocessing.smoothing import smooth as smoothed
from dynome.dynamics.tensor.pairs import pair_coords
from dynome.errors import InputError, Problems, listed
from dynome.schema import ACTIVITY, ANIMAL, NODE, TIME

Direction = Literal["both", "rise", "fall"]
Scale = Literal["zscore", "robust", "max", "none"]
Array = NDArray[np.float64]

_ORDER = (ANIMAL, TIME, NODE)


def affinity(
    data: xr.DataTree | xr.Dataset | xr.DataArray,
    *,
    kernel: Kernel = "geomean",
    smooth: float | None = 1.0,
    threshold: float = 0.0,
    direction: Direction = "both",
    lag: float = 0.0,
    signed: bool = False,
    bandwidth: float | None = None,
    scale: Scale = "zscore",
    min_animals: int = 1,
) -> xr.Dataset:
    r"""Describe the affinity of every pair of nodes at every moment in every animal, without forming it.

    Parameters
    ----------
    data : DataTree, (animal, time, node), or (time, node)
        A study, what `align_animals` makes of it, or one recording. One unit for all animals; an even clock.
    kernel : {"geomean", "product", "min", "harmonic", "gauss", "correlation"}
        How two rates of change make one affinity; all are 0 where one node rises and the other falls.
        ``"correlation"`` takes the values themselves, not their rates.
    smooth : float or None
        Standard deviation in seconds of the derivative-of-Gaussian filter (of the Gaussian, for ``"correlation"``).
        None takes central differences of the samples as they are.
    threshold : float
        Soft threshold on the rates, in robust standard deviations (1.4826 times the median absolute deviation) of
        each node in each animal.
    direction : {"both", "rise", "fall"}
        Which changes count.
    lag : float
        Seconds by which the two changes may be apart; the largest affinity within counts.
    signed : bool
        Add the dim ``sign``: what moves together (``"co"``), and what moves in opposite directions (``"anti"``).
    bandwidth : float or None
        Of ``"gauss"``, in the unit of the rates; None takes the standard deviation of the rates that pass the
        threshold.
    scale : {"zscore", "robust", "max", "none"}
        How each trace is scaled over its session before it is differentiated, as in `standardize`.
    min_animals : int
        Keep pairs of nodes that were recorded together in at least so many animals.

    Returns
    -------
    Dataset
        ``rate (animal, time, node)``: thresholded rates, 1/s (with ``scale="none"`` in the unit of the traces per
        second), NaN where a node or a sample is missing. A trace that is constant counts as missing:
        ``attrs["n_constant"]`` tells how many. Coordinates ``pair``, ``source (pair)``, ``target (pair)``, and those of
        the input. The attributes hold the parameters and the ``units`` of the affinities. Select from it with
        ``isel`` and ``sel`` (``time``, ``animal``, ``pair``), save it, give it to `affinity_tensor`,
        `event_affinity` or `NonnegativeCP`.

    Raises
    ------
    InputError
        If an argument is out of range, the clock is uneven, or no pair remains.

    Notes
    -----
    With the rates :math:`d = dz/dt` of two nodes, the affinity is 0 where their signs differ, else

    - ``geomean``: :math:`\sqrt{d_i d_j}`
    - ``product`` and ``correlation``: :math:`d_i d_j`
    - ``min``: :math:`\min(|d_i|, |d_j|)`
    - ``harmonic``: :math:`2 |d_i| |d_j| / (|d_i| + |d_j|)`
    - ``gauss``: :math:`\exp(-(d_i - d_j)^2 / 2h^2)`, needs a threshold

    ``anti`` is the same with the sign of one of the two turned. A lag takes
    :math:`\max_{|\tau| \le L} \max\{a_{ij}(t, t + \tau),\, a_{ij}(t + \tau, t)\}`.

    Examples
    --------
    >>> from dynome import schema, study
    >>> from dynome.dynamics import affinity_tensor
    >>> t = np.arange(40) / 4
    >>> x = np.stack([np.sin(t), np.sin(t), np.cos(t)], axis=1)
    >>> worms = study.build({"a": schema.recording(x, time=t, node=["u", "v", "w"], units="dF/F")})
    >>> a = affinity_tensor(affinity(worms, smooth=0.5)).sel(animal="a").mean("time")
    >>> bool(a.sel(pair="u|v") > a.sel(pair="u|w"))
    True
    """
    _check(kernel, threshold, direction, lag, bandwidth, scale, min_animals)
    activity = _activity(data)
    if lag >= (whole := gapless_interval(activity, "make affinities") * activity.sizes[TIME]):
        raise InputError(f"cannot make affinities:\n  - lag must be below the {whole:g} s recorded, got {lag:g}")
    rate, n_constant = _rates(activity, kernel, smooth, scale)
    rate = rate.copy(data=_above(rate.to_numpy(), threshold, direction))
    if kernel == "gauss" and bandwidth is None:
        bandwidth = _spread(rate.to_numpy())
    i, j = _recorded_pairs(rate, min_animals, n_constant)
    unit = rate.attrs["units"]
    return rate.rename("rate").to_dataset().assign_coords(pair_coords(rate[NODE].to_numpy(), i, j)).assign_attrs(
        kind="affinity",
        kernel=kernel,
        smooth=float(smooth or 0.0),
        threshold=float(threshold),
        direction=direction,
        lag=float(lag),
        signed=int(signed),
        bandwidth=float(bandwidth or 0.0) if kernel == "gauss" else 0.0,
        scale=scale,
        min_animals=int(min_animals),
        n_constant=n_constant,
        units=_unit(kernel, unit),
        long_name=f"{kernel} affinity",
    )  # fmt: skip


def _check(
    kernel: str,
    threshold: float,
    direction: str,
    lag: float,
    bandwidth: float | None,
    scale: str,
    min_animals: int,
) -> None:
    problems = Problems("cannot make affinities")
    for name, value, allowed in (
        ("kernel", kernel, get_args(Kernel)),
        ("direction", direction, get_args(Direction)),
        ("scale", scale, get_args(Scale)),
    ):
        if value not in allowed:
            problems.add(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    for name, number in (("threshold", threshold), ("lag", lag)):
        if not 0 <= number < math.inf:
            problems.add(f"{name} must be a number of at least 0, got {number!r}")
    if bandwidth is not None and not 0 < bandwidth < math.inf:
        problems.add(f"bandwidth must be a number above 0 or None, got {bandwidth!r}")
    if bandwidth is not None and kernel != "gauss":
        problems.add(f"only the kernel gauss has a bandwidth, got {bandwidth!r} with {kernel!r}")
    if kernel == "gauss" and not threshold > 0:
        problems.add("gauss calls two nodes alike that are both at rest; give a threshold above 0, e.g. 1")
    if kernel == "correlation" and scale != "zscore":
        problems.add(f"correlation is of z-scores, got scale {scale!r}; leave it at zscore or take product")
    if not min_animals >= 1:
        problems.add(f"min_animals must be at least 1, got {min_animals!r}")
    problems.raise_if_any(InputError)


def _activity(data: xr.DataTree | xr.Dataset | xr.DataArray) -> xr.DataArray:
    given: object = data
    if not isinstance(given, xr.DataTree | xr.Dataset | xr.DataArray):
        raise InputError(f"expected a study, a recording or an array with labels, found {type(given).__name__}")
    aligned = align_animals(data) if isinstance(data, xr.DataTree) else data
    if isinstance(aligned, xr.Dataset) and ACTIVITY not in aligned:
        raise InputError(f"expected a variable activity, found {listed(aligned.data_vars) or 'none'}")
    activity = aligned[ACTIVITY] if isinstance(aligned, xr.Dataset) else aligned
    if ANIMAL not in activity.dims and {TIME, NODE} == set(activity.dims):
        name = activity.coords[ANIMAL].item() if ANIMAL in activity.coords else ANIMAL
        activity = activity.drop_vars(ANIMAL, errors="ignore").expand_dims({ANIMAL: [name]})
    if set(activity.dims) != set(_ORDER):
        raise InputError(f"expected dims animal, time and node, found {tuple(map(str, activity.dims))}")
    if absent := [d for d in (ANIMAL, NODE) if d not in activity.coords]:
        raise InputError(f"expected labels on {listed(absent)}; assign them with .assign_coords")
    return activity.transpose(*_ORDER).astype(np.float64).compute()


def _rates(activity: xr.DataArray, kernel: Kernel, smooth: float | None, scale: Scale) -> tuple[xr.DataArray, int]:
    """Scaled rates of change (z-scores for ``correlation``), and how many constant traces were taken for missing."""
    constant = (activity.max(TIME) == activity.min(TIME)).transpose(ANIMAL, NODE)
    moving = activity.where(~constant)
    if kernel == "correlation":
        rate = standardize(moving if smooth is None else smoothed(moving, width=smooth))
    else:
        scaled = moving if scale == "none" else standardize(moving, method=scale)
        rate = derivative(scaled, width=smooth)
    unit = rate.attrs.get("units", "1" if kernel == "correlation" else "1/s")
    return rate.assign_attrs(units=unit, long_name="value" if kernel == "correlation" else "rate of change"), int(
        constant.sum()
    )


def _above(rate: Array, threshold: float, direction: str) -> Array:
    """Rates after the soft threshold, of which only those in the wanted direction are left; NaN stays."""
    if threshold > 0:
        flat = rate.transpose(1, 0, 2).reshape(rate.shape[1], -1)
        recorded = ~np.isnan(flat).all(0)
        floor = np.full(flat.shape[1], np.nan)
        floor[recorded] = threshold * median_and_mad(flat[:, recorded])[1]
        rate = np.sign(rate) * np.maximum(np.abs(rate) - floor.reshape(rate.shape[0], 1, -1), 0)
    if direction == "both":
        return rate
    return np.maximum(rate, 0.0) if direction == "rise" else np.minimum(rate, 0.0)


def _spread(rate: Array) -> float:
    """Standard deviation around 0 of the rates that passed the threshold."""
    active = rate[~np.isnan(rate) & (rate != 0)]
    if not active.size:
        raise InputError("cannot make affinities:\n  - no rate passes the threshold; lower it")
    return float(np.sqrt(np.mean(active**2)))


def _recorded_pairs(
    rate: xr.DataArray, min_animals: int, n_constant: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    present = rate.notnull().any(TIME).to_numpy()
    i, j = np.triu_indices(present.shape[1], 1)
    together = present.astype(np.float64).T @ present
    kept = together[i, j] >= min_animals
    if not kept.any():
        raise InputError(
            f"cannot make affinities:\n  - no two of {present.shape[1]} nodes were recorded together in {min_animals} "
            "animals; lower min_animals or check the labels"
            + (f" ({n_constant} traces never change, and count as missing)" if n_constant else "")
        )
    return i[kept], j[kept]


def _unit(kernel: str, unit: str) -> str:
    if kernel in ("gauss", "correlation"):
        return units.DIMENSIONLESS
    if kernel != "product":
        return unit
    return "1/s^2" if unit == "1/s" else f"({unit})^2"
