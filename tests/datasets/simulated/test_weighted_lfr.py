"""Evidence for simulated/weighted_lfr.py: degrees, mixing and strengths come out as asked for."""

import numpy as np
import pytest
import xarray as xr

from dynome import labels, schema
from dynome.datasets import make_weighted_lfr
from dynome.errors import InputError


def dense(graph):
    n = graph.sizes["node"]
    out = np.zeros((n, n))
    source, target = (labels.positions(graph[end].values, graph.node.values) for end in ("source", "target"))
    out[source, target] = graph.weight
    return out


def mean_over_seeds(measure, n=6, **options):
    return np.mean([measure(make_weighted_lfr(random_state=seed, **options)) for seed in range(n)])


def test_a_graph_is_a_valid_undirected_connectome():
    graph = make_weighted_lfr(random_state=0)
    schema.validate(graph, "connectome")
    weight = dense(graph)
    np.testing.assert_array_equal(weight, weight.T)
    assert (np.diag(weight) == 0).all()
    assert (graph.weight > 0).all()


def test_the_same_seed_gives_the_same_graph_and_another_seed_another():
    xr.testing.assert_identical(make_weighted_lfr(random_state=3), make_weighted_lfr(random_state=3))
    assert not make_weighted_lfr(random_state=3).equals(make_weighted_lfr(random_state=4))


def test_degrees_follow_the_power_law_asked_for():
    degrees = np.concatenate([(dense(make_weighted_lfr(random_state=seed)) > 0).sum(axis=1) for seed in range(8)])
    assert degrees.mean() == pytest.approx(25, rel=0.12)
    assert degrees.max() <= 100
    least = np.arange(10, 101)
    share = (least[least >= 40] ** -2.0).sum() / (least**-2.0).sum()
    assert (degrees >= 40).mean() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("mixing", [0.25, 0.5])
def test_the_mixing_of_edges_is_the_one_asked_for_where_communities_are_many(mixing):
    options = {"n_nodes": 400, "mean_degree": 15, "max_degree": 40, "max_size": 60, "mixing_topology": mixing}
    assert mean_over_seeds(lambda g: g.attrs["mixing_topology"], 3, **options) == pytest.approx(mixing, abs=0.02)


@pytest.mark.parametrize("mixing", [0.25, 0.5, 0.75])
def test_the_mixing_of_weights_is_the_one_asked_for(mixing):
    made = mean_over_seeds(lambda g: g.attrs["mixing_weight"], mixing_weight=mixing, beta=1.0)
    assert made == pytest.approx(mixing, abs=0.03)


def test_the_mixing_told_is_that_of_the_graph():
    graph = make_weighted_lfr(random_state=2)
    weight, community = dense(graph), graph.community.values
    outside = community[:, None] != community[None, :]
    share = ((weight > 0) & outside).sum(axis=1) / (weight > 0).sum(axis=1)
    assert graph.attrs["mixing_topology"] == pytest.approx(share.mean())
    share = (weight * outside).sum(axis=1) / weight.sum(axis=1)
    assert graph.attrs["mixing_weight"] == pytest.approx(share.mean())


@pytest.mark.parametrize("beta", [1.0, 1.5])
def test_strength_grows_with_degree_to_the_power_beta(beta):
    weight = dense(make_weighted_lfr(beta=beta, random_state=1))
    degree = (weight > 0).sum(axis=1)
    slope = np.polyfit(np.log(degree), np.log(weight.sum(axis=1)), 1)[0]
    assert slope == pytest.approx(beta, abs=0.1)


def test_with_strength_equal_to_degree_weights_add_a_share_of_either_end():
    graph = make_weighted_lfr(beta=1.0, random_state=13)
    weight, community = dense(graph), graph.community.values
    one, other = np.nonzero(np.triu(weight))
    for kind in (community[one] == community[other], community[one] != community[other]):
        design = np.zeros((kind.sum(), community.size))
        design[np.arange(kind.sum()), one[kind]] = 1
        design[np.arange(kind.sum()), other[kind]] = 1
        value = weight[one[kind], other[kind]]
        fitted = design @ np.linalg.lstsq(design, value, rcond=None)[0]
        np.testing.assert_allclose(fitted, value, atol=1e-9)


def test_graphs_of_the_published_setting_are_like_those_of_the_published_program():
    graphs = [make_weighted_lfr(random_state=seed) for seed in range(13, 23)]
    edges = np.array([g.sizes["edge"] // 2 for g in graphs])
    assert edges.mean() - 3 * edges.std() < 1628 < edges.mean() + 3 * edges.std()  # the program's first graph
    mixing = np.array([g.attrs["mixing_topology"] for g in graphs])
    assert mixing.min() - 0.01 < 0.485342 < mixing.max() + 0.01
    assert all(2 <= g.attrs["n_communities"] <= 6 for g in graphs)


def test_there_are_always_two_communities_at_least_and_the_largest_is_the_first():
    for seed in range(10):
        graph = make_weighted_lfr(mixing_topology=0.25, random_state=seed)
        sizes = np.bincount(graph.community)
        assert sizes.size == graph.attrs["n_communities"] >= 2
        assert (np.diff(sizes) <= 0).all()


def test_community_sizes_keep_to_the_range_asked_for():
    options = {"n_nodes": 200, "mean_degree": 10, "max_degree": 20, "min_size": 25, "max_size": 40}
    sizes = np.bincount(make_weighted_lfr(**options, random_state=0).community)
    assert sizes.min() >= 25


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError, match=r"(?s)max_degree must be.*below n_nodes = 50, got 60.*mixing_weight.*got 1"):
        make_weighted_lfr(50, max_degree=60, mixing_weight=1.0)
    with pytest.raises(InputError, match="mean_degree must be between 1 and max_degree = 20, got 25"):
        make_weighted_lfr(50, max_degree=20)
    with pytest.raises(InputError, match="t1, t2 and beta must be finite"):
        make_weighted_lfr(beta=float("nan"))
    with pytest.raises(InputError, match="community sizes must be between 3 and n_nodes = 125"):
        make_weighted_lfr(min_size=1)
    with pytest.raises(InputError, match="min_size must not exceed max_size"):
        make_weighted_lfr(min_size=50, max_size=20)


def test_settings_that_leave_one_community_are_refused_after_many_draws():
    with pytest.raises(InputError, match="no graph of two or more communities"):
        make_weighted_lfr(30, mean_degree=5, max_degree=10, min_size=30, max_size=30)
