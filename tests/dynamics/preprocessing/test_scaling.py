"""Evidence for scaling.py: scipy and nilearn, no leak from the test half, constant nodes, invariances."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from nilearn.signal import clean
from scipy.stats import median_abs_deviation, zscore

from dynome.dynamics import standardize, to_trials
from dynome.errors import InputError

METHODS = ["zscore", "robust", "max"]


def traces(values, time=None):
    values = np.asarray(values, dtype=float)
    time = np.arange(len(values)) / 2 if time is None else time
    return xr.DataArray(values, dims=("time", "node"), coords={"time": time}, attrs={"units": "mV"})


def noise(seed=0, n_time=101):
    return np.random.default_rng(seed).standard_normal((n_time, 3)) * [1, 10, 0.1] + [0, 100, -5]


def test_the_methods_agree_with_scipy():
    x = noise()
    np.testing.assert_allclose(standardize(traces(x)), zscore(x), atol=1e-12)
    robust = (x - np.median(x, axis=0)) / median_abs_deviation(x, axis=0, scale="normal")
    np.testing.assert_allclose(standardize(traces(x), method="robust"), robust, atol=1e-12)
    np.testing.assert_allclose(standardize(traces(x), method="max"), x / np.abs(x).max(axis=0))


def test_the_zscore_agrees_with_nilearn_up_to_its_sample_standard_deviation():
    x = noise()
    theirs = clean(x, detrend=False, standardize="zscore_sample")
    np.testing.assert_allclose(standardize(traces(x)) * np.sqrt(100 / 101), theirs, atol=1e-9)


def test_missing_samples_take_no_part():
    x = noise()
    x[10:40, 1] = np.nan
    np.testing.assert_allclose(standardize(traces(x)), zscore(x, nan_policy="omit"), atol=1e-12)
    robust = (x - np.nanmedian(x, axis=0)) / median_abs_deviation(x, axis=0, scale="normal", nan_policy="omit")
    np.testing.assert_allclose(standardize(traces(x), method="robust"), robust, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_the_test_half_never_leaks_into_the_training_half(method):
    x = noise()
    changed = x.copy()
    changed[60:] *= 1000
    train = slice(None, 29.5)
    a, b = (standardize(traces(v), fit_time=train, method=method) for v in (x, changed))
    xr.testing.assert_identical(a.sel(time=train), b.sel(time=train))
    xr.testing.assert_allclose(a.sel(time=train), standardize(traces(x).sel(time=train), method=method))
    np.testing.assert_allclose((a * 1).isel(time=slice(60, None)).std("time") > 0, True)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e3), offset=st.floats(-1e4, 1e4))
def test_the_unit_and_the_zero_of_the_recording_do_not_matter(method, seed, scale, offset):
    x = noise(seed)
    moved = x * scale + (0 if method == "max" else offset)
    np.testing.assert_allclose(
        standardize(traces(moved), method=method), standardize(traces(x), method=method), atol=1e-5
    )


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8 / 3])
@pytest.mark.parametrize("method", ["zscore", "robust"])
def test_a_constant_node_is_zero_and_where_it_leaves_its_constant_missing(method, value):
    x = noise()
    x[:, 1] = value
    out = standardize(traces(x), method=method)
    np.testing.assert_array_equal(out[:, 1], 0)
    x[80:, 1] += 0.5
    out = standardize(traces(x), method=method, fit_time=slice(0, 39))
    np.testing.assert_array_equal(out[:80, 1], 0)
    assert out[80:, 1].isnull().all()
    assert out[:, [0, 2]].notnull().all()


def test_a_silent_node_stays_zero_under_the_maximum():
    x = noise()
    x[:, 1] = 0
    np.testing.assert_array_equal(standardize(traces(x), method="max")[:, 1], 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_node_without_a_sample_in_the_fit_is_missing(method):
    x = noise()
    x[:50, 1] = np.nan
    out = standardize(traces(x), fit_time=slice(0, 20), method=method)
    assert out[:, 1].isnull().all()
    assert out[:, [0, 2]].notnull().all()


def test_a_large_offset_costs_no_digits():
    x = noise()
    np.testing.assert_allclose(standardize(traces(x + 1e9)), standardize(traces((x + 1e9) - 1e9)), atol=1e-6)


def test_trials_can_share_one_scale():
    trials = to_trials(traces(noise()), [5.0, 20.0, 40.0], before=2, after=3)
    pooled = standardize(trials, dim=("trial", "time"))
    assert pooled.dims == ("trial", "time", "node")
    np.testing.assert_allclose(pooled.mean(("trial", "time")), 0, atol=1e-12)
    np.testing.assert_allclose(pooled.std(("trial", "time")), 1)
    before = standardize(trials, dim=("time", "trial"), fit_time=slice(None, -0.5))
    np.testing.assert_allclose(before.sel(time=slice(None, -0.5)).std(("trial", "time")), 1)
    np.testing.assert_allclose(standardize(trials).std("time"), 1)


def test_nodes_can_be_compared_at_each_time():
    across = standardize(traces(noise()), dim="node")
    np.testing.assert_allclose(across.mean("node"), 0, atol=1e-12)


def test_all_problems_are_told_at_once():
    x = traces(noise())
    with pytest.raises(
        InputError, match=r"method must be one of zscore, robust, max, got 'rank'\n.*'trial' is not among"
    ):
        standardize(x, dim="trial", method="rank")
    with pytest.raises(InputError, match="fit_time needs time in dim, got 'node'"):
        standardize(x, dim="node", fit_time=slice(0, 1))
    with pytest.raises(InputError, match="at least one dim"):
        standardize(x, dim=[])
    with pytest.raises(InputError, match=r"found 0 between 90 s and inf s; the recording runs from 0 s to 50 s"):
        standardize(x, fit_time=slice(90, None))
    with pytest.raises(InputError, match=r"slice\(start, stop\) in seconds"):
        standardize(x, fit_time=slice(0, 10, 2))
