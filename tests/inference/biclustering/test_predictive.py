"""Evidence for predictive checks and held-out scores: closed forms, the model that made the data, and others."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import logsumexp
from scipy.stats import nbinom, poisson
from toy_chains import drawn, run

import dynome as dy
from dynome.dynamics.hmm.sequences import stacked
from dynome.errors import InputError
from dynome.inference.biclustering.null_rates import constant_log_likelihood
from dynome.inference.biclustering.predictive_checks import posterior_check
from dynome.inference.biclustering.results import results_tree
from dynome.inference.biclustering.statistics import statistics_of
from dynome.inference.biclustering.storage import MemoryRecorder

N_NODE, N_BIN = 6, 300


def truth(seed=0):
    """A point of the model with two clusters, slow latents and a bias for each node."""
    rng = np.random.default_rng(seed)
    made = drawn(rng, N_BIN)
    slow = np.cumsum(rng.normal(size=(N_BIN, 2, 3)), axis=0) * 0.1
    slow -= slow.mean(axis=0)
    return made._replace(
        latent=slow, coefficient=0.4 * made.coefficient, dispersion=np.full(N_NODE, 3.0), cluster=np.arange(6) % 2
    )


def predictor_of(point):
    paths = point.latent[:, point.cluster]
    return point.coefficient[:, 0] + paths[..., 0] + (paths[..., 1:] * point.coefficient[:, 1:]).sum(axis=-1)


def recording(point, seed=1):
    rng = np.random.default_rng(seed)
    mean = np.exp(predictor_of(point))
    counts = rng.poisson(rng.gamma(point.dispersion, mean / point.dispersion)).astype(float)
    coords = {"time": np.arange(N_BIN) * 0.1, "node": list("abcdef")}
    return xr.DataArray(counts, dims=("time", "node"), coords=coords, attrs={"units": "count"})


def hidden(data, share=0.2, seed=2):
    return data.where(np.random.default_rng(seed).random(data.shape) > share)


def fitted(points, seen, law="negative_binomial", n_chains=2):
    """Results whose draws are given points in turn."""

    def step(state, rng, sweep):
        return points[sweep % len(points)], {"log_likelihood": np.zeros(N_NODE)}

    options = {"n_tune": 0, "thin": 1, "latent_every": 1}
    runs = [run(MemoryRecorder(), 4, step=step, start=points[0], seed=k, **options) for k in range(n_chains)]
    return results_tree(runs, stacked(seen), law=law)


def test_held_out_scores_are_the_mean_probability_over_draws():
    points = [truth(0), truth(0)._replace(coefficient=truth(0).coefficient + 0.3)]
    data = recording(points[0])
    seen = hidden(data)
    found = dy.inference.heldout_scores(fitted(points, seen), data)
    each = []
    for point in points:
        mean = np.exp(predictor_of(point))
        each.append(nbinom.logpmf(data.to_numpy(), 3.0, 3.0 / (3.0 + mean)))
    expected = np.where(np.isnan(seen), logsumexp(each, axis=0) - np.log(2), np.nan)
    assert float(found.log_score) == pytest.approx(np.nanmean(expected), rel=1e-5)
    np.testing.assert_allclose(found.node_log_score, np.nanmean(expected, axis=0), rtol=1e-5)
    np.testing.assert_array_equal(found.n_heldout, np.isnan(seen).sum("time"))
    np.testing.assert_allclose(found.log_score_by_chain, float(found.log_score), rtol=1e-6)
    spikes = float(data.where(np.isnan(seen)).mean())
    gain = (float(found.log_score) - float(found.null)) / spikes / np.log(2)
    assert float(found.bits_per_spike) == pytest.approx(gain)


def test_the_model_that_made_the_data_foretells_them_best():
    point = truth()
    data = recording(point)
    seen = hidden(data)
    own = dy.inference.heldout_scores(fitted([point], seen), data)
    other = dy.inference.heldout_scores(fitted([truth(5)], seen), data)
    assert float(own.bits_per_spike) > 0.05
    assert float(own.log_score) > float(other.log_score)


def test_what_was_never_recorded_does_not_count():
    data = recording(truth())
    data[10:20, 0] = np.nan
    seen = hidden(data)
    found = dy.inference.heldout_scores(fitted([truth()], seen), data, n_draws=3)
    assert int(found.n_heldout.sum()) == int((np.isnan(seen) & ~np.isnan(data)).sum())
    assert found.attrs["n_draws"] == 3


def test_constant_rates_are_those_of_maximum_likelihood():
    rng = np.random.default_rng(0)
    y = rng.negative_binomial(2.0, 0.4, (2, 4000)).astype(float)
    y[0, ::7] = np.nan
    found = constant_log_likelihood(y, y, "negative_binomial")
    r = np.exp(np.linspace(np.log(1.5), np.log(2.6), 400))
    mean = np.nanmean(y, axis=1)
    for row, values, m in zip(found, y, mean, strict=True):
        best = max(np.nansum(nbinom.logpmf(values, k, k / (k + m))) for k in r)
        assert np.nansum(row) == pytest.approx(best, abs=1e-2)
    flat = constant_log_likelihood(y, y, "poisson")
    np.testing.assert_allclose(flat[1], poisson.logpmf(y[1], mean[1]))
    silent = constant_log_likelihood(np.zeros((1, 10)), np.ones((1, 10)), "poisson")
    assert np.isfinite(silent).all()


def test_constant_values_of_other_laws():
    y = np.array([[1.0, 2.0, 4.0]])
    expected = -0.5 * np.log(2 * np.pi * y.var()) - 0.5 * (y - y.mean()) ** 2 / y.var()
    np.testing.assert_allclose(constant_log_likelihood(y, y, "gaussian"), expected)
    fired = np.array([[0.0, 1.0, 1.0]])
    np.testing.assert_allclose(constant_log_likelihood(fired, fired, "bernoulli"), np.log([[1 / 3, 2 / 3, 2 / 3]]))


def test_data_of_the_model_pass_its_check_and_other_data_do_not():
    point = truth()
    data = recording(point)
    passed = posterior_check(fitted([point], data), data, n_draws=8, random_state=0)
    assert float((passed.mean_p_value > 0.3).mean()) >= 0.5
    assert passed.autocorrelation_simulated.dims == ("draw", "node", "lag")
    assert passed.population.sum() == pytest.approx(1)
    doubled = posterior_check(fitted([point], 3 * data), 3 * data, n_draws=8, random_state=0)
    assert (doubled.mean_p_value == pytest.approx(2 / 9)).all()  # as small as eight simulations allow
    again = posterior_check(fitted([point], data), data, n_draws=8, random_state=0)
    xr.testing.assert_identical(passed, again)


def test_predictive_check_takes_a_model_with_latents():
    class Model:
        results_ = fitted([truth()], recording(truth()))

    found = dy.inference.predictive_check(Model(), recording(truth()), n_draws=2, random_state=0)
    assert {"fano", "zero_fraction", "population"} <= set(found.data_vars)


def test_statistics_have_closed_forms():
    y = np.array([[0.0, 2.0], [2.0, 0.0], [0.0, 2.0], [2.0, np.nan]])
    found = statistics_of(y, np.array([0, 4]), "poisson", 1)
    np.testing.assert_allclose(found["mean"], [1.0, 4 / 3])
    np.testing.assert_allclose(found["fano"], [1.0, (8 / 9) / (4 / 3)])
    np.testing.assert_allclose(found["zero_fraction"], [0.5, 1 / 3])
    np.testing.assert_allclose(found["autocorrelation"][:, 0], -1.0)
    np.testing.assert_allclose(found["population"], [0.0, 0.0, 1.0])
    assert found["correlation"][0, 1] == pytest.approx(-1)
    apart = statistics_of(np.repeat(y[:2], 2, axis=0)[:, :1], np.array([0, 2, 4]), "poisson", 1)
    np.testing.assert_allclose(apart["autocorrelation"], 1.0)  # no pair reaches over the border


def test_what_does_not_fit_is_told():
    data = recording(truth())
    tree = fitted([truth()], hidden(data))
    with pytest.raises(InputError, match="no bin was held out: fit to the data with NaN"):
        dy.inference.heldout_scores(fitted([truth()], data), data)
    with pytest.raises(InputError, match=r"fitted to bins .*found .*pass the same recording"):
        dy.inference.heldout_scores(tree, data.isel(time=slice(200)))
    with pytest.raises(InputError, match="time has other labels than in the fit"):
        dy.inference.heldout_scores(tree, data.assign_coords(time=data.time + 1))
    with pytest.raises(InputError, match=rf"needs counts 0, 1, 2.*\(node ({'|'.join(data.node.values)}), bin"):
        dy.inference.heldout_scores(tree, data + 0.5)
    with pytest.raises(InputError, match="expected a fitted Biclustering or its results_, got a DataArray"):
        dy.inference.heldout_scores(data, data)
    with pytest.raises(InputError, match="n_draws must be at least 1"):
        dy.inference.heldout_scores(tree, data, n_draws=0)
    with pytest.raises(InputError, match="max_lag must be at least 1"):
        posterior_check(tree, data, max_lag=0)
