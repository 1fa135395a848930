"""Evidence for observations.py: agreement with scipy's laws, missing values, silent nodes, simulation, bad input."""

from typing import get_args

import numpy as np
import pytest
from scipy import stats

from dynome.errors import InputError, Problems
from dynome.inference.biclustering.model import Law
from dynome.inference.biclustering.observations import (
    add_observation_problems,
    log_likelihood,
    mean_of,
    pointwise_log_likelihood,
    predictor,
    sample_observations,
)

LAWS = get_args(Law)


def reference(y, psi, law, dispersion):
    spread, mean = dispersion[:, None], mean_of(psi, law)
    if law == "negative_binomial":
        return stats.nbinom.logpmf(y, spread, spread / (spread + mean))
    if law == "poisson":
        return stats.poisson.logpmf(y, mean)
    return stats.bernoulli.logpmf(y, mean) if law == "bernoulli" else stats.norm.logpdf(y, psi, np.sqrt(spread))


def simulated(law, seed=0, shape=(3, 40)):
    rng = np.random.default_rng(seed)
    psi, dispersion = rng.normal(0.5, 1, shape), rng.gamma(2, 1, shape[0])
    return sample_observations(psi, law, dispersion, rng), psi, dispersion


@pytest.mark.parametrize("law", LAWS)
def test_the_log_likelihood_is_that_of_the_law_with_all_constants(law):
    y, psi, dispersion = simulated(law)
    expected = reference(y, psi, law, dispersion)
    np.testing.assert_allclose(pointwise_log_likelihood(y, psi, law, dispersion), expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(log_likelihood(y, psi, law, dispersion), expected.sum(1), rtol=1e-12)


@pytest.mark.parametrize("law", ["negative_binomial", "poisson"])
def test_counts_beyond_any_table_keep_their_constants(law):
    y, psi, dispersion = np.array([[0.0, 4095, 4096, 1e5]]), np.array([[-3.0, 8, 9, 11]]), np.array([2.5])
    expected = reference(y, psi, law, dispersion)
    np.testing.assert_allclose(pointwise_log_likelihood(y, psi, law, dispersion), expected, rtol=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_missing_observations_add_nothing_and_stay_missing(law):
    y, psi, dispersion = simulated(law)
    holes = y.copy()
    holes[0, ::3], holes[2] = np.nan, np.nan
    each = pointwise_log_likelihood(holes, psi, law, dispersion)
    assert np.array_equal(np.isnan(each), np.isnan(holes))
    total = log_likelihood(holes, psi, law, dispersion)
    np.testing.assert_allclose(total, np.nansum(reference(y, psi, law, dispersion) * (holes == y), axis=1), rtol=1e-11)
    assert total[2] == 0


@pytest.mark.parametrize("law", ["negative_binomial", "poisson", "bernoulli"])
def test_a_silent_node_is_likelier_the_lower_its_rate_and_never_infinitely_unlikely(law):
    psi = np.array([[-800.0], [-20.0], [0.0], [5.0]])
    fit = log_likelihood(np.zeros((4, 1)), psi, law, np.ones(4))
    assert np.isfinite(fit).all()
    assert (np.diff(fit) <= 0).all()
    assert fit[0] == pytest.approx(0, abs=1e-300)


def test_the_predictor_is_bias_and_common_rate_and_loadings_on_factors():
    rng = np.random.default_rng(0)
    coefficient, latent, cluster = rng.normal(size=(5, 3)), rng.normal(size=(7, 2, 3)), np.array([0, 1, 1, 0, 1])
    full = np.concatenate([np.ones((5, 1)), coefficient[:, 1:]], axis=1)
    expected = coefficient[:, :1] + np.einsum("nf,tnf->nt", full, latent[:, cluster])
    np.testing.assert_allclose(predictor(coefficient, latent, cluster), expected, atol=1e-13)
    np.testing.assert_array_equal(
        predictor(coefficient[::-1], latent, cluster[::-1]), predictor(coefficient, latent, cluster)[::-1]
    )


@pytest.mark.parametrize("law", LAWS)
def test_simulated_observations_have_the_mean_and_variance_of_their_law(law):
    psi, dispersion = np.full((1, 40_000), 0.7), np.array([3.0])
    y, mean = sample_observations(psi, law, dispersion, np.random.default_rng(1)), mean_of(psi, law)[0, 0]
    variance = {
        "negative_binomial": mean + mean**2 / 3, "poisson": mean, "bernoulli": mean * (1 - mean), "gaussian": 3.0
    }[law]  # fmt: skip
    assert y.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / y.size))
    assert y.var() == pytest.approx(variance, rel=0.06)


@pytest.mark.parametrize(
    ("y", "law", "message"),
    [
        ([[0, 1, -1]], "poisson", r"counts 0, 1, 2, ...; 1 value is not, e.g. -1 \(node 0, bin 2\)"),
        ([[0.5, 1, 1.5]], "negative_binomial", r"2 values are not, e.g. 0.5 \(node 0, bin 0\)"),
        ([[0, 2]], "bernoulli", r"needs 0 or 1; 1 value is not, e.g. 2"),
        ([[0, np.inf]], "gaussian", r"finite observations; 1 value is not, e.g. inf"),
        ([[0, 1], [np.nan, np.nan]], "poisson", r"without any observation tell nothing: drop 1"),
    ],
)
def test_observations_that_a_law_cannot_explain_are_told(y, law, message):
    problems = Problems("cannot cluster")
    add_observation_problems(problems, np.array(y, dtype=float), law)
    with pytest.raises(InputError, match=message):
        problems.raise_if_any(InputError)


def test_nodes_of_bad_observations_are_told_by_their_labels():
    problems = Problems("cannot cluster")
    y = np.array([[0, 1], [np.nan, np.nan], [2, -1]])
    add_observation_problems(problems, y, "poisson", ["AVAL", "AVAR", "RIML"])
    assert "e.g. -1 (node RIML, bin 1)" in problems.found[0]
    assert problems.found[1].endswith("drop 'AVAR'")


def test_silent_nodes_and_missing_bins_are_no_problem():
    problems = Problems("cannot cluster")
    add_observation_problems(problems, np.array([[0.0, 0, 0], [np.nan, 2, 1]]), "negative_binomial")
    problems.raise_if_any(InputError)
    assert not problems.found
