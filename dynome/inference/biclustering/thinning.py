"""Some bins for all: long recordings are understood from pieces first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dynome.inference.biclustering.cluster_fits import ClusterFit, path_given, predicted
from dynome.inference.biclustering.expansions import expansion
from dynome.inference.biclustering.model import Array, Data, Hyper

_BINS, _PIECE = 3000, 500
_NEWTON = 3


def thinned(data: Data, rng: np.random.Generator) -> Data:
    """Sequences, or pieces of long ones, drawn at random until there are enough bins; all bins where there are few.

    Every node keeps a bin that is observed.
    """
    if data.y.shape[1] <= 1.5 * _BINS:
        return data
    edges = [np.r_[np.arange(first, last, _PIECE), last] for first, last in pairwise(data.starts)]
    pieces = np.concatenate([np.column_stack([edge[:-1], edge[1:]]) for edge in edges])
    order = rng.permutation(len(pieces))
    enough = int(np.searchsorted(np.cumsum(np.diff(pieces[order])[:, 0]), _BINS)) + 1
    observed = np.add.reduceat(~np.isnan(data.y), np.unique(pieces[:, 0]), axis=1)
    chosen = set(order[:enough].tolist())
    unseen = observed[:, order[:enough]].sum(axis=1) == 0
    chosen |= set(observed[unseen].argmax(axis=1).tolist())
    kept = pieces[sorted(chosen)]
    bins = np.concatenate([np.arange(first, last) for first, last in kept])
    starts = np.r_[0, np.cumsum(np.diff(kept)[:, 0])]
    return Data(np.ascontiguousarray(data.y[:, bins]), starts, data.law)


def whole_fits(fits: Sequence[ClusterFit], data: Data, dispersion: Array, hyper: Hyper) -> list[ClusterFit]:
    """Paths over all bins, given coefficients and dynamics that were learnt from some."""
    state = np.zeros(data.y.shape[1], dtype=np.int64)
    out = []
    for fit in fits:
        own, spread = data._replace(y=data.y[fit.nodes]), dispersion[fit.nodes]
        busiest = int(fit.statistics.entered.argmax())
        one = type(fit.statistics)(fit.statistics.entered[[busiest]], fit.statistics.gram[[busiest]])
        psi = np.broadcast_to(fit.coefficients.mean[:, :1], own.y.shape).copy()
        for _ in range(_NEWTON):
            path = path_given(expansion(own, psi, spread), fit.coefficients, one, state, data.starts, hyper)
            psi, _ = predicted(path, fit.coefficients)
        out.append(fit._replace(path=path))
    return out
