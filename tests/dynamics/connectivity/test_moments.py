"""Evidence for connectivity/moments.py and measures.py: numpy, pandas, exact merging, hard numerical cases."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from dynome.dynamics.connectivity.measures import correlation, covariance
from dynome.dynamics.connectivity.moments import (
    complete_moments,
    gram,
    masked_moments,
    merge_moments,
    pair_moments,
)
from dynome.errors import InputError

seeds = st.integers(0, 2**32 - 1)


def gappy(seed: int, n_time: int = 40, n_node: int = 6, share: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_time, n_node)) @ rng.standard_normal((n_node, n_node)) + 10 * rng.standard_normal(n_node)
    x[rng.random(x.shape) < share] = np.nan
    return x


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_pairwise_complete_moments_are_those_of_pandas(seed):
    x = gappy(seed)
    pairs, frame = pair_moments(x), pd.DataFrame(x)
    np.testing.assert_allclose(correlation(pairs, min_samples=3), frame.corr(min_periods=3), atol=1e-10)
    np.testing.assert_allclose(covariance(pairs, min_samples=3), frame.cov(min_periods=3), rtol=1e-9, atol=1e-10)
    here = frame.notna().to_numpy().astype(int)
    np.testing.assert_array_equal(pairs.n, here.T @ here)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, cuts=st.lists(st.integers(1, 39), max_size=5, unique=True), share=st.sampled_from([0.0, 0.3, 0.8]))
def test_moments_of_any_pieces_merge_into_those_of_the_whole(seed, cuts, share):
    x = gappy(seed, share=share)
    whole, *parts = (pair_moments(part) for part in (x, *np.split(x, sorted(cuts))))
    merged = parts[0]
    for part in parts[1:]:
        merged = merge_moments(merged, part)
    np.testing.assert_array_equal(np.broadcast_to(merged.n, (6, 6)), np.broadcast_to(whole.n, (6, 6)))
    np.testing.assert_allclose(correlation(merged), correlation(whole), atol=1e-10)
    np.testing.assert_allclose(covariance(merged), covariance(whole), atol=1e-9)


def test_pieces_in_which_a_column_is_wholly_missing_merge():
    x = gappy(0)
    x[:20, 0] = np.nan
    merged = merge_moments(pair_moments(x[:20]), pair_moments(x[20:]))
    np.testing.assert_allclose(correlation(merged), correlation(pair_moments(x)), atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, share=st.sampled_from([0.0, 0.3]))
def test_two_sets_of_columns_give_a_block_of_the_joint_matrix(seed, share):
    x = gappy(seed, share=share)
    block, whole = pair_moments(x[:, :2], x[:, 2:]), pair_moments(x)
    np.testing.assert_allclose(correlation(block), correlation(whole)[:2, 2:], atol=1e-11)


def test_a_stack_is_its_members_one_by_one():
    stack = np.stack([gappy(k) for k in range(3)])
    np.testing.assert_allclose(
        correlation(pair_moments(stack)), [correlation(pair_moments(x)) for x in stack], atol=1e-13
    )


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_weighted_moments_are_those_of_numpy_with_aweights(share):
    x, weights = gappy(1, share=share), np.random.default_rng(1).random(40) + 0.1
    pairs = masked_moments(x, None, weights)
    for i, j in ((0, 1), (2, 5), (3, 3)):
        both = np.isfinite(x[:, i]) & np.isfinite(x[:, j])
        expected = np.cov(x[both][:, [i, j]].T, aweights=weights[both], ddof=0) * weights[both].sum()
        assert pairs.product[i, j] == pytest.approx(expected[0, 1])
        assert pairs.square_x[i, j] == pytest.approx(expected[0, 0])
    if share == 0:
        np.testing.assert_allclose(complete_moments(x, None, weights).product, pairs.product, atol=1e-10)


def test_an_offset_of_a_billion_costs_nothing():
    x = np.random.default_rng(0).integers(-(2**20), 2**20, (200, 4)) / 2**20
    np.testing.assert_allclose(correlation(pair_moments(x + 2.0**30)), np.corrcoef(x.T), atol=1e-12)


def test_a_spike_that_a_partner_does_not_see_costs_no_digits():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    x[7, 0], x[7, 1] = 1e9, np.nan
    both = np.delete(x, 7, axis=0)
    r = correlation(pair_moments(x))
    assert r[0, 1] == pytest.approx(np.corrcoef(both[:, 0], both[:, 1])[0, 1], abs=1e-12)
    assert r[0, 2] == pytest.approx(np.corrcoef(x[:, 0], x[:, 2])[0, 1], abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9 / 3])
def test_a_constant_column_has_no_correlation_and_zero_covariance(value):
    x = gappy(0, share=0)
    x[:, 2] = value
    pairs = pair_moments(x)
    assert np.isnan(correlation(pairs)[2]).all()
    assert np.isnan(correlation(pairs)[:, 2]).all()
    assert np.isfinite(np.delete(np.delete(correlation(pairs), 2, 0), 2, 1)).all()
    assert (covariance(pairs)[2] == 0).all()


def test_a_column_that_is_constant_where_its_partner_is_there_has_no_correlation_with_it():
    x = gappy(3, share=0)
    x[:, 0] = 0.1
    x[:5, 0] = np.arange(5)
    x[:5, 1] = np.nan
    whole = correlation(pair_moments(x))
    merged = correlation(merge_moments(pair_moments(x[:13]), pair_moments(x[13:])))
    for r in (whole, merged):
        assert np.isnan([r[0, 1], r[1, 0]]).all()
        assert np.isfinite([r[0, 2], r[1, 2], r[0, 0]]).all()


def test_the_diagonal_is_exactly_one_and_the_matrix_exactly_symmetric():
    x = gappy(4, n_time=200, share=0)
    for dtype in (np.float32, np.float64):
        r = correlation(pair_moments(x.astype(dtype)))
        assert (np.diag(r) == 1).all()
        assert (r == r.T).all()
        assert np.abs(r).max() <= 1


@pytest.mark.parametrize("n_time", [10, 300])
def test_gram_is_the_product_of_every_pair_of_columns(n_time):
    x = np.random.default_rng(0).standard_normal((2, n_time, 5))
    np.testing.assert_allclose(gram(x), np.einsum("bti,btj->bij", x, x))


def test_picotesla_in_single_precision_do_not_vanish():
    x = np.random.default_rng(0).standard_normal((300, 4))
    r = correlation(pair_moments((x * 1e-13).astype(np.float32)))
    np.testing.assert_allclose(r, np.corrcoef(x.T), atol=1e-5)


def test_infinite_values_are_refused():
    x = gappy(0, share=0)
    x[3, 1] = np.inf
    with pytest.raises(InputError, match="1 values are infinite; mark missing samples as NaN"):
        pair_moments(x)
