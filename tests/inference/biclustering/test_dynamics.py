"""Evidence for dynamics.py: the MNIW identities, scipy's densities, moments of draws, sequences, invariances."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import invwishart, matrix_normal, multivariate_normal

from dynome.inference.biclustering.dynamics import (
    PathStatistics,
    conjugate,
    draw_dynamics,
    draw_path,
    log_density,
    log_dynamics_prior,
    log_path,
    log_path_prior,
    path_statistics,
    prior_dynamics,
    step_log_density,
)
from dynome.inference.biclustering.model import Hyper

STARTS = np.array([0, 7, 8, 20])


def path(seed=0, coupled=True, n_clusters=2, n_states=3, starts=STARTS):
    rng = np.random.default_rng(seed)
    hyper = Hyper(n_factors=1, n_states=n_states, coupled=coupled, noise_scale=0.3, matrix_precision=0.7)
    return rng.standard_normal((starts[-1], n_clusters, 2)), rng.integers(n_states, size=starts[-1]), starts, hyper


def random_dynamics(hyper, n_clusters=2, seed=9):
    return prior_dynamics(hyper._replace(extra_degrees=6.0), n_clusters, np.random.default_rng(seed))


@pytest.mark.parametrize("coupled", [True, False])
def test_the_path_prior_is_prior_times_likelihood_over_posterior(coupled):
    latent, state, starts, hyper = path(coupled=coupled)
    dynamics = random_dynamics(hyper)
    posterior = conjugate(path_statistics(latent, state, starts, hyper, 3), hyper)
    found = log_path(latent, state, dynamics, starts) + log_dynamics_prior(dynamics, hyper)
    assert log_path_prior(latent, state, starts, hyper) == pytest.approx(found - log_density(dynamics, posterior))


def test_the_path_prior_is_the_mean_of_the_path_density():
    starts = np.array([0, 3, 5])
    latent, state, _, hyper = path(1, n_clusters=1, n_states=2, starts=starts)
    latent, rng = 0.5 * latent, np.random.default_rng(0)
    values = np.exp([log_path(latent, state, prior_dynamics(hyper, 1, rng), starts) for _ in range(6_000)])
    spread = values.std() / np.sqrt(values.size)
    assert abs(values.mean() - np.exp(log_path_prior(latent, state, starts, hyper))) < 4.5 * spread
    assert spread < 0.2 * values.mean()


@pytest.mark.parametrize("coupled", [True, False])
def test_the_prior_of_the_dynamics_is_matrix_normal_inverse_wishart(coupled):
    _, _, _, hyper = path(coupled=coupled)
    dynamics = random_dynamics(hyper)
    n_state, n_group, width = dynamics.offset.shape
    total = 0.0
    for s, g in np.ndindex(n_state, n_group):
        noise = dynamics.noise[s, g]
        both = np.hstack([dynamics.matrix[s, g], dynamics.offset[s, g][:, None]])
        total += invwishart.logpdf(noise, width + hyper.extra_degrees, hyper.noise_scale * np.eye(width))
        columns = np.eye(width + 1) / hyper.matrix_precision
        total += matrix_normal.logpdf(both, np.eye(width, width + 1), noise, columns)
    assert log_dynamics_prior(dynamics, hyper) == pytest.approx(total)


def test_draws_given_a_path_have_the_moments_of_the_posterior():
    latent, state, starts, hyper = path(2, n_clusters=1)
    density = conjugate(path_statistics(latent, state, starts, hyper, 4), hyper)
    rng = np.random.default_rng(0)
    draws = [draw_dynamics(latent, state, starts, hyper, rng, 4) for _ in range(4000)]
    noise, matrix = np.array([d.noise for d in draws]), np.array([d.matrix for d in draws])
    offset = np.array([d.offset for d in draws])
    expected = density.scale / (density.degrees[:, None, None, None] - 3)
    used = slice(0, 3)  # the fourth is not entered: its degrees are too few for a mean of the noise
    error = noise[:, used].std(0) / np.sqrt(4000)
    assert np.all(np.abs(noise[:, used].mean(0) - expected[used]) < 6 * error)
    both = np.concatenate([matrix, offset[..., None]], -1)
    error = both[:, used].std(0) / np.sqrt(4000)
    assert np.all(np.abs(both[:, used].mean(0) - density.mean[used]) < 5 * error)
    white = np.linalg.inv(np.linalg.cholesky(noise)) @ (both - density.mean) @ np.linalg.cholesky(density.precision)
    assert abs(white.var() - 1) < 0.02
    precision = np.linalg.inv(noise[:, 3, 0]).mean(0)  # Wishart(4 degrees, identity / 0.3)
    np.testing.assert_allclose(precision, 4 / 0.3 * np.eye(2), atol=1.0)


@pytest.mark.parametrize("coupled", [True, False])
def test_steps_are_densities_of_bins_given_the_bin_before(coupled):
    latent, _, starts, hyper = path(coupled=coupled)
    dynamics = random_dynamics(hyper)
    found = step_log_density(latent, dynamics, starts)
    n_state, n_group, width = dynamics.offset.shape
    x = latent.reshape(20, n_group, width)
    for t in range(20):
        for s in range(n_state):
            expected = 0.0
            if t not in starts:
                for g in range(n_group):
                    mean = dynamics.matrix[s, g] @ x[t - 1, g] + dynamics.offset[s, g]
                    expected += multivariate_normal.logpdf(x[t, g], mean, dynamics.noise[s, g])
            assert found[t, s] == pytest.approx(expected, abs=1e-9)


def test_a_path_adds_its_first_bins_and_its_steps():
    latent, state, starts, hyper = path()
    dynamics = random_dynamics(hyper)
    first = multivariate_normal.logpdf(latent[starts[:-1]].reshape(3, -1), np.zeros(4)).sum()
    steps = step_log_density(latent, dynamics, starts)[np.arange(20), state].sum()
    assert log_path(latent, state, dynamics, starts) == pytest.approx(first + steps)


def test_blocks_are_independent_given_the_states():
    latent, state, starts, hyper = path(coupled=False, n_clusters=3)
    parts = [log_path_prior(latent[:, [j]], state, starts, hyper) for j in range(3)]
    assert log_path_prior(latent, state, starts, hyper) == pytest.approx(sum(parts))


def test_statistics_of_stretches_add_up():
    latent, state, _, hyper = path(starts=np.array([0, 20]))
    one = path_statistics(latent, state, np.array([0, 20]), hyper, 3)
    a = path_statistics(latent[:9], state[:9], np.array([0, 9]), hyper, 3)
    b = path_statistics(latent[8:], state[8:], np.array([0, 12]), hyper, 3)
    np.testing.assert_allclose(a.gram + b.gram, one.gram)
    np.testing.assert_array_equal(a.entered + b.entered, one.entered)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), coupled=st.booleans(), order=st.permutations(range(3)))
def test_states_and_clusters_may_be_numbered_in_any_order(seed, coupled, order):
    latent, state, starts, hyper = path(seed, coupled, n_clusters=3)
    expected = log_path_prior(latent, state, starts, hyper)
    assert log_path_prior(latent[:, order], state, starts, hyper) == pytest.approx(expected)
    assert log_path_prior(latent, np.array(order)[state], starts, hyper) == pytest.approx(expected)
    assert log_path_prior(latent, state + 5, starts, hyper) == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), coupled=st.booleans(), angle=st.floats(-4, 4))
def test_rotating_the_latents_of_a_cluster_changes_nothing(seed, coupled, angle):
    latent, state, starts, hyper = path(seed, coupled)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = latent.copy()
    turned[:, 0] = latent[:, 0] @ turn.T
    expected = log_path_prior(latent, state, starts, hyper)
    assert log_path_prior(turned, state, starts, hyper) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("coupled", [True, False])
def test_a_drawn_path_follows_its_states(coupled):
    _, _, _, hyper = path(coupled=coupled, n_states=2)
    quiet = random_dynamics(hyper)
    quiet = quiet._replace(matrix=0.5 * quiet.matrix, noise=1e-14 * quiet.noise)
    state = np.array([0, 1, 0, 0, 1, 1])
    x = draw_path(state, quiet, np.array([0, 4, 6]), np.random.default_rng(0))
    for t in (1, 2, 3, 5):
        mean = (quiet.matrix[state[t]] @ x[t - 1][..., None])[..., 0] + quiet.offset[state[t]]
        np.testing.assert_allclose(x[t], mean, atol=1e-5)


def test_a_deterministic_path_keeps_the_scale_of_the_prior():
    """Rounding must not take the posterior scale below the prior's, whatever the size of the path."""
    latent = (1.3 ** np.arange(60.0))[:, None, None] * np.ones((1, 1, 2))
    hyper = Hyper(n_factors=1, n_states=1)
    density = conjugate(path_statistics(latent, np.zeros(60, int), np.array([0, 60]), hyper, 1), hyper)
    assert np.linalg.eigvalsh(density.scale[0, 0]).min() > 0.99 * hyper.noise_scale
    drawn = draw_dynamics(latent, np.zeros(60, int), np.array([0, 60]), hyper, np.random.default_rng(0), 1)
    np.testing.assert_allclose(drawn.matrix[0, 0].sum(-1), 1.3, atol=1e-3)


def test_a_recording_of_first_bins_only_says_nothing_about_the_dynamics():
    latent, state, _, hyper = path(starts=np.arange(21))
    found = path_statistics(latent, state, np.arange(21), hyper, 3)
    assert isinstance(found, PathStatistics)
    assert not found.entered.any()
    assert not found.gram.any()
    expected = -0.5 * np.sum(latent**2) - latent.size / 2 * np.log(2 * np.pi)
    assert log_path_prior(latent, state, np.arange(21), hyper) == pytest.approx(expected)
