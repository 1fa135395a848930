"""Evidence for glm/variances.py: inverses by hand, coefficients that do not exist, and what nothing is known of."""

from __future__ import annotations

import numpy as np
import pytest

from dynome.dynamics.glm.variances import shared_variance, summed_variance


@pytest.fixture
def matrices():
    x = np.random.default_rng(0).standard_normal((2, 3, 30, 4))
    return np.einsum("sntp,sntq->snpq", x, x), np.full((2, 3, 4), 0.5)


def test_variances_are_the_diagonal_of_the_inverse(matrices):
    information, precision = matrices
    expected = np.linalg.inv(information + 0.5 * np.eye(4))
    free = np.ones((3, 4), dtype=bool)
    np.testing.assert_allclose(
        summed_variance(information, precision, free), np.einsum("snpp->snp", expected), rtol=1e-8
    )
    sums = np.array([[1.0, 1, 0, 0], [0, 0, 1, -1]])
    by_hand = np.einsum("kp,snpq,kq->snk", sums, expected, sums)
    np.testing.assert_allclose(summed_variance(information, precision, free, sums), by_hand, rtol=1e-8)


def test_coefficients_that_do_not_exist_are_known(matrices):
    information, precision = matrices
    free = np.array([[True, True, False, True]] * 3)
    found = summed_variance(information, precision, free)
    use = [0, 1, 3]
    expected = np.linalg.inv(information[:, :, use][..., use] + 0.5 * np.eye(3))
    assert (found[:, :, 2] == 0).all()
    np.testing.assert_allclose(found[:, :, use], np.einsum("snpp->snp", expected), rtol=1e-8)


def test_nothing_known_is_an_infinite_variance(matrices):
    information, _ = matrices
    information[:, :, 1] = information[:, :, :, 1] = 0
    found = summed_variance(
        information, np.zeros((2, 3, 4)), np.ones((3, 4), dtype=bool), np.eye(4)[:2] + np.eye(4)[1:3]
    )
    assert np.isinf(found).all()


def test_one_gram_for_all_targets_is_exact_where_targets_differ_by_a_factor(matrices):
    gram = matrices[0][:, 0]
    share = np.array([[0.5, 1.0, 2.0]] * 2)
    information = share[:, :, None, None] * gram[:, None]
    free = np.ones((3, 4), dtype=bool)
    none = np.zeros((2, 3, 4))
    np.testing.assert_allclose(
        shared_variance(gram, share, none, free), summed_variance(information, none, free), rtol=1e-6
    )
