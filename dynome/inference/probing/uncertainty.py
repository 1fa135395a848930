"""How sure a score is, and whether two differ.

Animals are drawn again. That alone is too narrow: predictions of different animals come from training parts that share
most of their animals, and are right or wrong together. How much too narrow is seen where the truth is known, on
outcomes that were dealt anew; intervals are stretched by that factor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from dynome import seeds
from dynome.inference.probing.tallies import AUROC, CHANCE, Tally, drawn, score, without_each
from dynome.permutation import permutation_p_value

Floats = NDArray[np.float64]

_NORMAL = 1.959964
_TAILS = (0.025, 0.975)


class Estimate(NamedTuple):
    """A score, its interval and its p-value.

    Attributes
    ----------
    value, low, high : float
        `low` and `high` bound 95 %.
    p_value : float
        Chance of a value as good where nothing is to be found; NaN without outcomes dealt anew.
    """

    value: float
    low: float
    high: float
    p_value: float


def draws_of(strata: NDArray[np.int64], n: int, seed: int) -> tuple[Floats, Floats]:
    """How often each animal is drawn, (n, n_animal), and two animals that are not there, (n, 2).

    Parameters
    ----------
    strata : (n_animal,)
        Class of each animal; every class keeps its size. Zeros to draw from all.
    n : int
    seed : int
    """
    rng = seeds.generator(seed, "bootstrap")
    weight = np.zeros((n, strata.size))
    for code in np.unique(strata):
        own = np.flatnonzero(strata == code)
        weight[:, own] = rng.multinomial(own.size, np.full(own.size, 1 / own.size), size=n)
    return weight, rng.poisson(1.0, size=(n, 2)).astype(np.float64)


def stretch(tally: Tally) -> float:
    """By how much intervals must be wider than animals drawn again say.

    Parameters
    ----------
    tally : Tally
    """
    return _stretch(score(tally)[1:] - CHANCE[tally.metric], without_each(tally)[:, 1:])


def stretch_of_difference(tally: Tally, other: Tally) -> float:
    """The same for the difference of two scores of the same outcomes.

    Parameters
    ----------
    tally, other : Tally
    """
    return _stretch((score(tally) - score(other))[1:], (without_each(tally) - without_each(other))[:, 1:])


def estimated(tally: Tally, weight: Floats, pseudo: Floats, factor: float) -> Estimate:
    """The score of the real outcome.

    Parameters
    ----------
    tally : Tally
    weight, pseudo : (n, n_animal), (n, 2)
        From `draws_of`.
    factor : float
        From `stretch`.
    """
    scores = score(tally)
    value = float(scores[0])
    bounds = (0.0, 1.0) if tally.metric == AUROC else (-1.0, 1.0)
    low, high = _interval(value, drawn(tally, weight, pseudo), factor, bounds)
    p = float(permutation_p_value(value, scores[1:])) if scores.size > 1 else np.nan
    return Estimate(value, low, high, p)


def difference(tally: Tally, other: Tally, weight: Floats, pseudo: Floats, factor: float, seed: int) -> Estimate:
    """By how much one score is above another; the p-value is two-sided and paired by animal.

    Parameters
    ----------
    tally, other : Tally
        Of the same outcome, folds and animals.
    weight, pseudo : (n, n_animal), (n, 2)
        From `draws_of`.
    factor : float
        From `stretch_of_difference`.
    seed : int

    Notes
    -----
    Each animal's share of the difference (its jackknife pseudo-value) changes its sign at random, as it would if the
    two were exchangeable; what comes of it is stretched as the interval.
    """
    value = float(score(tally)[0] - score(other)[0])
    low, high = _interval(value, drawn(tally, weight, pseudo) - drawn(other, weight, pseudo), factor, (-2.0, 2.0))
    without = without_each(tally)[:, 0] - without_each(other)[:, 0]
    share = value + (without.size - 1) * (value - without)
    signs = seeds.generator(seed, "signs").choice([-1.0, 1.0], size=(len(weight), share.size))
    null = np.abs(signs @ share / share.size) * factor
    return Estimate(value, low, high, float(permutation_p_value(abs(value), null)))


def middle(draws: Floats) -> tuple[float, float]:
    """The middle 95 % of draws; those that are NaN are left out.

    Parameters
    ----------
    draws : (n,)
    """
    known = draws[np.isfinite(draws)]
    if not known.size:
        return np.nan, np.nan
    low, high = np.quantile(known, _TAILS)
    return float(low), float(high)


def small_sample(n: int) -> float:
    """By how much an interval of n draws of n animals is too narrow: Student's t, and n - 1 in the variance.

    Parameters
    ----------
    n : int
        At least 2.
    """
    return float(student.ppf(_TAILS[1], n - 1) / _NORMAL * (n / (n - 1)) ** 0.5)


def _interval(value: float, draws: Floats, factor: float, bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = middle(draws)
    return max(bounds[0], value - factor * (value - low)), min(bounds[1], value + factor * (high - value))


def _stretch(off: Floats, without: Floats) -> float:
    """Width that holds 95 % of the scores `off` chance, as a multiple of that of the jackknife; Student's t on top."""
    n = len(without)
    few = small_sample(n)
    known = np.isfinite(off) & np.isfinite(without).all(axis=0)
    if not known.any():
        return few
    variance = (n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    typical = np.sqrt(variance[known].mean())
    reach = float(np.quantile(np.abs(off[known]), 0.95))
    return float(few * max(1.0, reach / (_NORMAL * typical)) if typical > 0 else few)
