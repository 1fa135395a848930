"""An affinity tensor that is never in memory: each pass forms it anew, in blocks that stay in cache.

The tensor is a function of the rates of the nodes, ``n_node x n_time x n_animal`` numbers (`Recipe`). Where the kernel
is a product, a time slice is a matrix of rank two, and a pass could be written as products of small matrices; making
entries anew takes half of the operations, and serves every kernel (``benchmarks/results/affinities.md``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.affinities.few_columns import WIDTH
from dynome.dynamics.affinities.kernels import KERNELS, Recipe, form, formed, over_pairs, over_times, tiles
from dynome.dynamics.tensor.operands.presence import expanded, packed, presence_of
from dynome.dynamics.tensor.operands.rows import gram_of, sweep_rows
from dynome.dynamics.tensor.operands.slabs import Slab
from dynome.dynamics.tensor.operands.trees import khatri_rao

Array = NDArray[np.float64]

_TIMES, _PAIRS = 64, 1024  # of a block: half a megabyte, so that it is still in cache when it is multiplied
_SLAB = 1 << 22  # entries of a slab of whole time slices
_RESOLUTION = {"float64": 1e-9, "float32": 1e-3}


class Block(NamedTuple):
    """Some times and pairs of one animal in one channel of sign."""

    animal: int
    times: slice
    sign: int
    runs: slice
    pairs: slice
    values: NDArray[Any]


class ImplicitOperand:
    """The affinity tensor ``(time, animal, pair[, sign])`` that a recipe describes; see `Operand`.

    Parameters
    ----------
    made_of : Recipe
        Rates, pairs and kernel. Rates in float32 give blocks and products in float32, and sums in float64.
    """

    def __init__(self, made_of: Recipe) -> None:
        n_animal, n_time, _ = made_of.rise.shape
        self.made_of = made_of
        self.shape: tuple[int, ...] = (n_time, n_animal, made_of.n_pair, 2)[: 2 + made_of.signs]
        self.resolution = _RESOLUTION[made_of.rise.dtype.name]
        self.squared_norm = sum(float(np.vdot(b.values, b.values)) for b in blocks(made_of))
        self._presence = presence_of(made_of)
        self._mask = None if made_of.observed.all() else mask_recipe(made_of)

    def numerators(self, factors: list[Array], modes: Sequence[int]) -> Iterator[tuple[int, Array]]:
        """See `Operand.numerators`."""
        return products(self.made_of, factors, modes)

    def gram(self, factors: list[Array], mode: int) -> Array:
        """See `Operand.gram`."""
        signs = packed(gram_of(factors[3]))[:, None] if len(factors) == 4 and mode != 3 else 1.0
        if self._presence is not None:
            return expanded(self._presence.gram(factors[:3], mode) * signs, factors[0].shape[2])
        # Samples are missing here and there: their mask is a tensor of the same form.
        squares = [packed(f[..., :, None] * f[..., None, :]) for f in factors[:3]]
        _, rows = next(products(mask_recipe(self.made_of), squares, [min(mode, 2)]))
        seen = (rows * squares[2]).sum(1, keepdims=True) if mode == 3 else rows
        return expanded(seen * signs, factors[0].shape[2])

    def squared_residual(self, factors: list[Array]) -> Array:
        """See `Operand.squared_residual`."""
        left, right = _columns(self.shape, factors, right=False), _columns(self.shape, factors, right=True)
        out = np.zeros(left.shape[0])
        for block in blocks(self.made_of):
            there = None if self._mask is None else self._seen(block)
            for k in range(out.size):
                model = left[k, :, block.animal, block.times].T @ right[k, :, block.sign, block.pairs]
                difference = np.subtract(block.values, model, out=model)
                if there is not None:
                    difference *= there
                out[k] += np.vdot(difference, difference)
        return out

    def _seen(self, block: Block) -> NDArray[Any]:
        return _written(self._mask or self.made_of, block._replace(sign=0, values=np.empty_like(block.values))).values

    def slabs(self) -> Iterator[Slab]:
        """See `Slabbed.slabs`."""
        n_time, n_animal, n_pair = self.shape[:3]
        signs = self.made_of.signs
        step = max(1, _SLAB // (n_animal * n_pair * signs))
        for start in range(0, n_time, step):
            times = np.arange(start, min(start + step, n_time))
            values = np.empty((times.size, n_animal, n_pair, signs))
            seen = np.ones((times.size, n_animal, n_pair, 1))
            for animal in range(n_animal):
                for sign in range(signs):
                    values[:, animal, :, sign] = formed(self.made_of, animal, times, sign)
                if self._mask is not None:
                    seen[:, animal, :, 0] = formed(self._mask, animal, times)
            if signs == 1:
                values, seen = values[..., 0], seen[..., 0]
            yield Slab(slice(start, start + times.size), values, None if self._mask is None else seen)

    def sweep(self, factor: Array, numerator: Array, gram: Array, sweeps: int) -> None:
        """See `Operand.sweep`."""
        sweep_rows(factor, numerator, gram, sweeps)

    def asarray(self, values: Array) -> Array:
        """See `Operand.asarray`."""
        return values

    def to_numpy(self, values: Array) -> Array:
        """See `Operand.to_numpy`."""
        return values


def mask_recipe(made_of: Recipe) -> Recipe:
    """The tensor that is 1 where an entry is observed and 0 elsewhere: a product of the masks of two nodes."""
    there = made_of.observed.astype(made_of.rise.dtype)
    swing = np.ascontiguousarray(there.transpose(0, 2, 1))
    return made_of._replace(rise=there, fall=np.zeros_like(there), swing=swing, code=KERNELS["product"], lag=0, signs=1)


def blocks(made_of: Recipe) -> Iterator[Block]:
    """The whole tensor in blocks, of which only one is in memory at a time: use it before you ask for the next."""
    n_animal, n_time, _ = made_of.rise.shape
    for runs, pairs in tiled(made_of):
        buffer = np.empty((_TIMES, pairs.stop - pairs.start), made_of.rise.dtype)
        for sign in range(made_of.signs):
            for animal in range(n_animal):
                for start in range(0, n_time, _TIMES):
                    times = slice(start, min(start + _TIMES, n_time))
                    values = buffer[: times.stop - start]
                    block = Block(animal, times, sign, runs, pairs, values)
                    yield _written(made_of, block)


def _written(made_of: Recipe, block: Block) -> Block:
    times = np.arange(block.times.start, block.times.stop)
    form(made_of, block.animal, times, block.runs, block.sign, block.values)
    return block


def products(made_of: Recipe, factors: list[Array], modes: Sequence[int]) -> Iterator[tuple[int, Array]]:
    """For each mode in increasing order, the tensor times the Khatri-Rao product of the other factors.

    One pass serves time and animal, one serves pair and sign; see `Operand.numerators`.
    """
    n_animal, n_time, _ = made_of.rise.shape
    shape = (n_time, n_animal, made_of.n_pair, made_of.signs)
    n_restart, _, rank = factors[0].shape
    count, dtype = n_restart * rank, made_of.rise.dtype
    padded = -(-count // WIDTH) * WIDTH
    if {0, 1} & set(modes):
        columns = np.zeros((padded, made_of.signs, made_of.n_pair), dtype)
        columns[:count] = _columns(shape, factors, right=True).reshape(count, made_of.signs, -1)
        sums = np.zeros((n_animal, padded, n_time))
        for runs, pairs in tiled(made_of):
            for sign in range(made_of.signs):
                tile = np.ascontiguousarray(columns[:, sign, pairs])
                for animal in range(n_animal):
                    over_pairs(made_of, animal, runs, sign, tile, sums[animal])
        partial = sums[:, :count].reshape(n_animal, n_restart, rank, n_time)
        if 0 in modes:
            yield 0, np.ascontiguousarray(np.einsum("akrt,kar->ktr", partial, factors[1]))
        if 1 in modes:
            yield 1, np.ascontiguousarray(np.einsum("akrt,ktr->kar", partial, factors[0]))
    if {2, 3} & set(modes):
        columns = np.zeros((n_animal, padded, n_time), dtype)
        columns[:, :count] = _columns(shape, factors, right=False).reshape(count, n_animal, n_time).swapaxes(0, 1)
        rows = np.zeros((n_restart, rank, made_of.signs, made_of.n_pair))
        for runs, pairs in tiled(made_of):
            for sign in range(made_of.signs):
                total = np.zeros((padded, pairs.stop - pairs.start))
                for animal in range(n_animal):
                    over_times(made_of, animal, runs, sign, columns[animal], total)
                rows[:, :, sign, pairs] = total[:count].reshape(n_restart, rank, -1)
        if 2 in modes:
            signs = factors[3] if len(factors) == 4 else np.ones((n_restart, 1, rank))
            yield 2, np.ascontiguousarray(np.einsum("krsp,ksr->kpr", rows, signs))
        if 3 in modes:
            yield 3, np.ascontiguousarray(np.einsum("krsp,kpr->ksr", rows, factors[2]))


def tiled(made_of: Recipe) -> Iterator[tuple[slice, slice]]:
    """Runs of pairs that fit a block, and the pairs in them."""
    for runs in tiles(made_of.runs, _PAIRS):
        first = int(made_of.runs[runs.start, 3])
        yield runs, slice(first, first + int(made_of.runs[runs, 2].sum()))


def _columns(shape: tuple[int, ...], factors: list[Array], *, right: bool) -> Array:
    """Khatri-Rao product of the factors of sign and pair, or of animal and time: ``(restart, rank, ., .)``."""
    chosen = [*factors[3:], factors[2]] if right else [factors[1], factors[0]]
    columns: Array = khatri_rao(chosen)
    n_last = shape[2] if right else shape[0]
    return columns.reshape(*columns.shape[:2], -1, n_last)
