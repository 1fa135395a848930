"""Evidence for the five methods of an analysis: what was planted is found, nothing held out is seen, no is told why."""

from functools import cache

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score

from dynome import cite, datasets, inference, schema, store, study
from dynome.citations.bibliography import identifiers
from dynome.errors import InputError, StoreError
from dynome.pipelines import (
    METHODS,
    bicluster,
    connectome_forecast,
    dynamic_connectome,
    masked_autoencoder,
    pretrain_masked_autoencoder,
    self_supervision,
    session_inputs,
    switching_glm,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def calcium(n_time=400, n_node=8, seed=0, step=0.5):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.normal(size=(n_time, n_node)), axis=0) * 0.2 + rng.normal(size=(n_time, n_node))
    return schema.recording(values, time=np.arange(n_time) * step, node=[f"n{k}" for k in range(n_node)], units="dF/F")


@cache
def switching():
    """One long session of two states, as a recording, and its truth."""
    data = datasets.make_switching_glm(n_states=2, n_nodes=6, n_sessions=1, n_time=3000, random_state=0)
    one = data.isel(session=0, drop=True)
    rec = schema.recording(
        spike_count=one.spike_count.transpose("time", "node").to_numpy(),
        time=np.arange(3000) * 0.02,
        node=one.node.to_numpy(),
    )
    return rec, one.true_state.assign_coords(time=rec.time)


@cache
def wired():
    made = datasets.make_rate_network(n_animals=1, n_times=320, n_nodes=12, random_state=0)
    return made["animal_1"].to_dataset(), made["connectome"].to_dataset()


@cache
def motifs():
    made = datasets.make_dynamic_communities(
        n_animals=1, n_nodes=20, n_communities=2, n_times=300, noise=0.2, random_state=3
    )
    return made["animal_1"].to_dataset(), made["truth"].to_dataset()


@cache
def result(name):
    """A small result of a method."""
    if name == "dynamic-connectome":
        return dynamic_connectome(motifs()[0], rank=2, n_restarts=1, n_null=0, session="a/b")
    if name == "switching-glm":
        return switching_glm(switching()[0].isel(time=slice(0, 400)), n_restarts=1, max_iter=4)
    if name == "biclustering":
        return bicluster(in_two_groups(), n_states=2, n_chains=1, n_tune=10, n_draws=6)
    if name == "connectome-gnn":
        rec, wiring = wired()
        options = {"context": 4, "horizons": [1, 2], "nulls": 1, "n_epochs": 1, "hidden": 4}
        return connectome_forecast(rec, connectome=wiring, **options)
    person = datasets.make_bold(n_animals=1, n_nodes=16, n_times=120, random_state=0)["person_1"].to_dataset()
    return masked_autoencoder(person, hidden=4, n_steps=2)


def in_two_groups():
    """Spikes of two groups, the one lively where the other is not."""
    rng, course = np.random.default_rng(0), 1.2 * np.sin(np.arange(80) / 4)
    rates = np.exp(1 + np.outer(course, np.repeat([1, -1], 4)))
    return schema.recording(spike_count=rng.poisson(rates), time=np.arange(80) * 0.1, node=[f"n{k}" for k in range(8)])


@pytest.mark.parametrize("name", list(METHODS))
def test_results_hold_their_numbers_and_can_be_stored(name, tmp_path):
    found = result(name)
    for quantity in METHODS[name].summary:
        assert found[quantity].dims == ()
        assert "units" in found[quantity].attrs
    again = store.open(store.save(found, tmp_path / "one.zarr"))
    xr.testing.assert_identical(again.load(), found)


@pytest.mark.parametrize("name", list(METHODS))
def test_a_result_alone_tells_which_papers_stand_behind_it(name):
    own = set(identifiers(" ".join(METHODS[name].references)))
    assert own <= set(identifiers(cite(result(name)).replace("eprint = {", "arXiv:"))), own


def test_planted_groups_are_found_in_one_animal():
    _, truth = motifs()
    found = result("dynamic-connectome")
    assert found.animal.item() == "a/b"
    for k in range(2):
        strong = found.node_strength.sel(component=k).to_series().nlargest(5).index
        groups = truth.community.sel(node=strong.to_numpy()).to_numpy()
        assert (groups == groups[0]).all()
    assert 0 < float(found.mean_active_share) < 1


def test_motifs_around_an_event_need_the_event():
    with pytest.raises(InputError, match="'blink' is no variable of the recordings"):
        dynamic_connectome(motifs()[0], event="blink", n_null=0)


def test_two_states_are_found_and_foretell_what_was_held_out():
    rec, truth = switching()
    found = switching_glm(rec, n_restarts=2, prior="none", random_state=0)
    path = found.state_probability.argmax("state")
    agreement = max(float((path == truth).mean()), float((path != truth).mean()))
    assert agreement > 0.8
    assert float(found.gain_of_states) > 0
    assert found.sizes["time"] == 3000


def test_what_is_held_out_is_not_learnt_from():
    rec = calcium()
    tampered = rec.activity.to_numpy().copy()
    tampered[330:] *= -9.0
    first, second = (
        switching_glm(r, n_restarts=1, max_iter=5) for r in (rec, rec.assign(activity=rec.activity.copy(data=tampered)))
    )
    xr.testing.assert_identical(first.coupling, second.coupling)
    assert float(first.score) != float(second.score)


def test_whole_trials_are_held_out_where_there_are_some():
    rec, _ = switching()
    rec = rec.isel(time=slice(0, 1000)).assign_coords(trial=("time", np.repeat(np.arange(20), 50)))
    found = switching_glm(rec, n_restarts=1, max_iter=3)
    assert found.sizes["sequence"] == 16  # four of twenty are held out
    assert found.sizes["time"] == 1000


def test_nothing_held_out_gives_no_score():
    found = switching_glm(calcium(n_time=250), held_out=0.0, n_restarts=1, max_iter=3)
    assert np.isnan(found.score)
    with pytest.raises(InputError, match=r"held_out must be a share from 0 to below 1, got 1\.0"):
        switching_glm(calcium(), held_out=1.0)


def test_nodes_are_no_more_than_the_bins_can_tell():
    found = switching_glm(calcium(n_time=250, n_node=40), n_restarts=1, max_iter=2)
    assert found.sizes["target"] == 25
    assert found.attrs["nodes_left_out"] == 15


def test_the_wiring_is_the_prior_where_it_knows_the_nodes():
    rec, wiring = wired()
    assert switching_glm(rec, connectome=wiring, n_restarts=1, max_iter=2).attrs["prior"] == "one_hot"
    assert switching_glm(calcium(), connectome=wiring, n_restarts=1, max_iter=2).attrs["prior"] == "gaussian"


def test_groups_that_go_up_and_down_together_are_clusters():
    found = result("biclustering")
    assert adjusted_rand_score([0] * 4 + [1] * 4, found.cluster_maxpear) == 1
    assert float(found.gain_over_rates) > 0


def test_forecasts_say_what_ridge_and_rewired_connectomes_reach():
    found = result("connectome-gnn")
    assert found.model.to_numpy().tolist() == ["Persistence", "AR", "RidgeVAR", "ConnectomeGNN"]
    assert (found.skill.sel(model="Persistence") == 0).all()
    mean = found.skill.mean("horizon")
    expected = mean.sel(model="ConnectomeGNN") - mean.sel(model="RidgeVAR")
    assert float(found.gain_over_ridge) == pytest.approx(float(expected))
    wiring_gain = mean.sel(model="ConnectomeGNN") - found.null_skill.mean()
    assert float(found.gain_of_wiring) == pytest.approx(float(wiring_gain))


def test_without_a_connectome_nothing_is_foretold():
    with pytest.raises(InputError, match="needs a connectome"):
        connectome_forecast(wired()[0])
    with pytest.raises(InputError, match="knows none of the nodes"):
        connectome_forecast(calcium(), connectome=wired()[1])


def test_one_pretraining_serves_all_sessions(tmp_path):
    people = datasets.make_bold(n_animals=3, n_nodes=16, n_times=120, random_state=0)
    path = store.save(people, tmp_path / "people.zarr")
    parameters = {"hidden": 4, "n_layers": 1, "n_steps": 3}
    model = pretrain_masked_autoencoder(path, parameters, 0)
    saved = str(model.save(tmp_path / "model.zarr"))
    person = people["person_2"].to_dataset()
    holes = person.activity.to_numpy().copy()
    found = masked_autoencoder(person, model=saved, **parameters)
    direct = model.transform({"session": person}).isel(session=0, drop=True)
    np.testing.assert_allclose(found.embedding, direct.mean("node"), atol=1e-6)
    holes[5, 2] = np.nan
    filled = masked_autoencoder(person.assign(activity=person.activity.copy(data=holes)), model=saved)
    assert bool(filled.embedding.notnull().all())
    with pytest.raises(InputError, match="lacks 1 of the 16 nodes of the model"):
        masked_autoencoder(person.isel(node=slice(0, 15)), model=saved)
    with pytest.raises(StoreError):
        masked_autoencoder(person, model=str(tmp_path / "none.zarr"))


def test_pretraining_reads_sessions_one_by_one_and_passes_over_a_damaged_one(tmp_path, monkeypatch):
    people = datasets.make_bold(n_animals=3, n_nodes=16, n_times=120, random_state=0)
    path = store.save(people, tmp_path / "people.zarr")
    (path / "person_3" / "activity" / "c" / "0" / "0").unlink()
    given = {}

    def watched(recordings, *more):
        given.update({name: rec.activity.chunks for name, rec in recordings.items()})
        return pretrained(recordings, *more)

    pretrained = self_supervision._pretrained
    monkeypatch.setattr(self_supervision, "_pretrained", watched)
    model = pretrain_masked_autoencoder(path, {"hidden": 4, "n_layers": 1, "n_steps": 1}, 0)
    assert list(given) == ["person_1", "person_2"]
    assert all(chunks is not None for chunks in given.values())
    assert model.results_.sizes["node"] == 16


def test_pretraining_needs_nodes_that_sessions_share(tmp_path):
    one = calcium(seed=1)
    other = one.assign_coords(node=[f"m{k}" for k in range(8)])
    path = store.save(study.build({"a": one, "b": other}), tmp_path / "two.zarr")
    with pytest.raises(InputError, match="the 2 sessions share 0"):
        pretrain_masked_autoencoder(path, {}, 0)
    short = store.save(study.build({"a": one.isel(time=slice(0, 20))}), tmp_path / "short.zarr")
    with pytest.raises(InputError, match="can learn from no session"):
        pretrain_masked_autoencoder(short, {}, 0)


def lazy(rec):
    """The recording, whose values cannot be read."""

    def never(block):
        raise RuntimeError("the values were read")

    name = "activity" if "activity" in rec else "spike_count"
    values = da.zeros(rec[name].shape, dtype=rec[name].dtype).map_blocks(never, meta=np.zeros((0, 0), rec[name].dtype))
    return rec.assign({name: rec[name].copy(data=values)})


def test_whether_a_method_applies_is_told_without_reading_values():
    rec, wiring = wired()
    said = {name: method.applies(lazy(rec), wiring) for name, method in METHODS.items()}
    assert said == dict.fromkeys(METHODS, "") | {"masked-autoencoder": said["masked-autoencoder"]}


@pytest.mark.parametrize(
    ("name", "rec", "reason"),
    [
        ("dynamic-connectome", calcium(n_time=40), "has no stretch without gaps of 32 s"),
        ("switching-glm", calcium(n_time=100), "has 100 samples, and 200 are needed"),
        ("biclustering", calcium(n_time=20), "has 20 samples, and 50 are needed"),
        ("connectome-gnn", calcium(), "has no connectome"),
        ("masked-autoencoder", calcium(n_time=200), "has no 150 s without a gap"),
        ("masked-autoencoder", calcium(n_node=3), "has 3 nodes, and 5 are needed"),
    ],
)
def test_a_method_that_does_not_apply_says_why(name, rec, reason):
    assert reason in METHODS[name].applies(rec, None)


def test_a_connectome_of_other_nodes_does_not_help():
    assert "has 0 nodes that the connectome knows" in METHODS["connectome-gnn"].applies(calcium(), wired()[1])


def test_short_trials_have_no_dynamic_connectome():
    rec, _ = switching()
    clock = rec.time.to_numpy() + np.repeat(np.arange(60), 50)
    rec = rec.assign_coords(time=("time", clock, {"units": "s"}))
    assert "the longest is 1 s" in METHODS["dynamic-connectome"].applies(rec, None)


@pytest.mark.parametrize("bins", [2, 7])
def test_trials_of_a_few_bins_are_analysed_with_the_width_that_was_asked_for(bins):
    rng, n_trials, samples = np.random.default_rng(0), 210 // bins, 5 * bins + 3
    clock = (np.arange(samples) * 0.01 + 2 * np.arange(n_trials)[:, None]).ravel()
    counts = rng.poisson(0.5, (clock.size, 4))
    rec = schema.recording(spike_count=counts, time=clock, node=list("abcd"))
    rec = rec.assign_coords(trial=("time", np.repeat(np.arange(n_trials), samples)))
    short = {"n_states": 2, "n_chains": 1, "n_tune": 4, "n_draws": 4} if bins > 2 else None
    found = [switching_glm(rec, bin_width=0.05, n_lags=1, n_states=1, n_restarts=1, max_iter=3)] if bins > 2 else []
    found += [bicluster(rec, bin_width=0.05, **short)] if short else []
    binned = session_inputs.in_bins(rec, 0.05)
    for result in [*found, binned]:
        assert result.attrs["bin_width"] == pytest.approx(0.05)
        assert result.sizes["time"] == 210
    assert int(binned.spike_count[0, 0]) == counts[:5, 0].sum()


def test_the_seed_decides_everything():
    rec = calcium(n_time=250)
    a, b = (switching_glm(rec, random_state=3, n_restarts=1, max_iter=3) for _ in range(2))
    xr.testing.assert_equal(a, b)


@pytest.mark.realdata
def test_real_sessions_have_the_methods_that_they_can_have(data_dir):
    wiring = datasets.load_celegans_connectome("cook2019")
    worm = next(iter(study.sessions(datasets.fetch_celegans_calcium()).values()))
    mouse = next(iter(study.sessions(datasets.fetch_mouse_visual_cortex()).values()))
    person = next(iter(study.sessions(datasets.fetch_human_psilocybin()).values()))

    def taken(rec, connectome=None):
        return {name for name, method in METHODS.items() if not method.applies(rec, connectome)}

    assert taken(worm, wiring) == set(METHODS)
    assert taken(mouse) == {"switching-glm", "biclustering"}
    assert taken(person) == {"dynamic-connectome", "biclustering", "masked-autoencoder"}


def test_the_state_of_a_session_can_be_matched(tmp_path):
    found = result("switching-glm")
    both = inference.match_sessions({"a": found, "b": found}, kind="states", n_null=0)
    assert both.sizes["session"] == 2
