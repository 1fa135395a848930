"""Evidence for dynamics/tensor/hals.py: planted factors, tensorly, exact masks, monotone descent."""

from __future__ import annotations

import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dynome.align import cp_similarity, match
from dynome.dynamics.tensor.hals import factorize, regress
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.starts import random_factors

LETTERS = "abcdefg"


def planted(shape, rank=3, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    factors = [rng.random((n, rank)) * (rng.random((n, rank)) > 0.4) for n in shape]
    x = full(factors)
    return x + noise * x.std() * rng.random(shape), factors


def full(factors):
    letters = LETTERS[: len(factors)]
    return np.einsum(",".join(f"{k}r" for k in letters) + "->" + letters, *factors)


def starts(x, rank, n=4, seed=0):
    return random_factors(x.shape, rank, float(np.linalg.norm(x)), [np.random.default_rng((seed, k)) for k in range(n)])


def best(fit):
    final = np.nanmin(fit.error, axis=0)
    k = int(final.argmin())
    return [f[k] for f in fit.factors], final[k]


@pytest.mark.parametrize("shape", [(30, 20), (30, 5, 40), (12, 5, 8, 6), (6, 4, 5, 3, 4)])
def test_planted_factors_are_found_in_tensors_of_any_order(shape):
    x, truth = planted(shape)
    factors, error = best(factorize(DenseOperand(x), starts(x, 3, n=8), max_iter=3000, tol=1e-14))
    assert error < 1e-4
    if len(shape) > 2:  # a matrix has no unique factorisation
        assert match(cp_similarity(truth, factors)).similarity.min() > 0.98


def test_tensorly_finds_no_lower_error():
    from tensorly.decomposition import non_negative_parafac_hals

    x, _ = planted((40, 6, 50), rank=4, noise=0.5)
    _, ours = best(factorize(DenseOperand(x), starts(x, 4, n=5), max_iter=2000, tol=1e-12))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs = [
            non_negative_parafac_hals(
                x, 4, n_iter_max=1000, tol=1e-12, init="random", random_state=k, return_errors=True
            )
            for k in range(3)
        ]
    theirs = min(float(errors[-1]) ** 2 for _, errors in runs)
    assert ours <= theirs * (1 + 1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.integers(2, 4), masked=st.booleans())
def test_the_error_never_rises_and_is_the_error(seed, order, masked):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 7, order))
    x = rng.random(shape)
    mask = (rng.random(shape) > 0.2).astype(float) if masked else None
    if masked:
        x = x * mask
    fit = factorize(DenseOperand(x, mask), starts(x, 2, n=3, seed=seed), max_iter=60, tol=1e-9)
    for k in range(3):
        path = fit.error[:, k][~np.isnan(fit.error[:, k])]
        assert (np.diff(path) <= 1e-15).all()
        residual = (x - full([f[k] for f in fit.factors])) * (1 if mask is None else mask)
        assert path[-1] == pytest.approx((residual**2).sum() / (x**2).sum(), abs=1e-9)
    assert all((f >= 0).all() for f in fit.factors)


@pytest.mark.parametrize("constant", [(), (0,), (0, 1), (2,)])
def test_a_mask_of_size_one_equals_the_mask_written_out(constant):
    x, _ = planted((10, 6, 12), noise=0.3)
    rng = np.random.default_rng(1)
    small = (rng.random([1 if k in constant else n for k, n in enumerate(x.shape)]) > 0.25).astype(float)
    written = np.ascontiguousarray(np.broadcast_to(small, x.shape))
    a = factorize(DenseOperand(x * written, small), starts(x, 3), max_iter=20, tol=0.0)
    b = factorize(DenseOperand(x * written, written), starts(x, 3), max_iter=20, tol=0.0)
    np.testing.assert_allclose(a.error, b.error, rtol=1e-9, atol=1e-13)


def test_a_mask_of_ones_changes_nothing():
    x, _ = planted((10, 6, 12), noise=0.3)
    a = factorize(DenseOperand(x), starts(x, 3), max_iter=20, tol=0.0)
    b = factorize(DenseOperand(x, np.ones(x.shape)), starts(x, 3), max_iter=20, tol=0.0)
    np.testing.assert_allclose(a.error, b.error, rtol=1e-10)


def test_what_is_masked_out_has_no_influence_and_is_predicted():
    x, _ = planted((25, 8, 30))
    mask = (np.random.default_rng(2).random(x.shape) > 0.3).astype(float)
    factors, _ = best(factorize(DenseOperand(x * mask, mask), starts(x, 3, n=8), max_iter=3000, tol=1e-14))
    held_out = mask == 0
    assert ((full(factors) - x)[held_out] ** 2).sum() / (x[held_out] ** 2).sum() < 1e-3


def test_restarts_do_not_know_of_each_other():
    x, _ = planted((10, 6, 12), noise=0.5)
    together = factorize(DenseOperand(x), starts(x, 3, n=4), max_iter=200, tol=1e-8)
    for k in range(4):
        alone = factorize(DenseOperand(x), [f[[k]] for f in starts(x, 3, n=4)], max_iter=200, tol=1e-8)
        np.testing.assert_allclose(alone.error[-1, 0], np.nanmin(together.error[:, k]), rtol=1e-6)


def test_regression_equals_nonnegative_least_squares():
    from scipy.optimize import nnls

    x, truth = planted((9, 5, 7), noise=0.5)
    mask = (np.random.default_rng(3).random(x.shape) > 0.2).astype(float)
    start = [np.zeros((1, 9, 3)), truth[1][None], truth[2][None]]
    ours = regress(DenseOperand(x * mask, mask), start, max_iter=5000)[0]
    design = np.einsum("br,cr->bcr", truth[1], truth[2]).reshape(-1, 3)
    for row, values, seen in zip(ours, x.reshape(9, -1), mask.reshape(9, -1) > 0, strict=True):
        np.testing.assert_allclose(row, nnls(design[seen], values[seen])[0], atol=1e-6)


def test_the_starts_are_not_modified():
    x, _ = planted((5, 4, 6))
    factors = starts(x, 2)
    before = [f.copy() for f in factors]
    factorize(DenseOperand(x), factors, max_iter=5, tol=0.0)
    assert all(np.array_equal(a, b) for a, b in zip(before, factors, strict=True))
