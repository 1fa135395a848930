"""Which unit of each session is which: one order for every session, so that all agree as well as they can.

Each session is matched to the mean of the other animals, again and again until nothing changes. An animal never helps
to judge itself, and counts once, however many sessions it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome import align

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_STARTS = 4
_ROUNDS = 30
_SOME = 1e-9  # of a sum of weights that were added and taken away again


class Units(NamedTuple):
    """Rows of one session, ready to be compared.

    Attributes
    ----------
    value : (n_unit, n_feature)
        Root mean square 1 over what is known; 0 where it is missing.
    known : (n_feature,)
        1 where the session has the feature.
    """

    value: Floats
    known: Floats


class Consensus(NamedTuple):
    """How sessions were matched.

    Attributes
    ----------
    order : (n_session, n)
        Unit of each session that stands at each place; -1 for none.
    similarity : (n_session, n)
        Cosine to the mean of the other animals, over labels in common; 0 where there is none.
    total, weight : (n_block, n, n_feature)
        Sums over the sessions of each animal, and what they were divided by.
    """

    order: Ints
    similarity: Floats
    total: Floats
    weight: Floats


def ready(row: Floats) -> Units:
    """Rows of one session scaled, and what is known of them.

    Parameters
    ----------
    row : (n_unit, n_feature)
        NaN where missing.
    """
    known = np.asarray(~np.isnan(row).any(axis=0))
    value: Floats = np.where(known, row, 0.0)
    size: Floats = np.sqrt((value**2).sum(axis=1, keepdims=True) / max(int(known.sum()), 1))
    scaled: Floats = np.divide(value, size, out=np.zeros_like(value), where=size > 0)
    return Units(scaled, known.astype(np.float64))


def template(total: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Mean of what was summed, and where there is any.

    Parameters
    ----------
    total, count : (n, n_feature)
    """
    there = (count > _SOME).astype(np.float64)
    return there * total / np.maximum(count, _SOME), there


def likeness(mean: Floats, there: Floats, units: Units) -> Floats:
    """Cosine of every template and every unit over the features that both have, (n, n_unit).

    Parameters
    ----------
    mean, there : (n, n_feature)
        As `template` gives them.
    units : Units
    """
    norm = np.sqrt(((mean**2) @ units.known)[:, None] * (there @ (units.value**2).T))
    return np.divide(mean @ units.value.T, norm, out=np.zeros_like(norm), where=norm > 1e-12)


def agreed(units: Sequence[Units], block: Ints, n: int, starts: Sequence[int] | None = None) -> Consensus:
    """The orders with the largest similarity of sessions to the mean of the other animals.

    Parameters
    ----------
    units : sequence of Units
    block : (n_session,)
        Number of the animal of each session, from 0; at least two.
    n : int
        Places.
    starts : sequence of int or None
        Sessions to begin from; None spreads `N_STARTS` over those that have `n` units, or the most.
    """
    if starts is None:
        sizes = np.array([u.value.shape[0] for u in units])
        fit = np.flatnonzero(sizes == n) if (sizes == n).any() else np.flatnonzero(sizes == sizes.max())
        starts = np.unique(fit[np.linspace(0, fit.size - 1, min(N_STARTS, fit.size)).astype(int)]).tolist()
    weight = 1 / np.bincount(block)[block]
    found = [_climbed(units, block, weight, _seeded(units, start, n)) for start in starts]
    return max(found, key=lambda one: float((weight[:, None] * one.similarity).sum()))


def _seeded(units: Sequence[Units], start: int, n: int) -> tuple[Floats, Floats]:
    """Templates to begin with: those of one session, and where it has too few, what is least like them."""
    mean = units[start].value[:n]
    there = np.repeat(units[start].known[None], mean.shape[0], axis=0)
    while mean.shape[0] < n:
        nearest = [likeness(mean, there, u).max(axis=0, initial=-1.0) for u in units]
        session = int(np.argmin([v.min(initial=2.0) for v in nearest]))
        mean = np.vstack([mean, units[session].value[int(nearest[session].argmin())]])
        there = np.vstack([there, units[session].known])
    return mean, there


def _climbed(units: Sequence[Units], block: Ints, weight: Floats, start: tuple[Floats, Floats]) -> Consensus:
    n, n_feature = start[0].shape
    total, count = np.zeros((block.max() + 1, n, n_feature)), np.zeros((block.max() + 1, n, n_feature))
    order = np.full((len(units), n), -1)
    for s, own in enumerate(units):
        order[s] = align.match(likeness(*start, own)).order
        _add(total[block[s]], count[block[s]], own, order[s], weight[s])
    for _ in range(_ROUNDS):
        before = order.copy()
        whole, number = total.sum(axis=0), count.sum(axis=0)
        for s, own in enumerate(units):
            k = block[s]
            new = align.match(likeness(*template(whole - total[k], number - count[k]), own)).order
            if (new == order[s]).all():
                continue
            for change, sign in ((order[s], -1.0), (new, 1.0)):
                _add(total[k], count[k], own, change, sign * weight[s])
                _add(whole, number, own, change, sign * weight[s])
            order[s] = new
        if (before == order).all():
            break
    return Consensus(order, similarities(units, block, order, total, count), total, count)


def _add(total: Floats, count: Floats, own: Units, order: Ints, weight: float) -> None:
    there = order >= 0
    total[there] += weight * own.value[order[there]]
    count[there] += weight * own.known


def similarities(units: Sequence[Units], block: Ints, order: Ints, total: Floats, count: Floats) -> Floats:
    """Cosine of each unit to the mean of the other animals at its place, (n_session, n).

    Parameters
    ----------
    units, block, order, total, count
        As in `Consensus`.
    """
    whole, number = total.sum(axis=0), count.sum(axis=0)
    out = np.zeros(order.shape)
    for s, own in enumerate(units):
        alike = likeness(*template(whole - total[block[s]], number - count[block[s]]), own)
        there = np.flatnonzero(order[s] >= 0)
        out[s, there] = alike[there, order[s, there]]
    return out
