"""The estimator: what comes out of a fit, going on, tempering, and what it refuses."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score

from dynome.datasets import make_biclusters
from dynome.errors import InputError, NotFittedError
from dynome.inference import Biclustering
from dynome.inference.biclustering.laplace import evidence
from dynome.inference.biclustering.model import Concentrations, Data, Dynamics, Hyper, State
from dynome.inference.biclustering.sweeps import Schedule, sweep
from dynome.inference.biclustering.tempering import ladder, tempered_sweep

QUICK = {"n_factors": 1, "n_states": 3, "n_tune": 6, "n_chains": 1, "latent_every": 2, "random_state": 0}


@pytest.fixture(scope="module")
def recording():
    return make_biclusters(n_clusters=2, nodes_per_cluster=4, n_times=80, n_factors=1, random_state=0)


def near_truth(data, law="negative_binomial", **changes):
    """A point with true clusters, states and latents."""
    recording = data
    y = np.ascontiguousarray(recording["spike_count"].to_numpy().T.astype(float))
    given = Data(y, np.array([0, y.shape[1]]), law)
    hyper = Hyper(n_states=6, coupled=False, resample_concentrations=True)._replace(**changes)
    cluster = recording["true_cluster"].to_numpy().astype(np.int64)
    latent = np.ascontiguousarray(recording["true_latent"].to_numpy())
    n_cluster, width = latent.shape[1:]
    r = np.full(cluster.size, 10.0)
    fit = evidence(given, latent, r, hyper)
    eye = np.broadcast_to(np.eye(width), (hyper.n_states, n_cluster, width, width))
    flat = np.full(hyper.n_states, 1 / hyper.n_states)
    start = State(
        cluster=cluster,
        coefficient=fit.mean[np.arange(cluster.size), cluster],
        latent=latent,
        dispersion=r,
        state=recording["true_state"].to_numpy().astype(np.int64),
        dynamics=Dynamics(eye.copy(), np.zeros((hyper.n_states, n_cluster, width)), 0.01 * eye),
        weight=flat,
        transition=np.tile(flat, (hyper.n_states, 1)),
        concentrations=Concentrations(),
        active=np.ones((n_cluster, width - 1), bool),
    )
    return given, hyper, start


def test_a_chain_from_the_truth_stays_at_the_truth():
    data = make_biclusters(random_state=0)
    given, hyper, state = near_truth(data)
    rng = np.random.default_rng(1)
    kept, clusters = [], []
    for k in range(40):
        state, _ = sweep(state, given, hyper, rng, Schedule(states=k >= 10))
        clusters.append(adjusted_rand_score(data["true_cluster"], state.cluster))
        kept.append(adjusted_rand_score(data["true_state"], state.state))
    assert np.mean(clusters[10:]) > 0.9
    assert np.mean(kept[10:]) > 0.8


def test_clusters_and_states_are_found_from_a_start_that_the_data_suggest():
    data = make_biclusters(nodes_per_cluster=8, n_times=250, random_state=0)
    model = Biclustering(n_tune=10, n_draws=10, n_chains=1, random_state=0).fit(data["spike_count"])
    found = model.results_["clustering"]
    assert adjusted_rand_score(data["true_cluster"], found["cluster_maxpear"]) > 0.7
    assert adjusted_rand_score(data["true_state"], found["state_maxpear"]) > 0.5


def test_results_have_the_labels_of_the_recording(recording):
    results = Biclustering(**QUICK, n_draws=8).fit(recording["spike_count"]).results_
    draws = results["posterior"].to_dataset()
    assert draws["cluster"].dims == ("chain", "draw", "node")
    assert draws["state"].dims == ("chain", "draw", "time")
    np.testing.assert_array_equal(draws["node"], recording["node"])
    np.testing.assert_array_equal(draws["time"], recording["time"])
    assert results["latent"]["latent"].sizes["latent_draw"] == 4
    assert results["log_likelihood"]["y"].dims == ("chain", "draw", "node")
    np.testing.assert_array_equal(results["observed_data"]["y"], recording["spike_count"])


@pytest.mark.parametrize("changes", [{}, {"n_temperatures": 2}, {"dynamics": "coupled", "observation": "poisson"}])
def test_going_on_gives_the_draws_of_one_longer_run(recording, changes):
    counts = recording["spike_count"].isel(time=slice(40))
    long = Biclustering(**QUICK, n_draws=6, **changes).fit(counts).results_["posterior"]
    model = Biclustering(**QUICK, n_draws=3, **changes).fit(counts).resume(n_draws=6)
    short = model.results_["posterior"]
    assert model.n_draws == 6
    for name in ("bias", "dispersion", "n_clusters", "n_states", "log_likelihood_per_spike"):
        np.testing.assert_array_equal(short[name], long[name], err_msg=name)


def test_a_folder_keeps_the_draws_and_a_second_fit_goes_on_from_it(recording, tmp_path):
    counts = recording["spike_count"].isel(time=slice(40))
    memory = Biclustering(**QUICK, n_draws=8).fit(counts).results_["posterior"]
    Biclustering(**QUICK, n_draws=4, out=str(tmp_path / "chains"), checkpoint_every=3).fit(counts)
    again = Biclustering(**QUICK, n_draws=8, out=str(tmp_path / "chains"), checkpoint_every=3).fit(counts)
    np.testing.assert_array_equal(again.results_["posterior"]["bias"], memory["bias"])


@pytest.mark.parametrize(
    ("observation", "dynamics"),
    [("poisson", "block"), ("bernoulli", "coupled"), ("gaussian", "block"), ("gaussian", "coupled")],
)
def test_every_law_and_dynamics_fit_with_missing_bins_and_trials(observation, dynamics):
    data = make_biclusters(
        n_clusters=2, nodes_per_cluster=3, n_times=60, n_factors=1, observation=observation, random_state=0
    )
    name = "activity" if observation == "gaussian" else "spike_count"
    y = data[name].astype(float).where(np.random.default_rng(0).random(data[name].shape) > 0.1)
    if observation == "gaussian":
        y = (y - y.mean("time")) / y.std("time")
    y = y.assign_coords(trial=("time", np.repeat([1, 2, 3], 20)))
    model = Biclustering(**QUICK, n_draws=5, observation=observation, dynamics=dynamics).fit(y)
    assert np.isfinite(model.results_["log_likelihood"]["y"]).all()
    assert int(model.results_["constant_data"]["sequence_start"].sum()) == 3


def test_a_first_bin_is_told_to_be_in_the_state_of_the_second(recording):
    y = recording["spike_count"].assign_coords(trial=("time", np.repeat(np.arange(8), 10)))
    state = Biclustering(**QUICK, n_draws=6).fit(y).results_["posterior"]["state"].to_numpy()
    np.testing.assert_array_equal(state[..., ::10], state[..., 1::10])


def test_the_number_of_clusters_may_be_given(recording):
    for n in (1, 3):
        results = Biclustering(**QUICK, n_draws=5, n_clusters=n).fit(recording["spike_count"]).results_
        assert (results["posterior"]["n_clusters"] == n).all()


def test_one_state_never_switches(recording):
    results = Biclustering(**(QUICK | {"n_states": 1}), n_draws=5).fit(recording["spike_count"]).results_
    assert (results["posterior"]["state"] == 0).all()


def test_a_silent_node_is_kept(recording):
    counts = recording["spike_count"].copy()
    counts[:, 0] = 0
    results = Biclustering(**QUICK, n_draws=5).fit(counts).results_
    assert np.isfinite(results["posterior"]["bias"]).all()


def test_tempered_neighbours_change_places_by_the_ratio_of_their_likelihoods():
    data = make_biclusters(n_clusters=2, nodes_per_cluster=3, n_times=60, n_factors=1, random_state=0)
    given, hyper, state = near_truth(data, n_factors=1)
    powers = ladder(2, 1.0)  # equal powers always exchange
    both, _, exchanged = tempered_sweep((state, state), given, hyper, np.random.default_rng(2), powers)
    assert len(both) == 2
    assert exchanged in (0, 1)
    total = sum(tempered_sweep((state, state), given, hyper, np.random.default_rng(k), powers)[2] for k in range(12))
    assert total > 0


def wrong(values, **changes):
    data = xr.DataArray(np.asarray(values, float), dims=("time", "node"))
    return Biclustering(**(QUICK | {"n_draws": 2} | changes)).fit(data)


COUNTS = np.random.default_rng(0).poisson(1.0, (40, 3)).astype(float)


@pytest.mark.parametrize(
    ("values", "changes", "message"),
    [
        (COUNTS[:, :1], {}, "at least 2 nodes, found 1"),
        (COUNTS + 0.5, {}, "not"),
        (COUNTS[:4], {}, "4 bins cannot tell 3 states apart"),
        (COUNTS[:2], {"n_states": 1}, "at least 3 bins"),
        (np.c_[COUNTS, np.full(40, np.nan)], {}, "no observation|never observed|without"),
        (COUNTS + 100, {"observation": "gaussian"}, "standardize"),
        (np.c_[COUNTS, np.ones(40)], {"observation": "gaussian"}, "never vary"),
        (COUNTS, {"n_states": 1000}, "n_states must be at most 200"),
        (COUNTS, {"n_clusters": 9}, "must not exceed the number of nodes"),
        (COUNTS, {"observation": "binomial"}, "observation must be one of"),
        (COUNTS, {"zeta": 0.0}, "zeta must lie above 0"),
        (COUNTS, {"noise_scale": -1.0}, "noise_scale must be positive"),
        (COUNTS, {"bias_sd": "wide", "n_clusters": True}, r"(?s)n_clusters must be None or.*bias_sd must be positive"),
        (COUNTS, {"n_draws": 0}, "n_draws must be a whole number of at least 1"),
    ],
)
def test_bad_input_is_refused(values, changes, message):
    with pytest.raises(InputError, match=message):
        wrong(values, **changes)


def test_going_on_needs_a_fit_and_more_draws(recording):
    with pytest.raises(NotFittedError):
        Biclustering(**QUICK).resume(n_draws=10)
    model = Biclustering(**QUICK, n_draws=5).fit(recording["spike_count"])
    with pytest.raises(InputError, match="must be above the 5 there are"):
        model.resume(n_draws=5)
