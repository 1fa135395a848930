"""Predictions of animals that a model has not seen, for an outcome and for the same outcome dealt anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome import seeds
from dynome.errors import InputError
from dynome.inference.probing.folds import dealt_folds
from dynome.inference.probing.kernel_ridge import KernelKind, held_out, kernel
from dynome.inference.probing.outcomes import Outcome, class_codes
from dynome.inference.probing.tallies import Held

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST = 2  # animals of a class in a training part: one is left out when the penalty is chosen


def dealt_anew(outcome: Outcome, n: int, seed: int) -> Floats:
    """The outcome, then `n` times the outcome with its values dealt anew, (n_row, c, 1 + n).

    Animals exchange their values. Where sessions of an animal differ, animals with equally many sessions exchange all
    their values, and the sessions of each animal exchange theirs.

    Parameters
    ----------
    outcome : Outcome
    n : int
    seed : int
    """
    rng = seeds.generator(seed, "deal", outcome.name)
    rows_of = [np.flatnonzero(outcome.animal == a) for a in range(len(outcome.animals))]
    size = np.array([rows.size for rows in rows_of])
    source = np.tile(np.arange(outcome.animal.size), (1 + n, 1))
    for draw in source[1:]:
        if outcome.between:
            new = rng.permutation(len(rows_of))
            draw[:] = np.array([rows[0] for rows in rows_of])[new][outcome.animal]
            continue
        for m in np.unique(size):
            group = np.flatnonzero(size == m)
            for a, b in zip(group, rng.permutation(group), strict=True):
                draw[rows_of[a]] = rng.permutation(rows_of[b])
    return np.moveaxis(outcome.values[source], 0, -1)


def folds_for(outcome: Outcome, cv: object, n_repeats: int, seed: int) -> Ints:
    """Folds of the rows of an outcome, (n_repeat, n).

    Parameters
    ----------
    outcome : Outcome
    cv : int or "animal"
    n_repeats : int
    seed : int

    Raises
    ------
    InputError
        If there are too few animals, or none of a class for some fold.
    """
    codes = class_codes(outcome)
    if outcome.classes and outcome.between:
        first = codes[np.unique(outcome.animal, return_index=True)[1]]
        count = np.bincount(first, minlength=len(outcome.classes))
        least = int(count.min())
        told = ", ".join(f"{name}: {n}" for name, n in zip(outcome.classes, count, strict=True))
        if cv == "animal":
            raise InputError(
                f"{outcome.name!r} does not differ within animals, so that with one animal held out nothing is ranked; "
                f"take cv={max(2, min(5, least))} (animals are {told})"
            )
        if isinstance(cv, int | np.integer) and least < max(int(cv), _LEAST + 1):
            raise InputError(
                f"{cv} folds need {max(int(cv), _LEAST + 1)} animals of every class of {outcome.name!r}, found {told}; "
                "take fewer folds, or leave the class out"
            )
    values = codes.astype(np.str_) if outcome.classes else outcome.values[:, 0]
    return dealt_folds(outcome.animal, values, cv, n_repeats, seed)


def check_training(outcome: Outcome, fold: Ints) -> None:
    """Every training part has something to tell apart, and every fold something to rank.

    Parameters
    ----------
    outcome : Outcome
    fold : (n_repeat, n)

    Raises
    ------
    InputError
        Otherwise.
    """
    codes, ranked = class_codes(outcome), False
    for row in fold:
        for k in np.unique(row):
            inside, outside = codes[row == k], codes[row != k]
            if np.unique(outcome.animal[row != k]).size < _LEAST:
                raise InputError(f"{outcome.name!r}: fewer than {_LEAST} animals are left to train on; take more folds")
            if outcome.classes and np.unique(outside).size < len(outcome.classes):
                raise InputError(f"{outcome.name!r}: a class is missing in a training part; take more folds or animals")
            ranked |= np.unique(inside).size > 1
    if outcome.classes and not ranked:
        raise InputError(f"{outcome.name!r}: no fold holds two classes, so that nothing is ranked; take fewer folds")


def training_rows(outcome: Outcome, train: Ints, fraction: float, rng: np.random.Generator) -> Ints:
    """Rows of a share of the training animals, classes alike.

    Parameters
    ----------
    outcome : Outcome
    train : (n_train,)
    fraction : float
        At least two animals of every class are kept.
    rng : Generator
    """
    if fraction >= 1:
        return train
    animals = np.unique(outcome.animal[train])
    codes = np.zeros(len(outcome.animals), dtype=np.int64)
    if outcome.between:
        codes[outcome.animal] = class_codes(outcome)
    keep: list[int] = []
    for code in np.unique(codes[animals]):
        own = rng.permutation(animals[codes[animals] == code])
        keep += own[: max(_LEAST, round(fraction * own.size))].tolist()
    return train[np.isin(outcome.animal[train], keep)]


def probed(
    features: Floats, outcome: Outcome, fold: Ints, dealt: Floats, fraction: float, kind: KernelKind, seed: int
) -> tuple[Held, int]:
    """Held-out predictions by ridge regression, and the number of animals trained on (the least of all parts).

    Parameters
    ----------
    features : (n, p)
        Of the rows of the outcome.
    outcome : Outcome
    fold : (n_repeat, n)
    dealt : (n, c, m)
        From `dealt_anew`.
    fraction : float
        Share of the training animals whose outcome is given.
    kind : {"linear", "rbf"}
    seed : int
    """
    n, c, m = dealt.shape
    prediction = np.empty((len(fold), n, c, m))
    norm = np.empty((len(fold), n, c, m))
    mean = np.empty((len(fold), n, c))
    least = len(outcome.animals)
    for r, row in enumerate(fold):
        for k in np.unique(row):
            test = np.flatnonzero(row == k)
            rng = seeds.generator(seed, "fraction", outcome.name, r, int(k))
            train = training_rows(outcome, np.flatnonzero(row != k), fraction, rng)
            least = min(least, np.unique(outcome.animal[train]).size)
            y = dealt[train].reshape(train.size, -1)
            found, length = held_out(kernel(features, train, kind), train, test, y, outcome.animal[train])
            prediction[r, test], norm[r, test] = found.reshape(test.size, c, m), length.reshape(c, m)
            mean[r, test] = dealt[train, :, 0].mean(axis=0)
    return Held(prediction, norm, dealt, mean, fold, outcome.animal), least
