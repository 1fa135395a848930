"""Matrix products with a big matrix that is kept in few bytes, in blocks that are widened while they are in cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.skinny import few_times, is_skinny

Array = NDArray[np.float64]

_BLOCK = 1 << 17  # entries of a block that is widened


def times_matrix(left: Array, matrix: NDArray[Any], *, transposed: bool) -> Array:
    """``left @ matrix`` or ``left @ matrix.T``, in float64.

    A float32 matrix is multiplied in float32, which is twice as fast; a boolean one in float64.

    Parameters
    ----------
    left : (n, n_row) or, transposed, (n, n_column)
        Few rows.
    matrix : (n_row, n_column), float64, float32 or bool
        C-contiguous.
    transposed : bool
        Whether the columns of `matrix` are summed over.
    """
    if matrix.dtype != np.bool_ and is_skinny(len(left), matrix):
        return few_times(left, matrix, transposed=transposed)
    if matrix.dtype != np.bool_:
        narrow = left.astype(matrix.dtype, copy=False)
        product: Array = (narrow @ (matrix.T if transposed else matrix)).astype(np.float64, copy=False)
        return product
    out = np.zeros((left.shape[0], matrix.shape[0 if transposed else 1]))
    for rows in blocks(matrix.shape):
        wide = matrix[rows].astype(np.float64)
        if transposed:
            out[:, rows] = left @ wide.T
        else:
            out += left[:, rows] @ wide
    return out


def blocks(shape: tuple[int, ...], entries: int = _BLOCK) -> list[slice]:
    """Slices of rows with about so many entries each; by default they stay in cache."""
    step = max(1, entries // shape[1])
    return [slice(start, start + step) for start in range(0, shape[0], step)]
