"""Evidence for likelihood_scores, time_rescaling and predictive_check: right models pass, wrong ones do not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import kstest

from dynome.datasets import make_switching_glm
from dynome.dynamics import GLM, HMM, NoHistory
from dynome.errors import InputError
from dynome.inference import likelihood_scores, predictive_check, time_rescaling
from dynome.inference.states.rescaling import intervals


@pytest.fixture(scope="module")
def unseen(population) -> xr.DataArray:
    """More sessions of the population, which no model was fitted to."""
    more = make_switching_glm(
        n_states=2, n_nodes=10, n_sessions=16, n_time=600, state_bias=0.8, stay=0.97, random_state=0
    )
    assert bool((more.spike_count.isel(session=0) == population.spike_count.isel(session=0)).all())
    return more.spike_count.isel(session=slice(8, None))


def test_scores_stand_in_their_order(switching, glm, population, unseen):
    two, one = (likelihood_scores(m, unseen, train=population.spike_count) for m in (switching, glm))
    assert float(two.null) == float(one.null) < float(one.marginal) < float(two.marginal) < float(two.conditional)
    assert float(one.conditional) == pytest.approx(float(one.marginal))
    assert float(two.marginal) == pytest.approx(switching.score(unseen))
    np.testing.assert_allclose(two.one_step_ahead.sum() / unseen.size, two.marginal)
    gain = (two.marginal - two.null) * unseen.size / unseen.sum() / np.log(2)
    assert float(two.bits_per_spike) == pytest.approx(float(gain))


def test_the_null_is_a_constant_rate(population, unseen):
    found = likelihood_scores(GLM(history=NoHistory(), link="sigmoid").fit(unseen), unseen)
    assert float(found.bits_per_spike) == pytest.approx(0, abs=1e-6)
    rate = unseen.mean(("session", "time"))
    closed = unseen * np.log(rate) - rate
    from scipy.special import gammaln

    assert float(found.null) == pytest.approx(float((closed - gammaln(unseen + 1)).mean()), abs=1e-6)


def test_an_hmm_has_no_conditional_score_and_values_no_bits_per_spike(hmm, unseen):
    assert np.isnan(float(likelihood_scores(hmm, unseen).conditional))
    x = xr.DataArray(np.random.default_rng(0).standard_normal((300, 2)), dims=("time", "node"))
    assert "bits_per_spike" not in likelihood_scores(GLM(observation="gaussian").fit(x), x)
    with pytest.raises(InputError, match="expected a model with score and log_likelihood, got a str"):
        likelihood_scores("model", x)


def test_rescaled_intervals_of_a_bernoulli_process_are_exponential():
    rng = np.random.default_rng(0)
    probability = 0.5 * (1 + np.sin(np.arange(60_000) / 50)) * 0.6 + 0.02
    found = intervals(-np.log1p(-probability), rng.random(60_000) < probability, rng)
    assert kstest(found, "expon").pvalue > 0.01
    assert found.mean() == pytest.approx(1, abs=0.02)


def test_without_the_part_within_the_bin_they_would_not_be():
    rng = np.random.default_rng(1)
    hazard = np.full(20_000, 0.7)
    event = rng.random(20_000) < -np.expm1(-0.7)
    whole = np.diff(np.cumsum(hazard)[event])
    assert kstest(whole, "expon").pvalue < 1e-10
    assert kstest(intervals(hazard, event, rng), "expon").pvalue > 0.01


def test_the_right_model_passes_and_the_wrong_ones_do_not(switching, glm, hmm, unseen):
    right, one_state, no_history = (time_rescaling(m, unseen) for m in (switching, glm, hmm))
    assert float(right.q_value.min()) > 0.01
    assert int((one_state.p_value < 0.05).sum()) > int((right.p_value < 0.05).sum())
    assert float(no_history.ks_statistic.mean()) > float(right.ks_statistic.mean())
    diagonal = np.abs(right["quantile"] - right["probability"]).max("probability")
    assert bool((diagonal < 1.5 * right.ks_bound).all())
    assert bool((np.abs(right.serial_correlation) < 4 / np.sqrt(right.n_intervals)).all())


def test_rates_that_are_wrong_by_a_quarter_are_seen(glm, unseen):
    wrong = GLM(link="sigmoid")
    wrong.results_ = glm.results_.assign(bias=glm.results_.bias + 0.5)
    found = time_rescaling(wrong, unseen)
    assert float(found.p_value.max()) < 0.01
    assert bool((found.ks_statistic > found.ks_bound).all())


def test_short_trials_do_not_lose_long_intervals(hmm):
    rng = np.random.default_rng(2)
    x = xr.DataArray(rng.poisson(0.05, (400, 12, 2)), dims=("trial", "time", "node"))
    found = time_rescaling(HMM(1).fit(x), x)
    assert float(found.p_value.min()) > 0.01  # most trials hold no spike at all


def test_silent_nodes_have_no_test_and_values_no_spikes(hmm):
    x = xr.DataArray(np.random.default_rng(3).poisson([0.5, 0.0], (200, 2)), dims=("time", "node"))
    found = time_rescaling(HMM(1).fit(x), x)
    assert np.isnan(found.p_value.to_numpy()[1])
    assert found.n_intervals.to_numpy()[1] == 0
    values = xr.DataArray(np.random.default_rng(3).standard_normal((200, 2)), dims=("time", "node"))
    with pytest.raises(InputError, match="counts only, the model's observations are gaussian"):
        time_rescaling(HMM(1, observation="gaussian").fit(values), values)


def test_the_model_that_made_the_data_makes_data_like_them(switching, population):
    found = predictive_check(switching, population.spike_count, n_draws=19, random_state=0)
    for name in ("mean", "variance", "persistence", "occupancy", "dwell_time", "dwell_variation"):
        assert float((found[f"{name}_p_value"] <= 0.1).mean()) < 0.4, name
    # 90 pairs, of which a tenth should be as extreme as the most extreme of 19 draws.
    assert float((found.correlation_p_value <= 0.1).sum() / 90) < 0.25
    assert found.correlation_simulated.dims == ("draw", "target", "source")


def test_one_state_cannot_make_the_correlations_that_states_make():
    rng = np.random.default_rng(0)
    state = np.cumsum(rng.random(3000) < 0.03) % 2
    x = xr.DataArray(rng.poisson(np.array([0.2, 2.0])[state][:, None] * np.ones(4)), dims=("time", "node"))
    wrong = predictive_check(HMM(1).fit(x), x, n_draws=19, random_state=0)
    right = predictive_check(HMM(2, n_restarts=2, random_state=0).fit(x), x, n_draws=19, random_state=0)
    off = ~np.eye(4, dtype=bool)
    assert (wrong.correlation_p_value.to_numpy()[off] == 0.1).all()
    assert (right.correlation_p_value.to_numpy()[off] > 0.1).all()
    assert float(wrong["persistence"].min()) > float(wrong.persistence_simulated.max())


def test_dwell_times_that_are_not_geometric_are_seen():
    rng = np.random.default_rng(0)
    state = np.repeat(np.arange(60) % 2, 40)  # every visit lasts 40 bins
    x = xr.DataArray(rng.poisson(np.array([0.3, 3.0])[state][:, None] * np.ones(4)), dims=("time", "node"))
    found = predictive_check(HMM(2, n_restarts=2, random_state=0).fit(x), x, n_draws=19, random_state=0)
    assert float(found.dwell_variation.max()) < 0.3 < float(found.dwell_variation_simulated.min())
    np.testing.assert_allclose(found.dwell_variation_p_value, 0.1)
    np.testing.assert_allclose(found.dwell_time, 40, rtol=0.1)


def test_simulations_have_the_gaps_and_lengths_of_the_data(glm, population):
    x = population.spike_count.astype(float)
    x[0, 500:] = np.nan
    x[1, 100:120, 3] = np.nan
    found = predictive_check(glm, x, n_draws=2, random_state=0)
    assert bool(found.mean_simulated.notnull().all())
    again = predictive_check(glm, x, n_draws=2, random_state=0)
    xr.testing.assert_equal(found, again)


def test_checks_that_would_mislead_are_refused(population):
    x = (
        population[["spike_count"]]
        .isel(node=slice(3))
        .assign(speed=(("session", "time"), np.random.default_rng(0).random((8, 600))))
    )
    model = GLM(link="sigmoid", covariates=("speed",)).fit(x)
    with pytest.raises(InputError, match=r"the model has covariates; compare simulate.*\n.*n_draws must be"):
        predictive_check(model, x, n_draws=0)
    with pytest.raises(InputError, match="expected a fitted model with simulate, got a GLM"):
        predictive_check(GLM(), x)
