"""Evidence for state_covariates: means, the size of the test for slow signals, trials, the errors."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from dynome.errors import InputError
from dynome.inference import state_covariates


def slow_states(seed: int, n: int = 3000, dwell: float = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.random(n) < 1 / dwell) % 2


def slow_signal(seed: int, n: int = 3000, width: int = 100) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(n + width)
    return np.convolve(noise, np.ones(width) / width, "same")[:n]


def over_time(values, **coords) -> xr.DataArray:
    return xr.DataArray(values, dims="time", coords=coords, attrs={"units": "cm/s"})


def test_means_are_weighted_by_the_posterior():
    posterior = xr.DataArray([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dims=("time", "state"))
    found = state_covariates(posterior, over_time([1.0, 3.0, np.nan]), random_state=0)
    np.testing.assert_allclose(found["mean"], [(1 + 1.5) / 1.5, 3])
    assert found["mean"].attrs["units"] == "cm/s"
    assert found.attrs["overall_mean"] == 2


def test_slow_signals_that_know_nothing_of_each_other_pass():
    p = [
        float(state_covariates(over_time(slow_states(k)), over_time(slow_signal(1000 + k)), random_state=0).p_value[0])
        for k in range(60)
    ]
    assert np.mean(np.array(p) < 0.05) < 0.14
    assert 0.3 < np.mean(p) < 0.7


def test_a_signal_that_follows_the_states_stands_out():
    states = slow_states(0)
    found = state_covariates(over_time(states), over_time(slow_signal(1) + 0.5 * states), random_state=0)
    assert (found.q_value < 0.01).all()
    assert float(found.difference[1]) > 0.2


def test_every_session_is_turned_on_its_own():
    states, session = slow_states(2), np.repeat(["a", "b", "c"], 1000)
    shift = np.repeat([0.0, 5.0, 10.0], 1000)
    found = state_covariates(
        over_time(states, session=("time", session)), over_time(slow_signal(3) + shift), random_state=0
    )
    assert found.attrs["n_records"] == 3
    # Differences between sessions are in every draw: they make no state special, and do not widen the null.
    assert float(found.p_value.min()) > 0.01
    rows = over_time(states).to_numpy().reshape(3, 1000)
    again = state_covariates(
        xr.DataArray(rows, dims=("session", "time")),
        xr.DataArray((slow_signal(3) + shift).reshape(3, 1000), dims=("session", "time")),
        random_state=0,
    )
    np.testing.assert_allclose(again.p_value, found.p_value)


def test_covariates_of_trials_are_turned_by_whole_trials():
    rng = np.random.default_rng(0)
    contrast = xr.DataArray(rng.integers(0, 2, 80).astype(float), dims="trial")
    states = xr.DataArray(np.repeat(contrast.to_numpy()[:, None], 20, axis=1).astype(int), dims=("trial", "time"))
    found = state_covariates(states, contrast, random_state=0, n_null=500)
    assert found["mean"].to_numpy().tolist() == [0, 1]
    # A lag of zero is one of 80: the smallest p-value there can be.
    assert (found.p_value < 0.03).all()


def test_missing_bins_count_for_nothing():
    states, speed = slow_states(4), slow_signal(5)
    hidden = np.where(np.arange(3000) < 300, -1, states)
    gap = np.where((np.arange(3000) > 2000) & (np.arange(3000) < 2500), np.nan, speed)
    found = state_covariates(over_time(hidden), over_time(gap), random_state=0)
    use = (hidden >= 0) & np.isfinite(gap)
    assert float(found["mean"][1]) == pytest.approx(speed[use & (states == 1)].mean())


def test_covariates_that_do_not_fit_are_refused():
    states = over_time([0, 1, 0, 1])
    with pytest.raises(InputError, match="never varies"):
        state_covariates(states, over_time([1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(InputError, match=r"must be numeric.*compare each class"):
        state_covariates(states, over_time(list("aabb")))
    with pytest.raises(InputError, match=r"n_null must be at least 1, got 0\n.*dims \['trial'\]"):
        state_covariates(states, xr.DataArray([1.0, 2.0], dims="trial"), n_null=0)
    with pytest.raises(InputError, match="same labels"):
        state_covariates(over_time([0, 1], time=[0.0, 1.0]), over_time([0.0, 1.0], time=[1.0, 2.0]))
    with pytest.raises(InputError, match="infinite"):
        state_covariates(states, over_time([1.0, np.inf, 0, 0]))
    with pytest.raises(InputError, match="no bin has both a state and a value"):
        state_covariates(over_time([0, -1, -1]), over_time([np.nan, 1.0, 2.0]))
    with pytest.raises(InputError, match="must be a DataArray, got list"):
        state_covariates(states, [1.0, 2.0])


def test_recordings_that_differ_in_both_are_no_evidence():
    rng = np.random.default_rng(0)
    share = np.array([0.2, 0.8])[:, None]  # of state 1 in two animals; one of which is fast
    state = xr.DataArray((rng.random((2, 2000)) < share).astype(int), dims=("animal", "time"))
    speed = xr.DataArray(rng.normal(size=(2, 2000)) + 3 * (share > 0.5), dims=("animal", "time"), attrs={"units": "1"})
    found = state_covariates(state, speed, random_state=0)
    assert float(abs(found.difference).min()) > 0.5
    assert float(abs(found.z).max()) < 3
    assert float(found.p_value.min()) > 0.01
    assert float(abs(found.difference - found.null_mean).max()) < 0.1


def test_a_state_that_no_bin_is_in_says_nothing():
    state = np.repeat([0.0, 1.0, 0.0, 1.0], 25)
    shares = xr.DataArray(np.stack([state, 1 - state, 0 * state], axis=-1), dims=("time", "state"))
    found = state_covariates(shares, xr.DataArray(np.arange(100.0), dims="time"), n_null=50, random_state=0)
    for name in ("mean", "p_value", "q_value"):
        assert np.isnan(found[name].to_numpy()).tolist() == [False, False, True], name
