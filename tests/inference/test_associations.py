"""Evidence for inference/pairs.py and inference/associations.py: scipy and sklearn on the dense matrices."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from sklearn.metrics import roc_auc_score

from dynome.inference.associations import association, prepared, strength
from dynome.inference.pairs import known_pairs, pair_number, summed, wired_pairs

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("n_node", [2, 3, 10])
@pytest.mark.parametrize("ordered", [True, False])
def test_pairs_are_numbered_in_the_order_of_the_known_ones(n_node, ordered):
    pairs = known_pairs(np.zeros((n_node, n_node)), ordered=ordered)
    number = pair_number(pairs.source, pairs.target, n_node, ordered=ordered)
    np.testing.assert_array_equal(number, np.arange(n_node * (n_node - 1) // (1 if ordered else 2)))
    if not ordered:
        np.testing.assert_array_equal(number, pair_number(pairs.target, pairs.source, n_node, ordered=False))


def case(seed: int, ordered: bool, negative: bool) -> tuple:
    """Functional connectivity with gaps, edges with repeats and loops, and the same as dense arrays over pairs."""
    rng = np.random.default_rng(seed)
    n = 12
    fc = rng.standard_normal((n, n)).round(1)
    fc = fc if ordered else fc + fc.T
    gap = rng.random((n, n)) < 0.1
    fc[gap if ordered else gap | gap.T] = np.nan
    source, target = rng.integers(0, n, (2, 40))
    weight = rng.integers(-4 if negative else 0, 6, 40)
    dense = np.zeros((n, n))
    np.add.at(dense, (source, target), weight)
    wired = np.zeros((n, n), dtype=bool)
    wired[source, target] = True
    if not ordered:
        dense, wired = dense + dense.T, wired | wired.T
    pairs = known_pairs(fc, ordered=ordered)
    at = (pairs.source, pairs.target)
    return pairs, wired_pairs(source, target, weight, pairs), dense[at], wired[at]


@settings(max_examples=40, deadline=None)
@given(seed=seeds, ordered=st.booleans(), negative=st.booleans())
def test_sparse_sums_give_what_scipy_and_sklearn_give_on_all_pairs(seed, ordered, negative):
    pairs, wired, weight, connected = case(seed, ordered, negative)
    np.testing.assert_array_equal(np.flatnonzero(connected), wired.pair)
    np.testing.assert_allclose(weight[connected], wired.weight)
    y = np.sign(weight) * np.log1p(np.abs(weight))
    expected = {
        "pearson": scipy.stats.pearsonr(y, pairs.fc)[0],
        "spearman": scipy.stats.spearmanr(y, pairs.fc)[0],
        "auc": roc_auc_score(connected, pairs.fc),
    }
    for measure, value in expected.items():
        assert association(wired, prepared(pairs.fc, measure), measure) == pytest.approx(value, abs=1e-10)


@pytest.mark.parametrize("measure", ["spearman", "pearson", "auc"])
def test_what_does_not_vary_has_no_association(measure):
    pairs = known_pairs(np.random.default_rng(0).standard_normal((5, 5)), ordered=True)
    nothing = summed(np.zeros(0, dtype=np.int64), np.zeros(0))
    everything = summed(np.arange(20), np.full(20, 3.0))
    for wired in (nothing, everything):
        assert np.isnan(association(wired, prepared(pairs.fc, measure), measure))


def test_strength_keeps_zero_and_sign():
    np.testing.assert_allclose(strength(np.array([0.0, np.e - 1, 1 - np.e])), [0, 1, -1])
