"""Evidence for dynamics/glm/fisher.py: optimisers of others, one large joint solve, steps that stay within reason."""

import numpy as np
import pytest
import scipy.optimize
from sklearn.linear_model import PoissonRegressor, Ridge

from dynome.dynamics.glm.designs import Design
from dynome.dynamics.glm.fisher import Penalty, direction
from dynome.dynamics.glm.passes import Problem, curvature, emission

STARTS = np.array([0, 400])


def ridge(p, precision=2.0):
    penalty = Penalty(0.1 + np.zeros_like(p.coefficient), np.full_like(p.coefficient, precision))
    penalty.precision[:, :, 0] = 0
    return penalty


def climbed(p, penalty, *, n_steps=15, shared_bias=False):
    at = np.zeros_like(p.coefficient)
    if p.problem.link == "identity" and p.problem.law == "poisson":
        at[:, :, 0] = 1
    for _ in range(n_steps):
        found = curvature(p.problem, at, p.dispersion, p.weight)
        at = at + direction(found, at, penalty, p.problem.free, shared_bias=shared_bias).step
    return at


def objective(p, penalty, at):
    value = emission(p.problem, at, p.dispersion, p.weight).expected
    return value - 0.5 * (penalty.precision * (at - penalty.mean) ** 2).sum(axis=2)


@pytest.mark.parametrize(
    ("law", "link"),
    [
        ("poisson", "softplus"),
        ("poisson", "exp"),
        ("bernoulli", "sigmoid"),
        ("negative_binomial", "softplus"),
        ("gaussian", "identity"),
    ],
)
def test_steps_end_where_bfgs_ends(make_population, law, link):
    p = make_population(law, link, n_node=2, n_state=1)
    penalty = ridge(p)
    at = climbed(p, penalty)

    def loss(flat):
        x = flat.reshape(p.coefficient.shape)
        slope = curvature(p.problem, x, p.dispersion, p.weight).score - penalty.precision * (x - penalty.mean)
        return -objective(p, penalty, x).sum(), -slope.ravel()

    best = scipy.optimize.minimize(loss, np.zeros(at.size), jac=True, method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(at.ravel(), best.x, atol=1e-6)


def test_an_exponential_poisson_glm_is_that_of_scikit_learn(make_population):
    p = make_population("poisson", "exp", n_state=1)
    weight = p.weight * np.linspace(0.1, 1, 400)[:, None]
    p = p._replace(weight=weight)
    penalty = Penalty(np.zeros_like(p.coefficient), np.full_like(p.coefficient, 3.0))
    penalty.precision[:, :, 0] = 0
    at, x = climbed(p, penalty), p.problem.design.block(0, 400)[:, 1:]
    for node in range(3):
        peer = PoissonRegressor(alpha=3.0 / weight.sum(), tol=1e-10, max_iter=10_000, solver="newton-cholesky")
        peer.fit(x, p.problem.y[:, node], sample_weight=weight[:, 0])
        np.testing.assert_allclose(at[0, node], [peer.intercept_, *peer.coef_], atol=1e-6)


def test_a_gaussian_problem_is_solved_in_one_step_however_far_it_is(make_population):
    p = make_population("gaussian", "identity", n_state=1)
    y = 1e4 + p.problem.y
    design = Design(p.problem.y, p.problem.design.kernels, p.problem.design.covariates, p.problem.design.starts)
    p = p._replace(problem=Problem(design, y, "gaussian", "identity", p.problem.free), weight=np.ones((400, 1)))
    penalty = Penalty(np.zeros_like(p.coefficient), np.full_like(p.coefficient, 5.0))
    penalty.precision[:, :, 0] = 0
    at = climbed(p, penalty, n_steps=1)
    for node in range(3):
        peer = Ridge(alpha=5.0 * p.dispersion[0, node], solver="cholesky").fit(design.block(0, 400)[:, 1:], y[:, node])
        np.testing.assert_allclose(at[0, node], [peer.intercept_, *peer.coef_], rtol=1e-6, atol=1e-4)


def test_a_shared_bias_takes_the_step_of_the_joint_problem(make_population):
    p = make_population(n_state=3)
    penalty, found = ridge(p), curvature(*p)
    step, slope = direction(found, p.coefficient, penalty, p.problem.free, shared_bias=True)
    n = p.coefficient.shape[2]
    for node in range(3):
        joint, right = np.zeros((1 + 3 * (n - 1),) * 2), np.zeros(1 + 3 * (n - 1))
        for s in range(3):
            own = np.r_[0, 1 + s * (n - 1) + np.arange(n - 1)]
            joint[np.ix_(own, own)] += found.information[s, node] + np.diag(penalty.precision[s, node])
            right[own] += (found.score - penalty.precision * (p.coefficient - penalty.mean))[s, node]
        wanted = np.linalg.solve(joint, right)
        np.testing.assert_allclose(step[:, node, 0], wanted[0], rtol=1e-6)
        np.testing.assert_allclose(step[:, node, 1:].ravel(), wanted[1:], rtol=1e-6, atol=1e-8)
        assert slope[:, node].sum() == pytest.approx(right @ wanted, rel=1e-6)


@pytest.mark.parametrize("shared_bias", [False, True])
def test_what_is_not_free_stays_and_the_rest_is_solved_without_it(make_population, shared_bias):
    p = make_population()
    free = np.ones_like(p.problem.free)
    free[1, 2:4] = False
    penalty, found = ridge(p), curvature(*p)
    step = direction(found, p.coefficient, penalty, free, shared_bias=shared_bias).step
    assert (step[:, 1, 2:4] == 0).all()
    left = np.r_[0, 1, 4 : free.shape[1]]
    less = found._replace(
        score=found.score[:, 1:2][:, :, left], information=found.information[:, 1:2][:, :, left][:, :, :, left]
    )
    smaller = Penalty(penalty.mean[:, 1:2][:, :, left], penalty.precision[:, 1:2][:, :, left])
    alone = direction(less, p.coefficient[:, 1:2][:, :, left], smaller, free[:1, left], shared_bias=shared_bias).step
    np.testing.assert_allclose(step[:, 1][:, left], alone[:, 0], rtol=1e-9, atol=1e-12)


def test_the_scale_of_a_feature_does_not_matter(make_population):
    p = make_population()
    scale = np.geomspace(1e-4, 1e4, p.coefficient.shape[2])
    scale[0] = 1
    found, nothing = curvature(*p), Penalty(np.zeros_like(p.coefficient), np.zeros_like(p.coefficient))
    wanted = direction(found, p.coefficient, nothing, p.problem.free, shared_bias=False).step
    scaled = found._replace(score=found.score * scale, information=found.information * np.outer(scale, scale))
    step = direction(scaled, p.coefficient / scale, nothing, p.problem.free, shared_bias=False).step
    np.testing.assert_allclose(step * scale, wanted, rtol=1e-5, atol=1e-9)


def test_features_that_never_vary_or_are_twins_do_no_harm():
    rng = np.random.default_rng(0)
    y, one = rng.poisson(1.0, (400, 2)).astype(float), rng.standard_normal((400, 1))
    covariates = np.concatenate([np.zeros((400, 1)), one, one], axis=1)
    design = Design(y, np.array([[1.0]]), covariates, STARTS)
    problem = Problem(design, y, "poisson", "softplus", np.ones((2, design.n_feature), bool))
    at, ones = np.zeros((1, 2, design.n_feature)), np.ones((1, 2))
    nothing = Penalty(at, at)
    for _ in range(8):
        found = curvature(problem, at, ones, np.ones((400, 1)))
        step, slope = direction(found, at, nothing, problem.free, shared_bias=False)
        at = at + step
    assert (at[:, :, 3] == 0).all()
    np.testing.assert_allclose(at[:, :, 4], at[:, :, 5], atol=1e-6)
    assert np.abs(step).max() < 1e-6
    assert (slope > -1e-12).all()


def test_a_state_without_bins_has_no_direction(make_population):
    p = make_population()
    weight = np.stack([np.ones(400), np.zeros(400)], axis=1)
    found = curvature(p.problem, p.coefficient, p.dispersion, weight)
    nothing = Penalty(np.zeros_like(p.coefficient), np.zeros_like(p.coefficient))
    step, slope = direction(found, p.coefficient, nothing, p.problem.free, shared_bias=False)
    assert (step[1] == 0).all()
    assert (slope[1] == 0).all()


@pytest.mark.parametrize("link", ["exp", "softplus"])
def test_a_rate_that_is_far_too_low_is_approached_and_not_overshot(make_population, link):
    """A full Newton step from a rate of 1e-6 would be a million; a silent node goes down a step at a time."""
    p = make_population("poisson", link, n_state=1)
    y = p.problem.y.copy()
    y[:, 2] = 0
    problem = Problem(p.problem.design, y, "poisson", link, p.problem.free)
    nothing = Penalty(np.zeros_like(p.coefficient), np.zeros_like(p.coefficient))
    at = np.zeros_like(p.coefficient)
    at[:, :, 0] = np.log(1e-6)
    x, ones = problem.design.block(0, 400), np.ones((400, 1))
    for _ in range(40):
        step = direction(curvature(problem, at, p.dispersion, ones), at, nothing, problem.free, shared_bias=False).step
        changes = np.einsum("tp,snp->tsn", x, step)
        assert np.sqrt((changes**2).mean(axis=0)).max() < 6
        at = at + step
    rate = np.einsum("tp,snp->tsn", x, at)
    mean = np.exp(rate) if link == "exp" else np.logaddexp(0, rate)
    np.testing.assert_allclose(mean.mean(axis=0)[0, :2], y[:, :2].mean(axis=0), rtol=0.05)
    assert mean[:, 0, 2].max() < 1e-6
