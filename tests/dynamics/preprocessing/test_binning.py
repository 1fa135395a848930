"""Evidence for binning.py: numpy's histogram, edges that rounding would miss, tables and mappings, what is refused."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.dynamics import bin_spikes, resample, sampling_rate
from dynome.errors import InputError

TRAINS = {"b": [0.2, 0.1, 3.9], "a": [], "c": np.array([1.0, 1.0, 2.5])}


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.floats(0.01, 1), start=st.floats(-5, 5), n=st.integers(2, 50))
def test_it_counts_what_numpy_counts(seed, width, start, n):
    rng = np.random.default_rng(seed)
    stop = start + n * width
    trains = {f"N{k}": rng.uniform(start - 1, stop + 1, 40) for k in range(3)}
    rec = bin_spikes(trains, width=width, start=start, stop=stop)
    assert rec.sizes == {"time": n, "node": 3}
    for node, times in trains.items():
        expected = np.histogram(times, bins=start + np.arange(n + 1) * width)[0]
        np.testing.assert_array_equal(rec.spike_count.sel(node=node), expected)


def test_stamps_are_centres_and_the_result_is_a_valid_recording():
    rec = schema.validate(bin_spikes(TRAINS, width=0.5, start=-1, stop=4.2), "recording")
    np.testing.assert_allclose(rec.time, np.arange(-0.75, 4, 0.5))
    assert sampling_rate(rec) == pytest.approx(2.0)
    assert rec.spike_count.attrs["units"] == "count"
    assert rec.node.values.tolist() == ["b", "a", "c"]
    assert rec.spike_count.sum("time").values.tolist() == [3, 0, 3]


def test_a_spike_on_an_edge_belongs_to_the_bin_that_it_starts():
    rec = bin_spikes({"a": np.arange(10) * 0.1}, width=0.1, start=0, stop=1)
    np.testing.assert_array_equal(rec.spike_count.sel(node="a"), 1)
    late = bin_spikes({"a": 1e5 + np.arange(1000) / 1000}, width=0.001, start=1e5, stop=1e5 + 1)
    np.testing.assert_array_equal(late.spike_count.sel(node="a"), 1)


def test_spikes_outside_and_after_the_last_whole_bin_are_left_out():
    rec = bin_spikes({"a": [-0.1, 0.0, 1.9, 2.0, 2.1]}, width=1.0, start=0, stop=2.5)
    assert rec.spike_count.values.ravel().tolist() == [1, 1]


@pytest.mark.parametrize("kind", [pd.DataFrame, xr.Dataset])
def test_an_event_table_is_the_same_as_a_mapping(kind):
    table = pd.DataFrame({"node": ["b", "c", "b", "c", "b", "c"], "time": [0.2, 1.0, 0.1, 2.5, 3.9, 1.0]})
    if kind is xr.Dataset:
        table = xr.Dataset({"node": ("event", table.node.to_numpy(str))}, coords={"time": ("event", table.time)})
    rec = bin_spikes(table, width=0.5, start=0, stop=4)
    xr.testing.assert_identical(rec, bin_spikes(TRAINS, width=0.5, start=0, stop=4).sel(node=["b", "c"]))


def test_integer_ids_become_labels():
    table = pd.DataFrame({"node": [7, 7, 12], "time": [0.1, 0.2, 0.3]})
    assert bin_spikes(table, width=0.5, start=0, stop=4).node.values.tolist() == ["7", "12"]


def test_lazy_counts_are_summed_lazily():
    rec = bin_spikes(TRAINS, width=0.1, start=0, stop=4)
    lazy = resample(rec.chunk(time=10), rate=2.0)
    assert lazy.spike_count.chunks is not None
    xr.testing.assert_allclose(lazy.compute(), bin_spikes(TRAINS, width=0.5, start=0, stop=4))


def test_all_problems_are_told_at_once():
    with pytest.raises(
        InputError, match=r"2 bins of 3 s between start and stop, got 0 s to 5 s\n.*'a': .* found 2 NaN or"
    ):
        bin_spikes({"a": [np.nan, np.inf, 1.0]}, width=3, start=0, stop=5)
    with pytest.raises(InputError, match="width must be a positive number of seconds, got 0"):
        bin_spikes(TRAINS, width=0, start=0, stop=5)
    with pytest.raises(InputError, match="at least one node, found none"):
        bin_spikes({}, width=1, start=0, stop=5)
    with pytest.raises(InputError, match="columns node and time, missing 'node'"):
        bin_spikes(pd.DataFrame({"unit": ["a"], "time": [1.0]}), width=1, start=0, stop=5)
    with pytest.raises(InputError, match="node: 1 of 2 labels are missing"):
        bin_spikes(pd.DataFrame({"node": ["a", None], "time": [1.0, 2.0]}), width=1, start=0, stop=5)
    with pytest.raises(InputError, match=r"one-dimensional, found shape \(1, 2\)"):
        bin_spikes({"a": [[1.0, 2.0]]}, width=1, start=0, stop=5)
