"""Does a quantity differ between animals, or within them? Tests in which animals, not sessions, are independent."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import t as student

from dynome import seeds
from dynome.errors import InputError, Problems, listed
from dynome.inference.group.designs import Design, Factor, Phenotype, design_of, shortage
from dynome.inference.group.exchanges import (
    Tested,
    animal_means,
    animal_slopes,
    between,
    flipped,
    within,
)
from dynome.inference.group.mixed_models import random_intercept
from dynome.permutation import permutation_p_value, q_value
from dynome.schema import ANIMAL, SESSION

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Exchange = Literal["auto", "animals", "flips", "sessions"]

_LEVEL = 0.95
_LEAST_DRAWS = 19  # with fewer exchanges no p-value reaches 0.05, and there is no interval
_COLUMNS = 1000  # variables at a time
_ABOUT = {
    "effect": "effect",
    "effect_low": "lower end of the 95 % interval of the effect",
    "effect_high": "upper end of the 95 % interval of the effect",
    "statistic": "effect in its standard errors",
    "p_value": "two-sided chance of so large a statistic when exchanged",
    "q_value": "false discovery rate over all tests of this table",
    "mixed_effect": "effect in the mixed model",
    "mixed_standard_error": "standard error of the effect in the mixed model",
    "mixed_low": "lower end of the 95 % interval in the mixed model",
    "mixed_high": "upper end of the 95 % interval in the mixed model",
    "mixed_p_value": "p-value of the mixed model",
    "icc": "share of the variance that lies between animals",
    "n_animals": "animals that were used",
    "n_sessions": "sessions that were used",
}
_OF_VALUES = ("effect", "effect_low", "effect_high", "mixed_effect", "mixed_standard_error", "mixed_low", "mixed_high")


def group_test(
    values: xr.DataArray,
    design: Factor = None,
    *,
    phenotype: Phenotype = None,
    block: str = ANIMAL,
    exchange: Exchange = "auto",
    n_permutations: int = 2000,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""Test whether values of sessions go with a factor, or differ from zero, with animals as independent units.

    Parameters
    ----------
    values : (session, ...)
        Any number of quantities for each session, such as a variable of `match_sessions`. NaN is left out.
    design : str, DataArray, Series, mapping or None
        The factor: the name of a coordinate of `session`, or of a variable of `phenotype`; or values by session or
        animal. Two classes (texts) or numbers. Sessions without a value are left out. None tests the mean against 0.
    phenotype : Dataset, DataTree (a study), DataFrame or None
        Where the name of a factor is looked up.
    block : str
        Coordinate of sessions whose values are never independent: ``"animal"``, or a litter or a family.
    exchange : {"auto", "animals", "flips", "sessions"}
        ``"animals"`` exchange the factor, all sessions of an animal together: for a factor that is the same in all
        sessions of every animal. ``"flips"`` change the sign of what an animal shows: of its mean where `design` is
        None, of its slope where the factor varies within animals. ``"sessions"`` exchange the factor within their
        animal: then the conclusion holds for these animals only. ``"auto"`` takes the first or the second.
    n_permutations : int
        Exchanges; where there are fewer different ones, each is taken once. 0 leaves out what needs them.
    random_state : int or None
        Seed; None draws one, which is recorded.

    Returns
    -------
    Dataset
        Over the other dims of `values`:

        * ``effect``: difference of the second class (in alphabetical order) less the first, slope, or mean, each
          animal counting once; ``effect_low``, ``effect_high``: 95 %, NaN with fewer than 19 exchanges;
          ``statistic``, ``p_value``, ``q_value`` (false discovery rate over the whole table);
        * ``mixed_effect``, ``mixed_standard_error``, ``mixed_low``, ``mixed_high``, ``mixed_p_value``, ``icc``: of a
          linear model with a random intercept for each animal, by restricted maximum likelihood;
        * ``n_animals``, ``n_sessions``.

        NaN where too few animals have a value, or values do not vary. Attributes tell the comparison, the exchange,
        and the smallest p-value that there could be.

    Raises
    ------
    InputError
        If the factor is unknown, constant or has more than two classes, there are too few animals, the exchange does
        not fit the factor, or values are infinite.

    Notes
    -----
    Between animals, the statistic is the slope of the animals' means by its HC2 standard error, which is Welch's t for
    two classes: exact where animals are exchangeable, and close to its level where spreads or numbers of sessions
    differ between them [1]_ [2]_. Sign flips suppose that what animals show is symmetric about 0. ``exchange=
    "sessions"`` supposes that without an effect the sessions of an animal could have come in any order; a drift breaks
    it. Intervals are the effect and the 95 % quantile of the exchanged statistics times its standard error.

    The mixed model takes the factor less its mean in each animal where it varies within animals; degrees of freedom
    are animals less columns, or sessions less animals less 1. It supposes normal values and the same effect in all
    animals. Where the two disagree, trust the permutation.

    References
    ----------
    .. [1] DiCiccio & Romano, J Am Stat Assoc 2017, doi:10.1080/01621459.2016.1202117.
    .. [2] Winkler et al., NeuroImage 2015, doi:10.1016/j.neuroimage.2015.05.092.

    Examples
    --------
    >>> names = [f"worm{k}/{s}" for k in range(8) for s in range(2)]
    >>> rate = xr.DataArray(np.repeat(np.arange(8.0), 2), dims="session", coords={"session": names})
    >>> found = group_test(rate, {f"worm{k}": "fed" if k < 4 else "starved" for k in range(8)})
    >>> float(found.effect), round(float(found.p_value), 3), found.attrs["comparison"]
    (4.0, 0.029, 'starved less fed')
    """
    _check(values, exchange, n_permutations)
    seed = seeds.resolve(random_state)
    used = design_of(values, design, phenotype, block)
    way = _exchange(used, exchange)
    others = [d for d in values.dims if d != SESSION]
    table = values.transpose(SESSION, *others).to_numpy().reshape(values.sizes[SESSION], -1).astype(np.float64)
    found, draws, least = _tested(table[used.rows], used, way, n_permutations, seed)
    shape = [values.sizes[d] for d in others]
    coords = values.isel({SESSION: 0}, drop=True).coords
    data = xr.Dataset(
        {name: (others, found[name].reshape(shape), _about(name, values, used)) for name in _ABOUT if name in found},
        coords={name: coord for name, coord in coords.items() if coord.dims},
    )
    return data.assign_attrs(
        quantity=str(values.attrs.get("long_name") or values.name or "value"),
        comparison=used.told,
        factor=used.name if used.varies != "not" else "none",
        exchange=way,
        block=block,
        n_permutations=draws,
        least_p_value=least,
        random_state=seed,
    )


def _check(values: object, exchange: str, n_permutations: int) -> None:
    problems = Problems("cannot test")
    if not isinstance(values, xr.DataArray):
        problems.add(f"values must be a DataArray with dim {SESSION}, found {type(values).__name__}; name a variable")
    elif values.dtype.kind not in "biuf":
        problems.add(f"values must be numbers, found dtype {values.dtype}")
    elif np.isinf(values.to_numpy()).any():
        problems.add("values are infinite in places; mark what is missing as NaN")
    if exchange not in get_args(Exchange):
        problems.add(f"exchange must be one of {listed(get_args(Exchange))}, got {exchange!r}")
    whole = isinstance(n_permutations, int | np.integer) and not isinstance(n_permutations, bool)
    if not whole or n_permutations < 0:
        problems.add(f"n_permutations must be a whole number, at least 0, got {n_permutations!r}")
    problems.raise_if_any(InputError)


def _exchange(design: Design, exchange: Exchange) -> str:
    fits = {"not": ["flips"], "between": ["animals"], "within": ["flips", "sessions"]}[design.varies]
    way = fits[0] if exchange == "auto" else exchange
    problems = Problems(f"cannot test {design.told}")
    if way not in fits:
        found = {
            "not": "there is no factor",
            "between": f"{design.name} is the same in all sessions of each animal",
            "within": f"{design.name} varies within animals",
        }[design.varies]
        problems.add(f"exchange={way!r} does not fit, since {found}; take {' or '.join(map(repr, fits))}")
    elif missing := shortage(design.x, design.block, way):
        problems.add(missing)
    problems.raise_if_any(InputError)
    return way


def _tested(y: Floats, design: Design, way: str, n: int, seed: int) -> tuple[dict[str, Floats], int, float]:
    """All variables, those with the same sessions together; how many exchanges, and the smallest p-value of these."""
    names = [k for k in _ABOUT if n or k not in ("effect_low", "effect_high", "p_value", "q_value")]
    out = {name: np.full(y.shape[1], np.nan) for name in names}
    known = ~np.isnan(y)
    patterns, of = np.unique(known, axis=1, return_inverse=True)
    draws, least = 0, 1.0
    for k in range(patterns.shape[1]):
        rows = patterns[:, k]
        x, block = design.x[rows], np.unique(design.block[rows], return_inverse=True)[1]
        columns = np.flatnonzero(of.ravel() == k)
        out["n_sessions"][columns], out["n_animals"][columns] = rows.sum(), np.unique(block).size
        if not rows.any() or shortage(x, block, way):
            continue
        for part in np.split(columns, range(_COLUMNS, columns.size, _COLUMNS)):
            values = y[np.ix_(rows, part)]
            one = _exchanged(values, x, block, way, n, seed)
            draws, least = max(draws, one.null.shape[0]), min(least, one.least)
            for name, numbers in (_permuted(one) if n else _plain(one)).items():
                out[name][part] = numbers
            for name, numbers in _mixed(values, x, block, design.varies).items():
                out[name][part] = numbers
    if n:
        out["q_value"] = q_value(out["p_value"])
    return out, draws, least


def _exchanged(y: Floats, x: Floats, block: Ints, way: str, n: int, seed: int) -> Tested:
    rng = seeds.generator(seed, "exchange")
    if way == "animals":
        return between(animal_means(y, block), animal_means(x[:, None], block)[:, 0], n, rng)
    if way == "sessions":
        return within(y, x, block, n, rng)
    return flipped(animal_means(y, block) if np.ptp(x) == 0 else animal_slopes(y, x, block), n, rng)


def _plain(one: Tested) -> dict[str, Floats]:
    return {"effect": one.effect, "statistic": one.statistic}


def _permuted(one: Tested) -> dict[str, Floats]:
    size = np.abs(one.null)
    reach = np.full(one.effect.size, np.nan)
    if size.shape[0] >= _LEAST_DRAWS:
        reach = np.quantile(size, _LEVEL, axis=0, method="higher") * one.error
    p = permutation_p_value(np.abs(one.statistic), size.T)
    return _plain(one) | {"effect_low": one.effect - reach, "effect_high": one.effect + reach, "p_value": p}


def _mixed(y: Floats, x: Floats, block: Ints, varies: str) -> dict[str, Floats]:
    animals = int(block.max()) + 1
    free = {"not": animals - 1, "between": animals - 2, "within": x.size - animals - 1}[varies]
    if free < 1:
        return {}
    inner = x - animal_means(x[:, None], block)[block, 0]
    columns = {"not": [x], "between": [np.ones_like(x), x], "within": [np.ones_like(x), inner]}[varies]
    found = random_intercept(y, np.stack(columns, axis=1), block)
    varying = found.error > 1e-9 * np.abs(y).max(axis=0)
    error = np.where(varying, found.error, np.nan)
    reach = student.ppf((1 + _LEVEL) / 2, free) * error
    return {
        "mixed_effect": found.effect,
        "mixed_standard_error": error,
        "mixed_low": found.effect - reach,
        "mixed_high": found.effect + reach,
        "mixed_p_value": 2 * student.sf(np.abs(found.effect / error), free),
        "icc": np.where(varying, found.correlation, np.nan),
    }


def _about(name: str, values: xr.DataArray, design: Design) -> dict[str, str]:
    unit = str(values.attrs.get("units", "1"))
    if name in _OF_VALUES:
        unit += f" per {design.name}" if design.told.startswith("slope") else ""
    else:
        unit = "count" if name.startswith("n_") else "1"
    return {"units": unit, "long_name": _ABOUT[name]}
