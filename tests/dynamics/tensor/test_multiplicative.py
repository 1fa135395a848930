"""Evidence for dynamics/tensor/multiplicative.py: descent, scipy, scikit-learn, planted counts, exact masks."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize

from dynome.align import cp_similarity, match
from dynome.dynamics.tensor import hals
from dynome.dynamics.tensor.divergences import Totals, data_terms, exponent, mean_divergence, ratios
from dynome.dynamics.tensor.multiplicative import factorize
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.operands.slabs import Slab
from dynome.dynamics.tensor.starts import random_factors
from dynome.errors import InputError

LETTERS = "abcdefg"
BETAS = (-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


def full(factors):
    letters = LETTERS[: len(factors)]
    return np.einsum(",".join(f"{k}r" for k in letters) + "->" + letters, *factors)


def counts(shape, rank=3, mean=4.0, seed=0):
    rng = np.random.default_rng(seed)
    factors = [rng.gamma(1.0, 1.0, (n, rank)) * (rng.random((n, rank)) > 0.4) for n in shape]
    rate = full(factors)
    return rng.poisson(rate * mean / rate.mean()).astype(float), factors


def starts(x, rank, n=3, seed=0):
    return random_factors(x.shape, rank, float(np.linalg.norm(x)), [np.random.default_rng((seed, k)) for k in range(n)])


def divergence(x, v, beta, weight=1.0):
    """The definition, entry by entry."""
    x, v = np.broadcast_arrays(x, v)
    if beta == 1:
        entries = np.where(x > 0, x * np.log(np.where(x > 0, x, 1) / v), 0) - x + v
    elif beta == 0:
        entries = x / v - np.log(x / v) - 1
    else:
        entries = (x**beta + (beta - 1) * v**beta - beta * x * v ** (beta - 1)) / (beta * (beta - 1))
    return float((weight * entries).sum())


class InSlabs(DenseOperand):
    """The same tensor, told in pieces."""

    def slabs(self):
        for k in range(0, self.shape[0], 3):
            rows = slice(k, min(k + 3, self.shape[0]))
            mask = self.mask if self.mask is None or self.mask.shape[0] == 1 else self.mask[rows]
            yield Slab(rows, self.x[rows], mask)


@pytest.mark.parametrize("beta", [-1.0, 0.0, 0.5, 1.0, 1.5, 3.0])
def test_the_parts_of_a_divergence_add_up_to_its_definition(beta):
    rng = np.random.default_rng(0)
    x, v, weight = rng.random((3, 20)) + 0.1
    attract, repel, loss = ratios(weight * x, v.copy(), weight, beta)
    if beta == 1:
        loss += float((weight * v).sum())
    assert loss + data_terms(x, weight, beta) == pytest.approx(divergence(x, v, beta, weight))
    np.testing.assert_allclose(attract, weight * x * v ** (beta - 2))
    np.testing.assert_allclose(weight if repel is None else repel, weight * v ** (beta - 1))
    known = Totals(weight.sum(), float(weight @ x), data_terms(x, weight, beta))
    constant = np.average(x, weights=weight)
    assert mean_divergence(known, beta) == pytest.approx(divergence(x, constant, beta, weight))


def test_exponents_are_those_of_the_majorization():
    assert [exponent(b) for b in (0.0, 0.5, 1.0, 2.0, 3.0)] == pytest.approx([1 / 2, 2 / 3, 1.0, 1.0, 1 / 2])


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), order=st.integers(2, 4), beta=st.sampled_from(BETAS), masked=st.sampled_from("nbf")
)
def test_the_divergence_never_rises_and_is_the_divergence(seed, order, beta, masked):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 7, order))
    x = rng.random(shape) + 0.05
    mask = None
    if masked != "n":
        mask = (rng.random(shape if masked == "f" else (1, *shape[1:])) > 0.2).astype(float)
        mask.flat[0] = 1.0
    seen = np.broadcast_to(1.0 if mask is None else mask, shape)
    start = starts(x, 2, seed=seed)
    fit = factorize(InSlabs(x, mask), start, beta=beta, max_iter=30, tol=1e-9)
    constant = np.average(x, weights=seen)
    reference = divergence(x, 0 * x, beta, seen) if beta == 2 else divergence(x, constant, beta, seen)
    for k in range(3):
        path = fit.error[:, k][~np.isnan(fit.error[:, k])]
        assert (np.diff(path) <= 1e-12 * path[:-1]).all()
        model = full([f[k] for f in fit.factors])
        assert path[-1] == pytest.approx(divergence(x, model, beta, seen) / reference, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.5])
def test_scipy_finds_no_lower_divergence_nearby(beta):
    x, _ = counts((4, 3, 3), rank=2)
    x += beta < 1
    begin = starts(x, 2, n=3)
    fit = factorize(DenseOperand(x), begin, beta=beta, max_iter=600, tol=1e-11)
    k = int(np.nanmin(fit.error, axis=0).argmin())
    ours = [f[k] for f in fit.factors]
    sizes = np.cumsum([2 * n for n in x.shape])[:-1]

    def loss(theta):
        return divergence(x, full([f.reshape(-1, 2) for f in np.split(theta, sizes)]), beta)

    found = minimize(loss, np.concatenate([f.ravel() for f in ours]), bounds=[(1e-10, None)] * 20).fun
    assert divergence(x, full(ours), beta) <= found * (1 + 1e-4)


def test_a_matrix_gives_the_divergence_that_scikit_learn_finds():
    from sklearn.decomposition import NMF

    x, _ = counts((20, 15))
    start = starts(x, 3, n=1)
    peer = NMF(3, solver="mu", beta_loss="kullback-leibler", init="custom", max_iter=5000, tol=1e-7)
    w = peer.fit_transform(x, W=start[0][0].copy(), H=start[1][0].T.copy())
    fit = factorize(DenseOperand(x), starts(x, 3, n=1), beta=1.0, max_iter=2000, tol=1e-10)
    ours = divergence(x, full([f[0] for f in fit.factors]), 1.0)
    assert ours == pytest.approx(divergence(x, np.maximum(w @ peer.components_, 1e-200), 1.0), rel=1e-3)


def test_planted_rates_of_counts_are_found_and_better_than_by_least_squares():
    x, truth = counts((40, 12, 30), mean=0.5, seed=1)
    start = starts(x, 3, n=4)
    poisson = factorize(DenseOperand(x), start, beta=1.0, max_iter=60, tol=1e-6)
    squares = hals.factorize(DenseOperand(x), start, max_iter=60, tol=1e-6)
    found = []
    for fit in (poisson, squares):
        k = int(np.nanmin(fit.error, axis=0).argmin())
        found.append(match(cp_similarity(truth, [f[k] for f in fit.factors])).similarity.mean())
    assert found[0] > 0.85
    assert found[0] > found[1]


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("constant", [(), (0,), (0, 1), (2,)])
def test_what_is_masked_out_has_no_influence(beta, constant):
    x, _ = counts((9, 6, 7))
    x += beta < 1
    shape = [1 if k in constant else n for k, n in enumerate(x.shape)]
    mask = (np.random.default_rng(1).random(shape) > 0.25).astype(float)
    seen = np.broadcast_to(mask, x.shape)
    fit = factorize(DenseOperand(x, mask), starts(x, 2), beta=beta, max_iter=20, tol=0.0)
    written = factorize(DenseOperand(x, np.array(seen)), starts(x, 2), beta=beta, max_iter=20, tol=0.0)
    np.testing.assert_allclose(fit.error, written.error, rtol=1e-8)
    model = full([f[0] for f in fit.factors])
    scale = (x**2 * seen).sum() / 2 if beta == 2 else divergence(x, np.average(x, weights=seen), beta, seen)
    assert fit.error[-1, 0] == pytest.approx(divergence(x, model, beta, seen) / scale)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_a_weight_of_two_counts_an_entry_twice(beta):
    x, _ = counts((6, 5, 4))
    x += beta < 1
    weight = np.ones((6, 1, 1))
    weight[2] = 2.0
    twice = np.concatenate([x, x[2:3]])
    start = starts(x, 2)
    again = [np.concatenate([start[0], start[0][:, 2:3]], axis=1), *start[1:]]
    a = factorize(DenseOperand(x, weight), start, beta=beta, max_iter=15, tol=0.0)
    b = factorize(DenseOperand(twice), again, beta=beta, max_iter=15, tol=0.0)
    np.testing.assert_allclose(a.factors[1], b.factors[1], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_the_unit_of_the_data_changes_only_the_size_of_the_factors(beta):
    x, _ = counts((8, 5, 6))
    x += beta < 1
    a = factorize(DenseOperand(x), starts(x, 2), beta=beta, max_iter=20, tol=0.0)
    b = factorize(DenseOperand(1000 * x), starts(1000 * x, 2), beta=beta, max_iter=20, tol=0.0)
    np.testing.assert_allclose(a.error, b.error, rtol=1e-8)
    np.testing.assert_allclose(10 * a.factors[0], b.factors[0], rtol=1e-4)


def test_restarts_do_not_know_of_each_other():
    x, _ = counts((10, 6, 12))
    together = factorize(DenseOperand(x), starts(x, 3, n=4), beta=1.0, max_iter=200, tol=1e-6)
    for k in range(4):
        alone = factorize(DenseOperand(x), [f[[k]] for f in starts(x, 3, n=4)], beta=1.0, max_iter=200, tol=1e-6)
        np.testing.assert_allclose(alone.error[-1, 0], np.nanmin(together.error[:, k]), rtol=1e-9)


def test_squared_error_reaches_the_optimum_of_hals():
    x, _ = counts((12, 6, 10))
    slow = factorize(DenseOperand(x), starts(x, 3, n=5), beta=2.0, max_iter=500, tol=1e-8)
    fast = hals.factorize(DenseOperand(x), starts(x, 3, n=5), max_iter=2000, tol=1e-10)
    assert np.nanmin(slow.error) == pytest.approx(np.nanmin(fast.error), rel=1e-3)


def test_a_row_without_counts_goes_to_nothing():
    x, _ = counts((8, 5, 6))
    x[3] = 0.0
    fit = factorize(DenseOperand(x), starts(x, 2), beta=1.0, max_iter=50, tol=0.0)
    assert fit.factors[0][:, 3].max() < 1e-8
    assert fit.factors[0][:, 2].max() > 1e-2


def test_a_constant_tensor_has_error_near_zero():
    x = np.full((5, 4, 3), 2.0)
    fit = factorize(DenseOperand(x), starts(x, 1), beta=1.0, max_iter=50, tol=1e-10)
    assert np.isfinite(fit.error).all()
    np.testing.assert_allclose(full([f[0] for f in fit.factors]), x, rtol=1e-5)


def test_the_starts_are_not_modified():
    x, _ = counts((5, 4, 6))
    factors = starts(x, 2)
    before = [f.copy() for f in factors]
    factorize(DenseOperand(x), factors, beta=1.0, max_iter=5, tol=0.0)
    assert all(np.array_equal(a, b) for a, b in zip(before, factors, strict=True))


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_fixed_modes_stay_and_the_rest_fits_them(beta):
    x, _ = counts((8, 5, 6))
    known = starts(x, 2)
    whole = factorize(DenseOperand(x), known, beta=beta, max_iter=300, tol=1e-9)
    again = [starts(x, 2, seed=5)[0], *whole.factors[1:]]
    fit = factorize(DenseOperand(x), again, beta=beta, max_iter=500, tol=1e-11, fixed=[1, 2])
    assert all(np.array_equal(a, b) for a, b in zip(fit.factors[1:], again[1:], strict=True))
    np.testing.assert_allclose(np.nanmin(fit.error, axis=0), np.nanmin(whole.error, axis=0), rtol=1e-4)


def test_zeros_are_refused_where_the_divergence_would_be_infinite():
    x, _ = counts((6, 5, 4))
    with pytest.raises(InputError, match=rf"needs data above 0, found {(x == 0).sum()} entries that are 0"):
        factorize(DenseOperand(x), starts(x, 2), beta=0.0, max_iter=5, tol=0.0)
    fit = factorize(DenseOperand(np.where(x > 0, x, np.nan), x > 0), starts(x, 2), beta=0.0, max_iter=5, tol=0.0)
    assert np.isfinite(fit.error).all()
