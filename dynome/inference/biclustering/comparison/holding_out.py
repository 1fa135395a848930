"""Which observations are held out: single bins of single nodes, or stretches of all nodes."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dynome.inference.biclustering.model import Labels

Kind = Literal["speckled", "stretches"]
Flags = NDArray[np.bool_]

BLOCK = 10  # bins of a stretch


def held_out(observed: Flags, starts: Labels, kind: Kind, share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The part of each observation: every part is held out once, if all folds are asked for.

    Parameters
    ----------
    observed : (n_node, n_bin)
    starts : (n_sequence + 1,)
    kind : {"speckled", "stretches"}
        Observations at random, or stretches of 10 bins of all nodes that do not cross sequences.
    share : float
        Of the observations in a part.
    rng : Generator

    Returns
    -------
    (n_node, n_bin)
        0, 1, ..., round(1 / share) - 1; -1 where nothing was observed.
    """
    n_parts = max(round(1 / share), 2)
    if kind == "speckled":
        part = np.empty(observed.shape, dtype=np.int64)
        for row in part:  # every node loses the same share
            row[:] = rng.permutation(row.size) % n_parts
    else:
        spans = itertools.pairwise(starts.tolist())
        stretch = np.concatenate([np.arange(b - a) // BLOCK + k * starts[-1] for k, (a, b) in enumerate(spans)])
        names, which = np.unique(stretch, return_inverse=True)
        part = np.tile((rng.permutation(names.size) % n_parts)[which], (len(observed), 1))
    return np.where(observed, part, -1)
