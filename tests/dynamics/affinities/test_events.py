"""Evidence for affinities around events: a planted response, the baseline, incomplete windows, errors."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from dynome import schema, study
from dynome.dynamics import affinity, affinity_tensor, event_affinity, event_onsets
from dynome.errors import InputError


def tensor(onsets, n_time=200, rate=2.0, lag=3):
    """A pulse of 1 s, `lag` samples after each onset, on a background of 0.5; pair q|r never responds."""
    time = np.arange(n_time) / rate
    values = np.full((n_time, 2, 2), 0.5)
    for animal, times in enumerate(onsets):
        for onset in times:
            start = round(onset * rate) + lag
            values[start : start + 2, animal, 0] += 1.0
    values[:, 1, 1] = np.nan
    return xr.DataArray(
        values,
        dims=("time", "animal", "pair"),
        coords={"time": ("time", time, {"units": "s"}), "animal": ["w1", "w2"], "pair": ["p|q", "q|r"]},
        attrs={"units": "1/s"},
    )


def test_a_response_is_found_at_its_lag_above_the_background():
    onsets = {"w1": [20.0, 50.0], "w2": [30.0, 70.0, 90.0]}
    x = tensor(onsets.values())
    locked = event_affinity(x, onsets, before=5, after=5)
    response = locked.sel(animal="w1", pair="p|q")
    assert float(response.idxmax("time")) == 1.5
    assert float(response.max()) == pytest.approx(1.5 - float(x.sel(animal="w1", pair="p|q").mean()))
    assert float(locked.sel(animal="w1", pair="q|r").max()) == pytest.approx(0.0)
    assert locked.sel(animal="w2", pair="q|r").isnull().all()
    assert float(locked.min()) >= 0
    assert locked.n_events.to_numpy().tolist() == [2, 3]
    assert locked.attrs["units"] == "1/s"


@pytest.mark.parametrize("options", [{}, {"lag": 1.0}, {"signed": True, "kernel": "min"}])
def test_a_description_and_its_tensor_give_the_same(options):
    rng = np.random.default_rng(0)
    time = np.arange(300) / 2
    traces = {"w1": list("abcd"), "w2": list("bcde")}
    recordings = {}
    for name, nodes in traces.items():
        x = np.cumsum(rng.standard_normal((300, 4)), axis=0)
        x[100:110, 1] = np.nan
        recordings[name] = schema.recording(x, time=time, node=nodes, units="1")
    found = affinity(study.build(recordings), **options)
    onsets = {"w1": [20.1, 60.0, 149.0], "w2": [30.0, 100.0]}
    a, b = event_affinity(found, onsets), event_affinity(affinity_tensor(found), onsets)
    xr.testing.assert_allclose(a, b, atol=1e-14)
    assert a.n_events.to_numpy().tolist() == [2, 2]
    assert a.attrs == b.attrs
    assert set(a.coords) == set(b.coords)


def test_an_event_without_a_full_window_is_left_out():
    onsets = {"w1": [1.0, 50.0], "w2": [50.0, 99.0]}
    assert event_affinity(tensor(onsets.values()), onsets).n_events.to_numpy().tolist() == [1, 1]


def test_an_animal_without_events_is_an_error():
    with pytest.raises(InputError, match="no event is given for 'w2'"):
        event_affinity(tensor([[20.0], []]), {"w1": [20.0], "w2": []})


def test_no_full_window_at_all_is_an_error():
    with pytest.raises(InputError, match="trial"):
        event_affinity(tensor([[1.0], [1.0]]), {"w1": [1.0], "w2": [1.0]})


def test_onsets_are_where_a_flag_goes_up():
    flag = xr.DataArray([True, False, True, True, False, True], dims="time", coords={"time": np.arange(6) / 2})
    assert event_onsets(flag).tolist() == [1.0, 2.5]
    assert event_onsets(flag.astype(float).where(flag)).tolist() == [1.0, 2.5]  # NaN is down
    assert event_onsets(xr.zeros_like(flag)).size == 0
