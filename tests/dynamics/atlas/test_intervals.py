"""Evidence for atlas/intervals.py: the threshold against brute force, intervals against a course that is known."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import xarray as xr
from hypothesis import given, settings

from dynome.dynamics.atlas.intervals import active_times, interval_table, otsu_threshold


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.integers(0, 50), min_size=2, max_size=30))
def test_the_threshold_divides_into_classes_of_least_variance_within(values):
    x = np.array(values, dtype=float)
    cut = otsu_threshold(x)

    def within(threshold):
        upper = x > threshold
        return sum(part.size * part.var() for part in (x[upper], x[~upper]) if part.size)

    assert within(cut) <= min(within(v) for v in x) + 1e-9


def course(on):
    values = np.array(on, dtype=float)[:, None]
    return xr.DataArray(values, dims=("time", "component"), coords={"time": np.arange(len(on)) * 0.5, "component": [7]})


def test_intervals_are_told_in_seconds():
    table = interval_table(active_times(course([0, 1, 1, 1, 0, 0, 0, 1, 1, 1]), min_duration=1.0))
    assert table.interval_component.values.tolist() == [7, 7]
    assert table.interval_start.values.tolist() == [0.5, 3.5]
    assert table.interval_stop.values.tolist() == [2.0, 5.0]


def test_a_component_that_is_flat_is_never_active():
    active = active_times(course([1, 1, 1, 1]), min_duration=0.0)
    assert not active.any()
    assert interval_table(active).sizes["interval"] == 0


def test_silence_at_the_ends_is_no_pause():
    assert active_times(course([0, 1, 1, 1, 1, 1, 1, 0]), min_duration=3.0)[:, 0].values.astype(int).tolist() == [
        0,
        1,
        1,
        1,
        1,
        1,
        1,
        0,
    ]
