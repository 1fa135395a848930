"""Evidence for baseline.py: a planted dF/F under bleaching, scipy's rank filter, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import percentile_filter

from dynome.dynamics import dff
from dynome.dynamics.preprocessing.baseline import rolling_quantile
from dynome.errors import InputError, UnitsError


def traces(values, units="1"):
    time = np.arange(len(values)) / 10
    return xr.DataArray(values, dims=("time", "node"), coords={"time": time}, attrs={"units": units})


def transients(n=6000, seed=0):
    """Sparse exponential transients, dF/F, zero at rest."""
    rng = np.random.default_rng(seed)
    events = (rng.random((n, 2)) < 0.002) * rng.uniform(0.5, 2, (n, 2))
    decay = np.exp(-np.arange(50) / 10)
    return np.stack([np.convolve(e, decay)[:n] for e in events.T], axis=1)


def test_planted_dff_is_recovered_under_bleaching():
    truth = transients()
    bleaching = np.array([200.0, 5000.0]) * (0.5 + 0.5 * np.exp(-np.arange(6000) / 4000))[:, None]
    out = dff(traces(bleaching * (1 + truth)), percentile=20, window=40.0)
    assert np.abs(out - truth).quantile(0.99) < 0.06
    assert float(np.abs(dff(traces(bleaching * (1 + truth)), percentile=20) - truth).quantile(0.99)) > 0.2


def test_a_fixed_baseline_is_the_percentile_of_its_time():
    f = 100 + 10 * np.random.default_rng(0).random((300, 2))
    f0 = np.percentile(f[:101], 15, axis=0)
    np.testing.assert_allclose(dff(traces(f), percentile=15, fit_time=slice(0, 10.0)), (f - f0) / f0)


def test_the_gain_of_the_camera_does_not_matter():
    f = 100 + 10 * np.random.default_rng(0).random((300, 2))
    xr.testing.assert_allclose(dff(traces(f), window=5.0), dff(traces(7 * f), window=5.0))


def test_the_rolling_quantile_is_that_of_scipy_at_its_knots():
    x = np.random.default_rng(0).standard_normal((501, 2)).cumsum(axis=0)
    ours = rolling_quantile(x, 0.2, 40)
    theirs = np.stack([percentile_filter(c, 20, size=41) for c in x.T], axis=1)
    inner = np.arange(40, 460, 10)
    np.testing.assert_allclose(ours[inner], theirs[inner])
    np.testing.assert_allclose(ours[45], (ours[40] + ours[50]) / 2)


def test_missing_samples_take_no_part_in_a_rolling_baseline():
    x = np.full((400, 1), 3.0)
    x[100:220] = np.nan  # longer than the window
    x[300:310] = 50.0
    np.testing.assert_allclose(rolling_quantile(x, 0.1, 60), 3.0)


def test_a_window_longer_than_the_recording_is_one_baseline():
    f = 100 + 10 * np.random.default_rng(0).random((300, 2))
    xr.testing.assert_allclose(dff(traces(f), window=1e5), dff(traces(f)))


@pytest.mark.parametrize("window", [None, 5.0])
def test_traces_without_a_positive_baseline_are_refused(window):
    f = np.array([0, 100, 100]) + np.random.default_rng(0).standard_normal((300, 3))
    with pytest.raises(
        InputError, match=r"baseline must be positive, found down to -.* in 1 of 3 traces; give raw fluor"
    ):
        dff(traces(f), window=window)
    lazy = dff(traces(f).chunk(time=100), window=window)
    with pytest.raises(InputError, match="baseline must be positive"):
        lazy.compute()


def test_all_problems_are_told_at_once():
    f = traces(np.full((300, 2), 100.0))
    with pytest.raises(
        InputError, match=r"percentile must be from 0 to 100, got 101\n.*window .* or fit_time .*, not both"
    ):
        dff(f, percentile=101, window=5, fit_time=slice(0, 5))
    with pytest.raises(InputError, match=r"window must be in seconds and hold 3 samples of 0.1 s, got 0.2"):
        dff(f, window=0.2)
    with pytest.raises(UnitsError, match="in dF/F already"):
        dff(f.assign_attrs(units="dF/F"))
