r"""Compiled draw of the shape of a negative binomial law given its mean.

For one node, with :math:`n_u` the number of counts above u and :math:`\rho = \log r`:

.. math::
    \ell(r) = \sum_{u \ge 0} n_u \log(r + u) + \sum_t \left( r \log r - (y_t + r) \log(r + \mu_t) \right) + \text{const}

The target :math:`a \rho - b r + \beta \ell(r)` is proposed from a t distribution around its mode, at which Newton steps
arrive from a start that does not depend on the current shape, and accepted or not (an independence chain, so that the
number of steps concerns its speed, not its law).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, prange

from dynome.dynamics.glm.elementary import exp, log

_LOOP: Final[dict[str, Any]] = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
_SUMS: Final[dict[str, Any]] = {**_LOOP, "fastmath": {"contract", "reassoc"}}
FREEDOM: Final = 5.0  # of the t distribution
_STEPS: Final = 20
_CLOSE: Final = 1e-3  # last Newton step, of log r
_FAR: Final = 500.0
_LEAST, _MOST = -46.0, 23.0  # log r, where a mode is looked for
_FLAT: Final = 0.05  # least curvature of the target at its mode


@njit(parallel=True, **_LOOP)
def drawn_shapes(y, psi, current, shape, rate, temperature, noise, log_uniform):  # type: ignore[no-untyped-def]
    """New r of every node; `noise` is t-distributed."""
    out = current.copy()
    for i in prange(y.shape[0]):
        counts, mean = np.zeros(y.shape[1]), np.zeros(y.shape[1])
        _clean(y[i], psi[i], counts, mean)
        above = _above(counts)
        mode, spread = _mode(counts, mean, above, shape, rate, temperature)
        old = np.log(current[i])
        new = mode + spread * noise[i]
        ratio = _log_target(new, counts, mean, above, shape, rate, temperature) - _log_t((new - mode) / spread)
        ratio -= _log_target(old, counts, mean, above, shape, rate, temperature) - _log_t((old - mode) / spread)
        if log_uniform[i] < ratio:
            out[i] = np.exp(new)
    return out


@njit(**_LOOP)
def _clean(y, psi, counts, mean):  # type: ignore[no-untyped-def]
    """Counts and their means; missing ones are 0 of mean 0, which add nothing."""
    for t in range(y.size):
        value = exp(min(max(psi[t], -_FAR), _FAR))
        seen = y[t] == y[t]
        counts[t] = y[t] if seen else 0.0
        mean[t] = value if seen else 0.0


@njit(**_LOOP)
def _above(counts):  # type: ignore[no-untyped-def]
    """Number of counts above 0, 1, ..."""
    out = np.zeros(int(counts.max()))
    for value in counts:
        if value > 0:
            out[int(value) - 1] += 1
    for u in range(out.size - 2, -1, -1):
        out[u] += out[u + 1]
    return out


@njit(**_LOOP)
def _mode(counts, mean, above, shape, rate, temperature):  # type: ignore[no-untyped-def]
    """Mode of the target over log r, and the standard deviation of the normal distribution that fits there."""
    rho, slope, curvature = np.log(shape / rate), 0.0, 1.0
    for _ in range(_STEPS):
        r = np.exp(rho)
        first, second = _derivatives(r, counts, mean, above)
        slope = shape - rate * r + temperature * r * first
        curvature = rate * r - temperature * (r * first + r * r * second)
        step = slope / max(curvature, abs(slope))  # of 1 at most
        rho = min(max(rho + step, _LEAST), _MOST)
        if abs(step) < _CLOSE:
            break
    return rho, 1 / np.sqrt(max(curvature, _FLAT))


@njit(**_SUMS)
def _derivatives(r, counts, mean, above):  # type: ignore[no-untyped-def]
    """Of l(r), first and second."""
    first, second = 0.0, 0.0
    for u in range(above.size):
        share = 1 / (r + u)
        first += above[u] * share
        second -= above[u] * share * share
    inverse = 1 / r
    for t in range(counts.size):
        share = 1 / (r + mean[t])
        gap = (mean[t] - counts[t]) * share
        first += gap - log(1 + mean[t] * inverse)
        second += inverse - share - gap * share
    return first, second


@njit(**_SUMS)
def _log_target(rho, counts, mean, above, shape, rate, temperature):  # type: ignore[no-untyped-def]
    r = np.exp(rho)
    total = 0.0
    for u in range(above.size):
        total += above[u] * np.log(1 + u / r)
    for t in range(counts.size):
        total -= (counts[t] + r) * log(1 + mean[t] / r)
    return shape * rho - rate * r + temperature * total


@njit(**_LOOP)
def _log_t(x):  # type: ignore[no-untyped-def]
    return -0.5 * (FREEDOM + 1) * np.log1p(x * x / FREEDOM)
