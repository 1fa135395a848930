"""Gram matrices where nodes are missing in animals, or animals stop early: exact, and nearly free.

Then the mask is a product: an entry is observed where its animal was recorded at that time and has both nodes. A Gram
matrix of a Khatri-Rao product is kept as the ``rank (rank + 1) / 2`` products of two components.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.affinities.kernels import Recipe

Array = NDArray[np.float64]


class Presence(NamedTuple):
    """A mask that is the product of when an animal was recorded and which pairs it has.

    Attributes
    ----------
    recorded : (n_animal, n_time)
        1 where the animal was recorded.
    paired : (n_pattern, n_pair)
        1 where both nodes are there; animals with the same nodes share a pattern.
    pattern : (n_animal,)
        Which pattern each animal has.
    """

    recorded: Array
    paired: Array
    pattern: NDArray[np.int64]

    def gram(self, factors: list[Array], mode: int) -> Array:
        """Products of two components over observed entries, summed over the modes other than `mode`.

        Parameters
        ----------
        factors : list of (n_restart, n_row, rank)
            Of time, animal and pair.
        mode : int
            0, 1 or 2; 3 sums over all three.

        Returns
        -------
        (n_restart, 1 or n_row, rank (rank + 1) / 2)
        """
        return np.stack([self._gram([f[k] for f in factors], mode) for k in range(len(factors[0]))])

    def _gram(self, factors: list[Array], mode: int) -> Array:
        time, animal, pair = factors
        weight = _pairwise(animal)
        when = self._over_time(time) if mode != 0 else 1.0
        which = self._over_pairs(pair) if mode != 2 else 1.0
        if mode == 1:
            return np.asarray(when * which)
        summed: Array = weight * when * which
        total: Array = summed.sum(0, keepdims=True)
        if mode == 3:
            return total
        if mode == 0:
            return total if self.recorded.all() else np.asarray(self.recorded.T @ summed)
        if self.paired.all():
            return total
        grouped: Array = np.zeros((len(self.paired), summed.shape[1]))
        np.add.at(grouped, self.pattern, summed)
        return np.asarray(self.paired.T @ grouped)

    def _over_time(self, time: Array) -> Array:
        """``(1 or n_animal, n_product)``."""
        return _summed(time) if self.recorded.all() else self.recorded @ _pairwise(time)

    def _over_pairs(self, pair: Array) -> Array:
        """``(1 or n_animal, n_product)``."""
        return _summed(pair) if self.paired.all() else (self.paired @ _pairwise(pair))[self.pattern]


def presence_of(made_of: Recipe) -> Presence | None:
    """The mask of an affinity tensor as a product; None where samples are missing here and there."""
    recorded, nodes = (np.asarray(made_of.observed.any(axis)) for axis in (2, 1))
    if not np.array_equal(made_of.observed, recorded[:, :, None] & nodes[:, None, :]):
        return None
    patterns, pattern = np.unique(nodes, axis=0, return_inverse=True)
    i, j = made_of.pairs()
    paired = patterns[:, i] & patterns[:, j]
    return Presence(recorded.astype(np.float64), np.asarray(paired, np.float64), pattern.reshape(-1))


def expanded(products: Array, rank: int) -> Array:
    """Symmetric matrices ``(..., rank, rank)`` from their products of two components ``(..., rank (rank + 1) / 2)``."""
    one, other = np.triu_indices(rank)
    place = np.empty((rank, rank), dtype=np.intp)
    place[one, other] = place[other, one] = np.arange(one.size)
    return products[..., place]


def packed(matrices: Array) -> Array:
    """The inverse of `expanded`."""
    one, other = np.triu_indices(matrices.shape[-1])
    return np.ascontiguousarray(matrices[..., one, other])


def _pairwise(factor: Array) -> Array:
    one, other = np.triu_indices(factor.shape[1])
    products: Array = factor[:, one] * factor[:, other]
    return products


def _summed(factor: Array) -> Array:
    return packed(factor.T @ factor)[None]
