"""Small studies for the tests of forecasting."""

from __future__ import annotations

import numpy as np

from dynome import connectome, schema, study

NAMES = [f"n{k:02d}" for k in range(8)]


def recording(seed, n_time=240, nodes=NAMES, step=0.5, **covariates):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=(n_time, len(nodes))), axis=0) * np.arange(1, len(nodes) + 1) + 5
    return schema.recording(x, time=np.arange(n_time) * step, node=list(nodes), units="dF/F", covariates=covariates)


def wiring(names=NAMES, seed=0, density=0.3):
    there = np.random.default_rng(seed).random((len(names), len(names))) < density
    source, target = np.nonzero(there & ~np.eye(len(names), dtype=bool))
    labels = np.array(names)
    return connectome.from_edges({"source": labels[source], "target": labels[target]}, node=names)


def animals(n=5, **kwargs):
    """Worms of which each lacks another node."""
    parts = {f"worm{k}": recording(k, nodes=[v for j, v in enumerate(NAMES) if j != k % 8], **kwargs) for k in range(n)}
    return study.build(parts)
