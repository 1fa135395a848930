"""Evidence for dynamics/glm/pointwise.py: scipy's densities, finite differences, missing values, extremes."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings

from dynome.dynamics.glm import laws
from dynome.dynamics.glm.pointwise import add_log_probability, law_code, link_code, weighted_derivatives

PAIRS = [(law, link) for law, links in laws.LINKS.items() for link in links if law != "categorical"]
SHAPES = [(7, 3), (200, 20), (3, 1500), (2500, 1)]  # smaller than a block, several rows a block, rows beyond a block


def problem(law, link, shape, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    eta = rng.normal(0, 1.5, shape) + (3.0 if law == "poisson" and link == "identity" else 0.0)
    dispersion = rng.uniform(0.3, 2, shape[1])
    y = laws.sample(eta, law, link, dispersion, rng)
    y[rng.random(shape) < 0.1] = np.nan
    return y.astype(dtype), eta.astype(dtype), dispersion.astype(dtype)


def density(y, eta, dispersion, law, link):
    mean = laws.mean(eta, link)
    if law == "poisson":
        logp = scipy.stats.poisson.logpmf(y, np.maximum(mean, laws.RATE_FLOOR))
    elif law == "bernoulli":
        logp = scipy.stats.bernoulli.logpmf(y, mean)
    elif law == "gaussian":
        logp = scipy.stats.norm.logpdf(y, mean, np.sqrt(dispersion))
    else:
        logp = scipy.stats.nbinom.logpmf(y, 1 / dispersion, 1 / (1 + dispersion * mean))
    return np.where(np.isnan(y), 0.0, logp)


def log_probability(y, eta, dispersion, law, link):
    out = np.zeros(len(y))
    add_log_probability(law_code(law), link_code(link), y, eta, dispersion, out)
    return out


def derivatives(y, eta, weight, dispersion, law, link):
    score, information, value = np.empty_like(eta), np.empty_like(eta), np.zeros(eta.shape[1])
    weighted_derivatives(
        law_code(law), link_code(link), y, eta, weight.astype(eta.dtype), dispersion, score, information, value
    )
    return score, information, value


def elementwise(y, eta, dispersion, law, link):
    """Log probability of each element: blocks of a single node."""
    columns = [
        log_probability(y[:, n : n + 1].copy(), eta[:, n : n + 1].copy(), dispersion[n : n + 1], law, link)
        for n in range(y.shape[1])
    ]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_log_probabilities_are_those_of_scipy(law, link, dtype):
    tolerance = 1e-12 if dtype == np.float64 else 3e-5
    for shape in SHAPES:
        y, eta, dispersion = problem(law, link, shape, dtype)
        got = log_probability(y, eta, dispersion, law, link) + laws.constant(y, law).sum(axis=1)
        expected = density(*(v.astype(np.float64) for v in (y, eta, dispersion)), law, link)
        np.testing.assert_allclose(got, expected.sum(axis=1), rtol=tolerance, atol=tolerance * shape[1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_weighted_values_are_those_of_scipy(law, link, dtype):
    tolerance = 1e-12 if dtype == np.float64 else 3e-5
    for shape in SHAPES:
        y, eta, dispersion = problem(law, link, shape, dtype)
        weight = np.random.default_rng(1).random(shape[0]).astype(dtype)
        _, _, value = derivatives(y, eta, weight, dispersion, law, link)
        expected = density(*(v.astype(np.float64) for v in (y, eta, dispersion)), law, link) - laws.constant(y, law)
        np.testing.assert_allclose(value, weight @ expected, rtol=tolerance, atol=tolerance * shape[0])


@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_the_score_is_the_slope_of_the_log_probability(law, link):
    y, eta, dispersion = problem(law, link, (60, 5))
    weight = np.random.default_rng(1).random(60)
    score, _, _ = derivatives(y, eta, weight, dispersion, law, link)
    h = 1e-5
    up, down = (elementwise(y, eta + s, dispersion, law, link) for s in (h, -h))
    smooth = abs(eta - laws.RATE_FLOOR) > 2 * h  # the identity link has a kink
    slope = weight[:, None] * (up - down) / (2 * h)
    np.testing.assert_allclose(score[smooth], slope[smooth], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_single_precision_derivatives_agree_with_double(law, link, dtype):
    y, eta, dispersion = problem(law, link, (50, 7))
    weight = np.ones(50)
    exact = derivatives(y, eta, weight, dispersion, law, link)
    got = derivatives(y.astype(dtype), eta.astype(dtype), weight, dispersion.astype(dtype), law, link)
    smooth = abs(eta - laws.RATE_FLOOR) > 1e-3
    for a, b in zip(got[:2], exact[:2], strict=True):
        np.testing.assert_allclose(a[smooth], b[smooth], rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_the_information_is_the_mean_square_of_the_score(law, link):
    eta = np.tile(np.array([0.4, 1.3]), (100_000, 1))
    dispersion = np.array([0.4, 1.1])
    y = laws.sample(eta, law, link, dispersion, np.random.default_rng(0))
    score, information, _ = derivatives(y, eta, np.ones(len(y)), dispersion, law, link)
    np.testing.assert_allclose((score**2).mean(axis=0), information[0], rtol=0.06)
    np.testing.assert_allclose(score.mean(axis=0), 0, atol=0.02)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_missing_observations_contribute_nothing(law, link, dtype):
    y, eta, dispersion = problem(law, link, (40, 6), dtype)
    y[:, 2] = np.nan
    kept = [0, 1, 3, 4, 5]
    whole = log_probability(y, eta, dispersion, law, link)
    part = log_probability(y[:, kept].copy(), eta[:, kept].copy(), dispersion[kept], law, link)
    np.testing.assert_allclose(whole, part, rtol=1e-5)
    score, information, value = derivatives(y, eta, np.ones(40), dispersion, law, link)
    missing = np.isnan(y)
    assert not score[missing].any()
    assert not information[missing].any()
    assert value[2] == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_extreme_activations_stay_finite_and_information_is_not_negative(law, link, dtype):
    eta = np.array([-1e6, -1e3, -100, -37, -36, -35, -1, 0, 1, 19, 21, 35, 100, 1e3, 1e6], dtype)[:, None]
    for observed in (0.0, 1.0):
        y = np.full_like(eta, observed)
        spread = np.ones(1, dtype)
        assert np.isfinite(log_probability(y, eta, spread, law, link)).all()
        score, information, value = derivatives(y, eta, np.ones(len(eta)), spread, law, link)
        assert np.isfinite(score).all()
        assert np.isfinite(information).all()
        assert np.isfinite(value).all()
        assert (information >= 0).all()


@pytest.mark.parametrize("link", ["softplus", "exp", "sigmoid"])
def test_a_spike_at_a_hopeless_activation_pulls_it_up(link):
    eta, y, one = np.array([[-500.0]]), np.array([[1.0]]), np.ones(1)
    score, _, value = derivatives(y, eta, one, one, "poisson", link)
    assert score[0, 0] == pytest.approx(1)
    assert value[0] == pytest.approx(-500)


def test_below_its_floor_the_identity_link_is_flat():
    eta, y, one = np.array([[-1.0], [-2.0]]), np.array([[3.0], [3.0]]), np.ones(1)
    value = log_probability(y, eta, one, "poisson", "identity")
    assert value[0] == value[1] == pytest.approx(3 * np.log(laws.RATE_FLOOR), rel=1e-6)
    score, information, _ = derivatives(y, eta, np.ones(2), one, "poisson", "identity")
    assert not score.any()
    assert not information.any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_negative_binomial_without_dispersion_is_poisson(dtype):
    y, eta, _ = problem("poisson", "softplus", (30, 4), dtype)
    args = (y, eta, np.zeros(4, dtype))
    np.testing.assert_allclose(
        log_probability(*args, "negative_binomial", "softplus"),
        log_probability(*args, "poisson", "softplus"),
        rtol=1e-5 if dtype == np.float32 else 1e-9,
    )


@settings(max_examples=50, deadline=None)
@given(y=st.integers(0, 5000), alpha=st.floats(1e-6, 50))
def test_large_counts_of_the_negative_binomial_are_exact(y, alpha):
    counts, eta, spread = np.array([[float(y)]]), np.array([[1.5]]), np.array([alpha])
    got = (
        log_probability(counts, eta, spread, "negative_binomial", "exp") + laws.constant(counts, "negative_binomial")[0]
    )
    mean = np.exp(1.5)
    r = np.longdouble(1 / alpha)
    rising = np.log1p(np.longdouble(alpha) * np.arange(y)).sum()
    expected = rising + y * np.log(np.longdouble(mean)) - (y + r) * np.log1p(np.longdouble(alpha) * mean)
    expected += laws.constant(counts, "negative_binomial")[0, 0]
    np.testing.assert_allclose(got, float(expected), rtol=1e-9, atol=1e-9)


def test_what_is_not_a_number_is_not_hidden():
    for law, link in PAIRS:
        eta = np.array([[np.nan, 0.0]])
        assert np.isnan(log_probability(np.ones((1, 2)), eta, np.ones(2), law, link)).all()
