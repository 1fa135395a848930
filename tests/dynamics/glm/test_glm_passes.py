"""Evidence for dynamics/glm/passes.py: laws of scipy, finite differences, naive sums, and what must not matter."""

import tracemalloc

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.dynamics.glm import information, passes
from dynome.dynamics.glm.designs import Design
from dynome.dynamics.glm.laws import constant, mean
from dynome.dynamics.glm.passes import Problem, curvature, emission, gradient

PAIRS = [
    ("poisson", "softplus"),
    ("poisson", "exp"),
    ("poisson", "sigmoid"),
    ("poisson", "identity"),
    ("bernoulli", "sigmoid"),
    ("negative_binomial", "softplus"),
    ("negative_binomial", "exp"),
    ("gaussian", "identity"),
]


def eta_of(p):
    x = p.problem.design.block(0, p.problem.design.n_bin).astype(float)
    return np.einsum("tp,snp->tsn", x, p.coefficient)


def log_probability(p):
    """Of every bin, state and node, by scipy; 0 where missing."""
    mu, y = mean(eta_of(p), p.problem.link), p.problem.observed[:, None, :].astype(float)
    if p.problem.law == "poisson":
        out = scipy.stats.poisson.logpmf(y, mu)
    elif p.problem.law == "bernoulli":
        out = scipy.stats.bernoulli.logpmf(y, mu)
    elif p.problem.law == "gaussian":
        out = scipy.stats.norm.logpdf(y, mu, np.sqrt(p.dispersion))
    else:
        r = 1 / p.dispersion
        out = scipy.stats.nbinom.logpmf(y, r, r / (r + mu))
    return np.where(np.isnan(y), 0, out)


@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_log_likelihoods_are_those_of_the_law_constants_included(make_population, law, link):
    p = make_population(law, link, missing=0.02)
    found = emission(p.problem, p.coefficient, p.dispersion, p.weight)
    wanted = log_probability(p)
    np.testing.assert_allclose(found.log_likelihood, wanted.sum(axis=2), rtol=1e-9, atol=1e-9)
    free_of_constants = wanted - constant(p.problem.observed, law)[:, None, :]
    np.testing.assert_allclose(found.expected, np.einsum("ts,tsn->sn", p.weight, free_of_constants), rtol=1e-9)


@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_the_value_of_the_curvature_is_the_expectation_of_the_emission(make_population, law, link):
    p = make_population(law, link, missing=0.02)
    expected = emission(p.problem, p.coefficient, p.dispersion, p.weight).expected
    np.testing.assert_allclose(curvature(*p).value, expected, rtol=1e-13)


@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_the_score_is_the_slope_of_the_value(make_population, law, link):
    p = make_population(law, link)
    score, h = gradient(*p).score, 1e-6
    for k in (0, 2, p.coefficient.shape[2] - 1):
        step = np.zeros(p.coefficient.shape[2])
        step[k] = h
        up = emission(p.problem, p.coefficient + step, p.dispersion, p.weight).expected
        down = emission(p.problem, p.coefficient - step, p.dispersion, p.weight).expected
        np.testing.assert_allclose(score[:, :, k], (up - down) / (2 * h), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("law", "link"), PAIRS)
def test_the_information_is_a_naive_sum_over_bins(make_population, law, link):
    p = make_population(law, link, missing=0.02)
    eta, h = eta_of(p), 1e-6
    mu = mean(eta, link)
    slope = (mean(eta + h, link) - mean(eta - h, link)) / (2 * h)
    variance = {"poisson": mu, "bernoulli": mu * (1 - mu), "gaussian": p.dispersion + 0 * mu}
    variance["negative_binomial"] = mu + p.dispersion * mu**2
    each = np.where(np.isnan(p.problem.observed)[:, None], 0, p.weight[:, :, None] * slope**2 / variance[law])
    x = p.problem.design.block(0, p.problem.design.n_bin)
    np.testing.assert_allclose(curvature(*p).information, np.einsum("tsn,tp,tq->snpq", each, x, x), rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), block=st.integers(64, 5000), n_node=st.integers(1, 4), n_bin=st.integers(1, 60))
def test_products_of_features_in_tiles_sum_to_the_same_matrices(seed, block, n_node, n_bin):
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal((n_bin, 7)), rng.random((n_bin, n_node))
    packed = np.ones((n_node, 28))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(information, "_BLOCK", block)
        information.add_information(x, weight, packed)
    whole = np.einsum("bn,bp,bq->npq", weight, x, x)
    np.testing.assert_allclose(packed - 1, whole[:, *np.triu_indices(7)], atol=1e-12)


def same(one, other, **tolerance):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_the_size_of_chunks_does_not_matter(make_population, monkeypatch, rows):
    p = make_population(missing=0.01, budget=0)
    whole = (*emission(*p), *curvature(*p))
    monkeypatch.setattr(passes, "_ROWS", rows)
    same((*emission(*p), *curvature(*p)), whole, rtol=1e-11, atol=1e-11)


def test_a_design_that_is_kept_gives_what_one_made_anew_gives(make_population):
    kept, anew = make_population(budget=2**20), make_population(budget=0)
    same(curvature(*kept), curvature(*anew), rtol=1e-13)


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(3)), states=st.permutations(range(2)))
def test_nodes_and_states_may_come_in_any_order(make_population, order, states):
    p = make_population(missing=0.02)
    kernels, design = p.problem.design.kernels, p.problem.design
    columns = np.r_[0, (1 + 2 * np.array(order)[:, None] + np.arange(2)).ravel(), design.n_feature - 1]
    shuffled = Design(p.problem.y[:, order], kernels, design.covariates, design.starts)
    problem = Problem(shuffled, p.problem.y[:, order], "poisson", "softplus", p.problem.free)
    at = (p.coefficient[states][:, order][:, :, columns], p.dispersion, p.weight[:, states])
    one, other = curvature(*p), curvature(problem, *at)
    np.testing.assert_allclose(other.value, one.value[states][:, order], rtol=1e-11)
    np.testing.assert_allclose(other.score, one.score[states][:, order][:, :, columns], atol=1e-9)
    wanted = one.information[states][:, order][:, :, columns][:, :, :, columns]
    np.testing.assert_allclose(other.information, wanted, rtol=1e-9, atol=1e-9)
    wanted = emission(*p).log_likelihood[:, states]
    np.testing.assert_allclose(emission(problem, *at).log_likelihood, wanted, rtol=1e-11)


def test_a_missing_observation_is_dropped_for_its_node_and_its_future_for_all(make_population):
    p = make_population()
    y = p.problem.y.copy()
    y[200, 1] = np.nan
    design = Design(y, p.problem.design.kernels, p.problem.design.covariates, p.problem.design.starts)
    found = curvature(Problem(design, y, "poisson", "softplus", p.problem.free), *p[1:])
    for node in range(3):
        weight = p.weight.copy()
        weight[201:204] = 0
        weight[200] *= node != 1
        dropped = curvature(p.problem, p.coefficient, p.dispersion, weight)
        for a, b in zip(found[:3], dropped[:3], strict=True):
            np.testing.assert_allclose(a[:, node], b[:, node], rtol=1e-12, atol=1e-12)
    whole = emission(p.problem, *p[1:]).log_likelihood
    left = emission(Problem(design, y, "poisson", "softplus", p.problem.free), *p[1:]).log_likelihood
    assert np.flatnonzero((whole != left).any(axis=1)).tolist() == [200, 201, 202, 203]
    np.testing.assert_array_equal(left[201:204], 0)


@pytest.mark.parametrize("law", ["poisson", "negative_binomial", "gaussian"])
def test_single_precision_is_near_to_double(make_population, law):
    link = "identity" if law == "gaussian" else "softplus"
    one, other = make_population(law, link, n_bin=3000), make_population(law, link, n_bin=3000, dtype=np.float32)
    a, b = emission(*one), emission(*other)
    np.testing.assert_allclose(b.log_likelihood, a.log_likelihood, rtol=2e-5)
    np.testing.assert_allclose(b.expected, a.expected, rtol=1e-5)
    single, double = curvature(*other), curvature(*one)
    scale = np.abs(double.information).max()
    np.testing.assert_allclose(single.information, double.information, atol=1e-5 * scale)
    np.testing.assert_allclose(single.score, double.score, atol=1e-5 * scale)


def test_bins_that_do_not_belong_to_a_state_are_not_read(make_population):
    p = make_population()
    weight = np.where(np.arange(400)[:, None] < 100, [1.0, 0.0], [1e-11, 1.0])
    alone = curvature(p.problem, p.coefficient, p.dispersion, np.where(weight < 1e-10, 0, weight))
    same(curvature(p.problem, p.coefficient, p.dispersion, weight), alone, rtol=0)


def test_counts_too_large_for_a_table_have_their_constants_too(make_population, monkeypatch):
    p = make_population(missing=0.02)
    tabled = p.problem.constant
    monkeypatch.setattr(passes, "_COUNTED", 0)
    again = Problem(p.problem.design, p.problem.y, "poisson", "softplus", p.problem.free)
    np.testing.assert_allclose(again.constant, tabled, rtol=1e-13)


def test_sparing_bins_leaves_value_and_score_exact_and_the_information_nearly(make_population):
    p = make_population(n_bin=3000)
    exact, spared = curvature(*p), curvature(*p, spared=0.02)
    same(spared[:2], exact[:2], rtol=0)
    off = np.abs(spared.information - exact.information).max(axis=(2, 3))
    assert (off > 0).all()
    assert (off < 0.02 * exact.information.max(axis=(2, 3))).all()
    shaping = passes.shaping_weight(p.problem, p.weight, 0.02)
    np.testing.assert_allclose(shaping.sum(axis=0), p.weight.sum(axis=0))


def test_memory_does_not_grow_with_bins_times_states_times_nodes(make_population):
    p = make_population(n_bin=20_000, n_node=20, n_state=5, budget=0)
    emission(*p)  # compiles, and makes the constants
    tracemalloc.start()
    emission(*p)
    curvature(*p)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.7 * 20_000 * 5 * 20 * 8
