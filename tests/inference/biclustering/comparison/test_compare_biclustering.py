"""Evidence for biclustering/comparison: what is hidden stays hidden, models find what they are for, scores add up."""

import random

import numpy as np
import pytest
import xarray as xr
from numpy import random as legacy
from scipy.stats import nbinom, norm, poisson
from sklearn.base import BaseEstimator
from sklearn.decomposition import FactorAnalysis

import dynome as dy
from dynome.dynamics.hmm.sequences import stacked
from dynome.errors import InputError
from dynome.inference.biclustering.comparison import table as comparison
from dynome.inference.biclustering.comparison.coclusters import block_mean, spectral_coclusters
from dynome.inference.biclustering.comparison.factors import (
    chosen_size,
    factor_analysis,
    fitted,
    independent,
    information,
    started,
)
from dynome.inference.biclustering.comparison.forecasts import Task, calibrated, forecast
from dynome.inference.biclustering.comparison.holding_out import held_out
from dynome.inference.biclustering.comparison.rates import constant, overdispersed
from dynome.inference.biclustering.comparison.sampled import predictive_score
from dynome.inference.biclustering.comparison.smooth_factors import gaussian_process_factors, kernel, stretches
from dynome.inference.biclustering.comparison.table import compare_biclustering

SIMPLE = ["poisson", "negative_binomial", "spectral_coclustering", "factor_analysis", "gpfa"]


def task(
    y: np.ndarray, *, law: str = "negative_binomial", kind: str = "speckled", seed: int = 0
) -> tuple[Task, np.ndarray]:
    """A tenth is hidden; returned are the task and what was hidden."""
    rng = np.random.default_rng(seed)
    starts = np.array([0, y.shape[1]])
    hidden = held_out(np.isfinite(y), starts, kind, 0.1, rng) == 0
    inner = held_out(np.isfinite(y) & ~hidden, starts, kind, 0.1, rng) == 0
    return Task(np.where(hidden, np.nan, y), starts, law, inner, seed), np.where(hidden, y, np.nan)


def mean_score(method, given: Task, hidden: np.ndarray) -> float:
    return float(np.nanmean(method(given)(hidden)))


def smooth_counts(seed: int, n_node: int = 20, n_bin: int = 400) -> np.ndarray:
    """Counts driven by one slow wave."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(n_bin) / 12) + np.sin(np.arange(n_bin) / 7)
    return rng.poisson(np.exp(0.5 + np.outer(rng.uniform(-0.6, 0.6, n_node), wave))).astype(float)


@pytest.mark.parametrize("kind", ["speckled", "stretches"])
def test_every_observation_is_hidden_once(kind):
    observed = np.random.default_rng(0).random((5, 200)) < 0.9
    part = held_out(observed, np.array([0, 77, 200]), kind, 0.1, np.random.default_rng(1))
    assert set(np.unique(part[observed])) == set(range(10))
    assert (part[~observed] == -1).all()
    share = (part[observed] == 0).mean()
    assert 0.03 < share < 0.2


def test_stretches_hide_all_nodes_and_do_not_cross_sequences():
    part = held_out(np.ones((3, 95), bool), np.array([0, 35, 95]), "stretches", 0.2, np.random.default_rng(0))
    assert (part == part[0]).all()
    for first, last in ((0, 10), (10, 20), (20, 30), (30, 35), (35, 45)):
        assert np.unique(part[0, first:last]).size == 1


def test_speckles_hide_the_same_share_of_every_node():
    part = held_out(np.ones((4, 100), bool), np.array([0, 100]), "speckled", 0.25, np.random.default_rng(0))
    assert ((part == 2).sum(axis=1) == 25).all()


def test_constant_rates_score_as_their_laws_do():
    rng = np.random.default_rng(0)
    y = rng.negative_binomial(2, 0.4, (3, 500)).astype(float)
    given, hidden = task(y)
    seen = np.isfinite(given.y)
    rate = np.nansum(given.y, axis=1) / seen.sum(axis=1)
    np.testing.assert_allclose(constant(given)(hidden), poisson(rate[:, None]).logpmf(hidden), rtol=1e-10)
    score = overdispersed(given)(hidden)
    truth = nbinom(2, 0.4).logpmf(hidden)
    assert np.nanmean(score) == pytest.approx(np.nanmean(truth), abs=0.01)
    assert np.nanmean(score) > np.nanmean(constant(given)(hidden))


def test_a_silent_node_is_not_taken_for_certain():
    y = np.zeros((2, 100))
    y[1, ::2] = 1
    given, hidden = task(y)
    surprise = hidden.copy()
    surprise[0, np.flatnonzero(np.isfinite(hidden[0]))[0]] = 1
    for method in (constant, overdispersed, factor_analysis, spectral_coclusters):
        assert np.isfinite(method(given)(surprise)[np.isfinite(surprise)]).all()


def test_gaussian_nodes_have_a_mean_and_a_variance():
    y = np.random.default_rng(0).normal(3, 2, (2, 400))
    given, hidden = task(y, law="gaussian")
    mean, spread = np.nanmean(given.y, axis=1)[:, None], np.nanstd(given.y, axis=1)[:, None]
    np.testing.assert_allclose(constant(given)(hidden), norm(mean, spread).logpdf(hidden))


def test_factor_analysis_without_missing_values_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 2)) @ rng.standard_normal((2, 600)) + 0.7 * rng.standard_normal((8, 600))
    ours = fitted(x, started(x, 2, 0), independent)
    theirs = FactorAnalysis(2, tol=1e-8, max_iter=5000, svd_method="lapack").fit(x.T)
    covariance = ours.loading @ ours.loading.T + np.diag(ours.noise)
    np.testing.assert_allclose(covariance, theirs.get_covariance(), atol=0.03)


def test_the_posterior_of_factors_is_that_of_the_dense_gaussian():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((6, 30))
    x[rng.random(x.shape) < 0.2] = np.nan
    model = started(x, 2, 0)
    scores = independent(*information(x, model))
    seen = np.isfinite(x[:, 3])
    loading = model.loading[seen]
    gain = loading.T @ np.linalg.inv(loading @ loading.T + np.diag(model.noise[seen]))
    np.testing.assert_allclose(scores.mean[3], gain @ (x[seen, 3] - model.level[seen]), atol=1e-10)
    np.testing.assert_allclose(scores.covariance[3], np.eye(2) - gain @ loading, atol=1e-10)


def test_factors_foretell_what_nodes_share():
    given, hidden = task(smooth_counts(0))
    assert mean_score(factor_analysis, given, hidden) > mean_score(overdispersed, given, hidden) + 0.05
    assert chosen_size(given)[0] in (1, 2)


def test_smooth_factors_foretell_stretches_and_plain_ones_do_not():
    given, hidden = task(smooth_counts(1), kind="stretches")
    floor = mean_score(overdispersed, given, hidden)
    assert mean_score(gaussian_process_factors, given, hidden) > floor + 0.04
    assert mean_score(factor_analysis, given, hidden) == pytest.approx(floor, abs=0.03)


def test_stretches_of_smooth_factors_lie_within_sequences():
    spans = stretches(np.array([0, 39, 189]))
    assert spans == [(0, 39), (39, 89), (89, 139), (139, 189)]
    np.testing.assert_allclose(np.diag(kernel(3.0, 5)), 1)


def test_coclusters_foretell_blocks():
    rng = np.random.default_rng(0)
    rows, columns = np.repeat([0, 1], 10), np.repeat(rng.permutation(np.repeat([0, 1], 20)), 10)
    rate = np.where(rows[:, None] == columns, 4.0, 1.0)
    y = rng.poisson(rate).astype(float)
    given, hidden = task(y)
    mean = block_mean(given.y, 2, given)
    assert np.abs(mean / rate - 1).mean() < 0.1
    assert mean_score(spectral_coclusters, given, hidden) > mean_score(overdispersed, given, hidden) + 0.1


def test_a_calibration_finds_the_law_of_a_mean_that_is_right():
    rng = np.random.default_rng(0)
    mean = np.exp(rng.normal(0.5, 0.5, (5, 4000)))
    y = rng.negative_binomial(3, 3 / (3 + mean)).astype(float)
    found = calibrated(y, mean, np.ones(y.shape, bool), "negative_binomial")
    assert found.intercept == pytest.approx(0, abs=0.03)
    assert found.slope == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(found.dispersion, 3, rtol=0.25)
    truth = nbinom(3, 3 / (3 + mean)).logpmf(y).mean()
    assert np.nanmean(forecast(mean, found).log_score(y)) == pytest.approx(truth, abs=2e-3)


def test_a_calibration_forgets_a_mean_that_tells_nothing():
    rng = np.random.default_rng(0)
    y = rng.poisson(2.0, (4, 2000)).astype(float)
    found = calibrated(y, np.exp(rng.normal(0.7, 1, y.shape)), np.ones(y.shape, bool), "poisson")
    assert found.slope == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("kind", ["speckled", "stretches"])
def test_what_is_hidden_reaches_no_model(counts, kind, monkeypatch):
    seen: list[Task] = []

    def spy(given: Task):
        seen.append(given)
        return lambda hidden: np.where(np.isfinite(hidden), -1.0, np.nan)

    monkeypatch.setitem(comparison._SIMPLE, "gpfa", spy)
    names = ["gpfa", "poisson"]
    table = compare_biclustering(counts, models=names, held_out=kind, n_folds=2, random_state=0)
    np.testing.assert_allclose(table.log_score.sel(model="gpfa"), -1)
    first, second = (np.isnan(given.y) for given in seen)
    assert not (first & second).any()
    assert first.sum() + second.sum() == table.attrs["n_held_out"]
    for given in seen:
        assert not (given.inner & np.isnan(given.y)).any()
        assert 0.02 < given.inner.mean() < 0.2
        np.testing.assert_array_equal(np.isnan(given.outer), given.inner | np.isnan(given.y))


def test_global_random_state_is_left_alone():
    before, numbers = random.getstate(), legacy.mtrand._rand.get_state()[1].copy()
    given, hidden = task(smooth_counts(3, n_node=6, n_bin=80))
    spectral_coclusters(given)(hidden)
    assert random.getstate() == before
    assert (legacy.mtrand._rand.get_state()[1] == numbers).all()


@pytest.fixture(scope="module")
def counts() -> xr.DataArray:
    return dy.datasets.make_biclusters(nodes_per_cluster=5, n_times=200, random_state=0).spike_count


@pytest.fixture(scope="module")
def table(counts) -> xr.Dataset:
    return compare_biclustering(counts, models=SIMPLE, n_folds=2, random_state=0)


def test_the_table_adds_up(table, counts):
    assert table.sizes == {"model": 5, "fold": 2, "node": 15, "time": 200}
    assert int(table.hidden.sum()) == table.attrs["n_held_out"]
    assert not table.hidden.all("fold").any()
    assert table.difference[0] == 0
    assert (table.difference[1:] < 0).all()
    assert set(table.model.to_numpy()) == set(SIMPLE)
    mean = table.log_score.mean("fold")
    assert (np.diff(mean) <= 0).all()
    assert float(table.bits_over_poisson.sel(model="poisson")) == 0
    gain = (mean - mean.sel(model="poisson")) * table.attrs["n_held_out"]
    bits = gain / table.attrs["n_held_out_spikes"] / np.log(2)
    np.testing.assert_allclose(table.bits_over_poisson, bits, atol=1e-12)
    np.testing.assert_allclose(table.node_score.mean("node"), table.log_score, atol=1e-12)
    assert table.node.equals(counts.node)
    assert table.log_score.attrs["units"] == "nat"


def test_the_same_seed_gives_the_same_table(counts):
    one, two = (
        compare_biclustering(counts, models=["poisson", "factor_analysis"], random_state=3).drop_vars("seconds")
        for _ in range(2)
    )
    xr.testing.assert_identical(one, two)


def test_nodes_are_scored_by_label_in_any_order(counts):
    names = ["poisson", "negative_binomial"]
    one = compare_biclustering(counts, models=names, held_out="stretches", random_state=0)
    two = compare_biclustering(counts[:, ::-1], models=names, held_out="stretches", random_state=0)
    xr.testing.assert_allclose(one.node_score, two.node_score.sel(node=one.node))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": ["poison"]}, "there are no models 'poison'; there are poisson, negative_binomial"),
        ({"models": "poisson"}, r"such as \['poisson'\], got the text"),
        ({"models": []}, "at least one model"),
        ({"held_out": "bins"}, "held_out must be one of 'speckled', 'stretches', got 'bins'"),
        ({"share": 0.7}, "share must be from 0.01 to 0.5, got 0.7"),
        ({"share": 0.25, "n_folds": 5}, r"n_folds must be from 1 to 4 \(1 / share\), got 5"),
    ],
)
def test_what_cannot_be_compared_is_said(counts, arguments, message):
    with pytest.raises(InputError, match=message):
        compare_biclustering(counts, **{"models": ["poisson"], "random_state": 0} | arguments)


def test_numbers_that_are_no_counts_are_refused(counts):
    with pytest.raises(InputError, match="cannot compare"):
        compare_biclustering(counts + 0.5, models=["poisson"], random_state=0)


def draws_of(sequences, law: str, seed: int = 0, n_draw: int = 6) -> xr.DataTree:
    """Made-up results of a fit: two chains, latents of every second draw."""
    rng = np.random.default_rng(seed)
    n_bin, n_node = sequences.y.shape
    kept = np.arange(0, n_draw, 2)
    posterior = xr.Dataset(
        {
            "cluster": (("chain", "draw", "node"), rng.integers(0, 2, (2, n_draw, n_node)).astype(np.int16)),
            "bias": (("chain", "draw", "node"), rng.normal(0, 0.3, (2, n_draw, n_node))),
            "loading": (("chain", "draw", "node", "factor"), rng.normal(0, 0.3, (2, n_draw, n_node, 1))),
            "dispersion": (("chain", "draw", "node"), rng.gamma(2, 1, (2, n_draw, n_node))),
        },
        {"draw": np.arange(n_draw)},
    )
    flat = rng.normal(0, 0.5, (2, kept.size, 2, 2, n_bin))
    frame, position = sequences.layout
    padded = np.full((2, kept.size, 2, 2, frame.size), np.nan)
    padded[..., position] = flat
    latent = xr.DataArray(
        padded.reshape(2, kept.size, 2, 2, *frame.shape),
        {"draw": ("latent_draw", kept)},
        ("chain", "latent_draw", "cluster", "component", *frame.dims),
    )
    return xr.DataTree.from_dict({"posterior": posterior, "latent": latent.to_dataset(name="latent")})


@pytest.mark.parametrize("law", ["negative_binomial", "gaussian"])
def test_the_predictive_score_averages_probabilities_over_draws(law):
    data = dy.datasets.make_biclusters(nodes_per_cluster=2, n_times=25, n_sessions=3, random_state=0)
    sequences = stacked(data, ("spike_count", "activity"))
    y = np.ascontiguousarray(sequences.y.T)
    y[0, :10] = np.nan
    results = draws_of(sequences, law)
    total = np.zeros(y.shape)
    for chain in range(2):
        for k, draw in enumerate((0, 2, 4)):
            p = results["posterior"].to_dataset().isel(chain=chain, draw=draw)
            path = results["latent"].latent.isel(chain=chain, latent_draw=k).transpose(*data.spike_count.dims[:2], ...)
            path = path.to_numpy().reshape(75, 2, 2)[:, p.cluster]
            psi = (p.bias.to_numpy() + path[..., 0] + p.loading.to_numpy()[:, 0] * path[..., 1]).T
            r = p.dispersion.to_numpy()[:, None]
            chance = nbinom(r, r / (r + np.exp(psi))).pmf(y) if law != "gaussian" else norm(psi, np.sqrt(r)).pdf(y)
            total += chance / 6
    np.testing.assert_allclose(predictive_score(results, y, sequences, law), np.log(total), rtol=1e-9)


class Drawn(BaseEstimator):
    """Stands for a `Biclustering`: notes what it was fitted to, and has draws that depend on nothing."""

    def __init__(self, n_factors=1, n_clusters=None, n_states=4, dynamics="block", random_state=None, out="folder"):
        self.n_factors, self.n_clusters, self.n_states = n_factors, n_clusters, n_states
        self.dynamics, self.random_state, self.out = dynamics, random_state, out

    observation = "negative_binomial"

    def fit(self, data):
        Drawn.fitted.append((self.get_params(), data))
        self.results_ = draws_of(stacked(data, ("spike_count", "activity")), "negative_binomial")
        return self


@pytest.mark.parametrize("form", ["recording", "sessions", "dict"])
def test_special_cases_are_fitted_to_what_is_not_hidden(form):
    data = dy.datasets.make_biclusters(
        nodes_per_cluster=2, n_times=40, n_sessions=1 if form == "recording" else 3, random_state=0
    )
    if form == "dict":
        data = {f"s{k}": data.isel(session=k, drop=True) for k in range(3)}
    Drawn.fitted = []
    model = Drawn()
    table = compare_biclustering(
        data, model, models=["one_state", "slds", "one_cluster", "biclustering"], random_state=0
    )
    one_state, slds, one_cluster, whole = (params for params, _ in Drawn.fitted)
    assert one_state["n_states"] == 1
    assert (slds["n_clusters"], slds["n_factors"], slds["dynamics"]) == (1, 8, "coupled")
    assert (one_cluster["n_clusters"], one_cluster["n_factors"]) == (1, 1)
    assert whole == model.get_params() | {"random_state": 0, "out": None}
    y = stacked(data, ("spike_count", "activity")).y
    for _, given in Drawn.fitted:
        train = stacked(given, ("spike_count", "activity")).y
        assert np.isnan(train).sum() == table.attrs["n_held_out"]
        np.testing.assert_array_equal(train[np.isfinite(train)], y[np.isfinite(train)])
    assert (table.difference == 0).all()
    assert np.isfinite(table.log_score).all()
