"""Evidence for lagged_correlation and peak_lag: closed forms, numpy, invariances, missing data, errors."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.dynamics import functional_connectivity, lagged_correlation, peak_lag
from dynome.errors import InputError, UnitsError

seeds = st.integers(0, 2**32 - 1)


def activity(seed: int = 0, n_time: int = 80, gaps: float = 0.0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_time, 4)) + rng.standard_normal(n_time)[:, None]
    x[rng.random(x.shape) < gaps] = np.nan
    return schema.recording(x, time=np.arange(n_time) * 0.5, node=list("abcd"), units="dF/F").activity


def test_a_delayed_copy_reaches_one_at_its_delay():
    x = activity()
    x[3:, 1] = -x[:-3, 0].to_numpy()
    r = lagged_correlation(x, max_lag=4)
    assert float(r.sel(source="a", target="b", lag=1.5)) == pytest.approx(-1)  # 3 samples of 0.5 s
    peak = peak_lag(r)
    assert float(peak.sel(source="a", target="b")) == 1.5
    assert float(peak.sel(source="b", target="a")) == -1.5
    assert float(peak.peak.sel(source="a", target="b")) == pytest.approx(-1)
    assert (np.diag(peak) == 0).all()


@settings(max_examples=10, deadline=None)
@given(seed=seeds, lag=st.integers(-6, 6))
def test_each_lag_is_the_correlation_of_the_overlapping_samples(seed, lag):
    x = activity(seed)
    past, present = x[max(0, -lag) : 80 - max(0, lag)], x[max(0, lag) : 80 - max(0, -lag)]
    expected = np.corrcoef(past.T, present.T)[:4, 4:]
    r = lagged_correlation(x, max_lag=3).sel(lag=lag * 0.5)
    np.testing.assert_allclose(r, expected, atol=1e-12)
    assert (r.n_samples == 80 - abs(lag)).all()


def test_lag_zero_is_functional_connectivity():
    x = activity(gaps=0.2)
    r, fc = lagged_correlation(x, max_lag=2).sel(lag=0), functional_connectivity(x)
    np.testing.assert_allclose(r, fc, atol=1e-13)
    np.testing.assert_array_equal(r.n_samples, fc.n_samples)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, gaps=st.sampled_from([0.0, 0.3]))
def test_swapping_source_and_target_reverses_the_lag(seed, gaps):
    r = lagged_correlation(activity(seed, gaps=gaps), max_lag=2)
    swapped = r.transpose("lag", "target", "source").isel(lag=slice(None, None, -1))
    np.testing.assert_array_equal(r, swapped)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, order=st.permutations(list("abcd")), gain=st.floats(0.1, 10), start=st.floats(-100, 100))
def test_labels_gain_and_the_start_of_the_clock_do_not_matter(seed, order, gain, start):
    x = activity(seed, gaps=0.1)
    other = (x * gain + 3).sel(node=list(order))
    other = other.assign_coords(time=("time", x.time.values + start, {"units": "s"}))
    a, b = lagged_correlation(x, max_lag=2), lagged_correlation(other, max_lag=2)
    np.testing.assert_allclose(a, b.sel(source=a.source, target=a.target), atol=1e-10)


def test_missing_samples_are_left_out_pairwise():
    x = activity(gaps=0.3)
    r = lagged_correlation(x, max_lag=2).sel(source="a", target="c", lag=1.5)
    past, present = x.sel(node="a").to_numpy()[:-3], x.sel(node="c").to_numpy()[3:]
    both = np.isfinite(past) & np.isfinite(present)
    assert int(r.n_samples) == both.sum()
    assert float(r) == pytest.approx(np.corrcoef(past[both], present[both])[0, 1])
    assert np.isnan(lagged_correlation(x, max_lag=2, min_samples=79)).all()


def test_a_silent_node_has_no_peak():
    x = activity()
    x[:, 2] = 0.3
    peak = peak_lag(lagged_correlation(x, max_lag=2))
    assert np.isnan(peak.sel(source="c")).all()
    assert np.isnan(peak.peak.sel(target="c")).all()
    assert np.isfinite(peak.sel(source="a", target="b"))


def test_the_result_is_labelled_and_directed():
    x = activity().assign_coords(cell_type=("node", list("wxyz")))
    r = lagged_correlation(x, max_lag=2.1)
    assert (r.name, r.attrs["units"], r.attrs["directed"], r.dtype) == ("lagged_correlation", "1", 1, float)
    np.testing.assert_allclose(r.lag, np.arange(-4, 5) * 0.5)
    assert r.lag.attrs["units"] == "s"
    assert r.target_cell_type.values.tolist() == list("wxyz")
    peak = peak_lag(r)
    assert (peak.name, peak.attrs["units"], peak.dims) == ("peak_lag", "s", ("source", "target"))
    schema.validate(r, "functional_connectivity")
    schema.validate(peak, "functional_connectivity")


def test_dask_is_lazy_and_equal():
    x = activity(gaps=0.1)
    lazy = lagged_correlation(x.chunk(time=30, node=3), max_lag=2)
    assert lazy.chunks is not None
    xr.testing.assert_allclose(lazy.compute(), lagged_correlation(x, max_lag=2), atol=1e-13)
    xr.testing.assert_allclose(peak_lag(lazy), peak_lag(lagged_correlation(x, max_lag=2)))


def test_bad_input_is_refused_with_what_to_do():
    x = activity()
    for lag in (0.1, 20, -1, np.nan):
        with pytest.raises(InputError, match=r"max_lag must be from 0.5 s to 19.5 s, got"):
            lagged_correlation(x, max_lag=lag)
    with pytest.raises(InputError, match=r"resample\(rec, rate=\.\.\.\)"):
        lagged_correlation(x.drop_isel(time=[20]), max_lag=2)
    with pytest.raises(UnitsError, match="time must be in seconds"):
        lagged_correlation(x.assign_coords(time=x.time.assign_attrs(units="ms")), max_lag=2)
    with pytest.raises(InputError, match=r"one session .* found dims .*\n.*min_samples must be at least 2, got 0"):
        lagged_correlation(x.expand_dims("animal"), max_lag=2, min_samples=0)
    with pytest.raises(InputError, match="from lagged_correlation, found dims"):
        peak_lag(functional_connectivity(x))
