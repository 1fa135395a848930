"""Evidence for the tree of results: labels, padding, lazy draws, round trips, chains that go on from it."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score
from toy_chains import N_NODE, assert_same, drawn, recording, run

import dynome as dy
from dynome.dynamics.hmm.sequences import stacked
from dynome.errors import StoreError
from dynome.inference.biclustering.continuing import runs_of
from dynome.inference.biclustering.end_points import checkpoints_of
from dynome.inference.biclustering.model import Dynamics
from dynome.inference.biclustering.results import results_tree
from dynome.inference.biclustering.storage import MemoryRecorder, ZarrRecorder


def runs(make=lambda k: MemoryRecorder(), n_bin=40, n_draws=12):
    return [run(make(k), n_draws, seed=k, start=lambda rng: drawn(rng, n_bin)) for k in range(2)]


def ragged():
    counts = np.random.default_rng(0).poisson(1.0, (3, 20, N_NODE)).astype(float)
    counts[1, 10:] = counts[2, 15:] = np.nan
    coords = {"trial": [5, 6, 7], "time": np.arange(20) * 0.1, "node": list("abcdef")}
    return xr.DataArray(counts, dims=("trial", "time", "node"), coords=coords, attrs={"units": "count"})


@pytest.fixture(scope="module")
def made():
    return runs()


@pytest.fixture(scope="module")
def tree(made):
    return results_tree(made, stacked(recording()), law="poisson")


def test_every_group_has_its_dims_and_the_coordinates_of_the_recording(tree):
    posterior = tree["posterior"]
    assert posterior["cluster"].dims == ("chain", "draw", "node")
    assert posterior["state"].dims == ("chain", "draw", "time")
    assert posterior["loading"].dims == ("chain", "draw", "node", "factor")
    assert tree["latent"]["latent"].dims == ("chain", "latent_draw", "time", "cluster", "component")
    assert tree["latent"]["component"].to_numpy().tolist() == ["common", "factor0", "factor1"]
    assert tree["latent"]["draw"].to_numpy().tolist() == [0, 3, 6, 9]
    assert posterior["region"].to_numpy().tolist() == list("xxyyzz")
    assert posterior["input_state"].dims == ("time",)  # a coordinate of the input that a result would hide
    assert tree["history"].dims == ("iteration",)
    for node in tree.subtree:
        if not node.path.startswith("/last"):
            assert all("units" in v.attrs for n, v in node.data_vars.items() if v.dtype.kind == "f"), node.path


def test_draws_are_the_same_partitions_under_names_that_agree(made, tree):
    for k, chain in enumerate(made):
        for name in ("cluster", "state"):
            values = tree["posterior"][name].isel(chain=k).to_numpy()
            assert all(adjusted_rand_score(a, b) == 1 for a, b in zip(chain.recorded.draws[name], values, strict=True))


def test_latents_follow_the_names_of_their_clusters(made, tree):
    """A node reads the same trajectory before and after relabelling."""
    for k, chain in enumerate(made):
        for j, draw in enumerate(chain.recorded.latents["draw"]):
            raw = chain.recorded.latents["latent"][j][:, chain.recorded.draws["cluster"][draw]]
            labels = tree["posterior"]["cluster"].isel(chain=k, draw=int(draw)).to_numpy()
            np.testing.assert_array_equal(tree["latent"]["latent"].to_numpy()[k, j][:, labels], raw)


@pytest.mark.parametrize("coupled", [True, False])
def test_dynamics_of_the_last_draw_follow_the_names_of_clusters_and_states(coupled):
    def step(state, rng, sweep):
        made = drawn(rng, 40, 3)
        parts = made.dynamics
        if not coupled:
            parts = Dynamics(*(rng.normal(size=(4, 3, *shape)) for shape in ((3, 3), (3,), (3, 3))))
        return made._replace(dynamics=parts), {"log_likelihood": np.zeros(N_NODE)}

    only = run(MemoryRecorder(), 5, step=step)
    found = results_tree([only], stacked(recording()), law="poisson")
    end = only.end.state
    cluster, state = (found["posterior"][n].isel(chain=0, draw=-1).to_numpy() for n in ("cluster", "state"))
    matrix, offset = (found["latent"][n].isel(chain=0).to_numpy() for n in ("matrix", "offset"))
    a, b, t = 0, int(np.flatnonzero(end.cluster != end.cluster[0])[0]), 7
    new, old = (state[t], cluster[a], cluster[b]), (end.state[t], end.cluster[a], end.cluster[b])
    if coupled:
        full = end.dynamics.matrix[old[0], 0].reshape(3, 3, 3, 3)
        np.testing.assert_array_equal(matrix[new[0], new[1], :, new[2]], full[old[1], :, old[2]])
        np.testing.assert_array_equal(offset[new[0], new[1]], end.dynamics.offset[old[0], 0].reshape(3, 3)[old[1]])
    else:
        np.testing.assert_array_equal(matrix[new[0], new[1], :, new[1]], end.dynamics.matrix[old[0], old[1]])
        assert (matrix[new[0], new[1], :, new[2]] == 0).all()


def test_draws_on_disk_give_the_same_tree_lazily(tree, tmp_path):
    found = results_tree(runs(lambda k: ZarrRecorder(tmp_path / str(k))), stacked(recording()), law="poisson")
    assert found["latent"]["latent"].chunks is not None
    xr.testing.assert_identical(found.load(), tree)


def test_ragged_trials_are_put_back_with_padding(tmp_path):
    data = ragged()
    sequences = stacked(data)
    found = results_tree(runs(n_bin=45), sequences, law="poisson")
    state = found["posterior"]["state"]
    assert state.dims == ("chain", "draw", "trial", "time")
    assert (state.sel(trial=6).isel(time=slice(10, None)) == -1).all()
    assert (state.sel(trial=5) >= 0).all()
    xr.testing.assert_equal(found["observed_data"]["y"].drop_attrs(), data.drop_attrs())
    assert found["clustering"]["state_similarity"].dims == ("bin", "other_bin")
    assert int(found["constant_data"]["sequence_start"].sum()) == 3
    lazy = results_tree(runs(lambda k: ZarrRecorder(tmp_path / str(k)), n_bin=45), sequences, law="poisson")
    xr.testing.assert_identical(lazy.load(), found)


def test_a_tree_is_saved_and_its_chains_go_on_after_loading(made, tree, tmp_path):
    dy.store.save(tree, tmp_path / "fit.zarr")
    loaded = dy.store.open(tmp_path / "fit.zarr").load()
    for node in tree.subtree:
        xr.testing.assert_equal(loaded[node.path].to_dataset(inherit=False), node.to_dataset(inherit=False))
    assert [c.counts.draws for c in checkpoints_of(loaded)] == [12, 12]
    straight = runs(n_draws=20)
    for whole, part in zip(straight, runs_of(loaded), strict=True):
        further = run(MemoryRecorder(part.recorded), 20, start=part.end)
        assert_same([whole.recorded.sweeps], [further.recorded.sweeps])
        for name, values in whole.recorded.draws.items():
            if name not in ("cluster", "state"):
                np.testing.assert_array_equal(further.recorded.draws[name], values)
        labels = zip(whole.recorded.draws["cluster"], further.recorded.draws["cluster"], strict=True)
        assert all(adjusted_rand_score(a, b) == 1 for a, b in labels)
        for j, draw in enumerate(whole.recorded.latents["draw"]):
            a, b = (r.recorded.latents["latent"][j][:, r.recorded.draws["cluster"][draw]] for r in (whole, further))
            np.testing.assert_array_equal(a, b)
    with pytest.raises(StoreError, match="do not hold where their chains stand"):
        checkpoints_of(xr.DataTree())


def test_a_long_recording_has_no_similarity_of_bins(made):
    found = results_tree(made, stacked(recording()), law="poisson", max_similarity_bins=39)
    assert "state_similarity" not in found["clustering"]
    assert "state_maxpear" in found["clustering"]


def test_log_likelihoods_add_up(tree):
    by_node = tree["log_likelihood"]["y"].sum("node")
    xr.testing.assert_allclose(by_node.drop_attrs(), tree["sample_stats"]["log_likelihood"].drop_attrs())
    spikes = float(tree["observed_data"]["y"].sum())
    xr.testing.assert_allclose(
        tree["posterior"]["log_likelihood_per_spike"].drop_attrs(), (by_node / spikes).drop_attrs()
    )
