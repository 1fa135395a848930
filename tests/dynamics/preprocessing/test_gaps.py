"""Evidence for gaps.py: straight lines gap by gap, limits in seconds, what is left alone."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.dynamics import interpolate_gaps
from dynome.errors import InputError


def filled(x, time, limit):
    """One series, gap by gap."""
    there = np.flatnonzero(~np.isnan(x))
    out = x.copy()
    for before, after in pairwise(there):
        if time[after] - time[before] <= limit:
            inside = slice(before, after + 1)
            out[inside] = np.interp(time[inside], time[[before, after]], x[[before, after]])
    return out


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), limit=st.floats(0.05, 20), share=st.floats(0, 1))
def test_gaps_up_to_the_limit_become_straight_lines(seed, limit, share):
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.uniform(0.5, 1.4, 40))
    x = xr.DataArray(rng.standard_normal((40, 3)), dims=("time", "node"), coords={"time": time})
    x = x.where(rng.random((40, 3)) >= share)
    expected = np.stack([filled(series, time, limit) for series in x.to_numpy().T], axis=1)
    np.testing.assert_allclose(interpolate_gaps(x, limit=limit), expected)


def test_the_limit_is_in_seconds_and_includes_itself():
    x = xr.DataArray([0.0, np.nan, np.nan, 3.0], dims="time", coords={"time": np.arange(4) / 10})
    np.testing.assert_allclose(interpolate_gaps(x, limit=0.3), [0, 1, 2, 3])
    np.testing.assert_array_equal(interpolate_gaps(x, limit=0.29), x)


def test_gaps_at_the_ends_stay():
    x = xr.DataArray([np.nan, 1.0, np.nan, 2.0, np.nan], dims="time", coords={"time": np.arange(5.0)})
    np.testing.assert_array_equal(interpolate_gaps(x, limit=100), [np.nan, 1, 1.5, 2, np.nan])


def test_complete_recordings_come_back_equal(make_recording):
    rec = make_recording()
    xr.testing.assert_identical(interpolate_gaps(rec, limit=5), rec)


@pytest.mark.parametrize("limit", [0, -1.0, np.nan])
def test_a_limit_that_fills_nothing_is_refused(limit):
    x = xr.DataArray([1.0, 2.0], dims="time", coords={"time": [0.0, 1.0]})
    with pytest.raises(InputError, match="limit must be a positive number of seconds"):
        interpolate_gaps(x, limit=limit)
