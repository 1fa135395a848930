"""Compiled passes over the bins of one node: log likelihood, score and information of its coefficients.

Three families of laws are enough, each written with a count `linear` and a count `trials` a bin, both 0 where the
observation is missing, and a predictor ``eta = psi - shift``:

* logistic: ``linear * eta - trials * log(1 + exp(eta))`` (Bernoulli; negative binomial with trials y + r, shift log r);
* poisson: ``linear * eta - trials * exp(eta)``;
* gaussian: ``linear * eta - trials * eta**2 / 2``.

Terms without the coefficients are left out. Bins are taken in blocks that stay in the first cache; loops touch few
arrays, so that they are vectorised.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from dynome.dynamics.glm.elementary import exp, log1p_and_reciprocal

LOGISTIC, POISSON, GAUSSIAN = range(3)
BLOCK: Final = 512
N_BUFFERS: Final = 4
_HIGHEST: Final = 50.0  # of a log rate: beyond, information would leave the range of numbers
_FAR: Final = 700.0
_OPTIONS = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
_SUMS = {"cache": True, "nogil": True, "fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy"}


@njit(**_OPTIONS)
def log_likelihood(linear, trials, path, coefficient, shift, family, buffer):  # type: ignore[no-untyped-def]
    """Log likelihood of one node that reads a path (n_component, n_bin) with these coefficients."""
    value = 0.0
    for first in range(0, linear.size, BLOCK):
        last = min(first + BLOCK, linear.size)
        n = last - first
        eta = buffer[0, :n]
        _predict(path, first, last, coefficient, shift, eta)
        value += _value(linear[first:last], trials[first:last], eta, family, buffer[1, :n])
    return value


@njit(**_OPTIONS)
def slopes(linear, trials, path, coefficient, shift, family, valued, buffer, score, information):  # type: ignore[no-untyped-def]
    """The same (0 unless `valued`), with score and lower triangle of the information, which are overwritten."""
    q = coefficient.size
    score[:] = 0.0
    information[:] = 0.0
    value = 0.0
    for first in range(0, linear.size, BLOCK):
        last = min(first + BLOCK, linear.size)
        n = last - first
        eta, weight, slope, product = buffer[0, :n], buffer[1, :n], buffer[2, :n], buffer[3, :n]
        b, a = linear[first:last], trials[first:last]
        _predict(path, first, last, coefficient, shift, eta)
        if valued and family == LOGISTIC:
            _soften(eta, slope, product)
            value += _dot(b, eta) - _dot(a, product)
        elif valued:
            value += _value(b, a, eta, family, weight)
        else:
            _squash(eta, family, slope)
        _differentiate(b, a, eta, family, slope, weight)
        if q == 3:
            _add_pair(slope, weight, path[1, first:last], path[2, first:last], score, information)
            continue
        score[0] += _sum(slope)
        information[0, 0] += _sum(weight)
        for f in range(1, q):
            x = path[f, first:last]
            score[f] += _dot(slope, x)
            _multiply(weight, x, product)
            information[f, 0] += _sum(product)
            for g in range(1, f + 1):
                information[f, g] += _dot(product, path[g, first:last])
    return value


@njit(**_OPTIONS)
def _predict(path, first, last, coefficient, shift, eta):  # type: ignore[no-untyped-def]
    common, level = path[0, first:last], coefficient[0] - shift
    for t in range(eta.size):
        eta[t] = common[t] + level
    for f in range(1, coefficient.size):
        c, x = coefficient[f], path[f, first:last]
        for t in range(eta.size):
            eta[t] += c * x[t]


@njit(**_OPTIONS)
def _value(linear, trials, eta, family, work):  # type: ignore[no-untyped-def]
    if family == LOGISTIC:
        for t in range(eta.size):
            u = exp(-min(abs(eta[t]), _FAR))
            work[t] = max(eta[t], 0.0) + log1p_and_reciprocal(u)[0]
    elif family == POISSON:
        for t in range(eta.size):
            work[t] = exp(max(min(eta[t], _HIGHEST), -_FAR))
    else:
        for t in range(eta.size):
            work[t] = 0.5 * eta[t] * eta[t]
    return _dot(linear, eta) - _dot(trials, work)


@njit(**_OPTIONS)
def _squash(eta, family, rest):  # type: ignore[no-untyped-def]
    """Logistic function of the size of `eta`."""
    if family == LOGISTIC:
        for t in range(eta.size):
            rest[t] = 1.0 / (1.0 + exp(-min(abs(eta[t]), _FAR)))


@njit(**_OPTIONS)
def _soften(eta, rest, softplus):  # type: ignore[no-untyped-def]
    """The same, with log(1 + exp(eta))."""
    for t in range(eta.size):
        softplus[t] = exp(-min(abs(eta[t]), _FAR))
    for t in range(eta.size):
        value, rest[t] = log1p_and_reciprocal(softplus[t])
        softplus[t] = value
    for t in range(eta.size):
        softplus[t] += max(eta[t], 0.0)


@njit(**_OPTIONS)
def _differentiate(linear, trials, eta, family, slope, weight):  # type: ignore[no-untyped-def]
    """Slope and weight of every bin; `slope` comes as the logistic function of the size of `eta`."""
    if family == LOGISTIC:
        for t in range(eta.size):
            rest = slope[t]
            weight[t] = rest * (1.0 - rest)
            slope[t] = rest if eta[t] >= 0.0 else 1.0 - rest
        for t in range(eta.size):
            slope[t] = linear[t] - trials[t] * slope[t]
            weight[t] *= trials[t]
    elif family == POISSON:
        for t in range(eta.size):
            weight[t] = trials[t] * exp(max(min(eta[t], _HIGHEST), -_FAR))
        for t in range(eta.size):
            slope[t] = linear[t] - weight[t]
    else:
        for t in range(eta.size):
            weight[t] = trials[t]
            slope[t] = linear[t] - trials[t] * eta[t]


@njit(**_SUMS)
def _sum(x):  # type: ignore[no-untyped-def]
    total = 0.0
    for t in range(x.size):
        total += x[t]
    return total


@njit(**_SUMS)
def _dot(x, y):  # type: ignore[no-untyped-def]
    total = 0.0
    for t in range(x.size):
        total += x[t] * y[t]
    return total


@njit(**_SUMS)
def _add_pair(slope, weight, x, y, score, information):  # type: ignore[no-untyped-def]
    """Score and information of a bias and two loadings, the common case, in one loop that only reads."""
    s0 = s1 = s2 = h00 = h10 = h11 = h20 = h21 = h22 = 0.0
    for t in range(slope.size):
        s, w = slope[t], weight[t]
        wx, wy = w * x[t], w * y[t]
        s0 += s
        s1 += s * x[t]
        s2 += s * y[t]
        h00 += w
        h10 += wx
        h11 += wx * x[t]
        h20 += wy
        h21 += wy * x[t]
        h22 += wy * y[t]
    score[0] += s0
    score[1] += s1
    score[2] += s2
    information[0, 0] += h00
    information[1, 0] += h10
    information[1, 1] += h11
    information[2, 0] += h20
    information[2, 1] += h21
    information[2, 2] += h22


@njit(**_OPTIONS)
def _multiply(x, y, out):  # type: ignore[no-untyped-def]
    for t in range(x.size):
        out[t] = x[t] * y[t]


@njit(**_OPTIONS)
def factorize(matrix, factor):  # type: ignore[no-untyped-def]
    """Lower Cholesky factor of the lower triangle of a positive definite matrix; half its log determinant."""
    half = 0.0
    for i in range(matrix.shape[0]):
        for j in range(i + 1):
            value = matrix[i, j]
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            if i == j:
                factor[i, i] = np.sqrt(value)
                half += np.log(factor[i, i])
            else:
                factor[i, j] = value / factor[j, j]
                factor[j, i] = 0.0
    return half


@njit(**_OPTIONS)
def solve(factor, right, out):  # type: ignore[no-untyped-def]
    """``out`` solves ``factor @ factor.T @ out = right``; the square of ``inv(factor) @ right``."""
    square = 0.0
    for i in range(right.size):
        value = right[i]
        for k in range(i):
            value -= factor[i, k] * out[k]
        out[i] = value / factor[i, i]
        square += out[i] * out[i]
    solve_transposed(factor, out)
    return square


@njit(**_OPTIONS)
def solve_transposed(factor, out):  # type: ignore[no-untyped-def]
    """Replace ``out`` by ``inv(factor.T) @ out``."""
    for i in range(out.size - 1, -1, -1):
        value = out[i]
        for k in range(i + 1, out.size):
            value -= factor[k, i] * out[k]
        out[i] = value / factor[i, i]
