"""Evidence for resampling.py: a reference, gain, phase and aliases of sines, clocks as they are, events and counts."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from scipy.signal import resample_poly

from dynome import schema
from dynome.dynamics import bin_spikes, resample, standardize
from dynome.errors import InputError


def series(values, time, **attrs):
    return xr.DataArray(values, dims="time", coords={"time": ("time", time, {"units": "s"})}, attrs=attrs)


def sine(frequency, time, phase=0.3):
    time = np.asarray(time)
    return series(np.sin(2 * np.pi * frequency * time + phase), time)


def response(x, frequency, phase=0.3):
    """Complex amplitude of a resampled `sine`, away from the ends: 1 if neither damped nor shifted."""
    inner = x[25:-25]
    basis = np.exp(1j * (2 * np.pi * frequency * inner.time.to_numpy() + phase))
    fit = np.linalg.lstsq(np.column_stack([basis.imag, basis.real]), inner.to_numpy())[0]
    return fit[0] + 1j * fit[1]


@pytest.mark.parametrize(("rate", "up", "down"), [(5.0, 1, 2), (20.0, 2, 1), (4.0, 2, 5), (3.0, 3, 10), (15.0, 3, 2)])
def test_a_regular_clock_gives_what_scipy_gives(rate, up, down):
    x = np.random.default_rng(0).standard_normal(1000)
    ours = resample(series(x, np.arange(1000) / 10), rate=rate).to_numpy()
    theirs = resample_poly(x, up, down)[: ours.size]
    edge = 15 * max(up // down, 1) + 15
    np.testing.assert_allclose(ours[edge:-edge], theirs[edge:-edge], atol=3e-3)


@pytest.mark.parametrize("rate", [0.7, 2.0, 7.3])
@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.6, 0.8, 0.84])
def test_the_passband_keeps_gain_within_one_percent_and_phase(rate, fraction):
    frequency = fraction * min(rate, 3.0) / 2
    x = sine(frequency, 50 + np.arange(1200) / 3)
    assert response(resample(x, rate=rate), frequency) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("fraction", [1.16, 1.3, 2.0, 3.7])
def test_frequencies_beyond_the_new_band_are_rejected_not_folded(fraction):
    x = sine(fraction * 0.5, np.arange(4000) / 5)
    out = resample(x, rate=1.0)[15:-15]
    assert float(np.abs(out).max()) < 10 ** (-50 / 20)


@pytest.mark.parametrize("method", ["sinc", "linear"])
@pytest.mark.parametrize("rate", [0.37, 1.0, 2.9, 12.0])
def test_a_pulse_keeps_its_centre_and_its_area(rate, method):
    time = 1000 + np.arange(3000) / 5
    out = resample(series(np.exp(-0.5 * ((time - 1300.07) / 6) ** 2), time), rate=rate, method=method)
    centre = float((out * out.time).sum() / out.sum())
    assert centre == pytest.approx(1300.07, abs=1e-3)
    assert float(out.sum()) / rate == pytest.approx(6 * np.sqrt(2 * np.pi), rel=1e-3)


@pytest.mark.parametrize("method", ["sinc", "linear"])
@settings(max_examples=25, deadline=None)
@given(rate=st.floats(0.05, 40), value=st.floats(-1e6, 1e6), n=st.integers(20, 60), seed=st.integers(0, 99))
def test_a_constant_stays_constant_to_the_ends(method, rate, value, n, seed):
    time = np.arange(n) / 2 + np.random.default_rng(seed).uniform(-0.1, 0.1, n)
    if (time[-1] - time[0]) * rate < 1:
        return
    out = resample(series(np.full(n, value), time), rate=rate, method=method)
    np.testing.assert_allclose(out, value, rtol=1e-9, atol=1e-300)


def test_the_new_clock_starts_at_the_first_stamp_and_is_even():
    out = resample(series(np.zeros(100), 7.5 + np.arange(100) / 4), rate=3.0)
    np.testing.assert_allclose(out.time, 7.5 + np.arange(out.sizes["time"]) / 3)
    assert float(out.time[-1]) == pytest.approx(7.5 + 24.75, abs=1 / 3)
    assert out.time.attrs["units"] == "s"


def test_the_rate_of_a_regular_recording_changes_nothing(make_recording):
    rec = make_recording()
    xr.testing.assert_allclose(resample(rec, rate=2.0), rec, rtol=1e-12)


@pytest.mark.parametrize("rate", [1.0, 2.0, 5.0])
def test_a_jittered_clock_is_read_at_its_true_stamps(rate):
    rng = np.random.default_rng(0)
    time = 1.2e6 + np.arange(800) * 0.6 + rng.uniform(-0.06, 0.06, 800)  # as jittered as the worms
    out = resample(sine(0.2, time), rate=rate)
    truth = sine(0.2, out.time)
    assert float(np.abs(out - truth)[15:-15].max()) < 0.01
    blind = resample(sine(0.2, time).assign_coords(time=np.linspace(time[0], time[-1], 800)), rate=rate)
    assert float(np.abs(blind - truth)[15:-15].max()) > 0.04


def test_a_drifting_clock_is_read_at_its_true_stamps():
    time = np.cumsum(np.linspace(0.45, 0.55, 1000))
    out = resample(sine(0.2, time), rate=3.0)
    assert float(np.abs(out - sine(0.2, out.time))[15:-15].max()) < 0.01


def test_linear_upsampling_is_linear_interpolation_on_true_stamps():
    time = np.arange(50) / 2 + np.random.default_rng(1).uniform(-0.002, 0.002, 50)
    x = np.random.default_rng(2).standard_normal(50)
    out = resample(series(x, time), rate=7.0, method="linear")
    np.testing.assert_allclose(out, np.interp(out.time, time, x), atol=0.05)
    even = resample(series(x, np.arange(50) / 2), rate=7.0, method="linear")
    np.testing.assert_allclose(even, np.interp(even.time, np.arange(50) / 2, x), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0.2, 20))
def test_the_linear_method_never_leaves_the_range_of_the_data(seed, rate):
    rng = np.random.default_rng(seed)
    x = rng.exponential(size=60)
    out = resample(series(x, np.arange(60) / 2 + rng.uniform(-0.1, 0.1, 60)), rate=rate, method="linear")
    assert x.min() - 1e-12 <= float(out.min())
    assert float(out.max()) <= x.max() + 1e-12


@pytest.mark.parametrize("method", ["sinc", "linear"])
def test_a_gap_in_the_values_stays_and_touches_only_the_reach_of_the_filter(method):
    time = np.arange(400) / 2
    x = series(np.random.default_rng(0).standard_normal(400), time)
    holed = x.where((x.time < 80) | (x.time >= 90))
    out, whole = resample(holed, rate=1.0, method=method), resample(x, rate=1.0, method=method)
    missing = out.time[out.isnull()].to_numpy()
    np.testing.assert_array_equal(missing, np.arange(80.0, 90.0))
    far = (out.time < 79.5 - 10) | (out.time > 90 + 10)
    np.testing.assert_allclose(out[far], whole[far], atol=1e-12)


def test_upsampling_keeps_the_size_of_a_gap():
    x = series(np.ones(100), np.arange(100.0))
    out = resample(x.where((x.time < 40) | (x.time > 44)), rate=10.0)  # samples 40 to 44: from 39.5 to 44.5 s
    missing = out.time[out.isnull()]
    assert float(missing.min()) == pytest.approx(39.5, abs=0.11)
    assert float(missing.max()) == pytest.approx(44.5, abs=0.11)


def test_a_new_sample_needs_half_of_its_time_observed():
    x = series(np.ones(100), np.arange(100) / 10)
    mostly = x.copy()
    mostly[[30, 31, 32, 50]] = np.nan
    assert not resample(mostly, rate=1.0).isnull().any()
    mostly[27:34] = np.nan
    np.testing.assert_array_equal(np.flatnonzero(resample(mostly, rate=1.0).isnull()), [3])


@pytest.mark.parametrize("method", ["sinc", "linear"])
def test_dropped_frames_leave_missing_samples_and_no_shift(method):
    time = np.arange(1000) / 5
    keep = np.ones(1000, dtype=bool)
    keep[400:450] = keep[700] = False
    out = resample(sine(0.05, time).isel(time=keep), rate=5.0, method=method)
    np.testing.assert_array_equal(out.isnull(), ~keep)
    away = (np.abs(out.time - 85) > 10) & (np.abs(out.time - 140) > 10)
    assert float(np.abs(out - sine(0.05, time))[away][20:-20].max()) < 1e-3


def test_a_pause_at_an_arbitrary_phase_is_kept():
    time = np.concatenate([np.arange(300) / 5, 71.37 + np.arange(300) / 5])
    out = resample(sine(0.1, time), rate=2.0)
    assert float(np.abs(out - sine(0.1, out.time))[~((out.time > 54) & (out.time < 77))][12:-12].max()) < 0.01
    assert out.sel(time=slice(60.2, 71)).isnull().all()
    assert out.sel(time=slice(None, 59.6)).notnull().all()


def test_events_are_taken_from_the_nearest_sample(make_recording):
    rec = make_recording()
    out = resample(rec, rate=0.7)
    expected = rec[["reversal", "odour"]].sel(time=out.time.to_numpy(), method="nearest")
    for name in ("reversal", "odour"):
        assert out[name].dtype == rec[name].dtype
        np.testing.assert_array_equal(out[name], expected[name])
    np.testing.assert_array_equal(out.trial, rec.trial.sel(time=out.time.to_numpy(), method="nearest"))


def test_covariates_are_filtered_as_activity_is(make_recording):
    rec = make_recording()
    out = resample(rec, rate=0.8)
    for name in ("velocity", "posture"):
        xr.testing.assert_allclose(out[name].drop_vars("trial"), resample(rec[name].drop_vars("trial"), rate=0.8))
        assert out[name].attrs == rec[name].attrs
    schema.validate(out, "recording")


def test_whole_numbers_called_activity_are_a_signal_not_events():
    raw = series(np.array([100, 110, 120, 130], dtype=np.uint16), np.arange(4.0)).rename("activity")
    np.testing.assert_allclose(resample(raw, rate=2.0, method="linear"), np.arange(100, 131, 5))


SPIKES = {"a": np.random.default_rng(0).uniform(0, 60, 300), "b": np.array([0.1, 30.0, 59.9])}


@settings(max_examples=25, deadline=None)
@given(factor=st.integers(1, 12), width=st.sampled_from([0.05, 0.1, 0.3]))
def test_summing_counts_is_binning_again(factor, width):
    fine = bin_spikes(SPIKES, width=width, start=0, stop=60)
    xr.testing.assert_allclose(
        resample(fine, rate=1 / (width * factor)), bin_spikes(SPIKES, width=width * factor, start=0, stop=60)
    )


def test_counts_and_signals_of_one_recording_stay_in_step():
    time = (np.arange(600) + 0.5) / 10
    bump = np.exp(-0.5 * ((time - 30.2) / 2) ** 2)
    rec = schema.recording(
        bump[:, None], spike_count=np.round(100 * bump)[:, None].astype(int), time=time, node=["a"], units="1"
    )
    out = resample(rec, rate=1.0)
    assert out.spike_count.dtype.kind == "i"
    assert int(out.spike_count.sum()) == int(rec.spike_count.sum())
    for variable in (out.activity, out.spike_count):
        assert float((variable * out.time).sum() / variable.sum()) == pytest.approx(30.2, abs=0.01)


def test_a_sum_over_a_missing_count_is_missing():
    counts = series(np.array([1.0, 2, np.nan, 4, 5, 6]), np.arange(6.0), units="count")
    np.testing.assert_array_equal(resample(counts, rate=0.5), [3, np.nan, 11])


@pytest.mark.parametrize("rate", [4.0, 30.0])
def test_counts_are_never_interpolated(rate):
    rec = bin_spikes(SPIKES, width=0.1, start=0, stop=60)
    with pytest.raises(InputError, match=r"spike_count: spike counts can only be summed.*bin_spikes"):
        resample(rec, rate=rate)


def test_counts_on_an_uneven_clock_are_refused():
    rec = bin_spikes(SPIKES, width=0.1, start=0, stop=60)
    with pytest.raises(InputError, match="need an even clock; bin the spike times again"):
        resample(rec.isel(time=[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14]), rate=5.0)


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError, match=r"method must be one of sinc, linear, got 'cubic'\n.*rate must be a positive"):
        resample(series(np.ones(10), np.arange(10.0)), rate=-1, method="cubic")
    with pytest.raises(InputError, match=r"rate must leave at least 2 samples of 9 s, got 0.01 Hz"):
        resample(series(np.ones(10), np.arange(10.0)), rate=0.01)


def test_a_clock_in_milliseconds_is_suspected():
    t = np.arange(50) * 250.0  # milliseconds taken for seconds
    x = xr.DataArray(np.sin(t), dims="time", coords={"time": t})
    with pytest.raises(InputError, match=r"500 times that of the recording \(0\.004 Hz\).*milliseconds"):
        resample(x, rate=2.0)


def test_a_branch_of_a_study_is_refused_with_a_cure():
    t = np.arange(50) / 2
    tree = xr.DataTree(xr.Dataset({"activity": (("time", "node"), np.ones((50, 1)))}, coords={"time": t}))
    for function in (lambda r: resample(r, rate=1.0), lambda r: standardize(r, dim="time")):
        with pytest.raises(InputError, match=r"found a DataTree; take it out, e\.g\. study"):
            function(tree)
