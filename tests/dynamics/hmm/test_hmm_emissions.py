"""Evidence for dynamics/hmm/emissions: densities against scipy, updates that nothing beats, missing values exactly."""

from __future__ import annotations

from typing import get_args

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings

from dynome.dynamics.hmm.emissions.choice import Form, emission_of, observed_as, pooled, variables_of
from dynome.dynamics.hmm.emissions.full import FullGaussian
from dynome.errors import InputError

SEEDS = st.integers(0, 2**32 - 1)
FORMS = [
    Form("poisson", "diagonal", "state"),
    Form("bernoulli", "diagonal", "state"),
    *(Form("gaussian", c, m) for c in ("diagonal", "full", "tied") for m in ("state", "zero")),
]
ids = "-".join


def sample(form, rng, n_bin=40, n_node=3, missing=0.0):
    """Observations that a law can have made, with holes."""
    if form.observation == "poisson":
        y = rng.poisson(rng.gamma(2, 1, n_node), (n_bin, n_node)).astype(float)
    elif form.observation == "bernoulli":
        y = (rng.random((n_bin, n_node)) < 0.4).astype(float)
    else:
        y = rng.standard_normal((n_bin, n_node)) @ rng.standard_normal((n_node, n_node)) + (0 if form.centred else 100)
    return np.where(rng.random(y.shape) < missing, np.nan, y)


def fitted(form, rng, n_states=2, prior_bins=2.0, **kwargs):
    """A law with different states, and its data."""
    y = sample(form, rng, **kwargs)
    data = observed_as(form, y)
    common = pooled(form, data, n_states, prior_bins)
    return common.updated(data, rng.dirichlet(np.ones(n_states), y.shape[0])), data, y


def densities(emission, form, y):
    """log p of every bin in every state, by scipy, over the nodes that are there."""
    out = np.zeros((y.shape[0], emission.expected().shape[0]))
    for t, s in np.ndindex(out.shape):
        there = ~np.isnan(y[t])
        seen, mean = y[t, there], emission.expected()[s, there]
        if form.observation == "poisson":
            out[t, s] = scipy.stats.poisson.logpmf(seen, mean).sum()
        elif form.observation == "bernoulli":
            out[t, s] = scipy.stats.bernoulli.logpmf(seen, mean).sum()
        elif not form.joint:
            out[t, s] = scipy.stats.norm.logpdf(seen, mean, np.sqrt(emission.variance[s, there])).sum()
        elif there.any():
            covariance = emission.covariance[0 if form.covariance == "tied" else s][np.ix_(there, there)]
            out[t, s] = scipy.stats.multivariate_normal.logpdf(seen, mean, covariance)
    return out


@pytest.mark.parametrize("form", FORMS, ids=ids)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_densities_are_those_of_scipy_over_the_nodes_that_were_observed(form, missing):
    emission, data, y = fitted(form, np.random.default_rng(1), missing=missing)
    np.testing.assert_allclose(emission.log_likelihood(data), densities(emission, form, y), atol=1e-9)


@pytest.mark.parametrize("form", FORMS, ids=ids)
def test_a_bin_in_which_all_is_missing_says_nothing(form):
    rng = np.random.default_rng(2)
    emission, _, y = fitted(form, rng)
    y[3] = np.nan
    data = observed_as(form, y)
    assert (emission.log_likelihood(data)[3] == 0).all()
    weight = rng.dirichlet(np.ones(2), y.shape[0])
    other = observed_as(form, np.delete(y, 3, axis=0))
    for a, b in zip(
        vars(emission.updated(data, weight)).values(),
        vars(emission.updated(other, np.delete(weight, 3, axis=0))).values(),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-9)


@pytest.mark.parametrize("form", FORMS, ids=ids)
@settings(max_examples=6, deadline=None)
@given(seed=SEEDS, prior_bins=st.sampled_from([0.0, 1.0, 10.0]), missing=st.sampled_from([0.0, 0.2]))
def test_an_update_never_lowers_weighted_likelihood_plus_prior_and_ends_where_nothing_is_better(
    form, seed, prior_bins, missing
):
    rng = np.random.default_rng(seed)
    y = sample(form, rng, missing=missing)
    data = observed_as(form, y)
    weight = rng.dirichlet(np.ones(2), y.shape[0])
    emission = pooled(form, data, 2, prior_bins)

    def objective(e):
        return float((weight * e.log_likelihood(data)).sum()) + e.log_prior()

    values = [objective(emission)]
    for _ in range(15 if form.joint and missing else 1):
        emission = emission.updated(data, weight)
        values.append(objective(emission))
    assert (np.diff(values) > -1e-8 * abs(values[0])).all()
    if not missing:
        again = emission.updated(data, weight)
        assert objective(again) == pytest.approx(values[-1], rel=1e-10)  # one step goes all the way
        near = pooled(form, data, 2, prior_bins)
        mixed = weight + 0.05 * rng.random(weight.shape)  # parameters a little off
        assert objective(near.updated(data, mixed)) <= values[-1] + 1e-8


@pytest.mark.parametrize("mean", ["state", "zero"])
def test_one_node_makes_full_and_diagonal_the_same(mean):
    rng = np.random.default_rng(3)
    y, weight = rng.standard_normal((50, 1)), rng.dirichlet(np.ones(2), 50)
    found = []
    for covariance in ("diagonal", "full"):
        form = Form("gaussian", covariance, mean)
        data = observed_as(form, y)
        emission = pooled(form, data, 2, 3.0).updated(data, weight)
        found.append((emission.log_likelihood(data), emission.log_prior()))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-12)
    assert found[0][1] == pytest.approx(found[1][1])


def test_a_covariance_that_is_tied_is_the_mean_of_those_of_the_states():
    rng = np.random.default_rng(4)
    y, weight = rng.standard_normal((60, 3)), rng.dirichlet(np.ones(2), 60)
    free, tied = (
        pooled(f, observed_as(f, y), 2, 0.0).updated(observed_as(f, y), weight).covariance
        for f in (Form("gaussian", "full", "state"), Form("gaussian", "tied", "state"))
    )
    np.testing.assert_allclose(tied[0], np.average(free, axis=0, weights=weight.sum(axis=0)), atol=1e-12)


@pytest.mark.parametrize("form", FORMS, ids=ids)
def test_states_without_bins_keep_what_the_prior_says(form):
    rng = np.random.default_rng(5)
    data = observed_as(form, sample(form, rng))
    weight = np.column_stack([np.ones(40), np.zeros(40)])
    emission = pooled(form, data, 2, 5.0).updated(data, weight)
    assert np.isfinite(emission.log_likelihood(data)).all()
    assert np.isfinite(emission.log_prior())


def test_a_silent_node_has_a_rate_above_zero_so_that_a_later_spike_is_possible():
    form = Form("poisson", "diagonal", "state")
    y = np.random.default_rng(6).poisson(2, (30, 2)).astype(float)
    y[:, 1] = 0
    data = observed_as(form, y)
    emission = pooled(form, data, 2, 1.0).updated(data, np.full((30, 2), 0.5))
    assert (emission.rate[:, 1] > 0).all()
    assert (emission.rate[:, 1] < 0.05).all()
    assert np.isfinite(emission.log_likelihood(observed_as(form, y + 1))).all()


@pytest.mark.parametrize("form", FORMS, ids=ids)
def test_draws_have_the_moments_of_their_state(form):
    rng = np.random.default_rng(7)
    emission, _, _ = fitted(form, rng)
    y = emission.drawn(np.repeat([0, 1], 40_000), rng)
    for s, own in enumerate(np.split(y, 2)):
        np.testing.assert_allclose(own.mean(axis=0), emission.expected()[s], atol=5 * own.std() / 200)
        if isinstance(emission, FullGaussian):
            covariance = emission.covariance[min(s, len(emission.covariance) - 1)]
            np.testing.assert_allclose(np.cov(own.T), covariance, atol=0.05 * np.abs(covariance).max())


@pytest.mark.parametrize("form", FORMS, ids=ids)
def test_parameters_survive_their_labels(form):
    import xarray as xr

    rng = np.random.default_rng(8)
    emission, data, _ = fitted(form, rng)
    back = emission_of(form, xr.Dataset(variables_of(emission, "mV")))
    np.testing.assert_array_equal(back.log_likelihood(data), emission.log_likelihood(data))
    order = np.array([1, 0])
    np.testing.assert_allclose(
        emission.taken(order).log_likelihood(data), emission.log_likelihood(data)[:, order], rtol=1e-12
    )


def test_a_singular_covariance_is_told():
    form = Form("gaussian", "full", "zero")
    y = np.random.default_rng(9).standard_normal((40, 2))
    data = observed_as(form, np.column_stack([y, y.sum(axis=1)]))
    with pytest.raises(InputError, match="not positive definite"):
        pooled(form, data, 1, 0.0).updated(data, np.ones((40, 1))).log_likelihood(data)


def test_every_law_is_tried():
    from dynome.dynamics.hmm.emissions.choice import Covariance, Mean, Observation

    assert {f.observation for f in FORMS} == set(get_args(Observation))
    assert {f.covariance for f in FORMS} == set(get_args(Covariance))
    assert {f.mean for f in FORMS} == set(get_args(Mean))
