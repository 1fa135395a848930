"""Sequences cut into segments that fill the lanes, longest first.

Trials fill sixteen lanes by themselves. A long session is cut into pieces: what a piece needs to know of its
neighbours is found afterwards (see `dynome.dynamics.hmm.abreast`).
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.hmm.lanes import LANES

Integers = NDArray[np.int64]

_SHORTEST = 512  # bins; a chain is expected to forget in much less


class Segments(NamedTuple):
    """Pieces of sequences in the order of time, and their places in the lanes.

    Attributes
    ----------
    begin, length, sequence : (n_segment,)
    place : (n_segment,)
        ``LANES * group + lane``; within a group the longest come first.
    row : (n_group + 1,)
        First row of each group in the working arrays: as many rows as its longest segment has bins.
    """

    begin: Integers
    length: Integers
    sequence: Integers
    place: Integers
    row: Integers


def cut(starts: Integers) -> Segments:
    """Segments of sequences: a whole number of groups where the sequences are long enough.

    Parameters
    ----------
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.
    """
    length = np.diff(starts)
    n_piece = _pieces(length)
    sequence = np.repeat(np.arange(length.size), n_piece)
    piece = np.arange(sequence.size) - np.repeat(np.cumsum(n_piece) - n_piece, n_piece)
    begin = starts[sequence] + piece * length[sequence] // n_piece[sequence]
    own = np.diff(begin, append=starts[-1])
    order = np.argsort(-own, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return Segments(begin, own, sequence, place, np.concatenate([[0], np.cumsum(own[order[::LANES]])]))


def _pieces(length: Integers) -> Integers:
    """Into how many pieces each sequence is cut: the longest pieces are made shorter until the lanes are full."""
    n_piece = np.ones_like(length)
    longest = [(-int(n), k) for k, n in enumerate(length)]
    heapq.heapify(longest)
    for _ in range(-length.size % LANES):
        _, k = longest[0]
        if length[k] < _SHORTEST * (n_piece[k] + 1):
            break
        n_piece[k] += 1
        heapq.heapreplace(longest, (-int(length[k] // n_piece[k]), k))
    return n_piece
