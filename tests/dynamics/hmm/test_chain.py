"""Evidence for dynamics/hmm/chain.py: the update is the maximum of likelihood times prior."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dynome.dynamics.hmm.chain import Chain, by_occupancy, expected_dwell, log_prior, stationary, sticky, updated_chain

SEEDS = st.integers(0, 2**32 - 1)


def random_chain(rng, n_state):
    return Chain(rng.dirichlet(np.ones(n_state), n_state), rng.dirichlet(np.ones(n_state)))


def expected_log(chain, transitions, first):
    return float((transitions * np.log(chain.transition)).sum() + (first * np.log(chain.initial)).sum())


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, n_state=st.integers(1, 5), concentration=st.floats(1, 5), stickiness=st.floats(0, 50))
def test_no_other_chain_is_more_probable_than_the_update(seed, n_state, concentration, stickiness):
    rng = np.random.default_rng(seed)
    transitions, first = rng.gamma(1, 10, (n_state, n_state)), rng.gamma(1, 3, n_state)
    prior = {"concentration": concentration, "stickiness": stickiness}

    def objective(chain):
        return expected_log(chain, transitions, first) + log_prior(chain, **prior)

    best = updated_chain(transitions, first, **prior)
    np.testing.assert_allclose(best.transition.sum(axis=1), 1)
    assert best.initial.sum() == pytest.approx(1)
    for _ in range(5):
        other = random_chain(rng, n_state)
        near = Chain(*(0.999 * a + 0.001 * b for a, b in zip(best, other, strict=True)))
        assert objective(best) >= max(objective(other), objective(near)) - 1e-9


def test_stickiness_counts_as_extra_self_transitions():
    transitions, first = np.array([[6.0, 2.0], [1.0, 1.0]]), np.array([1.0, 0.0])
    chain = updated_chain(transitions, first, stickiness=2.0)
    np.testing.assert_allclose(chain.transition, [[0.8, 0.2], [0.25, 0.75]])
    np.testing.assert_allclose(chain.initial, [1, 0])


def test_an_empty_state_has_no_nan():
    chain = updated_chain(np.array([[4.0, 0.0], [0.0, 0.0]]), np.zeros(2))
    np.testing.assert_allclose(chain.transition, [[1, 0], [0.5, 0.5]])
    np.testing.assert_allclose(chain.initial, [0.5, 0.5])
    assert log_prior(chain) == 0
    assert np.isfinite(log_prior(chain, concentration=2.0, stickiness=1.0))


@settings(max_examples=20, deadline=None)
@given(stay=st.floats(0, 0.999), n_state=st.integers(2, 6))
def test_a_sticky_chain_stays_as_long_as_it_should_and_visits_all_states_alike(stay, n_state):
    transition = sticky(n_state, stay)
    np.testing.assert_allclose(transition.sum(axis=1), 1)
    np.testing.assert_allclose(expected_dwell(transition), 1 / (1 - stay))
    np.testing.assert_allclose(stationary(transition), 1 / n_state)


def test_a_state_that_is_never_left_is_kept_forever():
    assert expected_dwell(sticky(1, 0.3)).tolist() == [np.inf]
    assert sticky(1, 0.3).tolist() == [[1.0]]


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_the_stationary_distribution_is_left_alone_by_a_step(seed):
    transition = np.random.default_rng(seed).dirichlet(np.ones(4), 4)
    share = stationary(transition)
    np.testing.assert_allclose(share @ transition, share, atol=1e-10)


def test_states_are_ordered_from_the_most_to_the_least_occupied():
    assert by_occupancy(np.array([[0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])).tolist() == [2, 1, 0]
    assert by_occupancy(np.array([0.2, 0.5, 0.3])).tolist() == [1, 2, 0]
