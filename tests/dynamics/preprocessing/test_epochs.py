"""Evidence for epochs.py: samples counted from an event, exact times, incomplete trials, gaps and coordinates."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.dynamics import bin_spikes, to_trials
from dynome.errors import InputError


def ramp(n=200, interval=0.5, start=0.0):
    """A series whose value is its time."""
    time = start + np.arange(n) * interval
    return xr.DataArray(time.copy(), dims="time", coords={"time": time}, attrs={"units": "s"})


@settings(max_examples=40, deadline=None)
@given(onsets=st.lists(st.floats(10, 80), min_size=1, max_size=5), before=st.floats(0, 5), after=st.floats(0.5, 5))
def test_linear_alignment_gives_the_value_at_the_exact_time(onsets, before, after):
    out = to_trials(ramp(), onsets, before=before, after=after, align="linear")
    np.testing.assert_allclose(out, (out.onset + out.time).transpose(*out.dims), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(onset=st.floats(10, 80))
def test_nearest_alignment_takes_samples_as_they_are_within_half_an_interval(onset):
    out = to_trials(ramp(), onset, before=2, after=3)
    assert out.shape == (1, 10)
    assert np.isin(out.to_numpy(), ramp().to_numpy()).all()
    np.testing.assert_allclose(np.diff(out[0]), 0.5)
    assert float(np.abs(out - out.onset - out.time).max()) <= 0.25 + 1e-9


def test_a_window_is_half_open_and_counts_samples():
    out = to_trials(ramp(interval=0.1), [5.0], before=0.2, after=0.4)
    np.testing.assert_allclose(out.time, [-0.2, -0.1, 0, 0.1, 0.2, 0.3], atol=1e-12)
    np.testing.assert_allclose(out[0], [4.8, 4.9, 5.0, 5.1, 5.2, 5.3])
    assert out.time.attrs["units"] == "s"


def test_every_variable_and_coordinate_of_time_is_cut(make_recording):
    rec = make_recording()
    out = to_trials(rec, [110.0, 150.0], before=1, after=2)
    assert out.activity.dims == ("trial", "time", "node")
    assert out.posture.dims == ("trial", "time", "feature")
    np.testing.assert_array_equal(out.activity[1], rec.activity.sel(time=slice(149, 151.5)))
    np.testing.assert_array_equal(out.odour[0], rec.odour.sel(time=slice(109, 111.5)))
    assert out.reversal.dtype == bool
    assert out.trial.values.tolist() == [0, 1]
    np.testing.assert_allclose(out.onset, [110, 150])


def test_a_table_names_the_trials_and_gives_them_coordinates(make_recording):
    table = pd.DataFrame({"onset": [110.0, 150.0], "contrast": [0.5, 1.0], "choice": ["L", "R"]}, index=[3, 8])
    out = to_trials(make_recording(), table, before=1, after=2)
    assert out.sel(trial=8).contrast == 1.0
    assert out.choice.values.tolist() == ["L", "R"]


def test_events_and_counts_are_never_interpolated(make_recording):
    rec = make_recording()
    rec = rec.assign(spike_count=(("time", "node"), np.arange(960).reshape(240, 4), {"units": "count"}))
    out = to_trials(rec, [110.2, 110.3], before=1, after=2, align="linear")
    assert out.spike_count.dtype.kind == "i"
    np.testing.assert_array_equal(out.spike_count[0], rec.spike_count.sel(time=slice(109, 111.5)))
    np.testing.assert_array_equal(out.reversal[1], rec.reversal.sel(time=slice(109.5, 112)))


def test_spikes_are_cut_into_counts_of_each_trial():
    onsets = np.array([10.0, 20.0, 30.0])
    rec = bin_spikes({"a": onsets + 0.25, "b": onsets - 0.35}, width=0.1, start=0, stop=40)
    out = to_trials(rec, onsets + 0.05, before=0.5, after=0.5).spike_count
    assert out.sel(node="a").sum("trial").idxmax() == pytest.approx(0.2)
    assert out.sel(node="b").sum("trial").idxmax() == pytest.approx(-0.4)
    assert int(out.sum()) == 6


def test_incomplete_trials_are_refused_dropped_or_filled(make_recording):
    rec = make_recording()
    onsets = [100.5, 150.0, 219.0]
    with pytest.raises(
        InputError, match=r"2 of 3 trials reach beyond the recording or into a gap of its clock: 0, 2; short"
    ):
        to_trials(rec, onsets, before=2, after=3)
    dropped = to_trials(rec, onsets, before=2, after=3, incomplete="drop")
    assert dropped.trial.values.tolist() == [1]
    filled = to_trials(rec, onsets, before=2, after=3, incomplete="nan")
    np.testing.assert_array_equal(filled.activity.isnull().all("node").sum("time"), [3, 0, 4])
    np.testing.assert_array_equal(filled.velocity.isnull().sum("time"), [3, 0, 4])
    np.testing.assert_array_equal((filled.odour == "").sum("time"), [3, 0, 4])
    np.testing.assert_array_equal(filled.reversal.isnull().sum("time"), [3, 0, 4])
    xr.testing.assert_allclose(filled.sel(trial=[1]).activity, dropped.activity)


@pytest.mark.parametrize("align", ["nearest", "linear"])
def test_a_gap_of_the_clock_is_never_bridged(align):
    x = ramp().isel(time=np.r_[:100, 110:200])  # nothing between 49.5 and 55 s
    out = to_trials(x, [48.0, 52.0, 56.0], before=3, after=4, align=align, incomplete="nan")
    inside = (out.onset + out.time > 49.6) & (out.onset + out.time < 54.9)
    np.testing.assert_array_equal(out.isnull(), inside.transpose(*out.dims))


@pytest.mark.parametrize("align", ["nearest", "linear"])
def test_missing_values_stay_and_an_exact_hit_takes_nothing_from_its_neighbour(align):
    x = ramp().where(ramp().time != 20)
    out = to_trials(x, [19.5], before=1, after=2, align=align)
    np.testing.assert_array_equal(out.isnull()[0], out.time == 0.5)


@pytest.mark.parametrize("align", ["nearest", "linear"])
def test_jitter_does_not_add_up_over_a_trial(align):
    rng = np.random.default_rng(0)
    x = ramp(800, 0.6)
    x = x.assign_coords(time=x.time + rng.uniform(-0.06, 0.06, 800))
    x = x.copy(data=x.time.to_numpy().copy())
    out = to_trials(x, [100.0, 200.0], before=60, after=60, align=align)
    slack = 0.3 + 0.15 if align == "nearest" else 1e-6
    assert float(np.abs(out - out.onset - out.time).max()) <= slack


def test_all_problems_are_told_at_once():
    x = ramp()
    with pytest.raises(
        InputError, match=r"align must be .*got 'left'\n.*incomplete must be .*got 'pad'\n.*finite numbers"
    ):
        to_trials(x, [np.nan], before=1, after=1, align="left", incomplete="pad")
    with pytest.raises(InputError, match="needs a column onset, found 'start'"):
        to_trials(x, pd.DataFrame({"start": [1.0]}), before=1, after=1)
    with pytest.raises(InputError, match="must not be named like the recording's: 'time'"):
        to_trials(x, pd.DataFrame({"onset": [5.0], "time": [1.0]}), before=1, after=1)
    with pytest.raises(InputError, match="must be unique; reset it"):
        to_trials(x, pd.DataFrame({"onset": [5.0, 6.0]}, index=[1, 1]), before=1, after=1)
    with pytest.raises(InputError, match="at least one onset, found none"):
        to_trials(x, [], before=1, after=1)
    with pytest.raises(InputError, match="no trial lies within the recording"):
        to_trials(x, [1e6], before=1, after=1, incomplete="drop")
    for before, after in ((-1, 3), (0, 0.1), (np.nan, 1)):
        with pytest.raises(InputError, match=r"must span at least one sample of 0.5 s"):
            to_trials(x, [5.0], before=before, after=after)


def test_an_onset_on_the_edge_of_two_bins_begins_with_the_second_in_every_trial():
    centres = (np.arange(5000) + 0.5) * 0.02
    onsets = np.arange(1, 90) * 1.0  # edges of bins, as good as floating point has them
    rec = xr.DataArray(centres, dims="time", coords={"time": centres})
    trials = to_trials(rec, onsets, before=0.1, after=0.1)
    np.testing.assert_allclose(trials.isel(time=5), onsets + 0.01)
