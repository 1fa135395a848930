"""How connectivity of pairs goes with the weight of the few pairs that are wired.

A connectome is sparse and its null models are many, so everything that depends on functional connectivity alone is
prepared once, and a wiring costs time in proportion to its edges, not to the pairs of nodes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import rankdata

from dynome.inference.pairs import Floats, Wired

Measure = Literal["spearman", "pearson", "auc"]
NAMES = {"spearman": "Spearman correlation", "pearson": "Pearson correlation", "auc": "area under the ROC curve"}


class Scores(NamedTuple):
    """Functional connectivity of all known pairs, prepared for one measure."""

    values: Floats
    """(n_pair,) as it is or as ranks, about its mean."""
    norm: float
    """Root of the sum of squares of `values`."""


def prepared(fc: Floats, measure: Measure) -> Scores:
    """Scores of functional connectivity (n_pair,) for `association`."""
    scores = fc if measure == "pearson" else rankdata(fc)
    values = scores - scores.mean()
    return Scores(values, float(np.sqrt(values @ values)))


def association(wired: Wired, scores: Scores, measure: Measure) -> float:
    """Association of functional connectivity with the wiring, over all known pairs.

    Parameters
    ----------
    wired : Wired
        The pairs that are connected; all others have weight zero.
    scores : Scores
        From `prepared`, for the same measure.
    measure : {"spearman", "pearson", "auc"}
        Correlation with `strength` (of ranks or as it is), or the area under the ROC curve of telling connected from
        unconnected pairs.

    Returns
    -------
    float
        NaN where weights, connectedness or functional connectivity do not vary.
    """
    n, k = scores.values.size, wired.pair.size
    if measure == "auc":
        if not 0 < k < n:
            return float("nan")
        # The rank sum of Mann and Whitney, with ranks about their mean.
        return 0.5 + float(scores.values[wired.pair].sum()) / (k * (n - k))
    y = strength(wired.weight)
    if measure == "spearman":
        y = _ranks_about_zero(y, n)
    spread = float(y @ y) - float(y.sum()) ** 2 / n if n else 0.0
    scale = np.sqrt(max(spread, 0.0)) * scores.norm
    return float(y @ scores.values[wired.pair]) / scale if scale > 1e-12 * np.sqrt(n) else float("nan")


def strength(weight: Floats) -> Floats:
    """Weights on a logarithmic scale that keeps zero and the sign: ``sign(w) log(1 + |w|)``."""
    return np.sign(weight) * np.log1p(np.abs(weight))


def _ranks_about_zero(values: Floats, n: int) -> Floats:
    """Ranks of some of `n` values, the others being zero, less the rank of zero."""
    negative, positive = values < 0, values > 0
    n_zero = n - int(negative.sum()) - int(positive.sum())
    ranks = rankdata(values[negative | positive]) + n_zero * positive[negative | positive]
    out = np.zeros(values.size)
    out[negative | positive] = ranks - (int(negative.sum()) + (n_zero + 1) / 2)
    return out
