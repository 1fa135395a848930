"""Evidence for connectome/layers/pyg_graphs.py: the same graph by way of PyTorch Geometric."""

import pytest
import torch
from torch_geometric.data import Data, HeteroData

from dynome.connectome import message_graph, to_pyg
from dynome.errors import InputError


def assert_same(one, two):
    assert one.relations == two.relations
    assert one.nodes.tolist() == two.nodes.tolist()
    for a, b in zip(one[:8], two[:8], strict=True):
        torch.testing.assert_close(a, b, atol=0, rtol=0)
    assert len(one.parts) == len(two.parts)


@pytest.mark.parametrize("hetero", [False, True])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_connectome_is_the_same_graph_by_way_of_pyg(wiring, hetero, gaps):
    connectome = wiring(0, gaps=gaps)
    assert_same(message_graph(to_pyg(connectome, hetero=hetero)), message_graph(connectome))


@pytest.mark.parametrize("hetero", [False, True])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_message_graph_goes_to_pyg_and_back(wiring, hetero, gaps):
    found = message_graph(wiring(0, gaps=gaps))
    assert_same(message_graph(to_pyg(found, hetero=hetero)), found)


def test_edge_types_can_be_chosen(wiring):
    connectome = wiring(0)
    for hetero in (False, True):
        data = to_pyg(connectome, hetero=hetero)
        chosen = message_graph(connectome, edge_type="gap_junction")
        assert_same(message_graph(data, edge_type="gap_junction"), chosen)


def test_a_bare_graph_has_ones_for_weights_and_numbers_for_labels():
    found = message_graph(Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=4))
    assert found.nodes.tolist() == ["0", "1", "2", "3"]
    assert found.weight.tolist() == [[1], [1]]
    named = message_graph(Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2), nodes=["p", "q"])
    assert named.nodes.tolist() == ["p", "q"]


def two_kinds():
    data = HeteroData()
    data["neuron"].num_nodes, data["muscle"].num_nodes = 2, 1
    data["neuron", "to", "muscle"].edge_index = torch.tensor([[0], [0]])
    return data


ERRORS = {
    "expected one kind of nodes, got 'neuron', 'muscle'": lambda: message_graph(two_kinds()),
    "expected a graph with edge_index": lambda: message_graph(Data(num_nodes=3)),
    "the graph has 2 nodes, but there are 3 labels": lambda: message_graph(
        Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2), nodes=["a", "b", "c"]
    ),
    r"edge_weight must have one value for each of 1 edges, got shape \(2,\)": lambda: message_graph(
        Data(edge_index=torch.tensor([[0], [1]]), edge_weight=torch.ones(2), num_nodes=2)
    ),
}


@pytest.mark.parametrize(("told", "call"), ERRORS.items(), ids=range(len(ERRORS)))
def test_what_cannot_be_read_is_refused(told, call):
    with pytest.raises(InputError, match=told):
        call()
