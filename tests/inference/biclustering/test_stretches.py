"""Evidence for moves of stretches without latents: the evidence itself, all paths of a tiny chain, recovery."""

import numpy as np
import pytest
from path_moves import assert_paths_stay, point_on

from dynome.inference.biclustering.cuts import chain_of, drawn_cuts, state_of
from dynome.inference.biclustering.dynamics import draw_path
from dynome.inference.biclustering.messages import Seen, links_of
from dynome.inference.biclustering.model import Dynamics, Hyper, State
from dynome.inference.biclustering.paths import log_evidence
from dynome.inference.biclustering.stretches import relabel_by_evidence, updated_stretches


def point(n_bins: int, n_clusters: int, q: int, hyper: Hyper, seed: int) -> State:
    rng = np.random.default_rng(seed)
    n_group = 1 if hyper.coupled else n_clusters
    width = n_clusters * q // n_group
    shape = (hyper.n_states, n_group, width)
    root = 0.3 * rng.standard_normal((*shape, width)) + np.eye(width)
    dynamics = Dynamics(0.6 * rng.standard_normal((*shape, width)), rng.standard_normal(shape), root @ root.mT)
    state = rng.integers(0, hyper.n_states, n_bins)
    return point_on(np.zeros((n_bins, n_clusters, q)), state, dynamics, hyper, rng)


def observed(n_bins: int, n_clusters: int, q: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_bins, n_clusters, q, 3))
    return rows @ rows.swapaxes(-1, -2), 2 * rng.standard_normal((n_bins, n_clusters, q))


@pytest.mark.parametrize(("coupled", "n_offered"), [(True, 9), (True, 1), (False, 9)])
def test_paths_drawn_from_their_enumerated_posterior_still_are_after_moves(coupled, n_offered):
    rng, starts = np.random.default_rng(0), np.array([0, 3, 5])
    hyper = Hyper(n_states=4, n_factors=0, coupled=coupled)
    now, (precision, linear) = point(5, 2, 1, hyper, seed=1), observed(5, 2, 1, seed=2)
    links, seen = links_of(now.dynamics), Seen(precision, linear)

    def moved(now: State) -> np.ndarray:
        for _ in range(3):
            cuts, chain = drawn_cuts(now.state, starts, 0.4, rng), chain_of(now, starts)
            relabel_by_evidence(cuts, chain, links, seen, n_offered, rng)
            now = now._replace(state=state_of(cuts))
        return now.state

    assert_paths_stay(lambda path: log_evidence(precision, linear, path, now.dynamics, starts), moved, now, starts, rng)


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
