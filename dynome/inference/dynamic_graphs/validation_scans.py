"""Animals that are kept from training to see when it should end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.errors import InputError


def held_out(
    animals: NDArray[Any],
    known: NDArray[np.bool_],
    strata: NDArray[Any],
    share: float,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Sessions of a share of the animals, all sessions of an animal together, from every stratum alike.

    Parameters
    ----------
    animals : (session,)
    known : (session,) bool
        Sessions that take part.
    strata : (session,)
        An animal belongs to the stratum of its first session.
    share : float
        Of the animals of each stratum, rounded; at least one animal in all, none where it is 0.
    rng : Generator

    Returns
    -------
    (session,) bool

    Raises
    ------
    InputError
        If a stratum would have no animal left for training.

    Examples
    --------
    >>> animals = np.array(["a", "a", "b", "c", "d"])
    >>> found = held_out(animals, np.ones(5, bool), np.array([0, 0, 0, 1, 1]), 0.5, np.random.default_rng(0))
    >>> int(found[2:].sum()) + int(found[0])
    2
    """
    if not share:
        return np.zeros(animals.size, dtype=bool)
    names, first = np.unique(animals[known], return_index=True)
    of = strata[known][first]
    chosen: list[Any] = []
    for stratum in np.unique(of):
        members = rng.permutation(names[of == stratum])
        chosen += members[: round(share * members.size)].tolist()
        if round(share * members.size) == members.size:
            raise InputError(
                f"validation={share:g} leaves none of the {members.size} animals of {stratum} for training; take a "
                "smaller share, or 0"
            )
    if not chosen:
        if names.size < 3:
            raise InputError(f"validation={share:g} needs at least 3 animals, found {names.size}; use validation=0")
        chosen = [rng.permutation(names)[0]]
    return np.isin(animals, chosen)
