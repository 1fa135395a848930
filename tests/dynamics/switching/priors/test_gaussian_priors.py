"""Evidence for the ridge and the hierarchical Gaussian prior: closed forms, ascent, recovery, invariances, errors."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import multivariate_normal
from sklearn.base import clone

from dynome.dynamics.switching.priors.choice import prior_of
from dynome.dynamics.switching.priors.gaussian import GaussianPrior
from dynome.dynamics.switching.priors.plain import NoPrior, RidgePrior
from dynome.errors import InputError


def couplings(seed, n_state=4, n_node=6, n_basis=1, spread=0.2, noise=0.3):
    """True couplings, and what a likelihood that is exactly quadratic says of them: estimate and information."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 0.4, (n_node, n_node, n_basis)) + rng.normal(0, spread, (n_state, n_node, n_node, n_basis))
    information = rng.gamma(3, 1 / 3, true.shape) / noise**2
    return true, true + rng.normal(size=true.shape) / np.sqrt(information), information


def best(estimate, information, quadratic):
    """Where likelihood and quadratic are highest together."""
    total = information + quadratic.precision
    return (information * estimate + quadratic.precision * quadratic.mean) / total


def fitted(prior, estimate, information, free=None, n_iter=60):
    free = np.ones(estimate.shape[1:3], dtype=bool) if free is None else free
    belief, coupling = prior.start(estimate, free), np.zeros_like(estimate)
    for k in range(n_iter):
        quadratic = prior.quadratic(coupling, belief)
        coupling = best(estimate, information, quadratic)
        belief = prior.refined(coupling, 1 / (information + quadratic.precision) if k == 0 else None, belief)
    return coupling, belief


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    noise=st.sampled_from([0.03, 0.3, 3.0]),
    n_basis=st.integers(1, 3),
    per_edge=st.booleans(),
    history=st.booleans(),
)
def test_neither_the_step_nor_the_belief_ever_lowers_the_objective(seed, noise, n_basis, per_edge, history):
    _, estimate, information = couplings(seed, n_basis=n_basis, noise=noise)
    prior = GaussianPrior(per_edge=per_edge)
    belief = prior.start(estimate, np.ones((6, 6), dtype=bool) if history else ~np.eye(6, dtype=bool))
    estimate[:, ~(belief.covered | belief.own.edges)] = 0
    coupling, values = np.zeros_like(estimate), []
    for k in range(12):
        quadratic = prior.quadratic(coupling, belief)
        coupling = best(estimate, information, quadratic)
        for renewed in ([1 / (information + quadratic.precision)] if k == 0 else []) + [None]:
            if k:
                values.append(
                    prior.log_density(coupling, belief) - 0.5 * (information * (estimate - coupling) ** 2).sum()
                )
            belief = prior.refined(coupling, renewed, belief)
        values.append(prior.log_density(coupling, belief) - 0.5 * (information * (estimate - coupling) ** 2).sum())
    assert (np.diff(values) > -1e-9 * np.abs(values[0])).all()


def test_the_objective_is_the_evidence_with_couplings_and_their_mean_integrated_out():
    _, estimate, information = couplings(1, n_state=3, n_node=4)
    prior, off = GaussianPrior(), ~np.eye(4, dtype=bool)
    coupling, belief = fitted(prior, estimate, information, free=off)
    v, v0 = belief.variance[0, 0, 0], belief.mean_variance[0]
    found = prior.log_density(coupling, belief) - 0.5 * (information * (estimate - coupling) ** 2)[:, off].sum()
    guards = -0.5 * prior.guard * sum(np.log(x) + (0.1 * prior.scale) ** 2 / x for x in (v, v0))
    exact = 0.0
    for y, known in zip(estimate[:, off, 0].T, information[:, off, 0].T, strict=True):
        noise = np.diag(1 / known)
        exact += multivariate_normal(np.zeros(3), noise + v * np.eye(3) + v0).logpdf(y)
        exact += 0.5 * np.linalg.slogdet(2 * np.pi * noise)[1]
    assert found == pytest.approx(exact + guards, rel=1e-6)


def test_the_spread_over_states_and_over_edges_is_recovered_and_estimates_improve():
    true, estimate, information = couplings(2, n_state=5, n_node=25)
    coupling, belief = fitted(GaussianPrior(), estimate, information)
    assert np.sqrt(belief.variance[0, 1, 0]) == pytest.approx(0.2, rel=0.15)
    assert np.sqrt(belief.mean_variance[0]) == pytest.approx(0.4, rel=0.1)
    assert ((coupling - true) ** 2).mean() < 0.5 * ((estimate - true) ** 2).mean()


def test_states_that_share_all_their_coupling_are_pooled_without_collapse():
    true, estimate, information = couplings(3, n_state=5, n_node=25, spread=0.0)
    coupling, belief = fitted(GaussianPrior(), estimate, information, n_iter=300)
    assert np.sqrt(belief.variance[0, 1, 0]) < 0.08
    assert ((coupling - true) ** 2).mean() < 0.3 * ((estimate - true) ** 2).mean()


def test_the_mean_of_self_history_is_learnt_apart_from_the_wiring():
    _, estimate, information = couplings(4, n_node=25)
    estimate[:, np.eye(25, dtype=bool)] -= 2.0
    _, belief = fitted(GaussianPrior(), estimate, information)
    assert belief.own.mean[0] == pytest.approx(-2, abs=0.15)
    assert abs(belief.mean[~np.eye(25, dtype=bool)].mean()) < 0.1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), nodes=st.permutations(range(6)), states=st.permutations(range(4)))
def test_nodes_and_states_may_come_in_any_order(seed, nodes, states):
    _, estimate, information = couplings(seed)
    moved = np.ix_(states, nodes, nodes, [0])
    a, belief = fitted(GaussianPrior(), estimate, information, n_iter=8)
    b, other = fitted(GaussianPrior(), estimate[moved], information[moved], n_iter=8)
    np.testing.assert_allclose(a[moved], b, atol=1e-10)
    np.testing.assert_allclose(belief.mean[np.ix_(nodes, nodes)], other.mean, atol=1e-10)


def test_without_variance_the_standard_deviations_stay_and_the_mean_moves():
    _, estimate, _ = couplings(5)
    prior = GaussianPrior(scale=0.7)
    belief = prior.refined(estimate, None, prior.start(estimate, np.ones((6, 6), dtype=bool)))
    np.testing.assert_allclose(belief.variance, 0.49)
    np.testing.assert_allclose(belief.mean[0, 1], estimate.sum(0)[0, 1] / 5)


def test_a_ridge_is_a_ridge_on_the_edges_that_exist():
    _, estimate, _ = couplings(6)
    prior, free = RidgePrior(3.0), ~np.eye(6, dtype=bool)
    belief = prior.start(estimate, free)
    quadratic = prior.quadratic(estimate, belief)
    assert (quadratic.precision[:, free] == 3).all()
    assert not quadratic.precision[:, ~free].any()
    assert prior.log_density(estimate, belief) == pytest.approx(-1.5 * (estimate[:, free] ** 2).sum())
    assert prior.refined(estimate, None, belief) is belief
    assert prior.labelled(belief) == {}


def test_no_prior_adds_nothing():
    _, estimate, _ = couplings(7)
    prior = NoPrior()
    belief = prior.start(estimate, np.ones((6, 6), dtype=bool))
    assert not prior.quadratic(estimate, belief).precision.any()
    assert prior.log_density(estimate, belief) == 0


def test_results_have_a_mean_for_every_edge_and_none_for_the_diagonal():
    _, estimate, information = couplings(8)
    prior = GaussianPrior(per_edge=True)
    _, belief = fitted(prior, estimate, information, n_iter=5)
    found = prior.labelled(belief)
    dims, values, attrs = found["prior_mean"]
    assert dims == ("target", "source")
    assert np.isnan(np.diag(values)).all()
    assert np.isfinite(values[~np.eye(6, dtype=bool)]).all()
    assert attrs["units"] == "1"
    assert found["prior_sd"][0] == ("target", "source", "basis")


@pytest.mark.parametrize("name", ["none", "ridge", "gaussian"])
def test_priors_have_names_and_can_be_cloned(name):
    prior = prior_of(name)
    assert prior_of(prior) is prior
    assert clone(prior).get_params() == prior.get_params()


def test_unknown_priors_connectomes_without_use_and_odd_parameters_are_told():
    with pytest.raises(InputError, match=r"prior must be one of 'none', 'ridge'.*got 'spikes'"):
        prior_of("spikes")
    with pytest.raises(InputError, match=r"a RidgePrior has no use for a connectome"):
        prior_of("ridge", connectome="a connectome")
    with pytest.raises(InputError, match=r"(?s)scale must be a positive number, got 0.*guard must be .* got 'x'"):
        prior_of(GaussianPrior(scale=0, guard="x"))
    with pytest.raises(InputError, match="precision must be a positive number, got -1"):
        prior_of(RidgePrior(-1))
