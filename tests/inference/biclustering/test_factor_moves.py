"""Evidence for factors that come and go: enumeration given the auxiliary variables, and joint distributions."""

import numpy as np
import pytest
from geweke import verdict
from joint import observed_data, prior_state, small
from scipy.stats import multivariate_normal

from dynome.inference.biclustering.augmentation import working
from dynome.inference.biclustering.factor_moves import updated_active
from dynome.inference.biclustering.observations import predictor


def kernel_of(hyper):
    def kernel(state, data, rng):
        psi = predictor(state.coefficient, state.latent, state.cluster)
        return updated_active(state, data, working(data, psi, state.dispersion, rng), hyper, rng)

    return kernel


def test_factors_of_gaussian_nodes_have_their_enumerated_probabilities():
    setting = small("gaussian", adapt_factors=True, n_factors=2, factor_probability=0.3, zeta=1.0)
    hyper, rng = setting.hyper, np.random.default_rng(2)
    state = prior_state(setting, rng)
    data = observed_data(state, setting, rng)
    log_weight = np.empty((2, 2))
    for one in range(2):
        for two in range(2):
            log_weight[one, two] = np.log([0.7, 0.3][one]) + np.log([0.7, 0.3][two])
            read = np.array([hyper.bias_sd, one * hyper.loading_sd, two * hyper.loading_sd])
            design = np.c_[np.ones(len(state.latent)), state.latent[:, 0, 1:]] * read
            for y, r in zip(data.y, state.dispersion, strict=True):
                seen = ~np.isnan(y)
                cover = (design @ design.T + r * np.eye(y.size))[np.ix_(seen, seen)]
                mean = (state.latent[:, 0, 0] + hyper.bias_mean)[seen]
                log_weight[one, two] += multivariate_normal.logpdf(y[seen], mean, cover)
    exact = np.exp(log_weight - log_weight.max())
    exact /= exact.sum()
    count, move = np.zeros((2, 2)), kernel_of(hyper)
    for _ in range(1500):
        state = move(state, data, rng)
        count[tuple(state.active[0].astype(int))] += 1
    np.testing.assert_allclose(count / count.sum(), exact, atol=0.06)


@pytest.mark.parametrize("law", ["negative_binomial", "poisson"])
def test_factors_of_counts_keep_the_joint_distribution(law):
    setting = small(law, adapt_factors=True, coupled=False)
    found = verdict(kernel_of(setting.hyper), setting, n_chains=150, n_steps=3, seed=2)
    assert found.p_value > 0.002, str(found)


def test_factors_stay_unless_they_may_adapt():
    setting = small("gaussian")
    state = prior_state(setting, np.random.default_rng(0))
    data = observed_data(state, setting, np.random.default_rng(1))
    assert kernel_of(setting.hyper)(state, data, np.random.default_rng(2)) is state
