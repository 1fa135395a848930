"""Draw the edges of large random graphs without a matrix of nodes by nodes.

Nodes lie in blocks (communities, or cells of a grid in space), and the propensity of an edge factors as

    propensity(i -> j) = rate[block of i, block of j] * out[i] * into[j]

or is bounded by that and thinned. `draw_pairs` chooses blocks, then nodes in the blocks, and drops repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.errors import InputError

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_rounds = 200


def draw_pairs(
    block: Integers,
    rate: Floats,
    n_pairs: int,
    rng: np.random.Generator,
    *,
    out: Floats | None = None,
    into: Floats | None = None,
    accept: Callable[[Integers, Integers], Floats] | None = None,
) -> tuple[Integers, Integers]:
    """Distinct ordered pairs of distinct nodes.

    Parameters
    ----------
    block : (n_node,)
        Block of each node, 0 to n_block - 1.
    rate : (n_block, n_block)
        Propensity of an edge between one node of each block, up to a factor.
    n_pairs : int
        How many pairs.
    rng : Generator
        Source of randomness.
    out, into : (n_node,) or None
        Propensity of each node to send and to receive, up to a factor; None treats the nodes of a block alike.
    accept : function or None
        Probability to keep each drawn pair, told source and target positions.

    Returns
    -------
    tuple
        Source and target positions, each (n_pairs,), sorted by source, then target.

    Raises
    ------
    InputError
        If so many distinct pairs cannot be found.
    """
    n_node, n_block = block.size, rate.shape[0]
    sender, receiver = _Urn.of(block, n_block, out), _Urn.of(block, n_block, into)
    joint = rate * sender.total[:, None] * receiver.total[None, :]
    probability = (joint / joint.sum()).ravel()
    keys = np.zeros(0, dtype=np.int64)
    fraction = 0.95  # of the drawn pairs that turn out to be new
    for _ in range(_rounds):
        batch = rng.multinomial(int((n_pairs - keys.size) / fraction) + 16, probability).reshape(joint.shape)
        source = sender.draw(np.repeat(np.arange(n_block), batch.sum(axis=1)), rng)
        target = receiver.draw(np.repeat(np.tile(np.arange(n_block), n_block), batch.ravel()), rng)
        keep = source != target
        if accept is not None:
            keep &= rng.random(source.size) < accept(source, target)
        found = _distinct(np.concatenate([keys, (source * n_node + target)[keep]]))
        fraction = max((found.size - keys.size) / source.size, 0.01)
        keys = found
        if keys.size >= n_pairs:
            if keys.size > n_pairs:
                keys = np.delete(keys, rng.choice(keys.size, keys.size - n_pairs, replace=False))
            return np.divmod(keys, n_node)
    raise InputError(
        f"could not find {n_pairs:,} distinct edges among {n_node:,} nodes; ask for fewer edges or weaker structure"
    )


def _distinct(keys: Integers) -> Integers:
    """Sorted, each once; `numpy.unique` would build a hash table, which is six times slower here."""
    keys.sort()
    distinct: Integers = keys[np.concatenate([[True], keys[1:] != keys[:-1]])[: keys.size]]
    return distinct


class _Urn(NamedTuple):
    """Nodes sorted by block, with the running sum of their propensities."""

    member: Integers
    start: Floats  # of each block in `cumulative`
    total: Floats  # of each block
    cumulative: Floats | None  # None where all nodes count 1

    @classmethod
    def of(cls, block: Integers, n_block: int, weight: Floats | None) -> _Urn:
        member = np.argsort(block, kind="stable")
        total = np.bincount(block, weights=weight, minlength=n_block).astype(np.float64)
        cumulative = None if weight is None else np.cumsum(weight[member])
        return cls(member, np.concatenate([[0.0], np.cumsum(total)[:-1]]), total, cumulative)

    def draw(self, block: Integers, rng: np.random.Generator) -> Integers:
        """One node of each block asked for."""
        height = self.start[block] + rng.random(block.size) * self.total[block]
        if self.cumulative is None:
            place = height.astype(np.int64)
        else:
            place = np.minimum(np.searchsorted(self.cumulative, height, side="right"), self.member.size - 1)
        return self.member[place]
