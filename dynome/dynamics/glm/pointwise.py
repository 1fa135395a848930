"""Log probabilities of observations and their derivatives, element by element: the hot loops of every GLM.

Bins and nodes are walked in blocks that stay in the innermost cache. A first loop turns activations into rates and
their logarithms (one a link), a second turns rates into log probabilities or derivatives (one a law), so that links and
laws add up rather than multiply. The choice between them is made outside of the loops, which LLVM vectorises. A sibling
law is one loop of each kind.

Every function runs in float32 and float64, releases the interpreter, and may be called from compiled code.
"""

from __future__ import annotations

from typing import Any, Final, get_args

import numpy as np
from numba import njit

from dynome.dynamics.glm.elementary import exp, log, log1p
from dynome.dynamics.glm.laws import HIGHEST, LOWEST, RATE_FLOOR, Law, Link

_POISSON, _BERNOULLI, _NEGATIVE_BINOMIAL, _GAUSSIAN = range(4)
_EXP, _SOFTPLUS, _SIGMOID, _IDENTITY = range(4)
_BLOCK: Final = 1024  # elements of a block: its buffers stay in the innermost cache
_TABLE: Final = 64  # counts up to which the sums of the negative binomial law are looked up
_LEAST_ALPHA: Final = 1e-12  # a negative binomial law so little dispersed is the Poisson law
_FAR: Final = 80.0  # e^-80 is nothing beside 1, and a normal number in float32

_FAST = {"contract"}
_SUMS = {"contract", "reassoc", "nsz"}


def law_code(law: Law) -> int:
    """Number of a law in the compiled loops.

    Parameters
    ----------
    law : str
        Any but categorical, which has its own module.

    Examples
    --------
    >>> law_code("poisson")
    0
    """
    return get_args(Law).index(law)


def link_code(link: Link) -> int:
    """Number of a link in the compiled loops.

    Parameters
    ----------
    link : str
        Any but softmax.

    Examples
    --------
    >>> link_code("exp")
    0
    """
    return get_args(Link).index(link)


@njit(cache=True, nogil=True, error_model="numpy")
def add_log_probability(law: int, link: int, y: Any, eta: Any, dispersion: Any, out: Any) -> None:
    """Add the log probability of each bin, summed over nodes.

    Parameters
    ----------
    law, link : int
        From `law_code` and `link_code`, a pair of `LINKS`.
    y, eta : (n_bin, n_node)
        Observations, NaN where missing, and finite activations: contiguous, of the same dtype (float32 or float64).
    dispersion : (n_node,)
        Variance (Gaussian) or alpha (negative binomial); else unused.
    out : (n_bin,)
        Added to, in nats, without `dynome.dynamics.glm.laws.constant`. A missing observation adds 0.
    """
    add_log_probabilities(law, link, y, eta, dispersion, np.zeros(0, eta.dtype), out, np.zeros(0))


@njit(cache=True, nogil=True, error_model="numpy")
def add_log_probabilities(
    law: int, link: int, y: Any, eta: Any, dispersion: Any, weight: Any, out: Any, value: Any
) -> None:
    """Add the log probability of each bin, summed over nodes, and that of each node, summed over bins with weights.

    Parameters
    ----------
    law, link, y, eta, dispersion, out
        As for `add_log_probability`.
    weight : (n_bin,) or (0,)
        Weight of each bin in `value`; empty if that is not wanted.
    value : (n_node,)
        Added to: sum over bins of ``weight * logp``, the same number as `weighted_derivatives` gives.
    """
    n_bin, n_node = eta.shape
    rows = max(1, _BLOCK // max(n_node, 1))
    size = rows * n_node
    log_rate, rate, logp = np.empty(size, eta.dtype), np.empty(size, eta.dtype), np.empty(size, eta.dtype)
    spread, terms = _spread(law, dispersion, rows, y)
    flat_y, flat_eta = y.reshape(-1), eta.reshape(-1)
    for b in range(0, n_bin, rows):
        end = min(b + rows, n_bin)
        x, e = flat_y[b * n_node : end * n_node], flat_eta[b * n_node : end * n_node]
        if link == _EXP:
            _exp_rates(e, log_rate, rate)
        elif link == _SOFTPLUS:
            _softplus_rates(e, log_rate, rate)
        elif link == _SIGMOID:
            _sigmoid_rates(e, log_rate, rate)
        elif law == _POISSON:
            _identity_rates(e, log_rate, rate)
        if law == _POISSON:
            _poisson(x, log_rate, rate, logp)
        elif law == _BERNOULLI:
            _bernoulli(x, e, log_rate, logp)
        elif law == _NEGATIVE_BINOMIAL:
            _negative_binomial(x, log_rate, rate, spread, logp)
            _add_count_terms(x, terms, spread, n_node, logp)
        else:
            _gaussian(x, e, spread, logp)
        for r in range(end - b):
            out[b + r] += _sum(logp[r * n_node : (r + 1) * n_node])
            if weight.size:
                for n in range(n_node):
                    value[n] += weight[b + r] * logp[r * n_node + n]


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_derivatives(
    law: int, link: int, y: Any, eta: Any, weight: Any, dispersion: Any, score: Any, information: Any, value: Any
) -> None:
    """Derivative of each log probability by its activation, and Fisher information, times the weight of the bin.

    Parameters
    ----------
    law, link, y, eta, dispersion
        As for `add_log_probability`.
    weight : (n_bin,)
        Not negative: posterior probability of the state.
    score, information : (n_bin, n_node)
        Overwritten: ``weight * dlogp / deta`` and ``weight * E[(dlogp / deta)^2]``; 0 where the observation is missing.
        Contiguous, of the dtype of `eta`.
    value : (n_node,)
        Added to: sum over bins of ``weight * logp``, in nats, without `dynome.dynamics.glm.laws.constant`.
    """
    n_bin, n_node = eta.shape
    rows = max(1, _BLOCK // max(n_node, 1))
    size = rows * n_node
    log_rate, rate, ratio = np.empty(size, eta.dtype), np.empty(size, eta.dtype), np.empty(size, eta.dtype)
    logp = np.empty(size, eta.dtype)
    spread, terms = _spread(law, dispersion, rows, y)
    flat_y, flat_eta = y.reshape(-1), eta.reshape(-1)
    flat_score, flat_information = score.reshape(-1), information.reshape(-1)
    for b in range(0, n_bin, rows):
        end = min(b + rows, n_bin)
        here, there = b * n_node, end * n_node
        x, e, u, v = flat_y[here:there], flat_eta[here:there], flat_score[here:there], flat_information[here:there]
        if link == _EXP:
            _exp_ratios(e, log_rate, rate, ratio)
        elif link == _SOFTPLUS:
            _softplus_ratios(e, log_rate, rate, ratio)
        elif link == _SIGMOID:
            _sigmoid_ratios(e, log_rate, rate, ratio)
        elif law == _POISSON:
            _identity_ratios(e, log_rate, rate, ratio)
        if law == _POISSON:
            _poisson_slopes(x, log_rate, rate, ratio, logp, u, v)
        elif law == _BERNOULLI:
            _bernoulli_slopes(x, e, log_rate, rate, ratio, logp, u, v)
        elif law == _NEGATIVE_BINOMIAL:
            _negative_binomial_slopes(x, log_rate, rate, ratio, spread, logp, u, v)
            _add_count_terms(x, terms, spread, n_node, logp)
        else:
            _gaussian_slopes(x, e, spread, logp, u, v)
        for r in range(end - b):
            w = weight[b + r]
            for n in range(n_node):
                i = r * n_node + n
                value[n] += w * logp[i]
                u[i] *= w
                v[i] *= w


@njit(cache=True, nogil=True, fastmath=_SUMS)
def _sum(x):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(law, dispersion, rows, y):  # type: ignore[no-untyped-def]
    """What the dispersion of each node says, repeated along a block, and sums of the negative binomial law."""
    n_node = dispersion.size
    spread = np.empty((2, rows * n_node if law == _NEGATIVE_BINOMIAL or law == _GAUSSIAN else 0), y.dtype)
    for i in range(spread.shape[1]):
        d = np.float64(dispersion[i % n_node])
        if law == _GAUSSIAN:
            spread[0, i], spread[1, i] = 1 / d, -0.5 * np.log(d)
        else:
            d = max(d, _LEAST_ALPHA)
            spread[0, i], spread[1, i] = d, 1 / d
    terms = np.zeros((n_node if law == _NEGATIVE_BINOMIAL else 0, _TABLE + 1))
    for n in range(terms.shape[0]):
        alpha = max(np.float64(dispersion[n]), _LEAST_ALPHA)
        for k in range(_TABLE):
            terms[n, k + 1] = terms[n, k] + np.log1p(alpha * k)
    return spread, terms


@njit(cache=True, nogil=True, error_model="numpy")
def _add_count_terms(y, terms, spread, n_node, value):  # type: ignore[no-untyped-def]
    """Add ``log Gamma(y + 1/alpha) - log Gamma(1/alpha) + y log alpha``, the sum of ``log(1 + k alpha)`` for k < y."""
    n = 0
    for i in range(y.size):
        if y[i] <= _TABLE:
            value[i] += terms[n, np.int64(y[i])]
        elif y[i] > _TABLE:  # Stirling's series is exact from there on
            alpha, r = np.float64(spread[0, i]), np.float64(spread[1, i]) + _TABLE
            d = np.float64(y[i]) - _TABLE
            tail = (r + d - 0.5) * np.log1p(d / r) - d + d * np.log1p(alpha * _TABLE)
            tail += (1 / (r + d) - 1 / r) / 12 - (1 / (r + d) ** 3 - 1 / r**3) / 360
            value[i] += terms[n, _TABLE] + tail
        n = n + 1 if n + 1 < n_node else 0


# Links. `ratio` is the derivative of the logarithm of the rate by the activation; that of the rate is ratio * rate.
# A comparison with NaN is false, and NaN goes through.


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _exp_rates(eta, log_rate, rate):  # type: ignore[no-untyped-def]
    low, high = eta.dtype.type(LOWEST), eta.dtype.type(HIGHEST)
    for i in range(eta.size):
        e = high if eta[i] > high else eta[i]
        log_rate[i] = e
        rate[i] = exp(low if e < low else e)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _exp_ratios(eta, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    low, high = eta.dtype.type(LOWEST), eta.dtype.type(HIGHEST)
    zero, one = eta.dtype.type(0), eta.dtype.type(1)
    for i in range(eta.size):
        e = high if eta[i] > high else eta[i]
        log_rate[i] = e
        rate[i] = exp(low if e < low else e)
        ratio[i] = zero if eta[i] > high else one


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _softplus_rates(eta, log_rate, rate):  # type: ignore[no-untyped-def]
    low, far, zero = eta.dtype.type(LOWEST), eta.dtype.type(_FAR), eta.dtype.type(0)
    for i in range(eta.size):
        e = low if eta[i] < low else eta[i]
        size = abs(e)
        soft = log1p(exp(-(far if size > far else size))) + (e if e > zero else zero)
        rate[i] = soft
        log_rate[i] = log(soft) + (eta[i] - low if eta[i] < low else zero)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _softplus_ratios(eta, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    low, far = eta.dtype.type(LOWEST), eta.dtype.type(_FAR)
    zero, one = eta.dtype.type(0), eta.dtype.type(1)
    for i in range(eta.size):
        e = low if eta[i] < low else eta[i]
        size = abs(e)
        u = exp(-(far if size > far else size))
        soft = log1p(u) + (e if e > zero else zero)
        rate[i] = soft
        log_rate[i] = log(soft) + (eta[i] - low if eta[i] < low else zero)
        ratio[i] = (u if e < zero else one) / ((one + u) * soft)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _sigmoid_rates(eta, log_rate, rate):  # type: ignore[no-untyped-def]
    low, far = eta.dtype.type(LOWEST), eta.dtype.type(_FAR)
    zero, one = eta.dtype.type(0), eta.dtype.type(1)
    for i in range(eta.size):
        e = low if eta[i] < low else eta[i]
        size = abs(e)
        u = exp(-(far if size > far else size))
        rate[i] = (u if e < zero else one) / (one + u)
        log_rate[i] = (eta[i] if eta[i] < zero else zero) - log1p(u)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _sigmoid_ratios(eta, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    low, far = eta.dtype.type(LOWEST), eta.dtype.type(_FAR)
    zero, one = eta.dtype.type(0), eta.dtype.type(1)
    for i in range(eta.size):
        e = low if eta[i] < low else eta[i]
        size = abs(e)
        u = exp(-(far if size > far else size))
        whole = one / (one + u)
        rate[i] = whole * (u if e < zero else one)
        ratio[i] = whole * (one if e < zero else u)
        log_rate[i] = (eta[i] if eta[i] < zero else zero) - log1p(u)


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _identity_rates(eta, log_rate, rate):  # type: ignore[no-untyped-def]
    floor = eta.dtype.type(RATE_FLOOR)
    for i in range(eta.size):
        rate[i] = floor if eta[i] < floor else eta[i]
        log_rate[i] = log(rate[i])


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _identity_ratios(eta, log_rate, rate, ratio):  # type: ignore[no-untyped-def]
    floor, zero, one = eta.dtype.type(RATE_FLOOR), eta.dtype.type(0), eta.dtype.type(1)
    for i in range(eta.size):
        e = floor if eta[i] < floor else eta[i]
        rate[i] = e
        log_rate[i] = log(e)
        ratio[i] = zero if eta[i] < floor else one / e


# Laws. A missing observation is not equal to itself.


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _poisson(y, log_rate, rate, value):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for i in range(y.size):
        logp = y[i] * log_rate[i] - rate[i]
        value[i] = zero if y[i] != y[i] else logp


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _poisson_slopes(y, log_rate, rate, ratio, value, score, information):  # type: ignore[no-untyped-def]
    zero = y.dtype.type(0)
    for i in range(y.size):
        missing = y[i] != y[i]
        slope = ratio[i] * rate[i]
        value[i] = zero if missing else y[i] * log_rate[i] - rate[i]
        score[i] = zero if missing else y[i] * ratio[i] - slope
        information[i] = zero if missing else ratio[i] * slope


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _bernoulli(y, eta, log_rate, value):  # type: ignore[no-untyped-def]
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(y.size):
        logp = log_rate[i] - (one - y[i]) * eta[i]
        value[i] = zero if y[i] != y[i] else logp


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _bernoulli_slopes(y, eta, log_rate, rate, ratio, value, score, information):  # type: ignore[no-untyped-def]
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(y.size):
        missing = y[i] != y[i]
        value[i] = zero if missing else log_rate[i] - (one - y[i]) * eta[i]
        score[i] = zero if missing else y[i] * ratio[i] - (one - y[i]) * rate[i]
        information[i] = zero if missing else rate[i] * ratio[i]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _negative_binomial(y, log_rate, rate, spread, value):  # type: ignore[no-untyped-def]
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(y.size):
        x = spread[0, i] * rate[i]
        w = one + x
        grown = log(w) + (x - (w - one)) / w  # log(1 + x), of which w has lost the low digits of x
        value[i] = zero if y[i] != y[i] else y[i] * (log_rate[i] - grown) - spread[1, i] * grown


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _negative_binomial_slopes(y, log_rate, rate, ratio, spread, value, score, information):  # type: ignore[no-untyped-def]
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(y.size):
        missing = y[i] != y[i]
        x = spread[0, i] * rate[i]
        w = one + x
        part = one / w
        grown = log(w) + (x - (w - one)) * part
        pull = ratio[i] * part
        value[i] = zero if missing else y[i] * (log_rate[i] - grown) - spread[1, i] * grown
        score[i] = zero if missing else pull * (y[i] - rate[i])
        information[i] = zero if missing else pull * ratio[i] * rate[i]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _gaussian(y, eta, spread, value):  # type: ignore[no-untyped-def]
    zero, half = y.dtype.type(0), y.dtype.type(0.5)
    for i in range(y.size):
        gap = y[i] - eta[i]
        value[i] = zero if y[i] != y[i] else spread[1, i] - half * gap * gap * spread[0, i]


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _gaussian_slopes(y, eta, spread, value, score, information):  # type: ignore[no-untyped-def]
    zero, half = y.dtype.type(0), y.dtype.type(0.5)
    for i in range(y.size):
        missing = y[i] != y[i]
        pull = (y[i] - eta[i]) * spread[0, i]
        value[i] = zero if missing else spread[1, i] - half * (y[i] - eta[i]) * pull
        score[i] = zero if missing else pull
        information[i] = zero if missing else spread[0, i]
