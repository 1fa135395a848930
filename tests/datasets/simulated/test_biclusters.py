"""Evidence for simulated/biclusters.py: the published design, moments that follow from the truth, the errors."""

import numpy as np
import pytest
import xarray as xr

from dynome import schema
from dynome.datasets import make_biclusters
from dynome.errors import InputError


def predictor(data):
    """psi (..., time, node) from the truth, in plain numpy from the Notes of the docstring."""
    latent = data.true_latent.to_numpy()[..., data.true_cluster.to_numpy(), :]
    loading = np.column_stack([np.ones(data.sizes["node"]), data.true_loading])
    return data.true_bias.to_numpy() + (latent * loading).sum(axis=-1)


def test_the_default_is_the_published_design():
    data = make_biclusters(random_state=0)
    assert dict(data.spike_count.sizes) == {"time": 500, "node": 30}
    assert np.bincount(data.true_cluster).tolist() == [10, 10, 10]
    assert set(np.unique(data.true_state)) == {0, 1}
    np.testing.assert_array_equal(data.true_dispersion, 10.0)
    white, turning = data.true_matrix.to_numpy()
    np.testing.assert_allclose(white, 0.01 * np.eye(9), atol=1e-12)
    for j in range(3):
        own = slice(3 * j, 3 * j + 3)
        angles = np.sort(np.angle(np.linalg.eigvals(turning[own, own])))
        np.testing.assert_allclose(angles, [-np.pi / 20, 0, np.pi / 20], atol=1e-10)
        np.testing.assert_allclose(turning[own, own].T @ turning[own, own], 1.01**2 * np.eye(3), atol=1e-12)
        turning[own, own] = 0
    assert not turning.any()
    np.testing.assert_allclose(data.true_noise, np.broadcast_to(0.01 * np.eye(9), (2, 9, 9)), atol=1e-15)


def test_states_last_as_long_as_their_poisson_means_say():
    data = make_biclusters(2, 2, 3, 30_000, n_factors=1, random_state=1)
    path = data.true_state.to_numpy()
    ends = np.flatnonzero(np.diff(path))
    label, length = path[ends[1:]], np.diff(ends)
    for k in range(3):
        own, mean = length[label == k], float(data.true_dwell[k])
        assert own.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / own.size))
        assert own.var() == pytest.approx(mean, rel=0.5)
    np.testing.assert_allclose(data.true_dwell, 50, rtol=0.4)


def test_latents_are_centred_and_factors_orthogonal_the_largest_first():
    data = make_biclusters(n_factors=3, n_sessions=2, random_state=2)
    latent = data.true_latent.to_numpy().reshape(-1, 3, 4)
    np.testing.assert_allclose(latent.mean(axis=0), 0, atol=1e-12)
    for j in range(3):
        gram = latent[:, j, 1:].T @ latent[:, j, 1:]
        np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-9)
        assert (np.diff(np.diag(gram)) < 0).all()


@pytest.mark.parametrize("n_states", [1, 2, 4])
def test_what_the_dynamics_leave_over_is_white_and_has_the_noise_of_the_state(n_states):
    data = make_biclusters(2, 3, n_states, 4000, n_sessions=2, random_state=3)
    state = data.true_state.to_numpy()
    for k in range(n_states):
        rest = []
        for s in range(2):
            x = data.true_latent.to_numpy()[s].reshape(4000, -1)
            into = np.flatnonzero(state[s, 1:] == k)
            rest.append(x[into + 1] - x[into] @ data.true_matrix.to_numpy()[k].T - data.true_offset.to_numpy()[k])
        left = np.concatenate(rest)
        np.testing.assert_allclose(np.cov(left.T), data.true_noise[k], atol=0.0015)
        np.testing.assert_allclose(left.mean(axis=0), 0, atol=5 * 0.1 / np.sqrt(len(left)))


@pytest.mark.parametrize("observation", ["negative_binomial", "poisson", "bernoulli", "gaussian"])
def test_observations_scatter_around_the_mean_that_the_truth_gives(observation):
    data = make_biclusters(3, 10, 2, 4000, observation=observation, random_state=4)
    psi = predictor(data)
    y = data.get("spike_count", data.get("activity")).to_numpy()
    inverse = {"gaussian": psi, "bernoulli": 1 / (1 + np.exp(-psi))}
    mean = inverse.get(observation, np.exp(psi))
    np.testing.assert_allclose(data.true_mean, mean)
    variance = {
        "poisson": mean,
        "bernoulli": mean * (1 - mean),
        "negative_binomial": mean + mean**2 / 10,
        "gaussian": np.full_like(mean, 0.05),
    }[observation]
    z = (y - mean) / np.sqrt(variance)
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert z.var() == pytest.approx(1, abs=0.03)
    assert abs((z * psi).mean()) < 5 * psi.std() / np.sqrt(z.size)


def test_the_result_is_a_recording_and_the_seed_repeats_it():
    data = make_biclusters(n_times=80, random_state=5)
    schema.validate(data, "recording")
    xr.testing.assert_identical(data, make_biclusters(n_times=80, random_state=5))
    assert not data.equals(make_biclusters(n_times=80, random_state=6))


def test_sessions_share_neurons_and_differ_in_states_and_spikes():
    data = make_biclusters(n_sessions=3, n_times=200, random_state=6)
    assert data.spike_count.dims == ("session", "time", "node")
    assert data.true_bias.dims == ("node",)
    assert not np.array_equal(data.true_state[0], data.true_state[1])
    schema.validate(data.isel(session=0, drop=True), "recording")


def test_the_share_of_missing_bins_is_the_one_asked_for():
    data = make_biclusters(missing=0.2, random_state=7)
    assert float(data.spike_count.isnull().mean()) == pytest.approx(0.2, abs=0.02)
    whole = make_biclusters(random_state=7)
    xr.testing.assert_equal(data.spike_count.fillna(whole.spike_count), whole.spike_count.astype(float))


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError, match=r"n_states must be.*\n.*observation must be one of.*\n.*missing must be"):
        make_biclusters(n_states=0, observation="gamma", missing=1.0)
    with pytest.raises(InputError, match="poisson observations have no dispersion"):
        make_biclusters(observation="poisson", dispersion=2.0)
    with pytest.raises(InputError, match=r"dispersion must be positive.*\n.*bias must be finite.*\n.*dwell"):
        make_biclusters(dispersion=0.0, bias=np.nan, dwell=0.5)


def test_trajectories_that_run_away_are_refused():
    with pytest.raises(InputError, match=r"trajectories ran away.*shorter dwell"):
        make_biclusters(dwell=1000.0, n_times=3000, random_state=0)
