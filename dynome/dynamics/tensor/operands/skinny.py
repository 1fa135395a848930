"""Products of a big matrix with few rows, at the speed at which it can be read.

A BLAS copies blocks of the big matrix into a buffer of its own before it multiplies, which pays only where many rows
use the copy. Here a tile of four rows of the matrix meets five rows of the other: twenty sums that stay in registers.
The matrix is read once, in the order in which it lies in memory. Sums run over at most a chunk in the precision of the
data and are then added up in float64.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

_HEIGHT, _WIDTH = 4, 5  # rows of the big and of the small matrix in a tile; the kernels are written out for these
_BYTES = 5120  # of a row of a chunk: the tiles of both matrices stay in the first cache
_ROWS = 256  # rows of the big matrix whose contributions are summed in its own precision
_FEW = 120  # bytes of a column of the small matrix up to which this beats a BLAS (measured)
_BIG, _MANY = 1 << 18, 1 << 21  # entries from which a tile pays, and several threads


def is_skinny(n: int, matrix: NDArray[Any]) -> bool:
    """Whether a product of `n` rows with this matrix is quicker here than in a BLAS."""
    return n * matrix.itemsize <= _FEW and matrix.size >= _BIG


def few_times(left: NDArray[Any], matrix: NDArray[Any], *, transposed: bool) -> Array:
    """``left @ matrix`` or ``left @ matrix.T``, in float64, for few rows of `left`.

    Parameters
    ----------
    left : (n, n_row) or, transposed, (n, n_column)
    matrix : (n_row, n_column), float64 or float32
        C-contiguous.
    transposed : bool
        Whether the columns of `matrix` are summed over.
    """
    n, size = left.shape[0], matrix.shape[0 if transposed else 1]
    padded = np.zeros((-(-n // _WIDTH) * _WIDTH, left.shape[1]), matrix.dtype)
    padded[:n] = left
    chunk = -(-matrix.shape[1] // -(-matrix.shape[1] * matrix.itemsize // _BYTES))
    n_threads = _blas_threads() if matrix.size >= _MANY else 1
    bounds = np.linspace(0, matrix.shape[0], n_threads + 1).astype(int)
    if transposed:
        out = np.zeros((size, len(padded)))
        _shared(_along_rows, [(padded, matrix[i:j], out[i:j], chunk) for i, j in _parts(bounds)])
        return np.ascontiguousarray(out[:, :n].T)
    sums = np.zeros((n_threads, len(padded), size))
    parts = zip(sums, _parts(bounds), strict=True)
    _shared(_across_rows, [(np.ascontiguousarray(padded[:, i:j]), matrix[i:j], s, chunk) for s, (i, j) in parts])
    return np.asarray(sums.sum(0) if n_threads > 1 else sums[0])[:n]


def _parts(bounds: NDArray[np.intp]) -> list[tuple[int, int]]:
    return list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))


def _shared(kernel: Any, tasks: list[tuple[Any, ...]]) -> None:
    if len(tasks) == 1:
        kernel(*tasks[0])
        return
    with ThreadPoolExecutor(len(tasks)) as pool:
        list(pool.map(lambda task: kernel(*task), tasks))


def _blas_threads() -> int:
    """As many as the BLAS would take, so that every limit on it holds here too."""
    return max((library.num_threads for library in _libraries().lib_controllers), default=1)


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _along_rows(left: Any, matrix: Any, out: Any, chunk: int) -> None:
    """Add ``matrix @ left.T`` to `out`."""
    n_row, n_column = matrix.shape
    zero = matrix.dtype.type(0)
    for start in range(0, n_column, chunk):
        stop = min(start + chunk, n_column)
        for i in range(0, n_row, _HEIGHT):
            # Rows past the end repeat the last one, and what they give is not kept.
            x0, x1 = matrix[i, start:stop], matrix[min(i + 1, n_row - 1), start:stop]
            x2, x3 = matrix[min(i + 2, n_row - 1), start:stop], matrix[min(i + 3, n_row - 1), start:stop]
            for r in range(0, left.shape[0], _WIDTH):
                l0, l1, l2 = left[r, start:stop], left[r + 1, start:stop], left[r + 2, start:stop]
                l3, l4 = left[r + 3, start:stop], left[r + 4, start:stop]
                a0 = a1 = a2 = a3 = a4 = zero
                b0 = b1 = b2 = b3 = b4 = zero
                c0 = c1 = c2 = c3 = c4 = zero
                d0 = d1 = d2 = d3 = d4 = zero
                for k in range(stop - start):
                    a, b, c, d = x0[k], x1[k], x2[k], x3[k]
                    a0 += a * l0[k]
                    b0 += b * l0[k]
                    c0 += c * l0[k]
                    d0 += d * l0[k]
                    a1 += a * l1[k]
                    b1 += b * l1[k]
                    c1 += c * l1[k]
                    d1 += d * l1[k]
                    a2 += a * l2[k]
                    b2 += b * l2[k]
                    c2 += c * l2[k]
                    d2 += d * l2[k]
                    a3 += a * l3[k]
                    b3 += b * l3[k]
                    c3 += c * l3[k]
                    d3 += d * l3[k]
                    a4 += a * l4[k]
                    b4 += b * l4[k]
                    c4 += c * l4[k]
                    d4 += d * l4[k]
                sums = ((a0, a1, a2, a3, a4), (b0, b1, b2, b3, b4), (c0, c1, c2, c3, c4), (d0, d1, d2, d3, d4))
                for row in range(min(_HEIGHT, n_row - i)):
                    for column in range(_WIDTH):
                        out[i + row, r + column] += sums[row][column]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _across_rows(left: Any, matrix: Any, out: Any, chunk: int) -> None:
    """Add ``left @ matrix`` to `out`."""
    n_row, n_column = matrix.shape
    zero = matrix.dtype.type(0)
    sums = np.zeros((left.shape[0], chunk), matrix.dtype)
    w = np.zeros((_WIDTH, _HEIGHT), matrix.dtype)
    for start in range(0, n_column, chunk):
        stop = min(start + chunk, n_column)
        for block in range(0, n_row, _ROWS):
            end = min(block + _ROWS, n_row)
            sums[:] = zero
            for i in range(block, end, _HEIGHT):
                x0, x1 = matrix[i, start:stop], matrix[min(i + 1, end - 1), start:stop]
                x2, x3 = matrix[min(i + 2, end - 1), start:stop], matrix[min(i + 3, end - 1), start:stop]
                for r in range(0, left.shape[0], _WIDTH):
                    for row in range(_HEIGHT):
                        for column in range(_WIDTH):
                            w[column, row] = left[r + column, i + row] if i + row < end else zero
                    s0, s1, s2, s3, s4 = sums[r], sums[r + 1], sums[r + 2], sums[r + 3], sums[r + 4]
                    p0, p1, p2, p3 = w[0, 0], w[0, 1], w[0, 2], w[0, 3]
                    q0, q1, q2, q3 = w[1, 0], w[1, 1], w[1, 2], w[1, 3]
                    t0, t1, t2, t3 = w[2, 0], w[2, 1], w[2, 2], w[2, 3]
                    u0, u1, u2, u3 = w[3, 0], w[3, 1], w[3, 2], w[3, 3]
                    v0, v1, v2, v3 = w[4, 0], w[4, 1], w[4, 2], w[4, 3]
                    for k in range(stop - start):
                        a, b, c, d = x0[k], x1[k], x2[k], x3[k]
                        s0[k] += p0 * a + p1 * b + p2 * c + p3 * d
                        s1[k] += q0 * a + q1 * b + q2 * c + q3 * d
                        s2[k] += t0 * a + t1 * b + t2 * c + t3 * d
                        s3[k] += u0 * a + u1 * b + u2 * c + u3 * d
                        s4[k] += v0 * a + v1 * b + v2 * c + v3 * d
            for r in range(left.shape[0]):
                for k in range(stop - start):
                    out[r, start + k] += sums[r, k]
