r"""Compiled draws of the laws behind Polya-Gamma draws, exact for every real shape.

:math:`J(h, z)` has the density :math:`f(x) = \cosh^h(z)\, e^{-z^2 x / 2} f_0(x)` with

.. math::
    f_0(x) = \frac{2^h h}{\sqrt{2 \pi x^3}}\, e^{-h^2 / 2x} S(x), \qquad
    S(x) = \sum_{n \ge 0} (-1)^n \frac{\Gamma(n + h)}{n!\, \Gamma(h)} \frac{2n + h}{h}\, e^{-2 n (n + h) / x}

and :math:`PG(b, c) = J(b, c / 2) / 4` (Biane, Pitman and Yor 2001, doi:10.1090/S0273-0979-01-00912-0; Windle, Polson
and Scott 2014, arXiv:1405.0506). What precedes :math:`S` is an inverse Gaussian density, which suggests one as proposal
for every shape: of shape :math:`h^2` and the mean of :math:`J`. With :math:`a = (z / \sinh z)^2` a proposal is accepted
with the probability :math:`S(x)\, e^{a x / 2 - L(h, a)}`, :math:`L(h, a) = \sup_x \log S(x) + a x / 2`: from .8 of them
(:math:`z = 0`) to all (large :math:`z`).

* :math:`L` is convex in each argument, so that its bilinear interpolation between the points of a grid is a bound.
* The ratio of successive terms falls with n. Once it is below 1 the partial sums enclose :math:`S`, and the comparison
  is decided without error after few terms.
* Terms cancel where the shape is large and the tilt is small. Such a shape is the sum of several parts
  (:math:`J(h, z) + J(h', z) = J(h + h', z)`), so that rounding moves a probability by 1e-8 at most.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from dynome.inference.biclustering.model import Array

_OPTIONS: Final[dict[str, Any]] = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
_SHAPES, _SHAPE_STEP = 64, 0.25  # grid of shapes: squares of multiples of the step
_TILTS, _TILT_STEP = 64, 0.1  # grid of tilts: multiples of the step; a of the last one, infinity, is 0
_LARGEST: Final = (_SHAPES * _SHAPE_STEP) ** 2
_LARGEST_UNTILTED: Final = 10.0  # largest shape of one part at tilt 0
_GROWTH: Final = 1.2  # and the growth of its logarithm with the tilt
_RESOLUTION: Final = 1e-15  # of a sum, in units of its largest term
_FAR: Final = 300.0
_GOLDEN: Final = (math.sqrt(5) - 1) / 2


class Envelope(NamedTuple):
    """Bounds of the acceptance on a grid of shapes and tilts.

    Attributes
    ----------
    shape : (n_shape,)
    slope : (n_tilt,)
        a of the tilts of the grid, decreasing from 1 to 0.
    bound : (n_shape, n_tilt)
        L
    """

    shape: Array
    slope: Array
    bound: Array


@cache
def envelope() -> Envelope:
    """The bounds, computed once a process (some milliseconds).

    Examples
    --------
    >>> bool((np.diff(envelope().bound[1:], axis=0) > -1e-12).all())
    True
    """
    shape = np.linspace(0.0, _SHAPES * _SHAPE_STEP, _SHAPES + 1) ** 2
    tilt = np.linspace(_TILT_STEP, (_TILTS - 1) * _TILT_STEP, _TILTS - 1)
    slope = np.ones(_TILTS + 1)
    slope[1:-1], slope[-1] = np.square(tilt / np.sinh(tilt)), 0.0
    return Envelope(shape, slope, _bounds(np.maximum(shape, 1e-9), slope))


@njit(**_OPTIONS)
def _bounds(shape, slope):  # type: ignore[no-untyped-def]
    out = np.zeros((shape.size, slope.size))
    for i in range(shape.size):
        for j in range(slope.size - 1):
            tilt = j * _TILT_STEP
            mean = shape[i] * (np.tanh(tilt) / tilt if j else 1.0)
            out[i, j] = _largest(shape[i], slope[j], 1.6 * mean + 8.0)
    return out


@njit(**_OPTIONS)
def _largest(h, a, high):  # type: ignore[no-untyped-def]
    """Maximum over x < high of log S(x) + a x / 2, which has one."""
    low = 1e-3
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = _log_sum(left, h) + a * left / 2, _log_sum(right, h) + a * right / 2
    while high - low > 1e-7 * high:
        if at_left > at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = _log_sum(left, h) + a * left / 2
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = _log_sum(right, h) + a * right / 2
    return max(at_left, at_right)


@njit(**_OPTIONS)
def _log_sum(x, h):  # type: ignore[no-untyped-def]
    """Logarithm of S(x)."""
    power, step = np.exp(-(2 + 2 * h) / x), np.exp(-4 / x)
    term, total, largest, n = 1.0, 1.0, 1.0, 0
    while abs(term) > 1e-17 * largest:
        term *= -(n + h) * (2 * n + 2 + h) / ((n + 1) * (2 * n + h)) * power
        power *= step
        total += term
        largest = max(largest, abs(term))
        n += 1
    return np.log(total) if total > _RESOLUTION * largest else -np.inf


@njit(**_OPTIONS)
def fill(shape, tilt, rng, shapes, slopes, bounds, out):  # type: ignore[no-untyped-def]
    """Polya-Gamma draws of each shape and tilt; 0 where the shape is 0, NaN where an argument is not finite."""
    for k in range(shape.size):
        if not (np.isfinite(shape[k]) and np.isfinite(tilt[k])):
            out[k] = np.nan
            continue
        z = min(0.5 * abs(tilt[k]), _FAR)
        parts = 1
        if shape[k] > _LARGEST_UNTILTED:
            parts = int(np.ceil(shape[k] / min(_LARGEST_UNTILTED * np.exp(_GROWTH * z), _LARGEST)))
        total = 0.0
        if shape[k] > 0:
            for _ in range(parts):
                total += _draw(shape[k] / parts, z, rng, shapes, slopes, bounds)
        out[k] = 0.25 * total


@njit(**_OPTIONS)
def _draw(h, z, rng, shapes, slopes, bounds):  # type: ignore[no-untyped-def]
    """One draw of J(h, z)."""
    e = np.exp(-2 * z)
    a = min(4 * z * z * e / ((1 - e) * (1 - e)), 1.0) if z > 1e-4 else 1.0
    bound = _bound(h, a, z, shapes, slopes, bounds)
    mean = h / np.sqrt(a + z * z)
    half = 0.5 * mean / (h * h)
    while True:
        w = rng.standard_normal()
        w *= half * w
        root = 1 + w + np.sqrt(w * (w + 2))
        x = mean / root if rng.random() * (1 + root) <= root else mean * root
        if _is_below_sum(rng.random() * np.exp(bound - 0.5 * a * x), x, h):
            return x


@njit(**_OPTIONS)
def _bound(h, a, z, shapes, slopes, bounds):  # type: ignore[no-untyped-def]
    i = min(int(np.sqrt(h) / _SHAPE_STEP), _SHAPES - 1)
    j = min(int(z / _TILT_STEP), _TILTS - 1)
    u = (h - shapes[i]) / (shapes[i + 1] - shapes[i])
    v = (slopes[j] - a) / (slopes[j] - slopes[j + 1])
    lower = bounds[i, j] + v * (bounds[i, j + 1] - bounds[i, j])
    upper = bounds[i + 1, j] + v * (bounds[i + 1, j + 1] - bounds[i + 1, j])
    return lower + u * (upper - lower)


@njit(**_OPTIONS)
def _is_below_sum(value, x, h):  # type: ignore[no-untyped-def]
    """Whether value <= S(x), from as many terms as that takes."""
    power = np.exp(-(2 + 2 * h) / x)
    ratio = (2 + h) * power
    if ratio < 1 and value <= 1 - ratio:
        return True
    step = np.exp(-4 / x)
    term, total, largest, n = 1.0, 1.0, 1.0, 0.0
    while True:
        ratio = (n + h) * (2 * n + 2 + h) / ((n + 1) * (2 * n + h)) * power
        term *= ratio
        total -= term
        largest = max(largest, term)
        if ratio < 1 and value <= total:
            return value > _RESOLUTION * largest
        n += 1
        power *= step
        ratio = (n + h) * (2 * n + 2 + h) / ((n + 1) * (2 * n + h)) * power
        term *= ratio
        total += term
        largest = max(largest, term)
        if ratio < 1 and (value > total or term < 1e-17 * largest):
            return False
        n += 1
        power *= step
