"""Evidence for dynamics/tensor/penalties.py: closed forms, a general optimiser, scale freedom, descent."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize

from dynome.dynamics.tensor.hals import factorize, regress
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.penalties import (
    Penalties,
    any_penalty,
    no_penalties,
    on_operand,
    penalised_block,
    penalty_value,
    smoothness_links,
)
from dynome.dynamics.tensor.starts import random_factors

SHAPE = (14, 4, 9)


def penalties(length=0.0, sparsity=(0.0, 0.0, 0.0), orthogonality=(0.0, 0.0, 0.0), n=SHAPE[0]):
    links = smoothness_links(length, np.arange(float(n))) if length else None
    return Penalties([links, None, None], list(sparsity), list(orthogonality))


def tensor(seed, shape=SHAPE, rank=3):
    rng = np.random.default_rng(seed)
    a, b, c = (rng.random((n, rank)) for n in shape)
    return np.maximum(np.einsum("ar,br,cr->abc", a, b, c) + 0.3 * rng.standard_normal(shape), 0)


def unit(n, seed):
    f = np.random.default_rng(seed).random(n)
    return f / np.linalg.norm(f)


def alone(values, b, c, penalties):
    """The first factor of a rank-1 model, the others held."""
    start = [np.zeros((1, values.size, 1)), b[None, :, None], c[None, :, None]]
    x = np.einsum("a,b,c->abc", values, b, c)
    return regress(DenseOperand(x), start, max_iter=4000, penalties=penalties)[0, :, 0]


def test_a_component_alone_is_smoothed_by_a_two_sided_exponential_of_the_length_asked_for():
    n, step, length = 801, 0.1, 3.0
    pulse = np.zeros(n)
    pulse[400] = 1.0
    links = smoothness_links(length, np.arange(n) * step)
    found = alone(pulse, unit(3, 0), unit(4, 1), Penalties([links, None, None], [0.0] * 3, [0.0] * 3))
    t = (np.arange(n) - 400) * step
    np.testing.assert_allclose(found[200:601], (np.exp(-abs(t) / length) / (2 * length) * step)[200:601], rtol=0.01)


def test_an_irregular_clock_weighs_each_step_by_its_length():
    positions = np.array([0.0, 1.0, 1.5, 4.0])
    values = np.array([3.0, 1.0, 2.0, 4.0])
    links = smoothness_links(0.7, positions)
    difference = np.diff(np.eye(4), axis=0)
    expected = np.linalg.solve(np.eye(4) + difference.T @ np.diag(links) @ difference, values)
    found = alone(values, unit(3, 0), unit(4, 1), Penalties([links, None, None], [0.0] * 3, [0.0] * 3))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(links * np.diff(positions) * 1.0, 0.7**2)


def test_loadings_below_the_threshold_vanish_and_the_others_fall_by_it():
    values = np.array([5.0, 3.0, 0.4, 0.2, 0.0])
    found = alone(values, unit(3, 0), unit(4, 1), penalties(sparsity=(0.5, 0, 0), n=5))
    np.testing.assert_allclose(found, np.maximum(values - 0.5 * found.mean(), 0), atol=1e-12)
    assert (found == 0).tolist() == [False, False, True, True, True]


def test_strong_orthogonality_leaves_each_label_to_one_component():
    x = tensor(0, (20, 6, 15))
    starts = random_factors(x.shape, 3, np.linalg.norm(x), [np.random.default_rng(k) for k in range(4)])
    asked = penalties(orthogonality=(0, 0, 3.0), n=20)
    fit = factorize(DenseOperand(x), starts, max_iter=500, tol=1e-10, penalties=asked)
    assert all(((f > 1e-9).sum(1) <= 1).all() for f in fit.factors[2])


@pytest.mark.parametrize("asked", [penalties(2.0), penalties(sparsity=(0.7, 0, 0)), penalties(1.5, (0.4, 0, 0))])
def test_regression_under_penalties_equals_a_general_optimiser(asked):
    rng = np.random.default_rng(3)
    b, c = rng.random((SHAPE[1], 3)), rng.random((SHAPE[2], 3))
    x = tensor(4)
    held = [b[None], c[None]]
    ours = regress(DenseOperand(x), [np.zeros((1, SHAPE[0], 3)), *held], max_iter=400, penalties=asked)

    def cost(flat):
        a = flat.reshape(SHAPE[0], 3)
        residual = x - np.einsum("ar,br,cr->abc", a, b, c)
        gradient = -2 * np.einsum("abc,br,cr->ar", residual, b, c)
        size = (b**2).sum(0) * (c**2).sum(0)
        if asked.links[0] is not None:
            gradient += (
                2 * size * np.diff(np.diag(asked.links[0]) @ np.diff(a, axis=0), axis=0, prepend=0, append=0) * -1
            )
        gradient += 2 * size * asked.sparsity[0] / SHAPE[0] * a.sum(0)
        return (residual**2).sum() + penalty_value(asked, [a[None], *held])[0], gradient.ravel()

    start = rng.random(SHAPE[0] * 3)
    reference = minimize(
        cost, start, jac=True, bounds=[(0, None)] * start.size, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9}
    )
    assert cost(ours.ravel())[0] <= reference.fun * (1 + 1e-9)
    np.testing.assert_allclose(ours[0].ravel(), reference.x, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.sampled_from([0.0, 0.5, 4.0]),
    sparsity=st.tuples(*[st.sampled_from([0.0, 0.3, 2.0])] * 3),
    orthogonality=st.tuples(*[st.sampled_from([0.0, 0.2, 2.0])] * 3),
    masked=st.booleans(),
)
def test_the_penalised_cost_never_rises_and_is_the_cost(seed, length, sparsity, orthogonality, masked):
    x = tensor(seed)
    mask = np.random.default_rng(seed).random(SHAPE) > 0.15 if masked else None
    operand = DenseOperand(x, mask)
    asked = penalties(length, sparsity, orthogonality)
    starts = random_factors(SHAPE, 3, operand.squared_norm**0.5, [np.random.default_rng((seed, k)) for k in range(2)])
    fit = factorize(operand, starts, max_iter=40, tol=1e-9, penalties=asked)
    for k in range(2):
        path = fit.objective[:, k][~np.isnan(fit.objective[:, k])]
        assert (np.diff(path) <= 1e-13).all()
        own = [f[[k]] for f in fit.factors]
        cost = operand.squared_residual(own) + penalty_value(asked, own)
        assert path[-1] == pytest.approx(cost[0] / operand.squared_norm, rel=1e-9)
    assert all((f >= 0).all() and np.isfinite(f).all() for f in fit.factors)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e3), moved=st.integers(0, 2))
def test_penalties_do_not_depend_on_how_a_component_splits_its_size(seed, scale, moved):
    rng = np.random.default_rng(seed)
    factors = [rng.random((1, n, 3)) for n in SHAPE]
    asked = penalties(2.0, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    other = [f.copy() for f in factors]
    other[moved][..., 1] *= scale
    other[(moved + 1) % 3][..., 1] /= scale
    np.testing.assert_allclose(penalty_value(asked, other), penalty_value(asked, factors), rtol=1e-9)


def test_the_block_of_one_mode_is_the_cost_up_to_a_constant_and_touches_it_at_the_start():
    rng = np.random.default_rng(5)
    factors = [rng.random((1, n, 3)) for n in SHAPE]
    asked = penalties(2.0, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    for mode in range(3):
        block = penalised_block(asked, factors, mode, np.zeros((1, 1, 3, 3)), np.eye(3))

        def surrogate(f, block=block):
            value = np.einsum("nr,rs,ns->", f[0], block.gram[0, 0], f[0])
            value += block.threshold * (block.size[0] * f[0].sum(0) ** 2).sum()
            if block.links is not None:
                value += (block.size[0] * block.links[:, None] * np.diff(f[0], axis=0) ** 2).sum()
            return value

        def cost(f, mode=mode):
            return float(penalty_value(asked, [f if m == mode else g for m, g in enumerate(factors)])[0])

        here = factors[mode]
        for size in (1e-6, 0.3):
            there = here + size * rng.standard_normal(here.shape)
            rise, bound = cost(there) - cost(here), surrogate(there) - surrogate(here)
            assert rise <= bound + 1e-12
        small = here + 1e-6 * rng.standard_normal(here.shape)
        assert cost(small) - cost(here) == pytest.approx(surrogate(small) - surrogate(here), rel=1e-3, abs=1e-10)


def test_torch_tensors_give_the_numbers_of_numpy():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    factors = [rng.random((2, n, 3)) for n in SHAPE]
    asked = penalties(2.0, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))

    class Torch:
        asarray = staticmethod(torch.as_tensor)

    there = on_operand(asked, Torch)
    held = [torch.as_tensor(f) for f in factors]
    np.testing.assert_allclose(penalty_value(there, held).numpy(), penalty_value(asked, factors), rtol=1e-12)
    gram = np.zeros((2, 1, 3, 3))
    for mode in range(3):
        ours = penalised_block(asked, factors, mode, gram, np.eye(3))
        theirs = penalised_block(there, held, mode, torch.as_tensor(gram), torch.eye(3, dtype=torch.float64))
        np.testing.assert_allclose(theirs.gram.numpy(), ours.gram, rtol=1e-12)


def test_nothing_asked_is_no_penalty():
    assert not any_penalty(no_penalties(3))
    assert any_penalty(penalties(1.0))
    assert any_penalty(penalties(orthogonality=(0, 1.0, 0)))
    assert float(penalty_value(no_penalties(2), [np.ones((1, 3, 2)), np.ones((1, 4, 2))])[0]) == 0
