"""Evidence for the one-hot prior: sums over all assignments, ascent, recovery of classes and laws, invariances."""

from itertools import product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.special import gammaln, logsumexp
from scipy.stats import norm
from simulated_couplings import balanced, fitted, hard_classes, wiring

from dynome.dynamics.switching.priors.choice import prior_of
from dynome.dynamics.switching.priors.class_tables import class_posterior, expected_draws, urn
from dynome.dynamics.switching.priors.gaussian import GaussianPrior
from dynome.dynamics.switching.priors.one_hot import OneHotPrior
from dynome.dynamics.switching.priors.strengths import strengths_density
from dynome.dynamics.switching.priors.table_sources import tables_density
from dynome.errors import InputError


def urn_by_definition(assignment, base, concentration):
    counts = np.bincount(assignment, minlength=3)
    alpha = concentration * base
    rising = gammaln(alpha + counts) - gammaln(alpha)
    return rising.sum() - gammaln(concentration + counts.sum()) + gammaln(concentration)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_state=st.integers(1, 5), concentration=st.sampled_from([0.05, 1.0, 30.0]))
def test_classes_are_summed_over_all_assignments(seed, n_state, concentration):
    rng = np.random.default_rng(seed)
    likelihood, base = 3 * rng.normal(size=(n_state, 3)), rng.dirichlet(np.ones(3))
    found = class_posterior(likelihood[None], urn(base[None], concentration, n_state))
    every = [np.array(a) for a in product(range(3), repeat=n_state)]
    prior = np.array([urn_by_definition(a, base, concentration) for a in every])
    joint = prior + [likelihood[np.arange(n_state), a].sum() for a in every]
    posterior = np.exp(joint - logsumexp(joint))
    probability = sum(p * np.eye(3)[a] for p, a in zip(posterior, every, strict=True))
    np.testing.assert_allclose(found.probability[0], probability, atol=1e-12)
    assert found.relative[0] == pytest.approx((posterior * (prior - np.log(posterior))).sum(), abs=1e-9)
    counts = np.zeros((3, n_state + 1))
    for p, a in zip(posterior, every, strict=True):
        counts[range(3), np.bincount(a, minlength=3)] += p
    np.testing.assert_allclose(found.counts[0], counts, atol=1e-12)
    mass = concentration * base
    drawn = [
        sum(counts[c, n] * (mass[c] / (mass[c] + np.arange(n))).sum() for n in range(n_state + 1)) for c in range(3)
    ]
    np.testing.assert_allclose(expected_draws(found.counts, base[None], concentration)[0], drawn, atol=1e-12)


def test_the_objective_is_the_evidence_with_classes_tables_and_couplings_integrated_out():
    _, _, estimate, information = wiring(0, n_state=2, n_node=3)
    prior, off = OneHotPrior(), ~np.eye(3, dtype=bool)
    coupling, belief = fitted(prior, estimate, information, free=off, n_iter=400)
    tables, strengths = belief.tables, belief.strengths
    guards = strengths_density(strengths) + tables_density(tables, prior.guard, prior.concentration)
    found = prior.log_density(coupling, belief) - guards
    found -= 0.5 * (information * (estimate - coupling) ** 2)[:, off].sum()
    exact = 0.0
    for y, known in zip(estimate[:, off, 0].T, information[:, off, 0].T, strict=True):
        sd = np.sqrt(1 / known[:, None] + strengths.variance[:, 0])
        likelihood = norm(strengths.mean[:, 0], sd).logpdf(y[:, None]) + 0.5 * np.log(2 * np.pi / known)[:, None]
        exact += logsumexp(
            [
                urn_by_definition(np.array(a), tables.frequency, tables.concentration) + likelihood[[0, 1], a].sum()
                for a in product(range(3), repeat=2)
            ]
        )
    assert found == pytest.approx(exact, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    noise=st.sampled_from([0.03, 0.3, 3.0]),
    n_state=st.sampled_from([1, 4]),
    n_basis=st.integers(1, 2),
    told=st.booleans(),
    n_told=st.integers(1, 3),
)
def test_neither_the_step_nor_the_belief_ever_lowers_the_objective(seed, noise, n_state, n_basis, told, n_told):
    _, _, estimate, information = wiring(seed, n_state=n_state, n_node=6, n_basis=n_basis, noise=noise)
    prior, rng = OneHotPrior(), np.random.default_rng(seed)
    belief = prior.start(estimate, np.ones((6, 6), dtype=bool), rng.dirichlet(np.ones(3), (6, 6)) if told else None)
    coupling, values = np.zeros_like(estimate), []
    for k in range(15):
        quadratic = prior.quadratic(coupling, belief)
        total = information + quadratic.precision
        coupling = (information * estimate + quadratic.precision * quadratic.mean) / total
        misfit = 0.5 * (information * (estimate - coupling) ** 2).sum()
        if k >= n_told:
            values.append(prior.log_density(coupling, belief) - misfit)
        belief = prior.refined(coupling, 1 / total if k < n_told else None, belief)
        if k >= n_told:
            values.append(prior.log_density(coupling, belief) - misfit)
    assert (np.diff(values) > -1e-9 * max(np.abs(values[0]), 1)).all()


@pytest.mark.parametrize("noise", [0.1, 0.3, 0.5])
def test_classes_are_found_better_than_by_thresholding_z_values_and_couplings_better_than_by_a_gaussian(noise):
    classes, true, estimate, information = wiring(1, noise=noise)
    prior = OneHotPrior()
    coupling, belief = fitted(prior, estimate, information)
    smooth, _ = fitted(GaussianPrior(), estimate, information)
    thresholded = np.where(np.abs(estimate) * np.sqrt(information) > 2.58, np.sign(estimate), 0)[..., 0]
    error = {k: ((x - true) ** 2).mean() for k, x in (("ml", estimate), ("gaussian", smooth), ("one_hot", coupling))}
    assert balanced(classes, hard_classes(prior, belief)) > balanced(classes, thresholded) - 0.02 * (noise == 0.1)
    assert error["one_hot"] < 0.95 * error["gaussian"] < error["ml"]


def test_frequencies_strengths_and_how_much_states_agree_are_recovered():
    _, _, estimate, information = wiring(2, n_node=30, noise=0.15)
    prior = OneHotPrior()
    _, belief = fitted(prior, estimate, information)
    found = {k: v[1] for k, v in prior.labelled(belief).items()}
    np.testing.assert_allclose(found["class_frequency"], [0.1, 0.8, 0.1], atol=0.025)
    np.testing.assert_allclose(found["class_strength"], [-0.848, 0, 0.848], atol=0.13)  # they are not Gaussian
    np.testing.assert_allclose(found["class_sd"][[0, 2]], 0.38, atol=0.1)
    assert found["class_concentration"] == pytest.approx(2, rel=0.25)


def test_an_edge_is_judged_by_all_states_where_states_agree():
    rng = np.random.default_rng(3)
    classes, true, estimate, information = wiring(3, noise=0.45)
    same = np.broadcast_to(true[:1], true.shape)
    estimate = same + rng.normal(size=true.shape) / np.sqrt(information)
    agree, apart = OneHotPrior(), OneHotPrior(concentration=1e6)
    every = np.broadcast_to(classes[:1], classes.shape)
    with_others = balanced(every, hard_classes(agree, fitted(agree, estimate, information)[1]))
    alone = balanced(every, hard_classes(apart, fitted(apart, estimate, information)[1]))
    assert with_others > alone + 0.1


def test_basis_functions_share_the_class_of_their_edge():
    classes, _, estimate, information = wiring(4, n_basis=3, noise=0.6)
    prior = OneHotPrior(scale=1.5)
    found = balanced(classes, hard_classes(prior, fitted(prior, estimate, information)[1]))
    single = balanced(classes, hard_classes(prior, fitted(prior, estimate[..., :1], information[..., :1])[1]))
    assert found > single + 0.05


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), nodes=st.permutations(range(8)), states=st.permutations(range(3)))
def test_nodes_and_states_may_come_in_any_order(seed, nodes, states):
    _, _, estimate, information = wiring(seed, n_state=3, n_node=8)
    moved = np.ix_(states, nodes, nodes, [0])
    prior = OneHotPrior()
    a, belief = fitted(prior, estimate, information, n_iter=8, n_told=3)
    b, other = fitted(prior, estimate[moved], information[moved], n_iter=8, n_told=3)
    np.testing.assert_allclose(a[moved], b, atol=1e-7)
    shared, again = (prior.labelled(x)["edge_class_probability"][1] for x in (belief, other))
    np.testing.assert_allclose(shared[np.ix_(nodes, nodes)], again, atol=1e-7)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_turning_all_signs_exchanges_inhibition_and_excitation(seed):
    _, _, estimate, information = wiring(seed, n_state=3, n_node=8)
    prior = OneHotPrior()
    _, belief = fitted(prior, estimate, information, n_iter=8, n_told=3)
    _, other = fitted(prior, -estimate, information, n_iter=8, n_told=3)
    a, b = (prior.labelled(x)["edge_class_posterior"][1] for x in (belief, other))
    np.testing.assert_allclose(a, b[..., ::-1], atol=1e-7)


def test_couplings_of_which_nothing_is_known_keep_the_classes_of_all_edges():
    _, _, estimate, information = wiring(5)
    information[:, 3] = 1e-12
    prior = OneHotPrior()
    _, belief = fitted(prior, estimate, information)
    found = prior.labelled(belief)["edge_class_posterior"][1][:, 3, 5:]
    np.testing.assert_allclose(found, np.broadcast_to(belief.tables.frequency, found.shape), atol=1e-3)


def test_results_hold_probabilities_for_every_edge_and_none_for_the_diagonal():
    _, _, estimate, information = wiring(6, n_node=7)
    prior = OneHotPrior()
    found = prior.labelled(fitted(prior, estimate, information, n_iter=4)[1])
    off = ~np.eye(7, dtype=bool)
    for name in ("edge_class_probability", "edge_class_posterior"):
        values = found[name][1]
        np.testing.assert_allclose(values[..., off, :].sum(-1), 1)
        assert np.isnan(values[..., ~off, :]).all()
    assert "trust" not in found


def test_odd_parameters_are_told():
    with pytest.raises(InputError, match=r"(?s)guard must be a positive number, got nan.*concentration must be"):
        prior_of(OneHotPrior(guard=float("nan"), concentration=-1))
