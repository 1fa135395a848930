"""Evidence for dispersions.py: posteriors from a grid, closed forms, nodes that say nothing."""

import numpy as np
import pytest
from scipy import stats

from dynome.inference.biclustering.dispersions import updated_dispersion
from dynome.inference.biclustering.model import Data, Hyper
from dynome.inference.biclustering.observations import log_likelihood

N = 4_000
HYPER = Hyper(dispersion_shape=1.4, dispersion_rate=0.7, bias_mean=0.3)


def posterior(y, hyper, temperature):
    """Probability of every (r, d) of a grid, with a constant predictor d."""
    r, d = np.exp(np.linspace(-8, 5, 300)), np.linspace(-4, 4, 100)
    grid_r, grid_d = (a.ravel() for a in np.meshgrid(r, d, indexing="ij"))
    psi = np.repeat(grid_d[:, None], len(y), axis=1)
    fit = log_likelihood(np.tile(y, (grid_r.size, 1)), psi, "negative_binomial", grid_r)
    prior = stats.gamma.logpdf(grid_r, hyper.dispersion_shape, scale=1 / hyper.dispersion_rate) + np.log(grid_r)
    log_density = temperature * fit + prior + stats.norm.logpdf(grid_d, hyper.bias_mean, hyper.bias_sd)
    weight = np.exp(log_density - log_density.max())
    return grid_r, grid_d, weight / weight.sum()


@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("y", [[3, 0, 7, 1, 0, np.nan], [0, 0, 0, 0], [60, 55, 70, 58, 66, 61], [np.nan, np.nan]])
def test_the_posterior_of_shape_and_bias_stays_as_it_is(y, temperature):
    y, rng = np.array(y, dtype=float), np.random.default_rng(0)
    r, d, weight = posterior(y, HYPER, temperature)
    drawn = rng.choice(r.size, N, p=weight)
    data = Data(np.tile(y, (N, 1)), np.array([0, y.size]), "negative_binomial")
    bias, psi = d[drawn][:, None], np.repeat(d[drawn][:, None], y.size, axis=1)
    new = updated_dispersion(data, psi, r[drawn], HYPER, rng, temperature=temperature)
    assert np.mean(new != r[drawn]) > 0.5
    for value in (lambda r, d: np.log(r), lambda r, d: np.log(r) ** 2, lambda r, d: np.log(r) * d):
        truth, spread = _moments(value(r, d), weight)
        assert value(new, bias[:, 0]).mean() == pytest.approx(truth, abs=4.5 * spread / np.sqrt(N) + 2e-3)


def _moments(value, weight):
    mean = value @ weight
    return mean, np.sqrt((value - mean) ** 2 @ weight)


def test_shapes_forget_where_they_started_within_a_few_updates():
    y, rng = np.array([3.0, 0, 7, 1, 0, 2, 9, 0]), np.random.default_rng(1)
    data, psi = Data(np.tile(y, (N, 1)), np.array([0, 8]), "negative_binomial"), np.full((N, 8), 1.0)
    ends = []
    for start in (1e-3, 1e3):
        r = np.full(N, start)
        for _ in range(12):
            r = updated_dispersion(data, psi, r, HYPER, rng)
        ends.append(r)
    assert stats.ks_2samp(*ends).pvalue > 1e-3


def test_a_node_without_observations_draws_its_shape_from_the_prior():
    rng, data = np.random.default_rng(2), Data(np.full((N, 3), np.nan), np.array([0, 3]), "negative_binomial")
    r = rng.gamma(HYPER.dispersion_shape, 1 / HYPER.dispersion_rate, N)
    r = updated_dispersion(data, np.full((N, 3), np.nan), r, HYPER, rng)
    assert stats.kstest(r, stats.gamma(HYPER.dispersion_shape, scale=1 / HYPER.dispersion_rate).cdf).pvalue > 1e-3


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_the_variance_of_gaussian_observations_is_inverse_gamma(temperature):
    y, rng = np.array([1.0, np.nan, -1.0, 2.0]), np.random.default_rng(3)
    data = Data(np.tile(y, (N, 1)), np.array([0, 4]), "gaussian")
    variance = updated_dispersion(data, np.zeros((N, 4)), np.ones(N), HYPER, rng, temperature=temperature)
    law = stats.invgamma(1.4 + temperature * 3 / 2, scale=0.7 + temperature * 6 / 2)
    assert stats.kstest(variance, law.cdf).pvalue > 1e-3


def test_extreme_nodes_keep_finite_shapes():
    y = np.zeros((3, 50))
    y[1], y[2] = 4_000.0, np.nan
    data, psi = Data(y, np.array([0, 50]), "negative_binomial"), np.full((3, 50), np.log(4_000.0))
    psi[0] = -200.0
    r, rng = np.array([1e-6, 1e4, 1.0]), np.random.default_rng(4)
    for _ in range(50):
        r = updated_dispersion(data, psi, r, Hyper(), rng)
        assert np.isfinite(r).all()
        assert (r > 0).all()


@pytest.mark.parametrize("law", ["poisson", "bernoulli"])
def test_laws_without_a_dispersion_keep_it(law):
    data = Data(np.ones((2, 3)), np.array([0, 3]), law)
    given = np.ones(2)
    assert updated_dispersion(data, np.zeros((2, 3)), given, Hyper(), np.random.default_rng(0)) is given
