"""Evidence for biclustering/prior_draws.py: moments of the prior, and what is drawn and what is not."""

import numpy as np
import pytest
from scipy import stats

from dynome.inference.biclustering.dynamics import log_path
from dynome.inference.biclustering.model import Concentrations, Data, Hyper
from dynome.inference.biclustering.prior_draws import prior_start


def nothing(law="negative_binomial", n_node=5, starts=(0, 7, 12)):
    return Data(np.full((n_node, starts[-1]), np.nan), np.array(starts), law)


def draws(hyper, n, data=None, seed=0):
    rng = np.random.default_rng(seed)
    return [prior_start(nothing() if data is None else data, hyper, rng) for _ in range(n)]


@pytest.mark.parametrize("coupled", [True, False])
def test_shapes_fit_together_and_clusters_have_no_gaps(coupled):
    hyper = Hyper(n_factors=1, n_states=3, coupled=coupled, adapt_factors=True)
    for start in draws(hyper, 20):
        n_clusters = start.latent.shape[1]
        assert np.array_equal(np.unique(start.cluster), np.arange(n_clusters))
        assert start.dynamics.offset.shape == ((3, 1, 2 * n_clusters) if coupled else (3, n_clusters, 2))
        assert (start.coefficient[:, 1:][~start.active[start.cluster]] == 0).all()
        np.testing.assert_allclose(start.transition.sum(1), 1)
        assert np.isfinite(log_path(start.latent, start.state, start.dynamics, np.array([0, 7, 12])))


def test_the_number_of_clusters_of_two_nodes_follows_the_mixture_of_finite_mixtures():
    together = np.mean([s.latent.shape[1] == 1 for s in draws(Hyper(n_factors=1, n_states=1), 800, nothing(n_node=2))])
    k = np.arange(1, 300)
    assert together == pytest.approx(float((0.2 * 0.8 ** (k - 1) * 2 / (k + 1)).sum()), abs=0.06)


@pytest.mark.parametrize("law", ["negative_binomial", "gaussian", "poisson", "bernoulli"])
def test_coefficients_and_dispersions_have_their_priors(law):
    hyper = Hyper(n_states=1, bias_mean=-1.0, bias_sd=2.0, loading_sd=0.5, dispersion_shape=3.0, dispersion_rate=2.0)
    found = draws(hyper, 300, nothing(law))
    bias = np.concatenate([s.coefficient[:, 0] for s in found])
    loading = np.concatenate([s.coefficient[:, 1:].ravel() for s in found])
    dispersion = np.concatenate([s.dispersion for s in found])
    assert stats.kstest(bias, stats.norm(-1, 2).cdf).pvalue > 1e-3
    assert stats.kstest(loading, stats.norm(0, 0.5).cdf).pvalue > 1e-3
    priors = {"negative_binomial": stats.gamma(3, scale=0.5), "gaussian": stats.invgamma(3, scale=2)}
    if law in priors:
        assert stats.kstest(dispersion, priors[law].cdf).pvalue > 1e-3
    else:
        assert (dispersion == 1).all()


def test_sequences_begin_in_any_state_and_at_a_standard_normal():
    found = draws(Hyper(n_factors=1, n_states=2), 400)
    begin = np.array([s.state[[0, 7]] for s in found])
    assert begin.mean() == pytest.approx(0.5, abs=0.08)
    first = np.concatenate([s.latent[[0, 7]].ravel() for s in found])
    assert stats.kstest(first, stats.norm.cdf).pvalue > 1e-3


def test_concentrations_are_drawn_only_where_the_sampler_draws_them():
    assert all(s.concentrations == Concentrations() for s in draws(Hyper(), 3))
    hyper = Hyper(n_states=2, resample_concentrations=True, concentration_shape=2.0, concentration_rate=4.0)
    found = [s.concentrations for s in draws(hyper, 200)]
    total = [c.row + c.stickiness for c in found]
    prior = stats.gamma(2, scale=0.25).cdf
    assert stats.kstest(total, prior).pvalue > 1e-3
    assert stats.kstest([c.top for c in found], prior).pvalue > 1e-3
    assert stats.kstest([c.stickiness / t for c, t in zip(found, total, strict=True)], "uniform").pvalue > 1e-3
    assert {c.partition for c in found} == {1.0}
    process = [s.concentrations.partition for s in draws(hyper._replace(partition="dp"), 200)]
    assert stats.kstest(process, prior).pvalue > 1e-3


def test_the_same_seed_gives_the_same_point_and_observations_do_not_matter():
    one = prior_start(nothing(), Hyper(), np.random.default_rng(1))
    other = prior_start(
        Data(np.ones((5, 12)), np.array([0, 7, 12]), "negative_binomial"), Hyper(), np.random.default_rng(1)
    )
    np.testing.assert_array_equal(one.latent, other.latent)
    np.testing.assert_array_equal(one.cluster, other.cluster)
