"""What tests of moves of states share: a point that has nothing but paths, and all paths of a tiny chain."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from scipy.stats import chisquare

from dynome.inference.biclustering.hdp import log_states_integrated, prior_transitions
from dynome.inference.biclustering.model import Concentrations, Dynamics, Hyper, State

CONCENTRATIONS = Concentrations(row=2.0, top=3.0, stickiness=1.0)
DRAWS = 2000


def point_on(
    latent: np.ndarray, state: np.ndarray, dynamics: Dynamics, hyper: Hyper, rng: np.random.Generator
) -> State:
    """One node a cluster, which says nothing."""
    weight, transition = prior_transitions(hyper, CONCENTRATIONS, rng)
    n_clusters, q = latent.shape[1:]
    return State(
        cluster=np.arange(n_clusters),
        coefficient=np.zeros((n_clusters, q)),
        latent=latent,
        dispersion=np.ones(n_clusters),
        state=state,
        dynamics=dynamics,
        weight=weight,
        transition=transition,
        concentrations=CONCENTRATIONS,
        active=np.ones((n_clusters, q - 1), dtype=bool),
    )


def assert_paths_stay(
    log_density: Callable[[np.ndarray], float],
    move: Callable[[State], np.ndarray],
    now: State,
    starts: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Paths drawn from their posterior, which is enumerated, follow it still after a move, and do move.

    `log_density` is that of what is seen given a path; the transition matrix is integrated out.
    """
    n_states, n_bins = now.weight.size, now.state.size
    paths = np.array(list(product(range(n_states), repeat=n_bins)))
    log_p = np.array(
        [log_density(path) + log_states_integrated(path, starts, now.weight, now.concentrations) for path in paths]
    )
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    after, moved = np.zeros(len(paths)), 0
    for path in rng.choice(len(paths), DRAWS, p=p):
        position = move(now._replace(state=paths[path])) @ n_states ** np.arange(n_bins - 1, -1, -1)
        after[position] += 1
        moved += position != path
    group = np.minimum(np.argsort(np.argsort(-p)), 40)
    expected, found = (np.bincount(group, weights=v) for v in (p * DRAWS, after))
    assert chisquare(found, expected).pvalue > 0.01
    assert moved > DRAWS / 2
