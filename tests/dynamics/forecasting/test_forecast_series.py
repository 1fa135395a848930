import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome import schema, study
from dynome.connectome import from_edges
from dynome.dynamics.forecasting import tallies, windows
from dynome.dynamics.forecasting.contract import Fitted, Forecaster
from dynome.dynamics.forecasting.series import stacked
from dynome.dynamics.forecasting.tallies import Forecast
from dynome.errors import InputError, NotFittedError


def recording(values, node=("a", "b"), step=0.5, **coords):
    values = np.asarray(values, dtype=float)
    rec = schema.recording(values, time=np.arange(len(values)) * step, node=list(node), units="dF/F")
    return rec.assign_coords(coords)


def part_of(recordings, context=2, horizons=(1, 2), connectome=None, **attrs):
    about = {"context": context, "horizons": list(horizons), "variable": "activity", "interval": 0.5, **attrs}
    return study.build(recordings, connectome, attrs=about)


class Constant(Forecaster):
    """Says one number, in standardized units, with a given spread."""

    def __init__(self, value=0.0, spread=None):
        self.value = value
        self.spread = spread

    def _fit(self, series, validation, wiring, seed):
        return Fitted(xr.Dataset({"history": ("iteration", np.zeros(1))}))

    def _forecast(self, series, origin):
        shape = (origin.size, len(series.horizons), series.nodes.size)
        scale = None if self.spread is None else np.full(shape, self.spread, np.float32)
        return Forecast(np.full(shape, self.value, np.float32), scale)


class Still(Constant):
    """Persistence."""

    def _forecast(self, series, origin):
        last = windows.last_observed(windows.contexts(series, origin))
        return Forecast(np.repeat(last[:, None], len(series.horizons), axis=1))


def test_sessions_share_one_axis_of_nodes_with_the_connectome_first():
    wiring = from_edges({"source": ["z"], "target": ["b"]})
    part = part_of({"w1": recording(np.ones((3, 2))), "w2": recording(np.ones((4, 1)), node=["b"])}, connectome=wiring)
    series = stacked(part)
    assert series.nodes.tolist() == ["b", "z", "a"]
    assert series.sessions == ("w1", "w2")
    assert series.starts.tolist() == [0, 3, 7]
    assert series.recorded.tolist() == [[True, False, True], [True, False, False]]
    assert np.isnan(series.values[:, 1]).all()
    assert np.isnan(series.values[3:, 2]).all()


def test_values_are_standardized_by_centre_and_scale_and_predictions_return_to_units():
    dff = {"units": "dF/F"}
    rec = recording([[1, 10], [3, 20], [5, 30], [7, 40]]).assign(
        center=("node", [1.0, 10], dff), scale=("node", [2.0, 10], dff)
    )
    part = part_of({"w": rec}, context=1, horizons=[1])
    assert stacked(part).values.T.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]
    found = Still().fit(part).predict(part)
    np.testing.assert_allclose(found.forecast.isel(horizon=0), rec.activity[:3])
    assert found.forecast.attrs["units"] == "dF/F"
    assert found.time.values.tolist() == [0, 0.5, 1]


def test_unlabelled_nodes_are_left_out():
    rec = recording(np.ones((4, 2)), labelled=("node", [True, False]))
    assert stacked(part_of({"w": rec})).nodes.tolist() == ["a"]


def test_windows_cross_neither_sessions_nor_trials_nor_gaps():
    rec = recording(np.arange(16.0).reshape(8, 2), trial=("time", [0, 0, 0, 0, 1, 1, 1, 1]))
    late = recording(np.ones((8, 2)))
    late = late.assign_coords(time=("time", np.r_[np.arange(4.0) / 2, 100 + np.arange(4.0) / 2], {"units": "s"}))
    series = stacked(part_of({"w1": rec, "w2": late}, context=2, horizons=[1]))
    assert series.starts.tolist() == [0, 4, 8, 12, 16]
    assert windows.origins(series).tolist() == [1, 2, 5, 6, 9, 10, 13, 14]


def test_bins_that_are_not_scored_are_looked_back_on_only():
    rec = recording(np.ones((8, 2))).assign(scored=("time", [False] * 4 + [True] * 4))
    series = stacked(part_of({"w": rec}, context=3, horizons=[1, 2]))
    assert windows.origins(series).tolist() == [3, 4, 5]


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 9), min_size=1, max_size=4),
    context=st.integers(1, 4),
    horizons=st.sets(st.integers(1, 4), min_size=1),
)
def test_windows_hold_what_they_say(lengths, context, horizons):
    horizons = sorted(horizons)
    bins = iter(range(100))
    recs = {f"w{k}": recording([[next(bins), 0] for _ in range(n)]) for k, n in enumerate(lengths)}
    series = stacked(part_of(recs, context, horizons))
    found = windows.origins(series)
    assert found.size == sum(max(0, n - context - horizons[-1] + 1) for n in lengths)
    np.testing.assert_array_equal(windows.contexts(series, found)[:, :, 0], found[:, None] + np.arange(1 - context, 1))
    np.testing.assert_array_equal(windows.targets(series, found)[:, :, 0], found[:, None] + np.array(horizons))
    if found.size:
        assert (series.session[found] == series.session[found + horizons[-1]]).all()
        assert np.array_equal(np.concatenate(list(windows.blocks(series, found))), found)


def test_covariates_come_in_columns():
    rec = recording(np.ones((4, 2))).assign(
        velocity=("time", np.arange(4.0), {"units": "m/s"}),
        image=(("time", "feature"), np.ones((4, 2)), {"units": "1"}),
    )
    rec = rec.assign_coords(feature=["x", "y"])
    series = stacked(part_of({"w": rec}, covariates=["velocity", "image"]))
    assert series.covariate_names == ("velocity", "image_x", "image_y")
    assert series.covariates[:, 0].tolist() == [0, 1, 2, 3]


def test_persistence_has_skill_exactly_zero_and_truth_one():
    values = np.random.default_rng(0).standard_normal((30, 2))
    values[5:9, 0] = np.nan
    part = part_of({"w1": recording(values), "w2": recording(values[::-1].copy())}, context=3)
    assert Still().fit(part).score(part) == 0
    series = stacked(part)
    truth = tallies.tallied(lambda s, o: Forecast(windows.targets(s, o)), series)
    assert (tallies.skill(truth) == 1).all()


def test_sums_in_blocks_equal_sums_at_once(monkeypatch):
    values = np.random.default_rng(1).standard_normal((40, 2))
    part = part_of({"w1": recording(values), "w2": recording(values[:11])}, context=3)
    series, model = stacked(part), Constant(0.3, spread=1.0).fit(part)
    at_once = tallies.tallied(model._forecast, series)
    monkeypatch.setattr(windows, "_block", 50)
    in_blocks = tallies.tallied(model._forecast, series)
    for one, other in zip(at_once, in_blocks, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    target = windows.targets(series, windows.origins(series))
    np.testing.assert_allclose(at_once.square.sum(), ((target - 0.3) ** 2).sum(), rtol=1e-5)
    np.testing.assert_allclose(at_once.covered.sum(), (np.abs(target - 0.3) <= 1.6448536).sum())


def test_intervals_of_a_normal_law_have_their_width():
    part = part_of({"w": recording(np.zeros((6, 2)))})
    found = Constant(0.0, spread=2.0).fit(part).predict(part, interval=0.9)
    np.testing.assert_allclose((found.upper - found.lower) / 2, 2 * 1.6448536, rtol=1e-6)
    with pytest.raises(InputError, match="has no interval"):
        Constant().fit(part).predict(part, interval=0.9)
    with pytest.raises(InputError, match="between 0 and 1"):
        Constant().fit(part).predict(part, interval=90)


def test_what_is_no_part_of_a_task_is_refused():
    plain = study.build({"w": recording(np.ones((9, 2)))})
    part = part_of({"w": recording(np.ones((9, 2)))})
    with pytest.raises(InputError, match=r"without the attributes \['context'"):
        Constant().fit(plain)
    with pytest.raises(InputError, match=r"found a whole task; pass \.train"):
        Constant().fit(xr.DataTree.from_dict({"train": part, "test": part}))
    with pytest.raises(InputError, match="found a Dataset"):
        Constant().fit(recording(np.ones((9, 2))))
    with pytest.raises(InputError, match=r"w has no variable \['velocity'\]"):
        Constant().fit(part_of({"w": recording(np.ones((9, 2)))}, covariates=["velocity"]))


def test_contexts_longer_than_every_session_are_refused():
    part = part_of({"w": recording(np.ones((9, 2)))}, context=8)
    with pytest.raises(InputError, match="need 10 bins in a row, the longest stretch has 9"):
        Constant().fit(part)


def test_another_part_must_ask_for_what_was_learnt():
    part = part_of({"w": recording(np.ones((9, 2)))})
    model = Constant().fit(part)
    with pytest.raises(
        InputError, match=r"fitted with horizons = \[1, 2\], asked to forecast with horizons = \[1, 3\]"
    ):
        model.predict(part_of({"w": recording(np.ones((9, 2)))}, horizons=[1, 3]))
    with pytest.raises(InputError, match="no node of this part was known"):
        model.predict(part_of({"w": recording(np.ones((9, 2)), node=["x", "y"])}))
    with pytest.raises(NotFittedError):
        Constant().predict(part)
    with pytest.raises(InputError, match="does not use the connectome"):
        model.with_wiring(from_edges({"source": ["a"], "target": ["b"]}))


class Next(Constant):
    """One more than the last value, at each horizon."""

    def _forecast(self, series, origin):
        last = windows.last_observed(windows.contexts(series, origin))
        return Forecast(last[:, None] + np.array(series.horizons, dtype=np.float32)[:, None])


def test_a_rollout_runs_on_its_own_forecasts():
    part = part_of({"w1": recording(np.zeros((9, 2))), "w2": recording(np.ones((7, 2)))}, context=3)
    model = Next().fit(part)
    found = model.rollout(part, 4)
    assert found.forecast.dims == ("window", "horizon", "node")
    assert found.forecast.isel(node=0).values.tolist() == [[1, 2, 3, 4], [2, 3, 4, 5]]
    assert found.time.values.tolist() == [1.0, 1.0]
    last = model.rollout(part, 40, start="last")
    assert last.time.values.tolist() == [4.0, 3.0]
    assert float(last.forecast[1, -1, 0]) == 41


def test_rollouts_that_cannot_be_made_are_refused():
    part = part_of({"w": recording(np.zeros((9, 2)))})
    with pytest.raises(InputError, match="of 8 bins needs 10 bins in a row, the longest stretch has 9"):
        Next().fit(part).rollout(part, 8)
    with pytest.raises(InputError, match="at least 1"):
        Next().fit(part).rollout(part, 0)
    far = part_of({"w": recording(np.zeros((9, 2)))}, horizons=[2])
    with pytest.raises(InputError, match="with horizon 1 too"):
        Next().fit(far).rollout(far, 2)


def test_nodes_that_nobody_recorded_are_not_forecast():
    wiring = from_edges({"source": ["z"], "target": ["a"]})
    part = part_of({"w": recording(np.zeros((9, 2)))}, connectome=wiring)
    model = Next().fit(part)
    assert model.results_.recorded.to_series().to_dict() == {"a": True, "z": False, "b": True}
    assert model.predict(part).node.values.tolist() == ["a", "b"]
    assert model.rollout(part, 2).node.values.tolist() == ["a", "b"]
    later = part_of({"w": recording(np.zeros((9, 2)), node=["a", "z"])}, connectome=wiring)
    assert model.predict(later).node.values.tolist() == ["a", "z", "b"]


def test_an_interval_tells_its_probability():
    part = part_of({"w": recording(np.zeros((6, 2)))})
    found = Constant(0.0, spread=2.0).fit(part).predict(part, interval=0.8)
    assert found.attrs["probability"] == 0.8
    assert found.attrs["sampling_interval"] == 0.5


def test_an_empty_validation_part_is_to_be_left_out():
    part = part_of({"w": recording(np.zeros((9, 2)))})
    with pytest.raises(InputError, match=r"leave it out: fit\(task\.train\)"):
        Next().fit(part, xr.DataTree(xr.Dataset(attrs=part.attrs)))
