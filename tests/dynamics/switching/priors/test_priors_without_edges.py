"""Evidence that priors on the coupling say nothing where there is no coupling to say it of."""

import numpy as np
import pytest

from dynome.datasets import make_switching_glm, wiring_from_truth
from dynome.dynamics import GaussianPrior, GumbelPrior, NoHistory, OneHotPrior, SwitchingGLM

LEARNING = ("one_hot", "gaussian", GaussianPrior(per_edge=True), "gumbel")


@pytest.fixture(scope="module")
def data():
    return make_switching_glm(n_states=2, n_nodes=4, n_sessions=1, n_time=200, random_state=0)


def fitted(counts, prior, **options):
    return SwitchingGLM(2, prior=prior, n_restarts=1, random_state=0, **options).fit(counts).results_


@pytest.mark.parametrize("prior", LEARNING, ids=str)
@pytest.mark.parametrize("n_node", [1, 4])
def test_a_model_without_history_is_that_of_maximum_likelihood_under_every_prior(data, prior, n_node):
    counts = data.spike_count.isel(node=slice(n_node))
    plain = fitted(counts, "none", history=NoHistory())
    found = fitted(counts, prior, history=NoHistory())
    np.testing.assert_allclose(found.history[-1], plain.history[-1], rtol=1e-6)
    np.testing.assert_allclose(found.bias, plain.bias, rtol=1e-3, atol=1e-3)
    for name in ("edge_class_posterior", "edge_class_probability", "class_frequency", "prior_mean"):
        assert np.isnan(found.get(name, np.nan)).all(), name


def test_a_connectome_changes_nothing_without_history(data):
    found = fitted(data.spike_count, "one_hot", history=NoHistory(), connectome=wiring_from_truth(data))
    plain = fitted(data.spike_count, "none", history=NoHistory())
    np.testing.assert_allclose(found.history[-1], plain.history[-1], rtol=1e-6)


def test_one_node_has_the_self_history_that_the_learning_priors_share_and_no_class(data):
    alone = data.spike_count.isel(node=[0])
    gaussian, one_hot = fitted(alone, "gaussian"), fitted(alone, "one_hot")
    np.testing.assert_allclose(one_hot.coupling, gaussian.coupling, atol=1e-8)
    np.testing.assert_allclose(one_hot.history, gaussian.history, atol=1e-8)
    assert np.isnan(one_hot.class_frequency).all()


@pytest.mark.parametrize("prior", [OneHotPrior(), GaussianPrior(), GumbelPrior(n_steps=2)], ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 3, 2), (2, 3, 3, 0), (2, 1, 1, 1)])
def test_without_an_edge_a_prior_has_no_pull_and_no_density(prior, shape):
    coupling, free = np.zeros(shape), np.zeros(shape[1:3], dtype=bool)
    belief = prior.start(coupling, free)
    for variance in (np.zeros(shape), None):
        belief = prior.refined(coupling, variance, belief)
    belief = prior.moved(np.zeros_like, belief)
    assert not prior.quadratic(coupling, belief).precision.any()
    assert prior.log_density(coupling, belief) == 0
    assert prior.labelled(belief)
