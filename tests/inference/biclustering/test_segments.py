"""Evidence for moves of segments given the latents: the evidence itself, all paths of a tiny chain, recovery."""

import numpy as np
import pytest
from path_moves import assert_paths_stay, point_on
from scipy.optimize import linear_sum_assignment

from dynome.inference.biclustering.cuts import chain_of, drawn_cuts, link, log_path, log_weight, shift, state_of
from dynome.inference.biclustering.dynamics import draw_path, log_path_prior, prior_dynamics
from dynome.inference.biclustering.model import Dynamics, Hyper, State
from dynome.inference.biclustering.moments import evidence_prior, segment_moments
from dynome.inference.biclustering.segment_labels import alone, relabel, sums_of
from dynome.inference.biclustering.segments import updated_segments
from dynome.inference.biclustering.state_splits import split_or_merge_states


def point(latent: np.ndarray, state: np.ndarray, hyper: Hyper, seed: int = 0) -> State:
    rng = np.random.default_rng(seed)
    return point_on(latent, state, prior_dynamics(hyper, latent.shape[1], rng), hyper, rng)


def switching(n_bins: int, n_clusters: int, q: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """White noise in turns with a slow rotation."""
    rng = np.random.default_rng(seed)
    width, angle = n_clusters * q, np.pi / 15
    turn = np.eye(width)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix = np.stack([0.01 * np.eye(width), turn])[:, None]
    noise = np.broadcast_to(0.01 * np.eye(width), matrix.shape)
    state = (np.arange(n_bins) // 40) % 2
    path = draw_path(state, Dynamics(matrix, np.zeros((2, 1, width)), noise), np.array([0, n_bins]), rng)
    return path.reshape(n_bins, n_clusters, q), state


def test_a_label_weighs_what_the_whole_path_does():
    rng, starts, hyper = np.random.default_rng(0), np.array([0, 7, 20]), Hyper(n_states=3)
    now = point(np.zeros((20, 1, 3)), np.repeat([0, 1, 0, 2], 5), hyper)
    cuts, chain = drawn_cuts(now.state, starts, 0.5, rng), chain_of(now, starts)
    for m in range(cuts.label.size):
        kept = cuts.label[m]
        shift(chain, cuts, m, -1)
        quick = np.array([log_weight(chain, cuts, m, k) for k in range(3)])
        slow = []
        for k in range(3):
            cuts.label[m] = k
            link(chain, cuts)
            slow.append(log_path(chain, cuts))
        cuts.label[m] = kept
        link(chain, cuts)
        np.testing.assert_allclose(quick - quick[0], np.subtract(slow, slow[0]), atol=1e-10)


@pytest.mark.parametrize("coupled", [True, False])
def test_the_evidence_of_segments_is_that_of_the_path(coupled):
    rng, starts = np.random.default_rng(1), np.array([0, 9, 40])
    hyper = Hyper(n_states=3, coupled=coupled)
    latent, state = rng.standard_normal((40, 2, 3)).cumsum(0), np.repeat([0, 1, 2, 0], 10)
    cuts = drawn_cuts(state, starts, 0.2, rng)
    moments = segment_moments(latent, cuts.edge, starts, hyper)
    prior = evidence_prior(moments.gram.shape[-1] // 2, 40, hyper)
    sums = sums_of(cuts.label, moments, 3)
    work = np.empty(sums.gram.shape[2:])
    begins = latent[starts[:-1]]
    first = -0.5 * np.sum(begins**2) - 0.5 * begins.size * np.log(2 * np.pi)
    total = sum(alone(sums, prior, k, work) for k in range(3)) + first
    assert total == pytest.approx(log_path_prior(latent, state, starts, hyper), rel=1e-9)
    np.testing.assert_array_equal(state_of(cuts), state)


@pytest.mark.parametrize("n_splits", [0, 3])
def test_paths_drawn_from_their_enumerated_posterior_still_are_after_moves(n_splits):
    rng, starts, hyper = np.random.default_rng(2), np.array([0, 3, 5]), Hyper(n_states=3, n_factors=0)
    latent = np.array([0.1, -0.2, 0.5, 0.4, -0.4])[:, None, None]
    now = point(latent, np.zeros(5, dtype=int), hyper)
    prior, anything = evidence_prior(1, 5, hyper), np.empty(0, dtype=np.int64)

    def moved(now: State) -> np.ndarray:
        for _ in range(2):
            cuts, chain = drawn_cuts(now.state, starts, 0.4, rng), chain_of(now, starts)
            moments = segment_moments(latent, cuts.edge, starts, hyper)
            sums = sums_of(cuts.label, moments, 3)
            if n_splits == 0:
                order = rng.permutation(cuts.label.size)
                relabel(cuts, chain, moments, sums, prior, order, np.arange(3), anything, rng)
            for _ in range(n_splits):
                split_or_merge_states(cuts, chain, moments, sums, prior, now.weight, 1, rng)
            now = now._replace(state=state_of(cuts))
        return now.state

    assert_paths_stay(lambda path: log_path_prior(latent, path, starts, hyper), moved, now, starts, rng)


def test_segments_tell_noise_from_rotation():
    latent, state = switching(400, 1, 3, seed=4)
    rng, starts, hyper = np.random.default_rng(5), np.array([0, 400]), Hyper(n_states=6)
    now = point(latent, np.zeros(400, dtype=int), hyper)
    for _ in range(40):
        now = updated_segments(now, starts, hyper, rng)
    both = np.zeros((6, 2))
    np.add.at(both, (now.state, state), 1)
    assert both[linear_sum_assignment(-both)].sum() / 400 > 0.9


def test_a_move_keeps_all_else_and_modifies_nothing():
    latent, state = switching(60, 1, 2, seed=6)
    hyper = Hyper(n_states=3, n_factors=1)
    now = point(latent, state, hyper)
    kept = [np.copy(a) for a in (now.state, now.weight, now.transition, now.latent, now.dynamics.matrix)]
    moved = updated_segments(now, np.array([0, 60]), hyper, np.random.default_rng(7))
    for a, b in zip(kept, (now.state, now.weight, now.transition, now.latent, now.dynamics.matrix), strict=True):
        np.testing.assert_array_equal(a, b)
    assert moved.latent is now.latent
    assert moved.dynamics.matrix.shape == now.dynamics.matrix.shape
