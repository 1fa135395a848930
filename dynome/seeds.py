"""Random streams that depend on a seed and on names, never on order or on global state.

A session's stream is derived from the session's path, so that any subset of a study, any scheduler and any order
of work gives the same numbers.
"""

from __future__ import annotations

import hashlib

import numpy as np

from dynome.errors import InputError


def resolve(random_state: int | None) -> int:
    """The seed itself, or a fresh one from the operating system when it is None.

    Parameters
    ----------
    random_state : int or None
        A non-negative integer, or None.

    Returns
    -------
    int
        A seed that a result can record, so that even an unseeded run can be repeated.

    Raises
    ------
    InputError
        If `random_state` is negative or not an integer.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> np.uint64(1))
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer) or random_state < 0:
        raise InputError(f"random_state must be None or an integer >= 0, got {random_state!r}")
    return int(random_state)


def generator(random_state: int | None, *keys: str | int) -> np.random.Generator:
    """A generator for one named purpose.

    Parameters
    ----------
    random_state : int or None
        The user's seed; None draws a fresh one.
    *keys : str or int
        What the stream is for, e.g. ``"restart", 3`` or a session's path. Different keys give independent streams.

    Raises
    ------
    InputError
        If the seed or a key is of another type.

    Examples
    --------
    >>> a, b = generator(0, "worm1"), generator(0, "worm1")
    >>> bool(a.normal() == b.normal())
    True
    >>> bool(generator(0, "worm1").normal() == generator(0, "worm2").normal())
    False
    """
    words = tuple(int.from_bytes(hashlib.sha256(_name(k).encode()).digest()[:8], "little") for k in keys)
    return np.random.default_rng(np.random.SeedSequence(resolve(random_state), spawn_key=words))


def _name(key: str | int) -> str:
    """A label of numpy's counts as the str that it prints as, and an integer of numpy's as an int."""
    if isinstance(key, str):
        return f"str:{key}"
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        return f"int:{int(key)}"
    raise InputError(f"keys of a random stream must be str or int, got {key!r}")
