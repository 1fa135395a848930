"""Evidence for derivatives.py: straight lines, sines, scipy's Gaussian derivative, gaps and jitter."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from scipy.ndimage import gaussian_filter1d

from dynome.dynamics import derivative
from dynome.errors import InputError


def traces(values, time, **attrs):
    return xr.DataArray(values, dims=("time", "node"), coords={"time": time}, attrs=attrs)


@pytest.mark.parametrize("width", [None, 0.3, 2.0])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), slope=st.floats(-100, 100), offset=st.floats(-1e3, 1e3))
def test_a_straight_line_has_its_slope_on_a_jittered_clock_beside_gaps_and_at_the_ends(width, seed, slope, offset):
    rng = np.random.default_rng(seed)
    time = 1e5 + np.arange(80) / 2 + rng.uniform(-0.1, 0.1, 80)
    x = np.stack([offset + slope * (time - 1e5)] * 2, axis=1)
    x[10:14, 1] = x[40, 1] = np.nan
    out = derivative(traces(x, time), width=width).to_numpy()
    assert not np.isnan(out[:, 0]).any()
    assert np.isnan(out[[10, 11, 12, 13, 40], 1]).all()
    np.testing.assert_allclose(out[~np.isnan(out)], slope, atol=1e-7 * (1 + abs(offset) + abs(slope)))


def test_the_width_agrees_with_scipy_on_an_even_clock():
    x = np.random.default_rng(0).standard_normal((400, 2))
    ours = derivative(traces(x, np.arange(400) / 4), width=2.0)
    theirs = gaussian_filter1d(x, 8.0, axis=0, order=1) * 4
    np.testing.assert_allclose(ours[40:-40], theirs[40:-40], rtol=0.01, atol=1e-4)


@pytest.mark.parametrize("width", [0.5, 1.5])
@pytest.mark.parametrize("frequency", [0.02, 0.1])
def test_a_sine_is_damped_as_stated_and_turned_by_a_quarter(width, frequency):
    time = np.arange(2000) / 8
    omega = 2 * np.pi * frequency
    out = derivative(traces(np.sin(omega * time)[:, None], time), width=width)[100:-100, 0]
    expected = omega * np.exp(-0.5 * (omega * width) ** 2) * np.cos(omega * out.time)
    np.testing.assert_allclose(out, expected, atol=2e-3 * omega)


def test_central_differences_follow_true_stamps():
    rng = np.random.default_rng(0)
    time = np.arange(300) / 10 + rng.uniform(-0.02, 0.02, 300)
    out = derivative(traces((time**2)[:, None], time))
    np.testing.assert_allclose(out[:, 0], 2 * time, atol=1e-9)


def test_central_differences_are_missing_beside_a_missing_sample():
    x = np.arange(7.0)[:, None].copy()
    x[3] = np.nan
    np.testing.assert_array_equal(
        np.isnan(derivative(traces(x, np.arange(7.0)))).to_numpy().ravel(), [0, 0, 1, 1, 1, 0, 0]
    )


def test_a_sample_without_neighbours_has_no_slope():
    x = np.full((60, 1), np.nan)
    x[[5, 40, 41]] = [[1.0], [2.0], [3.0]]
    out = derivative(traces(x, np.arange(60.0)), width=1.0).to_numpy().ravel()
    np.testing.assert_allclose(out[[5, 40, 41]], [np.nan, 1, 1])
    assert np.isnan(np.delete(out, [40, 41])).all()


def test_units_are_those_of_a_rate_and_stay_away_where_there_were_none():
    x = np.zeros((10, 1))
    assert derivative(traces(x, np.arange(10.0), units="dF/F")).attrs["units"] == "dF/F/s"
    assert derivative(traces(x, np.arange(10.0), units="a.u.")).attrs["units"] == "1/s"
    assert "units" not in derivative(traces(x, np.arange(10.0))).attrs


def test_a_width_out_of_range_is_refused():
    with pytest.raises(
        InputError, match=r"width must be between 0.3 s and 10 s, or None for central differences, got 0.1"
    ):
        derivative(traces(np.zeros((10, 1)), np.arange(10.0)), width=0.1)
