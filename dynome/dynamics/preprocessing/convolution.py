"""Weighted sums over neighbours in time; what is missing or beyond the ends takes no part.

By Fourier transform whatever the width: blocks of matrix products are faster for narrow kernels on an idle machine, but
many small products lose a hundredfold where BLAS threads outnumber free cores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from dynome.dynamics.preprocessing.labelled import Array

_AT_ONCE = 1 << 21  # numbers transformed at a time, to bound memory


def correlate(x: Array, *kernels: NDArray[np.float64]) -> list[Array]:
    """Sums of each sample's neighbours with weights that belong to their offsets.

    Parameters
    ----------
    x : (n_time, n_series)
        No NaN.
    *kernels : (2 r + 1,)
        Weights of offsets ``-r ... r``; all of one length.

    Returns
    -------
    list of (n_time, n_series)
        For each kernel ``out[t] = sum_j kernel[r + j] * x[t + j]``, with zeros beyond the ends.
    """
    n, size = x.shape[0], kernels[0].size
    length = next_fast_len(n + size - 1, real=True)
    responses = [rfft(kernel[::-1], length) for kernel in kernels]
    out = [np.empty_like(x, order="C") for _ in kernels]
    step = max(_AT_ONCE // length, 1)
    for start in range(0, x.shape[1], step):
        part = slice(start, start + step)
        spectrum = rfft(x[:, part].T, length, axis=1)
        for sums, response in zip(out, responses, strict=True):
            sums[:, part] = irfft(spectrum * response, length, axis=1)[:, size // 2 : size // 2 + n].T
    return out


def weighted_mean(x: Array, weights: NDArray[np.float64]) -> Array:
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
    whole = bool(there.all())
    (out,) = correlate(x if whole else np.where(there, x, 0.0), weights)
    (mass,) = correlate(np.ones((x.shape[0], 1)) if whole else there.astype(np.float64), weights)
    out = np.divide(out, mass, out=np.full_like(out, np.nan), where=there)
    # A mean lies within its samples; rounding in the transform must not make rates and counts negative.
    return np.clip(out, np.fmin.reduce(x, axis=0), np.fmax.reduce(x, axis=0), out=out)
