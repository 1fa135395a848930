"""Nodes that know nothing but their own mean: the floor of every comparison."""

from __future__ import annotations

from functools import partial

import numpy as np

from dynome.inference.biclustering.comparison.forecasts import Scorer, Task
from dynome.inference.biclustering.model import Array, Law
from dynome.inference.biclustering.null_rates import constant_log_likelihood


def constant(task: Task) -> Scorer:
    """One mean a node, under the law of the observations; Poisson for all counts."""
    law: Law = "poisson" if task.law == "negative_binomial" else task.law
    return partial(constant_log_likelihood, task.y, law=law)


def overdispersed(task: Task) -> Scorer:
    """One mean and one dispersion a node: negative binomial counts, by maximum likelihood."""
    return partial(constant_log_likelihood, task.y, law="negative_binomial")


def node_means(y: Array) -> Array:
    """Mean of each node, of a silent one that of half a spike in all."""
    count = np.maximum(np.isfinite(y).sum(axis=1), 1)
    return np.asarray(np.maximum(np.nansum(y, axis=1), 0.5) / count)
