"""Parts of a study: no animal is ever on two sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels, seeds
from dynome.errors import InputError, Problems, listed
from dynome.inference.probing.outcomes import animals_of
from dynome.schema import ANIMAL, FOLD, SESSION

Ints = NDArray[np.int64]
Folds = int | Literal["animal"] | xr.DataArray


def animal_folds(
    sessions: Sequence[str] | xr.DataArray,
    outcome: ArrayLike | None = None,
    *,
    cv: int | Literal["animal"] = 5,
    n_repeats: int = 1,
    random_state: int | None = None,
) -> xr.DataArray:
    """Deal animals into folds, all sessions of an animal into the same.

    Parameters
    ----------
    sessions : (session,)
        Paths ``"animal"`` or ``"animal/session"``. A DataArray may carry the coordinate ``animal (session)``.
    outcome : (session,) or None
        What folds are to have alike: texts are classes, dealt evenly; numbers are dealt in order of size. Outcomes that
        differ between the sessions of an animal are left to chance.
    cv : int or "animal"
        Number of folds, or one fold for each animal.
    n_repeats : int
        How often to deal anew.
    random_state : int or None
        Seed.

    Returns
    -------
    (repeat, session)
        Number of the fold that holds the session out; with the coordinate ``animal (session)``.

    Raises
    ------
    InputError
        If there are fewer animals than folds, or an argument cannot be used.

    Examples
    --------
    >>> folds = animal_folds(["ann/1", "ann/2", "bob/1", "cid/1"], cv=2, random_state=0)
    >>> bool(folds.sel(session="ann/1") == folds.sel(session="ann/2"))
    True
    """
    given = sessions if isinstance(sessions, xr.DataArray) else xr.DataArray(list(sessions), dims=SESSION)
    names = labels.as_labels(given.to_numpy())
    animals = animals_of(names.tolist(), given.coords.get(ANIMAL))
    values = None if outcome is None else np.asarray(outcome)
    if values is not None and values.shape != names.shape:
        raise InputError(f"outcome must have one value for each of the {names.size} sessions, got shape {values.shape}")
    dealt = dealt_folds(np.unique(animals, return_inverse=True)[1], values, cv, n_repeats, random_state)
    return xr.DataArray(
        dealt,
        dims=("repeat", SESSION),
        coords={SESSION: names, ANIMAL: (SESSION, animals)},
        name=FOLD,
        attrs={"units": "1", "long_name": "fold that holds the session out"},
    )


def dealt_folds(
    animal: Ints, values: NDArray[np.generic] | None, cv: object, n_repeats: int, random_state: int | None
) -> Ints:
    """Fold of each session, (n_repeat, session): the kernel of `animal_folds`.

    Parameters
    ----------
    animal : (session,)
        Number of its animal, from 0.
    values : (session,) or None
        Texts or numbers.
    cv : int or "animal"
    n_repeats : int
    random_state : int or None

    Raises
    ------
    InputError
        As `animal_folds`.
    """
    n = int(animal.max(initial=-1)) + 1
    problems = Problems("cannot deal animals into folds")
    _check_number(cv, n, problems)
    if n_repeats < 1:
        problems.add(f"n_repeats must be at least 1, got {n_repeats}")
    problems.raise_if_any(InputError)
    n_folds = n if cv == "animal" else int(cv)  # type: ignore[call-overload]
    rng = seeds.generator(random_state, "folds")
    of_animal = _of_animal(values, animal, n)
    return np.stack([_dealt(of_animal, n, n_folds, rng) for _ in range(n_repeats)])[:, animal]


def checked_folds(folds: xr.DataArray, sessions: labels.StrArray, animals: labels.StrArray) -> Ints:
    """Folds that a user brings, in the order of the sessions.

    Parameters
    ----------
    folds : ([repeat,] session)
        Whole numbers.
    sessions, animals : (session,)
        What is to be divided.

    Returns
    -------
    (repeat, session)

    Raises
    ------
    InputError
        If a session has no fold, an animal is in two, or there is one fold only.
    """
    problems = Problems("cannot use these folds")
    if SESSION not in folds.dims or SESSION not in folds.coords or not set(folds.dims) <= {"repeat", SESSION}:
        problems.add(f"expected ([repeat,] {SESSION}) with labels of sessions, found dims {folds.dims}")
        problems.fail(InputError)
    at = labels.positions(sessions, folds[SESSION].to_numpy())
    if (at < 0).any():
        problems.add(f"sessions without a fold: {listed(sessions[at < 0].tolist())}")
        problems.fail(InputError)
    rows = folds.expand_dims("repeat") if "repeat" not in folds.dims else folds
    values = rows.transpose("repeat", SESSION).to_numpy()[:, at]
    if values.dtype.kind not in "iu":
        problems.add(f"folds are whole numbers, found {values.dtype}")
        problems.fail(InputError)
    for fold in values:
        if np.unique(fold).size < 2:
            problems.add("there is one fold only; nothing is left to train on")
        if torn := [str(name) for name in np.unique(animals) if np.unique(fold[animals == name]).size > 1]:
            problems.add(
                f"animals {listed(torn)} are in two folds, so that a model would be tested on animals it was trained "
                "on; put all sessions of an animal into one fold, e.g. with animal_folds"
            )
    problems.raise_if_any(InputError)
    return np.asarray(values, dtype=np.int64)


def _check_number(cv: object, n_animals: int, problems: Problems) -> None:
    if cv == "animal":
        if n_animals < 3:
            problems.add(f"leaving one animal out needs at least 3 animals, found {n_animals}")
    elif isinstance(cv, bool) or not isinstance(cv, int | np.integer) or cv < 2:
        problems.add(f"cv must be a number of folds, at least 2, or 'animal', got {cv!r}")
    elif cv > n_animals:
        problems.add(f"{cv} folds need at least {cv} animals, found {n_animals}; take fewer folds")


def _of_animal(values: NDArray[np.generic] | None, animal: Ints, n: int) -> NDArray[np.generic] | None:
    """The outcome of each animal, or None where sessions of an animal differ."""
    if values is None:
        return None
    first = values[np.array([np.flatnonzero(animal == k)[0] for k in range(n)])]
    return first if bool((values == first[animal]).all()) else None


def _dealt(values: NDArray[np.generic] | None, n: int, n_folds: int, rng: np.random.Generator) -> Ints:
    """Fold of each animal: in an order in which neighbours are alike, every run of `n_folds` has one of each fold."""
    order = rng.permutation(n)
    if values is not None:
        order = order[np.argsort(values[order], kind="stable")]
    # One order of folds throughout: a class may begin within a run, and still has every fold once in n_folds animals.
    numbers = values is not None and values.dtype.kind in "fiu"
    runs = [rng.permutation(n_folds)] * -(-n // n_folds)
    if numbers:
        runs = [rng.permutation(n_folds) for _ in runs]
    fold = np.empty(n, dtype=np.int64)
    fold[order] = np.concatenate(runs)[:n]
    return fold
