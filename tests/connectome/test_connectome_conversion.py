"""Evidence for connectome/conversion.py and graphs.py: one connectome, the same in every representation."""

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings

from dynome.connectome import (
    from_adjacency,
    from_edges,
    from_networkx,
    merge,
    reorder,
    subgraph,
    to_dense,
    to_edges,
    to_networkx,
    to_pyg,
    to_scipy,
)
from dynome.errors import InputError, SchemaError

NAMES = ["d", "a", "c", "b", "lonely"]
seeds = st.integers(0, 10_000)
edge = st.tuples(
    st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from(["chemical", "functional"]), st.integers(1, 99)
)
edge_lists = st.lists(edge, max_size=14, unique_by=lambda e: e[:3])


def connectome(rows, **options):
    names = ("source", "target", "edge_type", "weight")
    return from_edges({n: [r[k] for r in rows] for k, n in enumerate(names)}, node=NAMES, units="synapses", **options)


@settings(max_examples=30, deadline=None)
@given(rows=edge_lists)
def test_dense_scipy_networkx_and_pyg_tell_of_the_same_edges(rows):
    made = connectome(rows)
    expected = np.zeros((5, 5))
    for source, target, _, weight in rows:
        expected[NAMES.index(source), NAMES.index(target)] += weight
    graph = to_networkx(made)
    data = to_pyg(made)
    from_pyg = np.zeros((5, 5))
    np.add.at(from_pyg, tuple(data.edge_index.numpy()), data.edge_weight.numpy())
    np.testing.assert_array_equal(to_dense(made), expected)
    np.testing.assert_array_equal(to_scipy(made).toarray(), expected)
    np.testing.assert_array_equal(nx.to_numpy_array(graph, nodelist=NAMES), expected)
    np.testing.assert_array_equal(from_pyg, expected)
    assert list(graph.nodes) == data.node == NAMES


@settings(max_examples=30, deadline=None)
@given(rows=edge_lists)
def test_an_edge_list_comes_back_from_the_connectome(rows):
    made = connectome(rows)
    table = to_edges(made)
    assert sorted(zip(table.source, table.target, table.edge_type, table.weight, strict=True)) == sorted(rows)
    if rows:
        xr.testing.assert_identical(from_edges(table, node=NAMES, units="synapses"), made)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(edge.map(lambda e: (*e[:2], "chemical", e[3])), max_size=12, unique_by=lambda e: e[:2]))
def test_one_layer_comes_back_from_every_matrix(rows):
    made = connectome(rows)
    for matrix in (to_dense(made), to_scipy(made), to_dense(made, fill=np.nan)):
        labels = {} if isinstance(matrix, xr.DataArray) else {"node": NAMES}
        back = from_adjacency(matrix, units="synapses", **labels)
        np.testing.assert_array_equal(to_scipy(back).toarray(), to_scipy(made).toarray())
        assert back.node.values.tolist() == NAMES
        assert to_edges(back).shape == to_edges(made).shape


@settings(max_examples=25, deadline=None)
@given(seed=seeds, directed=st.booleans(), gaps=st.booleans())
def test_networkx_gives_back_the_identical_connectome(wiring, seed, directed, gaps):
    made = wiring(seed, directed=directed, gaps=gaps)
    xr.testing.assert_identical(from_networkx(to_networkx(made)), made)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, data=st.data())
def test_conversions_follow_a_permutation_of_the_nodes(wiring, seed, data):
    made = wiring(seed)
    order = data.draw(st.permutations(made.node.values.tolist()))
    turned = reorder(made, node=order)
    place = [made.node.values.tolist().index(name) for name in order]
    np.testing.assert_array_equal(to_scipy(turned).toarray(), to_scipy(made).toarray()[np.ix_(place, place)])
    xr.testing.assert_equal(to_dense(turned), to_dense(made).sel(source=order, target=order))
    edges = {tuple(e) for e in np.array(order)[to_pyg(turned).edge_index.numpy()].T.tolist()}
    assert edges == {tuple(e) for e in made.node.values[to_pyg(made).edge_index.numpy()].T.tolist()}


ONE_WAY = from_edges({"source": ["ASHR", "AVAL"], "target": ["AVAL", "VA8"], "weight": [7, 3]}, units="synapses")


def test_every_representation_points_from_source_to_target():
    assert to_dense(ONE_WAY).sel(source="ASHR", target="AVAL") == 7
    assert to_scipy(ONE_WAY).toarray().tolist() == [[0, 7, 0], [0, 0, 3], [0, 0, 0]]
    assert list(to_networkx(ONE_WAY).successors("ASHR")) == ["AVAL"]
    assert to_pyg(ONE_WAY).edge_index.tolist() == [[0, 1], [1, 2]]


def test_a_message_in_pyg_arrives_at_the_postsynaptic_neuron():
    from torch_geometric.nn import SimpleConv

    data = to_pyg(ONE_WAY)
    arrived = SimpleConv(aggr="sum")(torch.eye(3), data.edge_index, data.edge_weight)
    np.testing.assert_array_equal(arrived.numpy(), to_dense(ONE_WAY).to_numpy().T)


def test_an_absent_edge_can_be_told_from_an_edge_of_weight_zero():
    made = from_edges({"source": ["a"], "target": ["b"], "weight": [0]}, units="1")
    np.testing.assert_array_equal(to_dense(made, fill=np.nan), [[np.nan, 0], [np.nan, np.nan]])
    assert to_scipy(made).nnz == 1


def test_types_are_taken_apart_or_added(wiring):
    made = wiring(3)
    chemical, gap = (to_dense(made, t) for t in ("chemical", "gap_junction"))
    xr.testing.assert_equal(to_dense(made, ["gap_junction", "chemical"]), chemical + gap)
    np.testing.assert_array_equal(gap, gap.T)
    np.testing.assert_array_equal(to_scipy(made, "gap_junction").toarray(), gap)
    assert to_scipy(made, "peptidergic").nnz == 0


def test_signs_turn_weights_into_excitation_and_inhibition(wiring):
    made = wiring(5, gaps=False)
    expected = to_dense(made.assign(weight=made.weight * made.sign))
    np.testing.assert_array_equal(to_dense(made, sign=True), expected)
    np.testing.assert_array_equal(to_scipy(made, sign=True).toarray(), expected)
    assert (expected < 0).any()


def test_a_dense_matrix_is_labelled_and_has_units(wiring):
    weight = to_dense(wiring(0))
    assert weight.dims == ("source", "target")
    assert weight.attrs == {"units": "synapses", "long_name": "weight", "directed": 1}


@pytest.mark.parametrize(
    ("directed", "gaps", "cls"),
    [(True, False, nx.DiGraph), (True, True, nx.MultiDiGraph), (False, False, nx.Graph), (False, True, nx.MultiGraph)],
)
def test_the_class_of_the_networkx_graph_fits(wiring, directed, gaps, cls):
    made = wiring(2, directed=directed, gaps=gaps)
    graph = to_networkx(made)
    assert type(graph) is cls
    loops = int((made.source == made.target).sum())
    assert graph.number_of_edges() == (made.sizes["edge"] if directed else (made.sizes["edge"] + loops) // 2)


def test_networkx_carries_plain_values_that_graphml_can_write(wiring, tmp_path):
    made = wiring(4).assign_coords(region=("node", ["head"] * 12), rank=("node", np.arange(12)))
    graph = to_networkx(made)
    assert graph.nodes["n03"] == {"region": "head", "rank": 3}
    assert {type(v) for _, _, about in graph.edges(data=True) for v in about.values()} == {int, str}
    nx.write_graphml(graph, tmp_path / "graph.graphml")
    back = nx.read_graphml(tmp_path / "graph.graphml", force_multigraph=True)
    xr.testing.assert_equal(from_networkx(back), made)


def test_units_of_layers_columns_and_coordinates_survive_networkx():
    parts = [
        from_edges(
            {"source": ["a"], "target": ["b"], "delay": [0.5]},
            node_coords={"x": xr.DataArray([1.0, 2.0], dims="node", coords={"node": ["a", "b"]})},
            units={"weight": "synapses", "delay": "ms", "x": "um"},
        ),
        from_edges({"source": ["b"], "target": ["a"]}, units="dF/F", edge_type="functional"),
    ]
    both = merge(*parts)
    xr.testing.assert_identical(from_networkx(to_networkx(both)), both)


def test_pyg_keeps_labels_types_places_and_columns():
    made = from_edges(
        {"source": ["a", "b"], "target": ["b", "b"], "edge_type": ["functional", "chemical"], "sign": [-1, 1]},
        node=["a", "b", "c"],
        node_coords={"x": [1.0, 2, 3], "y": [4.0, 5, 6]},
        units={"x": "um", "y": "um"},
    )
    data = to_pyg(made)
    assert data.edge_index.dtype == torch.int64
    assert data.edge_weight.dtype == torch.float32
    assert [data.edge_type_names[k] for k in data.edge_type] == ["chemical", "functional"]
    assert data.edge_sign.tolist() == [1, -1]
    assert data.pos.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert data.num_nodes == 3
    assert data.has_isolated_nodes()
    assert data.has_self_loops()
    assert data.validate()


def test_hetero_pyg_has_one_store_per_edge_type():
    made = from_edges(
        {"source": ["a", "b"], "target": ["b", "b"], "edge_type": ["functional", "chemical"]},
        node=["a", "b", "c"],
        attrs={"node_kind": "neuron"},
    )
    data = to_pyg(made, hetero=True)
    assert data.edge_types == [("neuron", "chemical", "neuron"), ("neuron", "functional", "neuron")]
    assert data["neuron", "functional", "neuron"].edge_index.tolist() == [[0], [1]]
    assert data["neuron"].node == ["a", "b", "c"]
    assert data.validate()


def test_no_edges_and_no_nodes_convert_too():
    for made in (from_edges({"source": [], "target": []}, node=["a", "b"]), from_edges({"source": [], "target": []})):
        n = made.sizes["node"]
        assert to_dense(made).shape == to_scipy(made).shape == (n, n)
        assert to_networkx(made).number_of_nodes() == to_pyg(made).num_nodes == to_pyg(made, hetero=True).num_nodes == n
        assert to_pyg(made).edge_index.shape == (2, 0)
        xr.testing.assert_identical(from_networkx(to_networkx(made)), made)


def test_the_connectome_is_not_modified(wiring):
    made = wiring(6)
    before = made.copy(deep=True)
    for convert in (to_dense, to_scipy, to_edges, to_networkx, to_pyg):
        convert(made)
    xr.testing.assert_identical(made, before)


@pytest.mark.parametrize("convert", [to_dense, to_scipy, to_networkx, to_pyg])
def test_an_invalid_connectome_is_refused_by_every_conversion(wiring, convert):
    made = wiring(0)
    for broken, message in (
        (made.drop_vars("weight"), "missing 'weight'"),
        (made.assign_coords(node=["x", *made.node.values[1:]]), "found unknown 'n00'"),
        (made.assign(weight=made.weight.where(made.weight > 2)), "weight must be finite"),
    ):
        with pytest.raises(SchemaError, match=message):
            convert(broken)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: to_dense(c, "chem"), "edge_type must be one of chemical.*got 'chem'"),
        (lambda c: to_dense(c.drop_vars("sign"), sign=True), 'no variable "sign"'),
        (lambda c: to_scipy(c.assign(sign=c.sign * 0), sign=True), r"sign of \d+ of \d+ edges is unknown"),
    ],
)
def test_what_cannot_be_answered_is_refused(wiring, call, message):
    with pytest.raises(InputError, match=message):
        call(wiring(0))


def test_a_matrix_that_would_not_fit_in_memory_is_refused():
    many = from_edges({"source": ["0"], "target": ["1"]}, node=[str(k) for k in range(50_000)])
    with pytest.raises(InputError, match="dense matrix of 50000 nodes needs 20 GB; use to_scipy"):
        to_dense(many)
    assert to_scipy(many).nnz == to_dense(subgraph(many, node=["0", "1"])).sum() == 1
