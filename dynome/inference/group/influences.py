"""Which animal a result hangs on: everything once more without each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy.stats import t as student

from dynome.errors import InputError
from dynome.inference.group.designs import blocks_of
from dynome.schema import ANIMAL, SESSION

Statistic = Callable[[xr.DataArray], xr.DataArray | float]


def leave_one_animal_out(
    values: xr.DataArray, statistic: Statistic | None = None, *, block: str = ANIMAL
) -> xr.Dataset:
    r"""A statistic without each animal: how much each matters, and an interval.

    Parameters
    ----------
    values : (session, ...)
        For each session.
    statistic : callable or None
        Takes `values` of some sessions, gives a number or a DataArray without dim ``session``; smooth, such as a mean
        or a slope, not a median or a p-value. None takes the mean over animals of the mean over their sessions.
    block : str
        Coordinate of sessions that are left out together.

    Returns
    -------
    Dataset
        ``estimate``; ``without (animal, ...)``; ``influence (animal, ...)``, the estimate less that without the
        animal; ``standard_error``, ``low`` and ``high``: the jackknife over animals, 95 % by Student's t.

    Raises
    ------
    InputError
        If there are fewer than three animals, or the statistic keeps the dim ``session``.

    Notes
    -----
    :math:`s^2 = \frac{n-1}{n} \sum_a (\hat\theta_{-a} - \bar\theta)^2` [1]_.

    References
    ----------
    .. [1] Efron & Stein, Annals of Statistics 1981, doi:10.1214/aos/1176345462.

    Examples
    --------
    >>> rate = xr.DataArray([1.0, 2.0, 3.0, 10.0], dims="session", coords={"session": list("abcd")})
    >>> found = leave_one_animal_out(rate)
    >>> float(found.estimate), found.influence.round(2).to_numpy().tolist()
    (4.0, [-1.0, -0.67, -0.33, 2.0])
    """
    if not isinstance(values, xr.DataArray):
        raise InputError(f"values must be a DataArray with dim {SESSION}, found {type(values).__name__}")
    names = blocks_of(values, block)
    animals = np.unique(names)
    if animals.size < 3:
        raise InputError(f"at least 3 animals are needed to leave one out, found {animals.size}")
    rule = statistic or (lambda part: mean_over_animals(part, block))
    estimate = _number(rule(values), "the statistic")
    without = xr.concat([_number(rule(values.isel({SESSION: names != a})), str(a)) for a in animals], dim=ANIMAL)
    without = without.assign_coords({ANIMAL: animals})
    n = animals.size
    spread = ((without - without.mean(ANIMAL, skipna=False)) ** 2).sum(ANIMAL, skipna=False)
    error = ((n - 1) / n * spread) ** 0.5
    reach = float(student.ppf(0.975, n - 1)) * error
    unit = {"units": str(values.attrs.get("units", "1"))} if statistic is None else {}
    parts: dict[str, tuple[xr.DataArray, str]] = {
        "estimate": (estimate, "estimate"),
        "without": (without, "estimate without the animal"),
        "influence": (estimate - without, "estimate less that without the animal"),
        "standard_error": (error, "jackknife standard error over animals"),
        "low": (estimate - reach, "lower end of the 95 % interval"),
        "high": (estimate + reach, "upper end of the 95 % interval"),
    }
    return xr.Dataset({k: v.assign_attrs({**unit, "long_name": told}) for k, (v, told) in parts.items()})


def mean_over_animals(values: xr.DataArray, block: str) -> xr.DataArray:
    """Mean over animals of the mean over their sessions; NaN does not count.

    Parameters
    ----------
    values : (session, ...)
    block : str
    """
    named = values.assign_coords({"_block": (SESSION, blocks_of(values, block))})
    return named.groupby("_block").mean(SESSION).mean("_block")


def _number(value: xr.DataArray | float, what: str) -> xr.DataArray:
    found = value if isinstance(value, xr.DataArray) else xr.DataArray(float(value))
    if SESSION in found.dims:
        raise InputError(f"the statistic must not keep the dim {SESSION}, found dims {found.dims} ({what})")
    return found.drop_vars([str(c) for c in found.coords if c not in found.dims])
