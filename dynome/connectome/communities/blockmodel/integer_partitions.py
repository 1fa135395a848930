"""How many ways there are to write a whole number as a sum, in logarithms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.special
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LARGEST_TABLE = 4_000_000


class PartitionTable(NamedTuple):
    """Logarithms of numbers of partitions: exact where the table reaches, else an asymptotic formula on a grid.

    Attributes
    ----------
    exact : (total, parts)
        ln q(total, parts).
    log_ratio : (n_grid,)
        ln u with u = parts / sqrt(total), increasing in equal steps.
    growth, prefactor : (n_grid,)
        The two functions of u in the asymptotic formula.
    """

    exact: Floats
    log_ratio: Floats
    growth: Floats
    prefactor: Floats


def partition_table(max_total: int, max_parts: int) -> PartitionTable:
    r"""Everything that `log_partitions` needs.

    Parameters
    ----------
    max_total, max_parts : int
        Largest number and largest number of parts that will be asked for; the exact table stops where it would
        become too large.

    Notes
    -----
    Exact values follow :math:`q(m, n) = q(m, n - 1) + q(m - n, n)`. Beyond, with :math:`u = n / \sqrt m` [1]_,

    .. math:: q(m, n) \approx \frac{f(u)}{m} e^{\sqrt m\, g(u)}, \quad g = \frac{2v}{u} - u \ln(1 - e^{-v}), \quad
        f = \frac{v}{2^{3/2} \pi u} \left[1 - (1 + u^2 / 2) e^{-v}\right]^{-1/2}

    where :math:`v = u \sqrt{\mathrm{Li}_2(1 - e^{-v})}`.

    References
    ----------
    .. [1] Szekeres, The Quarterly Journal of Mathematics 1951, doi:10.1093/qmath/2.1.85.
    """
    total = min(max_total, max(_LARGEST_TABLE // (max_parts + 1), 1_000))
    parts = min(max_parts, _LARGEST_TABLE // (total + 1))
    v = np.exp(np.linspace(np.log(1e-6), np.log(2_000), 20_000))
    u = v / np.sqrt(scipy.special.spence(np.exp(-v)))
    growth = 2 * v / u - u * np.log(-np.expm1(-v))
    prefactor = np.log(v / (2**1.5 * np.pi * u)) - 0.5 * np.log(-np.expm1(-v) - u**2 / 2 * np.exp(-v))
    grid = np.linspace(np.log(u[0]), np.log(u[-1]), 8_000)
    return PartitionTable(
        _exact(total, parts), grid, np.interp(grid, np.log(u), growth), np.interp(grid, np.log(u), prefactor)
    )


@njit(cache=True)
def log_partitions(table: PartitionTable, total: int, parts: int) -> float:
    """Ln of the number of ways to write a number as a sum of at most so many positive numbers.

    Parameters
    ----------
    table : PartitionTable
        Made by `partition_table`.
    total : int
        The number, >= 0.
    parts : int
        At most so many summands, >= 0.

    Returns
    -------
    float
        0 where there is one way; also for a positive number in no parts, which no graph asks for.
    """
    parts = min(parts, total)
    if parts <= 1:
        return 0.0
    if total < table.exact.shape[0] and parts < table.exact.shape[1]:
        return float(table.exact[total, parts])
    if parts < total**0.25:
        ways = np.float64(0.0)
        for k in range(1, parts):
            ways += np.log((total - k) / k)
        for k in range(1, parts + 1):
            ways -= np.log(k)
        return ways
    step = table.log_ratio[1] - table.log_ratio[0]
    place = (np.log(parts / np.sqrt(total)) - table.log_ratio[0]) / step
    k = min(max(int(place), 0), table.log_ratio.size - 2)
    share = place - k
    growth = (1 - share) * table.growth[k] + share * table.growth[k + 1]
    prefactor = (1 - share) * table.prefactor[k] + share * table.prefactor[k + 1]
    return float(prefactor - np.log(total) + np.sqrt(total) * growth)


@njit(cache=True)
def _exact(max_total: int, max_parts: int) -> Floats:
    table = np.full((max_total + 1, max_parts + 1), -np.inf)
    table[0] = 0.0
    for m in range(1, max_total + 1):
        for n in range(1, max_parts + 1):
            if n > m:
                table[m, n] = table[m, n - 1]
                continue
            a, b = table[m, n - 1], table[m - n, n]
            high, low = max(a, b), min(a, b)
            table[m, n] = high if low == -np.inf else high + np.log1p(np.exp(low - high))
    return table
