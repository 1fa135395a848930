"""Evidence for detrending.py: scipy and nilearn, polynomials that vanish, gain and phase of the filter."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from nilearn.signal import butterworth, clean
from scipy.signal import detrend as scipy_detrend

from dynome.dynamics import detrend
from dynome.errors import InputError


def traces(values, time):
    return xr.DataArray(values, dims=("time", "node"), coords={"time": time})


def noise(n_time=300, n_node=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n_time, n_node)).cumsum(axis=0)


@pytest.mark.parametrize(("order", "kind"), [(0, "constant"), (1, "linear")])
def test_it_agrees_with_scipy(order, kind):
    x = noise()
    np.testing.assert_allclose(detrend(traces(x, np.arange(300) / 3), order=order), scipy_detrend(x, axis=0, type=kind))


def test_it_agrees_with_nilearn():
    x = noise()
    theirs = clean(x, detrend=True, standardize=None)
    np.testing.assert_allclose(detrend(traces(x, np.arange(300) / 3)), theirs, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    coefficients=st.lists(st.floats(-10, 10), min_size=1, max_size=5),
    missing=st.booleans(),
)
def test_adding_a_polynomial_in_true_time_changes_nothing(seed, coefficients, missing):
    rng = np.random.default_rng(seed)
    time = 1e4 + np.cumsum(rng.uniform(0.1, 1, 80))
    x = rng.standard_normal((80, 2))
    if missing:
        x[rng.random((80, 2)) < 0.3] = np.nan
    trend = np.polynomial.Polynomial(coefficients)((time - time[0]) / 20)[:, None]
    order = len(coefficients) - 1
    a, b = detrend(traces(x, time), order=order), detrend(traces(x + trend, time), order=order)
    np.testing.assert_allclose(a, b, atol=1e-8)
    np.testing.assert_allclose(a.mean("time"), 0, atol=1e-10)


def test_missing_samples_take_no_part_in_the_fit():
    x = noise()
    holed = x.copy()
    holed[100:200, 1] = np.nan
    out = detrend(traces(holed, np.arange(300.0)), order=2)
    there = ~np.isnan(holed[:, 1])
    expected = holed[there, 1] - np.polynomial.Polynomial.fit(np.flatnonzero(there), holed[there, 1], 2)(
        np.flatnonzero(there)
    )
    np.testing.assert_allclose(out[there, 1], expected, atol=1e-9)
    np.testing.assert_allclose(out[:, [0, 2]], detrend(traces(x, np.arange(300.0)), order=2)[:, [0, 2]])


def test_too_few_samples_give_nan_not_zero():
    x = np.full((10, 2), np.nan)
    x[:, 0] = np.arange(10.0) ** 2
    x[[2, 5], 1] = [1.0, 7.0]
    out = detrend(traces(x, np.arange(10.0)))
    assert out[:, 1].isnull().all()
    assert out[:, 0].notnull().all()


def test_the_filter_agrees_with_nilearn_away_from_the_ends():
    x = noise(2000)
    ours = detrend(traces(x, np.arange(2000) / 2), method="highpass", cutoff=0.05)
    theirs = butterworth(x.copy(), sampling_rate=2.0, high_pass=0.05, copy=True)
    np.testing.assert_allclose(ours[300:-300], theirs[300:-300], atol=1e-3 * x.std())


@pytest.mark.parametrize(("fraction", "gain"), [(0.3, 0.0), (1.0, 0.5), (3.0, 1.0)])
def test_the_gain_at_the_cutoff_is_one_half_and_nothing_is_shifted(fraction, gain):
    time = np.arange(4000) / 5
    x = np.sin(2 * np.pi * 0.05 * fraction * time)[:, None]
    out = detrend(traces(x, time), method="highpass", cutoff=0.05)
    np.testing.assert_allclose(out[1000:-1000], gain * x[1000:-1000], atol=5e-3)


def test_the_filter_bridges_gaps_and_leaves_them_missing():
    time = np.arange(2000) / 5
    x = (np.sin(2 * np.pi * 0.5 * time) + time / 100)[:, None]
    holed = x.copy()
    holed[700:703] = np.nan
    out = detrend(traces(holed, time), method="highpass", cutoff=0.05)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(holed))
    there = ~np.isnan(holed)
    assert np.abs(out.to_numpy() - np.sin(2 * np.pi * 0.5 * time)[:, None])[there].max() < 0.25


def test_all_problems_are_told_at_once():
    x = traces(noise(), np.arange(300.0))
    with pytest.raises(
        InputError, match=r"order must be a whole number from 0 to 20, got -1\n.*cutoff in Hz belongs to"
    ):
        detrend(x, order=-1, cutoff=0.1)
    with pytest.raises(InputError, match="method must be one of polynomial, highpass, got 'loess'"):
        detrend(x, method="loess")
    with pytest.raises(InputError, match='cutoff in Hz belongs to method="highpass"'):
        detrend(x, method="highpass")
    with pytest.raises(
        InputError, match=r"between one cycle a recording, 0.00333333 Hz, and half the sampling rate, 0.5 Hz"
    ):
        detrend(x, method="highpass", cutoff=0.6)
