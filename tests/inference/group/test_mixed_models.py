"""Evidence for group/mixed_models.py: closed forms of balanced data, least squares, another implementation."""

import numpy as np
import pytest

from dynome.inference.group.mixed_models import random_intercept

# statsmodels 0.15.0, MixedLM(...).fit(reml=True); errors are those of generalised least squares at its estimates.
# Columns: slope, its error, intraclass correlation.
REFERENCE = {
    0: (0.32335485, 0.22444026, 0.26211204),
    1: (0.71613279, 0.51381895, 0.08928685),
    2: (0.72326649, 0.34290456, 0.60188760),
}


def drawn(seed: int):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 7, 8)
    block = np.repeat(np.arange(8), size)
    x = np.repeat(rng.normal(size=8), size) if seed % 2 else rng.normal(size=block.size)
    y = 1 + 0.5 * x + rng.normal(size=8)[block] * [0, 0.3, 1][seed] + rng.normal(size=block.size)
    return y, np.stack([np.ones(block.size), x], axis=1), block


@pytest.mark.parametrize("seed", REFERENCE)
def test_it_agrees_with_statsmodels_on_unequal_animals(seed):
    y, x, block = drawn(seed)
    found = random_intercept(y[:, None], x, block)
    np.testing.assert_allclose([*found.effect, *found.error, *found.correlation], REFERENCE[seed], rtol=1e-4)


def test_balanced_animals_have_the_variances_of_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(9, 1, 40)) * np.linspace(0.5, 3, 40) + rng.normal(size=(9, 5, 40))
    found = random_intercept(y.reshape(45, 40), np.ones((45, 1)), np.repeat(np.arange(9), 5))
    means = y.mean(axis=1)
    between, within = 5 * means.var(axis=0, ddof=1), y.var(axis=1, ddof=1).mean(axis=0)
    expected = np.maximum((between - within) / 5, 0) / (np.maximum((between - within) / 5, 0) + within)
    inner = expected > 0
    np.testing.assert_allclose(found.correlation[inner], expected[inner], atol=1e-5)
    np.testing.assert_allclose(found.effect, means.mean(axis=0))
    np.testing.assert_allclose(found.error[inner], np.sqrt(between / 45)[inner], rtol=1e-4)


def test_without_a_difference_between_animals_it_is_least_squares():
    rng = np.random.default_rng(1)
    y = np.tile(rng.permutation(np.arange(6.0)), (8, 1)).ravel()  # all animals have the same mean
    x = np.stack([np.ones(48), rng.normal(size=48)], axis=1)
    found = random_intercept(y[:, None], x, np.repeat(np.arange(8), 6))
    beta, rest, *_ = np.linalg.lstsq(x, y, rcond=None)
    assert found.correlation[0] == 0
    np.testing.assert_allclose(found.effect, beta[1])
    np.testing.assert_allclose(found.error, np.sqrt(rest[0] / 46 * np.linalg.inv(x.T @ x)[1, 1]))


def test_one_session_an_animal_says_nothing_of_animals():
    rng = np.random.default_rng(2)
    y = rng.normal(size=(7, 2))
    found = random_intercept(y, np.ones((7, 1)), np.arange(7))
    assert np.isnan(found.correlation).all()
    np.testing.assert_allclose(found.error, y.std(axis=0, ddof=1) / 7**0.5)


def test_many_variables_are_each_fitted_as_if_alone():
    rng = np.random.default_rng(3)
    _, x, block = drawn(2)
    y = rng.normal(size=(block.size, 5)) + rng.normal(size=(8, 5))[block]
    together = random_intercept(y, x, block)
    for k in range(5):
        np.testing.assert_allclose(
            np.ravel(random_intercept(y[:, [k]], x, block)), [part[k] for part in together], rtol=1e-4
        )
