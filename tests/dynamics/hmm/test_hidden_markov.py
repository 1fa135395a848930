"""Evidence for dynamics/hmm/hidden_markov.py: truth recovered, evidence exact, invariances, bad input told."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.optimize
import xarray as xr
from hypothesis import given, settings
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from dynome.dynamics import HMM
from dynome.dynamics.hmm.chain import sticky
from dynome.dynamics.hmm.clustering import clusters, smoothed
from dynome.dynamics.hmm.emissions.choice import Form, observed_as, pooled
from dynome.dynamics.hmm.fitting import Options, climbed, fitted, started
from dynome.errors import InputError

LAWS = {
    "poisson": {"observation": "poisson"},
    "bernoulli": {"observation": "bernoulli"},
    "diagonal": {"observation": "gaussian"},
    "full": {"observation": "gaussian", "covariance": "full"},
    "tied": {"observation": "gaussian", "covariance": "tied"},
    "connectivity": {"observation": "gaussian", "covariance": "full", "mean": "zero"},
}
NODES = ["a", "b", "c", "d"]


def simulated(law, seed=0, n_state=3, n_time=600, n_session=3):
    """Sessions with known states, which differ in all that the law lets differ."""
    rng = np.random.default_rng(seed)
    move = np.cumsum(sticky(n_state, 0.95), axis=1)
    state = np.zeros((n_session, n_time), dtype=int)
    for t in range(1, n_time):
        state[:, t] = (rng.random((n_session, 1)) > move[state[:, t - 1]]).sum(axis=1)
    level = np.abs(np.arange(4) - 1.3 * np.arange(n_state)[:, None])
    if law == "poisson":
        y = rng.poisson(1 + 2 * level[state]).astype(np.int16)
    elif law == "bernoulli":
        y = rng.random((*state.shape, 4)) < 0.1 + 0.25 * level[state]
    else:
        mixing = rng.standard_normal((n_state, 4, 4)) if law in ("full", "connectivity") else np.stack([np.eye(4)] * 3)
        y = np.einsum("stij,stj->sti", mixing[state], rng.standard_normal((*state.shape, 4)))
        y = y + (0 if law == "connectivity" else 2 * level[state])
    units = "count" if law == "poisson" else "1"
    x = xr.DataArray(
        y,
        dims=("session", "time", "node"),
        coords={
            "session": ["m1", "m2", "m3"],
            "time": ("time", np.arange(n_time) * 0.1, {"units": "s"}),
            "node": NODES,
        },
        attrs={"units": units},
    )
    return x, x.isel(node=0, drop=True).copy(data=state)


def agreement(found, truth):
    """Share of bins in the right state, under the best naming."""
    table = np.histogram2d(np.ravel(found), np.ravel(truth), bins=(range(5), range(5)))[0]
    return table[scipy.optimize.linear_sum_assignment(-table)].sum() / table.sum()


@pytest.fixture(scope="module")
def models():
    return {
        law: (HMM(3, **LAWS[law], n_restarts=3, random_state=0).fit(x), x, truth)
        for law in LAWS
        for x, truth in [simulated(law)]
    }


@pytest.mark.parametrize("law", LAWS)
def test_simulated_states_are_found(models, law):
    model, x, truth = models[law]
    assert agreement(model.decode(x), truth) > (0.8 if law == "bernoulli" else 0.93)
    dwell = model.results_.dwell_time
    assert dwell.attrs["units"] == "s"
    np.testing.assert_allclose(dwell, 2.0, rtol=0.5)  # 20 bins of 0.1 s


@pytest.mark.parametrize("law", LAWS)
def test_parameters_of_the_states_are_found(models, law):
    model, x, _ = models[law]
    path = model.decode(x)
    for s in range(3):
        own = x.where(path == s).stack(bin=("session", "time")).transpose("bin", "node").dropna("bin")
        got = model.results_.sel(state=s)
        if law in ("full", "connectivity"):
            np.testing.assert_allclose(got.fc, np.corrcoef(own.T), atol=0.1)
        if law != "connectivity":
            name = {"poisson": "rate", "bernoulli": "probability"}.get(law, "mean")
            np.testing.assert_allclose(got[name], own.mean("bin"), atol=0.35)


def every_path(log_likelihood, transition, initial):
    """log p of all paths through the states, with the paths."""
    n_bin, n_state = log_likelihood.shape
    paths = np.array(list(itertools.product(range(n_state), repeat=n_bin)))
    log_p = np.log(initial)[paths[:, 0]] + log_likelihood[np.arange(n_bin), paths].sum(axis=1)
    return paths, log_p + np.log(transition)[paths[:, :-1], paths[:, 1:]].sum(axis=1)


@pytest.mark.parametrize("law", LAWS)
def test_evidence_posterior_path_and_prediction_are_those_of_all_paths_together(models, law):
    model, x, _ = models[law]
    short = x.isel(session=[1], time=slice(0, 6)).astype(float)
    short[0, 2, 1] = np.nan
    short[0, 4] = np.nan
    r = model.results_
    seen = model._seen(short)
    paths, log_p = every_path(seen.log_likelihood, r.transition.values, r.initial.values)
    evidence = np.logaddexp.reduce(log_p)
    assert model.log_likelihood(short).sum() == pytest.approx(evidence)
    assert model.score(short) == pytest.approx(evidence / (24 - 5))
    assert model.decode(short).values[0].tolist() == paths[log_p.argmax()].tolist()
    weight = np.exp(log_p - evidence)
    posterior = np.stack([weight @ (paths == s) for s in range(3)], axis=1)
    np.testing.assert_allclose(model.posterior(short)[0], posterior, atol=1e-9)
    ahead = model.predict(short)
    for t in (1, 3, 5):
        paths, log_p = every_path(seen.log_likelihood[:t], r.transition.values, r.initial.values)
        last = np.array([np.exp(log_p[paths[:, -1] == s] - np.logaddexp.reduce(log_p)).sum() for s in range(3)])
        expected = last @ r.transition.values @ seen.emission.expected()
        np.testing.assert_allclose(ahead[0, t], expected, atol=1e-9)


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_state=st.integers(1, 4),
    prior=st.sampled_from([(1.0, 0.0, None), (1.5, 10.0, 0.5), (1.0, 3.0, 20.0)]),
    missing=st.sampled_from([0.0, 0.15]),
)
def test_the_objective_never_falls(law, seed, n_state, prior, missing):
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 3))
    y = np.floor(np.abs(y)) if law == "poisson" else (y > 0).astype(float) if law == "bernoulli" else y
    y[rng.random(y.shape) < missing] = np.nan
    form = Form(**{"covariance": "diagonal", "mean": "state", **LAWS[law]})
    data, starts = observed_as(form, y), np.array([0, 25, 26, 60])
    options = Options(n_state, 1, 30, -np.inf, prior[0], prior[1])
    first = started(data, starts, pooled(form, data, n_state, prior[2]), options, centred=form.centred, seed=seed, k=0)
    history = climbed(data, starts, *first, options).history
    assert history.size == 30
    assert (np.diff(history) > -1e-9 * np.abs(history[1:]).max()).all()


def test_results_say_what_they_are(models):
    model, x, _ = models["connectivity"]
    r = model.results_
    assert dict(r.fc.sizes) == {"state": 3, "source": 4, "target": 4}
    np.testing.assert_allclose(np.diagonal(r.fc, axis1=1, axis2=2), 1)
    assert r.state_probability.dims == ("session", "time", "state")
    np.testing.assert_allclose(r.state_probability.sum("state"), 1)
    assert (np.diff(r.occupancy) <= 0).all()
    assert r.sequence_session.values.tolist() == ["m1", "m2", "m3"]
    assert r.evidence.sum() == pytest.approx(float(r.restart_evidence.max()))
    np.testing.assert_allclose(model.posterior(x), r.state_probability, atol=1e-12)
    assert r.attrs["seconds_per_bin"] == pytest.approx(0.1)
    bins = HMM(2, random_state=0, n_restarts=1).fit(simulated("poisson")[0].drop_vars("time"))
    assert bins.results_.dwell_time.attrs["units"] == "bin"


def test_every_start_has_a_stream_of_its_own():
    x, _ = simulated("poisson", n_time=100)
    few, more = (HMM(3, n_restarts=n, random_state=5).fit(x).results_.restart_evidence.values for n in (2, 4))
    np.testing.assert_array_equal(few, more[:2])


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(NODES))
def test_the_order_of_the_nodes_does_not_matter(order):
    x, _ = simulated("full", n_time=80)
    model = HMM(2, **LAWS["full"], n_restarts=1, random_state=0).fit(x)
    other = HMM(2, **LAWS["full"], n_restarts=1, random_state=0).fit(x.sel(node=order))
    assert other.score(x) == pytest.approx(model.score(x.sel(node=order)), abs=1e-6)
    np.testing.assert_allclose(other.results_["mean"].sel(node=NODES), model.results_["mean"], atol=1e-3)


@pytest.mark.parametrize("law", ["diagonal", "full"])
def test_other_units_shift_the_evidence_and_nothing_else(law):
    x, _ = simulated(law, n_time=400)
    a, b = (HMM(3, **LAWS[law], n_restarts=1, random_state=0).fit(data) for data in (x, 1000 * x + 5e4))
    np.testing.assert_allclose(a.results_.state_probability, b.results_.state_probability, atol=1e-5)
    assert a.score(x) - np.log(1000) == pytest.approx(b.score(1000 * x + 5e4), abs=1e-8)


def test_nodes_that_are_missing_in_a_bin_are_left_out_exactly():
    x, _ = simulated("poisson", n_time=50)
    model = HMM(2, n_restarts=1, random_state=0).fit(x)
    holes = x.astype(float)
    holes[:, :, 3] = np.nan
    without = HMM(2, n_restarts=1, random_state=0)
    without.results_ = model.results_.isel(node=slice(3))
    np.testing.assert_allclose(model.posterior(holes), without.posterior(x.isel(node=slice(3))), atol=1e-12)


def test_all_forms_of_the_input_give_the_same_fit():
    x, _ = simulated("poisson", n_time=60)
    along = xr.concat([x.isel(session=k).assign_coords(session=("time", [f"m{k + 1}"] * 60)) for k in range(3)], "time")
    forms = [
        x,
        x.to_dataset(name="spike_count"),
        along.drop_vars("time"),
        {str(k): x.isel(session=k) for k in range(3)},
        x.chunk({"time": 7}),
    ]
    scores = [float(HMM(2, n_restarts=1, random_state=0).fit(form).results_.history[-1]) for form in forms]
    np.testing.assert_allclose(scores, scores[0], rtol=1e-12)


def test_simulated_sessions_can_be_fitted_and_have_the_statistics_of_the_model(models):
    model, _, _ = models["poisson"]
    r = model.results_
    drawn = model.simulate(4000, 5, random_state=1)
    assert drawn.spike_count.dims == ("session", "time", "node")
    assert drawn.spike_count.dtype == np.int64
    assert float(drawn.time[1]) == pytest.approx(0.1)
    for s in range(3):
        own = drawn.spike_count.where(drawn.state == s).mean(("session", "time"))
        np.testing.assert_allclose(own, r.rate.sel(state=s), rtol=0.1)
    stay = (drawn.state.values[:, 1:] == drawn.state.values[:, :-1]).mean()
    assert stay == pytest.approx(
        np.average(np.diag(r.transition), weights=np.bincount(drawn.state.values.ravel())), abs=0.02
    )
    assert agreement(model.decode(drawn), drawn.state) > 0.95
    assert model.simulate(10, random_state=1).identical(model.simulate(10, random_state=1))
    assert models["full"][0].simulate(5).activity.attrs["units"] == "1"


def test_stickiness_makes_states_last():
    x, _ = simulated("poisson", n_time=100)
    loose, tight = (HMM(3, stickiness=k, n_restarts=1, random_state=0).fit(x).results_ for k in (0.0, 500.0))
    assert (tight.dwell_time.values > loose.dwell_time.values).all()


def test_a_state_that_empties_begins_anew():
    """A start that gives a state nothing: it is given the worst explained bins, and finds the third state."""
    x, truth = simulated("poisson", n_time=200)
    form = Form("poisson", "diagonal", "state")
    y = x.values.reshape(-1, 4).astype(float)
    data, starts = observed_as(form, y), np.array([0, 200, 400, 600])
    weight = np.zeros((600, 3))
    weight[np.arange(600), np.where(truth.values.ravel() == 2, 1, truth.values.ravel())] = 1
    options = Options(3, 1, 200, 1e-7, 1.0, 0.0)
    chain = sticky(2, 0.9)
    transition = np.block([[chain, np.zeros((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]])
    from dynome.dynamics.hmm.chain import Chain

    start = pooled(form, data, 3, 1.0).updated(data, weight), Chain(transition, np.array([0.5, 0.5, 0.0]))
    stuck = climbed(data, starts, *start, options)
    assert stuck.empty.tolist() == [False, False, True]
    free = fitted(data, starts, *start, options)
    assert free.reseeded == 1
    assert not free.empty.any()
    assert free.history[-1] > stuck.history[-1] + 50
    assert agreement(free.posterior.probability.argmax(axis=1), truth) > 0.93


def test_a_state_that_nothing_can_fill_is_told():
    noise = xr.DataArray(np.random.default_rng(0).poisson(2, (60, 2)), dims=("time", "node"))
    with pytest.warns(ConvergenceWarning, match="1 of 2 states are empty, after 3 new beginnings; take fewer"):
        results = HMM(2, stickiness=1e6, n_restarts=1, random_state=0).fit(noise).results_
    assert (results.attrs["n_reseeded"], results.attrs["n_empty"]) == (3, 1)
    np.testing.assert_allclose(results.occupancy, [1, 0], atol=1e-3)
    assert np.isfinite(results.transition).all()


def test_a_fit_that_does_not_converge_is_told():
    with pytest.warns(ConvergenceWarning, match="no convergence in 1 iterations; raise max_iter or tol"):
        HMM(2, max_iter=1, n_restarts=1, random_state=0).fit(simulated("poisson", n_time=50)[0])


def test_recordings_without_any_change_can_be_fitted():
    still = xr.DataArray(np.ones((30, 2)), dims=("time", "node"))
    model = HMM(3, prior_bins=0.0, n_restarts=1, random_state=0).fit(still)
    np.testing.assert_allclose(model.results_.rate, 1)


def test_windows_end_where_sequences_do():
    values, starts = np.arange(7.0)[:, None], np.array([0, 4, 7])
    assert smoothed(values, starts, 3).ravel().tolist() == [0.5, 1, 2, 2.5, 4.5, 5, 5.5]
    assert smoothed(values, starts, 1) is values


def test_clusters_that_lie_apart_are_found_and_equal_bins_are_no_trouble():
    rng = np.random.default_rng(0)
    centre = rng.integers(0, 3, 300)
    found = clusters(10 * np.eye(3)[centre] + rng.standard_normal((300, 3)), 3, rng)
    assert agreement(found, centre) == 1
    assert set(clusters(np.zeros((10, 2)), 3, rng)) <= {0, 1, 2}


def test_parameters_survive_clone_and_store(models, tmp_path):
    model, x, _ = models["connectivity"]
    assert clone(model).get_params() == model.get_params()
    loaded = HMM.load(model.save(tmp_path / "hmm.zarr"))
    np.testing.assert_array_equal(loaded.posterior(x), model.posterior(x))


def counts(**coords):
    return xr.DataArray(
        np.random.default_rng(0).poisson(2, (8, 3)).astype(float),
        dims=("time", "node"),
        coords={"node": ["a", "b", "c"], **coords},
        attrs={"units": "count"},
    )


@pytest.mark.parametrize(
    ("model", "data", "told"),
    [
        (HMM(), counts() - 3, "must not be negative"),
        (HMM(), counts() + 0.5, "whole numbers"),
        (HMM(observation="bernoulli"), counts(), "must be 0 or 1"),
        (HMM(), counts().where(lambda x: x != 2, np.inf), "infinite"),
        (HMM(), counts() * np.nan, "every observation is missing"),
        (HMM(), counts().where(counts().node != "b"), "1 nodes were never observed: 'b'; drop them"),
        (HMM(observation="gaussian"), counts() * [1, 0, 1], "1 nodes never vary: 'b'; drop them"),
        (HMM(9), counts(), "n_states is 9, but there are only 8 bins"),
        (HMM(), counts(trial=("time", range(8))), "no sequence has two bins"),
        (HMM(observation="gaussian", covariance="full", mean="zero"), counts() + 9, "standardize each session first"),
        (HMM(0), counts(), "n_states must be an integer of at least 1, got 0"),
        (HMM(n_restarts=1.5), counts(), "n_restarts must be an integer"),
        (HMM(concentration=0.5), counts(), "concentration must be a finite number of at least 1"),
        (HMM(prior_bins=-1), counts(), "prior_bins must be a finite number of at least 0"),
        (HMM(observation="binomial"), counts(), "observation must be one of poisson, bernoulli, gaussian"),
        (HMM(covariance="full"), counts(), 'covariance and mean are those of observation="gaussian"'),
        (HMM(observation="gaussian", covariance="tied", mean="zero"), counts(), "all alike"),
        (HMM(random_state=-1), counts(), "random_state"),
        (HMM(), counts().values, "expected a DataArray"),
    ],
)
def test_what_cannot_be_fitted_is_told(model, data, told):
    with pytest.raises(InputError, match=told):
        model.fit(data)


def test_new_data_must_have_the_fitted_nodes_and_law():
    model = HMM(2, n_restarts=1, random_state=0).fit(counts())
    with pytest.raises(InputError, match=r"(?s)cannot use the fitted .* missing 'c'"):
        model.decode(counts().sel(node=["a", "b"]))
    with pytest.raises(InputError, match="whole numbers"):
        model.score(counts() / 2)
    with pytest.raises(InputError, match="n_time and n_sessions must be at least 1, got 0 and 1"):
        model.simulate(0)
    shuffled = counts().isel(node=[2, 0, 1])
    assert model.score(shuffled) == pytest.approx(model.score(counts()))


def test_weights_in_the_place_of_y_are_refused():
    with pytest.raises(InputError, match="no target"):
        HMM(2).fit(counts(), np.ones(8))
