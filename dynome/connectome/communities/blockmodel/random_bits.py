"""Random numbers inside compiled code, from a state that is passed in.

The state is one word in an array, which every draw advances (splitmix64), so that neither numpy's nor numba's global
state is touched.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

State = NDArray[np.uint64]


def state_from(rng: np.random.Generator) -> State:
    """A state of its own for one compiled search.

    Parameters
    ----------
    rng : Generator
        Where the state is drawn from.
    """
    return rng.integers(2**63, size=1, dtype=np.uint64)


@njit(cache=True)
def uniform(state: State) -> float:
    """A number in [0, 1).

    Parameters
    ----------
    state : (1,)
        Is advanced.
    """
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53


@njit(cache=True)
def below(state: State, bound: int) -> int:
    """A whole number from 0 to bound - 1.

    Parameters
    ----------
    state : (1,)
        Is advanced.
    bound : int
        At least 1.
    """
    return int(uniform(state) * bound)


@njit(cache=True)
def shuffle(state: State, items: NDArray[np.int64]) -> None:
    """Put items into a random order, in place.

    Parameters
    ----------
    state : (1,)
        Is advanced.
    items : (n,)
        Is reordered.
    """
    for k in range(items.size - 1, 0, -1):
        j = below(state, k + 1)
        items[k], items[j] = items[j], items[k]
