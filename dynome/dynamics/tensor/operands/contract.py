"""What the factorisation asks of a data tensor: it never sees an entry.

Factors carry the restart first: ``(n_restart, n_row, rank)``. An operand decides in which library they live (numpy or
torch); the solver uses only operators that both have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Operand(Protocol):
    """A nonnegative tensor with missing entries, as the solvers see it.

    Attributes
    ----------
    shape : tuple of int
        Sizes of the modes.
    squared_norm : float
        Sum of squares over observed entries, times its weight: ``sum w x^2``, as the residual is ``sum w (x - m)^2``.
    resolution : float
        Relative squared residual below which the solver's expansion ``|x|^2 - 2<x, m> + |m|^2`` is rounding, so that
        `squared_residual` is asked instead: 1e-9 where entries and products are float64, 1e-3 where they are float32.
    """

    shape: tuple[int, ...]
    squared_norm: float
    resolution: float

    def numerators(self, factors: list[Any], modes: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """For each of `modes` in increasing order, the tensor times the Khatri-Rao product of the other factors.

        The list is read anew for every mode: what the caller writes into ``factors[mode]`` between two steps is used
        from then on. Each item is ``(mode, (n_restart, n_row, rank))`` in float64.
        """
        ...

    def gram(self, factors: list[Any], mode: int) -> Any:
        """Gram matrices of the Khatri-Rao product of the other factors over observed entries.

        ``(n_restart, 1, rank, rank)``, or one a row, ``(n_restart, n_row, rank, rank)``, where the observed entries
        differ between rows.
        """
        ...

    def squared_residual(self, factors: list[Any]) -> NDArray[np.float64]:
        """Sum over observed entries of the squared difference to the model, added up directly: ``(n_restart,)``.

        Slower than the expansion that the solver uses, and exact where that cancels.
        """
        ...

    def sweep(self, factor: Any, numerator: Any, gram: Any, sweeps: int) -> None:
        """Coordinate descent on every row, in place: minimise ``f G f' - 2 n f'`` over ``f >= 0``."""
        ...

    def asarray(self, values: NDArray[np.float64]) -> Any:
        """Numbers in the library and on the device of this operand; a copy, or the array itself where it can be."""
        ...

    def to_numpy(self, values: Any) -> NDArray[np.float64]:
        """Numbers of this operand as numpy, the inverse of `asarray`."""
        ...


@runtime_checkable
class OnePassOperand(Operand, Protocol):
    """An operand for which reading is dear: the first mode is updated while the rest is added up."""

    def fused_numerators(
        self, factors: list[Any], modes: Sequence[int], update: Callable[[slice, Any], None]
    ) -> Iterator[tuple[int, Any]]:
        """What `Operand.numerators` gives, from a single pass over the entries.

        Parameters
        ----------
        factors : list of (n_restart, n_row, rank)
            As for `numerators`; the first is written to.
        modes : sequence of int
            In increasing order. The first is 0; it is updated block by block and not yielded.
        update : callable
            ``update(rows, numerator)`` writes new rows into ``factors[0][:, rows]``, from their numerators
            ``(n_restart, n_row, rank)``.
        """
        ...
