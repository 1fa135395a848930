"""Loops over observations: log probabilities and their derivatives, two functions a law.

They work in place, as loops over few arrays are vectorised (see `dynome.dynamics.glm.link_loops`, which fills the
arrays): ``log_rate`` becomes the log probability without terms that hold no parameter, ``rate`` the Fisher information
and ``ratio`` the score. ``spread`` holds what the dispersion says, one value an element (see `spreads`). A missing
observation, which is not equal to itself, gives zeros.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from dynome.dynamics.glm.elementary import log

_TABLE: Final = 64  # counts up to which the sums of the negative binomial law are looked up
_LEAST_ALPHA: Final = 1e-12  # a negative binomial law so little dispersed is the Poisson law
_OPTIONS = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


@njit(**_OPTIONS)
def poisson(y, log_rate, rate):  # type: ignore[no-untyped-def]
    """Log probability of the Poisson law."""
    zero = y.dtype.type(0)
    for i in range(y.size):
        value = y[i] * log_rate[i] - rate[i]
        log_rate[i] = zero if y[i] != y[i] else value


@njit(**_OPTIONS)
def poisson_slopes(y, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    """The same, with information and score."""
    zero = y.dtype.type(0)
    for i in range(y.size):
        missing = y[i] != y[i]
        slope = ratio[i] * rate[i]
        value = y[i] * log_rate[i] - rate[i]
        log_rate[i] = zero if missing else value
        rate[i] = zero if missing else ratio[i] * slope
        ratio[i] = zero if missing else y[i] * ratio[i] - slope


@njit(**_OPTIONS)
def bernoulli(y, eta, log_rate):  # type: ignore[no-untyped-def]
    """Log probability of the Bernoulli law."""
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(y.size):
        value = log_rate[i] - (one - y[i]) * eta[i]
        log_rate[i] = zero if y[i] != y[i] else value


@njit(**_OPTIONS)
def bernoulli_slopes(y, eta, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    """The same, with information and score."""
    zero, one = y.dtype.type(0), y.dtype.type(1)
    bernoulli(y, eta, log_rate)
    for i in range(y.size):
        missing = y[i] != y[i]
        p, q = rate[i], ratio[i]
        rate[i] = zero if missing else p * q
        ratio[i] = zero if missing else y[i] * q - (one - y[i]) * p


@njit(**_OPTIONS)
def gaussian(y, eta, spread, log_rate):  # type: ignore[no-untyped-def]
    """Log probability of the Gaussian law."""
    zero, half = y.dtype.type(0), y.dtype.type(0.5)
    precision, log_scale = spread[0], spread[1]
    for i in range(y.size):
        gap = y[i] - eta[i]
        log_rate[i] = zero if y[i] != y[i] else log_scale[i] - half * gap * gap * precision[i]


@njit(**_OPTIONS)
def gaussian_slopes(y, eta, spread, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    """The same, with information and score."""
    zero = y.dtype.type(0)
    precision = spread[0]
    gaussian(y, eta, spread, log_rate)
    for i in range(y.size):
        rate[i] = zero if y[i] != y[i] else precision[i]
    for i in range(y.size):
        gap = y[i] - eta[i]
        ratio[i] = zero if y[i] != y[i] else gap * precision[i]


@njit(**_OPTIONS)
def negative_binomial(y, spread, log_rate, rate):  # type: ignore[no-untyped-def]
    """Log probability of the negative binomial law; `rate` is overwritten."""
    zero, one = y.dtype.type(0), y.dtype.type(1)
    alpha, shape = spread[0], spread[1]
    for i in range(y.size):
        x = alpha[i] * rate[i]
        w = one + x
        rate[i] = log(w) + (x - (w - one)) / w  # log(1 + x), of which w has lost the low digits of x
    for i in range(y.size):
        value = y[i] * (log_rate[i] - rate[i]) - shape[i] * rate[i]
        log_rate[i] = zero if y[i] != y[i] else value


@njit(**_OPTIONS)
def negative_binomial_slopes(y, spread, log_rate, rate, ratio, work):  # type: ignore[no-untyped-def]
    """The same, with information and score; `work` is overwritten."""
    zero, one = y.dtype.type(0), y.dtype.type(1)
    alpha = spread[0]
    for i in range(y.size):
        work[i] = rate[i]
    negative_binomial(y, spread, log_rate, work)
    for i in range(y.size):
        missing = y[i] != y[i]
        pull, mean = ratio[i] / (one + alpha[i] * rate[i]), rate[i]
        rate[i] = zero if missing else pull * ratio[i] * mean
        ratio[i] = zero if missing else pull * (y[i] - mean)


@njit(**_OPTIONS)
def spreads(gaussian, dispersion, rows, dtype_like):  # type: ignore[no-untyped-def]
    """Row 0 and 1, repeated along a block: precision and log density of the centre, or alpha and 1 / alpha."""
    n_node = dispersion.size
    spread = np.empty((2, rows * n_node), dtype_like.dtype)
    for i in range(n_node):
        d = np.float64(dispersion[i])
        if gaussian:
            spread[0, i], spread[1, i] = 1 / d, -0.5 * np.log(d)
        else:
            alpha = max(d, _LEAST_ALPHA)
            spread[0, i], spread[1, i] = alpha, 1 / alpha
    for i in range(n_node, rows * n_node):
        spread[0, i], spread[1, i] = spread[0, i - n_node], spread[1, i - n_node]
    return spread


@njit(**_OPTIONS)
def count_table(dispersion):  # type: ignore[no-untyped-def]
    """``log Gamma(y + 1/alpha) - log Gamma(1/alpha) + y log alpha`` for small y: the sum of log(1 + k alpha), k < y."""
    table = np.zeros((dispersion.size, _TABLE + 1))
    for n in range(dispersion.size):
        alpha = max(np.float64(dispersion[n]), _LEAST_ALPHA)
        for k in range(_TABLE):
            table[n, k + 1] = table[n, k] + np.log1p(alpha * k)
    return table


@njit(**_OPTIONS)
def add_count_terms(y, table, spread, value):  # type: ignore[no-untyped-def]
    """Add what `count_table` holds; beyond it, Stirling's series is exact."""
    n_node, n = table.shape[0], 0
    for i in range(y.size):
        if y[i] <= _TABLE:
            value[i] += table[n, np.int64(y[i])]
        elif y[i] > _TABLE:
            alpha, r = np.float64(spread[0, i]), np.float64(spread[1, i]) + _TABLE
            d = np.float64(y[i]) - _TABLE
            tail = (r + d - 0.5) * np.log1p(d / r) - d + d * np.log1p(alpha * _TABLE)
            tail += (1 / (r + d) - 1 / r) / 12 - (1 / (r + d) ** 3 - 1 / r**3) / 360
            value[i] += table[n, _TABLE] + tail
        n = n + 1 if n + 1 < n_node else 0
