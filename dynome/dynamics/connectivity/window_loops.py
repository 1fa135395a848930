"""Compiled loops over the samples and pairs of a window. Import where used: importing this module imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

_MANY = 512  # so few entries are selected from at once
_STRETCH = 1 << 20  # counted in 32 bits


@njit(cache=True, nogil=True)
def scale_windows(
    x: Floats, starts: NDArray[np.int64], weights: NDArray[np.float64], divisor: float, out: Floats
) -> None:
    """Columns of each window about their mean, times the root of the weights, so scaled that products are the result.

    Parameters
    ----------
    x : (n_time, n_node)
    starts : (n_window,)
        First sample of each window.
    weights : (width,)
        Of each sample of a window.
    divisor : float
        Of the products, for covariance; 0 scales columns to length one, for correlation.
    out : (n_window, width, n_node)
        Is written. For correlation NaN where a column is constant in the window; NaN where it has NaN.

    Notes
    -----
    The first sample goes first: a constant column becomes exactly zero, and a large offset costs no digits. Sums are
    in float64.
    """
    width, n_node = out.shape[1:]
    total, square = np.empty(n_node), np.empty(n_node)
    shift = np.empty(n_node, x.dtype)
    mass = weights.sum()
    for w in range(starts.size):
        first = starts[w]
        total[:] = 0
        for t in range(width):
            for i in range(n_node):
                d = x[first + t, i] - x[first, i]
                out[w, t, i] = d
                total[i] += weights[t] * d
        square[:] = 0
        for i in range(n_node):
            shift[i] = total[i] / mass
        for t in range(width):
            for i in range(n_node):
                d = out[w, t, i] - shift[i]
                out[w, t, i] = d
                square[i] += weights[t] * np.float64(d) * np.float64(d)
        for i in range(n_node):
            scale = divisor if divisor > 0 else square[i]
            shift[i] = 1 / np.sqrt(scale) if scale > 0 else np.nan
        for t in range(width):
            root = x.dtype.type(np.sqrt(weights[t]))
            for i in range(n_node):
                out[w, t, i] *= root * shift[i]


@njit(cache=True, nogil=True)
def finish_windows(product: Floats, out: Floats) -> None:
    """Products of scaled columns as correlations: within [-1, 1], ones on the diagonal; NaN stays.

    Parameters
    ----------
    product : (n_window, n_node, n_node)
    out : (n_window, n_node, n_node)
        Is written; may be `product`.
    """
    one = product.dtype.type(1)
    for w in range(product.shape[0]):
        for i in range(product.shape[1]):
            for j in range(product.shape[2]):
                v = product[w, i, j]
                v = one if v > one else v
                out[w, i, j] = -one if v < -one else v
            if not np.isnan(product[w, i, i]):
                out[w, i, i] = one


@njit(cache=True, nogil=True)
def graph_cuts(fc: Floats, share: float, near: NDArray[np.float64], kept: Floats) -> NDArray[np.float64]:
    """The value in each matrix below which a share of all its entries lies, interpolated linearly.

    Parameters
    ----------
    fc : (n_window, n_node, n_node)
        Symmetric; NaN is left out.
    share : float
        Between 0 and 1.
    near : (2,)
        The cut of the window before the first, and how far to look around it; NaN where not known. Is written, for
        the call on the windows that follow.
    kept : (n_node * n_node + 1,)
        Room to work in.

    Returns
    -------
    (n_window,)
        NaN where a matrix holds nothing else.

    Notes
    -----
    Windows change slowly: a pass counts what lies near the last cut, another keeps the few entries around the place
    where the count puts this one, and the two order statistics are selected among those. Where they are not among
    them, the next guess comes from a sample of the entries, the last from all of them.
    """
    cuts = np.full(fc.shape[0], np.nan)
    last, margin = near
    for w in range(fc.shape[0]):
        cuts[w] = _cut(fc[w], share, last - margin, last + margin, kept)
        step = 2 * abs(cuts[w] - last)
        margin = 0.02 if np.isnan(step) else max(step, margin / 2)
        last = cuts[w]
    near[0], near[1] = last, margin
    return cuts


@njit(cache=True, nogil=True)
def _cut(fc: Floats, share: float, low: float, high: float, kept: Floats) -> float:
    """The cut of one matrix, which may lie in [low, high]; `kept` is room to work in."""
    counts = _tally(fc, low, high)
    n = counts[0] + counts[1] + counts[2]
    if n == 0:
        return np.nan
    place = (n - 1) * share
    first = int(np.floor(place))
    if not _holds(counts, first, n):
        low, high = _bracket(fc, share, kept)
        counts = _tally(fc, low, high)
    if not _holds(counts, first, n):
        low, high = -np.inf, np.inf
        counts = _tally(fc, low, high)
    if counts[1] > _MANY and high - low < np.inf:
        # In so short a stretch entries are spread nearly evenly: a tenth of it holds the cut.
        centre, reach = low + (high - low) * (first - counts[0]) / counts[1], (high - low) / 20
        tight = _tally(fc, centre - reach, centre + reach)
        if _holds(tight, first, n):
            low, high, counts = centre - reach, centre + reach, tight
    _keep(fc, low, high, kept)
    a = _smallest(kept, counts[1], first - counts[0])
    b = _smallest(kept, counts[1], min(first + 1, n - 1) - counts[0])
    t = place - first
    # As numpy interpolates, to the last bit.
    cut: float = b - (b - a) * (1 - t) if t >= 0.5 else a + (b - a) * t
    return cut


@njit(cache=True, nogil=True)
def _holds(counts: tuple[int, int, int], rank: int, n: int) -> bool:
    """Whether the entries of `rank` and of the next are among those counted in the middle."""
    return counts[0] <= rank and min(rank + 1, n - 1) < counts[0] + counts[1]


@njit(cache=True, nogil=True)
def _tally(fc: Floats, low: float, high: float) -> tuple[int, int, int]:
    """How many entries lie below, in and above [low, high]; NaN is in none."""
    flat = fc.reshape(fc.size)
    a, b = fc.dtype.type(low), fc.dtype.type(high)
    below = inside = above = 0
    for first in range(0, flat.size, _STRETCH):
        part = flat[first : first + _STRETCH]
        under: Any = np.int32(0)
        upto: Any = np.int32(0)
        there: Any = np.int32(0)
        # Counts of 32 bits and plain indices let the compiler take eight or sixteen entries at a time.
        for k in range(part.size):
            v = part[k]
            under = np.int32(under + (v < a))
            upto = np.int32(upto + (v <= b))
            there = np.int32(there + (v == v))
        below += under
        inside += upto - under
        above += there - upto
    return below, inside, above


@njit(cache=True, nogil=True)
def _keep(fc: Floats, low: float, high: float, kept: Floats) -> None:
    """Copy the entries in [low, high] to the head of `kept`, passing over blocks that have none."""
    flat = fc.reshape(fc.size)
    a, b = fc.dtype.type(low), fc.dtype.type(high)
    n = first = np.uint64(0)
    block, size = np.uint64(64), np.uint64(flat.size)
    while first < size:
        some = np.int32(first + block > size)
        if not some:
            for k in range(block):
                v = flat[first + k]
                some = np.int32(some + ((v >= a) & (v <= b)))
        if some:
            for k in range(first, min(first + block, size)):
                kept[n] = flat[k]
                n += np.uint64((flat[k] >= a) & (flat[k] <= b))
        first += block


@njit(cache=True, nogil=True)
def _bracket(fc: Floats, share: float, kept: Floats) -> tuple[float, float]:
    """Two values that very likely enclose the cut, from every so many entries."""
    flat = fc.ravel()
    step = max(flat.size // 2048, 1) | 1
    n = 0
    for k in range(0, flat.size, step):
        kept[n] = flat[k]
        n += flat[k] == flat[k]
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
