"""Evidence for SwitchingGLM and GLM: exact likelihoods, recovery of truth, invariances, missing data, errors."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given, settings
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor
from sklearn.model_selection import GridSearchCV

from dynome.datasets import make_switching_glm
from dynome.dynamics import (
    GLM,
    BSplineHistory,
    ExponentialHistory,
    LagHistory,
    LearntHistory,
    NoHistory,
    RaisedCosineHistory,
    SwitchingGLM,
)
from dynome.dynamics.glm.designs import Design
from dynome.dynamics.glm.passes import Problem, emission
from dynome.dynamics.hmm.chain import Chain
from dynome.dynamics.switching.processes import PlainProcess
from dynome.errors import InputError

STATES = 3


@pytest.fixture(scope="module")
def data():
    """Three states of eight nodes, whose coupling changes from state to state."""
    return make_switching_glm(n_states=STATES, n_nodes=8, n_sessions=12, n_time=800, strength=1.5, random_state=3)


@pytest.fixture(scope="module")
def fitted(data):
    return SwitchingGLM(STATES, link="sigmoid", n_restarts=2, random_state=0).fit(data.spike_count)


def best_order(model, data):
    """The fitted state of every true one, and the share of bins that agree."""
    path, truth = model.decode(data.spike_count).to_numpy(), data.true_state.to_numpy()
    orders = list(itertools.permutations(range(STATES)))
    shares = [np.mean(path == np.array(order)[truth]) for order in orders]
    return list(orders[int(np.argmax(shares))]), max(shares)


def small(n_time=40, n_node=3, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    return xr.DataArray(
        rng.poisson(0.7, (n_time, n_node)), dims=("time", "node"), coords={"node": list("abcdefgh")[:n_node]}, **kwargs
    )


# --- Exactness -------------------------------------------------------------------------------------------------------


def test_the_score_is_the_marginal_likelihood_over_all_paths_of_states():
    counts = small(n_time=7)
    model = SwitchingGLM(2, history=ExponentialHistory(2), prior="ridge", n_restarts=1, random_state=0).fit(small(200))
    results = model.results_
    rate = np.empty((7, 2))
    past = np.concatenate([np.zeros((2, 3)), counts.to_numpy()])
    for s, t in itertools.product(range(2), range(7)):
        eta = results.bias[s].to_numpy() + sum(
            results.weight[s, :, :, lag].to_numpy() @ past[2 + t - 1 - lag] for lag in range(2)
        )
        rate[t, s] = scipy.stats.poisson.logpmf(counts[t], np.logaddexp(0, eta)).sum()
    total = [
        np.log(results.initial[path[0]])
        + sum(np.log(results.transition[a, b]) for a, b in itertools.pairwise(path))
        + sum(rate[t, s] for t, s in enumerate(path))
        for path in itertools.product(range(2), repeat=7)
    ]
    assert model.score(counts) == pytest.approx(np.logaddexp.reduce(total) / counts.size, rel=1e-10)


def test_the_one_state_glm_is_a_poisson_regression():
    counts = small(n_time=600)
    model = GLM(link="exp", history=LagHistory(1), tol=1e-12, random_state=0).fit(counts)
    design = np.concatenate([np.zeros((1, 3)), counts.to_numpy()[:-1]])
    for k, node in enumerate("abc"):
        reference = PoissonRegressor(alpha=0, tol=1e-10, max_iter=1000).fit(design, counts[:, k])
        np.testing.assert_allclose(model.results_.coupling.sel(target=node), reference.coef_, atol=1e-5)
        assert float(model.results_.bias.sel(node=node)) == pytest.approx(reference.intercept_, abs=1e-5)


def test_wald_errors_of_a_gaussian_glm_are_those_of_least_squares():
    rng = np.random.default_rng(1)
    x = xr.DataArray(rng.standard_normal((300, 2)), dims=("time", "node"), coords={"node": ["a", "b"]})
    results = GLM(observation="gaussian", history=LagHistory(1), random_state=0).fit(x).results_
    design = np.column_stack([np.ones(300), np.concatenate([np.zeros((1, 2)), x[:-1]])])
    beta, residual, *_ = np.linalg.lstsq(design, x[:, 0].to_numpy(), rcond=None)
    error = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * residual / 300)
    np.testing.assert_allclose(results.coupling.sel(target="a"), beta[1:], atol=1e-8)
    np.testing.assert_allclose(results.standard_error.sel(target="a"), error[1:], rtol=1e-6)


def test_one_step_ahead_log_likelihoods_sum_to_the_marginal_one(fitted, data):
    ahead = fitted.log_likelihood(data.spike_count)
    assert ahead.dims == ("session", "time")
    assert float(ahead.mean()) / data.sizes["node"] == pytest.approx(fitted.score(data.spike_count))
    assert float(ahead.sum()) == pytest.approx(float(fitted.results_.evidence.sum()))


def test_the_conditional_score_flatters(fitted, data):
    conditional = fitted.log_likelihood(data.spike_count, kind="conditional")
    assert float(conditional.sum()) > float(fitted.log_likelihood(data.spike_count).sum())


def test_predictions_are_means_given_the_past(fitted, data):
    ahead = fitted.predict(data.spike_count)
    assert ahead.dims == data.spike_count.dims
    residual = data.spike_count - ahead
    assert abs(float(residual.mean())) < 0.01
    later = data.spike_count.copy(deep=True)
    later[:, 400:] = 0
    np.testing.assert_allclose(fitted.predict(later)[:, :401], ahead[:, :401])


# --- Recovery --------------------------------------------------------------------------------------------------------


def test_states_and_couplings_of_a_simulation_are_found(fitted, data):
    order, share = best_order(fitted, data)
    assert share > 0.9
    coupling = fitted.results_.coupling.isel(state=order).to_numpy()
    assert np.corrcoef(coupling.ravel(), data.coupling.to_numpy().ravel())[0, 1] > 0.93
    z = (coupling - data.coupling.to_numpy()) / fitted.results_.standard_error.isel(state=order).to_numpy()
    assert 0.8 < z.std() < 1.4
    np.testing.assert_allclose(fitted.results_.transition[order, order], data.transition, atol=0.02)


def test_restarts_are_ranked_by_evidence_and_states_by_occupancy(fitted):
    results = fitted.results_
    assert float(results.evidence.sum()) == float(results.restart_evidence.max())
    assert (np.diff(results.occupancy) <= 0).all()
    np.testing.assert_allclose(results.state_probability.mean(("session", "time")), results.occupancy, rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": "shared"},
        {"self_history": False},
        {"prior": "ridge", "stickiness": 5.0, "concentration": 1.5},
        {"history": LearntHistory(5)},
        {"history": RaisedCosineHistory(6, 2)},
        {"history": BSplineHistory(6, 2)},
        {"history": NoHistory()},
        {"dwell_phases": 2, "concentration": 1.2},
        {"link": "softplus"},
        {"observation": "negative_binomial", "link": "softplus"},
    ],
    ids=lambda options: ",".join(map(str, options.values())) or "plain",
)
def test_the_objective_never_falls(data, options):
    part = data.spike_count.isel(session=slice(3), node=slice(4))
    options = {"link": "sigmoid", **options}
    history = (
        SwitchingGLM(2, n_restarts=2, max_iter=100, tol=1e-5, random_state=1, **options).fit(part).results_.history
    )
    steps = np.diff(history)
    assert steps.size > 1
    assert steps.min() > -1e-9 * abs(float(history[0]))


@pytest.mark.parametrize("prior", ["gaussian", "one_hot"])
def test_priors_that_learn_end_above_where_they_settled(data, prior):
    part = data.spike_count.isel(session=slice(3), node=slice(5))
    model = SwitchingGLM(2, link="sigmoid", prior=prior, n_restarts=2, tol=1e-5, random_state=1).fit(part)
    assert np.diff(model.results_.history)[-3:].min() > -1e-9 * abs(float(model.results_.history[0]))
    assert "prior_mean" in model.results_ or "edge_class_probability" in model.results_


def test_the_kernel_over_lags_is_learnt():
    data = make_switching_glm(1, 4, n_sessions=20, n_time=1000, n_lags=4, strength=2.0, random_state=0)
    model = GLM(link="sigmoid", history=LearntHistory(4), random_state=0).fit(data.spike_count)
    np.testing.assert_allclose(model.results_.kernel[0], ExponentialHistory(4).kernels()[0], atol=0.08)


def test_a_hundred_and_twenty_nodes_decode_as_theory_allows():
    """Log likelihoods are then hundreds of nats below zero: posteriors and paths are still those of logarithms."""
    data = make_switching_glm(3, 120, n_sessions=1, n_time=500, random_state=0)
    counts = data.spike_count[0].to_numpy().astype(float)
    design = Design(counts, ExponentialHistory(5).kernels(), np.zeros((500, 0)), np.array([0, 500]))
    truth = Problem(design, counts, "poisson", "sigmoid", np.ones((120, 121), dtype=bool))
    bias = np.broadcast_to(data.bias.to_numpy(), (3, 120))[:, :, None]
    coefficient = np.concatenate([bias, data.coupling.to_numpy()], axis=2)
    seen = emission(truth, coefficient, np.ones((3, 120)), None).log_likelihood
    assert seen.mean() < -100
    process = PlainProcess(Chain(data.transition.to_numpy(), data.initial.to_numpy()))
    found = process.smooth(seen, np.array([0, 500])).probability
    moves, forward = np.log(data.transition.to_numpy()), np.log(data.initial.to_numpy()) + seen[0]
    filtered = [forward]
    for now in seen[1:]:
        filtered.append(np.logaddexp.reduce(filtered[-1][:, None] + moves, axis=0) + now)
    back = np.zeros(3)
    for t in range(499, -1, -1):
        joint = filtered[t] + back
        np.testing.assert_allclose(found[t], np.exp(joint - np.logaddexp.reduce(joint)), atol=1e-9)
        back = np.logaddexp.reduce(moves + seen[t] + back, axis=1)
    assert np.mean(process.decode(seen, np.array([0, 500])) == data.true_state[0]) > 0.995


@pytest.mark.parametrize("observation", ["gaussian", "bernoulli", "negative_binomial"])
def test_every_law_finds_the_states_that_it_simulated(observation):
    rng = np.random.default_rng(0)
    state = np.repeat([0, 1] * 5, 60)
    level = np.where(state[:, None] == 0, [0.2, 0.8, 0.5, 0.2], [0.8, 0.2, 0.5, 0.9])
    drawn = {
        "gaussian": level + 0.3 * rng.standard_normal(level.shape),
        "bernoulli": (rng.random(level.shape) < level).astype(int),
        "negative_binomial": rng.negative_binomial(3, 3 / (3 + 4 * level)),
    }[observation]
    x = xr.DataArray(drawn, dims=("time", "node"))
    model = SwitchingGLM(2, observation=observation, history=NoHistory(), n_restarts=4, random_state=0).fit(x)
    share = np.mean(model.decode(x) == state)
    assert max(share, 1 - share) > 0.93
    if observation == "negative_binomial":
        assert 0.15 < float(model.results_.dispersion.mean()) < 0.6  # 1/3


def test_covariates_act_in_each_state_in_their_own_way():
    rng = np.random.default_rng(0)
    state, stimulus = np.repeat([0, 1] * 10, 100), rng.standard_normal(2000)
    rate = np.exp(np.where(state == 0, 0.8, -0.8) * stimulus)[:, None] * [1.0, 1.0, 1.0]
    recording = xr.Dataset(
        {"spike_count": (("time", "node"), rng.poisson(rate)), "stimulus": ("time", stimulus)}, {"node": list("abc")}
    )
    options = {"link": "exp", "history": NoHistory(), "covariates": ["stimulus"], "n_restarts": 4, "random_state": 0}
    results = SwitchingGLM(2, **options).fit(recording).results_
    np.testing.assert_allclose(np.sort(results.covariate_weight.mean(("node", "covariate"))), [-0.8, 0.8], atol=0.1)


def test_simulations_of_a_fit_have_its_rates_and_its_states(fitted, data):
    drawn = fitted.simulate(2000, 3, random_state=1)
    np.testing.assert_allclose(
        drawn.spike_count.mean(("session", "time")), data.spike_count.mean(("session", "time")), rtol=0.1
    )
    assert abs(float((drawn.true_state == 0).mean()) - float(fitted.results_.occupancy[0])) < 0.1
    again = clone(fitted).fit(drawn.spike_count)
    assert np.mean(again.decode(drawn.spike_count) == drawn.true_state) > 0.85


def test_simulations_follow_the_covariates_and_the_sequences_of_given_data():
    stimulus = np.tile([-1.0, 1.0], 500)
    rng = np.random.default_rng(0)
    recording = xr.Dataset(
        {"spike_count": (("time", "node"), rng.poisson(np.exp(stimulus))[:, None]), "stimulus": ("time", stimulus)},
        {"node": ["a"], "trial": ("time", np.repeat([0, 1], [300, 700]))},
    )
    model = GLM(link="exp", history=NoHistory(), covariates=["stimulus"], random_state=0).fit(recording)
    drawn = model.simulate(like=recording, random_state=0)
    np.testing.assert_allclose(drawn.spike_count[stimulus > 0].mean(), np.exp(1), rtol=0.1)
    np.testing.assert_allclose(drawn.spike_count[stimulus < 0].mean(), np.exp(-1), rtol=0.2)
    xr.testing.assert_equal(drawn.trial, recording.trial)


# --- Invariances -----------------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(list("abc")))
def test_nodes_carry_their_labels(order):
    counts = small(n_time=150)
    one = GLM(prior="ridge", random_state=0).fit(counts).results_
    other = GLM(prior="ridge", random_state=0).fit(counts.sel(node=order)).results_
    xr.testing.assert_allclose(
        one.coupling, other.coupling.sel(source=one.source, target=one.target), atol=1e-6, rtol=1e-6
    )


def test_new_data_may_have_the_nodes_in_another_order(fitted, data):
    part = data.spike_count.isel(session=slice(2))
    assert fitted.score(part.isel(node=slice(None, None, -1))) == pytest.approx(fitted.score(part), rel=1e-12)


def test_sessions_as_a_dim_as_a_list_and_as_a_coordinate_are_the_same(fitted, data):
    part = data.spike_count.isel(session=slice(3))
    stacked = part.stack(sample=("session", "time")).transpose("sample", "node")
    names = stacked["session"].to_numpy()
    flat = xr.DataArray(stacked.to_numpy(), {"node": part.node, "session": ("time", names)}, ("time", "node"))
    score = fitted.score(part)
    assert fitted.score([part.isel(session=k) for k in range(3)]) == pytest.approx(score, rel=1e-12)
    assert fitted.score(flat) == pytest.approx(score, rel=1e-12)


def test_float32_comes_close(data):
    part = data.spike_count.isel(session=slice(4))
    options = {"link": "sigmoid", "n_restarts": 1, "random_state": 0}
    exact = SwitchingGLM(2, **options).fit(part).results_
    rough = SwitchingGLM(2, dtype="float32", **options).fit(part).results_
    np.testing.assert_allclose(rough.coupling, exact.coupling, atol=1e-3)


# --- Missing data ----------------------------------------------------------------------------------------------------


def test_padding_of_ragged_sessions_counts_for_nothing(fitted, data):
    part = data.spike_count.isel(session=slice(2)).astype(float)
    ragged = part.copy(deep=True)
    ragged[1, 500:] = np.nan
    alone = [part.isel(session=0), part.isel(session=1, time=slice(500))]
    assert fitted.score(ragged) == pytest.approx(fitted.score(alone), rel=1e-12)
    assert (fitted.decode(ragged)[1, 500:] == -1).all()
    assert bool(fitted.posterior(ragged)[1, 500:].isnull().all())


def test_a_missing_value_is_left_out_exactly():
    """Without history, a fit from NaN is the fit of what was seen: a node never seen in a state keeps the others'."""
    counts = small(n_time=300).astype(float)
    holey = counts.copy(deep=True)
    holey[100:200, 0] = np.nan
    model = GLM(history=NoHistory(), link="exp", random_state=0).fit(holey)
    np.testing.assert_allclose(np.exp(model.results_.bias), holey.mean("time"), rtol=1e-6)


def test_bins_whose_past_is_missing_count_for_nothing(fitted, data):
    part = data.spike_count.isel(session=0).astype(float)
    holey = part.copy(deep=True)
    holey[300, 2] = np.nan
    ahead, whole = fitted.log_likelihood(holey), fitted.log_likelihood(part)
    np.testing.assert_allclose(ahead[301:306], 0, atol=1e-12)
    np.testing.assert_allclose(ahead[:300], whole[:300])
    assert bool(fitted.predict(holey)[301:306].isnull().all())


# --- What users meet -------------------------------------------------------------------------------------------------


def test_scikit_learn_searches_over_states(data):
    model = SwitchingGLM(link="sigmoid", prior="ridge", n_restarts=2, random_state=0)
    search = GridSearchCV(model, {"n_states": [1, STATES]}, cv=2, error_score="raise")
    search.fit(data.spike_count.isel(session=slice(6)))
    assert search.best_params_ == {"n_states": STATES}


def test_a_loaded_model_decodes_as_the_saved_one(fitted, data, tmp_path):
    part = data.spike_count.isel(session=slice(1))
    model = SwitchingGLM(2, link="sigmoid", history=RaisedCosineHistory(4, 2), prior="ridge", random_state=0).fit(part)
    loaded = SwitchingGLM.load(model.save(tmp_path / "model.zarr"))
    xr.testing.assert_equal(loaded.decode(part), model.decode(part))
    assert loaded.get_params()["history"].get_params() == {"n_basis": 2, "n_lags": 4}


def test_silent_nodes_are_named_and_get_half_a_spike():
    counts = small(n_time=200)
    counts[:, 1] = 0
    with pytest.warns(UserWarning, match=r"1 nodes never vary and get no coupling: 'b'"):
        results = GLM(link="exp", random_state=0).fit(counts).results_
    assert float(np.exp(results.bias.sel(node="b"))) == pytest.approx(0.5 / 200)
    assert (results.coupling.sel(target="b") == 0).all()
    assert (results.coupling.sel(source="b") == 0).all()
    assert np.isfinite(results.coupling).all()


def test_inputs_that_predict_without_fail_are_told():
    stimulus = np.tile([-1.0, 1.0], 100)
    recording = xr.Dataset(
        {"spike_count": (("time", "node"), (stimulus > 0).astype(int)[:, None]), "stimulus": ("time", stimulus)},
        {"node": ["lick"]},
    )
    options = {"observation": "bernoulli", "history": NoHistory(), "covariates": ["stimulus"], "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="predictors of 'lick' run to infinity"):
        GLM(tol=0.0, max_iter=60, **options).fit(recording)


def test_a_state_that_empties_begins_anew_and_is_reported():
    counts = small(n_time=60)
    with pytest.warns(ConvergenceWarning, match="states emptied"):
        model = SwitchingGLM(12, n_restarts=1, max_iter=60, history=NoHistory(), random_state=0).fit(counts)
    assert model.results_.attrs["n_reseeded"] > 0
    assert np.isfinite(model.results_.bias).all()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_states": 0}, "n_states must be an integer of at least 1, got 0"),
        ({"observation": "weibull"}, "observation must be one of"),
        ({"link": "identity", "observation": "bernoulli"}, "bernoulli observations go with the links"),
        ({"prior": "lasso"}, "prior must be one of"),
        ({"history": 5}, "history must be one of dynome's"),
        ({"covariates": "stimulus"}, "covariates must be a list of names"),
        ({"covariates": ["stimulus"]}, "expected a covariate 'stimulus'"),
        ({"concentration": 0.5}, "concentration must be a finite number of at least 1"),
        ({"tol": np.nan}, "tol must be"),
        ({"batch_size": 2}, "batch_size divides sessions or trials"),
        ({"observation": "categorical", "prior": "one_hot"}, "categorical observations go with prior"),
        ({"transition_covariates": ["s"], "dwell_phases": 2}, "transition_covariates go neither with"),
        ({"connectome": xr.Dataset()}, "has no use for a connectome"),
        ({"history": ExponentialHistory(50)}, "shorter than 51 bins"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_parameters_that_make_no_sense_are_refused(options, match):
    with pytest.raises(InputError, match=match):
        SwitchingGLM(**{"n_states": 2, "n_restarts": 1, "random_state": 0, **options}).fit(small())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda x: x + 0.5, "counts must be whole numbers"),
        (lambda x: x - 5, "must not be negative"),
        (lambda x: x.where(x.node != "a"), "1 nodes have no value at all: 'a'"),
        (lambda x: x.where(x > 99), "every observation is missing|no value"),
        (lambda x: x.rename(node="cell"), "missing 'node'"),
    ],
)
def test_observations_that_do_not_go_with_the_law_are_refused(change, match):
    with pytest.raises(InputError, match=match):
        SwitchingGLM(2, n_restarts=1, random_state=0).fit(change(small().astype(float)))


def test_unknown_nodes_are_refused(fitted, data):
    with pytest.raises(InputError, match="node labels must agree"):
        fitted.decode(data.spike_count.assign_coords(node=[f"other{k}" for k in range(8)]))


def test_an_unknown_kind_of_score_is_refused(fitted, data):
    with pytest.raises(InputError, match="kind must be one of marginal, conditional"):
        fitted.log_likelihood(data.spike_count, kind="joint")


def test_an_unstable_simulation_is_refused():
    model = GLM(link="exp", history=LagHistory(1), random_state=0).fit(small(300))
    model.results_["basis_weight"] = model.results_["basis_weight"] + 2.0
    with pytest.raises(InputError, match="runs away"):
        model.simulate(500, random_state=0)


def test_a_simulation_with_covariates_can_be_fitted():
    rng = np.random.default_rng(0)
    stimulus = rng.standard_normal(400)
    recording = xr.Dataset(
        {"spike_count": (("time", "node"), rng.poisson(np.exp(stimulus))[:, None]), "stimulus": ("time", stimulus)}
    )
    model = GLM(link="exp", history=NoHistory(), covariates=["stimulus"], random_state=0).fit(recording)
    again = clone(model).fit(model.simulate(like=recording, random_state=1))
    np.testing.assert_allclose(again.results_.covariate_weight, model.results_.covariate_weight, atol=0.15)


def test_bins_that_say_nothing_are_told_by_their_share():
    stimulus = np.where(np.arange(200) < 100, np.nan, 1.0) * np.arange(200)
    recording = xr.Dataset({"spike_count": small(n_time=200), "stimulus": ("time", stimulus)})
    with pytest.warns(UserWarning, match="50% of the bins say nothing"):
        GLM(covariates=["stimulus"], prior="ridge", random_state=0).fit(recording)


def test_a_link_that_cannot_reach_the_counts_is_told():
    with pytest.warns(UserWarning, match="sigmoid link keeps the mean below one count a bin"):
        GLM(link="sigmoid", prior="ridge", random_state=0).fit(small(n_time=100) + 2)


@pytest.mark.parametrize(
    ("names", "match"), [(["spike_count"], "which is what the model is of"), (["a", "a"], "found more than once 'a'")]
)
def test_covariates_that_make_no_sense_are_refused(names, match):
    with pytest.raises(InputError, match=match):
        GLM(covariates=names, random_state=0).fit(small())


@pytest.mark.filterwarnings("ignore:no convergence")
def test_more_features_than_information_matrices_can_be_had_for_are_fitted_too():
    data = make_switching_glm(2, 60, n_sessions=3, n_time=1000, random_state=0)
    model = SwitchingGLM(
        2, link="sigmoid", history=LagHistory(3), prior="ridge", n_restarts=1, max_iter=25, random_state=0
    )
    results = model.fit(data.spike_count).results_
    assert results.sizes["basis"] * results.sizes["source"] > 160
    assert "standard_error" not in results
    assert np.diff(results.history).min() > -1e-9 * abs(float(results.history[0]))
    share = float(np.mean(model.decode(data.spike_count) == data.true_state))
    assert max(share, 1 - share) > 0.85
