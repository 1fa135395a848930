"""Evidence for viz/timeline.py, trials.py, ribbon.py, raster.py and sequences.py."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

import dynome as dy
from dynome.errors import InputError
from dynome.viz.palette import MISSING
from dynome.viz.raster import preferred
from dynome.viz.states import state_colors


def rows(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def mesh(panel) -> np.ndarray:
    return np.ma.filled(panel.collections[0].get_array().astype(float), np.nan)


@pytest.fixture
def trials() -> xr.DataArray:
    """Four trials of six bins on one clock that runs on, with a path through two states."""
    time = np.concatenate([start + np.arange(6) * 0.1 for start in (0.0, 5.0, 9.0, 20.0)])
    path = np.array([[0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, -1], [0] * 6]).ravel()
    return xr.DataArray(
        path,
        {
            "time": ("time", time, {"units": "s"}),
            "trial": ("time", np.repeat([3, 5, 8, 9], 6)),
            "time_in_trial": ("time", np.tile(np.arange(6) * 0.1, 4), {"units": "s"}),
        },
        "time",
    )


@pytest.fixture
def spikes(trials) -> xr.Dataset:
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "spike_count": (("time", "node"), rng.poisson(1.0, (24, 3)), {"units": "count"}),
            "contrast": ("time", np.repeat([0.5, 0.0, 1.0, 0.0], 6)),
            "speed": ("time", rng.random(24)),
        },
        {"time": trials.time, "trial": trials.trial, "node": ["a", "b", "c"]},
    )


def test_the_height_of_a_colour_is_the_probability_of_its_state(posterior, ax):
    ribbon = dy.viz.plot_states(posterior, ax=ax).child_axes[0]
    assert [to_hex(band.get_facecolor()[0]).upper() for band in ribbon.collections] == state_colors(range(3))
    first = ribbon.collections[0].get_paths()[0].vertices
    for when, probability in ((2.0, 0.9 + 0.1 / 3), (7.0, 0.1 / 3)):
        near = first[np.abs(first[:, 0] - when) < 0.3]
        assert near[:, 1].max() == pytest.approx(probability)
        assert near[:, 1].min() == 0


def test_a_path_fills_the_ribbon_and_its_runs_carry_their_state(posterior, ax):
    ribbon = dy.viz.plot_states(posterior.argmax("state"), ax=ax).child_axes[0]
    assert ribbon.get_ylabel() == "state"
    assert [(t.get_text(), t.get_position()[0]) for t in ribbon.texts] == [
        ("0", 2.25), ("0", 12.25), ("1", 7.25), ("1", 22.25), ("2", 17.25)
    ]  # fmt: skip


def test_where_no_state_is_known_the_ribbon_has_a_gap(posterior, ax):
    path = posterior.argmax("state").where(posterior.time < 20, -1)
    ribbon = dy.viz.plot_states(path, ax=ax).child_axes[0]
    assert max(p.vertices[:, 0].max() for band in ribbon.collections for p in band.get_paths()) == 19.75
    assert ribbon.get_xlim() == (-0.25, 24.75)


def test_activity_and_behaviour_stand_under_the_ribbon_on_one_time_axis(posterior, recording, ax):
    host = dy.viz.plot_states(posterior, recording, covariates=["velocity", "epoch"], ax=ax)
    ribbon, raster, strip = host.child_axes
    assert ribbon.get_xlim() == raster.get_xlim() == strip.get_xlim() == (-0.25, 24.75)
    assert [panel.get_xlabel() for panel in host.child_axes] == ["", "", "time (s)"]
    assert [r.split("\n")[0] for r in rows(strip)] == ["velocity", "epoch"]


def test_nodes_stand_by_the_state_in_which_they_are_most_active(posterior, recording, ax):
    state = posterior.argmax("state").to_numpy()
    likes = np.array([2, 0, 1, 0, 2, 1, 0, 1])
    quiet = 0.2 * recording.activity
    recording["activity"] = quiet + (state[:, None] == likes) * np.linspace(2, 3, 8)
    raster = dy.viz.plot_states(posterior, recording, ax=ax).child_axes[1]
    where = likes[[int(name[1:]) for name in rows(raster)]]
    assert where.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    strip = next(c for c in raster.child_axes if len(c.patches) == 3 and not c.collections)
    assert [to_hex(p.get_facecolor()).upper() for p in strip.patches] == state_colors(range(3))
    np.testing.assert_array_equal(mesh(raster), recording.activity.sel(node=rows(raster)).T)


def test_the_state_of_a_node_follows_the_posterior_and_ignores_missing_values():
    share = np.array([[1, 0], [1, 0], [0, 1], [0, 1.0]])
    values = np.array([[1, 0, 5, 2], [1, 0, np.nan, 2], [0, 3, 1, 2], [0, 3, 1, 2.0]])
    best, above = preferred(values, share)
    assert best.tolist() == [0, 1, 0, -1]
    assert above[0] == pytest.approx(1)


def test_a_silent_node_is_grey_and_last(posterior, recording, ax):
    recording["activity"] = recording.activity.where(recording.node != "N3", 0.0)
    raster = dy.viz.plot_states(posterior, recording, ax=ax).child_axes[1]
    assert rows(raster)[-1] == "N3"
    strip = next(c for c in raster.child_axes if c.patches and not c.collections)
    assert to_hex(strip.patches[-1].get_facecolor()).upper() == MISSING


def test_rows_in_the_order_asked_for(posterior, recording, ax):
    raster = dy.viz.plot_states(posterior, recording, order=["N5", "N1"], ax=ax).child_axes[1]
    assert rows(raster) == ["N5", "N1"]


def test_a_window_draws_a_part_of_all_panels(posterior, recording, ax):
    host = dy.viz.plot_states(posterior, recording, window=(5, 10), covariates=["velocity"], ax=ax)
    assert {panel.get_xlim() for panel in host.child_axes} == {(4.75, 10.25)}
    assert mesh(host.child_axes[1]).shape == (8, 11)


def test_the_recording_may_be_longer_than_the_states(posterior, recording, ax):
    host = dy.viz.plot_states(posterior.isel(time=slice(10, 20)), recording, order=None, ax=ax)
    np.testing.assert_array_equal(mesh(host.child_axes[1]), recording.activity[10:20].T)


def test_every_trial_is_a_row_coloured_by_its_state(trials, ax):
    image, mean = dy.viz.plot_states(trials, ax=ax).child_axes
    expected = trials.to_numpy().reshape(4, 6).astype(float)
    expected[2, 5] = np.nan
    np.testing.assert_array_equal(mesh(image), expected)
    assert rows(image) == ["3", "5", "8", "9"]
    assert mean.get_xlabel() == "time in trial (s)"
    first = mean.collections[0].get_paths()[0].vertices
    assert first[np.abs(first[:, 0] - 0.1) < 0.06][:, 1].max() == pytest.approx(3 / 4)
    assert first[np.abs(first[:, 0] - 0.5) < 0.06][:, 1].max() == pytest.approx(2 / 3)


def test_a_trial_dimension_and_a_trial_coordinate_look_the_same(trials):
    folded = xr.DataArray(
        trials.to_numpy().reshape(4, 6),
        {"trial": [3, 5, 8, 9], "time": trials.time_in_trial.to_numpy()[:6]},
        ("trial", "time"),
    )
    for states in (trials, folded):
        image = dy.viz.plot_states(states).child_axes[0]
        assert rows(image) == ["3", "5", "8", "9"]
        assert mesh(image)[1].tolist() == [1, 1, 1, 1, 0, 0]


def test_one_trial_by_its_label(trials, spikes, ax):
    raster = dy.viz.plot_states(trials, spikes, sequence=5, order=None, ax=ax).child_axes[1]
    assert raster.get_xlabel() == "time (s)"
    np.testing.assert_allclose(raster.get_xlim(), (4.95, 5.55))
    np.testing.assert_array_equal(mesh(raster), spikes.spike_count[6:12].T)


def test_trials_are_sorted_by_what_was_constant_in_each(trials, spikes, ax):
    image = dy.viz.plot_states(trials, spikes, covariates=["contrast"], ax=ax).child_axes[0]
    assert rows(image) == ["5", "9", "3", "8"]
    side = image.child_axes[0]
    assert side.images[0].get_array().ravel().tolist() == [0, 0, 1, 2]
    assert side.get_xticklabels()[0].get_text() == "contrast (0 to 1)"


def test_the_mean_over_trials_stands_under_them(trials, spikes, ax):
    raster = dy.viz.plot_states(trials, spikes, order=None, ax=ax).child_axes[2]
    np.testing.assert_allclose(mesh(raster), spikes.spike_count.to_numpy().reshape(4, 6, 3).mean(axis=0).T)


def test_sessions_of_different_length_and_trials_within_them(ax):
    marks = {"session": ("time", list("aabbbb")), "trial": ("time", [0, 0, 0, 0, 1, 1])}
    path = xr.DataArray([0, 1, 0, 0, 1, 1], {"time": np.arange(6.0), **marks}, "time")
    image = dy.viz.plot_states(path, ax=ax).child_axes[0]
    assert rows(image) == ["a, 0", "b, 0", "b, 1"]
    ribbon = dy.viz.plot_states(path, sequence=("b", 1), ax=dy.viz.plot_states(path)).child_axes[-1]
    assert ribbon.get_xlim() == (3.5, 5.5)


def test_a_recording_with_trials_of_its_own_is_joined_by_label(ax):
    rng = np.random.default_rng(0)
    counts = xr.DataArray(
        rng.poisson(1.0, (3, 5, 2)), {"trial": ["x", "y", "z"], "time": np.arange(5.0)}, ("trial", "time", "node")
    )
    path = xr.DataArray(np.zeros((2, 5), int), {"trial": ["z", "x"], "time": np.arange(5.0)}, ("trial", "time"))
    raster = dy.viz.plot_states(path, counts, sequence="z", order=None, ax=ax).child_axes[1]
    np.testing.assert_array_equal(mesh(raster), counts.sel(trial="z").T)


def test_a_state_keeps_its_colour_when_others_are_left_out(posterior, ax):
    ribbon = dy.viz.plot_states(posterior.sel(state=[2]), ax=ax).child_axes[0]
    assert to_hex(ribbon.collections[0].get_facecolor()[0]).upper() == state_colors(range(3))[2]


def test_a_long_recording_is_averaged(ax):
    path = xr.DataArray(np.tile([0, 1], 20_000), dims="time")
    ribbon = dy.viz.plot_states(path, ax=ax).child_axes[0]
    low = ribbon.collections[0].get_paths()[0].vertices
    assert len(low) < 20_000
    assert np.unique(low[:, 1]).tolist() == [0, 0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.rename(time="sample"), r"expected a posterior .*found dims \('sample', 'state'\)"),
        (lambda p: p.isel(state=0), "decoded path .* of whole numbers, found dims .*other numbers"),
        (lambda p: p * 2, "between 0 and 1"),
        (lambda p: p.astype(str), "found dtype"),
        (lambda p: p.assign_coords(time=-p.time), "strictly increasing"),
    ],
)
def test_what_is_neither_posterior_nor_path_is_refused(posterior, change, message, ax):
    with pytest.raises(InputError, match=message):
        dy.viz.plot_states(change(posterior), ax=ax)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequence": 4}, "no trial '4'; there are '3', '5', '8', '9'"),
        ({"window": (50, 60)}, r"nothing lies in the window \(50, 60\): time runs from 0 to 0.5"),
        ({"covariates": ["speed"]}, "speed changes within trial '3'; choose one with sequence="),
        ({"covariates": ["colour"]}, "missing 'colour'"),
        ({"covariates": ["colour"], "sequence": 3}, "'colour' is not in the recording"),
    ],
)
def test_what_cannot_be_drawn_of_trials_is_said(trials, spikes, arguments, message, ax):
    with pytest.raises(InputError, match=message):
        dy.viz.plot_states(trials, spikes, ax=ax, **arguments)


def test_a_recording_of_other_times_is_refused(posterior, recording, ax):
    with pytest.raises(InputError, match=r"no sample at time 10, where states are known"):
        dy.viz.plot_states(posterior, recording.isel(time=slice(0, 20)), ax=ax)
    with pytest.raises(InputError, match="dims time and node, found"):
        dy.viz.plot_states(posterior, recording.activity.isel(node=0), ax=ax)
    with pytest.raises(InputError, match="pass its Dataset"):
        dy.viz.plot_states(posterior, recording.activity, covariates=["velocity"], ax=ax)
    with pytest.raises(InputError, match="there is no sequence '1'"):
        dy.viz.plot_states(posterior, sequence=1, ax=ax)


def test_one_of_several_recordings_is_drawn_with_its_states(ax):
    part = xr.DataArray(np.ones((4, 2)), {"time": np.arange(4.0)}, ("time", "node"), name="activity").to_dataset()
    joined = {"session": ("time", list("000011112222")), "time_in_session": ("time", np.tile(np.arange(4.0), 3))}
    path = xr.DataArray(np.repeat([0, 1, 0], 4), joined, "time")
    message = r'expected one recording.*found list of 3; .*recordings\[2\], sequence="2"'
    with pytest.raises(InputError, match=message):
        dy.viz.plot_states(path, [part, part, part], ax=ax)
    with pytest.raises(InputError, match=r"found dict of 1; .*recordings\['a'\], sequence=\"a\""):
        dy.viz.plot_states(path, {"a": part}, ax=ax)
    assert len(dy.viz.plot_states(path, part, sequence="2", ax=ax).child_axes) == 2


def test_the_value_of_a_constant_covariate_is_printed(trials, spikes, ax):
    named = {"covariates": ["contrast", "feedback"], "sequence": 5}
    trialwise = spikes.assign(contrast=spikes.contrast + 0.5, feedback=("time", np.repeat([1.0, -1.0, 1.0, 1.0], 6)))
    strip = dy.viz.plot_states(trials, trialwise, **named, ax=ax).child_axes[-1]
    assert rows(strip) == ["contrast\n0.5 (constant)", "feedback\n−1 (constant)"]
    assert [line.get_ydata()[0] for line in strip.lines] == [0, -1]
    strip = dy.viz.plot_states(trials, trialwise, **named | {"sequence": 3}).child_axes[-1]
    assert rows(strip) == ["contrast\n1 (constant)", "feedback\n1 (constant)"]


def test_what_is_known_once_of_a_trial_is_printed_too(ax):
    names = {"trial": ["x", "y"], "time": np.arange(5.0)}
    path = xr.DataArray(np.zeros((2, 5), int), names, ("trial", "time"))
    recording = xr.Dataset({"activity": path.expand_dims(node=2, axis=2) * 1.0, "contrast": ("trial", [0.25, 0.5])})
    strip = dy.viz.plot_states(path, recording, covariates=["contrast"], sequence="y", ax=ax).child_axes[-1]
    assert rows(strip) == ["contrast\n0.5 (constant)"]


def test_a_text_is_no_list_of_covariates(trials, spikes, ax):
    with pytest.raises(InputError, match=r"a list of names, such as \['contrast'\], found the text"):
        dy.viz.plot_states(trials, spikes, covariates="contrast", ax=ax)


def test_sessions_that_share_no_clock_have_no_mean_activity(trials, spikes, ax):
    sessions = trials.drop_vars(["trial", "time_in_trial"]).assign_coords(session=("time", np.repeat(list("abcd"), 6)))
    assert len(dy.viz.plot_states(sessions, spikes, ax=ax).child_axes) == 2
    assert len(dy.viz.plot_states(trials, spikes).child_axes) == 3
