"""Evidence for the missing information: enumeration of all paths, sampled paths, and what certain states leave."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dynome.dynamics.hmm.sampling import sample_paths
from dynome.dynamics.hmm.smoothing import smooth
from dynome.inference.states import uncertain_states as module
from dynome.inference.states.covariances import MOST_MISSING, covariance
from dynome.inference.states.uncertain_states import missing_information, uncertain_paths

STARTS = np.array([0, 4, 7])


def chain(seed: int = 0, n_bin: int = 7, n_state: int = 3, n_feature: int = 2):
    rng = np.random.default_rng(seed)
    log_likelihood = rng.normal(size=(n_bin, n_state))
    transition, initial = rng.dirichlet(np.ones(n_state), n_state), rng.dirichlet(np.ones(n_state))
    return log_likelihood, transition, initial, rng.normal(size=(n_bin, n_feature)), rng.normal(size=(n_bin, n_state))


def exact(log_likelihood, transition, initial, x, score, starts, state):
    found = smooth(log_likelihood, transition, initial, starts, each_transition=True)
    paths = uncertain_paths(found.probability, found.transitions, starts, state)
    return missing_information(x[paths.bins], score[paths.bins], paths)


def enumerated(log_likelihood, transition, initial, x, score, starts, state):
    """Covariance of the score over every path, by its probability."""
    n_bin, n_phase = log_likelihood.shape
    scores, weights = [], []
    for path in itertools.product(range(n_phase), repeat=n_bin):
        first = [t in starts for t in range(n_bin)]
        moves = [initial[path[t]] if first[t] else transition[path[t - 1], path[t]] for t in range(n_bin)]
        weights.append(np.prod(moves) * np.exp(log_likelihood[np.arange(n_bin), path].sum()))
        u = np.zeros((score.shape[1], x.shape[1]))
        for t in range(n_bin):
            u[state[path[t]]] += score[t, state[path[t]]] * x[t]
        scores.append(u.ravel())
    return np.cov(np.array(scores).T, aweights=np.array(weights), bias=True, ddof=0)


def test_it_is_the_variance_of_the_score_over_all_paths():
    args = (*chain(), STARTS, np.arange(3))
    np.testing.assert_allclose(exact(*args), enumerated(*args), atol=1e-12)


def test_states_with_phases_count_as_one_state():
    log_likelihood, transition, initial, x, score = chain(1, n_bin=6)
    state, starts = np.array([0, 0, 1]), np.array([0, 6])
    args = (log_likelihood[:, [0, 0, 1]], transition, initial, x, score[:, :2], starts, state)
    np.testing.assert_allclose(exact(*args), enumerated(*args), atol=1e-12)


def test_long_recordings_are_done_in_chunks(monkeypatch):
    args = (*chain(2, n_bin=200), np.array([0, 90, 200]), np.arange(3))
    whole = exact(*args)
    monkeypatch.setattr(module, "_BYTES", 8 * 6 * 3 * 7)  # seven bins
    np.testing.assert_allclose(exact(*args), whole, rtol=1e-10)


def test_it_agrees_with_sampled_paths():
    log_likelihood, transition, initial, x, score = chain(3, n_bin=60, n_state=2)
    starts = np.array([0, 60])
    draws = sample_paths(log_likelihood, transition, initial, starts, 20_000, np.random.default_rng(0))
    member = draws[:, :, None] == np.arange(2)
    u = np.einsum("dts,ts,tp->dsp", member, score, x, optimize=True).reshape(20_000, -1)
    found = exact(log_likelihood, transition, initial, x, score, starts, np.arange(2))
    np.testing.assert_allclose(found, np.cov(u.T), atol=0.05 * np.abs(found).max())


def test_certain_states_leave_nothing_missing():
    log_likelihood, transition, initial, x, score = chain()
    found = exact(log_likelihood * 1e4, transition, initial, x, score, STARTS, np.arange(3))
    np.testing.assert_array_equal(found, 0)


def test_without_missing_information_the_covariance_is_the_inverse():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(2, 3, 3))
    information, precision = root @ root.swapaxes(1, 2), np.abs(rng.normal(size=(2, 3)))
    found = covariance(information, precision, None, np.ones(3, dtype=bool), shared_bias=False).matrix
    for s in range(2):
        block = found.reshape(2, 3, 2, 3)[s, :, s]
        np.testing.assert_allclose(block, np.linalg.inv(information[s] + np.diag(precision[s])), rtol=1e-6)


def test_a_shared_bias_has_one_variance_and_gains_from_all_states():
    information = np.stack([np.diag([2.0, 1.0]), np.diag([6.0, 4.0])])
    found = covariance(information, np.zeros((2, 2)), None, np.ones(2, dtype=bool), shared_bias=True).matrix
    np.testing.assert_allclose(np.diag(found), [1 / 8, 1, 1 / 8, 1 / 4])
    assert found[0, 2] == pytest.approx(1 / 8)


def test_what_data_and_prior_do_not_tell_has_infinite_variance_and_what_is_not_free_none():
    information = np.stack([np.diag([2.0, 0.0, 5.0])])
    free = np.array([True, True, False])
    found = covariance(information, np.zeros((1, 3)), None, free, shared_bias=False).matrix
    np.testing.assert_allclose(np.diag(found), [0.5, np.inf, 0.0])


def test_more_missing_than_there_is_leaves_one_hundredth():
    found = covariance(
        np.eye(2)[None], np.zeros((1, 2)), np.diag([2.0, 0.5]), np.ones(2, dtype=bool), shared_bias=False
    )
    np.testing.assert_allclose(np.diag(found.matrix), [1 / (1 - MOST_MISSING), 2.0], rtol=1e-6)
    assert found.n_floored == 1
