"""Weighted sums over neighbours in time; what is missing or beyond the ends takes no part."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from dynome.dynamics.preprocessing.labelled import Array

_SHORT = 256  # weights up to which blocks of a Toeplitz matrix beat the Fourier transform (measured)
_BLOCK = 64
_TRANSFORMED = 1 << 23  # numbers transformed at a time, to bound memory


def correlate(x: Array, weights: Array) -> Array:
    """Sum of each sample's neighbours with weights that belong to their offsets.

    Parameters
    ----------
    x : (n_time, n_series)
        No NaN.
    weights : (2 r + 1,)
        Weight of offsets ``-r ... r``.

    Returns
    -------
    (n_time, n_series)
        ``out[t] = sum_j weights[r + j] * x[t + j]``, with zeros beyond the ends.
    """
    return _by_transform(x, weights) if weights.size > _SHORT else _by_blocks(x, weights)


def _by_transform(x: Array, weights: Array) -> Array:
    n, reach = x.shape[0], weights.size // 2
    length = next_fast_len(n + weights.size - 1, real=True)
    response = rfft(weights[::-1], length)
    at_once = max(_TRANSFORMED // length, 1)
    out = np.empty_like(x, order="C")
    for start in range(0, x.shape[1], at_once):
        spectrum = rfft(x[:, start : start + at_once].T, length, axis=1)
        spectrum *= response
        out[:, start : start + at_once] = irfft(spectrum, length, axis=1)[:, reach : reach + n].T
    return out


def _by_blocks(x: Array, weights: Array) -> Array:
    n, reach = x.shape[0], weights.size // 2
    rows = max(_BLOCK, reach)
    toeplitz = np.zeros((rows, rows + 2 * reach))
    for row in range(rows):
        toeplitz[row, row : row + weights.size] = weights
    out = np.empty_like(x, order="C")
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        low, high = max(start - reach, 0), min(stop + reach, n)
        shift = start - reach
        np.matmul(toeplitz[: stop - start, low - shift : high - shift], x[low:high], out=out[start:stop])
    return out


def weighted_mean(x: Array, weights: Array) -> Array:
    """Normalised convolution: the weighted mean of the samples that exist.

    Parameters
    ----------
    x : (n_time, n_series)
        NaN where missing.
    weights : (2 r + 1,)
        Non-negative, positive at offset 0.

    Returns
    -------
    (n_time, n_series)
        ``sum_j w_j m_{t+j} x_{t+j} / sum_j w_j m_{t+j}`` with ``m`` 1 where a sample exists; NaN where `x` is NaN.

    References
    ----------
    Knutsson & Westin 1993, Normalized and differential convolution, doi:10.1109/CVPR.1993.341081
    """
    there = ~np.isnan(x)
    if there.all():
        out = correlate(x, weights)
        out /= correlate(np.ones((x.shape[0], 1)), weights)
        return out
    out = correlate(np.where(there, x, 0.0), weights)
    return np.divide(out, correlate(there.astype(np.float64), weights), out=np.full_like(out, np.nan), where=there)
