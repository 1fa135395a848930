"""What every method of finding communities takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Weights = scipy.sparse.csr_array[Any, tuple[int, int]]
Attribute = str | int | float | list[float]


class Search(NamedTuple):
    """How to look for communities.

    Attributes
    ----------
    resolution : float
        Above 1 gives smaller communities, below 1 larger ones; only methods of modularity have one.
    n_restarts : int
        Runs from different random starts, of which the best is kept.
    seed : int
        Start of every random stream, see `dynome.seeds.generator`.
    """

    resolution: float
    n_restarts: int
    seed: int


class Partition(NamedTuple):
    """Communities, and what the method says of them.

    Attributes
    ----------
    community : (n_node,)
        Community of each node, any codes.
    attrs : dict
        Quality, that of each restart and so on, for the attributes of the result.
    """

    community: NDArray[np.int64]
    attrs: dict[str, Attribute]


Method = Callable[[Weights, Search], Partition]
