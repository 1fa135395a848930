"""Evidence for the evidence: closed form, quadrature, an optimiser, invariances."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from dynome.inference.biclustering.laplace import evidence
from dynome.inference.biclustering.model import Data, Hyper
from dynome.inference.biclustering.observations import log_likelihood, sample_observations

COUNTS = ["negative_binomial", "poisson", "bernoulli"]
HYPER = Hyper(n_factors=1, bias_mean=0.3, bias_sd=0.8, loading_sd=0.6)


def problem(law, n=3, n_bins=60, p=1, seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.normal(0, 0.6, (n_bins, 2, 1 + p))
    design = np.concatenate([np.ones((n_bins, 1)), latent[:, 0, 1:]], 1)
    psi = latent[:, 0, 0] + rng.normal(0.4, 0.5, (n, 1 + p)) @ design.T
    dispersion = rng.uniform(0.5, 3, n)
    y = sample_observations(psi, law, dispersion, rng)
    y[0, 3:9] = np.nan
    return Data(y, np.array([0, n_bins]), law), latent, dispersion


def log_joint(data, latent, dispersion, hyper, i, j, coefficient):
    """Of many coefficients (n, q) at once, with all constants."""
    design = np.concatenate([np.ones((len(latent), 1)), latent[:, j, 1:]], 1)
    psi = latent[:, j, 0] + coefficient @ design.T
    y, r = np.broadcast_to(data.y[i], psi.shape).copy(), np.full(len(psi), dispersion[i])
    gap = (coefficient - [hyper.bias_mean, *[0.0] * hyper.n_factors]) / [
        hyper.bias_sd,
        *[hyper.loading_sd] * hyper.n_factors,
    ]
    norm = np.log(hyper.bias_sd) + hyper.n_factors * np.log(hyper.loading_sd) + 0.5 * gap.shape[1] * np.log(2 * np.pi)
    return log_likelihood(y, psi, data.law, r) - 0.5 * (gap**2).sum(1) - norm


@pytest.mark.parametrize("law", COUNTS)
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_ratios_of_evidence_agree_with_quadrature(law, temperature):
    data, latent, dispersion = problem(law)
    fit = evidence(data, latent, dispersion, HYPER, temperature=temperature)
    grid = np.stack(np.meshgrid(np.linspace(-3.5, 3.5, 141), np.linspace(-3, 3, 121), indexing="ij"), -1).reshape(-1, 2)
    tempered = HYPER._replace(bias_sd=HYPER.bias_sd * temperature**0.5, loading_sd=HYPER.loading_sd * temperature**0.5)
    for i in range(3):
        whole = [logsumexp(temperature * log_joint(data, latent, dispersion, tempered, i, j, grid)) for j in range(2)]
        assert fit.log_evidence[i, 0] - fit.log_evidence[i, 1] == pytest.approx(whole[0] - whole[1], abs=0.03)


@pytest.mark.parametrize("law", COUNTS)
@pytest.mark.parametrize("n_bins", [60, 2500])
def test_the_mode_is_where_an_optimiser_finds_it(law, n_bins):
    data, latent, dispersion = problem(law, n=1, n_bins=n_bins)
    fit = evidence(data, latent, dispersion, HYPER)
    h = 1e-3 * np.array([[1, 0], [0, 1], [1, 1], [-1, 0], [0, -1], [-1, -1], [0, 0]])
    for j in range(2):
        found = minimize(
            lambda c, j=j: -log_joint(data, latent, dispersion, HYPER, 0, j, c[None])[0], np.zeros(2), method="BFGS"
        )
        hopeless = fit.log_evidence[0, j] < fit.log_evidence.max() - 40
        off = fit.factor[0, j].T @ (fit.mean[0, j] - found.x)  # standard errors
        assert np.abs(off).max() < (0.3 if hopeless and n_bins == 2500 else 0.02)
        value = log_joint(data, latent, dispersion, HYPER, 0, j, fit.mean[0, j] + h)
        a, d, both = (2 * value[6] - value[k] - value[k + 3] for k in range(3))
        curvature = np.array([[a, (both - a - d) / 2], [(both - a - d) / 2, d]]) / 1e-6
        np.testing.assert_allclose(fit.factor[0, j] @ fit.factor[0, j].T, curvature, rtol=0.05, atol=0.02 * a / 1e-6)


def test_gaussian_evidence_is_exact():
    data, latent, dispersion = problem("gaussian", p=2)
    hyper = HYPER._replace(n_factors=2)
    fit = evidence(data, latent, dispersion, hyper)
    for i in range(3):
        seen = ~np.isnan(data.y[i])
        dense = []
        for j in range(2):
            design = np.concatenate([np.ones((60, 1)), latent[:, j, 1:]], 1)[seen]
            spread = np.diag([hyper.bias_sd**2, hyper.loading_sd**2, hyper.loading_sd**2])
            mean = latent[seen, j, 0] + hyper.bias_mean
            dense.append(
                multivariate_normal.logpdf(
                    data.y[i, seen], mean, design @ spread @ design.T + dispersion[i] * np.eye(seen.sum())
                )
            )
        assert fit.log_evidence[i, 0] - fit.log_evidence[i, 1] == pytest.approx(dense[0] - dense[1], abs=1e-9)


@pytest.mark.parametrize("law", [*COUNTS, "gaussian"])
def test_missing_bins_are_as_if_they_had_not_been(law):
    data, latent, dispersion = problem(law, n=1)
    seen = ~np.isnan(data.y[0])
    fewer = Data(np.ascontiguousarray(data.y[:, seen]), np.array([0, seen.sum()]), law)
    a, b = evidence(data, latent, dispersion, HYPER), evidence(fewer, latent[seen], dispersion, HYPER)
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("law", COUNTS)
def test_an_inactive_factor_is_as_if_it_were_not_there(law):
    data, latent, dispersion = problem(law, p=2)
    hyper = HYPER._replace(n_factors=2)
    active = np.array([[True, False], [False, True]])
    fit = evidence(data, latent, dispersion, hyper, active=active)
    for j, kept in enumerate(([0, 1], [0, 2])):
        alone = evidence(data, latent[:, [j]][..., kept], dispersion, HYPER)
        np.testing.assert_allclose(fit.log_evidence[:, j], alone.log_evidence[:, 0], atol=1e-9)
        np.testing.assert_allclose(fit.mean[:, j, kept], alone.mean[:, 0], atol=1e-9)


def test_nodes_and_clusters_carry_their_order():
    data, latent, dispersion = problem("negative_binomial")
    fit = evidence(data, latent, dispersion, HYPER)
    turned = evidence(data._replace(y=data.y[::-1].copy()), latent[:, ::-1], dispersion[::-1].copy(), HYPER)
    np.testing.assert_array_equal(fit.log_evidence, turned.log_evidence[::-1, ::-1])


@pytest.mark.parametrize("law", COUNTS)
def test_silent_and_unseen_nodes_and_huge_counts_have_finite_evidence(law):
    data, latent, dispersion = problem(law)
    y = data.y.copy()
    y[0], y[1], y[2] = 0.0, np.nan, 1.0 if law == "bernoulli" else 1e5
    fit = evidence(data._replace(y=y), 5 * latent, dispersion, HYPER)
    assert all(np.isfinite(part).all() for part in fit)
    np.testing.assert_allclose(fit.mean[1], [[0.3, 0.0]] * 2, atol=1e-9)
    np.testing.assert_allclose(fit.log_evidence[1], 0.0, atol=1e-9)
