"""Compiled loops over the samples and pairs of a window. Import where used: importing this module imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Booleans = NDArray[np.bool_]


@njit(cache=True, nogil=True)
def scale_window(x: Floats, start: int, weights: Floats, out: Floats) -> None:
    """Columns of one window about their mean, times the root of the weights, of length one.

    Parameters
    ----------
    x : (n_time, n_node)
    start : int
        First sample of the window.
    weights : (width,)
        Of each sample.
    out : (width, n_node)
        Is written. NaN where a column is constant in the window or has NaN.

    Notes
    -----
    The first sample goes first: a constant column becomes exactly zero, and a large offset costs no digits. Means are
    summed in float64.
    """
    width, n_node = out.shape
    total, square = np.zeros(n_node), np.zeros(n_node)
    factor = np.empty(n_node, x.dtype)
    for t in range(width):
        for i in range(n_node):
            d = x[start + t, i] - x[start, i]
            out[t, i] = d
            total[i] += weights[t] * d
    mass = weights.sum()
    for i in range(n_node):
        factor[i] = total[i] / mass
    for t in range(width):
        for i in range(n_node):
            d = out[t, i] - factor[i]
            out[t, i] = d
            square[i] += weights[t] * (d * d)
    for i in range(n_node):
        factor[i] = 1 / np.sqrt(square[i]) if square[i] > 0 else np.nan
    for t in range(width):
        root = x.dtype.type(np.sqrt(weights[t]))
        for i in range(n_node):
            out[t, i] *= root * factor[i]


@njit(cache=True, nogil=True)
def finish_window(r: Floats) -> None:
    """Products of scaled columns as correlations: within [-1, 1], ones on the diagonal; NaN stays. In place."""
    n_node = r.shape[0]
    for i in range(n_node):
        for j in range(n_node):
            v = r[i, j]
            v = 1 if v > 1 else v
            r[i, j] = -1 if v < -1 else v
        if not np.isnan(r[i, i]):
            r[i, i] = 1


@njit(cache=True, nogil=True)
def graph_cuts(fc: Floats, share: float) -> NDArray[np.float64]:
    """The value in each matrix below which a share of all its entries lies, interpolated linearly.

    Parameters
    ----------
    fc : (n_window, n_node, n_node)
        Symmetric; NaN is left out.
    share : float
        Between 0 and 1.

    Returns
    -------
    (n_window,)
        NaN where a matrix holds nothing else.

    Notes
    -----
    Windows change slowly: one pass counts what lies clearly below and keeps what lies near the last cut, and the two
    order statistics are selected among the few that were kept. Where they are not among them, the next guess comes
    from a sample of the entries, the last from all of them.
    """
    cuts = np.full(fc.shape[0], np.nan)
    kept = np.empty(fc.shape[1] ** 2 + 2, fc.dtype)
    margin = -1.0
    for w in range(fc.shape[0]):
        last = cuts[w - 1] if w else np.nan
        cuts[w] = _cut_near(fc[w], share, last - margin, last + margin, kept)
        if np.isnan(cuts[w]):
            low, high = _bracket(fc[w], share, kept)
            cuts[w] = _cut_near(fc[w], share, low, high, kept)
        if np.isnan(cuts[w]):
            cuts[w] = _cut_near(fc[w], share, -np.inf, np.inf, kept)
        step = 0.02 if np.isnan(last) else 2 * abs(cuts[w] - last)
        margin = step if margin < 0 or np.isnan(step) else max(step, margin / 2)
    return cuts


@njit(cache=True, nogil=True)
def _cut_near(fc: Floats, share: float, low: float, high: float, kept: Floats) -> float:
    """The cut if both its order statistics lie in [low, high], else NaN."""
    below, near, above = _near(fc, low, high, kept)
    n = below + near + above
    if n == 0:
        return np.nan
    place = (n - 1) * share
    first = int(np.floor(place))
    second = min(first + 1, n - 1)
    if first < below or second >= below + near:
        return np.nan
    a = _smallest(kept, near, first - below)
    b = _smallest(kept, near, second - below)
    t = place - first
    # As numpy interpolates, to the last bit.
    return b - (b - a) * (1 - t) if t >= 0.5 else a + (b - a) * t


@njit(cache=True, nogil=True)
def _near(fc: Floats, low: float, high: float, kept: Floats) -> tuple[int, int, int]:
    """How many entries lie below, in and above [low, high]; those in it are copied to the head of `kept`."""
    n_node = fc.shape[0]
    below = above = near = 0
    for i in range(n_node):
        v = fc[i, i]
        if low <= v <= high:
            kept[near] = v
            near += 1
        below += v < low
        above += v > high
        for v in fc[i, i + 1 :]:
            kept[near] = v
            kept[near + 1] = v
            near += 2 * ((v >= low) & (v <= high))
            below += 2 * (v < low)
            above += 2 * (v > high)
    return below, near, above


@njit(cache=True, nogil=True)
def _bracket(fc: Floats, share: float, kept: Floats) -> tuple[float, float]:
    """Two values that very likely enclose the cut, from every so many entries."""
    flat = fc.ravel()
    step = max(flat.size // 2048, 1) | 1
    n = 0
    for k in range(0, flat.size, step):
        kept[n] = flat[k]
        n += not np.isnan(flat[k])
    if n == 0:
        return -np.inf, np.inf
    reach = 4 * np.sqrt(share * (1 - share) / n) + 2 / n
    first, last = int((share - reach) * n), int((share + reach) * n)
    low = _smallest(kept, n, first) if first > 0 else -np.inf
    high = _smallest(kept, n, last) if last < n - 1 else np.inf
    return low, high


@njit(cache=True, nogil=True)
def _smallest(a: Floats, n: int, rank: int) -> float:
    """The value of `rank` (from 0) among the first `n` of `a`, which are put in another order."""
    low, high = 0, n - 1
    while low < high:
        pivot = a[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while a[i] < pivot:
                i += 1
            while a[j] > pivot:
                j -= 1
            if i <= j:
                a[i], a[j] = a[j], a[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return np.float64(a[rank])
