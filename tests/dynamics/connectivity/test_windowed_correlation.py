"""Evidence for windowed_correlation.py, window_starts.py and window_tensors.py."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dynome.dynamics.connectivity.window_starts import starts_of_windows
from dynome.dynamics.connectivity.windowed_correlation import correlation_windows, covariance_windows
from dynome.errors import InputError

seeds = st.integers(0, 2**32 - 1)


def signals(seed: int, n_time: int = 60, n_node: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n_time, n_node)).cumsum(axis=0)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, width=st.integers(2, 60), stride=st.integers(1, 20))
def test_each_window_is_numpys_correlation(seed, width, stride):
    x = signals(seed)
    starts = starts_of_windows(60, width, stride)
    r = correlation_windows(x, starts, width)
    np.testing.assert_allclose(r, [np.corrcoef(x[s : s + width].T) for s in starts], atol=1e-11)
    single = correlation_windows(x.astype(np.float32), starts, width)
    assert single.dtype == np.float32
    exact = correlation_windows(x.astype(np.float32).astype(np.float64), starts, width)
    np.testing.assert_allclose(single, exact, atol=2e-6)
    for each in (r, single):
        np.testing.assert_array_equal(each, each.swapaxes(1, 2))
        assert (each[:, np.arange(7), np.arange(7)] == 1).all()
        assert np.abs(each).max() == 1


@settings(max_examples=15, deadline=None)
@given(seed=seeds, offset=st.sampled_from([0.0, 1e4]), power=st.integers(-25, 25))
def test_neither_offset_nor_unit_costs_digits(seed, offset, power):
    x = signals(seed).astype(np.float32)
    starts = np.arange(0, 41, 5)
    r = correlation_windows(x, starts, 20)
    np.testing.assert_allclose(correlation_windows(x.astype(np.float64) + offset, starts, 20), r, atol=2e-6)
    np.testing.assert_allclose(correlation_windows(x * np.float32(10.0**power), starts, 20), r, atol=2e-6)


def test_weights_are_those_of_numpys_covariance():
    x, w = signals(0), np.hamming(20)
    starts = np.arange(0, 41, 10)
    expected = np.array([np.cov(x[s : s + 20].T, aweights=w) for s in starts])
    np.testing.assert_allclose(covariance_windows(x, starts, 20, weights=w), expected, atol=1e-12)
    scale = np.sqrt(np.einsum("wii->wi", expected))
    expected /= scale[:, :, None] * scale[:, None]
    np.testing.assert_allclose(correlation_windows(x, starts, 20, weights=w), expected, atol=1e-12)
    plain = covariance_windows(x, starts, 20, out=np.empty((5, 7, 7)))
    np.testing.assert_allclose(plain, [np.cov(x[s : s + 20].T) for s in starts], atol=1e-12)


def test_a_node_that_is_silent_or_missing_in_a_window_is_nan_there_and_nowhere_else():
    x = signals(1).astype(np.float32)
    x[0:30, 2] = 0.1  # no exact binary fraction
    x[45, 5] = np.nan
    starts = np.arange(0, 41, 10)
    r = correlation_windows(x, starts, 20)
    gone = np.zeros((5, 7), dtype=bool)
    gone[:2, 2], gone[3:, 5] = True, True
    np.testing.assert_array_equal(np.isnan(r), gone[:, :, None] | gone[:, None])


@settings(max_examples=15, deadline=None)
@given(seed=seeds, single=st.booleans(), tapered=st.booleans())
def test_torch_gives_the_same_numbers(seed, single, tapered):
    torch = pytest.importorskip("torch")
    from dynome.dynamics.connectivity.window_tensors import correlation_tensors

    x = signals(seed).astype(np.float32 if single else np.float64)
    x[:30, 3] = 2.5
    starts, w = np.arange(0, 41, 3), np.hamming(20) if tapered else None
    expected = correlation_windows(x, starts, 20, weights=w)
    weights = None if w is None else torch.from_numpy(w)
    found = correlation_tensors(torch.from_numpy(x), torch.from_numpy(starts), 20, weights=weights)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5 if single else 1e-10)


@given(n_time=st.integers(1, 200), width=st.integers(1, 60), stride=st.integers(1, 30))
def test_windows_start_where_stagins_loop_has_them(n_time, width, stride):
    stagin = list(range(0, n_time - width, stride))
    if stagin:
        assert starts_of_windows(n_time, width, stride, closed="stagin").tolist() == stagin
    if width <= n_time:
        starts = starts_of_windows(n_time, width, stride)
        extra = [n_time - width] if (n_time - width) % stride == 0 else []
        assert starts.tolist() == stagin + extra
    else:
        with pytest.raises(InputError, match="does not fit a recording"):
            starts_of_windows(n_time, width, stride)


def test_the_numbers_of_the_published_recording():
    assert starts_of_windows(600, 50, 3, closed="stagin").size == 184
    assert starts_of_windows(1200, 50, 3, closed="stagin").size == 384


def test_bad_windows_are_refused():
    with pytest.raises(InputError, match=r"closed must be .*\n.*width must be .* got 0\n.*stride must be .* got 0"):
        starts_of_windows(10, 0, 0, closed="left")
    with pytest.raises(InputError, match="do not lie within 60 samples"):
        correlation_windows(signals(0), np.array([0, 50]), 20)
    with pytest.raises(InputError, match="1 values are infinite"):
        correlation_windows(np.where(signals(0) == signals(0)[3, 3], np.inf, 0.0), np.array([0]), 20)
