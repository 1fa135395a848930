"""Evidence for smoothing.py and convolution.py: scipy and pandas, widths in seconds, missing samples, ends."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from dynome.dynamics import smooth
from dynome.dynamics.preprocessing.convolution import correlate
from dynome.errors import InputError

KERNELS = ["gaussian", "boxcar", "exponential"]


def traces(values, time):
    return xr.DataArray(values, dims=("time", "node"), coords={"time": time})


def noise(n_time=400, seed=0):
    return np.random.default_rng(seed).standard_normal((n_time, 3))


@pytest.mark.parametrize("size", [1, 3, 41, 401])
@pytest.mark.parametrize("n_time", [2, 50, 400])
def test_sums_over_neighbours_agree_with_numpy(size, n_time):
    x, weights = noise(n_time), np.random.default_rng(1).random(size)
    expected = np.stack([np.convolve(c, weights[::-1])[size // 2 : size // 2 + n_time] for c in x.T], axis=1)
    once, twice = correlate(x, weights, 2 * weights)
    np.testing.assert_allclose(once, expected, atol=1e-10)
    np.testing.assert_allclose(twice, 2 * expected, atol=1e-10)


@pytest.mark.parametrize("width", [0.5, 2.0, 20.0])
def test_the_gaussian_is_that_of_scipy_away_from_the_ends(width):
    x = noise()
    edge = int(8 * width) + 1
    ours = smooth(traces(x, np.arange(400) / 2), width=width)
    np.testing.assert_allclose(ours[edge:-edge], gaussian_filter1d(x, 2 * width, axis=0)[edge:-edge], atol=1e-12)


def test_the_box_is_that_of_scipy_away_from_the_ends():
    x = noise()
    ours = smooth(traces(x, np.arange(400) / 2), width=3.5, kernel="boxcar")
    np.testing.assert_allclose(ours[4:-4], uniform_filter1d(x, 7, axis=0)[4:-4], atol=1e-12)


def test_a_box_of_even_width_stays_centred():
    x = np.zeros((21, 1))
    x[10] = 4
    out = smooth(traces(x, np.arange(21.0)), width=4.0, kernel="boxcar").to_numpy().ravel()
    np.testing.assert_allclose(out[8:13], [0.5, 1, 1, 1, 0.5])


@pytest.mark.parametrize("missing", [False, True])
def test_the_exponential_is_that_of_pandas(missing):
    x = noise()
    if missing:
        x[50:60, 0] = x[0, 1] = np.nan
    ours = smooth(traces(x, np.arange(400) / 2), width=5.0, kernel="exponential")
    theirs = pd.DataFrame(x).ewm(alpha=1 - np.exp(-0.1)).mean().to_numpy()
    np.testing.assert_allclose(ours, np.where(np.isnan(x), np.nan, theirs), atol=1e-6)


def test_the_exponential_looks_only_into_the_past_and_delays_by_its_width():
    time = np.arange(2000) / 10
    x = np.zeros((2000, 1))
    x[500] = 1
    out = smooth(traces(x, time), width=8.0, kernel="exponential")
    assert float(np.abs(out[:500]).max()) < 1e-12
    assert float((out[:, 0] * out.time).sum() / out.sum()) - 50 == pytest.approx(8.0, abs=0.1)


@pytest.mark.parametrize("kernel", ["gaussian", "boxcar"])
def test_centred_kernels_shift_nothing(kernel):
    time = np.arange(500) / 4
    bump = np.exp(-0.5 * ((time - 60.1) / 4) ** 2)[:, None]
    out = smooth(traces(bump, time), width=6.0, kernel=kernel)
    assert float((out[:, 0] * out.time).sum() / out.sum()) == pytest.approx(60.1, abs=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_width_means_the_same_at_every_rate(kernel):
    def smoothed(rate):
        time = np.arange(0, 200, 1 / rate)
        return smooth(traces(np.sin(time / 5)[:, None], time), width=4.0, kernel=kernel)

    fast, slow = smoothed(20.0), smoothed(2.0)
    inner = slow.time[40:-40]
    np.testing.assert_allclose(
        fast.sel(time=inner), slow.sel(time=inner), atol=0.06 if kernel == "exponential" else 0.002
    )


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), value=st.floats(-1e6, 1e6), width=st.floats(1.1, 30))
def test_a_constant_stays_constant_to_the_ends_and_beside_gaps(kernel, seed, value, width):
    there = np.random.default_rng(seed).random((60, 2)) > 0.4
    x = np.where(there, value, np.nan)
    out = smooth(traces(x, np.arange(60) / 2), width=width, kernel=kernel)
    np.testing.assert_allclose(out, x, rtol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.floats(1.1, 30))
def test_what_was_never_negative_stays_so(kernel, seed, width):
    x = np.random.default_rng(seed).poisson(0.05, (60, 3)).astype(float)
    x[x == 0] = np.where(np.random.default_rng(seed).random(x[x == 0].size) < 0.1, np.nan, 0)
    out = smooth(traces(x, np.arange(60) / 2), width=width, kernel=kernel)
    assert not (out < 0).any()
    assert not (out > traces(x, np.arange(60) / 2).max("time")).any()


def test_neighbours_of_a_gap_use_what_is_there():
    x = np.array([[1.0], [2.0], [np.nan], [6.0], [7.0]])
    out = smooth(traces(x, np.arange(5.0)), width=3.0, kernel="boxcar")
    np.testing.assert_allclose(out.to_numpy().ravel(), [1.5, 1.5, np.nan, 6.5, 6.5])


def test_jitter_does_no_harm():
    rng = np.random.default_rng(0)
    time = np.arange(800) * 0.6 + rng.uniform(-0.04, 0.04, 800)
    truth = smooth(traces(np.sin(np.arange(800) * 0.6 / 8)[:, None], np.arange(800) * 0.6), width=2.0)
    out = smooth(traces(np.sin(time / 8)[:, None], time), width=2.0)
    assert float(np.abs(out.to_numpy() - truth.to_numpy()).max()) < 0.01


def test_all_problems_are_told():
    x = traces(noise(), np.arange(400) / 2)
    with pytest.raises(InputError, match="kernel must be one of gaussian, boxcar, exponential, got 'median'"):
        smooth(x, width=1.0, kernel="median")
    with pytest.raises(InputError, match=r"width of a boxcar must be in seconds, above 0.5 s and up to 200 s, got 0.5"):
        smooth(x, width=0.5, kernel="boxcar")
    with pytest.raises(
        InputError, match=r"width of a gaussian must be in seconds, above 0.15 s and up to 200 s, got 1000"
    ):
        smooth(x, width=1000)
