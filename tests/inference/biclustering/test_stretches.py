"""Evidence for moves of stretches without latents: the evidence itself, all paths of a tiny chain, recovery."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from dynome.inference.biclustering.cuts import chain_of, drawn_cuts, state_of
from dynome.inference.biclustering.dynamics import draw_path
from dynome.inference.biclustering.hdp import log_states_integrated, prior_transitions
from dynome.inference.biclustering.messages import Seen, links_of
from dynome.inference.biclustering.model import Concentrations, Dynamics, Hyper, State
from dynome.inference.biclustering.paths import log_evidence
from dynome.inference.biclustering.stretches import relabel_by_evidence, updated_stretches

CONCENTRATIONS = Concentrations(row=2.0, top=3.0, stickiness=1.0)
DRAWS = 2000


def point(n_bins: int, n_clusters: int, q: int, hyper: Hyper, seed: int) -> State:
    rng = np.random.default_rng(seed)
    n_group = 1 if hyper.coupled else n_clusters
    width = n_clusters * q // n_group
    shape = (hyper.n_states, n_group, width)
    root = 0.3 * rng.standard_normal((*shape, width)) + np.eye(width)
    dynamics = Dynamics(0.6 * rng.standard_normal((*shape, width)), rng.standard_normal(shape), root @ root.mT)
    weight, transition = prior_transitions(hyper, CONCENTRATIONS, rng)
    return State(
        cluster=np.arange(n_clusters),
        coefficient=np.zeros((n_clusters, q)),
        latent=np.zeros((n_bins, n_clusters, q)),
        dispersion=np.ones(n_clusters),
        state=rng.integers(0, hyper.n_states, n_bins),
        dynamics=dynamics,
        weight=weight,
        transition=transition,
        concentrations=CONCENTRATIONS,
        active=np.ones((n_clusters, q - 1), dtype=bool),
    )


def observed(n_bins: int, n_clusters: int, q: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_bins, n_clusters, q, 3))
    return rows @ rows.swapaxes(-1, -2), 2 * rng.standard_normal((n_bins, n_clusters, q))


@pytest.mark.parametrize(("coupled", "n_offered"), [(True, 9), (True, 1), (False, 9)])
def test_paths_drawn_from_their_enumerated_posterior_still_are_after_moves(coupled, n_offered):
    rng, starts = np.random.default_rng(0), np.array([0, 3, 5])
    hyper = Hyper(n_states=4, n_factors=0, coupled=coupled)
    now, (precision, linear) = point(5, 2, 1, hyper, seed=1), observed(5, 2, 1, seed=2)
    paths = np.array(list(product(range(4), repeat=5)))
    log_p = np.array(
        [
            log_evidence(precision, linear, path, now.dynamics, starts)
            + log_states_integrated(path, starts, now.weight, now.concentrations)
            for path in paths
        ]
    )
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    links, seen, after, moved = links_of(now.dynamics), Seen(precision, linear), np.zeros(len(paths)), 0
    for path in rng.choice(len(paths), DRAWS, p=p):
        now = now._replace(state=paths[path])
        for _ in range(3):
            cuts, chain = drawn_cuts(now.state, starts, 0.4, rng), chain_of(now, starts)
            relabel_by_evidence(cuts, chain, links, seen, n_offered, rng)
            now = now._replace(state=state_of(cuts))
        position = now.state @ 4 ** np.arange(4, -1, -1)
        after[position] += 1
        moved += position != path
    group = np.minimum(np.argsort(np.argsort(-p)), 40)
    expected, found = (np.bincount(group, weights=v) for v in (p * DRAWS, after))
    assert chisquare(found, expected).pvalue > 0.01
    assert moved > DRAWS / 2


def test_stretches_are_found_without_latents():
    """Two states that differ in what they do to the latents; the observations are their noisy sums."""
    rng, starts, hyper = np.random.default_rng(3), np.array([0, 150, 300]), Hyper(n_states=2, n_factors=1)
    state = (np.arange(300) // 30) % 2
    matrix = np.stack([0.01 * np.eye(2), 0.95 * np.eye(2)])[:, None]
    noise = np.broadcast_to(0.1 * np.eye(2), matrix.shape)
    dynamics = Dynamics(matrix, np.zeros((2, 1, 2)), noise)
    path = draw_path(state, dynamics, starts, rng).reshape(300, 1, 2)
    precision = np.broadcast_to(20 * np.eye(2), (300, 1, 2, 2))
    linear = 20 * path + np.sqrt(20) * rng.standard_normal(path.shape)
    now = point(300, 1, 2, hyper, seed=4)._replace(dynamics=dynamics)
    hits = []
    for sweep in range(60):
        now = updated_stretches(now, precision, linear, starts, hyper, rng)
        if sweep >= 20:
            hits.append(now.state == state)
    assert np.mean(hits) > 0.85
    np.testing.assert_allclose(now.transition.sum(1), 1)
