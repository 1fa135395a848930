"""Evidence for dynamics/tensor/operands/dense.py: every product against einsum and brute force, for all data."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.operands.matrices import times_matrix
from dynome.dynamics.tensor.operands.rows import sweep_rows

LETTERS = "abcde"
SHAPES = [(9, 7), (6, 5, 8), (4, 3, 5, 6), (3, 4, 2, 5, 3)]


def factors_of(shape, rank=3, n_restart=2, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((n_restart, n, rank)) for n in shape]


def models(factors):
    letters = LETTERS[: len(factors)]
    return np.einsum(",".join(f"z{k}r" for k in letters) + "->z" + letters, *factors)


def numerators_by_einsum(x, factors, mode):
    letters = LETTERS[: x.ndim]
    others = [m for m in range(x.ndim) if m != mode]
    terms = ",".join([letters, *(f"z{letters[m]}r" for m in others)])
    return np.einsum(f"{terms}->z{letters[mode]}r", x, *(factors[m] for m in others))


def grams_by_brute_force(weights, factors, mode):
    letters = LETTERS[: weights.ndim]
    others = [m for m in range(weights.ndim) if m != mode]
    terms = ",".join([letters, *(f"z{letters[m]}r" for m in others), *(f"z{letters[m]}s" for m in others)])
    parts = [factors[m] for m in others]
    return np.einsum(f"{terms}->z{letters[mode]}rs", weights, *parts, *parts)


def drawn_mask(rng, shape, constant, kind):
    small = [1 if k in constant else n for k, n in enumerate(shape)]
    if kind == "weights":
        return rng.random(small) * (rng.random(small) > 0.3)
    mask = rng.random(small) > 0.3
    return mask if kind == "bool" else mask.astype(float)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_numerators_are_the_products_written_out(shape, dtype, rtol):
    x = np.random.default_rng(1).random(shape).astype(dtype)
    factors = factors_of(shape)
    found = dict(DenseOperand(x).numerators(factors, range(len(shape))))
    assert list(found) == list(range(len(shape)))
    for mode, numerator in found.items():
        assert numerator.dtype == np.float64
        np.testing.assert_allclose(numerator, numerators_by_einsum(x.astype(float), factors, mode), rtol=rtol)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_a_mask_all_rows_share_one_gram_matrix(shape):
    factors = factors_of(shape)
    for mode in range(len(shape)):
        gram = DenseOperand(np.ones(shape)).gram(factors, mode)
        assert gram.shape == (2, 1, 3, 3)
        written_out = grams_by_brute_force(np.ones(shape), factors, mode)
        np.testing.assert_allclose(np.broadcast_to(gram, written_out.shape), written_out, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_factor_that_changes_between_two_modes_is_used_at_once(shape):
    x = np.random.default_rng(1).random(shape)
    factors = factors_of(shape)
    for mode, numerator in DenseOperand(x).numerators(factors, range(len(shape))):
        np.testing.assert_allclose(numerator, numerators_by_einsum(x, factors, mode), rtol=1e-12)
        factors[mode] = factors[mode] + 1.0


def test_only_the_modes_that_are_asked_for_are_made():
    x = np.random.default_rng(1).random((6, 5, 8))
    factors = factors_of(x.shape)
    for modes in ([1], [0, 2], [2], []):
        found = dict(DenseOperand(x).numerators(factors, modes))
        assert list(found) == modes
        for mode in modes:
            np.testing.assert_allclose(found[mode], numerators_by_einsum(x, factors, mode), rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    constant=st.sets(st.integers(0, 3)),
    kind=st.sampled_from(["bool", "zeros and ones", "weights"]),
    rank=st.integers(1, 4),
)
def test_with_any_mask_every_sum_is_the_sum_written_out(seed, shape, constant, kind, rank):
    rng = np.random.default_rng(seed)
    mask = drawn_mask(rng, shape, constant, kind)
    weights = np.broadcast_to(mask, shape).astype(float)
    x, factors = rng.random(shape), factors_of(shape, rank, seed=seed)
    operand = DenseOperand(np.where(weights > 0, x, np.nan), mask)
    assert operand.squared_norm == pytest.approx((weights * x**2).sum(), rel=1e-12)
    np.testing.assert_allclose(
        operand.squared_residual(factors),
        (weights * (x - models(factors)) ** 2).sum(tuple(range(1, x.ndim + 1))),
        rtol=1e-10,
    )
    for mode, numerator in operand.numerators(factors, range(x.ndim)):
        np.testing.assert_allclose(numerator, numerators_by_einsum(weights * x, factors, mode), rtol=1e-10, atol=1e-14)
        gram = np.broadcast_to(operand.gram(factors, mode), (2, shape[mode], rank, rank))
        np.testing.assert_allclose(gram, grams_by_brute_force(weights, factors, mode), rtol=1e-10, atol=1e-14)


def test_weights_of_two_count_an_entry_twice():
    rng = np.random.default_rng(3)
    x, factors = rng.random((4, 3, 5)), factors_of((8, 3, 5))
    twice = DenseOperand(np.concatenate([x, x]))
    once = DenseOperand(x, np.full((1, 1, 1), 2.0))
    halved = [factors[0][:, :4], *factors[1:]]
    doubled = [np.concatenate([halved[0], halved[0]], axis=1), *factors[1:]]
    assert once.squared_norm == pytest.approx(twice.squared_norm)
    np.testing.assert_allclose(once.squared_residual(halved), twice.squared_residual(doubled))
    for mode in (1, 2):
        np.testing.assert_allclose(
            *(dict(o.numerators(f, [mode]))[mode] for o, f in ((once, halved), (twice, doubled)))
        )
        np.testing.assert_allclose(once.gram(halved, mode), twice.gram(doubled, mode))


def test_many_restarts_with_a_full_mask_are_taken_in_groups(monkeypatch):
    rng = np.random.default_rng(4)
    mask, factors = rng.random((6, 5, 7)) > 0.4, factors_of((6, 5, 7), n_restart=7)
    at_once = [DenseOperand(mask * 1.0, mask).gram(factors, m) for m in range(3)]
    monkeypatch.setattr("dynome.dynamics.tensor.operands.masks._GROUP", 400)
    monkeypatch.setattr("dynome.dynamics.tensor.operands.matrices._BLOCK", 16)
    for mode, gram in enumerate(at_once):
        np.testing.assert_allclose(DenseOperand(mask * 1.0, mask).gram(factors, mode), gram, rtol=1e-13)


def test_modes_share_a_product_with_the_mask_only_while_the_factors_are_the_same(monkeypatch):
    from dynome.dynamics.tensor.operands import dense

    made = []

    def counted(left, matrix, *, transposed):
        made.append(transposed)
        return times_matrix(left, matrix, transposed=transposed)

    monkeypatch.setattr(dense, "times_matrix", counted)
    rng = np.random.default_rng(10)
    mask, factors = rng.random((6, 5, 7)) > 0.4, factors_of((6, 5, 7))
    operand = DenseOperand(mask * 1.0, mask)
    for mode in range(3):
        operand.gram(factors, mode)
    assert made == [True, False]
    factors[2] = factors[2] + 1.0
    for mode in range(3):
        expected = grams_by_brute_force(mask.astype(float), factors, mode)
        np.testing.assert_allclose(operand.gram(factors, mode), expected, rtol=1e-12)


def test_what_lies_under_a_mask_of_zero_has_no_influence_and_is_not_changed():
    rng = np.random.default_rng(5)
    mask = rng.random((4, 5, 6)) > 0.3
    clean, dirty = np.where(mask, 1.5, 0.0), np.where(mask, 1.5, np.inf)
    before = dirty.copy()
    operand = DenseOperand(dirty, mask)
    np.testing.assert_array_equal(operand.x, clean)
    np.testing.assert_array_equal(dirty, before)


def test_data_without_missing_entries_are_not_copied():
    x = np.random.default_rng(6).random((4, 5, 6))
    block = np.ones((1, 5, 6))
    block[0, 2, 3] = 0
    assert np.shares_memory(DenseOperand(x).x, x)
    assert np.shares_memory(DenseOperand(x * block, block).x, x) is False
    zeroed = x * block
    assert np.shares_memory(DenseOperand(zeroed, block).x, zeroed)


def test_single_precision_sums_are_kept_in_double_precision():
    x = np.full((200, 100, 50), 0.1, dtype=np.float32)
    operand = DenseOperand(x)
    assert operand.x.dtype == np.float32
    assert operand.squared_norm == pytest.approx(1e6 * float(np.float32(0.1)) ** 2, rel=1e-13)
    exact = [np.full((1, n, 1), v) for n, v in ((200, float(np.float32(0.1))), (100, 1.0), (50, 1.0))]
    assert operand.squared_residual(exact)[0] == 0.0


@pytest.mark.parametrize("n_gram", [1, 40])
def test_sweeps_converge_to_nonnegative_least_squares(n_gram):
    from scipy.optimize import nnls

    rng = np.random.default_rng(7)
    design = rng.random((n_gram, 30, 4))
    target = rng.standard_normal((40, 30)) + 0.3
    gram = np.matmul(design.swapaxes(1, 2), design)[None]
    numerator = np.stack([target[i] @ design[min(i, n_gram - 1)] for i in range(40)])[None]
    factor = rng.random((1, 40, 4))
    sweep_rows(factor, numerator, gram, 2000)
    for i in range(40):
        np.testing.assert_allclose(factor[0, i], nnls(design[min(i, n_gram - 1)], target[i])[0], atol=1e-8)


def test_one_gram_matrix_for_all_rows_equals_the_same_one_a_row():
    rng = np.random.default_rng(8)
    basis = rng.random((3, 9, 5))
    gram = np.matmul(basis.swapaxes(1, 2), basis)[:, None]
    numerator, one = rng.standard_normal((3, 70, 5)), rng.random((3, 70, 5))
    each = one.copy()
    sweep_rows(one, numerator, gram, 3)
    sweep_rows(each, numerator, np.repeat(gram, 70, axis=1), 3)
    np.testing.assert_allclose(one, each, rtol=1e-10, atol=1e-12)


def test_a_component_without_any_weight_stays_as_it_is():
    gram = np.diag([2.0, 0.0])[None, None]
    for rows in (1, 3):
        factor = np.full((1, 3, 2), 0.7)
        sweep_rows(factor, np.ones((1, 3, 2)), np.repeat(gram, rows, axis=1), 1)
        np.testing.assert_allclose(factor[0], [[0.5, 0.7]] * 3)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_boolean_matrix_multiplies_as_numbers_do(transposed):
    rng = np.random.default_rng(9)
    matrix = rng.random((700, 300)) > 0.5
    left = rng.random((4, 300 if transposed else 700))
    wide = matrix.astype(float)
    np.testing.assert_allclose(
        times_matrix(left, matrix, transposed=transposed), left @ (wide.T if transposed else wide), rtol=1e-12
    )
