"""Evidence for dynamics/glm/preconditioned.py: it does what Fisher scoring does, without its matrices."""

import numpy as np
import pytest

from dynome.dynamics.glm import preconditioned
from dynome.dynamics.glm.fisher import Penalty, direction
from dynome.dynamics.glm.passes import curvature, emission
from dynome.dynamics.glm.preconditioned import preconditioned_direction, shared_curvature


def ridge(p, precision=2.0):
    penalty = Penalty(np.zeros_like(p.coefficient), np.full_like(p.coefficient, precision))
    penalty.precision[:, :, 0] = 0
    return penalty


def step_of(p, penalty, *, shared_bias=False):
    shared = shared_curvature(p.problem, p.coefficient, p.dispersion, p.weight)
    return preconditioned_direction(p.problem, shared, penalty, shared_bias=shared_bias)


def test_value_and_gradient_are_exact(make_population):
    p = make_population(missing=0.01)
    shared, exact = shared_curvature(p.problem, *p[1:]), curvature(p.problem, *p[1:])
    np.testing.assert_allclose(shared.value, exact.value, rtol=1e-13)
    np.testing.assert_allclose(shared.score, exact.score, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(shared.total, exact.information[:, :, 0, 0], rtol=1e-11)


def test_the_shared_matrix_is_the_mean_information_over_targets(make_population, monkeypatch):
    monkeypatch.setattr(preconditioned, "_MINOR", 0.0)
    p = make_population(missing=0.01)
    shared, exact = shared_curvature(p.problem, *p[1:]), curvature(p.problem, *p[1:])
    np.testing.assert_allclose(shared.gram, exact.information.mean(axis=1), rtol=1e-10, atol=1e-10)


def test_bins_that_stand_for_the_others_give_nearly_the_same_curvature(make_population):
    p = make_population(n_bin=4000)
    shared, exact = shared_curvature(p.problem, *p[1:]), curvature(p.problem, *p[1:])
    assert np.count_nonzero(shared.major) < 0.9 * np.count_nonzero(p.weight)
    np.testing.assert_allclose(shared.major.sum(axis=0), p.weight.sum(axis=0))
    scale = np.abs(exact.information).max()
    np.testing.assert_allclose(shared.gram, exact.information.mean(axis=1), atol=0.03 * scale)


@pytest.mark.parametrize("shared_bias", [False, True])
@pytest.mark.parametrize(("law", "link"), [("poisson", "softplus"), ("gaussian", "identity"), ("bernoulli", "sigmoid")])
def test_iterated_long_enough_the_step_is_the_fisher_step(make_population, monkeypatch, law, link, shared_bias):
    monkeypatch.setattr(preconditioned, "_MINOR", 0.0)
    monkeypatch.setattr(preconditioned, "_ITERATIONS", 30)
    p = make_population(law, link)
    p.problem.free[1, 3] = False
    penalty, found = ridge(p), curvature(p.problem, *p[1:])
    exact = direction(found, p.coefficient, penalty, p.problem.free, shared_bias=shared_bias)
    near = step_of(p, penalty, shared_bias=shared_bias)
    np.testing.assert_allclose(near.step, exact.step, atol=1e-7)
    np.testing.assert_allclose(near.slope.sum(axis=0), exact.slope.sum(axis=0), rtol=1e-6)
    assert (near.step[:, 1, 3] == 0).all()


@pytest.mark.parametrize("shared_bias", [False, True])
def test_two_iterations_gain_nearly_what_a_fisher_step_gains(make_population, shared_bias):
    p = make_population("poisson", "softplus", n_bin=2000, n_node=5)
    penalty = ridge(p)
    exact = direction(curvature(p.problem, *p[1:]), p.coefficient, penalty, p.problem.free, shared_bias=shared_bias)
    near = step_of(p, penalty, shared_bias=shared_bias)

    def gain(step):
        at = p.coefficient + step
        value = emission(p.problem, at, p.dispersion, p.weight).expected.sum()
        return value - 0.5 * (penalty.precision * at**2).sum()

    assert gain(near.step) - gain(0) > 0.98 * (gain(exact.step) - gain(0))
    assert (near.slope.sum(axis=0) >= 0).all()
    if shared_bias:
        np.testing.assert_allclose(np.ptp(near.step[:, :, 0], axis=0), 0, atol=1e-14)


def test_without_room_for_the_weights_of_bins_they_are_made_anew(make_population, monkeypatch):
    p = make_population(missing=0.01)
    kept = step_of(p, ridge(p)).step
    monkeypatch.setattr(preconditioned, "_KEPT", 0)
    np.testing.assert_allclose(step_of(p, ridge(p)).step, kept, rtol=1e-9, atol=1e-12)


def test_a_state_without_bins_has_no_direction(make_population):
    p = make_population()
    weight = np.stack([np.ones(400), np.zeros(400)], axis=1)
    nothing = Penalty(np.zeros_like(p.coefficient), np.zeros_like(p.coefficient))
    step, slope = step_of(p._replace(weight=weight), nothing)
    assert (step[1] == 0).all()
    assert (slope[1] == 0).all()
    assert (slope[0] > 0).all()


def test_a_rate_that_is_far_too_low_is_approached_and_not_overshot(make_population):
    p = make_population("poisson", "exp", n_state=1)
    nothing = Penalty(np.zeros_like(p.coefficient), np.zeros_like(p.coefficient))
    at = np.zeros_like(p.coefficient)
    at[:, :, 0] = np.log(1e-6)
    step = step_of(p._replace(coefficient=at, weight=np.ones((400, 1))), nothing).step
    change = np.einsum("tp,snp->tsn", p.problem.design.block(0, 400), step)
    np.testing.assert_allclose(np.sqrt((change**2).mean(axis=0)), 3, rtol=0.05)


def test_single_precision_gives_nearly_the_same_step(make_population):
    one, other = make_population(n_bin=2000), make_population(n_bin=2000, dtype=np.float32)
    np.testing.assert_allclose(step_of(other, ridge(other)).step, step_of(one, ridge(one)).step, atol=1e-4)
