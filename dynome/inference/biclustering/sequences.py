"""Sequences end to end in one array of bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.inference.biclustering.model import Labels


def firsts(starts: Labels) -> NDArray[np.bool_]:
    """Whether each bin begins a sequence.

    Parameters
    ----------
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.

    Returns
    -------
    (n_bin,)

    Examples
    --------
    >>> firsts(np.array([0, 2, 3])).tolist()
    [True, False, True]
    """
    out = np.zeros(starts[-1], dtype=bool)
    out[starts[:-1]] = True
    return out
