"""Evidence for working.py: the likelihood is the mean of its working likelihoods, at every law and temperature."""

from typing import get_args

import numpy as np
import pytest

from dynome.inference.biclustering.augmentation import working
from dynome.inference.biclustering.model import Data, Law
from dynome.inference.biclustering.observations import pointwise_log_likelihood
from dynome.inference.biclustering.poisson import poisson_log_ratio, stand_in

LAWS = get_args(Law)


@pytest.mark.parametrize("temperature", [1.0, 0.35])
@pytest.mark.parametrize("law", LAWS)
def test_the_mean_of_working_likelihoods_is_the_likelihood(law, temperature):
    """E exp(-precision (psi'^2 - psi^2) / 2 + linear (psi' - psi)) = (p(y | psi') / p(y | psi)) ^ temperature."""
    n, psi, moved, dispersion = 40_000, 0.4, 0.9, np.array([1.7])
    for value in (0.0, 1.0):
        data = Data(np.full((1, n), value), np.array([0, n]), law)
        precision, linear = working(
            data, np.full((1, n), psi), dispersion, np.random.default_rng(0), temperature=temperature
        )
        ratios = np.exp(-precision * (moved**2 - psi**2) / 2 + linear * (moved - psi))
        y, here, there = (np.array([[x]]) for x in (value, psi, moved))
        expected = pointwise_log_likelihood(y, there, law, dispersion) - pointwise_log_likelihood(
            y, here, law, dispersion
        )
        if law == "poisson":
            expected -= poisson_log_ratio(y, there, here, stand_in(y))
        tolerance = 4.5 * ratios.std() / np.sqrt(n) + 1e-12
        assert ratios.mean() == pytest.approx(np.exp(temperature * expected.item()), abs=tolerance)


@pytest.mark.parametrize("law", LAWS)
def test_missing_bins_and_missing_nodes_say_nothing(law):
    y = np.array([[0, np.nan, 1, 0], [np.nan] * 4, [0.0] * 4])
    data = Data(y, np.array([0, 4]), law)
    work = working(data, np.full((3, 4), -30.0), np.full(3, 0.01), np.random.default_rng(0))
    for part in work:
        assert np.isfinite(part).all()
        assert (part[np.isnan(y)] == 0).all()
    assert (work.precision[~np.isnan(y)] > 0).all()


def test_gaussian_observations_need_no_auxiliary_variables():
    y = np.array([[1.0, -2.0], [0.5, 3.0]])
    work = working(
        Data(y, np.array([0, 2]), "gaussian"), y, np.array([4.0, 0.5]), np.random.default_rng(0), temperature=0.5
    )
    np.testing.assert_allclose(work.precision, [[0.125, 0.125], [1, 1]])
    np.testing.assert_allclose(work.linear, work.precision * y)


def test_the_numbers_do_not_depend_on_the_threads():
    rng = np.random.default_rng(1)
    data = Data(rng.poisson(2.0, (6, 5_000)).astype(float), np.array([0, 5_000]), "negative_binomial")
    psi = rng.normal(size=data.y.shape)
    one, two = (working(data, psi, np.full(6, 2.0), np.random.default_rng(2), n_threads=n) for n in (1, 2))
    assert np.array_equal(one.precision, two.precision)
    assert np.array_equal(one.linear, two.linear)
