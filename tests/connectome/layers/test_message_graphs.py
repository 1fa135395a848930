"""Evidence for connectome/layers/message_graphs.py: what is kept of a connectome, and what is refused."""

import numpy as np
import pytest
import torch
from layer_inputs import N, edges, graph

from dynome.connectome import from_edges, message_graph, moved, to_dense
from dynome.errors import InputError

WIRING = {
    "source": ["a", "a", "b", "c"],
    "target": ["b", "c", "c", "b"],
    "weight": [3, 5, 2, 2],
    "edge_type": ["chemical", "chemical", "gap_junction", "gap_junction"],
    "sign": [1, -1, 0, 0],
}


def wiring(**changes):
    return from_edges({**WIRING, **changes}, node=["a", "b", "c", "d"], units="synapses")


def dense(found, column):
    matrix = np.zeros((found.n_nodes, found.n_nodes))
    matrix[found.source, found.target] = found.weight[:, column]
    return matrix


def test_weights_of_each_edge_type_are_the_matrices_of_the_connectome():
    found = message_graph(wiring())
    assert found.relations == ("chemical", "gap_junction")
    for column, name in enumerate(found.relations):
        np.testing.assert_array_equal(dense(found, column), to_dense(wiring(), name))
        np.testing.assert_array_equal(dense(found.parts[column], 0), to_dense(wiring(), name))


def test_a_pair_that_two_edge_types_connect_is_one_row():
    two = {"source": ["a", "a"], "target": ["b", "b"], "weight": [3, 4], "edge_type": ["chemical", "peptidergic"]}
    found = message_graph(from_edges(two, units="synapses"))
    assert found.source.tolist() == [0]
    assert found.weight.tolist() == [[3, 4]]


def test_both_ends_list_the_same_edges():
    found = graph()
    for node in range(N):
        rows = slice(found.pointer[node], found.pointer[node + 1])
        assert (found.target[rows] == node).all()
        outputs = found.by_source[found.source_pointer[node] : found.source_pointer[node + 1]]
        assert (found.source[outputs] == node).all()
    assert sorted(found.by_source.tolist()) == list(range(found.source.numel()))


def test_nodes_define_the_rows_and_their_order():
    found = message_graph(wiring(), nodes=["x", "c", "a"])
    assert found.n_nodes == 3
    assert [(found.nodes[s], found.nodes[t]) for s, t in zip(found.source, found.target, strict=True)] == [("a", "c")]


def test_weights_are_counts_logarithms_or_ones():
    values = {kind: message_graph(wiring(), edge_type="chemical", weight=kind).weight[:, 0] for kind in
              ("count", "log", "binary")}  # fmt: skip
    torch.testing.assert_close(values["log"], torch.log1p(values["count"]))
    assert values["count"].tolist() == [3, 5]
    assert values["binary"].tolist() == [1, 1]


def test_signs_multiply_weights_where_they_are_known():
    assert message_graph(wiring(), edge_type="chemical", signed=True).weight[:, 0].tolist() == [3, -5]
    with pytest.raises(InputError, match=r"the sign of 2 of 4 edges is unknown.*SignedLayer"):
        message_graph(wiring(), signed=True)


def test_features_of_an_edge_are_its_weights_and_signs():
    found = message_graph(wiring())
    torch.testing.assert_close(found.feature[:, :2], torch.log1p(found.weight))
    torch.testing.assert_close(found.feature[:, 2:], found.sign.float())
    assert [part.feature.shape[1] for part in found.parts] == [2, 2]
    assert message_graph(edges(), nodes=N).feature.shape[1] == 1


def test_loops_are_added_to_nodes_without_one():
    found = message_graph(([0, 1], [0, 2], [7.0, 1.0]), nodes=3, self_loops=True)
    matrix = dense(found, 0)
    np.testing.assert_array_equal(np.diag(matrix), [7, 1, 1])
    assert matrix[1, 2] == 1


def test_a_graph_without_edges_is_a_graph():
    none = np.zeros(0, dtype=int)
    found = message_graph((none, none), nodes=3)
    assert found.pointer.tolist() == [0, 0, 0, 0]
    assert message_graph((none, none), nodes=3, self_loops=True).source.tolist() == [0, 1, 2]


def test_a_moved_graph_has_everything_on_the_device():
    there = moved(message_graph(wiring()), "meta")
    tensors = [v for g in (there, *there.parts) for v in g if isinstance(v, torch.Tensor)]
    assert len(tensors) == 24
    assert all(v.device.type == "meta" for v in tensors)


ERRORS = {
    r"none of the 2 nodes is in the connectome: nodes begins 'p', 'q'": lambda: message_graph(
        wiring(), nodes=["p", "q"]
    ),
    r"nodes must be unique, found more than once: 'a'": lambda: message_graph(wiring(), nodes=["a", "a"]),
    r"nodes must be labels or None, got 4": lambda: message_graph(wiring(), nodes=4),
    r"weight must be one of .*got 'counts'": lambda: message_graph(wiring(), weight="counts"),
    r"edge_type must be one of .*got 'chem'": lambda: message_graph(wiring(), edge_type="chem"),
    r"1 edges are given more than once; add them up": lambda: message_graph(([0, 0], [1, 1]), nodes=2),
    r"positions must be from 0 to 1, found 1 outside\n.*found 1 that are not": lambda: message_graph(
        ([0, 2], [1, 1], [np.nan, 1]), nodes=2
    ),
    r"give nodes": lambda: message_graph(([0], [1])),
    r"source must hold positions \(integers\), got dtype float64": lambda: message_graph(([0.5], [1]), nodes=2),
    r"as long as each other, got \(1,\), \(2,\) and \(1,\)": lambda: message_graph(([0], [1, 1]), nodes=2),
    r"\(source, target\) or \(source, target, weight\), got 1": lambda: message_graph(([0],), nodes=2),
    r"expected a connectome, arrays, Data or HeteroData, got int": lambda: message_graph(3),
}


@pytest.mark.parametrize(("told", "call"), ERRORS.items(), ids=range(len(ERRORS)))
def test_what_is_no_graph_is_refused(told, call):
    with pytest.raises(InputError, match=told):
        call()
