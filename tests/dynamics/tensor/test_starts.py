"""Evidence for dynamics/tensor/starts.py and for fixed and shared modes in dynamics/tensor/hals.py."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import nnls

from dynome.dynamics.tensor.hals import factorize
from dynome.dynamics.tensor.operands.accelerated import TorchOperand
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.penalties import Penalties, smoothness_links
from dynome.dynamics.tensor.starts import constrained, extended, random_factors


def generators(n, seed=0):
    return [np.random.default_rng((seed, k)) for k in range(n)]


def symmetric(seed, noise, n=16, n_time=30, rank=3):
    rng = np.random.default_rng(seed)
    f = rng.random((n, rank)) * (rng.random((n, rank)) > 0.4)
    x = np.einsum("ar,br,cr->abc", f, f, rng.random((n_time, rank)))
    error = rng.standard_normal(x.shape)
    return np.maximum(x + noise * x.std() * (error + error.swapaxes(0, 1)), 0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), noise=st.sampled_from([0.0, 0.1, 0.5]), masked=st.booleans())
def test_modes_that_share_a_factor_have_exactly_one_and_lose_nothing_on_symmetric_data(seed, noise, masked):
    x = symmetric(seed, noise)
    mask = np.broadcast_to(~np.eye(16, dtype=bool)[:, :, None], x.shape) if masked else None
    operand = DenseOperand(x, mask)
    starts = random_factors(x.shape, 3, operand.squared_norm**0.5, generators(6, seed))
    apart = factorize(operand, starts, max_iter=1000, tol=1e-9)
    together = factorize(operand, constrained(starts, {}, [(0, 1)]), max_iter=1000, tol=1e-9, shared=[(0, 1)])
    np.testing.assert_array_equal(together.factors[0], together.factors[1])
    assert (np.diff(together.objective, axis=0)[~np.isnan(np.diff(together.objective, axis=0))] <= 1e-15).all()
    assert together.final_error().min() <= apart.final_error().min() * 1.01 + 1e-6


def test_a_symmetric_matrix_has_one_factor():
    rng = np.random.default_rng(0)
    f = rng.random((30, 3)) * (rng.random((30, 3)) > 0.5)
    x = f @ f.T
    starts = constrained(random_factors(x.shape, 3, np.linalg.norm(x), generators(5)), {}, [(0, 1)])
    fit = factorize(DenseOperand(x), starts, max_iter=2000, tol=1e-13, shared=[(0, 1)])
    assert fit.final_error().min() < 1e-6


def test_data_that_are_not_symmetric_get_the_factor_of_their_symmetric_part():
    x = symmetric(1, 0.3)
    skew = np.random.default_rng(2).random(x.shape) * 0.1
    tilted = np.maximum(x + skew - skew.swapaxes(0, 1), 0)
    even = (tilted + tilted.swapaxes(0, 1)) / 2
    starts = constrained(random_factors(x.shape, 3, np.linalg.norm(x), generators(3)), {}, [(0, 1)])
    a, b = (factorize(DenseOperand(v), starts, max_iter=2000, tol=1e-13, shared=[(0, 1)]) for v in (tilted, even))
    np.testing.assert_allclose(a.factors[0] / a.factors[0].max(), b.factors[0] / b.factors[0].max(), atol=1e-4)


def test_fixed_factors_stay_and_the_free_mode_is_nonnegative_least_squares():
    rng = np.random.default_rng(1)
    x = rng.random((6, 5, 7))
    b, c = rng.random((5, 3)), rng.random((7, 3))
    starts = constrained(random_factors(x.shape, 3, 1.0, generators(2)), {1: b, 2: c}, [])
    fit = factorize(DenseOperand(x), starts, max_iter=2000, tol=0.0, fixed=[1, 2])
    design = np.einsum("br,cr->bcr", b, c).reshape(-1, 3)
    for k in range(2):
        np.testing.assert_array_equal(fit.factors[1][k], b)
        np.testing.assert_array_equal(fit.factors[2][k], c)
        for row, values in zip(fit.factors[0][k], x.reshape(6, -1), strict=True):
            np.testing.assert_allclose(row, nnls(design, values)[0], atol=1e-6)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_the_true_factor_held_in_any_mode_finds_the_others(mode):
    rng = np.random.default_rng(2)
    truth = [rng.random((n, 3)) for n in (12, 6, 10)]
    x = np.einsum("ar,br,cr->abc", *truth)
    starts = constrained(random_factors(x.shape, 3, np.linalg.norm(x), generators(3)), {mode: truth[mode]}, [])
    fit = factorize(DenseOperand(x), starts, max_iter=3000, tol=1e-14, fixed=[mode])
    assert fit.final_error().min() < 1e-7
    for m, f in enumerate(fit.factors):
        best = f[fit.final_error().argmin()]
        cosine = (best * truth[m]).sum(0) / np.linalg.norm(best, axis=0) / np.linalg.norm(truth[m], axis=0)
        assert cosine.min() > 0.999  # in the order of the factor that was given


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), more=st.integers(1, 3))
def test_a_larger_rank_begins_where_the_smaller_ended(seed, more):
    x = np.random.default_rng(seed).random((9, 5, 8))
    operand = DenseOperand(x)
    small = factorize(
        operand, random_factors(x.shape, 2, np.linalg.norm(x), generators(1, seed)), max_iter=50, tol=1e-8
    )
    known = [f[0] for f in small.factors]
    fresh = random_factors(x.shape, 2 + more, np.linalg.norm(x), generators(3, seed))
    begin = extended(known, fresh, 0)
    np.testing.assert_allclose(operand.squared_residual(begin) / operand.squared_norm, small.final_error()[0])
    large = factorize(operand, begin, max_iter=50, tol=1e-8)
    assert (large.final_error() < small.final_error()[0]).all()


def test_without_a_silent_mode_new_components_begin_small():
    x = np.random.default_rng(3).random((6, 6))
    known = [np.ones((6, 1)), np.ones((6, 1))]
    fresh = random_factors(x.shape, 2, np.linalg.norm(x), generators(2))
    begin = extended(known, fresh, None)
    assert 0 < np.linalg.norm(begin[0][0, :, 1]) < np.linalg.norm(fresh[0][0, :, 1])
    np.testing.assert_allclose(begin[0][0, :, 0] * begin[1][0, :, 0], 1.0)


def test_random_starts_have_the_norm_of_the_data():
    factors = random_factors((5, 4, 3), 2, 7.0, generators(3))
    models = np.einsum("kar,kbr,kcr->kabc", *factors)
    np.testing.assert_allclose((models**2).sum((1, 2, 3)), 49.0)


@pytest.mark.parametrize("asked", ["penalties", "shared"])
def test_what_is_asked_gives_the_same_numbers_in_torch(asked):
    pytest.importorskip("torch")
    x = symmetric(4, 0.2)
    starts = random_factors(x.shape, 3, np.linalg.norm(x), generators(2))
    links = smoothness_links(2.0, np.arange(30.0))
    kept = {
        "penalties": {"penalties": Penalties([None, None, links], [0.3, 0.0, 0.0], [0.0, 0.2, 0.0])},
        "shared": {"shared": [(0, 1)]},
    }[asked]
    starts = constrained(starts, {}, kept.get("shared", []))
    ours, theirs = (factorize(op(x), starts, max_iter=12, tol=0.0, **kept) for op in (DenseOperand, TorchOperand))
    np.testing.assert_allclose(theirs.objective, ours.objective, rtol=1e-9)
    np.testing.assert_allclose(theirs.factors[0], ours.factors[0], rtol=1e-5, atol=1e-8)
