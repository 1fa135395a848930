"""Evidence for connectome/layers/attention*.py: PyTorch Geometric on each snapshot alone, and finite differences."""

import pytest
import torch
from layer_inputs import N, S, edges, features, generator, gradients, graph
from torch_geometric.nn import GATv2Conv

from dynome import device
from dynome.connectome import GATv2Layer, message_graph
from dynome.connectome.layers import attention_sums, thread_shares
from dynome.connectome.layers.attention_sums import attended, attended_by_torch
from dynome.errors import InputError


def both(heads, channels, n_edge_features, own, dtype=torch.float32):
    layer = GATv2Layer(
        3, heads * channels, heads=heads, n_edge_features=n_edge_features, own=own, generator=generator()
    ).to(dtype)
    layer.bias.data.uniform_(-1, 1, generator=generator())
    reference = GATv2Conv(
        3, channels, heads=heads, edge_dim=n_edge_features or None, add_self_loops=False, residual=own
    ).to(dtype)
    reference.lin_l.load_state_dict(layer.from_source.state_dict())
    reference.lin_r.load_state_dict(layer.from_target.state_dict())
    reference.att.data, reference.bias.data = layer.attention.data[None].clone(), layer.bias.data.clone()
    if own:
        reference.res.load_state_dict(layer.own.state_dict())
    if n_edge_features:
        reference.lin_edge.load_state_dict(layer.from_edge.state_dict())
    return layer, reference


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("heads", "channels"), [(1, 1), (4, 2), (2, 5), (1, 8)])
@pytest.mark.parametrize("n_edge_features", [0, 1])
def test_attention_and_its_gradients_are_those_of_pyg(heads, channels, n_edge_features, dtype):
    found, x = graph(), features(3, dtype=dtype)
    layer, reference = both(heads, channels, n_edge_features, True, dtype)
    ends, edge = torch.stack([found.source, found.target]), found.feature.to(dtype) if n_edge_features else None
    ours, theirs = layer(found, x), torch.stack([reference(x[:, s], ends, edge) for s in range(S)], 1)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    pairs = [(x, x), (layer.attention, reference.att), (layer.bias, reference.bias)]
    pairs += [(layer.from_source.weight, reference.lin_l.weight), (layer.from_target.bias, reference.lin_r.bias)]
    if n_edge_features:
        pairs.append((layer.from_edge.weight, reference.lin_edge.weight))
    mine, other = zip(*pairs, strict=True)
    for a, b in zip(gradients(ours, *mine), gradients(theirs, *other), strict=True):
        torch.testing.assert_close(a.reshape(b.shape), b, atol=3e-4, rtol=1e-4)


@pytest.mark.parametrize("lanes", [1, 3, 8, 128])
@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_and_threads_agree_with_operations_of_torch_alone(monkeypatch, lanes, threads):
    monkeypatch.setattr(attention_sums, "_LANES", (lanes, lanes))
    monkeypatch.setattr(thread_shares, "_MANY", 1)
    found = graph()
    arrays = [features(6, seed, s=11).view(N, 11, 2, 3) for seed in (0, 1)]
    inputs = (*arrays, features(6, 2, n=60, s=1).view(60, 2, 3), features(3, 3, n=2, s=1).view(2, 3))
    with device.threads(threads):
        ours = attended(found, *inputs)
        grads = gradients(ours, *inputs)
    theirs = attended_by_torch(found, *inputs)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for a, b in zip(grads, gradients(theirs, *inputs), strict=True):
        torch.testing.assert_close(a, b, atol=3e-4, rtol=1e-4)


def test_gradients_agree_with_finite_differences():
    found = graph(n_edges=20)
    shapes = (N, 3, 2, 2), (N, 3, 2, 2), (20, 2, 2), (2, 2)
    random = generator(3)
    inputs = [torch.randn(*shape, dtype=torch.float64, generator=random).requires_grad_() for shape in shapes]
    assert torch.autograd.gradcheck(lambda *values: attended(found, *values), inputs)


def test_what_a_node_pays_sums_to_one_and_gives_the_output():
    found, x = graph(), features(3)
    layer = GATv2Layer(3, 4, heads=2, n_edge_features=1, own=False)
    alpha = layer.weights(found, x)
    total = torch.zeros(N, S, 2).index_add(0, found.target, alpha)
    has_inputs = (found.pointer.diff() > 0).float().view(-1, 1, 1).expand_as(total)
    torch.testing.assert_close(total, has_inputs)
    values = layer.from_source(x).view(N, S, 2, 2)[found.source]
    out = torch.zeros(N, S, 2, 2).index_add(0, found.target, alpha.unsqueeze(-1) * values)
    torch.testing.assert_close(layer(found, x), out.flatten(2), atol=1e-5, rtol=1e-5)


def test_large_logits_do_not_overflow():
    found, x = graph(), 1e4 * features(3).detach()
    layer = GATv2Layer(3, 4, heads=2)
    torch.testing.assert_close(layer(found, x), both_by_torch(layer, found, x), atol=1e-2, rtol=1e-4)


def both_by_torch(layer, found, x):
    return attended_by_torch(found, *layer._projected(found, x)).flatten(2) + layer.bias + layer.own(x)


def test_nan_is_passed_on_and_never_hidden():
    found, x = message_graph(([0, 1, 3], [1, 2, 2]), nodes=5), torch.ones(5, 2, 3)
    for node, reached in ((0, [0, 1]), (2, [2])):
        bad = x.clone()
        bad[node, 1] = torch.nan
        out = GATv2Layer(3, 4, heads=2)(found, bad)
        assert torch.isnan(out[:, 1]).any(1).nonzero().flatten().tolist() == reached
        assert not torch.isnan(out[:, 0]).any()


def test_single_precision_exponentials_are_accurate():
    from numba import njit

    from dynome.connectome.layers import attention_loops

    @njit
    def each(x, out):
        for k in range(x.size):
            out[k] = attention_loops.exponential(x[k])

    x = torch.linspace(-80, 0, 4001)
    out = torch.empty_like(x)
    each(x.numpy(), out.numpy())
    torch.testing.assert_close(out, x.double().exp().float(), atol=0, rtol=1e-6)


def test_wrong_sizes_are_refused():
    with pytest.raises(InputError, match="heads must divide n_out, got 3 heads and n_out=8"):
        GATv2Layer(3, 8, heads=3)
    with pytest.raises(InputError, match="made for 2 features of an edge, the graph has 1"):
        GATv2Layer(3, 8, n_edge_features=2)(message_graph(edges(), nodes=N), features(3))
