"""Changing the clock of series without aliasing, as one sparse matrix for all of them.

A low-pass kernel, centred on each new stamp, weighs the samples around it; its cut-off is half the lower of the two
rates. On a regular clock this is the polyphase filter of `scipy.signal.resample_poly`, at any ratio of rates. A
jittered clock is first read off a spline through its true stamps. Nothing is shifted in time: every kernel is
symmetric about its stamp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, make_interp_spline
from scipy.sparse import csr_array
from scipy.special import i0

from dynome.dynamics.preprocessing.clock import STRAY, Stamps, evenly_spaced, interval_of
from dynome.dynamics.preprocessing.gaps import bridged
from dynome.dynamics.preprocessing.labelled import Array

ResampleMethod = Literal["sinc", "linear"]

_KAISER = 5.0  # as resample_poly: aliases below -50 dB
_OBSERVED_ENOUGH = 0.5


def sinc_kernel(u: Array) -> Array:
    """Kaiser-windowed sinc over ten crossings a side; `u` in intervals of the slower clock."""
    window: Array = i0(_KAISER * np.sqrt(np.maximum(1 - (u / 10) ** 2, 0))) / i0(_KAISER)
    weight: Array = np.sinc(u) * window
    return weight


def triangle_kernel(u: Array) -> Array:
    """Linear interpolation, widened to the slower clock."""
    weight: Array = np.maximum(1 - np.abs(u), 0)
    return weight


_kernels = {"sinc": (sinc_kernel, 10, 3), "linear": (triangle_kernel, 1, 1)}  # weight, reach, order of the spline


class ClockChange(NamedTuple):
    """How samples at `old` stamps become samples at `new` stamps."""

    old: Stamps  # (n_old,)
    closed: Stamps  # (n_closed,) as old, with stamps put into gaps
    kept: NDArray[np.int64]  # (n_old,) where the old stamps are among the closed
    new: Stamps  # (n_new,)
    weights: csr_array  # (n_new, n_closed) on samples, or on spline coefficients
    duty: csr_array  # (n_new, n_closed) share of the time a new sample stands for that each sample was observed
    spline_order: int  # 0 where the clock is regular


def plan(old: Stamps, new: Stamps, method: ResampleMethod) -> ClockChange:
    """Prepare a change of clock; `new` is regular and inside `old`."""
    kernel, reach, order = _kernels[method]
    origin = old[0]
    old, new = old - origin, new - origin
    interval = interval_of(old, "resample")
    closed, kept = close_gaps(old, interval)
    if regular := evenly_spaced(closed):
        even = closed
    else:
        even = np.linspace(0, closed[-1], max(round(closed[-1] / interval), 1) + 1)
    step, new_step = even[-1] / (even.size - 1), new[1] - new[0]
    weights = kernel_matrix(new / step, even.size, max(1.0, new_step / step), kernel, reach)
    if not regular:
        order = min(order, closed.size - 1)
        knots = make_interp_spline(closed, np.zeros(closed.size), k=order).t
        weights = csr_array(weights @ BSpline.design_matrix(even, knots, order))
    return ClockChange(old, closed, kept, new, weights, duty_matrix(closed, new), 0 if regular else order)


def close_gaps(clock: Stamps, interval: float) -> tuple[Stamps, NDArray[np.int64]]:
    """Put evenly spaced stamps into the gaps of a clock; returns it and the positions of the former stamps."""
    steps = np.diff(clock)
    pieces = np.where(steps > (1 + STRAY) * interval, np.maximum(np.round(steps / interval), 1), 1).astype(np.int64)
    kept = np.concatenate([[0], np.cumsum(pieces)])
    return np.interp(np.arange(kept[-1] + 1), kept, clock), kept


def kernel_matrix(place: Array, n: int, stretch: float, kernel: Callable[[Array], Array], reach: int) -> csr_array:
    """Weights of `n` evenly spaced samples for values at fractional positions.

    Parameters
    ----------
    place : (n_new,)
        Where each new value lies, in samples.
    n : int
        Samples; beyond them they are mirrored.
    stretch : float
        Width of the kernel in samples: how many samples one new interval spans, at least 1.
    kernel : callable
        Weight by distance in units of `stretch`.
    reach : int
        Distance at which it ends, in the same units.

    Returns
    -------
    (n_new, n)
        Rows sum to one, so that a constant is kept exactly.
    """
    first = np.ceil(place - reach * stretch - 1e-9).astype(np.int64)
    taps = first[:, None] + np.arange(int(2 * reach * stretch + 1e-9) + 1)
    weights = kernel((taps - place[:, None]) / stretch)
    weights[np.abs(taps - place[:, None]) > reach * stretch + 1e-9] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    period = max(2 * (n - 1), 1)
    mirrored = taps % period
    mirrored = np.where(mirrored > n - 1, period - mirrored, mirrored)
    rows = np.repeat(np.arange(place.size), taps.shape[1])
    matrix = csr_array((weights.ravel(), (rows, mirrored.ravel())), shape=(place.size, n))
    matrix.eliminate_zeros()
    return matrix


def change_clock(x: Array, change: ClockChange) -> Array:
    """Series on the new clock.

    Parameters
    ----------
    x : (n_old, n_series)
        NaN where missing.
    change : ClockChange
        From `plan`.

    Returns
    -------
    (n_new, n_series)
        NaN where less than half of the time that a sample stands for was observed. Elsewhere the filter sees straight
        lines across what is missing.
    """
    closed = x
    if change.closed.size > change.old.size:
        closed = np.full((change.closed.size, x.shape[1]), np.nan)
        closed[change.kept] = x
    samples = bridged(closed, change.closed, ends=True)
    if change.spline_order > 1:
        samples = make_interp_spline(change.closed, samples, k=change.spline_order).c
    out: Array = change.weights @ samples
    missing = np.isnan(closed)
    if missing.any():
        out[change.duty @ missing.astype(np.float64) > 1 - _OBSERVED_ENOUGH + 1e-9] = np.nan
    return out


def duty_matrix(old: Stamps, new: Stamps) -> csr_array:
    """Which samples make up the time that each new sample stands for: the longer of both intervals, centred on it.

    Parameters
    ----------
    old : (n_old,)
        Stamps without gaps; a sample lasts from halfway to the one before to halfway to the one after.
    new : (n_new,)
        Regular stamps inside `old`.

    Returns
    -------
    (n_new, n_old)
        Rows sum to one.
    """
    edges = np.concatenate([[old[0]], (old[1:] + old[:-1]) / 2, [old[-1]]])
    half = max(new[1] - new[0], np.median(np.diff(old))) / 2
    start, stop = np.maximum(new - half, edges[0]), np.minimum(new + half, edges[-1])
    first, last = np.searchsorted(edges, start, side="right") - 1, np.searchsorted(edges, stop, side="left") - 1
    counts = last - first + 1
    rows = np.repeat(np.arange(new.size), counts)
    columns = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - first, counts)
    overlap = np.minimum(stop[rows], edges[columns + 1]) - np.maximum(start[rows], edges[columns])
    return csr_array((overlap / (stop - start)[rows], (rows, columns)), shape=(new.size, old.size))
