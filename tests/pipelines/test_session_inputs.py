"""Evidence for pipelines/session_inputs.py: bins never cross trials or gaps, sessions keep the same nodes."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.errors import InputError
from dynome.pipelines.bin_limits import at_most
from dynome.pipelines.session_inputs import (
    binned,
    chosen_nodes,
    continuous_activity,
    in_bins,
    longest_stretch,
    on_even_clock,
    stretches,
    unsuitable,
    usable_nodes,
)


def spikes(n_time=40, n_node=3, step=0.01, seed=0, rate=2.0):
    counts = np.random.default_rng(seed).poisson(rate, (n_time, n_node))
    node = [f"n{k}" for k in range(n_node)]
    return schema.recording(spike_count=counts, time=np.arange(n_time) * step, node=node)


def calcium(n_time=60, n_node=4, step=0.5, seed=0):
    values = np.random.default_rng(seed).normal(size=(n_time, n_node))
    return schema.recording(values, time=np.arange(n_time) * step, node=[f"n{k}" for k in range(n_node)], units="dF/F")


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=2, max_size=6), n=st.integers(2, 4))
def test_no_bin_holds_spikes_of_two_trials(lengths, n):
    trial = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.ones((trial.size, 1), dtype=np.int64) * (trial[:, None] + 1)
    rec = schema.recording(spike_count=counts, time=np.arange(trial.size) * 0.01, node=["a"])
    rec = rec.assign_coords(trial=("time", trial))
    if max(lengths) < n:
        with pytest.raises(InputError, match="no longer than the longest stretch"):
            in_bins(rec, n * 0.01)
        return
    found = in_bins(rec, n * 0.01)
    np.testing.assert_array_equal(found.spike_count[:, 0], n * (found.trial + 1))
    assert found.sizes["time"] == sum(length // n for length in lengths)


def test_a_bin_lies_at_the_middle_of_its_samples_and_keeps_their_spikes():
    rec = spikes(n_time=10)
    found = in_bins(rec.assign(speed=("time", np.arange(10.0), {"units": "m/s"})), 0.02)
    np.testing.assert_allclose(found.time, np.arange(5) * 0.02 + 0.005)
    np.testing.assert_array_equal(found.spike_count.sum("time"), rec.spike_count.sum("time"))
    np.testing.assert_allclose(found.speed, np.arange(5) * 2 + 0.5)
    assert found.spike_count.attrs["units"] == "count"


def test_bins_of_one_sample_are_the_recording():
    rec = spikes()
    found = in_bins(rec, 0.001)
    assert found.attrs["bin_width"] == pytest.approx(0.01)
    xr.testing.assert_equal(found, rec)


def test_a_gap_of_the_clock_begins_a_new_stretch():
    rec = calcium(n_time=6).assign_coords(time=("time", [0.0, 0.5, 1.0, 3.0, 3.5, 4.0], {"units": "s"}))
    np.testing.assert_array_equal(stretches(rec), [0, 3, 6])
    assert longest_stretch(rec) == (1.5, 0.5)
    np.testing.assert_array_equal(stretches(rec.assign_coords(trial=("time", [0, 0, 1, 1, 1, 1]))), [0, 2, 3, 6])


def test_nodes_that_say_nothing_are_left_out_and_counted():
    rec = calcium(n_node=6)
    values = rec.activity.to_numpy().copy()
    values[:, 1] = 3.0  # never varies
    values[:40, 2] = np.nan  # misses most samples
    values[:10, 3] = np.nan  # misses few
    rec = rec.assign(activity=rec.activity.copy(data=values))
    rec = rec.assign_coords(labelled=("node", [True, True, True, True, True, False]))
    before = rec.copy(deep=True)
    found = usable_nodes(rec, "activity")
    assert found.node.to_numpy().tolist() == ["n0", "n3", "n4"]
    assert found.attrs["nodes_left_out"] == 3
    xr.testing.assert_identical(rec, before)


def test_where_no_node_is_identified_all_are_used():
    rec = calcium().assign_coords(labelled=("node", [False] * 4))
    assert usable_nodes(rec, "activity").sizes["node"] == 4


def test_a_recording_in_which_nothing_varies_is_refused():
    rec = calcium()
    flat = rec.assign(activity=xr.zeros_like(rec.activity).assign_attrs(rec.activity.attrs))
    with pytest.raises(InputError, match="at least 2 identified nodes whose activity varies, found 0 of 4"):
        usable_nodes(flat, "activity")


def test_sessions_that_share_labels_keep_the_same_nodes():
    one, two = calcium(n_node=30), calcium(n_node=40)
    a = chosen_nodes(one, "activity", 10, ()).node.to_numpy().tolist()
    b = chosen_nodes(two, "activity", 20, ()).node.to_numpy().tolist()
    shared = set(b) & set(one.node.to_numpy().tolist())
    assert len(a) == 10
    assert set(a) <= set(b) or set(b) & set(a) == shared & set(a)
    assert a == chosen_nodes(one.isel(node=slice(None, None, -1)), "activity", 10, ()).node.to_numpy().tolist()[::-1]


def test_of_spiking_nodes_the_most_active_are_kept():
    rec = spikes(n_node=3)
    counts = rec.spike_count * np.array([1, 3, 2])
    found = chosen_nodes(rec.assign(spike_count=counts), "spike_count", 2, ())
    assert found.node.to_numpy().tolist() == ["n1", "n2"]
    assert found.attrs["nodes_left_out"] == 1


def test_one_node_is_too_few_to_choose():
    with pytest.raises(InputError, match="max_nodes must be at least 2, got 1"):
        chosen_nodes(calcium(), "activity", 1, ())


def test_named_nodes_are_taken_and_one_alone_is_too_few():
    rec = calcium()
    assert chosen_nodes(rec, "activity", 2, ["n3", "n0", "other"]).node.to_numpy().tolist() == ["n0", "n3"]
    with pytest.raises(InputError, match="at least 2 of the 2 nodes named, found 1"):
        chosen_nodes(rec, "activity", 2, ["n3", "other"])


def test_spikes_become_rates_whatever_their_bins():
    rec = spikes(n_time=400)
    found = continuous_activity(rec, 0.1)
    assert found.activity.attrs["units"] == "Hz"
    np.testing.assert_allclose(found.activity.mean("time"), rec.spike_count.mean("time") / 0.01)


def test_an_uneven_clock_is_made_even_and_an_even_one_left():
    rec = calcium()
    assert on_even_clock(rec) is rec
    jitter = rec.time.to_numpy() + np.random.default_rng(0).uniform(-0.05, 0.05, 60)
    even = on_even_clock(rec.assign_coords(time=("time", jitter, {"units": "s"})))
    assert np.ptp(np.diff(even.time)) < 1e-9


def test_a_session_that_no_method_can_take_says_why():
    rec = calcium()
    assert unsuitable(rec, 60) == ""
    assert unsuitable(rec, 61) == "has 60 samples, and 61 are needed"
    assert unsuitable(rec.isel(node=[0]), 10) == "has 1 node, and 2 are needed"
    assert unsuitable(rec.drop_vars("activity"), 10) == "has neither activity nor spike_count"


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf])
def test_a_bin_has_a_width(width):
    with pytest.raises(InputError, match="bin_width must be a positive number"):
        binned(calcium(), width, 0.02)


def test_many_bins_become_fewer_and_wider_ones():
    found = at_most(binned(calcium(n_time=330), "auto", 0.02)[0], 100)
    assert found.sizes["time"] == 82
    assert found.attrs["bin_width"] == pytest.approx(4 * 0.5)
    assert found.attrs["trials_left_out"] == 0
    np.testing.assert_allclose(found.activity[0], calcium(n_time=330).activity[:4].mean("time"))


def test_of_many_short_trials_some_are_taken_whole():
    clock = (np.arange(12) * 0.05 + 2 * np.arange(40)[:, None]).ravel()
    counts = np.random.default_rng(0).poisson(1.0, (clock.size, 3))
    rec = schema.recording(spike_count=counts, time=clock, node=list("abc"))
    rec = rec.assign_coords(trial=("time", np.repeat(np.arange(40), 12)))
    found = at_most(binned(rec, 0.1, 0.05)[0], 60)
    assert found.trial.to_numpy().tolist() == np.repeat(np.arange(2, 40, 4), 6).tolist()
    assert found.attrs["trials_left_out"] == 30
    assert found.attrs["bin_width"] == pytest.approx(0.1)
    with pytest.raises(InputError, match="max_bins must be at least 50, got 40"):
        at_most(rec, 40)


def test_few_bins_stay_as_they_are():
    rec = binned(calcium(n_time=90), "auto", 0.02)[0]
    xr.testing.assert_equal(at_most(rec, 90), rec)


def test_bins_of_trials_of_many_lengths_can_be_widened():
    lengths = np.tile([12, 12, 2], 20)  # bins of a trial; an eighth of the steps are gaps, so that no clock is steady
    clock = np.concatenate([20.0 * k + 0.1 * np.arange(n) for k, n in enumerate(lengths)])
    rec = schema.recording(spike_count=np.ones((clock.size, 2), int), time=clock, node=["a", "b"])
    rec = rec.assign_coords(trial=("time", np.repeat(np.arange(lengths.size), lengths))).assign_attrs(bin_width=0.1)
    found = at_most(rec, 260)
    assert found.attrs["bin_width"] == pytest.approx(0.2)
    assert found.spike_count.to_numpy().tolist() == [[2, 2]] * 260
    assert 50 < at_most(rec, 100).sizes["time"] <= 100
