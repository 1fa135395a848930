"""Evidence for dynamics/glm/dispersion.py: closed forms, an optimiser of others, floors."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from dynome.dynamics.glm import dispersion as module
from dynome.dynamics.glm.dispersion import floor_of_variance, updated_dispersion
from dynome.dynamics.glm.laws import mean
from dynome.dynamics.glm.passes import Problem


def means(p):
    x = p.problem.design.block(0, p.problem.design.n_bin).astype(float)
    return mean(np.einsum("tp,snp->tsn", x, p.coefficient), p.problem.link)


def test_a_gaussian_variance_is_the_weighted_mean_square_of_the_residual(make_population):
    p = make_population("gaussian", "identity", missing=0.02)
    y = p.problem.observed
    residual = y[:, None] - means(p)
    weight = np.where(np.isnan(residual), 0, p.weight[:, :, None])
    wanted = (weight * np.nan_to_num(residual) ** 2).sum(axis=0) / weight.sum(axis=0)
    np.testing.assert_allclose(updated_dispersion(p.problem, *p[1:]), wanted, rtol=1e-12)


def test_a_state_that_explains_a_few_bins_perfectly_keeps_a_floor_of_variance(make_population):
    p = make_population("gaussian", "identity")
    y = p.problem.y.copy()
    y[:5, 1] = 0.25
    problem = Problem(p.problem.design, y, "gaussian", "identity", p.problem.free)
    coefficient = np.zeros_like(p.coefficient)
    coefficient[0, :, 0] = 0.25
    weight = np.stack([np.arange(400) < 5, np.arange(400) >= 5], axis=1).astype(float)
    found = updated_dispersion(problem, coefficient, p.dispersion, weight)
    assert found[0, 1] == pytest.approx(1e-4 * y[:, 1].var())
    assert found[1, 1] > 1


def test_the_floor_scales_with_the_unit_and_survives_a_node_that_never_varies():
    y = np.random.default_rng(0).standard_normal((100, 2)) * [1, 1000]
    y[3, 1] = np.nan
    np.testing.assert_allclose(floor_of_variance(y), 1e-4 * np.nanvar(y, axis=0))
    assert floor_of_variance(np.ones((10, 1)))[0] == 1e-12


def test_a_state_without_bins_keeps_its_variance(make_population):
    p = make_population("gaussian", "identity")
    weight = np.stack([np.ones(400), np.zeros(400)], axis=1)
    found = updated_dispersion(p.problem, p.coefficient, p.dispersion, weight)
    np.testing.assert_array_equal(found[1], p.dispersion[1])


def loss(p, alpha, node):
    """Minus the weighted log likelihood of a node, by scipy."""
    y, mu = p.problem.observed[:, node, None].astype(float), means(p)[:, :, node]
    logp = scipy.stats.nbinom.logpmf(y, 1 / alpha, 1 / (1 + alpha * mu))
    return -(p.weight * np.where(np.isnan(y), 0, logp)).sum()


@pytest.mark.parametrize("link", ["softplus", "exp"])
def test_overdispersion_is_the_one_that_makes_counts_most_probable(make_population, link):
    p = make_population("negative_binomial", link, missing=0.02, n_bin=1500)
    found = updated_dispersion(p.problem, *p[1:])
    np.testing.assert_array_equal(found[0], found[1])
    for node in range(3):
        best = scipy.optimize.minimize_scalar(
            lambda a, n=node: loss(p, np.exp(a), n), bounds=(-8, 4), method="bounded", options={"xatol": 1e-9}
        )
        assert found[0, node] == pytest.approx(np.exp(best.x), rel=2e-3)
        assert loss(p, found[0, node], node) <= best.fun + 1e-5


@pytest.mark.parametrize("start", [1e-8, 1e-3, 1.0, 1e4])
def test_every_start_leads_to_the_same_overdispersion(make_population, start):
    p = make_population("negative_binomial", "softplus", n_bin=1500)
    found = updated_dispersion(p.problem, p.coefficient, np.full((2, 3), start), p.weight)
    np.testing.assert_allclose(found, updated_dispersion(p.problem, *p[1:]), rtol=1e-3)


def test_counts_that_scatter_less_than_poisson_get_no_overdispersion(make_population):
    p = make_population("negative_binomial", "softplus")
    y = np.ones_like(p.problem.y)
    problem = Problem(p.problem.design, y, "negative_binomial", "softplus", p.problem.free)
    at = np.zeros_like(p.coefficient)
    at[:, :, 0] = np.log(np.expm1(1))
    found = updated_dispersion(problem, at, p.dispersion, p.weight)
    assert (found < 1e-4).all()
    assert (found >= 1e-8).all()


@pytest.mark.parametrize("alpha", [1e-7, 1e-4, 0.3, 50.0])
def test_derivatives_by_overdispersion_are_those_of_the_likelihood(alpha):
    rng = np.random.default_rng(0)
    y, mu, weight = rng.poisson(3.0, (50, 1)).astype(float), rng.gamma(2, 2, (50, 1)), rng.random(50)

    def moments(a):
        out = np.zeros((3, 1))
        module._add_moments(y, mu, weight, np.array([a]), out)
        return out[:, 0]

    h = 1e-4 * alpha
    up, down, here = moments(alpha + h), moments(alpha - h), moments(alpha)
    assert (up[1] - down[1]) / (2 * h) == pytest.approx(here[2], rel=1e-4)
    if alpha > 1e-3:
        assert (up[0] - down[0]) / (2 * h) == pytest.approx(here[1], rel=1e-5)


def test_laws_without_dispersion_are_left_alone(make_population):
    p = make_population()
    assert updated_dispersion(p.problem, *p[1:]) is p.dispersion
