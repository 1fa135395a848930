"""Evidence for n_clusters of Biclustering: the number of clusters that is asked for is kept."""

import numpy as np
import pytest

import dynome as dy

CASES = [(1, "data", "block"), (1, "prior", "coupled"), (2, "data", "block")]


@pytest.mark.parametrize(("n_clusters", "start", "dynamics"), CASES)
def test_the_number_of_clusters_that_is_asked_for_is_kept(n_clusters, start, dynamics):
    data = dy.datasets.make_biclusters(nodes_per_cluster=4, n_times=80, random_state=0)
    model = dy.inference.Biclustering(
        n_factors=1, n_clusters=n_clusters, n_states=2, n_tune=3, n_draws=6, n_chains=1, start=start, dynamics=dynamics,
        random_state=0,
    )  # fmt: skip
    posterior = model.fit(data.spike_count).results_["posterior"]
    np.testing.assert_array_equal(posterior.n_clusters, n_clusters)
