"""Evidence for dynamics/tensor/lbfgs.py: the gradient, the optimum of HALS, masks, fixed modes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from dynome.dynamics.tensor import hals, lbfgs
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.starts import random_factors


def tensor(shape=(12, 5, 9), rank=3, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    a, b, c = (rng.random((n, rank)) * (rng.random((n, rank)) > 0.4) for n in shape)
    x = np.einsum("ar,br,cr->abc", a, b, c)
    return x + noise * x.std() * rng.random(shape)


def masks(shape):
    rng = np.random.default_rng(1)
    return {
        "none": None,
        "block": rng.random((1, *shape[1:])) > 0.2,
        "any": rng.random(shape) > 0.2,
        "weights": rng.random((shape[0], 1, 1)) + 0.1,
    }


def starts(x, rank=3, n=4):
    return random_factors(x.shape, rank, float(np.linalg.norm(x)), [np.random.default_rng(k) for k in range(n)])


@pytest.mark.parametrize("kind", ["none", "block", "any", "weights"])
def test_the_gradient_is_the_slope_of_the_cost(kind):
    x = tensor((4, 3, 5))
    operand = DenseOperand(x, masks(x.shape)[kind])
    at = starts(x, 2, n=1)

    def unpacked(theta):
        return [f.reshape(1, -1, 2) for f in np.split(theta, [8, 14])]

    def cost(theta):
        return lbfgs.cost_and_slope(operand, unpacked(theta), range(3))[0]

    def slope(theta):
        return np.concatenate([s.ravel() for s in lbfgs.cost_and_slope(operand, unpacked(theta), range(3))[1]])

    theta = np.concatenate([f.ravel() for f in at])
    assert check_grad(cost, slope, theta) < 1e-6 * np.linalg.norm(slope(theta))
    assert cost(theta) == pytest.approx(float(operand.squared_residual(at)[0]) / operand.squared_norm)


@pytest.mark.parametrize("kind", ["none", "block", "any", "weights"])
def test_it_reaches_the_optimum_of_hals(kind):
    x = tensor()
    operand = DenseOperand(x, masks(x.shape)[kind])
    ours = lbfgs.factorize(operand, starts(x), max_iter=2000, tol=1e-11)
    hals_fit = hals.factorize(operand, starts(x), max_iter=2000, tol=1e-11)
    assert np.nanmin(ours.error) == pytest.approx(np.nanmin(hals_fit.error), rel=1e-4)
    assert ours.converged.all()
    assert all((f >= 0).all() for f in ours.factors)


def test_the_error_never_rises_and_is_the_error():
    x = tensor()
    fit = lbfgs.factorize(DenseOperand(x), starts(x), max_iter=100, tol=1e-9)
    for k in range(4):
        path = fit.error[:, k][~np.isnan(fit.error[:, k])]
        assert (np.diff(path) <= 0).all()
        residual = x - np.einsum("ar,br,cr->abc", *(f[k] for f in fit.factors))
        assert path[-1] == pytest.approx((residual**2).sum() / (x**2).sum(), rel=1e-9)


def test_a_larger_tolerance_stops_earlier_and_a_bound_on_iterations_is_kept():
    x = tensor()
    steps = [
        lbfgs.factorize(DenseOperand(x), starts(x, n=1), max_iter=500, tol=tol).error.shape[0] for tol in (1e-2, 1e-9)
    ]
    assert steps[0] < steps[1]
    short = lbfgs.factorize(DenseOperand(x), starts(x), max_iter=3, tol=0.0)
    assert short.error.shape == (3, 4)
    assert not short.converged.any()


def test_fixed_modes_stay_and_starts_are_not_modified():
    x = tensor()
    begin = starts(x)
    before = [f.copy() for f in begin]
    fit = lbfgs.factorize(DenseOperand(x), begin, max_iter=50, tol=1e-9, fixed=[1])
    assert np.array_equal(fit.factors[1], begin[1])
    assert not np.array_equal(fit.factors[0], begin[0])
    assert all(np.array_equal(a, b) for a, b in zip(before, begin, strict=True))
