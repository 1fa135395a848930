"""Kernels compiled once, before chains in several processes would each compile all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dynome.inference.biclustering.model import Data, Law
from dynome.inference.biclustering.observations import sample_observations
from dynome.inference.biclustering.orbits import walk
from dynome.inference.biclustering.plans import Plan, chain_run

_NODES, _BINS = 6, 60


def compile_once(plan: Plan) -> None:
    """Run a chain on a few made-up bins if no fit has left its kernels on disk, from where processes take them.

    Parameters
    ----------
    plan : Plan
        Of the chains to come: law, dynamics and factors decide which kernels there are.
    """
    if any(Path(walk.stats.cache_path).glob("orbits.walk-*.nbi")):
        return
    n_clusters = None if plan.n_clusters is None else min(plan.n_clusters, _NODES)
    schedule = plan.schedule._replace(split_merges=1.0, stretches=1.0, segments=1.0)
    small = plan._replace(data=_made_up(plan.data.law), n_clusters=n_clusters, schedule=schedule, out=None)
    chain_run(0, small._replace(settling=0, n_tune=0, n_draws=2, thin=1))


def _made_up(law: Law) -> Data:
    rng = np.random.default_rng(0)
    psi = 0.5 * rng.standard_normal((_NODES, _BINS))
    return Data(sample_observations(psi, law, np.ones(_NODES), rng), np.array([0, _BINS]), law)
