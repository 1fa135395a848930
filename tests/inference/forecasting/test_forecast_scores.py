"""Scores are what they are called, intervals are paired, and the wiring is worth something only where it is."""

import numpy as np
import pytest
import xarray as xr
from forecasting_studies import NAMES, animals, recording, wiring
from scipy.stats import pearsonr

from dynome import connectome, schema, study
from dynome.dynamics import AR, MeanForecast, Persistence, RidgeVAR
from dynome.dynamics.forecasting.series import stacked
from dynome.dynamics.forecasting.windows import contexts, last_observed, origins, targets
from dynome.errors import InputError, NotFittedError
from dynome.inference import compare_forecasts, forecast_scores, forecasting_task
from dynome.inference.forecasting.resampling import plan_of

SMALL = {"context": 4, "horizons": (1, 3)}


@pytest.fixture(scope="module")
def task():
    return forecasting_task(animals(3), wiring(), **SMALL)


@pytest.fixture(scope="module")
def wired():
    """Activity that the wiring makes, in four animals."""
    rng = np.random.default_rng(0)
    names = [f"n{k:02d}" for k in range(10)]
    truth = wiring(names, seed=1, density=0.15)
    matrix = 0.5 * np.eye(10)
    at = {name: k for k, name in enumerate(names)}
    for source, target in zip(truth["source"].to_numpy(), truth["target"].to_numpy(), strict=True):
        matrix[at[source], at[target]] = 0.45
    matrix /= max(1.0, np.abs(np.linalg.eigvals(matrix)).max() / 0.9)
    parts = {}
    for animal in range(4):
        x = np.zeros((250, 10))
        for t in range(1, 250):
            x[t] = x[t - 1] @ matrix + rng.normal(size=10)
        parts[f"worm{animal}"] = schema.recording(x, time=np.arange(250.0), node=names, units="1")
    return forecasting_task(study.build(parts), truth, context=2, horizons=(1, 2))


def by_hand(model, part, node, k=1):
    """Forecast, target and persistence of one node of the only session, as plain arrays."""
    series = stacked(part, model.results_["node"].to_numpy())
    origin = origins(series)
    at = series.nodes.tolist().index(node)
    last = last_observed(contexts(series, origin))[:, at]
    return model._forecast(series, origin).mean[:, k, at], targets(series, origin)[:, k, at], last


def test_scores_of_a_node_are_those_of_their_definitions():
    task = forecasting_task(animals(1), **SMALL)
    model = AR(2).fit(task.train)
    scores = forecast_scores(model, task.test, n_bootstrap=10, random_state=0)
    said, truth, last = by_hand(model, task.test, "n03")
    found = scores.node_score.sel(node="n03", horizon=3, session="worm0")
    assert found.sel(metric="mae").item() == pytest.approx(np.abs(said - truth).mean(), rel=1e-5)
    assert found.sel(metric="mse").item() == pytest.approx(((said - truth) ** 2).mean(), rel=1e-5)
    expected = 1 - ((said - truth) ** 2).mean() / ((last - truth) ** 2).mean()
    assert found.sel(metric="skill").item() == pytest.approx(expected, rel=1e-5)
    assert found.sel(metric="correlation").item() == pytest.approx(pearsonr(said, truth)[0], rel=1e-4)


def test_scores_are_averaged_over_nodes_then_animals(task):
    scores = forecast_scores(AR(2).fit(task.train), task.test, n_bootstrap=0)
    for metric in ("mae", "mse", "correlation"):
        each = scores.node_score.sel(metric=metric)
        nodes = each.mean("node")
        np.testing.assert_allclose(scores.animal_score.sel(metric=metric), nodes, rtol=1e-10)
        np.testing.assert_allclose(scores.score.sel(metric=metric), nodes.mean("session"), rtol=1e-10)
    assert scores.low.isnull().all()


def test_sessions_count_within_their_animal():
    parts = {"a/1": recording(0), "a/2": recording(1), "b": recording(2)}
    task = forecasting_task(study.build(parts), **SMALL)
    scores = forecast_scores(AR(2).fit(task.train), task.test, n_bootstrap=5, random_state=0)
    mse = scores.node_score.sel(metric="mse").mean("node")
    animal = [mse.sel(session=["a/1", "a/2"]).mean("session"), mse.sel(session="b")]
    np.testing.assert_allclose(scores.animal_score.sel(metric="mse", animal=["a", "b"]), animal)
    np.testing.assert_allclose(scores.score.sel(metric="mse"), np.mean(animal, axis=0))
    assert scores.attrs["resampled"] == "animals"


def test_the_score_of_a_model_is_that_of_its_scores(task):
    model = AR(2).fit(task.train)
    scores = forecast_scores(model, task.test, n_bootstrap=0)
    assert scores.mean_score.sel(metric="skill").item() == pytest.approx(model.score(task.test), rel=1e-10)


def test_persistence_has_skill_zero_and_an_interval_of_no_width(task):
    scores = forecast_scores(Persistence().fit(task.train), task.test, random_state=0)
    for name in ("score", "low", "high", "mean_score"):
        assert (scores[name].sel(metric="skill") == 0).all()


def test_a_constant_forecast_has_no_correlation(task):
    scores = forecast_scores(MeanForecast().fit(task.train), task.test, n_bootstrap=0)
    assert "correlation" not in scores.metric


def test_intervals_hold_the_score_and_are_the_same_for_a_seed(task):
    model = AR(2).fit(task.train)
    a, b = (forecast_scores(model, task.test, n_bootstrap=200, random_state=1) for _ in range(2))
    assert a.identical(b)
    assert (a.low <= a.score).all()
    assert (a.score <= a.high).all()


def test_one_animal_is_divided_into_blocks_of_time_and_the_result_says_so():
    task = forecasting_task(animals(1, n_time=600), **SMALL)
    model = AR(2).fit(task.train)
    scores = forecast_scores(model, task.test, n_bootstrap=200, random_state=0)
    assert scores.attrs["resampled"] == "blocks of time"
    assert scores.attrs["n_resampled"] == 20
    assert scores.mean_score.sel(metric="skill").item() == pytest.approx(model.score(task.test), rel=1e-10)
    mse = scores.sel(metric="mse")
    assert (mse.low < mse.score).all()
    assert (mse.score < mse.high).all()


def test_blocks_hold_every_window_once():
    series = stacked(forecasting_task(animals(1), **SMALL).test)
    plan = plan_of(series, 3, 0)
    origin = origins(series)
    owner = plan.series.session[origin]
    assert (np.diff(owner) >= 0).all()
    assert np.bincount(owner, minlength=len(plan.series.sessions)).min() >= max(series.horizons)
    assert set(plan.session.tolist()) == {0}
    assert (plan.weight.sum(axis=1) == plan.session.size).all()


def test_counts_have_a_deviance():
    rng = np.random.default_rng(0)
    spikes = rng.poisson(2.0, size=(400, 3)).astype(float)
    rec = schema.recording(spike_count=spikes, time=np.arange(400.0), node=["a", "b", "c"])
    task = forecasting_task(study.build({"m": rec}), **SMALL)
    model = MeanForecast().fit(task.train)
    scores = forecast_scores(model, task.test, n_bootstrap=20, random_state=0)
    y = model.predict(task.test)
    series = stacked(task.test)
    truth = np.rint(targets(series, origins(series)) * series.scale[0] + series.center[0])
    rate = y.forecast.to_numpy().astype(float)
    terms = 2 * (np.where(truth > 0, truth * np.log(np.where(truth > 0, truth, 1) / rate), 0) - (truth - rate))
    np.testing.assert_allclose(scores.score.sel(metric="deviance"), terms.mean(axis=(0, 2)), rtol=1e-4)
    quiet = forecast_scores(Persistence().fit(task.train), task.test, n_bootstrap=0)
    assert (quiet.score.sel(metric="deviance") > scores.score.sel(metric="deviance")).all()


def test_a_model_that_is_not_fitted_has_no_scores(task):
    with pytest.raises(NotFittedError):
        forecast_scores(AR(), task.test)
    with pytest.raises(InputError, match="expected a fitted forecaster"):
        forecast_scores("AR", task.test)
    with pytest.raises(InputError, match="n_bootstrap must be a whole number"):
        forecast_scores(AR().fit(task.train), task.test, n_bootstrap=-1)
    with pytest.raises(InputError, match=r"pass .train, .validation or .test"):
        forecast_scores(AR().fit(task.train), task)


# --- Comparisons -----------------------------------------------------------------------------------------------------


def test_a_comparison_scores_like_the_scores_of_each(task):
    table = compare_forecasts([Persistence(), ("own past", AR(2))], task, n_bootstrap=50, random_state=3)
    alone = forecast_scores(AR(2).fit(task.train, task.validation), task.test, n_bootstrap=50, random_state=3)
    found = table.scores.to_dataset().sel(model="own past")
    for name in ("score", "low", "high", "mean_score", "mean_low", "mean_high"):
        np.testing.assert_allclose(found[name], alone[name], rtol=1e-10)
    np.testing.assert_allclose(table.animals.score.sel(model="own past"), alone.animal_score, rtol=1e-10)
    assert (table.scores.score.sel(model="Persistence", metric="skill") == 0).all()
    assert set(table.children) == {"scores", "animals", "pairs"}


def test_differences_of_pairs_are_of_the_same_animals(task):
    table = compare_forecasts([AR(2), MeanForecast(), ("again", AR(2))], task, n_bootstrap=100, random_state=0)
    pairs = table.pairs.to_dataset()
    same = pairs.sel(model="AR", reference="again")
    for name in ("difference", "low", "high", "mean_low", "mean_high"):
        assert (same[name] == 0).all()
    better = pairs.sel(model="AR", reference="MeanForecast", horizon=1)
    skills = table.animals.score.sel(metric="skill", horizon=1)
    each = skills.sel(model="AR") - skills.sel(model="MeanForecast")
    assert better.difference.item() == pytest.approx(each.mean().item())
    assert each.min() - 1e-12 <= better.low <= better.difference <= better.high <= each.max() + 1e-12
    np.testing.assert_allclose(pairs.difference, -pairs.difference.transpose("reference", "model", "horizon"))


def test_smaller_errors_are_better(task):
    table = compare_forecasts([AR(2), MeanForecast()], task, metric="mse", n_bootstrap=0, random_state=0)
    mse = table.scores.score.sel(metric="mse")
    np.testing.assert_allclose(
        table.pairs.difference.sel(model="AR", reference="MeanForecast"),
        mse.sel(model="MeanForecast") - mse.sel(model="AR"),
    )
    assert (table.pairs.difference.sel(model="AR", reference="MeanForecast") > 0).all()


def test_the_wiring_that_made_the_activity_beats_other_wirings(wired):
    models = [("wired", RidgeVAR(1, support=True)), AR(1)]
    table = compare_forecasts(models, wired, nulls=12, null=["degree", "empty"], n_bootstrap=100, random_state=0)
    found = table.differences.to_dataset().sel(model="wired")
    assert found.mean_p_value.sel(null="degree") == pytest.approx(1 / 13)
    assert (found.mean_low > 0).all()
    assert np.isnan(found.mean_p_value.sel(null="empty"))
    null = table.nulls.mean_score.sel(model="wired")
    assert null.sel(null="degree").count() == 12
    assert null.sel(null="empty").count() == 1
    true = table.scores.mean_score.sel(model="wired", metric="skill")
    assert found.mean_difference.sel(null="degree").item() == pytest.approx(
        (true - null.sel(null="degree").mean()).item()
    )
    assert "AR" not in table.differences.model


def test_a_wiring_that_had_no_part_in_it_is_worth_no_more_than_another(task):
    table = compare_forecasts([RidgeVAR(1, support=True)], task, nulls=9, n_bootstrap=50, random_state=0)
    assert table.differences.mean_p_value.item() > 0.05


def test_nulls_are_of_the_connectome_that_the_model_uses(task):
    own = connectome.from_edges({"source": ["n00"], "target": ["n01"]}, node=NAMES)
    empty = connectome.from_edges({"source": [], "target": []}, node=NAMES)
    table = compare_forecasts(
        [("own", RidgeVAR(1, support=own)), ("none", RidgeVAR(1, support=empty))],
        task,
        nulls=1,
        null="empty",
        n_bootstrap=0,
        random_state=0,
    )
    np.testing.assert_allclose(table.nulls.score.sel(model="own"), table.nulls.score.sel(model="none"))
    assert (table.differences.difference.sel(model="none") == 0).all()


@pytest.mark.slow
def test_processes_change_no_number(wired):
    model = [RidgeVAR(1, support=True)]
    a, b = (compare_forecasts(model, wired, nulls=2, n_bootstrap=10, random_state=5, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(a.nulls.score, b.nulls.score)


def test_a_comparison_is_the_same_for_a_seed(wired):
    model = [RidgeVAR(1, support=True)]
    a, b = (compare_forecasts(model, wired, nulls=2, n_bootstrap=10, random_state=5) for _ in range(2))
    np.testing.assert_array_equal(a.nulls.score, b.nulls.score)
    np.testing.assert_array_equal(a.differences.low, b.differences.low)
    other = compare_forecasts(model, wired, nulls=2, n_bootstrap=10, random_state=6)
    assert not np.array_equal(a.nulls.score, other.nulls.score)


def test_models_are_not_changed_and_classes_that_repeat_are_told_apart(task):
    models = [AR(1), RidgeVAR(1), AR(2), RidgeVAR(1, support=True), Persistence()]
    table = compare_forecasts(models, task, n_bootstrap=0, random_state=0)
    names = ["AR 1", "RidgeVAR", "AR 2", "RidgeVAR (wired)", "Persistence"]
    assert table.scores.model.to_numpy().tolist() == names
    assert not any(hasattr(model, "results_") for model in models)


class Fragile(RidgeVAR):
    """Does not live on null connectomes."""

    def _fit(self, series, validation, wiring, seed):
        if isinstance(self.support, xr.Dataset):
            raise InputError("too fragile")
        return super()._fit(series, validation, wiring, seed)


def test_a_failing_null_fit_names_itself(task):
    with pytest.raises(InputError, match="too fragile") as caught:
        compare_forecasts([("glass", Fragile(1, support=True))], task, nulls=2, n_bootstrap=0, random_state=0)
    assert "the fit of glass on null connectome 0 of kind 'degree'" in caught.value.__notes__[0]


def test_a_failing_fit_names_its_model(task):
    with pytest.raises(InputError, match="n_lags") as caught:
        compare_forecasts([("long", AR(99))], task, n_bootstrap=0)
    assert "the fit of long" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("models", "change", "message"),
    [
        ([], {}, "expected at least one model"),
        (["AR"], {}, "models must be forecasters or pairs"),
        ([("a", AR()), ("a", AR())], {}, "names of models must be unique, found 'a' twice"),
        ([AR()], {"nulls": 3}, "none of these does; leave nulls at 0"),
        ([AR()], {"nulls": -1}, "nulls must be a whole number"),
        ([AR()], {"null": "luck"}, "null must be one of degree, "),
        ([AR()], {"metric": "coverage"}, "metric must be one of skill, correlation, mae"),
        ([AR()], {"metric": "deviance"}, "metric deviance is for spike_count"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_told(task, models, change, message):
    with pytest.raises(InputError, match=message):
        compare_forecasts(models, task, **change)


def test_a_task_without_a_connectome_or_no_task_is_told(task):
    bare = forecasting_task(animals(2), **SMALL)
    with pytest.raises(InputError, match="'RidgeVAR' use the connectome, but the task has none"):
        compare_forecasts([RidgeVAR(support=True)], bare)
    with pytest.raises(InputError, match="task must be what forecasting_task gives"):
        compare_forecasts([AR()], task.train)
