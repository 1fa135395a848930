"""Evidence for categorical observations: a reference regression, recovery, and what they cannot be combined with."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import LogisticRegression

from dynome.dynamics import GLM, ExponentialHistory, LagHistory, NoHistory, SwitchingGLM
from dynome.dynamics.switching.categories import drawn_categories, indicators
from dynome.errors import InputError


def choices(n_time=2500, seed=0):
    """Three choices that follow a stimulus one way in one state and the other way in the other."""
    rng = np.random.default_rng(seed)
    state, stimulus = np.repeat([0, 1], 125).tolist() * (n_time // 250), rng.standard_normal(n_time)
    slope = np.where(np.array(state)[:, None] == 0, [-1.5, 1.5, 0.0], [1.5, -1.5, 0.0])
    code = (slope * stimulus[:, None] + rng.gumbel(size=(n_time, 3))).argmax(axis=1)
    data = xr.Dataset(
        {"activity": (("time", "node"), code[:, None]), "stimulus": ("time", stimulus)}, {"node": ["choice"]}
    )
    return data, np.array(state)


def test_one_state_is_a_multinomial_regression():
    data, _ = choices(500)
    model = GLM(observation="categorical", history=NoHistory(), covariates=["stimulus"], tol=1e-12, random_state=0)
    found = model.fit(data).results_.covariate_weight.to_numpy()[:, 0]
    reference = LogisticRegression(C=1e8, tol=1e-10, max_iter=1000)
    reference.fit(data.stimulus.to_numpy()[:, None], data.activity.to_numpy()[:, 0])
    np.testing.assert_allclose(found, reference.coef_[:, 0] - reference.coef_.mean(), atol=1e-4)


def test_states_of_choices_are_found_and_predicted():
    data, state = choices()
    model = SwitchingGLM(
        2, observation="categorical", history=NoHistory(), covariates=["stimulus"], n_restarts=3, random_state=0
    ).fit(data)
    share = float(np.mean(model.decode(data) == state))
    assert max(share, 1 - share) > 0.95
    ahead = model.predict(data)
    assert ahead.node.to_numpy().tolist() == ["choice=0", "choice=1", "choice=2"]
    np.testing.assert_allclose(ahead.sum("node"), 1)
    chosen = np.take_along_axis(ahead.to_numpy(), data.activity.to_numpy().astype(int), axis=1)
    assert model.score(data) == pytest.approx(float(np.log(chosen).mean()), rel=1e-9)


def test_the_objective_never_falls_with_history_and_ridge():
    data, _ = choices(500)
    model = SwitchingGLM(
        2, observation="categorical", prior="ridge", history=ExponentialHistory(3), n_restarts=1, random_state=0
    ).fit(data)
    assert np.diff(model.results_.history).min() > -1e-9
    assert dict(model.results_.coupling.sizes) == {"state": 2, "target": 3, "source": 2}


def test_a_choice_that_repeats_itself_is_simulated_so():
    rng = np.random.default_rng(0)
    code = np.zeros(3000)
    for t in range(1, 3000):
        code[t] = code[t - 1] if rng.random() < 0.8 else rng.integers(3)
    data = xr.DataArray(code[:, None], dims=("time", "node"), coords={"node": ["choice"]})
    model = GLM(observation="categorical", prior="ridge", history=LagHistory(1), random_state=0).fit(data)
    drawn = model.simulate(3000, random_state=1).spike_count[0, :, 0].to_numpy()
    assert np.mean(drawn[1:] == drawn[:-1]) == pytest.approx(np.mean(code[1:] == code[:-1]), abs=0.04)


def test_missing_choices_count_for_nothing():
    data, _ = choices(500)
    holey = data.copy(deep=True)
    holey["activity"] = holey["activity"].astype(float)
    holey["activity"][100:200] = np.nan
    options = {"observation": "categorical", "history": NoHistory(), "covariates": ["stimulus"], "random_state": 0}
    kept = data.isel(time=np.r_[0:100, 200:500])
    one, other = GLM(**options).fit(holey).results_, GLM(**options).fit(kept).results_
    np.testing.assert_allclose(one.covariate_weight, other.covariate_weight, atol=1e-6)


def test_indicators_leave_out_the_first_category():
    codes = np.array([[0.0, 2.0], [1.0, np.nan]])
    expected = [[0, 0, 1], [1, np.nan, np.nan]]
    np.testing.assert_array_equal(indicators(codes, np.array([2, 3])), expected)


def test_drawn_categories_have_softmax_frequencies():
    eta = np.tile(np.log([0.2, 0.5, 0.3]), (20_000, 1))
    drawn = drawn_categories(eta, np.array([3]), np.random.default_rng(0))[:, 0]
    np.testing.assert_allclose(np.bincount(drawn.astype(int)) / 20_000, [0.2, 0.5, 0.3], atol=0.015)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([0.5, 1.0], "classes must be whole numbers"),
        ([-1.0, 1.0], "must not be negative"),
        ([0.0, 80.0], "codes of 50"),
    ],
)
def test_codes_that_are_no_categories_are_refused(values, match):
    x = xr.DataArray(np.tile(values, 20)[:, None], dims=("time", "node"))
    with pytest.raises(InputError, match=match):
        GLM(observation="categorical", history=NoHistory(), random_state=0).fit(x)
