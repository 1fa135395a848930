"""Evidence for the most probable path: every path compared, ragged sequences, forbidden moves."""

import numpy as np
import pytest
from hidden_chains import SEEDS, drawn, enumerated
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.dynamics.hmm.decoding import most_likely_path
from dynome.errors import InputError


@given(seed=SEEDS, n_bin=st.integers(1, 6), n_state=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_no_path_is_more_probable(seed, n_bin, n_state):
    case = drawn(seed, n_bin, n_state)
    truth, found = enumerated(*case[:3]), most_likely_path(*case)
    np.testing.assert_array_equal(found.state, truth.best)
    np.testing.assert_allclose(found.log_probability, truth.best_log_probability, rtol=1e-13)


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_sequences_are_decoded_on_their_own(seed):
    case = drawn(seed, 90, 3, n_sequence=7)
    found = most_likely_path(*case)
    for s in range(7):
        a, b = case.starts[s : s + 2]
        alone = most_likely_path(case.log_likelihood[a:b], *case[1:3], np.array([0, b - a]))
        np.testing.assert_array_equal(found.state[a:b], alone.state)
        np.testing.assert_allclose(found.log_probability[s], alone.log_probability[0], rtol=1e-13)


def test_transitions_that_vary_lead_into_their_bins():
    case = drawn(3, 5, 3)
    moves = np.random.default_rng(3).dirichlet(np.ones(3), (5, 3))
    moves[0] = np.nan
    found = most_likely_path(case.log_likelihood, moves, *case[2:])
    np.testing.assert_array_equal(found.state, enumerated(case.log_likelihood, moves, case.initial).best)


def test_forbidden_moves_are_not_taken_however_well_they_fit():
    log_likelihood = np.array([[0.0, -1e6], [-1e5, 0.0], [0.0, -1e6]])
    one_way = np.array([[0.5, 0.5], [0.0, 1.0]])
    found = most_likely_path(log_likelihood, one_way, np.array([0.5, 0.5]), np.array([0, 3]))
    assert found.state.tolist() == [0, 0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", [(0, 0), (4, 0), (4, 2), (8, 1)])
def test_no_bad_value_is_passed_over(where, value):
    case = drawn(4, 9, 3)
    case.log_likelihood[where] = value
    with pytest.raises(InputError, match=r"1 log likelihoods are NaN or \+inf"):
        most_likely_path(*case)


def test_impossible_observations_are_told():
    with pytest.raises(InputError, match=r"NaN or \+inf"):
        most_likely_path(np.array([[0.0, np.nan]]), np.eye(2), np.ones(2) / 2, np.array([0, 1]))
    with pytest.raises(InputError, match="sequences 0 have probability 0"):
        most_likely_path(np.array([[0.0, -np.inf]]), np.eye(2), np.array([0.0, 1.0]), np.array([0, 1]))
