"""Predictions of animals that a model has not seen, for an outcome and for the same outcome dealt anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

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
FeaturesFor = Callable[[Ints], Floats]

_LEAST = 2  # animals of a class in a training part: one is left out when the penalty is chosen
# Of fewer animals the spread of a feature is so uncertain that those held out lie far outside (the variance of a
# standardized normal value is (n - 1) / (n - 3) there), and predictions have no bounds.
_LEAST_OF_NUMBERS = 5


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


def training_rows(outcome: Outcome, train: Ints, fraction: float, part: tuple[int, int, int]) -> Ints:
    """Rows of a share of the training animals, classes alike; a smaller share is within a larger one.

    Parameters
    ----------
    outcome : Outcome
    train : (n_train,)
    fraction : float
        At least two animals of every class are kept, of numbers five.
    part : (int, int, int)
        Seed, repeat and fold.
    """
    if fraction >= 1:
        return train
    seed, repeat, fold = part
    rng = seeds.generator(seed, "fraction", outcome.name, repeat, fold)
    animals = np.unique(outcome.animal[train])
    codes = np.zeros(len(outcome.animals), dtype=np.int64)
    if outcome.between:
        codes[outcome.animal] = class_codes(outcome)
    least = _LEAST if outcome.classes else _LEAST_OF_NUMBERS
    keep: list[int] = []
    for code in np.unique(codes[animals]):
        own = rng.permutation(animals[codes[animals] == code])
        keep += own[: max(least, round(fraction * own.size))].tolist()
    return train[np.isin(outcome.animal[train], keep)]


def parts_of(fold: Ints) -> Iterator[tuple[int, int, Ints, Ints]]:
    """Repeat, fold, training rows and test rows of every part.

    Parameters
    ----------
    fold : (n_repeat, n)
    """
    for r, row in enumerate(fold):
        for k in np.unique(row):
            test = row == k
            yield r, int(k), np.flatnonzero(~test), np.flatnonzero(test)


def probed(
    features_for: FeaturesFor,
    outcome: Outcome,
    fold: Ints,
    dealt: Floats,
    fractions: Sequence[float],
    kind: KernelKind,
    seed: int,
) -> list[tuple[Held, int]]:
    """Held-out predictions by ridge regression, and the number of animals trained on (the least of all parts).

    Parameters
    ----------
    features_for : callable
        Takes training rows, gives the features (n, p) of all rows of the outcome, made without the others' outcomes.
    outcome : Outcome
    fold : (n_repeat, n)
    dealt : (n, c, m)
        From `dealt_anew`.
    fractions : sequence of float
        Shares of the training animals whose outcome is given; one result for each.
    kind : {"linear", "rbf"}
    seed : int
    """
    found = [empty_held(outcome, fold, dealt) for _ in fractions]
    least = [len(outcome.animals)] * len(fractions)
    for r, k, train, test in parts_of(fold):
        features = features_for(train)
        for j, (held, fraction) in enumerate(zip(found, fractions, strict=True)):
            own = training_rows(outcome, train, fraction, (seed, r, k))
            least[j] = min(least[j], np.unique(outcome.animal[own]).size)
            y = dealt[own].reshape(own.size, -1)
            value, norm = held_out(kernel(features, own, kind), own, test, y, outcome.animal[own])
            held.prediction[r, test] = value.reshape(test.size, *dealt.shape[1:])
            held.norm[r, test] = norm.reshape(dealt.shape[1:])
            held.mean[r, test] = dealt[own, :, 0].mean(axis=0)
    return list(zip(found, least, strict=True))


def empty_held(outcome: Outcome, fold: Ints, dealt: Floats) -> Held:
    """Predictions to be filled in.

    Parameters
    ----------
    outcome : Outcome
    fold : (n_repeat, n)
    dealt : (n, c, m)
    """
    shape = (len(fold), *dealt.shape)
    return Held(np.zeros(shape), np.ones(shape), dealt, np.zeros(shape[:-1]), fold, outcome.animal)
