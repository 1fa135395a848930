"""Permutation tests of many variables at once, in which animals are exchanged, never their sessions.

A kernel takes a statistic of the data and of every exchange, as matrix products. Statistics are studentised, so that
tests stay near their level where animals differ in their number of sessions or groups in their spread.
"""

from __future__ import annotations

from itertools import combinations, permutations, product
from math import comb, factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SAME = 1e-10


class Tested(NamedTuple):
    """Effects of all variables.

    Attributes
    ----------
    effect, error, statistic : (n_variable,)
        Standard error and ``effect / error``; NaN where it cannot be told.
    null : (n_draw, n_variable)
        Statistic of each exchange.
    least : float
        The smallest p-value that these exchanges can give: some are as extreme as the data whatever the data are.
    """

    effect: Floats
    error: Floats
    statistic: Floats
    null: Floats
    least: float


def animal_means(y: Floats, block: Ints) -> Floats:
    """Mean over the sessions of each animal, (n_block, n_variable).

    Parameters
    ----------
    y : (n_session, n_variable)
        No NaN.
    block : (n_session,)
        From 0.
    """
    sums = np.zeros((int(block.max()) + 1, y.shape[1]))
    np.add.at(sums, block, y)
    return sums / np.bincount(block)[:, None]


def animal_slopes(y: Floats, x: Floats, block: Ints) -> Floats:
    """Slope on `x` within each animal in which it varies, (n_moving, n_variable).

    Parameters
    ----------
    y : (n_session, n_variable)
        No NaN.
    x : (n_session,)
    block : (n_session,)
    """
    inner = x - animal_means(x[:, None], block)[block, 0]
    size = np.bincount(block, weights=inner**2)
    sums = np.zeros((size.size, y.shape[1]))
    np.add.at(sums, block, inner[:, None] * y)
    moving = size > _SAME * max(float((x**2).max()), _SAME)
    return np.asarray(sums[moving] / size[moving, None])


def between(means: Floats, x: Floats, n: int, rng: np.random.Generator) -> Tested:
    r"""Slope of the means of animals on `x`, which animals exchange.

    Parameters
    ----------
    means : (n_block, n_variable)
    x : (n_block,)
    n : int
        Exchanges; where there are fewer different ones, each is taken once.
    rng : Generator

    Notes
    -----
    The standard error is that of HC2, :math:`\sum_a w_a e_a^2 / S^2` with :math:`w_a = x_a^2 / (1 - h_a)`; for two
    groups the statistic is Welch's t.
    """
    inner = x - x.mean()
    drawn = np.vstack([inner[None], _orders(inner, n, rng)])
    total = float((inner**2).sum())
    y = means - means.mean(axis=0)
    share = drawn**2 / (1 - 1 / x.size - drawn**2 / total)
    slope = drawn @ y / total
    squares = share @ y**2 - 2 * slope * ((share * drawn) @ y) + slope**2 * (share * drawn**2).sum(axis=1)[:, None]
    return _studentised(slope, squares / total**2, (y**2).sum(axis=0) / total, drawn)


def flipped(shares: Floats, n: int, rng: np.random.Generator) -> Tested:
    """Mean of what each animal shows, whose sign it may change.

    Parameters
    ----------
    shares : (n_block, n_variable)
        A mean, or a slope within the animal.
    n : int
    rng : Generator
    """
    animals = shares.shape[0]
    if 2**animals <= n + 1:
        signs = np.array(list(product([1.0, -1.0], repeat=animals)))
    else:
        signs = np.vstack([np.ones(animals), rng.choice([-1.0, 1.0], size=(n, animals))])
    signs = signs[: n + 1]
    mean = signs @ shares / animals
    spread = ((shares**2).mean(axis=0) - mean**2) / (animals - 1)
    return _studentised(mean, spread, (shares**2).mean(axis=0), signs)


def within(y: Floats, x: Floats, block: Ints, n: int, rng: np.random.Generator) -> Tested:
    """Slope on `x` within animals, whose sessions exchange it.

    Parameters
    ----------
    y : (n_session, n_variable)
        No NaN.
    x : (n_session,)
    block : (n_session,)
    n : int
    rng : Generator
    """
    inner = x - animal_means(x[:, None], block)[block, 0]
    drawn = np.tile(inner, (n + 1, 1))
    for k in range(int(block.max()) + 1):
        own = np.flatnonzero(block == k)
        drawn[1:, own] = rng.permuted(drawn[1:, own], axis=1)
    left = y - animal_means(y, block)[block]
    total, free = float((inner**2).sum()), x.size - int(block.max()) - 2
    slope = drawn @ left / total
    rest = (left**2).sum(axis=0) - slope**2 * total
    return _studentised(slope, rest / (free * total), (left**2).sum(axis=0) / total, drawn)


def _studentised(effect: Floats, variance: Floats, scale: Floats, drawn: Floats) -> Tested:
    """The first row is the data; its own exchange and the mirror image of it have an effect of the same size."""
    known = variance > _SAME * np.maximum(scale, np.finfo(float).tiny)
    error = np.sqrt(np.where(known, variance, np.nan))
    ratio = effect / error
    # Without any spread an exchange is as extreme as can be; where there is no effect either it says nothing.
    null = np.where(known[1:], ratio[1:], np.where(effect[1:] == 0, 0.0, np.copysign(np.inf, effect[1:])))
    twins = np.isclose(drawn, drawn[0]).all(axis=1) | np.isclose(drawn, -drawn[0]).all(axis=1)
    return Tested(effect[0], error[0], ratio[0], null, float(twins.mean()))


def _orders(inner: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Exchanges of one column, without the one that is there."""
    size = inner.size
    values = np.unique(inner)
    if values.size == 2 and comb(size, one := int((inner == values[1]).sum())) <= n + 1:
        all_of_them = np.full((comb(size, one), size), values[0])
        for row, chosen in zip(all_of_them, combinations(range(size), one), strict=True):
            row[list(chosen)] = values[1]
        others: Floats = all_of_them[(all_of_them != inner).any(axis=1)]
        return others[:n]
    if values.size > 2 and factorial(size) <= n + 1:
        return np.array(list(permutations(inner.tolist())))[1:][:n]
    return rng.permuted(np.tile(inner, (n, 1)), axis=1)
