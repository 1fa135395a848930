"""A tensor in memory, as numpy: float64, or float32 with sums in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.masks import Rows, masked_gram, narrow, weights_by_row
from dynome.dynamics.tensor.operands.matrices import blocks, times_matrix
from dynome.dynamics.tensor.operands.rows import full_gram, sweep_rows
from dynome.dynamics.tensor.operands.slabs import Slab
from dynome.dynamics.tensor.operands.trees import halves, khatri_rao, products

Array = NDArray[np.float64]

_RESOLUTION = {"float64": 1e-9, "float32": 1e-3}


class DenseOperand:
    """A dense tensor with an exact mask or weights; see `Operand`.

    Parameters
    ----------
    x : (n_1, ..., n_N)
        Data, not multiplied by anything; what lies under a mask of 0 is ignored, NaN too. float32 is kept and
        multiplied as float32; anything else becomes float64. Kept without a copy where it is C-contiguous and either
        nothing is missing or the missing entries are 0 already.
    mask : (1 or n_1, ..., 1 or n_N) or None
        Weight of each entry, 0 where it is missing; size 1 along modes where it does not vary. Kept as bool where it
        holds only 0 and 1.
    """

    def __init__(self, x: NDArray[Any], mask: NDArray[Any] | None = None) -> None:
        self.shape: tuple[int, ...] = x.shape
        x = np.ascontiguousarray(x, dtype=x.dtype if x.dtype == np.float32 else np.float64)
        self.resolution = _RESOLUTION[x.dtype.name]
        self.mask = None if mask is None else narrow(mask)
        self.n_left = math.prod(self.shape[m] for m in halves(self.shape)[0])
        self.weights = None if self.mask is None else weights_by_row(self.mask, self.shape)
        self._last: tuple[bool, Array, Array] | None = None
        matrix = x.reshape(self.n_left, -1)
        matrix, self.squared_norm = _weighted(matrix, self.weights)
        self.x: NDArray[Any] = matrix.reshape(self.shape)

    def numerators(self, factors: list[Array], modes: Sequence[int]) -> Iterator[tuple[int, Array]]:
        """See `Operand.numerators`."""
        matrix = self.x.reshape(self.n_left, -1)
        yield from products(self.shape, factors, modes, lambda left, flip: times_matrix(left, matrix, transposed=flip))

    def gram(self, factors: list[Array], mode: int) -> Array:
        """See `Operand.gram`."""
        if self.mask is None:
            return np.asarray(full_gram(factors, mode))
        return np.asarray(masked_gram(self.mask, factors, mode, times=self._mask_times))

    def _mask_times(self, left: Array, matrix: NDArray[Any], *, transposed: bool) -> Array:
        """As `times_matrix`; neighbouring modes share the product, which is the work, as long as `left` is the same."""
        last = self._last
        if last is None or last[0] != transposed or not np.array_equal(last[1], left):
            last = self._last = (transposed, left, times_matrix(left, matrix, transposed=transposed))
        return last[2]

    def squared_residual(self, factors: list[Array]) -> Array:
        """See `Operand.squared_residual`."""
        matrix = self.x.reshape(self.n_left, -1)
        first, second = halves(self.shape)
        left = np.ascontiguousarray(khatri_rao([factors[m] for m in first]).swapaxes(1, 2))
        right = khatri_rao([factors[m] for m in second])
        out = np.zeros(left.shape[0])
        for rows in blocks(matrix.shape):
            data = matrix[rows].astype(np.float64, copy=False)
            weight = None if self.weights is None else self.weights(rows)
            for k in range(out.size):
                out[k] += _squared_difference(data, left[k, rows] @ right[k], weight)
        return out

    def sweep(self, factor: Array, numerator: Array, gram: Array, sweeps: int) -> None:
        """See `Operand.sweep`."""
        sweep_rows(factor, numerator, gram, sweeps)

    def asarray(self, values: Array) -> Array:
        """See `Operand.asarray`."""
        return values

    def to_numpy(self, values: Array) -> Array:
        """See `Operand.to_numpy`."""
        return values

    def slabs(self) -> Iterator[Slab]:
        """See `Slabbed.slabs`."""
        yield Slab(slice(0, self.shape[0]), self.x, self.mask)


def _weighted(matrix: NDArray[Any], weights: Rows | None) -> tuple[NDArray[Any], float]:
    """Data times weight, 0 where that is 0, and ``sum w x^2``; the data themselves where nothing changes."""
    out, total = matrix, 0.0
    for rows in blocks(matrix.shape):
        data = matrix[rows].astype(np.float64, copy=False)
        if weights is None:
            total += float(np.vdot(data, data))
            continue
        weight = weights(rows)
        with np.errstate(invalid="ignore"):  # infinity under a weight of 0
            seen = data * weight
        if not np.array_equal(seen, data):
            out = matrix.copy() if out is matrix else out
            data = np.where(weight > 0, data, 0.0)
            out[rows] = seen = data * weight
        total += float(np.vdot(seen, data))
    return out, total


def _squared_difference(data: Array, model: Array, weight: NDArray[Any] | None) -> float:
    """Sum of ``w (x - model)^2``, from ``data = w x``."""
    if weight is None or weight.dtype == np.bool_:
        difference = np.subtract(data, model, out=model)
        if weight is not None:
            difference *= weight
        return float(np.vdot(difference, difference))
    difference = data - weight * model
    share = np.divide(difference, weight, out=np.zeros_like(difference), where=weight > 0)
    return float(np.vdot(difference, share))
