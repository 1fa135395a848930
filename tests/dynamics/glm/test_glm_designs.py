"""Evidence for dynamics/glm/designs.py: the definition, blocks, sequences, missing values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.dynamics.glm.designs import Design

KERNELS = np.array([[0.7, 0.3], [0.1, 0.9]])
STARTS = np.array([0, 4, 5, 12])


def data(seed=0, n_node=2):
    rng = np.random.default_rng(seed)
    return rng.poisson(1.0, (12, n_node)).astype(float), rng.standard_normal((12, 2))


def by_hand(y, kernels, covariates, starts):
    """The definition, bin by bin."""
    rows = []
    for t in range(y.shape[0]):
        first = starts[np.searchsorted(starts, t, side="right") - 1]
        past = [
            sum(k[lag - 1] * y[t - lag, m] for lag in range(1, k.size + 1) if t - lag >= first)
            for m in range(y.shape[1])
            for k in kernels
        ]
        rows.append([1, *past, *covariates[t]])
    return np.array(rows, float)


@pytest.mark.parametrize("budget", [0, 2**20])
def test_a_design_holds_bias_past_of_every_node_and_covariates(budget):
    y, covariates = data()
    design = Design(y, KERNELS, covariates, STARTS, budget=budget)
    np.testing.assert_allclose(design.block(0, 12), by_hand(y, KERNELS, covariates, STARTS), atol=1e-15)
    assert design.n_feature == 1 + 2 * 2 + 2
    assert design.usable.all()


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(1, 11), seed=st.integers(0, 1000))
def test_blocks_side_by_side_are_the_design(cut, seed):
    y, covariates = data(seed)
    design = Design(y, KERNELS, covariates, STARTS, budget=0)
    np.testing.assert_array_equal(np.concatenate([design.block(0, cut), design.block(cut, 12)]), design.block(0, 12))


def test_a_missing_value_makes_the_bins_it_reaches_unusable_but_not_those_of_the_next_sequence():
    y, covariates = data()
    y[3, 0], y[6, 1], covariates[10, 1] = np.nan, np.nan, np.nan
    design = Design(y, KERNELS, covariates, STARTS)
    assert np.flatnonzero(~design.usable).tolist() == [7, 8, 10]
    assert np.isfinite(design.block(0, 12)).all()
    np.testing.assert_array_equal(design.block(7, 9), [[1, 0, 0, 0, 0, 0, 0]] * 2)


def test_another_kernel_over_the_same_past_is_a_design_of_its_own():
    y, covariates = data()
    design = Design(y, KERNELS, covariates, STARTS)
    before = design.block(0, 12).copy()
    other = design.refiltered(KERNELS[::-1])
    np.testing.assert_allclose(other.block(0, 12), by_hand(y, KERNELS[::-1], covariates, STARTS), atol=1e-15)
    np.testing.assert_array_equal(design.block(0, 12), before)


def test_without_history_or_covariates_there_is_a_bias():
    y, _ = data()
    design = Design(y, np.zeros((0, 0)), np.zeros((12, 0)), STARTS, np.float32)
    assert design.block(2, 5).tolist() == [[1.0]] * 3
    assert design.block(2, 5).dtype == np.float32
