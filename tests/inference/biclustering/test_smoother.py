"""Evidence for biclustering/smoother.py and beam.py: a dense Gaussian, conjugate identities, all paths of states."""

import itertools

import numpy as np
import pytest

from dynome.inference.biclustering.beam import best_states
from dynome.inference.biclustering.dynamics import (
    PathStatistics,
    conjugate,
    drawn,
    log_transitions_prior,
    path_statistics,
    prior_dynamics,
)
from dynome.inference.biclustering.hdp import log_states
from dynome.inference.biclustering.model import Hyper
from dynome.inference.biclustering.paths import log_evidence
from dynome.inference.biclustering.smoother import ExpectedTerms, expected_statistics, expected_terms, moments


def terms_of(dynamics, group):
    """Terms of dynamics that are known."""
    inside = np.linalg.inv(dynamics.noise[:, group])
    a, b = dynamics.matrix[:, group], dynamics.offset[:, group]
    turned = a.swapaxes(1, 2) @ inside
    constant = 0.5 * np.linalg.slogdet(inside)[1] - 0.5 * np.einsum("ki,kij,kj->k", b, inside, b)
    push, pull = (inside @ b[..., None])[..., 0], (turned @ b[..., None])[..., 0]
    return ExpectedTerms(inside, inside @ a, turned @ a, push, pull, constant)


def seen(rng, n_bin, n_cluster, q):
    root = 2 * rng.standard_normal((n_bin, n_cluster, q, q))
    return root @ root.swapaxes(-1, -2), 3 * rng.standard_normal((n_bin, n_cluster, q))


@pytest.mark.parametrize("q", [1, 3])
def test_moments_are_those_of_the_dense_gaussian(q):
    rng = np.random.default_rng(0)
    hyper = Hyper(n_factors=q - 1, n_states=2, coupled=False)
    dynamics, starts, state = prior_dynamics(hyper, 1, rng), np.array([0, 4, 7]), rng.integers(0, 2, 7)
    precision, linear = (x[:, 0] for x in seen(rng, 7, 1, q))
    found = moments(precision, linear, state, terms_of(dynamics, 0), starts)
    dense, right = np.zeros((7, q, 7, q)), linear.copy()
    for t in range(7):
        dense[t, :, t] += precision[t]
        if t in (0, 4):
            dense[t, :, t] += np.eye(q)
            continue
        a, b = dynamics.matrix[state[t], 0], dynamics.offset[state[t], 0]
        inside = np.linalg.inv(dynamics.noise[state[t], 0])
        dense[t, :, t] += inside
        dense[t - 1, :, t - 1] += a.T @ inside @ a
        dense[t, :, t - 1] -= inside @ a
        dense[t - 1, :, t] -= a.T @ inside
        right[t] += inside @ b
        right[t - 1] -= a.T @ inside @ b
    flat = dense.reshape(7 * q, 7 * q)
    covariance = np.linalg.inv(flat).reshape(7, q, 7, q)
    np.testing.assert_allclose(found.mean.ravel(), np.linalg.solve(flat, right.ravel()), atol=1e-9)
    assert found.log_determinant == pytest.approx(np.linalg.slogdet(flat)[1])
    for t in range(7):
        np.testing.assert_allclose(found.covariance[t], covariance[t, :, t], atol=1e-10)
        expected = covariance[t, :, t - 1] if t not in (0, 4) else np.zeros((q, q))
        np.testing.assert_allclose(found.cross[t], expected, atol=1e-10)


def test_statistics_of_a_path_without_doubt_are_those_of_the_path():
    rng = np.random.default_rng(1)
    starts, state = np.array([0, 5, 12]), rng.integers(0, 3, 12)
    precision, linear = np.tile(1e12 * np.eye(2), (12, 1, 1)), 1e12 * rng.standard_normal((12, 2))
    hyper = Hyper(n_factors=1, n_states=3, coupled=False)
    terms = terms_of(prior_dynamics(hyper, 1, rng), 0)
    found = expected_statistics(moments(precision, linear, state, terms, starts), state, starts, 3)
    exact = path_statistics(linear[:, None] / 1e12, state, starts, hyper, 3)
    np.testing.assert_allclose(found.gram, exact.gram, atol=1e-6)
    np.testing.assert_array_equal(found.entered, exact.entered)


def test_expected_terms_are_means_over_draws_of_the_dynamics():
    rng = np.random.default_rng(2)
    hyper = Hyper(n_factors=1, n_states=1, coupled=False, noise_scale=1.0)
    path = np.cumsum(rng.standard_normal((80, 1, 2)), axis=0)
    statistics = path_statistics(path, np.zeros(80, int), np.array([0, 80]), hyper, 1)
    many = PathStatistics(np.repeat(statistics.entered, 20_000), np.repeat(statistics.gram, 20_000, axis=0))
    found = expected_terms(statistics, hyper)
    for mean, sample in zip(found, terms_of(drawn(conjugate(many, hyper), rng), 0), strict=True):
        spread = sample.std(axis=0) / np.sqrt(len(sample))
        np.testing.assert_array_less(np.abs(sample.mean(axis=0) - mean[0]), 5 * spread + 1e-12)
    assert np.isfinite(log_transitions_prior(statistics, hyper)).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_finds_the_best_of_all_paths_of_states(seed):
    rng = np.random.default_rng(seed)
    hyper = Hyper(n_factors=1, n_states=2, coupled=False)
    dynamics, starts = prior_dynamics(hyper, 2, rng), np.array([0, 4, 9])
    dynamics.noise[1] *= 20
    precision, linear = seen(rng, 9, 2, 2)
    transition = np.array([[0.8, 0.2], [0.3, 0.7]])

    def score(path):
        state = np.array(path)
        return log_evidence(precision, linear, state, dynamics, starts) + log_states(state, transition, starts)

    best = max(itertools.product(range(2), repeat=9), key=score)
    found = best_states(precision, linear, [terms_of(dynamics, j) for j in range(2)], transition, starts)
    assert found.score == pytest.approx(score(found.state.tolist()))  # the score is that of its path
    assert found.score == pytest.approx(score(best), abs=1e-6)


def test_a_beam_with_one_state_has_nothing_to_choose():
    rng = np.random.default_rng(5)
    dynamics = prior_dynamics(Hyper(n_factors=1, n_states=1, coupled=False), 1, rng)
    precision, linear = seen(rng, 6, 1, 2)
    found = best_states(precision, linear, [terms_of(dynamics, 0)], np.ones((1, 1)), np.array([0, 2, 6]))
    assert (found.state == 0).all()
    assert found.score == pytest.approx(log_evidence(precision, linear, found.state, dynamics, np.array([0, 2, 6])))
