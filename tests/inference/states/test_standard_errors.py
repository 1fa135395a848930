"""Evidence for standard_errors and edge_table: calibration against the truth, special cases, the errors."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import kstest, norm

from dynome.datasets import make_switching_glm
from dynome.dynamics import GLM, NoHistory, RaisedCosineHistory, SwitchingGLM
from dynome.errors import InputError, NotFittedError
from dynome.inference import coupling_error, edge_table, matched_states, standard_errors
from dynome.inference.states import uncertainty


@pytest.fixture(scope="module")
def studies():
    """Two simulated studies: z-scores of both methods, and which edges are absent."""
    found = {"wald": [], "louis": [], "absent": []}
    for seed in range(2):
        truth = make_switching_glm(
            n_states=2, n_nodes=12, n_sessions=4, n_time=1500, state_bias=0.8, stay=0.95, random_state=seed
        )
        x = truth.spike_count
        model = SwitchingGLM(2, link="sigmoid", n_restarts=2, tol=1e-8, random_state=0).fit(x)
        results = matched_states(model.results_, truth)
        for method in ("wald", "louis"):
            errors = standard_errors(model, x, method=method).assign(coupling=model.results_.coupling)
            error = matched_states(errors, truth).standard_error
            found[method].append(((results.coupling - truth.coupling) / error).to_numpy().ravel())
        found["absent"].append(truth.coupling.to_numpy().ravel() == 0)
    return {k: np.concatenate(v) for k, v in found.items()}


def test_louis_errors_are_as_large_as_the_estimates_are_off(studies):
    assert 0.92 < studies["louis"].std() < 1.12
    assert abs(studies["louis"].mean()) < 0.15


def test_wald_errors_are_too_small_where_states_are_hard_to_tell(studies):
    assert studies["wald"].std() > 1.04 * studies["louis"].std()


def test_p_values_of_absent_edges_are_uniform(studies):
    p = 2 * norm.sf(np.abs(studies["louis"][studies["absent"]]))
    assert kstest(p, "uniform").pvalue > 0.01
    assert 0.02 < (p < 0.05).mean() < 0.09


def test_wald_errors_are_those_of_the_fit(switching, population):
    wald = standard_errors(switching, population.spike_count, method="wald")
    np.testing.assert_allclose(wald.standard_error, switching.results_.standard_error, rtol=1e-5)
    np.testing.assert_allclose(wald.bias_standard_error, switching.results_.bias_standard_error, rtol=1e-5)


def test_hidden_states_only_take_information_away(switching, population):
    louis = standard_errors(switching, population.spike_count)
    wald = standard_errors(switching, population.spike_count, method="wald")
    assert bool((louis.standard_error >= wald.standard_error * (1 - 1e-9)).all())
    assert 0.01 < float(louis.missing_information.mean()) < 0.5
    np.testing.assert_allclose(
        1 - louis.missing_information, (wald.standard_error / louis.standard_error) ** 2, rtol=1e-6
    )


def test_without_states_both_methods_agree(glm, population):
    louis, wald = (standard_errors(glm, population.spike_count, method=m) for m in ("louis", "wald"))
    xr.testing.assert_equal(louis, wald)
    assert louis.standard_error.dims == ("target", "source")


def test_a_prior_makes_errors_smaller(switching, population):
    model = SwitchingGLM(2, link="sigmoid", prior="gaussian", n_restarts=2, random_state=0).fit(population.spike_count)
    shrunk, free = (standard_errors(m, population.spike_count).standard_error.mean() for m in (model, switching))
    assert float(shrunk) < 0.9 * float(free)


def test_kernels_and_missing_self_history_are_labelled(population):
    x = population.spike_count.isel(session=slice(3), node=slice(4))
    model = SwitchingGLM(
        2, link="sigmoid", history=RaisedCosineHistory(8, 2), self_history=False, bias="shared", n_restarts=1,
        random_state=0,
    ).fit(x)  # fmt: skip
    found = standard_errors(model, x)
    assert dict(found.basis_standard_error.sizes) == {"state": 2, "target": 4, "source": 4, "basis": 2}
    own = found.standard_error.to_numpy()[:, np.arange(4), np.arange(4)]
    assert np.isnan(own).all()
    assert np.isfinite(found.standard_error).sum() == 2 * 12
    np.testing.assert_allclose(*found.bias_standard_error.to_numpy())
    assert len(edge_table(model.results_, errors=found)) == 24


def test_dwell_phases_are_allowed_for(population):
    x = population.spike_count.isel(session=slice(3))
    model = SwitchingGLM(2, link="sigmoid", dwell_phases=2, n_restarts=1, random_state=0).fit(x)
    louis, wald = (standard_errors(model, x, method=m).standard_error for m in ("louis", "wald"))
    assert bool((louis >= wald * (1 - 1e-9)).all())
    assert bool((louis > 1.02 * wald).any())


def test_what_cannot_be_done_is_told(switching, hmm, population, monkeypatch):
    with pytest.raises(InputError, match="method must be one of louis, wald, got 'bootstrap'"):
        standard_errors(switching, population.spike_count, method="bootstrap")
    with pytest.raises(NotFittedError, match="not fitted"):
        standard_errors(SwitchingGLM(2), population.spike_count)
    with pytest.raises(InputError, match="expected a fitted SwitchingGLM or GLM, got HMM"):
        standard_errors(hmm, population.spike_count)
    monkeypatch.setattr(uncertainty, "_MOST_COEFFICIENTS", 10)
    with pytest.raises(InputError, match=r"22 coefficients over all states, more than 10.*take method='wald'"):
        standard_errors(switching, population.spike_count)


def test_the_table_has_every_edge_with_its_interval(switching):
    table = edge_table(switching.results_, alpha=0.1)
    assert len(table) == 2 * 10 * 10
    row = table.iloc[37]
    one = switching.results_.sel(state=row.state, source=row.source, target=row.target)
    assert row.estimate == float(one.coupling)
    assert row.high - row.low == pytest.approx(2 * 1.6448536 * float(one.standard_error))
    assert (table.q_value >= table.p_value).all()


def test_strong_edges_of_the_truth_are_found(switching, population):
    table = edge_table(matched_states(switching.results_, population))
    truth = population.coupling.to_series()
    strength = truth.loc[list(zip(table.state, table.target, table.source, strict=True))].to_numpy()
    called = (table.q_value < 0.05).to_numpy()
    assert called[np.abs(strength) > 0.8].mean() > 0.7
    assert (strength[called] == 0).mean() < 0.15


def test_tables_without_errors_are_refused(switching, population):
    with pytest.raises(InputError, match="no standard errors; give errors="):
        edge_table(switching.results_.drop_vars("standard_error"))
    with pytest.raises(InputError, match=r"alpha must be between 0 and 1, got 5\n.*variable coupling"):
        edge_table(xr.Dataset(), alpha=5)
    x = population.spike_count.isel(node=slice(4))
    other = standard_errors(GLM(link="sigmoid").fit(x), x)
    with pytest.raises(InputError, match="same states and nodes in the same order"):
        edge_table(switching.results_, errors=other)


def test_coupling_errors_match_states_once_and_call_signs(switching, population):
    found = coupling_error(switching.results_, population)
    assert float(found.mean_squared_error) < 0.05
    assert float(found.correlation) > 0.93
    assert float(found.sign_balanced_accuracy) > 0.8
    swapped = coupling_error(switching.results_.isel(state=[1, 0]), population)
    assert float(swapped.mean_squared_error) == pytest.approx(float(found.mean_squared_error))
    assert swapped.match.to_numpy().tolist() == found.match.to_numpy()[::-1].tolist()


def test_coupling_errors_have_closed_forms():
    ends = {"target": ["a", "b"], "source": ["a", "b"]}
    truth = xr.DataArray([[0.0, 1.0], [-1.0, 0.0]], coords=ends, dims=("target", "source"))
    estimate = (truth + 0.5).isel(target=[1, 0])
    sign = xr.DataArray([[0, 1], [1, 0]], coords=ends, dims=("target", "source"))
    found = coupling_error(estimate, truth, sign=sign)
    assert float(found.mean_squared_error) == 0.25
    assert float(found.mean_absolute_error) == 0.5
    assert float(found.correlation) == pytest.approx(1)
    assert float(found.sign_accuracy) == 0.75
    assert float(found.sign_balanced_accuracy) == pytest.approx(2 / 3)  # the inhibitory edge was called excitatory


def test_couplings_that_cannot_be_compared_are_refused(switching, population):
    with pytest.raises(InputError, match="expected equal numbers of states, found 1 and 2 in the truth"):
        coupling_error(switching.results_.isel(state=[0]), population)
    with pytest.raises(InputError, match="target labels must agree"):
        coupling_error(switching.results_.isel(target=slice(5)), population)
    with pytest.raises(InputError, match="results must have couplings"):
        coupling_error(xr.Dataset(), population)


def test_a_fitted_model_stands_for_its_results(switching, population):
    assert edge_table(switching).equals(edge_table(switching.results_))
    xr.testing.assert_identical(coupling_error(switching, population), coupling_error(switching.results_, population))
    for use in (edge_table, lambda m: coupling_error(m, population), lambda m: matched_states(m, population)):
        with pytest.raises(NotFittedError, match="not fitted"):
            use(SwitchingGLM(2))


@pytest.mark.parametrize("method", ["louis", "wald"])
def test_weights_of_stimuli_have_errors_without_couplings(population, method):
    rng = np.random.default_rng(0)
    x = population[["spike_count"]].isel(session=slice(3), node=slice(3))
    x = x.assign(contrast=(("session", "time"), rng.standard_normal((3, 600))))
    model = SwitchingGLM(
        2, link="sigmoid", history=NoHistory(), covariates=("contrast",), n_restarts=1, random_state=0
    ).fit(x)  # fmt: skip
    found = standard_errors(model, x, method=method)
    assert dict(found.covariate_standard_error.sizes) == {"state": 2, "node": 3, "covariate": 1}
    # The stimulus does nothing: the weights are as far from 0 as their errors say.
    z = (model.results_.covariate_weight / found.covariate_standard_error).to_numpy()
    assert np.isfinite(z).all()
    assert (np.abs(z) < 4).all()
    assert 0.01 < float(found.covariate_standard_error.min()) < float(found.covariate_standard_error.max()) < 1
    assert found.sizes["basis"] == 0
    assert bool(found.standard_error.isnull().all())
    assert len(edge_table(model, errors=found)) == 0


def test_couplings_of_categories_have_no_errors(population):
    x = population.spike_count.isel(session=slice(2), node=slice(2)).clip(max=1)
    model = SwitchingGLM(2, observation="categorical", n_restarts=1, max_iter=3, tol=1, random_state=0).fit(x)
    with pytest.raises(InputError, match="categorical observations have no standard errors; compare"):
        edge_table(model)
