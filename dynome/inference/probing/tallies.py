"""Scores of held-out predictions as sums over animals, so that animals can be drawn again or left out at no cost.

Only predictions of one model are compared with each other: two sessions are ranked if the same model, which has seen
neither, has scored both; and numbers are departures from the mean of the training part. Pooled over folds, scores of a
useless model would be below chance, because a training part without an animal leans away from it. For the same reason
predictions of numbers are brought to one scale, the length of the model's weights: a penalty chosen by chance is low,
and predictions are large, where the animals left out happen not to fit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AUROC, CORRELATION = "auroc", "correlation"
CHANCE = {AUROC: 0.5, CORRELATION: 0.0}
_SAME = 1e-12


class Held(NamedTuple):
    """Held-out predictions of many outcomes: the real one first, then outcomes dealt anew.

    Attributes
    ----------
    prediction : (n_repeat, n, c, m)
        Departures from the training part's mean; NaN where there is none.
    norm : (n_repeat, n, c, m)
        Scale of the model of each prediction.
    truth : (n, c, m)
    mean : (n_repeat, n, c)
        Of the real outcome in the training part.
    fold : (n_repeat, n)
    animal : (n,)
    """

    prediction: Floats
    norm: Floats
    truth: Floats
    mean: Floats
    fold: Ints
    animal: Ints


class Tally(NamedTuple):
    """Sums behind a score.

    Attributes
    ----------
    metric : str
        `AUROC`: right pairs and pairs. `CORRELATION`: products of prediction and truth, and their squares.
    pairs : (2, c, n_animal, n_animal) or (3, n_animal)
        Of the real outcome; a pair of two animals is told twice, half each, one within an animal once.
    shares : (2, c, n_animal, m) or (3, n_animal, m)
        What goes away with each animal.
    totals : (2, c, m) or (3, m)
    """

    metric: str
    pairs: Floats
    shares: Floats
    totals: Floats


def tallied(held: Held, metric: str) -> Tally:
    """Sums of all repeats and folds.

    Parameters
    ----------
    held : Held
    metric : {"auroc", "correlation"}
    """
    return _ranked(held) if metric == AUROC else _correlated(held)


def score(tally: Tally) -> Floats:
    """Of the real outcome and of those dealt anew, (m,).

    Parameters
    ----------
    tally : Tally
    """
    return _ratio(tally.metric, tally.totals)


def without_each(tally: Tally) -> Floats:
    """The same without one animal, (n_animal, m).

    Parameters
    ----------
    tally : Tally
    """
    if tally.metric == AUROC:
        return _ratio(AUROC, tally.totals[:, :, None] - tally.shares)
    return _ratio(CORRELATION, tally.totals[:, None] - tally.shares)


def drawn(tally: Tally, weight: Floats, pseudo: Floats) -> Floats:
    """Scores of the real outcome when animals count so many times, (n_draw,).

    Parameters
    ----------
    tally : Tally
    weight : (n_draw, n_animal)
    pseudo : (n_draw, 2)
        How often an animal that is always right, and one that is always wrong, count with them. Without these, nine of
        nine right would look as if nothing else were possible.
    """
    if tally.metric == CORRELATION:
        return _ratio(CORRELATION, np.einsum("ba,ka->kb", weight, tally.pairs))
    alone = np.diagonal(tally.pairs, axis1=-2, axis2=-1)
    across = tally.pairs * (1 - np.eye(weight.shape[1]))
    sums = np.einsum("ba,kcae,be->kcb", weight, across, weight, optimize=True)
    sums = sums + np.einsum("ba,kca->kcb", weight, alone)
    one = tally.totals[1, :, :1] / weight.shape[1]
    return _ratio(AUROC, sums + one * np.stack([pseudo[:, 0], pseudo.sum(axis=1)])[:, None])


def absolute_errors(held: Held) -> Floats:
    """Sums of absolute errors, of those of the training mean, and numbers of predictions, by animal, (3, n_animal).

    Parameters
    ----------
    held : Held
        With one column of numbers.
    """
    off = held.truth[None, :, 0, 0] - held.mean[..., 0]
    errors = np.stack([np.abs(off - held.prediction[:, :, 0, 0]), np.abs(off), np.ones_like(off)]).sum(axis=1)
    return _by_animal(errors.swapaxes(0, 1), held.animal).T


def _ratio(metric: str, sums: Floats) -> Floats:
    if metric == AUROC:
        return np.asarray((sums[0] / np.where(sums[1] > 0, sums[1], np.nan)).mean(axis=0))
    scale = np.sqrt(np.maximum(sums[1], 0) * np.maximum(sums[2], 0))
    return np.asarray(np.divide(sums[0], scale, out=np.zeros_like(scale), where=scale > 0))


def _by_animal(values: Floats, animal: Ints) -> Floats:
    """Sums over the rows of each animal, (n_animal, ...)."""
    out = np.zeros((int(animal.max()) + 1, *values.shape[1:]))
    np.add.at(out, animal, values)
    return out


def _correlated(held: Held) -> Tally:
    m = held.truth.shape[-1]
    sums = np.zeros((3, held.truth.shape[0], m))
    scaled = np.divide(held.prediction, held.norm, out=np.zeros_like(held.prediction), where=held.norm > 0)[:, :, 0]
    for prediction, fold in zip(scaled, held.fold, strict=True):
        for k in np.unique(fold):
            here = fold == k
            truth = held.truth[here, 0] - held.truth[~here, 0].mean(axis=0)
            sums[:, here] += np.stack([prediction[here] * truth, truth**2, prediction[here] ** 2])
    shares = np.stack([_by_animal(s, held.animal) for s in sums])
    return Tally(CORRELATION, shares[..., 0], shares, shares.sum(axis=1))


def _ranked(held: Held) -> Tally:
    _, c, m = held.truth.shape
    n_animal = int(held.animal.max()) + 1
    pairs, shares = np.zeros((2, c, n_animal, n_animal)), np.zeros((2, c, n_animal, m))
    totals = np.zeros((2, c, m))
    for prediction, fold in zip(held.prediction, held.fold, strict=True):
        for k in np.unique(fold):
            here = np.flatnonzero(fold == k)
            for column in range(c):
                right, counted = _pairs(prediction[here, column], held.truth[here, column] > 0.5)
                _add(pairs[:, column], shares[:, column], totals[:, column], right, counted, held.animal[here])
    return Tally(AUROC, pairs, shares, totals)


def _pairs(prediction: Floats, truth: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """For every two rows, whether they are one of each class and the right one is above, (k, k, m) twice."""
    counted = (truth[:, None] & ~truth[None]).astype(np.float64)
    above = prediction[:, None] - prediction[None]
    tie = np.abs(above) <= _SAME * np.maximum(np.abs(prediction[:, None]), np.abs(prediction[None]))
    return counted * np.where(tie, 0.5, above > 0), counted


def _add(pairs: Floats, shares: Floats, totals: Floats, right: Floats, counted: Floats, animal: Ints) -> None:
    """Add the pairs of one fold to the sums, in place."""
    same = (animal[:, None] == animal)[..., None]
    for k, values in enumerate((right, counted)):
        total = values.sum(axis=(0, 1))
        within = values * same
        np.add.at(shares[k], animal, values.sum(axis=1) + values.sum(axis=0) - within.sum(axis=1))
        totals[k] += total
        first = values[..., 0]
        both = np.where(same[..., 0], first, 0.5 * first)
        np.add.at(pairs[k], (animal[:, None], animal[None]), both)
        np.add.at(pairs[k], (animal[None], animal[:, None]), np.where(same[..., 0], 0.0, 0.5 * first))
