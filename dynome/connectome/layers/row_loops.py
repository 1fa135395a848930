"""Weighted sums of rows that edges name: the product of a sparse matrix with a tall dense one.

A row holds the features of all snapshots of one node, thousands of numbers. They are taken in blocks of columns, and
where the nodes are few, the block of every node is first copied to one small array: it then stays in the second cache,
and rows that lie at the same place of a page do not drive each other out. Four edges are added at a time, so that the
sum is read and written once for four products.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.layers.thread_shares import run, shares

_CACHE = 1 << 20  # bytes that the copied block of all nodes may take
_WIDTH = 256, 512  # columns of a block: fewest, most

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc"}}


def row_sums(
    pointer: NDArray[np.int64],
    column: NDArray[np.int64],
    edge: NDArray[np.int64] | None,
    weight: NDArray[Any],
    own: NDArray[Any] | None,
    x: NDArray[Any],
) -> NDArray[Any]:
    """``out[i] = own[i] * x[i] + sum of weight[e] * x[column[e]]`` over the edges e of row i.

    Parameters
    ----------
    pointer : (n + 1,)
        Edges ``pointer[i]`` to ``pointer[i + 1]`` are those of row i.
    column : (E,)
        By edge.
    edge : (E,) or None
        The edges of all rows, one row after the other; None where the edges are in that order themselves.
    weight : (E,)
    own : (n,) or None
        None leaves the first term out.
    x : (n, M), C-contiguous
        float32 or float64, as `weight` and `own`.

    Returns
    -------
    (n, M)
    """
    out = np.empty_like(x)
    own = np.empty(0, dtype=x.dtype) if own is None else own
    if edge is not None:
        column, weight = column[edge], weight[edge]
    weight, own = np.ascontiguousarray(weight), np.ascontiguousarray(own)  # each layout would be compiled anew
    width, packed = _layout(x)
    work = column.size * x.shape[1]
    if packed:
        tasks = [(0, len(x), *share, width) for share in shares(x.shape[1], width, work)]
    else:
        tasks = [(*share, 0, x.shape[1], width) for share in _even_rows(pointer, work)]
    run(_sums_of_blocks, [(*task, pointer, column, weight, own, x, out, packed) for task in tasks])
    return out


def row_products(
    source: NDArray[np.int64], target: NDArray[np.int64], x: NDArray[Any], g: NDArray[Any]
) -> NDArray[Any]:
    """``out[e] = sum of x[source[e]] * g[target[e]]``: the gradient of each weight.

    Parameters
    ----------
    source, target : (E,)
    x, g : (n, M), C-contiguous

    Returns
    -------
    (E,)
    """
    out = np.zeros(source.size, dtype=x.dtype)
    width, packed = _layout(x)
    _products_of_blocks(0, x.shape[1], width, source, target, x, g, out, packed)
    return out


def _even_rows(pointer: NDArray[np.int64], work: int) -> list[tuple[int, int]]:
    """Ranges of rows with about as many edges each, for the threads."""
    n_edges = int(pointer[-1])
    starts = [int(np.searchsorted(pointer, start)) for start, _ in shares(n_edges, 1, work)[1:]]
    bounds = [0, *starts, pointer.size - 1]
    return list(pairwise(bounds))


def _layout(x: NDArray[Any]) -> tuple[int, bool]:
    """Columns of a block, and whether it is copied."""
    n, m = x.shape
    fit = _CACHE // max(1, n * x.itemsize)
    if fit < _WIDTH[0] or m <= _WIDTH[0]:
        return min(max(m, 1), _WIDTH[1]), False
    return min(fit // 16 * 16, _WIDTH[1]), True


@njit(**_OPTIONS)
def _sums_of_blocks(
    top: int,
    bottom: int,
    start: int,
    stop: int,
    width: int,
    pointer: Any,
    column: Any,
    weight: Any,
    own: Any,
    x: Any,
    out: Any,
    packed: bool,
) -> None:
    """Rows `top` to `bottom` of columns `start` to `stop`."""
    block = np.empty((x.shape[0] if packed else 0, width), x.dtype)
    for first in range(start, stop, width):
        last = min(first + width, stop)
        if packed:
            for j in range(x.shape[0]):
                for k in range(last - first):
                    block[j, k] = x[j, first + k]
        rows, at = block if packed else x, 0 if packed else first  # one call: each would be compiled by itself
        _sums(top, bottom, pointer, column, weight, own, rows, at, last - first, out, first)


@njit(**_OPTIONS)
def _sums(
    top: int,
    bottom: int,
    pointer: Any,
    column: Any,
    weight: Any,
    own: Any,
    x: Any,
    start: int,
    m: int,
    out: Any,
    first: int,
) -> None:
    stop = start + m
    for i in range(top, bottom):
        y = out[i, first : first + m]
        if own.size:
            x0, w0 = x[i, start:stop], own[i]
            for c in range(m):
                y[c] = w0 * x0[c]
        else:
            y[:] = 0
        k, end = pointer[i], pointer[i + 1]
        while k + 4 <= end:
            x0, x1 = x[column[k], start:stop], x[column[k + 1], start:stop]
            x2, x3 = x[column[k + 2], start:stop], x[column[k + 3], start:stop]
            w0, w1, w2, w3 = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
            for c in range(m):
                y[c] += w0 * x0[c] + w1 * x1[c] + w2 * x2[c] + w3 * x3[c]
            k += 4
        while k < end:
            x0, w0 = x[column[k], start:stop], weight[k]
            for c in range(m):
                y[c] += w0 * x0[c]
            k += 1


@njit(**_OPTIONS)
def _products_of_blocks(
    start: int, stop: int, width: int, source: Any, target: Any, x: Any, g: Any, out: Any, packed: bool
) -> None:
    n = x.shape[0] if packed else 0
    left, right = np.empty((n, width), x.dtype), np.empty((n, width), x.dtype)
    for first in range(start, stop, width):
        m = min(first + width, stop) - first
        if packed:
            for j in range(n):
                for k in range(m):
                    left[j, k], right[j, k] = x[j, first + k], g[j, first + k]
        a, b, at = left if packed else x, right if packed else g, 0 if packed else first
        _products(source, target, a, b, at, at + m, out)


@njit(**_OPTIONS)
def _products(source: Any, target: Any, x: Any, g: Any, start: int, stop: int, out: Any) -> None:
    for e in range(source.size):
        a, b, total = x[source[e], start:stop], g[target[e], start:stop], out.dtype.type(0)
        for c in range(stop - start):
            total += a[c] * b[c]
        out[e] += total
