"""Loops over activations: rates, their logarithms and the ratios of both derivatives, one pair of functions a link.

``log_rate`` and ``rate`` are what the log probability needs; ``ratio``, the derivative of the logarithm of the rate by
the activation, is needed besides for derivatives. That of the rate itself is ``ratio * rate``. Where activations are
limited, and why, is told by `dynome.dynamics.glm.laws.mean`.

LLVM vectorises a loop over several arrays only if it can test that they do not overlap, and gives up at nine tests. So
a loop has few arrays, and long ones are cut in two, which also leaves the polynomials their registers. A comparison
with NaN is false: NaN goes through to the rate.
"""

from __future__ import annotations

from typing import Final

from numba import njit

from dynome.dynamics.glm.elementary import exp, log, log1p, log1p_and_reciprocal
from dynome.dynamics.glm.laws import HIGHEST, LOWEST, RATE_FLOOR

_FAR: Final = 80.0  # e^-80 is nothing beside 1, and a normal number in float32
_OPTIONS = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


@njit(**_OPTIONS)
def exp_rates(eta, log_rate, rate):  # type: ignore[no-untyped-def]
    """Rates of the exponential link."""
    low, high = eta.dtype.type(LOWEST), eta.dtype.type(HIGHEST)
    for i in range(eta.size):
        e = high if eta[i] > high else eta[i]
        log_rate[i] = e
        rate[i] = exp(low if e < low else e)


@njit(**_OPTIONS)
def exp_ratios(eta, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    """The same, with ratios."""
    high, zero, one = eta.dtype.type(HIGHEST), eta.dtype.type(0), eta.dtype.type(1)
    exp_rates(eta, log_rate, rate)
    for i in range(eta.size):
        ratio[i] = zero if eta[i] > high else one


@njit(**_OPTIONS)
def softplus_rates(eta, log_rate, rate):  # type: ignore[no-untyped-def]
    """Rates of the softplus link."""
    low, zero = eta.dtype.type(LOWEST), eta.dtype.type(0)
    _far_exp(eta, rate)
    for i in range(eta.size):
        rate[i] = log1p(rate[i]) + (zero if eta[i] < zero else eta[i])
    for i in range(eta.size):
        log_rate[i] = log(rate[i]) + (eta[i] - low if eta[i] < low else zero)


@njit(**_OPTIONS)
def softplus_ratios(eta, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    """The same, with ratios."""
    low, zero, one = eta.dtype.type(LOWEST), eta.dtype.type(0), eta.dtype.type(1)
    _far_exp(eta, ratio)
    for i in range(eta.size):
        u = ratio[i]
        rate[i] = log1p(u) + (zero if eta[i] < zero else eta[i])
        ratio[i] = (u if eta[i] < zero else one) / ((one + u) * rate[i])
    for i in range(eta.size):
        log_rate[i] = log(rate[i]) + (eta[i] - low if eta[i] < low else zero)


@njit(**_OPTIONS)
def sigmoid_rates(eta, log_rate, rate):  # type: ignore[no-untyped-def]
    """Rates of the sigmoid link."""
    zero, one = eta.dtype.type(0), eta.dtype.type(1)
    _far_exp(eta, rate)
    for i in range(eta.size):
        u = rate[i]
        soft, whole = log1p_and_reciprocal(u)
        log_rate[i] = (eta[i] if eta[i] < zero else zero) - soft
        rate[i] = whole * (u if eta[i] < zero else one)


@njit(**_OPTIONS)
def sigmoid_ratios(eta, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    """The same, with ratios."""
    zero, one = eta.dtype.type(0), eta.dtype.type(1)
    _far_exp(eta, ratio)
    for i in range(eta.size):
        u = ratio[i]
        soft, whole = log1p_and_reciprocal(u)
        log_rate[i] = (eta[i] if eta[i] < zero else zero) - soft
        rate[i] = whole * (u if eta[i] < zero else one)
        ratio[i] = whole * (one if eta[i] < zero else u)


@njit(**_OPTIONS)
def identity_rates(eta, log_rate, rate):  # type: ignore[no-untyped-def]
    """Rates of the identity link, floored."""
    floor = eta.dtype.type(RATE_FLOOR)
    for i in range(eta.size):
        rate[i] = floor if eta[i] < floor else eta[i]
        log_rate[i] = log(rate[i])


@njit(**_OPTIONS)
def identity_ratios(eta, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    """The same, with ratios."""
    floor, zero, one = eta.dtype.type(RATE_FLOOR), eta.dtype.type(0), eta.dtype.type(1)
    identity_rates(eta, log_rate, rate)
    for i in range(eta.size):
        ratio[i] = zero if eta[i] < floor else one / rate[i]


@njit(**_OPTIONS)
def _far_exp(eta, out):  # type: ignore[no-untyped-def]
    """e^-abs(eta), which stops falling below LOWEST and, where it no longer matters, above `_FAR`."""
    low, far = eta.dtype.type(LOWEST), eta.dtype.type(_FAR)
    for i in range(eta.size):
        size = abs(low if eta[i] < low else eta[i])
        out[i] = exp(-(far if size > far else size))
