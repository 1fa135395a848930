"""Affinity kernels on arrays: blocks of the tensor are formed from the rates of the nodes when they are needed.

A rate ``d`` is split into its rise ``p = max(d, 0)`` and its fall ``n = max(-d, 0)``. Every kernel is a function ``k``
of two magnitudes that is 0 where one of them is 0, so that::

    affinity = k(p_i, p_j) + k(n_i, n_j)        opposition = k(p_i, n_j) + k(n_i, p_j)

At any moment one of the two terms is 0: a node rises or falls, never both. A sibling adds a formula to `_form` and
`_raise`, and its name to `KERNELS`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.affinities.few_columns import WIDTH, few_over_pairs, few_over_times

Kernel = Literal["geomean", "product", "min", "harmonic", "gauss", "correlation"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_PRODUCT, _MIN, _HARMONIC, _GAUSS = 0, 1, 2, 3
_LONGEST = 512  # pairs in a run: tiles are made of whole runs
_TIMES = 64  # samples of a block that is formed in cache and multiplied at once
_FEW = 20  # columns up to which making entries in registers beats a BLAS on blocks (measured)

# The formula of each kernel; geomean is the product of square roots, correlation the product of z-scores.
KERNELS: dict[str, int] = {
    "geomean": _PRODUCT,
    "product": _PRODUCT,
    "min": _MIN,
    "harmonic": _HARMONIC,
    "gauss": _GAUSS,
    "correlation": _PRODUCT,
}


class Recipe(NamedTuple):
    """Everything that an entry of the tensor is made of.

    Attributes
    ----------
    rise, fall : (n_animal, n_time, n_node)
        Magnitudes, of which one is 0; both are 0 where the sample is missing.
    near_rise, near_fall : (n_animal, n_time, n_node)
        The largest within `lag` samples, 0 where the sample itself is missing; empty without a lag.
    observed : (n_animal, n_time, n_node)
        Whether the sample is there.
    swing : (n_animal, n_node, n_time)
        ``rise - fall`` where an entry is ``max(0, swing_i swing_j)``: a product without a lag; else empty.
    runs : (n_run, 4)
        Pairs as runs ``(i, j, length, first pair)``: node ``i`` with nodes ``j, j + 1, ...``.
    code, lag : int
        Formula, and lag tolerance in samples.
    sharpness : float
        ``1 / (2 h^2)`` of the ``gauss`` kernel.
    signs : int
        2 with the channel of opposite changes, else 1.
    """

    rise: Array
    fall: Array
    near_rise: Array
    near_fall: Array
    observed: NDArray[np.bool_]
    swing: Array
    runs: Integers
    code: int
    lag: int
    sharpness: float
    signs: int

    @property
    def n_pair(self) -> int:
        """Number of pairs."""
        return int(self.runs[:, 2].sum())

    def pairs(self) -> tuple[Integers, Integers]:
        """Positions of the two nodes of each pair."""
        length = self.runs[:, 2]
        within = np.arange(self.n_pair) - np.repeat(self.runs[:, 3], length)
        return np.repeat(self.runs[:, 0], length), np.repeat(self.runs[:, 1], length) + within


def recipe(
    rate: Array, i: Integers, j: Integers, kernel: Kernel, *, lag: int = 0, bandwidth: float = 1.0, signed: bool = False
) -> Recipe:
    """Split rates into rises and falls, and pairs into runs.

    Parameters
    ----------
    rate : (n_animal, n_time, n_node)
        Rates of change (z-scores for ``correlation``), float32 or float64; NaN is missing.
    i, j : (n_pair,)
        Positions of the two nodes of each pair.
    kernel : str
        One of `KERNELS`.
    lag : int
        Samples by which two changes may be apart.
    bandwidth : float
        Width of ``gauss``, in the unit of `rate`.
    signed : bool
        Add the channel of opposite changes.
    """
    observed = ~np.isnan(rate)
    rise, fall = (np.where(observed, np.maximum(side, 0), 0).astype(rate.dtype) for side in (rate, -rate))
    if kernel == "geomean":
        rise, fall = np.sqrt(rise), np.sqrt(fall)
    blank = np.zeros((rate.shape[0], 0, 0), rate.dtype)
    near_rise, near_fall = (_largest_within(side, lag) * observed if lag else blank for side in (rise, fall))
    return Recipe(
        rise,
        fall,
        near_rise,
        near_fall,
        observed,
        blank if lag or KERNELS[kernel] != _PRODUCT else np.ascontiguousarray((rise - fall).transpose(0, 2, 1)),
        _runs(np.asarray(i, dtype=np.int64), np.asarray(j, dtype=np.int64)),
        KERNELS[kernel],
        lag,
        sharpness=0.5 / bandwidth**2,
        signs=1 + signed,
    )


def _largest_within(values: Array, lag: int) -> Array:
    from scipy.ndimage import maximum_filter1d

    largest: Array = maximum_filter1d(values, 2 * lag + 1, axis=1, mode="constant", cval=0.0)
    return largest


def _runs(i: Integers, j: Integers) -> Integers:
    """Pairs with one first node and consecutive second ones, in pieces of at most `_LONGEST`."""
    new = np.ones(i.size, dtype=bool)
    new[1:] = (np.diff(i) != 0) | (np.diff(j) != 1)
    first = np.flatnonzero(new)
    length = np.diff(np.append(first, i.size))
    pieces = -(-length // _LONGEST)
    within = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = np.repeat(first, pieces) + within * _LONGEST
    stop = np.minimum(start + _LONGEST, np.repeat(first + length, pieces))
    return np.ascontiguousarray(np.stack([i[start], j[start], stop - start, start], axis=1))


def tiles(runs: Integers, width: int) -> list[slice]:
    """Consecutive runs that together hold at most `width` pairs (one run at least)."""
    edges = [0]
    held = 0
    for k, length in enumerate(runs[:, 2].tolist()):
        if held and held + length > width:
            edges.append(k)
            held = 0
        held += length
    return [slice(a, b) for a, b in zip(edges, [*edges[1:], len(runs)], strict=True)]


def form(made_of: Recipe, animal: int, times: Integers, runs: slice, sign: int, out: Array) -> None:
    """Write one block of the tensor of one animal, ``(time, pair)``; entries that are missing become 0.

    Parameters
    ----------
    made_of : Recipe
        What the tensor is made of.
    animal : int
        Position of the animal.
    times : (n,)
        Positions of the samples.
    runs : slice
        Which runs of pairs.
    sign : int
        0 for changes in one direction, 1 for opposite ones.
    out : (n, pairs in the runs)
        Written, C-contiguous.
    """
    _write(*_of_animal(made_of, animal), made_of.runs[runs], times, *_how(made_of), sign, out)


def over_pairs(made_of: Recipe, animal: int, runs: slice, sign: int, columns: Array, out: Array) -> None:
    """Add to `out` the tensor of one animal times columns over pairs; no block of it leaves the cache.

    Parameters
    ----------
    made_of : Recipe
        What the tensor is made of.
    animal, sign : int
        Position of the animal; channel as in `form`.
    runs : slice
        Which runs of pairs.
    columns : (n, pairs in the runs)
        C-contiguous, of the dtype of the recipe.
    out : (n, n_time)
        Changed.
    """
    if _few(made_of, columns):
        few_over_pairs(made_of.swing[animal], made_of.runs[runs], _way(made_of, sign), columns, out)
    else:
        _times_columns(*_of_animal(made_of, animal), made_of.runs[runs], *_how(made_of), sign, columns, out)


def over_times(made_of: Recipe, animal: int, runs: slice, sign: int, columns: Array, out: Array) -> None:
    """As `over_pairs`, transposed: add to `out` ``(n, pairs in the runs)`` for `columns` ``(n, n_time)``."""
    if _few(made_of, columns):
        few_over_times(made_of.swing[animal], made_of.runs[runs], _way(made_of, sign), columns, out)
    else:
        _columns_times(*_of_animal(made_of, animal), made_of.runs[runs], *_how(made_of), sign, columns, out)


def _few(made_of: Recipe, columns: Array) -> bool:
    return made_of.swing.size > 0 and len(columns) <= _FEW and len(columns) % WIDTH == 0


def _way(made_of: Recipe, sign: int) -> Any:
    return made_of.swing.dtype.type(1 - 2 * sign)


def _of_animal(made_of: Recipe, animal: int) -> tuple[NDArray[Any], ...]:
    return tuple(side[animal] for side in made_of[:5])


def _how(made_of: Recipe) -> tuple[int, int, float]:
    return made_of.code, made_of.lag, made_of.sharpness


def formed(made_of: Recipe, animal: int, times: Integers, sign: int = 0) -> Array:
    """As `form`, for all pairs: ``(n, n_pair)``."""
    out = np.empty((times.size, made_of.n_pair), made_of.rise.dtype)
    if out.size:
        form(made_of, animal, times, slice(None), sign, out)
    return out


def mark_missing(made_of: Recipe, animal: int, times: Integers, runs: slice, out: Array) -> None:
    """Write NaN over the entries of a block of which a node is missing."""
    _mark(made_of.observed[animal], made_of.runs[runs], times, out)


@njit(cache=True, nogil=True)
def _times_columns(rise, fall, near_rise, near_fall, observed, runs, code, lag, sharpness, sign, columns, out):  # type: ignore[no-untyped-def]
    block = np.empty((_TIMES, columns.shape[1]), rise.dtype)
    for start in range(0, rise.shape[0], _TIMES):
        times = np.arange(start, min(start + _TIMES, rise.shape[0]))
        part = block[: times.size]
        _write(rise, fall, near_rise, near_fall, observed, runs, times, code, lag, sharpness, sign, part)
        out[:, start : start + times.size] += np.dot(part, columns.T).T


@njit(cache=True, nogil=True)
def _columns_times(rise, fall, near_rise, near_fall, observed, runs, code, lag, sharpness, sign, columns, out):  # type: ignore[no-untyped-def]
    block = np.empty((_TIMES, out.shape[1]), rise.dtype)
    for start in range(0, rise.shape[0], _TIMES):
        times = np.arange(start, min(start + _TIMES, rise.shape[0]))
        part = block[: times.size]
        _write(rise, fall, near_rise, near_fall, observed, runs, times, code, lag, sharpness, sign, part)
        out += np.dot(np.ascontiguousarray(columns[:, start : start + times.size]), part)


@njit(cache=True, nogil=True)
def _write(rise, fall, near_rise, near_fall, observed, runs, times, code, lag, sharpness, sign, out):  # type: ignore[no-untyped-def]
    if lag == 0:
        _form(rise, fall, runs, times, code, sharpness, sign, out)
    elif code == _GAUSS:
        _form_nearest(rise, fall, observed, runs, times, lag, sharpness, sign, out)
    else:
        _form_within(rise, fall, near_rise, near_fall, runs, times, code, sign, out)


@njit(cache=True, nogil=True, inline="always")
def _raise(code, x, other, out):  # type: ignore[no-untyped-def]
    """As `_write` for kernels that grow with both magnitudes, kept where it is larger than what is there."""
    if x > 0:
        if code == _PRODUCT:
            for k in range(out.size):
                out[k] = max(out[k], x * other[k])
        elif code == _MIN:
            for k in range(out.size):
                out[k] = max(out[k], min(x, other[k]))
        else:
            for k in range(out.size):
                out[k] = max(out[k], (x + x) * other[k] / (x + other[k]))


@njit(cache=True, nogil=True)
def _form(rise, fall, runs, times, code, sharpness, sign, out):  # type: ignore[no-untyped-def]
    origin = runs[0, 3]
    for row in range(times.size):
        t = times[row]
        for r in range(runs.shape[0]):
            i, j, length, first = runs[r, 0], runs[r, 1], runs[r, 2], runs[r, 3] - origin
            rises = rise[t, i] > 0
            x = rise[t, i] if rises else fall[t, i]
            other = rise[t, j : j + length] if rises == (sign == 0) else fall[t, j : j + length]
            piece = out[row, first : first + length]
            if code == _PRODUCT:
                for k in range(length):
                    piece[k] = x * other[k]
            elif code == _MIN:
                for k in range(length):
                    piece[k] = min(x, other[k])
            elif x <= 0:
                piece[:] = 0
            elif code == _HARMONIC:
                for k in range(length):
                    piece[k] = (x + x) * other[k] / (x + other[k])
            else:
                for k in range(length):
                    piece[k] = np.exp(-sharpness * (x - other[k]) ** 2) if other[k] > 0 else 0.0


@njit(cache=True, nogil=True)
def _form_within(rise, fall, near_rise, near_fall, runs, times, code, sign, out):  # type: ignore[no-untyped-def]
    """The largest affinity of one node now with the other within the lag, whichever is the one."""
    origin = runs[0, 3]
    for row in range(times.size):
        t = times[row]
        same_up, same_down = (rise[t], fall[t]) if sign == 0 else (fall[t], rise[t])
        later_up, later_down = (near_rise[t], near_fall[t]) if sign == 0 else (near_fall[t], near_rise[t])
        for i, j, length, first in runs:
            piece = out[row, first - origin : first - origin + length]
            piece[:] = 0
            _raise(code, rise[t, i], later_up[j : j + length], piece)
            _raise(code, fall[t, i], later_down[j : j + length], piece)
            _raise(code, near_rise[t, i], same_up[j : j + length], piece)
            _raise(code, near_fall[t, i], same_down[j : j + length], piece)


@njit(cache=True, nogil=True)
def _form_nearest(rise, fall, observed, runs, times, lag, sharpness, sign, out):  # type: ignore[no-untyped-def]
    """``gauss`` is largest where two magnitudes are nearest, so the smallest distance within the lag decides."""
    origin = runs[0, 3]
    for row in range(times.size):
        t = times[row]
        for i, j, length, first in runs:
            piece = out[row, first - origin : first - origin + length]
            piece[:] = np.inf
            for s in range(max(t - lag, 0), min(t + lag + 1, rise.shape[0])):
                for now, then in ((t, s), (s, t)):
                    for mine, theirs in ((rise, rise), (fall, fall)) if sign == 0 else ((rise, fall), (fall, rise)):
                        x = mine[now, i]
                        if x > 0:
                            for k in range(length):
                                y = theirs[then, j + k]
                                if y > 0:
                                    piece[k] = min(piece[k], abs(x - y))
            for k in range(length):
                both = observed[t, i] and observed[t, j + k]
                piece[k] = np.exp(-sharpness * piece[k] ** 2) if both else 0.0


@njit(cache=True, nogil=True)
def _mark(observed, runs, times, out):  # type: ignore[no-untyped-def]
    origin = runs[0, 3]
    for row in range(times.size):
        there = observed[times[row]]
        for i, j, length, first in runs:
            for k in range(length):
                if not (there[i] and there[j + k]):
                    out[row, first - origin + k] = np.nan
