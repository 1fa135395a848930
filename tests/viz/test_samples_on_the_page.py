"""Evidence for viz/samples.py: time on the page is time on the clock."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.viz import samples


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=30))
def test_every_sample_has_room_and_none_overlap(steps):
    start, stop = samples.edges(np.cumsum(steps))
    assert (stop > start).all()
    assert (start[1:] >= stop[:-1] - 1e-9).all()


def test_a_pause_is_a_missing_column_not_a_wide_sample():
    limits, cells = samples.columns(np.array([0.0, 1, 2, 10, 11]), np.ones((5, 2)))
    assert limits.tolist() == [-0.5, 0.5, 1.5, 2.5, 9.5, 10.5, 11.5]
    assert np.isnan(cells[:, 0]).tolist() == [False, False, False, True, False, False]


def test_a_trace_breaks_in_a_pause():
    _, values = samples.paused(np.array([0.0, 1, 2, 10, 11]), np.arange(5.0))
    assert np.isnan(values).tolist() == [False, False, False, True, False, False]


def test_a_regular_clock_has_no_pause_despite_rounding():
    time = np.arange(10_000) * 0.1 + 1e6
    assert samples.columns(time, np.zeros((time.size, 1)))[1].shape == (10_000, 1)


def test_thinning_averages_and_keeps_few_samples_as_they_are():
    x = xr.DataArray(np.arange(10.0), dims="time", coords={"time": np.arange(10.0)})
    assert samples.thinned(x, 10) is x
    assert samples.thinned(x, 5).to_numpy().tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert samples.thinned(x, 5).time.to_numpy().tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]


def test_an_envelope_keeps_the_peaks_and_the_gaps():
    values = np.zeros(100_000)
    values[5000], values[70_000] = 9, -9
    values[90_000:95_000] = np.nan
    time, thin = samples.envelope(np.arange(100_000.0), values)
    assert time.size <= 4000
    assert (np.nanmax(thin), np.nanmin(thin)) == (9, -9)
    assert np.isnan(thin).mean() == pytest.approx(0.05, abs=0.005)
