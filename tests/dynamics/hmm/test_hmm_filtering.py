"""Evidence for one-step-ahead prediction: every path counted, agreement with the smoother, hostile chains."""

import numpy as np
import pytest
from hidden_chains import SEEDS, drawn, enumerated
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.dynamics.hmm.filtering import predict
from dynome.dynamics.hmm.smoothing import smooth
from dynome.errors import InputError


@given(seed=SEEDS, n_bin=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_each_bin_is_predicted_from_its_past_alone(seed, n_bin):
    case = drawn(seed, n_bin, 3)
    found = predict(*case)
    past = 0.0
    for t in range(n_bin):
        seen = case.log_likelihood[: t + 1].copy()
        evidence = enumerated(seen, *case[1:3]).evidence
        np.testing.assert_allclose(found.evidence[t], evidence - past, rtol=1e-12)
        past = evidence
        seen[t] = 0.0  # not seen yet
        np.testing.assert_allclose(found.probability[t], enumerated(seen, *case[1:3]).probability[t], atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_evidence_of_bins_sums_to_that_of_sequences(dtype):
    case = drawn(1, 4_000, 5, n_sequence=9, stay=0.95)
    case = case._replace(log_likelihood=case.log_likelihood.astype(dtype))
    found = predict(*case)
    np.testing.assert_allclose(np.add.reduceat(found.evidence, case.starts[:-1]), smooth(*case).evidence, rtol=1e-12)
    np.testing.assert_allclose(found.probability.sum(1), 1.0, atol=1e-6 if dtype == np.float32 else 1e-12)


def test_transitions_that_vary_lead_into_their_bins():
    case = drawn(2, 5, 3)
    moves = np.random.default_rng(2).dirichlet(np.ones(3), (5, 3))
    moves[0] = np.nan
    found = predict(case.log_likelihood, moves, *case[2:])
    np.testing.assert_allclose(found.evidence.sum(), enumerated(case.log_likelihood, moves, case.initial).evidence)


def test_a_state_that_seemed_lost_comes_back_when_nothing_else_is_possible():
    log_likelihood = np.zeros((600, 2))
    log_likelihood[:200, 1], log_likelihood[200:, 0] = -20.0, -20.0
    found = predict(log_likelihood, np.eye(2), np.array([0.5, 0.5]), np.array([0, 600]))
    # 4,000 nats in favour of the first state after 200 bins; they are even after 400.
    np.testing.assert_allclose(found.probability[[199, 400, 599]], [[1, 0], [0.5, 0.5], [0, 1]], atol=1e-12)
    np.testing.assert_allclose(found.evidence.sum(), np.log(0.5) - 4_000, rtol=1e-12)


def test_a_first_state_is_not_lost_to_underflow():
    log_likelihood = np.array([[-900.0, 0.0], [0.0, 0.0]])
    found = predict(log_likelihood, np.full((2, 2), 0.5), np.array([1.0, 0.0]), np.array([0, 2]))
    np.testing.assert_allclose(found.evidence, [-900.0, 0.0], atol=1e-12)


def test_impossible_observations_are_told():
    with pytest.raises(InputError, match="bins 1 have log likelihood -inf in every state"):
        predict(np.array([[0.0, 0], [-np.inf, -np.inf]]), np.eye(2), np.ones(2) / 2, np.array([0, 2]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", [(0, 0), (4, 0), (4, 2), (8, 1)])
def test_no_bad_value_is_passed_over(where, value):
    case = drawn(4, 9, 3)
    case.log_likelihood[where] = value
    with pytest.raises(InputError, match=r"1 log likelihoods are NaN or \+inf"):
        predict(*case)
