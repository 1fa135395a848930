"""Evidence for diagnostics: chains that agree pass, chains that are apart are told, names of labels do not matter."""

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.exceptions import ConvergenceWarning

from dynome.inference.biclustering.diagnostics import (
    advice,
    agreements,
    diagnostics_dataset,
    scalars,
    summary,
    warn_if_chains_disagree,
)
from dynome.inference.biclustering.partitions import agreement, similarity

N_CHAIN, N_DRAW, NODES = 4, 200, list("abcdefgh")


def tree(clusters, states, level=0.0, seed=0):
    """A tree with what diagnostics look at."""
    rng = np.random.default_rng(seed)
    samples, by_node = ("chain", "draw"), ("chain", "draw", "node")
    shape = (N_CHAIN, N_DRAW)
    posterior = xr.Dataset(
        {
            "cluster": (by_node, clusters),
            "state": (("chain", "draw", "time"), states),
            "bias": (by_node, rng.normal(size=(*shape, 8))),
            "dispersion": (by_node, rng.gamma(5.0, size=(*shape, 8))),
            "n_clusters": (samples, [[np.unique(d).size for d in c] for c in clusters]),
            "n_states": (samples, [[np.unique(d[d >= 0]).size for d in c] for c in states]),
            "log_likelihood_per_spike": (samples, rng.normal(size=shape) + np.reshape(level, (-1, 1))),
            "stickiness": (samples, np.full(shape, 10.0)),
        },
        {"chain": np.arange(N_CHAIN), "draw": np.arange(N_DRAW), "node": NODES},
    )
    chains = ("chain", "other_chain")
    clustering = xr.Dataset(
        {
            "node_similarity": (("node", "other_node"), similarity(clusters.reshape(-1, 8))),
            "cluster_agreement": (chains, agreement(clusters)),
            "state_agreement": (chains, agreement(states)),
        },
        {"node": NODES},
    )
    return xr.DataTree.from_dict({"/posterior": posterior, "/clustering": clustering})


def same_partitions(seed=0, share=0.02):
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], 4)
    wrong = rng.random((N_CHAIN, N_DRAW, 8)) < share
    return np.where(wrong, rng.integers(0, 3, wrong.shape), truth), np.where(
        rng.random((N_CHAIN, N_DRAW, 30)) < share, 2, np.repeat([0, 1], 15)
    )


def test_chains_that_agree_need_no_advice():
    table = summary(tree(*same_partitions()))
    assert table.loc["log_likelihood_per_spike", "r_hat"] == pytest.approx(1, abs=0.02)
    assert table.loc["log_likelihood_per_spike", "ess_bulk"] > 400
    assert advice(table) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_chains_disagree(table)


def test_a_chain_that_is_stuck_is_told():
    table = summary(tree(*same_partitions(), level=[0.0, 0.0, 0.0, -5.0]))
    assert table.loc["log_likelihood_per_spike", "r_hat"] > 1.5
    with pytest.warns(ConvergenceWarning, match=r"chains disagree on log_likelihood_per_spike \(R-hat up to.*resume"):
        warn_if_chains_disagree(table)


def test_chains_with_partitions_of_their_own_are_told_though_numbers_of_clusters_agree():
    clusters, states = same_partitions(share=0.0)
    clusters = clusters.copy()
    clusters[2:] = np.tile([0, 1], 4)
    table = summary(tree(clusters, states))
    assert table.loc["n_clusters", "r_hat"] == 1
    found = agreements(tree(clusters, states))
    assert found["cluster_agreement_within_chains"] == pytest.approx(1)
    assert found["cluster_agreement_between_chains"] < 0.4
    assert "chains found different clusters" in advice(table)
    assert np.isinf(table["r_hat"]).any()  # of pairs of nodes that are together in half of the chains


def test_names_of_clusters_and_states_do_not_matter():
    clusters, states = same_partitions()
    rng = np.random.default_rng(1)
    renamed = [np.stack([[rng.permutation(3)[d] for d in c] for c in part]) for part in (clusters, states)]
    pd.testing.assert_frame_equal(summary(tree(clusters, states)), summary(tree(*renamed)))


def test_entropy_of_even_clusters_is_the_logarithm_of_their_number():
    clusters = np.tile(np.repeat([0, 1, 2, 3], 2), (N_CHAIN, N_DRAW, 1))
    states = np.tile(np.where(np.arange(30) < 20, np.arange(30) % 2, -1), (N_CHAIN, N_DRAW, 1))  # -1 is padding
    found = scalars(tree(clusters, states))
    np.testing.assert_allclose(found["cluster_entropy"], np.log(4))
    np.testing.assert_allclose(found["state_entropy"], np.log(2))
    assert "stickiness" not in found  # it never moves: nothing to compare


def test_doubtful_pairs_are_followed_by_name():
    clusters, states = same_partitions(share=0.0)
    clusters = clusters.copy()
    clusters[:, ::2, 0] = 1
    found = scalars(tree(clusters, states))
    np.testing.assert_array_equal(found["together[a, b]"][0], np.arange(N_DRAW) % 2)


def test_the_table_is_kept_with_the_results():
    results = tree(*same_partitions())
    kept, table = diagnostics_dataset(results), summary(results)
    assert kept["r_hat"].dims == ("quantity",)
    np.testing.assert_array_equal(kept["mean"].sel(quantity="n_clusters"), table.loc["n_clusters", "mean"])
