"""Evidence for matched_states, state_accuracy, dwell_times and occupancy: closed forms, invariances, the errors."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.dynamics import NoHistory, SwitchingGLM
from dynome.errors import InputError
from dynome.inference import dwell_times, matched_states, occupancy, state_accuracy


def series(values, dims=("time",), **coords) -> xr.DataArray:
    return xr.DataArray(np.asarray(values), dims=dims, coords=coords)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(4)))
def test_numbers_of_states_do_not_matter(seed, order):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(4), rng.integers(0, 4, 60)])
    decoded = np.where(rng.random(64) < 0.2, rng.integers(0, 4, 64), truth)
    renamed = np.array(order)[decoded]
    a, b = (state_accuracy(series(v), series(truth)) for v in (decoded, renamed))
    assert float(a.accuracy) == float(b.accuracy)
    # There may be ties between permutations: the agreement is what is unique.
    for v in (decoded, renamed):
        assert float((matched_states(series(v), series(truth)) == truth).mean()) == float(a.accuracy)


def test_there_is_one_permutation_for_all_sessions():
    truth = series([[0, 0, 1, 1], [0, 0, 1, 1]], ("session", "time"))
    switched = series([[0, 0, 1, 1], [1, 1, 0, 0]], ("session", "time"))
    assert float(state_accuracy(switched, truth).accuracy) == 0.5


def test_padding_does_not_count_and_spare_states_are_wrong():
    truth, decoded = series([0, 0, 1, 1, -1, 1]), series([2, 2, 1, 0, 0, -1])
    found = state_accuracy(decoded, truth)
    assert float(found.accuracy) == 0.75
    assert found.match.to_numpy()[2] == 0
    np.testing.assert_array_equal(found.recall, [1, 0.5])
    assert int(found.confusion.sum()) == 4


def test_posteriors_are_decoded_bin_by_bin():
    posterior = series([[0.9, 0.1], [0.2, 0.8], [np.nan, np.nan]], ("time", "state"))
    found = state_accuracy(posterior, series([1, 0, 0]))
    assert float(found.accuracy) == 1
    moved = matched_states(posterior, series([1, 0, 0]))
    np.testing.assert_array_equal(moved.isel(state=[1, 0]), posterior)


def test_spare_decoded_states_get_the_next_numbers():
    found = matched_states(series([3, 3, 0, 2, -1]), series([0, 0, 1, 1, 1]))
    assert found.to_numpy().tolist() in ([0, 0, 1, 3, -1], [0, 0, 3, 1, -1])


def test_results_of_two_fits_are_brought_to_one_order(switching):
    results = switching.results_
    swapped = results.isel(state=[1, 0], next_state=[1, 0]).assign_coords(state=[0, 1], next_state=[0, 1])
    back = matched_states(swapped, results)
    np.testing.assert_array_equal(back.coupling, results.coupling)
    np.testing.assert_array_equal(back.transition, results.transition)
    np.testing.assert_array_equal(back.state_probability, results.state_probability)


def test_results_are_matched_by_node_labels(switching, population):
    turned = population[["coupling", "bias"]].isel(target=slice(None, None, -1), source=slice(None, None, -1))
    a, b = matched_states(switching.results_, population), matched_states(switching.results_, turned)
    xr.testing.assert_equal(a, b)


def test_states_that_cannot_be_compared_are_refused(switching):
    with pytest.raises(InputError, match="must lie on the same dims"):
        state_accuracy(series([0, 1]), series([[0, 1]], ("session", "time")))
    with pytest.raises(InputError, match="must lie on the same bins"):
        state_accuracy(series([0, 1], time=[0.0, 1.0]), series([0, 1], time=[0.0, 2.0]))
    with pytest.raises(InputError, match="no bin has both"):
        state_accuracy(series([-1, 1]), series([0, -1]))
    with pytest.raises(InputError, match="whole numbers from 0"):
        state_accuracy(series([0.5, 1]), series([0, 1]))
    with pytest.raises(InputError, match="true states must be a DataArray over time"):
        state_accuracy(series([0, 1]), np.array([0, 1]))
    with pytest.raises(InputError, match="two Datasets of results, got Dataset and DataArray"):
        matched_states(switching.results_, series([0, 1]))
    with pytest.raises(InputError, match="expected equal numbers of states, found 2 and 1"):
        matched_states(switching.results_, switching.results_.isel(state=[0]))
    with pytest.raises(InputError, match="no variable over state in common"):
        matched_states(switching.results_, switching.results_[["state_probability"]])
    with pytest.raises(InputError, match="reference has no dim state"):
        matched_states(switching.results_, xr.Dataset({"a": 1}))


def test_visits_end_with_sessions_and_with_missing_bins():
    states = series([0, 0, 0, 1, 1, -1, 1, 0], session=("time", list("aabbbbbb")), time=np.arange(8) * 0.5)
    table = dwell_times(states)
    assert table.session.tolist() == ["a", "b", "b", "b", "b"]
    assert table.state.tolist() == [0, 0, 1, 1, 0]
    assert table.n_bins.tolist() == [2, 1, 2, 1, 1]
    assert table.duration.tolist() == [1.0, 0.5, 1.0, 0.5, 0.5]
    assert table.start.tolist() == [0.0, 1.0, 1.5, 3.0, 3.5]
    assert table.censored.all()  # every visit touches the end of a session or a missing bin


def test_dwell_times_of_a_chain_are_geometric():
    rng = np.random.default_rng(0)
    leaves = rng.random(40_000) < 0.1
    table = dwell_times(series(np.cumsum(leaves) % 2))
    assert table[~table.censored].n_bins.mean() == pytest.approx(10, rel=0.05)


def test_padded_trials_are_cut():
    table = dwell_times(series([[-1, 0, 0, -1], [1, 1, 1, 1]], ("trial", "time"), trial=[7, 9]))
    assert table[["trial", "state", "n_bins"]].to_numpy().tolist() == [[7, 0, 2], [9, 1, 4]]


def test_a_table_without_visits_has_its_columns():
    assert dwell_times(series([-1, -1])).columns.tolist() == ["state", "start", "n_bins", "duration", "censored"]


def test_occupancy_counts_bins_not_rows():
    states = series([[0, 1, 1, -1], [0, 0, -1, -1]], ("session", "time"), animal=("session", ["m", "m"]))
    assert occupancy(states).to_numpy().tolist() == [3 / 5, 2 / 5]
    assert occupancy(states, by="session").to_numpy().tolist() == [[1 / 3, 2 / 3], [1, 0]]
    assert occupancy(states, by="animal").to_numpy().tolist() == [[3 / 5, 2 / 5]]


def test_occupancy_of_a_posterior_is_its_mean(switching, population):
    posterior = switching.posterior(population.spike_count)
    np.testing.assert_allclose(occupancy(posterior), switching.results_.occupancy, atol=1e-6)
    by = occupancy(posterior, by="session")
    np.testing.assert_allclose(by.mean("session"), switching.results_.occupancy, atol=1e-6)
    with pytest.raises(InputError, match=r"by must be a leading dim.*got 'mouse'; there are \['session'\]"):
        occupancy(posterior, by="mouse")


def test_a_fitted_model_stands_for_its_results(switching):
    other = switching.results_.isel(state=[1, 0])
    xr.testing.assert_identical(matched_states(switching, other), matched_states(switching.results_, other))


def test_models_without_couplings_are_matched_by_what_they_have(population):
    x = population.spike_count.isel(session=slice(2))
    model = SwitchingGLM(2, link="sigmoid", history=NoHistory(), n_restarts=1, random_state=0).fit(x)
    turned = model.results_.isel(state=[1, 0], next_state=[1, 0])
    found = matched_states(turned, model)
    np.testing.assert_array_equal(found["bias"], model.results_["bias"])
    np.testing.assert_array_equal(found["transition"], model.results_["transition"])


@pytest.mark.parametrize("probabilities", [False, True])
def test_visits_in_several_recordings_last_as_long_as_in_one(switching, population, probabilities):
    x = population.spike_count.isel(session=slice(3))
    states = switching.posterior if probabilities else switching.decode
    one, several = dwell_times(states(x)), dwell_times(states([x.isel(session=k) for k in range(3)]))
    for name in ("state", "start", "n_bins", "duration", "censored"):
        np.testing.assert_array_equal(one[name], several[name])
    assert one.attrs["units"] == several.attrs["units"] == "s"
    np.testing.assert_allclose(several.duration, several.n_bins * 0.02)
    assert dwell_times(states(x.drop_vars("time"))).attrs["units"] == "bin"


def test_recordings_with_bins_of_two_widths_keep_their_own():
    time, session = [0.0, 1, 2, 0, 0.5, 1], list("aaabbb")
    coords = {"session": ("time", session), "time_in_session": ("time", time, {"units": "s"})}
    states = xr.DataArray([0, 0, 1, 0, 1, 1], dims="time", coords=coords)
    assert dwell_times(states).duration.tolist() == [2, 1, 0.5, 1]


def test_spike_counts_are_no_states(population):
    for use in (dwell_times, occupancy):
        with pytest.raises(InputError, match="states have a dim node, as spike counts have; give the states"):
            use(population.spike_count)
