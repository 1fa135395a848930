"""Evidence for connectome/metrics/: paths, centralities, triads and mixing against networkx and closed forms."""

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.connectome import (
    assortativity,
    centrality,
    degree_assortativity,
    efficiency,
    feedforward_levels,
    find_communities,
    from_edges,
    from_networkx,
    local_efficiency,
    network_metrics,
    null_scores,
    participation,
    path_lengths,
    reorder,
    rewire,
    rich_club,
    small_worldness,
    to_networkx,
    triad_census,
)
from dynome.connectome.metrics.triads import EXAMPLES
from dynome.errors import InputError

seeds = st.integers(0, 10_000)
quick = settings(max_examples=20, deadline=None)
CHAIN = from_edges({"source": list("abc"), "target": list("bcd")})
NOTHING = from_edges({"source": [], "target": []}, node=list("abc"))
ONE = from_edges({"source": ["a"], "target": ["a"]})


def by_node(measure, values):
    return [dict(values)[name] for name in measure.node.values.tolist()]


def directed(wiring, seed, n_edge=30):
    made = wiring(seed, n_edge=n_edge, gaps=False, loops=False)
    return made, to_networkx(made)


@quick
@given(seed=seeds, n_edge=st.integers(0, 100))
def test_the_triad_census_is_that_of_networkx(wiring, seed, n_edge):
    made, graph = directed(wiring, seed, n_edge)
    found = triad_census(made)
    assert dict(zip(found.triad.values.tolist(), found.values.tolist(), strict=True)) == nx.triadic_census(graph)
    assert found.sum() == 12 * 11 * 10 // 6


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_each_class_of_triads_has_its_example(name):
    a, b = np.array(EXAMPLES[name], dtype=int).reshape(-1, 2).T
    found = triad_census(
        from_edges({"source": np.array(list("abc"))[a], "target": np.array(list("abc"))[b]}, node=list("abc"))
    )
    assert found.sel(triad=name) == 1
    assert found.sum() == 1
    assert bool(found.connected.sel(triad=name)) == (name not in ("003", "012", "102"))


@quick
@given(seed=seeds, use_weights=st.booleans())
def test_centralities_are_those_of_networkx(wiring, seed, use_weights):
    made, _ = directed(wiring, seed, 40)
    made["weight"] = 2 ** (made.weight % 3)  # sums of lengths are exact: equally long paths are so in floats
    graph = to_networkx(made)
    for _, _, data in graph.edges(data=True):
        data["length"] = 1 / data["weight"]
    weight, length = ("weight", "length") if use_weights else (None, None)
    found = centrality(made, use_weights=use_weights)
    between = nx.betweenness_centrality(graph, weight=length)
    np.testing.assert_allclose(found.betweenness, by_node(found, between), atol=1e-12)
    np.testing.assert_allclose(found.closeness, by_node(found, nx.closeness_centrality(graph, distance=length)))
    rank = nx.pagerank(graph, weight=weight, tol=1e-13, max_iter=10_000)
    np.testing.assert_allclose(found.pagerank, by_node(found, rank), atol=1e-9)


@quick
@given(seed=seeds)
def test_central_nodes_have_central_sources(wiring, seed):
    made, graph = directed(wiring, seed, 60)
    found = centrality(made, ["eigenvector", "katz"])
    matrix = nx.to_numpy_array(graph, weight=None).T
    largest = np.abs(np.linalg.eigvals(matrix)).max()
    x = found.eigenvector.to_numpy()
    np.testing.assert_allclose(matrix @ x, largest * x, atol=1e-8)
    katz = nx.katz_centrality_numpy(graph, alpha=0.5 / largest)
    np.testing.assert_allclose(found.katz, by_node(found, katz), atol=1e-8)


def test_centralities_of_large_graphs_are_those_of_small_ones():
    graph = nx.gnp_random_graph(60, 0.1, seed=1, directed=True)
    expected = nx.eigenvector_centrality_numpy(graph)
    found = centrality(from_networkx(graph, units="1"), "eigenvector").eigenvector
    np.testing.assert_allclose(found, [expected[int(k)] for k in found.node.values], atol=1e-8)


def test_a_graph_without_cycles_has_no_eigenvector_centrality():
    assert np.isnan(centrality(CHAIN, "eigenvector").eigenvector).all()
    assert np.isfinite(centrality(CHAIN, "katz").katz).all()


@quick
@given(seed=seeds, n_edge=st.integers(0, 60))
def test_path_lengths_are_those_of_networkx(wiring, seed, n_edge):
    made, graph = directed(wiring, seed, n_edge)
    found = path_lengths(made)
    steps = [d for a, far in nx.all_pairs_shortest_path_length(graph) for b, d in far.items() if a != b]
    assert found.n_pairs.values.tolist() == np.bincount(steps, minlength=1)[1:].tolist()
    assert float(found.reachable) == pytest.approx(len(steps) / 132)
    if steps:
        assert float(found["mean"]) == pytest.approx(np.mean(steps))
        assert float(found.diameter) == max(steps)
    strong = path_lengths(made, use_weights=True)
    for *_, data in graph.edges(data=True):
        data["length"] = 1 / data["weight"]
    far = dict(nx.all_pairs_dijkstra_path_length(graph, weight="length"))
    expected = [
        np.mean([d for b, d in far[a].items() if a != b] or [np.nan]) if len(far[a]) > 1 else np.nan
        for a in made.node.values
    ]
    np.testing.assert_allclose(strong.mean_from, expected)
    np.testing.assert_allclose(strong.reachable_from, found.reachable_from)


@quick
@given(seed=seeds)
def test_local_efficiency_is_that_of_networkx_on_graphs_without_direction(wiring, seed):
    made = wiring(seed, 12, 40, gaps=False, loops=False, directed=False)
    assert local_efficiency(made).mean() == pytest.approx(nx.local_efficiency(to_networkx(made)))


@quick
@given(seed=seeds)
def test_local_efficiency_is_the_efficiency_of_the_neighbours(wiring, seed):
    made, graph = directed(wiring, seed, 50)
    found = local_efficiency(made)
    for name in made.node.values[:4].tolist():
        near = sorted(set(graph.successors(name)) | set(graph.predecessors(name)))
        expected = efficiency(from_networkx(graph.subgraph(near), units="1")) if len(near) > 1 else 0
        assert found.sel(node=name) == pytest.approx(expected)


@quick
@given(seed=seeds, x=st.sampled_from(["in", "out"]), y=st.sampled_from(["in", "out"]))
def test_mixing_by_degree_is_that_of_networkx(wiring, seed, x, y):
    made, graph = directed(wiring, seed, 40)
    expected = nx.degree_pearson_correlation_coefficient(graph, x=x, y=y)
    assert degree_assortativity(made, source=x, target=y) == pytest.approx(expected)


@quick
@given(seed=seeds)
def test_mixing_by_type_is_that_of_networkx(wiring, seed):
    made, graph = directed(wiring, seed, 40)
    kind = dict(zip(made.node.values.tolist(), np.random.default_rng(seed).choice(list("xyz"), 12), strict=True))
    nx.set_node_attributes(graph, kind, "kind")
    expected = nx.attribute_assortativity_coefficient(graph, "kind")
    assert assortativity(made, list(kind.values())) == pytest.approx(expected)


def test_strong_edges_within_types_count_for_more_with_weights():
    edges = {"source": list("abac"), "target": list("bacd"), "weight": [9, 9, 1, 1]}
    made = from_edges(edges, units="synapses")
    assert assortativity(made, list("xxyy"), use_weights=True) > assortativity(made, list("xxyy"))


@quick
@given(seed=seeds)
def test_levels_solve_their_equation_and_incoherence_lies_between_0_and_1(wiring, seed):
    made, graph = directed(wiring, seed, 25)
    level = feedforward_levels(made)
    w = nx.to_numpy_array(graph, nodelist=made.node.values.tolist())
    h = level.to_numpy()
    system = np.diag(w.sum(0) + w.sum(1)) - w - w.T
    np.testing.assert_allclose(system @ h, w.sum(0) - w.sum(1), atol=1e-8)
    assert h.min() == 0
    assert 0 <= level.attrs["incoherence"] <= 1


def test_a_chain_has_a_level_for_each_step_and_a_ring_none():
    np.testing.assert_allclose(feedforward_levels(CHAIN), [0, 1, 2, 3])
    assert feedforward_levels(CHAIN).attrs["incoherence"] == pytest.approx(0)
    ring = feedforward_levels(from_edges({"source": list("abcd"), "target": list("bcda")}))
    np.testing.assert_allclose(ring, 0, atol=1e-12)
    assert ring.attrs["incoherence"] == pytest.approx(1)


def test_participation_of_a_connector_and_of_a_hub():
    edges = {"source": ["hub"] * 3 + ["link"] * 2, "target": ["a", "b", "c", "a", "d"]}
    made = from_edges(edges, node=["hub", "a", "b", "c", "link", "d", "alone"])
    found = participation(made, ["x", "x", "x", "x", "y", "y", "y"])
    assert found.participation.sel(node="hub") == 0
    assert found.participation.sel(node="link") == 0.5
    assert np.isnan(found.participation.sel(node="alone"))
    assert found.within_z.idxmax() == "hub"
    np.testing.assert_allclose(found.within_z[:4], (np.array([3, 1, 1, 1]) - 1.5) / np.sqrt(0.75))


def test_participation_takes_what_find_communities_returns(wiring):
    made, _ = directed(wiring, 0, 60)
    found = participation(made, find_communities(made, random_state=0))
    assert ((found.participation >= 0) & (found.participation < 1)).all()


@quick
@given(seed=seeds)
def test_the_rich_club_is_that_of_networkx(wiring, seed):
    made = wiring(seed, 14, 60, gaps=False, loops=False, directed=False)
    expected = nx.rich_club_coefficient(to_networkx(made), normalized=False)
    found = rich_club(made, n_null=0)
    doubled = found.sel(degree=[2 * k for k in expected if 2 * k in found.degree.values])  # both ends count
    np.testing.assert_allclose(doubled.rich_club, [expected[k // 2] for k in doubled.degree.values.tolist()])


def test_a_club_that_was_planted_is_found_and_a_random_graph_has_none():
    rng = np.random.default_rng(0)
    chance = np.full((80, 80), 0.08)
    chance[:10, 10:] = chance[10:, :10] = 0.25
    chance[:10, :10] = 0.8
    a, b = np.nonzero((rng.random((80, 80)) < chance) & ~np.eye(80, dtype=bool))
    made = from_edges({"source": a.astype(str), "target": b.astype(str)})
    found = rich_club(made, n_null=20, random_state=0)
    top = found.sel(degree=found.degree[found.n_nodes >= 10].max())
    assert top.normalized > 1.2
    assert top.p_value == pytest.approx(1 / 21)
    free = rich_club(rewire(made, random_state=1), n_null=20, random_state=0)
    assert abs(free.z_score.sel(degree=top.degree)) < 3.5


def test_rewired_lattices_are_small_worlds():
    values = {}
    for share in (0.0, 0.1, 1.0):
        graph = nx.watts_strogatz_graph(100, 8, share, seed=0)
        values[share] = small_worldness(from_networkx(graph, units="1"), n_null=5, random_state=0)
    assert values[0.0].omega < -0.6
    assert values[1.0].omega == pytest.approx(0.9, abs=0.15)
    assert abs(values[0.1].omega) < 0.5
    assert values[0.1].propensity > max(values[0.0].propensity, values[1.0].propensity) + 0.1
    assert values[0.1].sigma > 2
    assert values[1.0].sigma == pytest.approx(1, abs=0.25)
    lattice = values[0.0]
    assert lattice.clustering == lattice.lattice_clustering
    assert lattice.path_length == lattice.lattice_path_length


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("made", [NOTHING, ONE, CHAIN])
def test_measures_survive_graphs_with_little_in_them(made):
    table = network_metrics(made)
    assert table.sel(metric="density") in (0, 0.25) or np.isnan(table.sel(metric="density"))
    assert triad_census(made).sum() == {3: 1, 1: 0, 4: 4}[made.sizes["node"]]
    assert centrality(made).sizes["node"] == made.sizes["node"]
    assert path_lengths(made, use_weights=True).sizes["node"] == made.sizes["node"]
    assert feedforward_levels(made).sizes["node"] == made.sizes["node"]
    small_worldness(made, n_null=1, random_state=0)
    rich_club(made, n_null=2, random_state=0)
    assert np.isnan(participation(NOTHING, [0, 0, 1]).participation).all()


@quick
@given(seed=seeds, data=st.data())
def test_measures_follow_their_nodes_and_wholes_do_not_depend_on_order(wiring, seed, data):
    made = wiring(seed, n_edge=50)
    turned = reorder(made, node=data.draw(st.permutations(made.node.values.tolist())))
    for measure in (centrality, local_efficiency, feedforward_levels):
        xr.testing.assert_allclose(measure(turned).sel(node=made.node), measure(made), atol=1e-8)
    names = ["density", "clustering", "efficiency", "path_length", "degree_assortativity", "incoherence", "triads"]
    xr.testing.assert_allclose(network_metrics(turned, names), network_metrics(made, names))


def test_what_cannot_be_measured_is_told(wiring):
    made = wiring(0)
    negative = from_edges({"source": ["a"], "target": ["b"], "weight": [-1.0]}, units="1")
    with pytest.raises(InputError, match="needs weights >= 0, found 1 negative"):
        centrality(negative, use_weights=True)
    with pytest.raises(InputError, match="kind must be one of"):
        centrality(made, "fame")
    with pytest.raises(InputError, match="damping must be at least 0"):
        centrality(made, "pagerank", damping=1)
    with pytest.raises(InputError, match=r"one of 'density', .*'largest_strong_component', 'triads' .*got 'beauty'"):
        null_scores(made, "beauty")
    with pytest.raises(InputError, match=r"metric must be one of .* got 'beauty'"):
        network_metrics(made, "beauty")
    with pytest.raises(InputError, match="n_null must be at least 0"):
        rich_club(made, n_null=-1)
    with pytest.raises(InputError, match="n_null must be at least 1"):
        small_worldness(made, n_null=0)
    with pytest.raises(InputError, match="source must be one of"):
        degree_assortativity(made, source="up")
    with pytest.raises(InputError, match="by must name a node coordinate"):
        assortativity(made)
