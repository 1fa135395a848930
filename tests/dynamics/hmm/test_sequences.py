"""Evidence for dynamics/hmm/sequences.py: every form goes in and comes back, sequences break where they should."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema, study
from dynome.dynamics.hmm.sequences import stacked
from dynome.errors import InputError

LABELS = ["a", "b", "c"]


def recording(n_time=6, seed=0, labels=LABELS, **coords):
    values = np.random.default_rng(seed).poisson(2, (n_time, len(labels))).astype(float)
    time = ("time", np.arange(n_time) * 0.5, {"units": "s"})
    return xr.DataArray(
        values, dims=("time", "node"), coords={"time": time, "node": labels, **coords}, attrs={"units": "count"}
    )


def ragged(lengths=(4, 0, 6, 1), n_time=6):
    """Trials of several lengths, padded with NaN; one is missing as a whole."""
    trials = xr.concat([recording(n_time, seed) for seed in range(len(lengths))], dim="trial")
    trials = trials.assign_coords(trial=[10, 11, 12, 13], contrast=("trial", [0.0, 0.5, 0.0, 1.0]))
    return trials.where(trials.time < xr.DataArray(list(lengths), dims="trial") * 0.5)


FORMS = {
    "one recording": recording(),
    "no labels": xr.DataArray(np.arange(8.0).reshape(4, 2), dims=("time", "node")),
    "trials along time": recording(trial=("time", [1, 1, 1, 2, 2, 2]), cell_type=("node", ["x", "y", "y"])),
    "ragged trials": ragged(),
    "animals and sessions": xr.concat([ragged(), ragged((6, 5, 4, 3))], dim="animal").assign_coords(animal=["m", "n"]),
    "holes": recording().where(lambda x: x != 2),
    "lazy": ragged().chunk({"time": 2}),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_goes_in_comes_back_with_its_dims_and_coordinates(form):
    x = FORMS[form]
    found = stacked(x)
    back = found.labelled(found.y, ["node"], coords={} if "node" in x.coords else None, attrs=x.attrs)
    if "node" not in x.coords:
        back = back.drop_vars("node", errors="ignore")
    xr.testing.assert_identical(back, x.transpose(..., "time", "node").compute())


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n_trial=st.integers(1, 4), n_time=st.integers(1, 6), n_node=st.integers(1, 3))
def test_any_pattern_of_missing_values_comes_back(data, n_trial, n_time, n_node):
    missing = data.draw(st.lists(st.booleans(), min_size=n_trial * n_time * n_node, max_size=n_trial * n_time * n_node))
    values = np.where(np.reshape(missing, (n_trial, n_time, n_node)), np.nan, 1.0)
    values[0, 0, 0] = 1.0
    order = data.draw(st.permutations(["trial", "time", "node"]))
    x = xr.DataArray(values, dims=("trial", "time", "node")).transpose(*order)
    found = stacked(x)
    back = found.labelled(found.y, ["node"]).drop_vars("node", errors="ignore")
    xr.testing.assert_identical(back, x.transpose("trial", "time", "node"))
    rows = ~np.isnan(values).all(axis=(1, 2))
    assert found.starts.size - 1 == rows.sum()
    ends = np.append(found.starts[:-1], found.starts[1:] - 1)
    assert not np.isnan(found.y[ends]).all(axis=1).any()  # a sequence begins and ends with a value


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.float32, bool])
def test_counts_may_be_of_any_dtype(dtype):
    x = (recording() > 1).astype(dtype)
    found = stacked(x)
    assert found.y.dtype == np.float64
    np.testing.assert_array_equal(found.y, x)


def test_padding_of_integers_is_minus_one_and_of_booleans_false():
    found = stacked(ragged())
    state = found.labelled(np.arange(11))
    assert state.dtype == np.int64
    assert state.values[0].tolist() == [0, 1, 2, 3, -1, -1]
    assert (state.sel(trial=11) == -1).all()
    assert not found.labelled(np.ones(11, dtype=bool)).sel(trial=11).any()


def test_a_new_sequence_begins_where_trial_session_or_animal_changes():
    for name in ("trial", "session", "animal"):
        assert stacked(recording(**{name: ("time", [3, 3, 1, 1, 1, 2])})).starts.tolist() == [0, 2, 5, 6]
    both = recording(session=("time", list("aaabbb")), trial=("time", [0, 0, 1, 1, 2, 2]))
    assert stacked(both).starts.tolist() == [0, 2, 3, 4, 6]
    between = recording(trial=("time", [np.nan, np.nan, 1, 1, np.nan, np.nan]))
    assert stacked(between).starts.tolist() == [0, 2, 4, 6]


def test_a_gap_of_the_clock_or_a_step_back_starts_a_sequence_and_jitter_does_not():
    def on(clock):
        found = stacked(recording().assign_coords(time=("time", clock, {"units": "s"})))
        return found.starts.tolist(), found.step

    assert on([0, 0.5, 1.0, 2.0, 2.5, 3.0]) == ([0, 3, 6], 0.5)
    assert on([0, 0.5, 1.0, 0.0, 0.5, 1.0]) == ([0, 3, 6], 0.5)
    assert on([0, 0.4, 1.0, 1.6, 2.0, 2.5])[0] == [0, 6]


def test_seconds_a_bin_follow_the_unit_of_the_clock_and_ignore_time_between_trials():
    clock = np.array([0, 10, 20, 5000, 5010, 5020.0])
    x = recording(trial=("time", [0, 0, 0, 1, 1, 1])).assign_coords(time=("time", clock, {"units": "ms"}))
    assert stacked(x).step == pytest.approx(0.01)
    assert stacked(x.drop_vars("time")).step is None
    bins = stacked(recording().assign_coords(time=("time", [0, 1, 2, 5, 6, 7], {"units": "1"})))
    assert (bins.step, bins.starts.tolist()) == (None, [0, 3, 6])  # a clock that counts bins


def test_a_study_a_dict_and_a_list_give_the_same_stack():
    recs = {
        f"m/{k}": schema.recording(recording(seed=k), time=np.arange(6) / 2, node=LABELS, units="1") for k in range(3)
    }
    tree, mapping, several = (stacked(d) for d in (study.build(recs), recs, list(recs.values())))
    for other in (mapping, several):
        np.testing.assert_array_equal(tree.y, other.y)
        np.testing.assert_array_equal(tree.starts, other.starts)
    back = tree.labelled(tree.y, ["node"])
    assert back.session.values.tolist() == ["m/0"] * 6 + ["m/1"] * 6 + ["m/2"] * 6
    for path, rec in recs.items():
        part = back.isel(time=back.session.values == path)
        np.testing.assert_array_equal(part, rec.activity)
        np.testing.assert_array_equal(part.time_in_session, rec.time)
    assert back.time_in_session.attrs["units"] == "s"
    again = stacked(back)
    np.testing.assert_array_equal(again.starts, tree.starts)


def test_several_sets_of_trials_keep_the_labels_of_their_trials():
    found = stacked({"monday": ragged(), "friday": ragged((6, 6, 6, 6))})
    assert found.starts.tolist() == [0, 4, 10, 11, 17, 23, 29, 35]
    rows = found.per_sequence(np.zeros(7))
    assert rows.sequence_trial.values.tolist() == [10, 12, 13, 10, 11, 12, 13]
    assert rows.sequence_session.values.tolist() == ["monday"] * 3 + ["friday"] * 4
    assert rows.sequence_contrast.values.tolist() == [0, 0, 1, 0, 0.5, 0, 1]


def test_labels_of_sequences_stand_beside_the_labels_of_bins():
    found = stacked(ragged())
    both = xr.Dataset({"state": found.labelled(np.arange(11)), "evidence": found.per_sequence(np.zeros(3))})
    assert both.trial.values.tolist() == [10, 11, 12, 13]
    assert both.sequence_trial.values.tolist() == [10, 12, 13]


def test_sessions_inside_of_a_named_recording_keep_both_names():
    x = recording(session=("time", list("aaabbb")))
    found = stacked({"m1": x})
    assert found.per_sequence(np.zeros(2)).sequence_session.values.tolist() == ["m1/a", "m1/b"]


def test_nodes_are_joined_by_label():
    x, y = recording(seed=0), recording(seed=1)
    shuffled = stacked([x, y.isel(node=[2, 0, 1])])
    np.testing.assert_array_equal(shuffled.y, stacked([x, y]).y)
    fitted = stacked(x, nodes=["c", "a", "b"])
    np.testing.assert_array_equal(fitted.y, x.sel(node=["c", "a", "b"]))
    assert fitted.nodes.tolist() == ["c", "a", "b"]


def test_covariates_of_every_shape_are_spread_over_the_bins():
    trials = ragged().to_dataset(name="spike_count").drop_vars("contrast")
    trials["contrast"] = ("trial", [0.0, 0.5, 0.0, 1.0])
    trials["cue"] = ("time", np.arange(6.0))
    trials["speed"] = (("trial", "time"), np.arange(24.0).reshape(4, 6))
    trials["pose"] = (("time", "axis"), np.arange(12).reshape(6, 2))
    trials["wheel"] = (("feature", "time", "trial"), np.arange(24.0).reshape(1, 6, 4))
    trials = trials.assign_coords(axis=["x", "y"], dose=3)
    found = stacked(trials, covariates=["contrast", "cue", "speed", "pose"], transition_covariates=["wheel", "dose"])
    assert found.covariate_names == ("contrast", "cue", "speed", "pose_x", "pose_y")
    assert found.transition_covariate_names == ("wheel_0", "dose")
    for name, column in zip(found.covariate_names, found.covariates.T, strict=True):
        back = found.labelled(column)
        whole = {"pose_x": trials.pose.sel(axis="x"), "pose_y": trials.pose.sel(axis="y")}.get(name)
        truth = trials[name] if whole is None else whole
        seen = back.notnull()
        assert ((back - truth).where(seen, 0) == 0).all()
    assert found.transition_covariates[4:6].tolist() == [[2.0, 3.0], [6.0, 3.0]]


def test_coordinates_of_an_array_are_covariates_too():
    x = recording(light=("time", [0, 1, 0, 1, 1, 0]))
    assert stacked(x, covariates=["light"]).covariates.ravel().tolist() == [0, 1, 0, 1, 1, 0]


def test_the_first_variable_of_the_wanted_is_taken():
    rec = xr.Dataset({"activity": recording(seed=1), "spike_count": recording(seed=2)})
    np.testing.assert_array_equal(stacked(rec).y, rec.spike_count)
    np.testing.assert_array_equal(stacked(rec, ("activity", "spike_count")).y, rec.activity)
    np.testing.assert_array_equal(stacked(rec.drop_vars("spike_count")).y, rec.activity)


def test_a_single_long_recording_is_not_copied_and_never_changed():
    x = recording()
    assert np.shares_memory(stacked(x).y, x.values)


@pytest.mark.parametrize(
    ("data", "kwargs", "told"),
    [
        (recording().rename(node="neuron"), {}, r"missing 'node', found \('time', 'neuron'\)"),
        (recording().isel(time=0), {}, "missing 'time'"),
        (recording().where(lambda x: x != 2, np.inf), {}, "infinite values"),
        (recording().astype(str), {}, "must be real numbers"),
        (recording().isel(node=[]), {}, "at least one node"),
        (recording().isel(time=[]), {}, "at least one bin"),
        (recording(labels=["a", "a", "b"]), {}, "repeated 'a'"),
        (recording().to_dataset(name="rate"), {}, "spike_count or activity, found 'rate'"),
        (np.zeros((3, 2)), {}, "expected a DataArray .* found ndarray"),
        ([recording(), recording(labels=["a", "b", "z"])], {}, r"1: node labels must agree, missing 'c', unknown 'z'"),
        (recording(), {"nodes": ["a", "b"]}, "missing none, unknown 'c'"),
        ([], {}, "at least one recording"),
        (recording().assign_coords(time=[0, 1, 2, 3, 4, np.nan]), {}, "time must be finite"),
        (recording().assign_coords(time=("time", [5, 4, 3, 2, 1, 0])), {}, "time must increase"),
        (recording().assign_coords(time=("time", range(6), {"units": "frames"})), {}, "unit of time"),
        (recording(), {"covariates": ["speed"]}, "expected a covariate 'speed'"),
        (recording(who=("time", list("abcdef"))), {"covariates": ["who"]}, "covariate 'who' must be numbers"),
        (recording(light=("time", [0, 1, np.inf, 1, 1, 0])), {"covariates": ["light"]}, "'light' has infinite values"),
        (ragged(), {"min_bins": 5}, r"2 of 3 sequences are shorter than 5 bins \(the shortest has 1\)"),
    ],
)
def test_what_cannot_be_read_is_told(data, kwargs, told):
    with pytest.raises(InputError, match=told):
        stacked(data, **kwargs)


def test_features_that_differ_between_recordings_are_told():
    x = recording().to_dataset(name="activity")
    one, two = (x.assign(pose=(("time", "axis"), np.zeros((6, k)))) for k in (1, 2))
    with pytest.raises(InputError, match="same features in all recordings"):
        stacked([one, two], covariates=["pose"])


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError, match=r"(?s)1: node labels must agree.*0: found 18 infinite"):
        stacked([recording() + np.inf, recording(labels=["a", "b", "z"])])
