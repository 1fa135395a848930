"""Evidence for generation/populations.py and conditions.py: densities, noise, calibration, columns."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from dynome.errors import InputError
from dynome.inference.generation import conditions as told
from dynome.inference.generation.populations import log_density, population, removal


def people(n, n_pair=45, seed=0, effect=1.0):
    """One strong shared direction, an effect of the condition, white noise."""
    rng = np.random.default_rng(seed)
    direction, slope = (np.random.default_rng(k).standard_normal(n_pair) for k in (7, 8))
    c = rng.uniform(size=(n, 1))
    x = 0.3 * rng.standard_normal((n, 1)) * direction + effect * c * slope + 0.2 * rng.standard_normal((n, n_pair))
    return x, c


def fitted(n=60, **kw):
    x, c = people(n, **kw)
    return population(x, c, None, np.random.default_rng(0)), x, c


def test_the_density_is_that_of_the_gaussian_written_out():
    model, x, c = fitted(20)
    k = len(model.loadings)
    root = model.noise_root()
    covariance = root @ root.T + model.loadings.T @ (0.5 * np.eye(k)) @ model.loadings
    shift = np.full(k, 0.3)
    expected = [
        multivariate_normal(mean=m + shift @ model.loadings, cov=covariance).logpdf(v)
        for v, m in zip(x, model.expected(c), strict=True)
    ]
    found = log_density(model, x, c, np.broadcast_to(shift, (20, 2, k)), 0.5 * np.eye(k))
    np.testing.assert_allclose(found, np.stack([expected, expected], axis=1), rtol=1e-8)


def test_noise_that_is_drawn_has_the_covariance_that_the_density_takes():
    model, _, _ = fitted(40)
    drawn = model.noise_draws(20000, np.random.default_rng(0))
    root = model.noise_root()
    np.testing.assert_allclose(np.sqrt(np.diag(root @ root.T)), model.noise, rtol=1e-10)
    np.testing.assert_allclose(np.cov(drawn.T), root @ root.T, atol=0.06 * float(model.noise.max() ** 2))


def test_the_variance_of_every_pair_is_that_of_people_within_conditions():
    model, x, c = fitted(60)
    total = (model.loadings**2).sum(axis=0) + model.noise**2
    np.testing.assert_allclose(total, np.var(x - model.expected(c), axis=0), rtol=0.1)


def test_directions_are_not_as_wide_as_they_seem_among_the_people_fitted():
    x = np.random.default_rng(1).standard_normal((30, 300))  # noise only: 300 pairs, no direction is special
    model = population(x, np.zeros((30, 0)), None, np.random.default_rng(0))
    seeming = np.linalg.svd(x - x.mean(axis=0))[1][0] ** 2 / 29
    assert seeming > 10
    assert (model.loadings**2).sum(axis=1).max(initial=0) < 2


def test_what_is_left_after_removal_correlates_with_no_condition():
    x, c = people(40)
    rest = x - (c - c.mean()) @ removal(x, c, c.mean(axis=0))
    np.testing.assert_allclose((c - c.mean()).T @ rest, 0, atol=1e-10)


def test_shrunk_effects_predict_other_people_better_than_plain_ones():
    x, c = people(25, effect=0.1)
    model = population(x, c, None, np.random.default_rng(0))
    plain = removal(x, c, model.center)
    new, d = people(400, seed=5, effect=0.1)
    errors = [np.square(new - model.mean - (d - model.center) @ slope).sum() for slope in (model.trend, plain)]
    assert errors[0] < errors[1]


def test_a_spline_is_straight_beyond_its_knots_and_bends_between_them():
    values = {"age": np.linspace(0, 10, 50)}
    (age,) = told.described(values)
    at = {"age": np.array([-3.0, -2, -1, 11, 12, 13])}
    found = told.columns((age,), at, 6)
    np.testing.assert_allclose(np.diff(found[:3], 2, axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(found[3:], 2, axis=0), 0, atol=1e-9)
    assert np.ptp(np.diff(told.columns((age,), values, 50)[:, 1], 2)) > 1e-5


def test_conditions_that_cannot_be_used_are_told():
    with pytest.raises(InputError, match="'sex' is 'F' for everybody"):
        told.described({"sex": np.array(["F", "F"])})
    with pytest.raises(InputError, match="'site' has one member only in 'B'"):
        told.described({"site": np.array(["A", "A", "B"])})
    with pytest.raises(InputError, match="'age' is missing for 1 of 2"):
        told.conditions_of(["age"], {"age": np.array([1.0, np.nan])}, 2, "cannot")
    with pytest.raises(InputError, match="'sex' is 'X', the model knows 'F', 'M'"):
        told.columns((told.Condition("sex", ("F", "M")),), {"sex": np.array(["X"])}, 1)
