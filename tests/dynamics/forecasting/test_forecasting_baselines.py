"""Baselines: persistence has skill 0 exactly, vector autoregressions are recovered, sparse truth favours support."""

import numpy as np
import pytest
import xarray as xr

from dynome import connectome, schema, study
from dynome.dynamics import AR, MeanForecast, Persistence, RidgeVAR
from dynome.dynamics.forecasting.lags import features, lagged, of_lags, standard
from dynome.dynamics.forecasting.ridge_var import _check_size
from dynome.dynamics.forecasting.series import stacked
from dynome.dynamics.forecasting.tallies import skill, tallied
from dynome.dynamics.forecasting.windows import origins, targets
from dynome.errors import InputError

N = 12
NAMES = [f"n{k:02d}" for k in range(N)]
MODELS = (Persistence(), MeanForecast(), AR(2), RidgeVAR(2), RidgeVAR(1, support=True))


def sparse_matrix(seed=0, density=0.12, strength=0.5, own=0.5):
    """(source, target), stable."""
    rng = np.random.default_rng(seed)
    there = (rng.random((N, N)) < density) & ~np.eye(N, dtype=bool)
    weight = there * rng.choice([-1, 1], (N, N)) * strength
    weight += own * np.eye(N)
    return weight / max(1.0, np.abs(np.linalg.eigvals(weight)).max() / 0.95)


def activity(matrix, n_time, seed):
    rng = np.random.default_rng(seed)
    x = np.zeros((n_time + 50, N))
    for t in range(1, x.shape[0]):
        x[t] = x[t - 1] @ matrix + rng.normal(size=N)
    return x[50:]


def wired(matrix):
    source, target = np.nonzero(matrix * ~np.eye(N, dtype=bool))
    labels = np.array(NAMES)
    return connectome.from_edges({"source": labels[source], "target": labels[target]}, node=NAMES)


def part(arrays, matrix=None, missing=None, context=3, horizons=(1, 2)):
    """A part of a task from arrays; `missing` names the nodes that each animal lacks."""
    recordings = {}
    for k, x in enumerate(arrays):
        rec = schema.recording(x, time=np.arange(len(x)) * 1.0, node=NAMES, units="1")
        kept = [name for name in NAMES if name not in (missing or {}).get(k, ())]
        recordings[f"worm{k}"] = rec.sel(node=kept)
    attrs = {"context": context, "horizons": list(horizons), "variable": "activity", "interval": 1.0}
    return study.build(recordings, None if matrix is None else wired(matrix), attrs=attrs)


def small(missing=None):
    matrix = sparse_matrix()
    arrays = [activity(matrix, 150, seed) for seed in (1, 2, 3)]
    return part(arrays[:2], matrix, missing), part(arrays[2:], matrix)


def skills(model, data):
    return skill(tallied(model._forecast, model._series_of(data)))


def test_persistence_has_skill_zero_exactly_at_every_horizon_and_in_every_session():
    train, test = small()
    for data in (train, test):
        model = Persistence().fit(train)
        assert (skills(model, data) == 0).all()
        assert model.score(data) == 0.0


def test_persistence_forecasts_the_last_value_that_was_observed():
    x = activity(sparse_matrix(), 20, 0)
    x[7, 2] = np.nan
    x[0:6, 3] = np.nan
    data = part([x], horizons=(1,))
    said = Persistence().fit(data).predict(data).forecast.sel(horizon=1)
    at = {time: k for k, time in enumerate(said.time.to_numpy().tolist())}
    assert said[at[7.0], 2].item() == pytest.approx(x[6, 2], rel=1e-6)
    assert said[at[8.0], 2].item() == pytest.approx(x[8, 2], rel=1e-6)
    assert said[at[4.0], 3].item() == 0  # nothing observed in the context: the centre
    sums = tallied(Persistence().fit(data)._forecast, stacked(data))
    seen = np.isfinite(said.to_numpy()).sum(axis=0)
    assert sums.number[0, 0, 3] < seen[3]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_windows_without_an_observed_value_count_for_no_model(model):
    train, test = small()
    rec = study.sessions(test)["worm0"].copy(deep=True)
    rec["activity"][:30, 4] = np.nan
    holey = study.build({"worm0": rec}, study.connectome(test), attrs=test.attrs)
    model = model.fit(train)
    series = stacked(holey, np.array(NAMES))
    reference = tallied(Persistence().fit(train)._forecast, series).number
    np.testing.assert_array_equal(tallied(model._forecast, series).number, reference)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_every_node_is_forecast_whether_training_knows_it_or_not(model):
    train, test = small(missing={0: ["n00", "n03"], 1: ["n00", "n05"]})
    said = model.fit(train).predict(test, interval=0.9)
    assert np.isfinite(said.forecast).all()
    assert (said.lower < said.upper).all()


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_forecasts_do_not_look_ahead(model):
    train, test = small()
    model = model.fit(train)
    rec = study.sessions(test)["worm0"]
    touched = rec.assign(activity=rec.activity.where(rec.time < 60, 99.0).assign_attrs(rec.activity.attrs))
    other = study.build({"worm0": touched}, attrs=test.attrs)
    a, b = model.predict(test).forecast, model.predict(other).forecast
    before = (a.time < 60).to_numpy()
    np.testing.assert_array_equal(a[before], b[before])
    assert np.array_equal(a[~before], b[~before]) == isinstance(model, MeanForecast)


@pytest.mark.parametrize("model", MODELS[2:], ids=repr)
def test_the_fit_and_the_forecast_are_kept_whole_by_the_results(model, tmp_path):
    train, test = small()
    model = model.fit(train)
    loaded = type(model).load(model.save(tmp_path / "model.zarr"))
    np.testing.assert_array_equal(loaded.predict(test).forecast, model.predict(test).forecast)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_order_of_nodes_does_not_matter(model):
    train, test = small()
    turned = study.build(
        {path: rec.isel(node=slice(None, None, -1)) for path, rec in study.sessions(train).items()},
        study.connectome(train),
        attrs=train.attrs,
    )
    a = model.fit(train).predict(test).forecast
    b = model.fit(turned).predict(test).forecast
    np.testing.assert_allclose(a, b.sel(node=a.node), atol=1e-5)


def test_the_mean_forecast_is_the_mean_of_training():
    train, test = small()
    whole = np.concatenate([rec.activity.to_numpy() for rec in study.sessions(train).values()])
    said = MeanForecast().fit(train).predict(test).forecast
    np.testing.assert_allclose(said[0, 0], whole.mean(axis=0), atol=1e-5)


def test_autoregressions_are_recovered():
    slopes = np.linspace(-0.6, 0.9, N)
    data = part([activity(np.diag(slopes), 3000, 0)])
    model = AR(2).fit(data).results_
    np.testing.assert_allclose(model.coefficient.sel(lag=0, horizon=1), slopes, atol=0.08)
    np.testing.assert_allclose(model.coefficient.sel(lag=1, horizon=1), 0, atol=0.08)
    np.testing.assert_allclose(model.coefficient.sel(lag=0, horizon=2), slopes**2, atol=0.08)


def test_an_autoregression_is_least_squares_where_there_is_no_penalty_to_speak_of():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=(400, N)), axis=0) * 0.1 + rng.normal(size=(400, N))
    data = part([x], horizons=(1,))
    series = stacked(data)
    model = RidgeVAR(2, penalty=1e-9).fit(data)
    origin = origins(series)
    z = np.concatenate([series.values[origin], series.values[origin - 1], np.ones((origin.size, 1))], axis=1)
    beta, *_ = np.linalg.lstsq(z, targets(series, origin)[:, 0], rcond=None)
    said = np.einsum("wp,pn->wn", z, beta)
    np.testing.assert_allclose(model._forecast(series, origin).mean[:, 0], said, atol=1e-3)


def test_vector_autoregressions_are_recovered():
    matrix = sparse_matrix()
    data = part([activity(matrix, 4000, 0)])
    found = RidgeVAR(1).fit(data).results_
    spread = found["sd"].to_numpy()
    raw = found.coefficient.sel(lag=0).to_numpy() * spread / spread[:, None]
    np.testing.assert_allclose(raw[0], matrix, atol=0.08)
    np.testing.assert_allclose(raw[1], matrix @ matrix, atol=0.1)


def test_a_vector_autoregression_forecasts_as_well_as_the_truth():
    matrix = sparse_matrix()
    train, test = part([activity(matrix, 3000, 0)]), part([activity(matrix, 1500, 1)])
    model = RidgeVAR(1).fit(train)
    series = stacked(test)
    origin = origins(series)
    best = ((series.values[origin] @ matrix - series.values[origin + 1]) ** 2).mean()
    found = ((model._forecast(series, origin).mean[:, 0] - series.values[origin + 1]) ** 2).mean()
    assert found == pytest.approx(best, rel=0.02)


def test_the_measured_support_beats_all_pairs_on_a_sparse_truth_and_a_wrong_one_does_not():
    matrix = sparse_matrix(density=0.15)
    train, test = part([activity(matrix, 150, 0)], matrix), part([activity(matrix, 1500, 1)], matrix)
    wrong = wired(matrix[::-1, ::-1].T)
    dense, true, false = (skills(RidgeVAR(1, support=s).fit(train), test).mean(axis=0)[0] for s in (None, True, wrong))
    assert true > dense > 0
    assert dense > false


def test_coefficients_lie_on_the_support_and_on_the_diagonal_only():
    matrix = sparse_matrix()
    train, _ = small()
    found = RidgeVAR(2, support=True).fit(train).results_.coefficient
    allowed = (matrix != 0) | np.eye(N, dtype=bool)
    assert (found.to_numpy()[:, :, ~allowed] == 0).all()
    assert (found.to_numpy()[:, :, allowed] != 0).all()


def test_no_support_is_the_autoregression_and_full_support_is_dense():
    train, test = small()
    empty = wired(np.zeros((N, N)))
    full = wired(np.ones((N, N)))
    alone = RidgeVAR(2, support=empty, penalty=1e6).fit(train).predict(test).forecast
    np.testing.assert_allclose(alone, AR(2).fit(train).predict(test).forecast, atol=1e-3)
    dense, complete = (RidgeVAR(2, support=s).fit(train).predict(test).forecast for s in (None, full))
    np.testing.assert_allclose(complete, dense, atol=1e-5)


def test_animals_with_different_nodes_are_fitted_together():
    matrix = sparse_matrix(density=0.1, strength=0.6)
    arrays = [activity(matrix, 800, seed) for seed in range(4)]
    missing = {k: NAMES[3 * k : 3 * k + 3] for k in range(4)}
    train, test = part(arrays, matrix, missing), part([activity(matrix, 800, 9)], matrix)
    model = RidgeVAR(1, support=True).fit(train)
    assert (skills(model, test)[:, 0] > skills(AR(1).fit(train), test)[:, 0] + 0.03).all()


def test_values_of_nodes_that_were_not_recorded_mean_nothing():
    train, test = small(missing={0: ["n02"]})
    rec = study.sessions(train)["worm0"]
    unknown = rec.reindex(node=NAMES)
    data = xr.DataTree.from_dict({"/worm0": unknown, "/worm1": study.sessions(train)["worm1"]})
    data.attrs.update(train.attrs)
    a, b = RidgeVAR(2).fit(train), RidgeVAR(2).fit(data)
    np.testing.assert_allclose(a.predict(test).forecast, b.predict(test).forecast, atol=1e-6)


def test_scattered_missing_values_change_little():
    matrix = sparse_matrix()
    x = activity(matrix, 2000, 0)
    holes = np.where(np.random.default_rng(1).random(x.shape) < 0.03, np.nan, x)
    test = part([activity(matrix, 500, 5)])
    whole, holey = (skills(RidgeVAR(1).fit(part([v])), test).mean(axis=0) for v in (x, holes))
    np.testing.assert_allclose(whole, holey, atol=0.02)


def test_the_penalty_is_chosen_on_the_validation_part_where_there_is_one():
    matrix = sparse_matrix()
    train, held = part([activity(matrix, 60, 0)]), part([activity(matrix, 400, 1)])
    chosen = RidgeVAR(2).fit(train, held).results_
    best = chosen.validation_error.idxmin("candidate")
    np.testing.assert_allclose(chosen.penalty, best)
    fixed = RidgeVAR(2, penalty=3.0).fit(train, held).results_
    assert (fixed.penalty == 3).all()


@pytest.mark.parametrize("model", [AR(2), RidgeVAR(2)], ids=repr)
@pytest.mark.parametrize("n_time", [7, 9, 20])
def test_recordings_too_short_to_leave_a_block_out_are_fitted_all_the_same(model, n_time):
    data = part([activity(sparse_matrix(), n_time, 0)], context=4, horizons=(1, 3))
    assert np.isfinite(model.fit(data).predict(data).forecast).all()


def test_more_nodes_than_memory_holds_are_refused_before_they_are_tried():
    with pytest.raises(InputError, match=r"needs about .* GB, more than 32; take fewer nodes"):
        _check_size(215_163, 2_295_072)


def test_intervals_hold_what_they_promise():
    matrix = sparse_matrix()
    train, test = part([activity(matrix, 2000, 0)]), part([activity(matrix, 2000, 1)])
    for model in MODELS[:4]:
        said = model.fit(train).predict(test, interval=0.8)
        series = stacked(test)
        truth = targets(series, origins(series))
        inside = ((truth >= said.lower) & (truth <= said.upper)).mean(dim=("window", "node"))
        np.testing.assert_allclose(inside, 0.8, atol=0.03)


def test_predictors_and_lags_say_the_same():
    train, _ = small()
    series = stacked(train)
    by, origin, nodes = standard(series), origins(series), np.arange(N)
    x = lagged(series, origin, 3, by, nodes)
    coefficient = np.random.default_rng(0).normal(size=(3, N))
    a = np.einsum("wln,ln->wn", features(x, by.step), coefficient)
    b = np.einsum("wln,ln->wn", x, of_lags(coefficient, by.step))
    np.testing.assert_allclose(a, b, atol=1e-9)


def test_a_hole_is_filled_from_inside_the_context_only():
    x = activity(sparse_matrix(), 30, 0)
    x[4:12, 0] = np.nan
    data = part([x], context=3)
    series = stacked(data)
    by = standard(series)
    got = lagged(series, np.array([5, 6, 9]), 2, by, np.array([0]))[:, 0, 0]
    assert got[0] == pytest.approx((x[3, 0] - by.mean[0]) / by.sd[0], rel=1e-5)
    assert got[1] == 0
    assert got[2] == 0


def test_another_connectome_takes_the_place_of_the_support():
    other = wired(sparse_matrix(3))
    assert RidgeVAR(support=True).with_wiring(other).support is other
    assert RidgeVAR(support=True).uses_wiring
    assert not RidgeVAR().uses_wiring
    with pytest.raises(InputError, match="does not use the connectome"):
        RidgeVAR().with_wiring(other)
    with pytest.raises(InputError, match="does not use the connectome"):
        AR().with_wiring(other)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (AR(9), r"n_lags must be between 1 and the context of the task \(3 bins\), got 9"),
        (RidgeVAR(0), "n_lags must be between 1"),
        (RidgeVAR(penalty=-1), 'penalty must be "auto" or a number above 0'),
        (RidgeVAR(penalty="best"), 'penalty must be "auto"'),
        (RidgeVAR(support=True), "part has none: make the task with .* give support=connectome"),
        (RidgeVAR(support="worm"), "support must be None, True or a connectome"),
    ],
    ids=repr,
)
def test_what_cannot_be_fitted_is_told(model, message):
    with pytest.raises(InputError, match=message):
        model.fit(part([activity(sparse_matrix(), 40, 0)]))
