"""A tensor that does not fit in memory, read in blocks of rows of its first mode.

Rows of the first mode are independent given the other factors. So one pass is enough for an outer iteration: as soon as
a block of rows is updated, its share of the products for the other modes is added up from the same block. While one
block is worked on, a thread reads the next.

The first pass, before any fit, learns what is missing, the squared norm, and what is wrong with the entries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemm

from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.operands.masks import Mask, masked_gram
from dynome.dynamics.tensor.operands.rows import full_gram, sweep_rows
from dynome.dynamics.tensor.operands.slabs import Slab
from dynome.dynamics.tensor.operands.trees import contract, halves, khatri_rao, products

Array = NDArray[np.float64]

BLOCK_BYTES = 1 << 26  # of a block as float64; about six of them are held at the same time


class Sliceable(Protocol):
    """A dask or Zarr array, an HDF5 dataset, a memory map: anything that gives rows as an array."""

    shape: tuple[int, ...]

    def __getitem__(self, rows: slice, /) -> Any:
        """Rows of the first axis."""
        ...


class Survey(NamedTuple):
    """What the first pass found.

    Attributes
    ----------
    negative, infinite : int
        Entries that cannot be used.
    seen : list of (n_m,)
        For each mode, whether a row has any observed entry.
    squared_norm : float
        Sum of weighted squares.
    """

    negative: int
    infinite: int
    seen: list[NDArray[np.bool_]]
    squared_norm: float


class ChunkedOperand:
    """A tensor on disk, or one that is computed when it is asked for; see `Operand`.

    Besides the blocks in flight it holds ``2 n_restart rank (n_2 ... n_N)`` numbers while it is multiplied, and one bit
    for each entry of blocks in which what is missing changes along the first mode.

    Parameters
    ----------
    x : Sliceable
        Nonnegative, NaN is missing; at least two modes. Any float or integer type; products are float64.
    bounds : sequence of int
        Where blocks of rows start and, last, the number of rows; see `block_bounds`.
    weights : (1 or n_1, ..., 1 or n_N) or None
        How much each entry counts; 0 leaves it out.
    """

    resolution = 1e-9

    def __init__(self, x: Sliceable, bounds: Sequence[int], weights: Array | None = None) -> None:
        self.x = x
        self.shape: tuple[int, ...] = tuple(x.shape)
        self.weights = weights
        self._rows = [slice(a, b) for a, b in pairwise(bounds)]
        self._common: NDArray[np.bool_] | None = None
        self._packed: list[NDArray[np.uint8] | None] = []
        self.survey = self._surveyed()
        self.squared_norm = self.survey.squared_norm

    def numerators(self, factors: list[Array], modes: Sequence[int]) -> Iterator[tuple[int, Array]]:
        """See `Operand.numerators`; one pass for each half of the modes."""
        yield from products(self.shape, factors, modes, self._times)

    def fused_numerators(
        self, factors: list[Array], modes: Sequence[int], update: Callable[[slice, Array], None]
    ) -> Iterator[tuple[int, Array]]:
        """See `OnePassOperand.fused_numerators`."""
        n_restart, _, rank = factors[0].shape
        right = khatri_rao(factors[1:]).reshape(n_restart * rank, -1)
        total = np.zeros_like(right).T
        for rows, block, _ in self._blocks():
            data = block.reshape(len(block), -1)
            numerator = (right @ data.T).reshape(n_restart, rank, -1).swapaxes(1, 2)
            update(rows, np.ascontiguousarray(numerator))
            left = np.ascontiguousarray(factors[0][:, rows].swapaxes(1, 2)).reshape(n_restart * rank, -1)
            total = dgemm(1.0, data.T, left.T, beta=1.0, c=total, overwrite_c=True)
        partial = total.T.reshape(n_restart, rank, -1)
        for mode in modes[1:]:
            yield mode, contract(partial, factors, range(1, len(self.shape)), mode)

    def gram(self, factors: list[Array], mode: int) -> Array:
        """See `Operand.gram`."""
        if not any(p is not None for p in self._packed):
            weight = self._weight(self.weights, self._common)
            return np.asarray(full_gram(factors, mode) if weight is None else masked_gram(weight, factors, mode))
        parts = []
        for k, rows in enumerate(self._rows):
            mask, own = self._mask(k), [factors[0][:, rows], *factors[1:]]
            part = np.asarray(full_gram(own, mode) if mask is None else masked_gram(mask, own, mode))
            if mode == 0:
                part = np.broadcast_to(part, (len(part), own[0].shape[1], *part.shape[2:]))
            parts.append(part)
        return np.concatenate(parts, axis=1) if mode == 0 else np.asarray(sum(parts))

    def squared_residual(self, factors: list[Array]) -> Array:
        """See `Operand.squared_residual`."""
        out = np.zeros(len(factors[0]))
        for k, (rows, block) in enumerate(self._read()):
            part = DenseOperand(np.asarray(block, np.float64), self._mask(k))
            out += part.squared_residual([factors[0][:, rows], *factors[1:]])
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
        for rows, block, mask in self._blocks():
            yield Slab(rows, block, mask)

    def _times(self, left: Array, transposed: bool) -> Array:
        """``left`` times the tensor as a matrix of its first half of modes against its second, or transposed."""
        first, second = halves(self.shape)
        columns, inner = (math.prod(self.shape[m] for m in half) for half in (second, first[1:]))
        out = np.zeros((len(left), self.shape[0] * inner if transposed else columns))
        for rows, block, _ in self._blocks():
            data, part = block.reshape(-1, columns), slice(rows.start * inner, rows.stop * inner)
            if transposed:
                np.matmul(left, data.T, out=out[:, part])
            else:
                out += left[:, part] @ data
        return out

    def _read(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Blocks as they are stored; the next one is read while the caller works on the last."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="dynome-read") as reader:
            ahead = reader.submit(self._fetch, self._rows[0])
            for rows, following in zip(self._rows, [*self._rows[1:], None], strict=True):
                block = ahead.result()
                if following is not None:
                    ahead = reader.submit(self._fetch, following)
                yield rows, block

    def _fetch(self, rows: slice) -> NDArray[Any]:
        return np.asarray(self.x[rows])

    def _blocks(self) -> Iterator[tuple[slice, Array, Mask | None]]:
        """Blocks in float64, times their weight, 0 where missing; and the weight."""
        for k, (rows, block) in enumerate(self._read()):
            mask = self._mask(k)
            if mask is None:
                yield rows, np.ascontiguousarray(block, dtype=np.float64), mask
                continue
            data = np.where(mask if mask.dtype == np.bool_ else mask > 0, block, 0.0).astype(np.float64, copy=False)
            if mask.dtype != np.bool_:
                data *= mask
            yield rows, data, mask

    def _mask(self, k: int) -> Mask | None:
        """Weight of each entry of a block, of size 1 along the first mode where it does not vary."""
        rows, packed = self._rows[k], self._packed[k]
        weights = None if self.weights is None else self.weights[rows if len(self.weights) > 1 else slice(None)]
        if packed is None:
            return self._weight(weights, self._common)
        shape = (rows.stop - rows.start, *self.shape[1:])
        return self._weight(weights, np.unpackbits(packed, count=math.prod(shape)).reshape(shape).astype(bool))

    @staticmethod
    def _weight(weights: Array | None, seen: NDArray[np.bool_] | None) -> Mask | None:
        if weights is None or seen is None:
            return seen if weights is None else weights
        product: Array = weights * seen
        return product

    def _surveyed(self) -> Survey:
        """Read everything once: what is missing, what is wrong, how large it is."""
        negative = infinite = 0
        squared_norm, order = 0.0, len(self.shape)
        found = [np.zeros(n, dtype=bool) for n in self.shape]
        pattern: NDArray[np.bool_] | None = None
        for k, (rows, block) in enumerate(self._read()):
            seen = ~np.isnan(block) if block.dtype.kind == "f" else np.ones(block.shape, dtype=bool)
            pattern = seen[:1].copy() if pattern is None else pattern
            same = bool((seen == pattern).all())
            self._packed.append(None if same else np.packbits(seen))
            negative += int((block < 0).sum())
            infinite += int(np.isinf(block).sum()) if block.dtype.kind == "f" else 0
            self._common = None if pattern.all() else pattern
            mask = self._mask(k)
            counted = seen if mask is None else np.broadcast_to(mask > 0, seen.shape)
            found[0][rows] = counted.any(tuple(range(1, order)))
            for m in range(1, order):
                found[m] |= counted.any(tuple(a for a in range(order) if a != m))
            squares = np.square(block, out=np.zeros(block.shape), where=counted, casting="unsafe")
            squared_norm += float(
                squares.sum() if mask is None else np.vdot(squares, np.broadcast_to(mask, seen.shape))
            )
        return Survey(negative, infinite, found, squared_norm)


def block_bounds(shape: Sequence[int], chunks: Sequence[int] | None = None) -> list[int]:
    """Where to cut the first mode, so that blocks hold whole chunks and about 64 MB.

    Parameters
    ----------
    shape : sequence of int
        Of the tensor.
    chunks : sequence of int or None
        Sizes of the chunks along the first mode; None where cuts may be anywhere. A chunk larger than a block is cut,
        and read once for each part.

    Returns
    -------
    list of int
        Increasing, from 0 to the number of rows.

    Examples
    --------
    >>> block_bounds((10, 1000, 1000), [2, 2, 2, 2, 2])
    [0, 8, 10]
    >>> block_bounds((10, 1000, 1000), [10])
    [0, 8, 10]
    """
    most = max(1, BLOCK_BYTES // (8 * math.prod(shape[1:])))
    bounds, whole = [0], 0
    for stop in np.cumsum([shape[0]] if chunks is None else chunks).tolist():
        if stop - bounds[-1] > most and whole > bounds[-1]:
            bounds.append(whole)
        while stop - bounds[-1] > most:
            bounds.append(bounds[-1] + most)
        whole = stop
    return [*bounds, shape[0]]
