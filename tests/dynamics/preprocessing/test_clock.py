"""Evidence for clock.py: what counts as an interval, and which clocks are refused."""

import numpy as np
import pytest
import xarray as xr

from dynome.dynamics import is_regular, sampling_interval, sampling_rate, smooth
from dynome.errors import InputError, UnitsError


def on(stamps, **attrs):
    stamps = np.asarray(stamps)
    return xr.DataArray(np.zeros(stamps.size), dims="time", coords={"time": ("time", stamps, attrs)})


def test_jitter_averages_out_of_the_interval():
    rng = np.random.default_rng(0)
    stamps = np.arange(800) * 0.6 + rng.uniform(-0.03, 0.03, 800)
    assert sampling_interval(on(stamps)) == pytest.approx(0.6, rel=1e-3)
    assert sampling_rate(on(stamps)) == pytest.approx(1 / 0.6, rel=1e-3)


def test_dropped_frames_do_not_count():
    stamps = np.delete(np.arange(1000) * 0.1, [50, 51, 300, *range(700, 780)])
    assert sampling_interval(on(stamps)) == pytest.approx(0.1)


def test_a_skewed_jitter_does_not_bias_the_interval_as_the_median_would():
    stamps = np.concatenate([[0], np.cumsum(np.tile([0.5, 0.5, 0.68], 200))])
    assert sampling_interval(on(stamps)) == pytest.approx(0.56)


def test_drift_makes_a_clock_irregular_though_each_step_is_nearly_right():
    steps = np.linspace(0.999, 1.001, 1000)
    assert not is_regular(on(np.cumsum(steps)))
    assert is_regular(on(np.arange(1000) / 30))
    assert is_regular(on(1e6 + np.arange(1000) / 30))


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        ([0.0, 1.0, 1.0, 2.0], "strictly increasing, found 1 stamps"),
        ([0.0, 2.0, 1.0], "strictly increasing, found 1 stamps"),
        ([0.0, np.nan, 1.0], "finite, found 1 NaN or infinite stamps"),
        ([0.0], "at least 2 time samples, found 1"),
        (np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[ns]"), "numbers in seconds, found dtype datetime64"),
        (np.cumsum([0.1, 5.0, 0.1, 30.0, 1.0, 9.0]), r"mostly alike, found only .*bin the samples"),
    ],
)
def test_unusable_clocks_are_refused(stamps, message):
    with pytest.raises(InputError, match=message):
        sampling_interval(on(stamps))


def test_the_half_precision_clock_of_published_data_is_refused():
    stamps = (np.arange(3240) / 3).astype(np.float16).astype(np.float64)  # 18 minutes at 3 Hz
    with pytest.raises(InputError, match=r"lost its precision as np.arange\(n\) / rate"):
        smooth(on(stamps), width=1.0)


def test_missing_clocks_and_wrong_units_are_told():
    with pytest.raises(InputError, match=r"expected a dim time with a coordinate in seconds, found dims \('node',\)"):
        sampling_rate(xr.DataArray([1.0, 2.0], dims="node"))
    with pytest.raises(InputError, match=r"assign one, e.g. .assign_coords\(time=np.arange\(n\) / rate\)"):
        sampling_rate(xr.DataArray([1.0, 2.0], dims="time"))
    with pytest.raises(UnitsError, match="time must be in seconds, found 'ms'"):
        sampling_rate(on([0.0, 1.0], units="ms"))


def test_filters_refuse_a_gap_and_say_where_it_is():
    stamps = np.delete(np.arange(100) * 0.5, [40, 41, 42])
    with pytest.raises(
        InputError, match=r"found 1 steps that stray .*\(first after 19.5 s: 2 s\); resample\(rec, rate=...\)"
    ):
        smooth(on(stamps), width=2.0)
