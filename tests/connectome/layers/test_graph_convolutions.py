"""Evidence for connectome/layers/convolutions.py: forward and gradients of PyTorch Geometric, weights copied."""

import pytest
import torch
from layer_inputs import N, S, features, generator, gradients, graph
from torch_geometric.nn import GCNConv, GINConv, SAGEConv

from dynome.connectome import GCNLayer, GINLayer, SAGELayer, message_graph
from dynome.errors import InputError

WIDTHS = [(3, 8), (6, 4), (5, 5)]
KERNELS = ["dense", "sparse"]


def ends(found):
    return torch.stack([found.source, found.target])


def assert_same(ours, theirs, *inputs):
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for a, b in zip(gradients(ours, *inputs[0]), gradients(theirs, *inputs[1]), strict=True):
        torch.testing.assert_close(a.reshape(b.shape), b, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("n_in", "n_out"), WIDTHS)
def test_graph_convolution_is_that_of_pyg(n_in, n_out, kernel):
    found, x = graph(), features(n_in)
    layer, reference = GCNLayer(n_in, n_out, kernel=kernel, generator=generator()), GCNConv(n_in, n_out)
    reference.lin.weight.data = layer.map.weight.data.clone()
    layer.map.bias.data.uniform_(-1, 1, generator=generator())
    reference.bias.data = layer.map.bias.data.clone()
    theirs = reference(x.transpose(0, 1), ends(found), found.weight[:, 0]).transpose(0, 1)
    mine, other = (x, layer.map.weight, layer.map.bias), (x, reference.lin.weight, reference.bias)
    assert_same(layer(found, x), theirs, mine, other)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("n_in", "n_out"), WIDTHS)
def test_isomorphism_layer_is_that_of_pyg(n_in, n_out, kernel):
    found, x = graph(weight="binary"), features(n_in)
    layer = GINLayer(n_in, n_out, kernel=kernel, generator=generator())
    layer.epsilon.data.fill_(0.3)
    network = torch.nn.Sequential(layer.first, torch.nn.ReLU(), layer.second)
    reference = GINConv(network, train_eps=True)
    reference.eps.data.fill_(0.3)
    theirs = torch.stack([reference(x[:, s], ends(found)) for s in range(S)], 1)
    shared = x, layer.first.weight, layer.first.bias, layer.second.weight
    assert_same(layer(found, x), theirs, (*shared, layer.epsilon), (*shared, reference.eps))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("n_in", "n_out"), WIDTHS)
def test_graphsage_is_that_of_pyg(n_in, n_out, kernel):
    found, x = graph(weight="binary"), features(n_in)
    layer, reference = SAGELayer(n_in, n_out, kernel=kernel, generator=generator()), SAGEConv(n_in, n_out)
    reference.lin_l.weight.data = layer.inputs.weight.data.clone()
    reference.lin_l.bias.data = layer.own.bias.data.clone()
    reference.lin_r.weight.data = layer.own.weight.data.clone()
    theirs = torch.stack([reference(x[:, s], ends(found)) for s in range(S)], 1)
    other = x, reference.lin_l.weight, reference.lin_l.bias, reference.lin_r.weight
    assert_same(layer(found, x), theirs, (x, layer.inputs.weight, layer.own.bias, layer.own.weight), other)


def test_a_loop_of_the_graph_keeps_its_weight_as_in_pyg():
    found, x = message_graph(([0, 0, 1], [0, 1, 2], [4.0, 2.0, 1.0]), nodes=3), features(2, n=3)
    layer, reference = GCNLayer(2, 2), GCNConv(2, 2)
    reference.lin.weight.data = layer.map.weight.data.clone()
    theirs = reference(x.transpose(0, 1), ends(found), found.weight[:, 0]).transpose(0, 1)
    torch.testing.assert_close(layer(found, x), theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cls", [GCNLayer, SAGELayer])
def test_layers_that_divide_by_degrees_refuse_negative_weights(cls):
    source, target = torch.arange(3).numpy(), torch.arange(1, 4).numpy()
    negative = message_graph((source, target, [1.0, -1.0, 2.0]), nodes=N)
    with pytest.raises(
        InputError, match=r"divides by degrees, but 1 of 3 weights are negative; use SignedLayer.*layer=\"signed\""
    ):
        cls(2, 2)(negative, features(2))


def test_gradients_reach_learnt_weights_of_edges():
    found = graph()
    learnt = found.weight.clone().requires_grad_()
    for layer in (GCNLayer(3, 4), GINLayer(3, 4), SAGELayer(3, 4)):
        (grad,) = gradients(layer(found._replace(weight=learnt), features(3)), learnt)
        assert grad.shape == (60, 1)
        assert grad.abs().max() > 0


@pytest.mark.parametrize("cls", [GCNLayer, GINLayer, SAGELayer])
def test_one_channel_gives_the_same_with_and_without_gradients(cls):
    layer, x = cls(1, 4, generator=generator()), features(1)
    with torch.no_grad():
        without = layer(graph(), x)
    torch.testing.assert_close(without, layer(graph(), x).detach(), atol=1e-6, rtol=1e-5)
