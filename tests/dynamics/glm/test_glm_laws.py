"""Evidence for dynamics/glm/laws.py: inverses, moments of samples, what is refused."""

import re
from typing import get_args

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
from hypothesis import given

from dynome.dynamics.glm import laws
from dynome.errors import InputError, Problems

PAIRS = [(law, link) for law, links in laws.LINKS.items() for link in links]


def found(y, law) -> str:
    problems = Problems("no")
    laws.add_observation_problems(problems, np.asarray(y, float), law)
    return "\n".join(problems.found)


def test_every_law_has_a_default_link():
    assert set(laws.LINKS) == set(get_args(laws.Law))
    assert [laws.link_for(law) for law in laws.LINKS] == ["softplus", "sigmoid", "softplus", "identity", "softmax"]
    assert laws.link_for("poisson", "exp") == "exp"


def test_a_link_that_does_not_go_with_the_law_is_refused():
    with pytest.raises(InputError, match=r"bernoulli observations go with the links 'sigmoid', got 'exp'"):
        laws.link_for("bernoulli", "exp")
    with pytest.raises(InputError, match=r"must be one of 'poisson', .*, got 'binomial'"):
        laws.link_for("binomial")


@given(eta=st.floats(-13, 19), link=st.sampled_from(["exp", "softplus", "sigmoid", "identity"]))
def test_activation_of_a_mean_undoes_the_mean_of_an_activation(eta, link):
    eta = np.array([min(eta, 12.0) if link == "sigmoid" else eta])
    np.testing.assert_allclose(laws.link_of(laws.mean(eta, link), link), eta, atol=1e-9, rtol=1e-9)


def test_activations_of_class_probabilities_give_them_back():
    p = np.array([[0.2, 0.3, 0.5], [0.98, 0.01, 0.01]])
    np.testing.assert_allclose(laws.mean(laws.link_of(p, "softmax"), "softmax"), p)
    np.testing.assert_allclose(laws.link_of(p, "softmax").sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("link", ["exp", "softplus", "sigmoid"])
def test_no_mean_is_zero_or_infinite(link, dtype):
    eta = np.array([-1e30, -700, -40, 0, 40, 700, 1e30], dtype)
    mean = laws.mean(eta, link)
    assert mean.dtype == dtype
    assert (mean > 0).all()
    assert np.isfinite(mean).all()
    assert (np.diff(mean) >= 0).all()
    assert np.isnan(laws.mean(np.array([np.nan], dtype), link)).all()


def test_silent_nodes_get_a_finite_activation():
    for link in ("exp", "softplus", "sigmoid", "identity"):
        assert np.isfinite(laws.link_of(np.array([0.0, 1.0]), link)).all()


@pytest.mark.parametrize(("law", "link"), [p for p in PAIRS if p[0] != "categorical"])
def test_samples_have_the_mean_and_variance_of_the_law(law, link):
    eta, dispersion = np.array([0.3, 0.9]), np.array([0.5, 1.5])
    y = laws.sample(np.tile(eta, (200_000, 1)), law, link, dispersion, np.random.default_rng(0))
    mean = laws.mean(eta, link)
    variance = {
        "poisson": mean,
        "bernoulli": mean * (1 - mean),
        "negative_binomial": mean + dispersion * mean**2,
        "gaussian": dispersion,
    }[law]
    np.testing.assert_allclose(y.mean(axis=0), mean, atol=5 * np.sqrt(variance.max() / 200_000))
    np.testing.assert_allclose(y.var(axis=0), variance, rtol=0.05)
    assert found(y, law) == ""


def test_classes_are_drawn_as_often_as_they_are_probable():
    eta = np.tile([0.0, 1.0, -1.0], (100_000, 1))
    y = laws.sample(eta, "categorical", "softmax", 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(y.astype(int)) / y.size, laws.mean(eta[0], "softmax"), atol=0.006)


def test_constants_complete_the_density():
    y = np.array([0.0, 1, 2, 30, np.nan])
    poisson = scipy.stats.poisson.logpmf(y[:4], 2.5) - (y[:4] * np.log(2.5) - 2.5)
    np.testing.assert_allclose(laws.constant(y, "poisson"), [*poisson, 0], atol=1e-12)
    np.testing.assert_allclose(laws.constant(y, "negative_binomial"), [*poisson, 0], atol=1e-12)
    np.testing.assert_allclose(laws.constant(y, "gaussian"), [scipy.stats.norm.logpdf(0)] * 4 + [0])
    assert not laws.constant(y, "bernoulli").any()


@pytest.mark.parametrize(
    ("y", "law", "what"),
    [
        ([0.5, 1], "poisson", r"counts must be whole numbers; 1 are not, e.g. 0.5; use observation='gaussian'"),
        ([-1, 1], "negative_binomial", r"must not be negative; 1 are, e.g. -1"),
        ([0, 2, np.nan], "bernoulli", "must be 0 or 1; 1 are not, e.g. 2"),
        ([0, 1.5], "categorical", "classes must be whole numbers 0, 1, ...; 1 are not"),
        ([0, np.inf], "gaussian", "1 observations are infinite; make them NaN"),
        ([np.nan], "poisson", "every observation is missing"),
    ],
)
def test_observations_that_cannot_follow_the_law_are_told(y, law, what):
    assert re.search(what, found(y, law))


def test_every_problem_of_the_observations_is_told_at_once():
    text = found([-1.5, np.inf], "poisson")
    assert all(part in text for part in ("infinite", "whole", "negative"))


@pytest.mark.parametrize("law", list(laws.LINKS))
def test_missing_observations_are_no_problem(law):
    assert found([0, 1, np.nan], law) == ""
