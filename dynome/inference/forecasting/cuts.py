"""Which bins of which recordings are training, validation and test: integers only, no data.

A `Cut` names bins of one recording that belong to a part. Bins that are not scored are there to be looked back on: no
forecast is measured on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TRAIN, VALIDATION, TEST, HELD_OUT = "train", "validation", "test", "held_out"
PARTS = (TRAIN, VALIDATION, TEST)


class Cut(NamedTuple):
    """Bins of one recording that belong to a part.

    Attributes
    ----------
    bins : (n_bin,)
        Increasing.
    scored : (n_bin,)
        Whether the bin may be a target.
    """

    bins: NDArray[np.int64]
    scored: NDArray[np.bool_]


Cuts = dict[str, Cut]


def stretch(first: int, end: int, look_back: int = 0) -> Cut:
    """Bins ``first`` to ``end - 1``, all scored, and `look_back` bins before them that are not.

    Examples
    --------
    >>> stretch(3, 5, look_back=1)
    Cut(bins=array([2, 3, 4]), scored=array([False,  True,  True]))
    """
    bins = np.arange(first - look_back, end, dtype=np.int64)
    return Cut(bins, bins >= first)


def joined(cuts: Sequence[Cut]) -> Cut:
    """Several cuts of one recording, in the order of time."""
    return Cut(np.concatenate([c.bins for c in cuts]), np.concatenate([c.scored for c in cuts]))


def shares(n: int, fractions: Sequence[float]) -> list[int] | None:
    """How many of `n` things each part gets.

    Parameters
    ----------
    n : int
    fractions : (3,)
        Of training, validation and test; they sum to 1.

    Returns
    -------
    list of int or None
        At least one for each fraction above zero, the rest to training; None if there are too few.

    Examples
    --------
    >>> shares(10, (0.7, 0.1, 0.2)), shares(4, (0.7, 0.1, 0.2)), shares(2, (0.7, 0.1, 0.2))
    ([7, 1, 2], [2, 1, 1], None)
    """
    later = [max(1, round(fraction * n)) if fraction > 0 else 0 for fraction in fractions[1:]]
    while sum(later) >= n and max(later) > 1:
        later[int(np.argmax(later))] -= 1
    return None if sum(later) >= n else [n - sum(later), *later]


def by_time(n: int, fractions: Sequence[float], gap: int, context: int) -> Cuts:
    """Parts that follow each other in one recording, with `gap` bins before the first scored bin of each later one.

    Parameters
    ----------
    n : int
        Bins of the recording.
    fractions : (3,)
        Of the bins that are left when the gaps are taken out.
    gap : int
        At least `context`: the last bins of the gap are those that the first windows of a part look back on, so that a
        part shares no bin with another.
    context : int

    Returns
    -------
    dict
        Part to cut, without parts whose fraction is zero; empty if the recording is too short for any.

    Examples
    --------
    >>> [(part, cut.bins[[0, -1]].tolist()) for part, cut in by_time(24, (0.5, 0.25, 0.25), 4, 2).items()]
    [('train', [0, 7]), ('validation', [10, 15]), ('test', [18, 23])]
    """
    present = [part for part, fraction in zip(PARTS, fractions, strict=True) if fraction > 0]
    sizes = shares(n - gap * (len(present) - 1), fractions)
    if sizes is None:
        return {}
    out, first = {}, 0
    for part, size in zip(PARTS, sizes, strict=True):
        if part in present:
            out[part] = stretch(first, first + size, context if first else 0)
            first += size + gap
    return out


def by_label(label: NDArray[Any], parts: dict[Any, str]) -> Cuts:
    """Parts of one recording by the label of each bin.

    Parameters
    ----------
    label : (n_bin,)
    parts : dict
        Label to part.
    """
    whole = np.array([parts[value] for value in label.tolist()])
    found = {part: np.flatnonzero(whole == part) for part in PARTS}
    return {part: Cut(bins, np.ones(bins.size, dtype=bool)) for part, bins in found.items() if bins.size}


def within_conditions(
    label: NDArray[Any],
    fractions: Sequence[float],
    context: int,
    held_out: Sequence[Any],
    *,
    padding: int,
    longest_context: int,
) -> Cuts:
    """Training, validation and test one after the other inside each condition, as in ZAPBench.

    Parameters
    ----------
    label : (n_bin,)
        Condition of each bin; each run of equal labels is one.
    fractions : (3,)
    context : int
        Validation and test look back so many bins, into what lies before them in the condition.
    held_out : sequence
        Labels of conditions that are not trained on.
    padding : int
        Bins that are dropped at either end of a condition.
    longest_context : int
        Held-out conditions are scored from their bin of this number on, whatever the context, so that models with
        different contexts are measured on the same windows.
    """
    ends = np.append(np.flatnonzero(label[1:] != label[:-1]) + 1, label.size)
    found: dict[str, list[Cut]] = {part: [] for part in (*PARTS, HELD_OUT)}
    first = 0
    for end in ends.tolist():
        a, b, name = first + padding, end - padding, label[first]
        first = end
        if b <= a:
            continue
        if name in held_out:
            if a + longest_context < b:
                found[HELD_OUT].append(stretch(a + longest_context, b, context))
            continue
        test = b - int(fractions[2] * (b - a))
        validation = test - int(fractions[1] * (b - a))
        found[TRAIN].append(stretch(a, validation))
        for part, begin, stop in ((VALIDATION, validation, test), (TEST, test, b)):
            if begin < stop:
                found[part].append(stretch(begin, stop, min(context, begin - a)))
    return {part: joined(cuts) for part, cuts in found.items() if cuts}
