"""What an observed statistic means against a null distribution of draws, and what many of them mean together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control

# Statistics that are equal on paper may differ in the last digits, because sums were taken in another order.
_SAME = 1e-10


def permutation_p_value(observed: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    r"""Chance of a statistic as large as the observed one under the null.

    Parameters
    ----------
    observed : (...)
        Observed statistic.
    null : (..., n_draw)
        The statistic of draws under the null. NaN draws are left out.

    Returns
    -------
    (...)
        One-sided p-value, at least ``1 / (n_draw + 1)``; NaN where the observed statistic is NaN or no draw is left.

    Notes
    -----
    :math:`p = (1 + \#\{\mathrm{null} \ge \mathrm{observed}\}) / (1 + n)`: the observed arrangement is itself one that
    the null could have drawn, so p is never zero and the test never too liberal [1]_.

    References
    ----------
    .. [1] Phipson & Smyth, Stat Appl Genet Mol Biol 2010, doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> permutation_p_value(0.9, [0.1, 0.5, 0.9, 0.2]).item()
    0.4
    """
    value, draws = np.asarray(observed, dtype=np.float64)[..., None], np.asarray(null, dtype=np.float64)
    known = ~np.isnan(draws)
    n = known.sum(axis=-1)
    as_large = (draws >= value - _SAME * np.abs(value)) & known
    p: NDArray[np.float64] = (1 + as_large.sum(axis=-1)) / (1 + n)
    return np.where(np.isnan(value[..., 0]) | (n == 0), np.nan, p)


def z_score(observed: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """Distance of a statistic from the mean of its null draws, in their standard deviations.

    Parameters
    ----------
    observed : (...)
        Observed statistic.
    null : (..., n_draw)
        The statistic of draws under the null. NaN draws are left out.

    Returns
    -------
    (...)
        NaN where fewer than two draws are left or all draws agree.

    Examples
    --------
    >>> z_score(3.0, [-1.0, 0.0, 1.0]).item()
    3.0
    """
    value, draws = np.asarray(observed, dtype=np.float64), np.asarray(null, dtype=np.float64)
    known = ~np.isnan(draws)
    n = known.sum(axis=-1)
    mean = np.where(known, draws, 0.0).sum(axis=-1) / np.where(n > 0, n, np.nan)
    square = (np.where(known, draws - mean[..., None], 0.0) ** 2).sum(axis=-1)
    spread = np.sqrt(square / np.where(n > 1, n - 1, np.nan))
    z: NDArray[np.float64] = (value - mean) / np.where(spread > _SAME * np.abs(mean), spread, np.nan)
    return z


def q_value(p_value: ArrayLike) -> NDArray[np.float64]:
    r"""Smallest false discovery rate at which each of many tests is called.

    Parameters
    ----------
    p_value : (...)
        One p-value a test, of one family. NaN is a test that was not done; it does not count.

    Returns
    -------
    (...)
        In the order of `p_value`; NaN stays NaN.

    Notes
    -----
    Of the tests with ``q_value <= 0.05``, at most 5 % are false on average, where tests are independent or depend
    positively [1]_.

    References
    ----------
    .. [1] Benjamini & Hochberg, J R Stat Soc B 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> q_value([0.01, 0.04, np.nan, 0.5]).round(3)
    array([0.03, 0.06,  nan, 0.5 ])
    """
    p = np.asarray(p_value, dtype=np.float64)
    q = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    if known.any():
        q[known] = false_discovery_control(p[known])
    return q
