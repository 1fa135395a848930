"""Evidence for drawn paths: frequencies of states and transitions, sequences, forbidden moves."""

import numpy as np
import pytest
from hidden_chains import drawn

from dynome.dynamics.hmm.sampling import sample_chain, sample_paths
from dynome.dynamics.hmm.smoothing import smooth
from dynome.errors import InputError


def test_a_drawn_chain_moves_as_often_as_its_transitions_say():
    case = drawn(0, 10, 3)
    state = sample_chain(*case[1:3], np.array([0, 60_000]), np.random.default_rng(0))
    counts = np.zeros((3, 3))
    np.add.at(counts, (state[:-1], state[1:]), 1)
    np.testing.assert_allclose(counts / counts.sum(1, keepdims=True), case.transition, atol=0.02)


def test_every_sequence_opens_with_its_own_first_state():
    starts = np.arange(0, 4_001, 2)
    first = np.tile([[1.0, 0.0], [0.2, 0.8]], (1_000, 1))
    state = sample_chain(np.eye(2), first, starts, np.random.default_rng(1))
    assert not state[starts[:-1:2]].any()
    assert state[starts[1:-1:2]].mean() == pytest.approx(0.8, abs=0.05)
    np.testing.assert_array_equal(state[::2], state[1::2])  # the identity keeps a state


def test_transitions_that_vary_lead_into_their_bins():
    stay, swap = np.eye(2), np.eye(2)[::-1]
    moves = np.stack([np.full((2, 2), np.nan), stay, swap, swap, stay])
    state = sample_chain(moves, np.array([1.0, 0.0]), np.array([0, 5]), np.random.default_rng(2))
    assert state.tolist() == [0, 0, 1, 0, 0]


def test_drawn_paths_follow_the_posterior():
    case = drawn(3, 40, 3, n_sequence=4)
    paths = sample_paths(*case, 20_000, np.random.default_rng(3))
    truth = smooth(*case)
    assert paths.shape == (20_000, 40)
    np.testing.assert_allclose((paths[..., None] == np.arange(3)).mean(0), truth.probability, atol=0.02)
    inside = np.setdiff1d(np.arange(40), case.starts)
    counts = np.zeros((3, 3))
    np.add.at(counts, (paths[:, inside - 1], paths[:, inside]), 1 / 20_000)
    np.testing.assert_allclose(counts, truth.transitions, atol=0.15)


def test_drawn_paths_take_no_forbidden_move():
    case = drawn(4, 200, 3)
    forward = np.array([[0.9, 0.1, 0.0], [0.0, 0.9, 0.1], [0.0, 0.0, 1.0]])
    paths = sample_paths(case.log_likelihood, forward, np.array([1.0, 0, 0]), case.starts, 50, np.random.default_rng(4))
    assert (paths[:, 0] == 0).all()
    assert set(np.diff(paths, axis=1).ravel()) <= {0, 1}


def test_the_generator_decides():
    case = drawn(5, 50, 3)
    draws = [sample_paths(*case, 3, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_bad_arguments_are_told():
    case = drawn(6, 5, 2)
    with pytest.raises(InputError, match="n_draws must be at least 1, got 0"):
        sample_paths(*case, 0, np.random.default_rng(0))
    with pytest.raises(InputError, match=r"cannot draw from a hidden Markov chain:\n.*rows of transition"):
        sample_chain(np.ones((2, 2)), np.ones(2) / 2, np.array([0, 5]), np.random.default_rng(0))
