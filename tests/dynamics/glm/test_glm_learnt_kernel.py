"""Evidence for dynamics/glm/learnt_kernel.py: recovery, an optimiser of others, never downhill."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.dynamics.glm.designs import Design
from dynome.dynamics.glm.learnt_kernel import updated_kernel
from dynome.dynamics.glm.passes import Problem, emission

START = np.array([[0.4, 0.3, 0.3]])


def value(p, kernel):
    problem = Problem(p.problem.design.refiltered(kernel[None]), p.problem.y, p.problem.law, p.problem.link, None)
    return emission(problem, *p[1:]).expected.sum()


@pytest.mark.parametrize(("law", "link"), [("poisson", "softplus"), ("gaussian", "identity"), ("bernoulli", "sigmoid")])
def test_steps_lead_to_the_best_kernel_that_sums_to_one(make_population, law, link):
    p = make_population(law, link, kernels=START, missing=0.01)
    kernel = START[0]
    for _ in range(8):
        kernel = updated_kernel(p.problem, kernel, *p[1:])
    best = scipy.optimize.minimize(
        lambda k: -value(p, np.array([*k, 1 - sum(k)])), START[0, :2], method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-9, "maxiter": 2000},
    )  # fmt: skip
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel[:2], best.x, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.1, 1.0]))
def test_observations_never_become_less_probable(make_population, seed, scale):
    p = make_population("poisson", "exp", seed=seed, kernels=START, n_bin=120, scale=scale)
    kernel = updated_kernel(p.problem, START[0], *p[1:])
    assert value(p, kernel) >= value(p, START[0]) * (1 + 1e-13)
    assert kernel.sum() == pytest.approx(1)


def test_a_kernel_that_made_the_spikes_is_found_again():
    rng, truth = np.random.default_rng(0), np.array([0.5, 0.1, 0.4])
    coefficient = np.array([[[-0.5, 0.8, -1.0], [-0.2, 1.0, 0.5]]])
    y = np.zeros((20_000, 2))
    for t in range(3, y.shape[0]):
        eta = coefficient[0, :, 0] + coefficient[0, :, 1:] @ (truth @ y[t - 3 : t][::-1])
        y[t] = rng.poisson(np.logaddexp(0, eta))
    design = Design(y, START, np.zeros((y.shape[0], 0)), np.array([0, y.shape[0]]))
    problem, kernel = Problem(design, y, "poisson", "softplus", np.ones((2, 3), bool)), START[0]
    for _ in range(5):
        kernel = updated_kernel(problem, kernel, coefficient, np.ones((1, 2)), np.ones((y.shape[0], 1)))
    np.testing.assert_allclose(kernel, truth, atol=0.03)


def test_without_couplings_there_is_nothing_to_learn(make_population):
    p = make_population(kernels=START)
    nothing = np.zeros_like(p.coefficient)
    np.testing.assert_array_equal(updated_kernel(p.problem, START[0], nothing, p.dispersion, p.weight), START[0])


def test_single_precision_learns_the_same_kernel(make_population):
    one, other = make_population(kernels=START), make_population(kernels=START, dtype=np.float32)
    single = updated_kernel(other.problem, START[0], *other[1:])
    np.testing.assert_allclose(single, updated_kernel(one.problem, START[0], *one[1:]), atol=1e-3)
