"""What every function of preprocessing promises, whatever it computes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from dynome import schema
from dynome.dynamics import (
    derivative,
    detrend,
    dff,
    interpolate_gaps,
    resample,
    smooth,
    standardize,
    to_trials,
)
from dynome.errors import InputError, SchemaError, UnitsError

Function = Callable[..., xr.Dataset]

SAME_CLOCK: dict[str, tuple[Function, str]] = {
    "detrend": (detrend, "mV"),
    "detrend with a filter": (lambda x: detrend(x, method="highpass", cutoff=0.1), "mV"),
    "standardize": (standardize, "1"),
    "standardize robustly": (lambda x: standardize(x, method="robust"), "1"),
    "standardize by the maximum": (lambda x: standardize(x, method="max"), "1"),
    "dff": (lambda x: dff(x, percentile=50), "dF/F"),
    "rolling dff": (lambda x: dff(x, percentile=50, window=20.0), "dF/F"),
    "smooth": (lambda x: smooth(x, width=1.0), "mV"),
    "smooth with a long kernel": (lambda x: smooth(x, width=20.0), "mV"),
    "smooth with a box": (lambda x: smooth(x, width=3.0, kernel="boxcar"), "mV"),
    "smooth causally": (lambda x: smooth(x, width=1.0, kernel="exponential"), "mV"),
    "derivative": (derivative, "mV/s"),
    "derivative over a width": (lambda x: derivative(x, width=1.0), "mV/s"),
    "interpolate_gaps": (lambda x: interpolate_gaps(x, limit=2.0), "mV"),
}
NEW_CLOCK: dict[str, tuple[Function, str]] = {
    "resample down": (lambda x: resample(x, rate=0.7), "mV"),
    "resample up": (lambda x: resample(x, rate=3.0, method="linear"), "mV"),
    "to_trials": (lambda x: to_trials(x, [110.2, 150.0], before=2, after=3), "mV"),
    "to_trials in between": (lambda x: to_trials(x, [110.2, 150.0], before=2, after=3, align="linear"), "mV"),
}
TIMELESS = ("standardize", "standardize robustly", "standardize by the maximum", "dff")  # use no stamps
FILLING = ("interpolate_gaps",)
WIDENING = ("derivative",)  # NaN also beside a missing sample


def each(functions: dict[str, tuple[Function, str]], but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    chosen = {name: case for name, case in functions.items() if name not in but}
    return pytest.mark.parametrize(("function", "unit"), chosen.values(), ids=chosen.keys())


every, same_clock = each({**SAME_CLOCK, **NEW_CLOCK}), each(SAME_CLOCK)
but_trials = each({**SAME_CLOCK, **{n: f for n, f in NEW_CLOCK.items() if not n.startswith("to_trials")}})


def with_gaps(rec: xr.Dataset) -> xr.Dataset:
    holes = np.zeros(rec.activity.shape, dtype=bool)
    holes[20:23, 0] = holes[50, 1] = holes[:4, 2] = holes[130:150, 2] = True
    return rec.assign(activity=rec.activity.where(~holes))


@every
def test_the_input_is_never_changed(make_recording, function, unit):
    rec = with_gaps(make_recording())
    before = rec.copy(deep=True)
    function(rec)
    function(rec.activity)
    xr.testing.assert_identical(rec, before)


@every
def test_a_recording_and_its_activity_get_the_same_numbers(make_recording, function, unit):
    rec = with_gaps(make_recording())
    whole, part = function(rec), function(rec.activity)
    assert isinstance(part, xr.DataArray)
    xr.testing.assert_identical(whole.activity.reset_coords(drop=True), part.reset_coords(drop=True))
    assert part.name == "activity"


@every
def test_units_and_coordinates_and_attributes_are_right(make_recording, function, unit):
    rec = make_recording()
    out = function(rec)
    assert out.activity.attrs["units"] == unit
    assert out.activity.attrs["sensor"] == "GCaMP"
    assert out.attrs == rec.attrs
    assert out.time.attrs["units"] == "s"
    assert out.cell_type.dims == ("node",)
    assert "trial" in out.coords
    assert set(out.data_vars) == set(rec.data_vars)


@same_clock
def test_covariates_stay_as_they_are_when_the_clock_stays(make_recording, function, unit):
    rec = make_recording()
    xr.testing.assert_identical(function(rec).drop_vars("activity"), rec.drop_vars("activity"))


@same_clock
def test_results_are_valid_recordings(make_recording, function, unit):
    schema.validate(function(with_gaps(make_recording())), "recording")


@pytest.mark.parametrize("chunks", [{"time": 50}, {"time": 50, "node": 3}, {"node": 1}])
@every
def test_dask_input_stays_lazy_and_gives_the_same_numbers(make_recording, function, unit, chunks):
    rec = with_gaps(make_recording())
    lazy = function(rec.chunk(chunks))
    assert lazy.activity.chunks is not None
    xr.testing.assert_allclose(lazy.compute(), function(rec), rtol=1e-12)


@every
def test_permuting_nodes_permutes_the_result(make_recording, function, unit):
    rec = with_gaps(make_recording())
    order = ["N2", "N0", "N3", "N1"]
    xr.testing.assert_allclose(function(rec.sel(node=order)), function(rec).sel(node=order))


@but_trials  # whose onsets are on the clock of the recording
def test_shifting_the_clock_shifts_the_result(make_recording, function, unit):
    rec = with_gaps(make_recording())
    later = rec.assign_coords(time=rec.time + 1e6)
    np.testing.assert_allclose(function(later).activity, function(rec).activity, rtol=1e-6, atol=1e-8)


@every
def test_the_order_of_dims_does_not_matter(make_recording, function, unit):
    activity = with_gaps(make_recording()).activity
    turned = function(activity.transpose("node", "time"))
    assert turned.dims[0] == "node"
    xr.testing.assert_allclose(turned.transpose(*function(activity).dims), function(activity))


@every
def test_single_precision_stays_single(make_recording, function, unit):
    activity = make_recording().activity
    single = function(activity.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, function(activity), rtol=1e-4, atol=1e-4)


@every
def test_a_series_without_nodes_works(make_recording, function, unit):
    rec = make_recording()
    alone = function(rec.activity.isel(node=1, drop=True))
    xr.testing.assert_allclose(alone, function(rec.activity).isel(node=1, drop=True))


@every
def test_a_node_without_samples_stays_missing_and_leaves_the_others_alone(make_recording, function, unit):
    rec = make_recording()
    broken = rec.assign(activity=rec.activity.where(rec.node != "N1"))
    out = function(broken).activity
    assert out.sel(node="N1").isnull().all()
    xr.testing.assert_allclose(out.drop_sel(node="N1"), function(rec).activity.drop_sel(node="N1"))


@each(SAME_CLOCK, but=FILLING + WIDENING)
def test_missing_samples_stay_missing_and_do_not_spread(make_recording, function, unit):
    activity = with_gaps(make_recording()).activity
    np.testing.assert_array_equal(function(activity).isnull(), activity.isnull())


@but_trials  # which compute nothing
def test_infinite_values_are_refused(make_recording, function, unit):
    activity = make_recording().activity
    activity[3, 1] = np.inf
    with pytest.raises(InputError, match="found 1 infinite values; NaN is the missing value"):
        function(activity)


@each({**SAME_CLOCK, **NEW_CLOCK}, but=TIMELESS)
def test_a_clock_that_repeats_is_refused(make_recording, function, unit):
    rec = make_recording()
    stamps = rec.time.to_numpy().copy()
    stamps[7] = stamps[6]
    with pytest.raises(
        InputError, match=r"strictly increasing, found 1 stamps that repeat or go back \(first after 103 s"
    ):
        function(rec.assign_coords(time=stamps))


@each({**SAME_CLOCK, **NEW_CLOCK}, but=TIMELESS)
def test_a_clock_in_milliseconds_is_refused(make_recording, function, unit):
    rec = make_recording()
    with pytest.raises(UnitsError, match="time must be in seconds, found 'ms'"):
        function(rec.assign_coords(time=rec.time.assign_attrs(units="ms")))


@same_clock
def test_a_recording_of_spikes_alone_is_told_what_to_do(make_recording, function, unit):
    rec = make_recording()
    spikes = rec.drop_vars("activity").assign(spike_count=rec.activity.round().assign_attrs(units="count"))
    with pytest.raises(
        SchemaError, match=r"expected a variable activity, found .*pass the variable itself, e.g. rec.spike_count"
    ):
        function(spikes)
