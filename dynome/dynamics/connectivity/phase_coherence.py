"""Phases of narrow-band activity, and how steadily two of them keep their difference within a window, on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.connectivity.moments import Array, as_float, gram, has_gaps
from dynome.errors import InputError

_ORDER = 2  # of the filter, which runs forwards and backwards and so counts twice

Phasors = NDArray[np.complexfloating[Any, Any]]


def unit_phasors(x: NDArray[Any], interval: float, band: tuple[float, float]) -> Phasors:
    """Each column's phase in a band of frequencies, as a complex number of length one.

    Parameters
    ----------
    x : (n_time, n_node)
        No NaN.
    interval : float
        Seconds between samples.
    band : (low, high)
        In Hz, above 0 and below half the sampling rate.

    Returns
    -------
    (n_time, n_node)
        complex64 for float32, else complex128. NaN where a column is constant.

    Raises
    ------
    InputError
        If a value is missing.

    Notes
    -----
    A Butterworth filter, run forwards and backwards so that it moves no phase, then the analytic signal by the Hilbert
    transform. A phase tells of a time only where the band is narrow; at both ends of the recording, over about a
    period, it tells of the filter.

    Examples
    --------
    >>> t = np.arange(400) / 10
    >>> x = np.stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], axis=1)
    >>> u = unit_phasors(x, 0.1, (0.8, 1.2))[200]
    >>> round(float(np.angle(u[0] / u[1]) / np.pi), 2)
    0.5
    """
    from scipy.signal import butter, hilbert, sosfiltfilt

    x = as_float(x)
    if has_gaps(x):
        raise InputError(
            f"{int(np.isnan(x).sum())} values are NaN, and a filter needs them all; interpolate_gaps(rec) first"
        )
    sections = butter(_ORDER, band, btype="bandpass", fs=1 / interval, output="sos")
    padding = min(3 * (2 * len(sections) + 1), x.shape[0] - 1)
    narrow = sosfiltfilt(sections, x.astype(np.float64), axis=0, padlen=padding)
    narrow[:, x.max(axis=0) == x.min(axis=0)] = np.nan
    analytic = hilbert(narrow, axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(analytic / np.abs(analytic), dtype=np.result_type(x.dtype, np.complex64))


def coherence_windows(
    x: NDArray[Any], phasors: Phasors, starts: NDArray[np.int64], width: int, *, out: Array | None = None
) -> Array:
    r"""Mean phase coherence of every pair of columns in each window.

    Parameters
    ----------
    x : (n_time, n_node)
        Activity, to see where a column does not change.
    phasors : (n_time, n_node)
        As `unit_phasors` gives them.
    starts : (n_window,)
        First sample of each window.
    width : int
        Samples in a window.
    out : (n_window, n_node, n_node) or None
        Is filled and returned, where given.

    Returns
    -------
    (n_window, n_node, n_node)
        From 0 to 1, exactly symmetric, 1 on the diagonal. A column that is constant in a window has a row and a column
        of NaN.

    Notes
    -----
    :math:`|\frac{1}{W} \sum_t e^{i(\phi_i(t) - \phi_j(t))}|` [1]_: 1 where the two keep one phase difference, whichever
    it is; opposite phases are coherent.

    References
    ----------
    .. [1] Mormann, Lehnertz, David & Elger, Physica D 2000, doi:10.1016/S0167-2789(00)00087-7.

    Examples
    --------
    >>> x, turn = np.arange(4.0)[:, None] * [1, -1], np.exp(0.5j * np.pi * np.arange(4))
    >>> coherence_windows(x, np.stack([turn, turn * 1j], axis=1), np.array([0]), 4)[0].round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    n_node = x.shape[1]
    dtype = phasors.real.dtype
    result = np.empty((starts.size, n_node, n_node), dtype) if out is None else out
    changes = np.zeros((x.shape[0], n_node), dtype=np.int64)
    np.cumsum(x[1:] != x[:-1], axis=0, out=changes[1:])
    at = np.arange(n_node)
    for start, r in zip(starts, result, strict=True):
        part = phasors[start : start + width]
        silent = (changes[start + width - 1] == changes[start]) | np.isnan(part.real[0])
        part = np.where(silent, 0, part)
        sine_cosine = part.imag.T @ part.real
        np.hypot(gram(np.concatenate([part.real, part.imag])), sine_cosine - sine_cosine.T, out=r)
        r /= width
        np.minimum(r, 1, out=r)
        r[at, at] = 1
        r[silent] = r[:, silent] = np.nan
    return result
