"""Evidence for polyagamma.py and jacobi.py: closed forms, exact distributions, a bound that is one, other samplers."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import erfc, gammaln

from dynome.inference.biclustering.jacobi import _bound, _log_sum, envelope
from dynome.inference.biclustering.polyagamma import draw_polyagamma

CASES = [(b, c) for b in (0.03, 0.4, 1.0, 2.7, 9.9, 23.0, 300.0) for c in (0.0, -1.3, 5.0, 60.0)]


def draws(b, c, n=20_000, seed=0):
    return draw_polyagamma(np.full(n, float(b)), np.full(n, float(c)), np.random.default_rng(seed))


@pytest.mark.parametrize(("b", "c"), CASES)
def test_the_laplace_transform_is_that_of_a_polya_gamma_law(b, c):
    mean = b / 4 if c == 0 else b / (2 * c) * np.tanh(c / 2)
    n = 2_000 if b > 100 else 20_000
    omega = draws(b, c, n)
    for s in (0.3 / mean, 3 / mean):
        expected = np.exp(b * (_log_cosh(c / 2) - _log_cosh(np.sqrt(c**2 / 4 + s / 2))))
        values = np.exp(-s * omega)
        assert values.mean() == pytest.approx(expected, abs=4.5 * values.std() / np.sqrt(n) + 1e-15)


def _log_cosh(x):
    return abs(x) + np.log1p(np.exp(-2 * abs(x))) - np.log(2)


@pytest.mark.parametrize(("b", "c"), [case for case in CASES if 0.4 <= case[0] < 100])
def test_mean_and_variance_are_the_closed_forms(b, c):
    omega, n = draws(b, c, seed=1), 20_000
    t = np.tanh(c / 2)
    mean = b / 4 if c == 0 else b * t / (2 * c)
    variance = b / 24 if c == 0 else b / (4 * c**3) * (2 * t - c * (1 - t**2))
    assert omega.mean() == pytest.approx(mean, abs=4.5 * np.sqrt(variance / n))
    assert omega.var() == pytest.approx(variance, abs=4.5 * ((omega - mean) ** 2).std() / np.sqrt(n))


@pytest.mark.parametrize("b", [0.2, 1.0, 3.3, 9.0, 12.0])
def test_the_distribution_is_exact_at_shapes_where_others_are_approximate(b):
    """P(PG(b, 0) <= x) from the Laplace transform, expanded in powers of exp(-2 sqrt(2 s)), term by term."""
    n = np.arange(60)
    log_weight = b * np.log(2) + gammaln(n + b) - gammaln(n + 1) - gammaln(b)

    def probability(x):
        return np.sum((-1.0) ** n * np.exp(log_weight) * erfc((2 * n + b) / np.sqrt(8 * x[:, None])), axis=1)

    omega = draws(b, 0, 40_000, seed=2)
    near = omega[omega < np.quantile(omega, 0.98)]  # terms cancel in the far tail
    assert stats.kstest(near, lambda x: probability(x) / probability(np.array([near.max()]))).pvalue > 1e-3


@pytest.mark.parametrize(("b", "c"), [(0.3, 2.0), (4.6, 0.5), (17.3, 1.0)])
def test_draws_are_distributed_as_long_sums_of_gamma_variates(b, c):
    rng, n, k = np.random.default_rng(3), 4_000, np.arange(1, 301)
    weight = 1 / (2 * np.pi**2 * ((k - 0.5) ** 2 + c**2 / (4 * np.pi**2)))
    rest = b * (1 / (2 * np.pi**2)) / 300  # the mean of what is left out; its deviation is 1e-5 of the sum's
    sums = rng.standard_gamma(b, (n, k.size)) @ weight + rest
    assert stats.ks_2samp(draws(b, c, n, seed=4), sums).pvalue > 1e-3


def test_the_acceptance_never_exceeds_one():
    bounds, rng = envelope(), np.random.default_rng(5)
    for _ in range(400):
        z = rng.gamma(1.0, 1.0)
        h = rng.uniform(0.001, 1) ** 2 * min(10 * np.exp(1.2 * z), 256)
        a = (z / np.sinh(z)) ** 2
        mean = h * np.tanh(z) / z
        excess = [_log_sum(x, h) + a * x / 2 for x in np.linspace(0.05, 2, 100) * (mean + 1)]
        assert max(excess) <= _bound(h, a, z, *bounds) + 1e-9


def test_draws_agree_with_another_exact_sampler_of_whole_shapes():
    other = pytest.importorskip("polyagamma").random_polyagamma
    for b, c in ((1, 0.7), (3, 0.0)):
        theirs = other(b, c, size=10_000, method="devroye", random_state=np.random.default_rng(6))
        assert stats.ks_2samp(draws(b, c, 10_000, seed=7), theirs).pvalue > 1e-3


def test_the_numbers_do_not_depend_on_the_threads_nor_on_the_sign_of_the_tilt():
    rng = np.random.default_rng(8)
    shape, tilt = rng.gamma(2, 2, (3, 7_000)), rng.normal(0, 2, (3, 7_000))
    one, two, mirrored = (
        draw_polyagamma(shape, c, np.random.default_rng(9), n) for c, n in ((tilt, 1), (tilt, 2), (-tilt, 1))
    )
    assert np.array_equal(one, two)
    assert np.array_equal(one, mirrored)
    assert one.shape == shape.shape


def test_a_shape_of_zero_gives_zero_and_what_is_not_finite_gives_nan():
    omega = draw_polyagamma(np.array([0.0, 1, np.nan]), np.array([1.0, np.inf, 0]), np.random.default_rng(0))
    np.testing.assert_array_equal(omega, [0, np.nan, np.nan])
    assert np.isfinite(draws(1e-3, 1e5, 100)).all()
    assert (draws(30.0, 1e5, 100) > 0).all()
