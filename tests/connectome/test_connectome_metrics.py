"""Evidence for connectome/metrics/: networkx, closed forms, and independence of the order of nodes."""

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.connectome import (
    clustering,
    components,
    degree,
    density,
    efficiency,
    from_edges,
    merge,
    reciprocity,
    reorder,
    strength,
    to_networkx,
)
from dynome.errors import InputError, UnitsError

seeds = st.integers(0, 10_000)
CYCLE = from_edges({"source": list("abcd"), "target": list("bcda")})
CHAIN = from_edges({"source": list("ab"), "target": list("bc")}, node=list("abcx"))


def by_node(measure, values):
    return [dict(values)[name] for name in measure.node.values.tolist()]


@settings(max_examples=25, deadline=None)
@given(seed=seeds, directed=st.booleans(), gaps=st.booleans())
def test_degrees_and_strengths_are_those_of_networkx(wiring, seed, directed, gaps):
    made = wiring(seed, directed=directed, gaps=gaps and not directed)
    graph = to_networkx(made)
    assert degree(made).degree.values.tolist() == by_node(degree(made), graph.degree)
    assert strength(made).strength.values.tolist() == by_node(degree(made), graph.degree(weight="weight"))
    if directed:
        assert degree(made).in_degree.values.tolist() == by_node(degree(made), graph.in_degree)
        assert strength(made).out_strength.values.tolist() == by_node(degree(made), graph.out_degree(weight="weight"))


@settings(max_examples=25, deadline=None)
@given(seed=seeds, directed=st.booleans())
def test_wholes_are_those_of_networkx(wiring, seed, directed):
    made = wiring(seed, directed=directed, gaps=False, loops=False)
    graph = to_networkx(made)
    assert density(made) == pytest.approx(nx.density(graph))
    np.testing.assert_allclose(clustering(made), by_node(clustering(made), nx.clustering(graph)))
    if directed:
        assert reciprocity(made) == pytest.approx(nx.overall_reciprocity(graph))
    else:
        assert reciprocity(made) == 1
        assert efficiency(made) == pytest.approx(nx.global_efficiency(graph))


@settings(max_examples=25, deadline=None)
@given(seed=seeds, connection=st.sampled_from(["weak", "strong"]))
def test_components_are_those_of_networkx_and_sorted_by_size(wiring, seed, connection):
    made = wiring(seed, n_edge=12, gaps=False)
    graph = to_networkx(made)
    expected = (
        nx.weakly_connected_components(graph) if connection == "weak" else nx.strongly_connected_components(graph)
    )
    found = components(made, connection=connection)
    groups = [set(found.node.values[found.values == k].tolist()) for k in range(found.attrs["n_components"])]
    assert {frozenset(g) for g in groups} == {frozenset(g) for g in expected}
    assert [len(g) for g in groups] == sorted((len(g) for g in groups), reverse=True)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, data=st.data())
def test_measures_follow_their_nodes(wiring, seed, data):
    made = wiring(seed).assign_coords(region=("node", [f"r{k}" for k in range(12)]))
    turned = reorder(made, node=data.draw(st.permutations(made.node.values.tolist())))
    for measure in (degree, strength, clustering):
        xr.testing.assert_equal(measure(turned).sel(node=made.node), measure(made))
    for measure in (density, reciprocity, efficiency):
        assert measure(turned) == pytest.approx(measure(made))


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_layers_add_up(wiring, seed):
    made = wiring(seed)
    for measure in (degree, strength):
        parts = [measure(made, edge_type=t) for t in ("chemical", "gap_junction")]
        xr.testing.assert_equal(measure(made), parts[0] + parts[1])


def test_a_gap_junction_counts_once():
    gap = from_edges(
        {"source": ["a", "b"], "target": ["b", "b"], "weight": [5, 2]}, units="1", edge_type="gap_junction"
    )
    assert degree(gap).degree.values.tolist() == [1, 3]  # the junction of b with itself has both ends there
    assert strength(gap).strength.values.tolist() == [5, 9]
    assert degree(gap).in_degree.values.tolist() == [1, 2]


def test_closed_forms_on_a_cycle_and_a_chain():
    assert degree(CYCLE).degree.values.tolist() == [2, 2, 2, 2]
    assert density(CYCLE) == pytest.approx(1 / 3)
    assert reciprocity(CYCLE) == 0
    assert efficiency(CYCLE) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert clustering(CYCLE).values.tolist() == [0, 0, 0, 0]
    assert components(CYCLE, connection="strong").values.tolist() == [0, 0, 0, 0]
    assert components(CHAIN, connection="strong").values.tolist() == [0, 1, 2, 3]
    assert components(CHAIN).values.tolist() == [0, 0, 0, 1]


def test_self_loops_join_nobody():
    loops = from_edges({"source": ["a", "a"], "target": ["a", "b"]})
    assert density(loops) == 0.5
    assert reciprocity(loops) == 0
    assert clustering(loops).values.tolist() == [0, 0]


def test_without_nodes_or_edges_a_share_is_not_a_number():
    nothing, alone = from_edges({"source": [], "target": []}), from_edges({"source": [], "target": []}, node=["a"])
    for made in (nothing, alone):
        assert np.isnan([density(made), reciprocity(made), efficiency(made)]).all()
        assert degree(made).degree.values.tolist() == [0] * made.sizes["node"]
        assert clustering(made).values.tolist() == [0] * made.sizes["node"]
        assert components(made).attrs["n_components"] == made.sizes["node"]


def test_measures_are_labelled_with_units_and_coordinates(wiring):
    made = wiring(0).assign_coords(region=("node", ["head"] * 12))
    for measure in (degree(made), strength(made), clustering(made), components(made)):
        assert measure.region.values.tolist() == ["head"] * 12
    assert strength(made).strength.attrs["units"] == "synapses"
    assert degree(made).in_degree.attrs["units"] == clustering(made).attrs["units"] == "1"
    assert strength(made).strength.dtype == np.int64


def test_strengths_of_different_units_are_not_added():
    pair = {"source": ["a"], "target": ["b"]}
    both = merge(from_edges(pair, units="synapses"), from_edges(pair, units="dF/F", edge_type="functional"))
    with pytest.raises(UnitsError, match="cannot be combined"):
        strength(both)
    assert strength(both, edge_type="functional").strength.attrs["units"] == "dF/F"
    assert degree(both).degree.values.tolist() == [2, 2]


@pytest.mark.parametrize("measure", [degree, strength, density, reciprocity, components, clustering, efficiency])
def test_an_unknown_edge_type_is_refused(measure):
    with pytest.raises(InputError, match=r"edge_type must be one of.*got 'synapse'"):
        measure(CYCLE, edge_type="synapse")


def test_an_unknown_connection_is_refused():
    with pytest.raises(InputError, match="connection must be one of 'weak', 'strong', got 'both'"):
        components(CYCLE, connection="both")
