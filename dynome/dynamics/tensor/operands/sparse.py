"""A tensor of which few entries differ from 0: a list of positions and values. What is absent is 0, not missing.

Costs go with the number of entries, not with the size of the tensor: products run over entries, and sums of the model
over all cells are products of column sums or of Gram matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.tensor.divergences import Totals, data_terms
from dynome.dynamics.tensor.operands.rows import full_gram, gram_of, sweep_rows
from dynome.dynamics.tensor.operands.slabs import Terms, weight_sums
from dynome.errors import InputError

Array = NDArray[np.float64]


class SparseOperand:
    """A sparse tensor; see `Operand`.

    Parameters
    ----------
    positions : (n_entry, order)
        Row of each entry in each mode; no position twice.
    values : (n_entry,)
        Their values, nonnegative and finite.
    shape : tuple of int
        Sizes of the modes.
    """

    resolution = 0.0  # the expansion is all there is: nobody wants to visit the cells that are 0

    def __init__(self, positions: NDArray[np.int64], values: Array, shape: Sequence[int]) -> None:
        order = np.lexsort(positions.T[::-1])  # neighbours share rows, which then stay in cache
        self.shape: tuple[int, ...] = tuple(shape)
        self.positions = np.ascontiguousarray(positions[order])
        self.values = np.ascontiguousarray(values[order], dtype=np.float64)
        self.squared_norm = float(np.vdot(self.values, self.values))

    def numerators(self, factors: list[Array], modes: Sequence[int]) -> Iterator[tuple[int, Array]]:
        """See `Operand.numerators`."""
        for mode in modes:
            yield mode, self._sums(factors, mode, divided=False)[0]

    def gram(self, factors: list[Array], mode: int) -> Array:
        """See `Operand.gram`."""
        return np.asarray(full_gram(factors, mode))

    def squared_residual(self, factors: list[Array]) -> Array:
        """See `Operand.squared_residual`; by expansion, exact to about 1e-15 of the squared norm."""
        product = self._sums(factors, 0, divided=False)[0]
        model = (full_gram(factors, 0)[:, 0] * gram_of(factors[0])).sum((1, 2))
        return np.asarray(np.maximum(self.squared_norm - 2 * (product * factors[0]).sum((1, 2)) + model, 0.0))

    def divergence_totals(self, beta: float) -> Totals:
        """See `Divergent.divergence_totals`; Kullback-Leibler only."""
        _only_kullback_leibler(beta)
        return Totals(float(math.prod(self.shape)), float(self.values.sum()), data_terms(self.values, 1.0, beta))

    def divergence_terms(self, factors: list[Array], mode: int, beta: float) -> Terms:
        """See `Divergent.divergence_terms`; Kullback-Leibler only.

        Where the data are 0 the divergence is the model itself, whose sum is a product of column sums.
        """
        _only_kullback_leibler(beta)
        attract, loss = self._sums(factors, mode, divided=True)
        repel = np.broadcast_to(weight_sums(None, factors, mode), attract.shape).copy()
        return Terms(attract, repel, loss + (repel * factors[mode]).sum((1, 2)))

    def sweep(self, factor: Array, numerator: Array, gram: Array, sweeps: int) -> None:
        """See `Operand.sweep`."""
        sweep_rows(factor, numerator, gram, sweeps)

    def asarray(self, values: Array) -> Array:
        """See `Operand.asarray`."""
        return values

    def to_numpy(self, values: Array) -> Array:
        """See `Operand.to_numpy`."""
        return values

    def _sums(self, factors: list[Array], mode: int, *, divided: bool) -> tuple[Array, Array]:
        n_restart, n_row, rank = factors[mode].shape
        rows = np.concatenate([f.transpose(1, 0, 2).reshape(f.shape[1], -1) for f in factors])
        first_row = np.cumsum([0, *self.shape[:-1]])
        out, loss = np.zeros((n_row, n_restart * rank)), np.zeros(n_restart)
        _add_entries(self.positions, self.values, rows, first_row, mode, divided, out, loss)
        return np.ascontiguousarray(out.reshape(n_row, n_restart, rank).transpose(1, 0, 2)), loss


def _only_kullback_leibler(beta: float) -> None:
    if beta != 1:
        raise InputError(f"a sparse tensor can be fitted with loss frobenius or kullback-leibler, got beta {beta:g}")


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _add_entries(
    positions: NDArray[np.int64],
    values: Array,
    rows: Array,
    first_row: NDArray[np.int64],
    mode: int,
    divided: bool,
    out: Array,
    loss: Array,
) -> None:
    """Add each entry, or its ratio to the model, times the product of the other factors, to its row of `out`.

    `rows` holds the factors one below the other, all restarts side by side; `loss` becomes ``- sum x log(model)``.
    """
    n_entry, order = positions.shape
    width, n_restart = out.shape[1], loss.size
    rank = width // n_restart
    product = np.empty(width)
    for e in range(n_entry):
        x, target = values[e], positions[e, mode]
        for c in range(width):
            product[c] = 1.0
        for m in range(order):
            if m != mode:
                row = first_row[m] + positions[e, m]
                for c in range(width):
                    product[c] *= rows[row, c]
        if divided:
            own = first_row[mode] + target
            for k in range(n_restart):
                model = 0.0
                for c in range(k * rank, (k + 1) * rank):
                    model += product[c] * rows[own, c]
                loss[k] -= x * np.log(model)
                ratio = x / model
                for c in range(k * rank, (k + 1) * rank):
                    out[target, c] += ratio * product[c]
        else:
            for c in range(width):
                out[target, c] += x * product[c]
