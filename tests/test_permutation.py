"""Evidence for permutation.py: closed forms, the size of the test, missing draws."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings

from dynome.inference import permutation_p_value, q_value, z_score


def test_the_observed_statistic_is_one_of_the_draws():
    assert permutation_p_value(10.0, np.zeros(99)) == 1 / 100
    assert permutation_p_value(-1.0, np.zeros(99)) == 1
    assert permutation_p_value(1.0, [0.0, 1.0, 2.0]) == 3 / 4


def test_equal_statistics_that_differ_in_the_last_digit_count_as_equal():
    assert permutation_p_value(0.3, [0.1 + 0.2 - 1e-16, 0.3 * (1 - 1e-15)]) == 1


def test_under_the_null_small_p_values_are_no_more_common_than_they_should_be():
    draws = np.random.default_rng(0).standard_normal((20000, 20))
    p = permutation_p_value(draws[:, 0], draws[:, 1:])
    for alpha in (0.05, 0.1, 0.5):
        assert (p <= alpha).mean() == pytest.approx(alpha, abs=0.012)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 30))
def test_z_is_the_distance_in_standard_deviations(seed, n):
    null = np.random.default_rng(seed).standard_normal((3, n))
    np.testing.assert_allclose(z_score(null[:, 0], null), scipy.stats.zscore(null, axis=1, ddof=1)[:, 0])


def test_missing_draws_are_left_out_and_nothing_is_made_of_nothing():
    nan = np.nan
    assert permutation_p_value(1.0, [0.0, nan, 2.0]) == 2 / 3
    assert z_score(3.0, [-1.0, 0.0, 1.0, nan]) == 3
    np.testing.assert_array_equal(permutation_p_value([nan, 1.0], [[0.0, 1.0], [nan, nan]]), [nan, nan])
    np.testing.assert_array_equal(z_score([1.0, 1.0], [[2.0, 2.0], [nan, 1.0]]), [nan, nan])


@settings(max_examples=20, deadline=None)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_false_discovery_rates_follow_the_step_up_rule(p):
    p = np.array(p)
    by_size = np.sort(p)
    closed = [min(by_size[k] * p.size / (k + 1) for k in range(int((by_size < v).sum()), p.size)) for v in p]
    np.testing.assert_allclose(q_value(p), np.minimum(closed, 1.0))


def test_a_test_that_was_not_done_does_not_count():
    p = np.array([[0.01, np.nan], [0.04, 0.5]])
    np.testing.assert_allclose(q_value(p), [[0.03, np.nan], [0.06, 0.5]])
    assert np.isnan(q_value([np.nan])).all()
