"""Evidence for the assignment of nodes: enumeration where it can be had, else joint distributions."""

from itertools import product

import numpy as np
import pytest
from geweke import verdict
from joint import small
from scipy.stats import multivariate_normal

from dynome.inference.biclustering.assignments import updated_assignment
from dynome.inference.biclustering.laplace import evidence
from dynome.inference.biclustering.model import Concentrations, Data, Dynamics, Hyper, State
from dynome.inference.biclustering.partition_prior import log_partition

HYPER = Hyper(n_factors=1, n_states=1, coupled=False, zeta=0.4, bias_sd=0.7, loading_sd=0.8, n_auxiliary=0)


def two_clusters(seed=0, n=3, n_bins=5):
    """Gaussian observations, two paths that stay."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n_bins, 2, 2))
    dynamics = Dynamics(np.ones((1, 2, 2, 2)), np.zeros((1, 2, 2)), np.ones((1, 2, 2, 2)))
    start = State(
        np.array([0, 1, 1]), rng.normal(size=(n, 2)), latent, np.full(n, 0.8), np.zeros(n_bins, int), dynamics,
        np.ones(1), np.ones((1, 1)), Concentrations(), np.ones((2, 1), bool),
    )  # fmt: skip
    return Data(rng.normal(size=(n, n_bins)), np.array([0, n_bins]), "gaussian"), start


def enumerated(data, start):
    """Probability of every labelling in which both clusters have a node; coefficients integrated out."""
    log_weight = {}
    for z in product(range(2), repeat=3):
        if len(set(z)) == 1:
            continue
        total = log_partition(np.array(z), HYPER, Concentrations())
        for i, j in enumerate(z):
            factor = start.latent[:, j, 1]
            cover = 0.7**2 + 0.8**2 * np.outer(factor, factor) + 0.8 * np.eye(factor.size)
            total += multivariate_normal.logpdf(data.y[i], start.latent[:, j, 0], cover)
        log_weight[z] = total
    weight = np.exp(np.array(list(log_weight.values())))
    return dict(zip(log_weight, weight / weight.sum(), strict=True))


@pytest.mark.parametrize("error", [0.0, 0.7])
def test_labellings_have_their_probabilities_however_poor_the_proposals(error):
    data, current = two_clusters()
    rng = np.random.default_rng(1)
    fit = evidence(data, current.latent, current.dispersion, HYPER)
    fit = fit._replace(log_evidence=fit.log_evidence + error * rng.normal(size=(3, 2)), mean=fit.mean + 0.3 * error)
    draws, coefficients = [], []
    for _ in range(3000):
        current, _ = updated_assignment(current, data, HYPER, rng, fit=fit)
        draws.append(tuple(current.cluster.tolist()))
        coefficients.append(current.coefficient[0])
    for z, p in enumerated(data, current).items():
        assert draws.count(z) / len(draws) == pytest.approx(p, abs=0.05)
    here = np.array([z[0] == 0 for z in draws])
    exact = evidence(data, current.latent, current.dispersion, HYPER)
    np.testing.assert_allclose(np.mean(np.array(coefficients)[here], 0), exact.mean[0, 0], atol=0.06)


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("partition", ["mfm", "dp"])
def test_births_and_deaths_keep_the_joint_distribution(coupled, partition):
    setting = small("bernoulli", coupled=coupled, partition=partition, n_auxiliary=2)

    def kernel(state, data, rng):
        return updated_assignment(state, data, setting.hyper, rng)[0]

    found = verdict(kernel, setting, n_chains=120, n_steps=3, seed=3)
    assert found.p_value > 0.002, str(found)


def test_inactive_factors_keep_the_joint_distribution():
    setting = small("negative_binomial", coupled=False, adapt_factors=True, n_auxiliary=1)

    def kernel(state, data, rng):
        return updated_assignment(state, data, setting.hyper, rng)[0]

    found = verdict(kernel, setting, n_chains=120, n_steps=3, seed=4)
    assert found.p_value > 0.002, str(found)


def test_clusters_have_no_gaps_and_unread_loadings_are_zero():
    data, current = two_clusters()
    hyper, rng, seen = HYPER._replace(n_auxiliary=2, adapt_factors=True), np.random.default_rng(0), set()
    for _ in range(60):
        current, _ = updated_assignment(current, data, hyper, rng)
        n_clusters = current.latent.shape[1]
        assert sorted(set(current.cluster.tolist())) == list(range(n_clusters))
        assert len(current.active) == n_clusters
        assert current.dynamics.matrix.shape == (1, n_clusters, 2, 2)
        assert (current.coefficient[:, 1:][~current.active[current.cluster]] == 0).all()
        seen.add(n_clusters)
    assert len(seen) > 1


def test_the_input_is_not_written_to_and_seeds_repeat():
    data, start = two_clusters()
    hyper = HYPER._replace(n_auxiliary=2)
    before = start._replace(**{k: getattr(start, k).copy() for k in ("cluster", "coefficient", "latent", "active")})
    one, other = (updated_assignment(start, data, hyper, np.random.default_rng(5))[0] for _ in range(2))
    for name in ("cluster", "coefficient", "latent", "active"):
        np.testing.assert_array_equal(getattr(start, name), getattr(before, name))
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
