"""A tensor in memory, as numpy.

One outer iteration reads it twice, whatever its order: the modes are split in two halves, one product with the
Khatri-Rao of the right half serves every mode of the left half, and the reverse (a dimension tree of depth two). No
unfolding is copied, because both halves are contiguous.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.masks import masked_gram
from dynome.dynamics.tensor.operands.rows import full_gram, khatri_rao, sweep_rows

Array = NDArray[np.float64]

_LETTERS = "abcdefghijklmnopqrstuvw"


class DenseOperand:
    """A dense tensor with an exact mask; see `Operand`.

    Parameters
    ----------
    x : (n_1, ..., n_N)
        Nonnegative, C-contiguous, 0 where the mask is 0, already times the mask where that holds weights.
    mask : (1 or n_1, ..., 1 or n_N) or None
        1 where observed, 0 where missing; size 1 along modes where it does not vary.
    """

    resolution = 1e-9

    def __init__(self, x: Array, mask: Array | None = None) -> None:
        self.x = x
        self.mask = mask
        self.shape = x.shape
        self.squared_norm = float(np.vdot(x, x))

    def numerators(self, factors: list[Array], modes: Sequence[int]) -> Iterator[tuple[int, Array]]:
        """See `Operand.numerators`."""
        x, order = self.x, self.x.ndim
        restarts, rank = factors[0].shape[0], factors[0].shape[2]
        split = min(range(1, order), key=lambda m: math.prod(x.shape[:m]) + math.prod(x.shape[m:]))
        matrix = x.reshape(math.prod(x.shape[:split]), -1)
        for half, data in ((range(split), matrix), (range(split, order), matrix.T)):
            wanted = [m for m in half if m in modes]
            if not wanted:
                continue
            others = [factors[m] for m in range(order) if m not in half]
            partial = (data @ khatri_rao(others)).reshape(*(x.shape[m] for m in half), restarts, rank)
            axes = _LETTERS[: len(half)]
            for mode in wanted:
                inner = [m for m in half if m != mode]
                terms = ",".join([axes + "yz", *(f"y{axes[m - half[0]]}z" for m in inner)])
                own = axes[mode - half[0]]
                yield mode, np.ascontiguousarray(np.einsum(f"{terms}->y{own}z", partial, *(factors[m] for m in inner)))

    def gram(self, factors: list[Array], mode: int) -> Array:
        """See `Operand.gram`."""
        return full_gram(factors, mode) if self.mask is None else masked_gram(self.mask, factors, mode)

    def squared_residual(self, factors: list[Array]) -> Array:
        """See `Operand.squared_residual`."""
        first = factors[0]
        rest = khatri_rao(factors[1:]).reshape(-1, first.shape[0], first.shape[2])
        mask = None if self.mask is None else np.broadcast_to(self.mask, self.shape)
        out = np.zeros(first.shape[0])
        for i, row in enumerate(self.x):
            model = np.einsum("pkr,kr->kp", rest, first[:, i])
            difference = row.reshape(1, -1) - model
            out += (difference**2 if mask is None else difference**2 * mask[i].reshape(1, -1)).sum(1)
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
