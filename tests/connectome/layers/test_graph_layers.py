"""Evidence for all graph layers: what must hold whatever the layer, and layers made of others."""

import numpy as np
import pytest
import torch
from layer_inputs import N, S, edges, features, generator, gradients, graph
from torch_geometric.nn import HeteroConv, SAGEConv

from dynome.connectome import RelationLayer, SignedLayer, from_edges, make_layer, message_graph
from dynome.errors import InputError

NAMES = ("gcn", "gin", "sage", "gat", "signed", "relation")


def layer_of(name, n_in=3, n_out=8, seed=0, **about):
    return make_layer(name, n_in, n_out, n_edge_features=1, generator=generator(seed), **about)


@pytest.mark.parametrize("name", NAMES)
def test_renaming_the_nodes_renames_the_outputs(name):
    source, target, weight = edges()
    order = np.random.default_rng(3).permutation(N)
    place = np.argsort(order)
    x, layer = features(3), layer_of(name)
    moved = layer(message_graph((place[source], place[target], weight), nodes=N), x[order])
    torch.testing.assert_close(moved, layer(graph(), x)[order], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_shuffling_the_connectome_changes_the_output(name):
    x, layer = features(3), layer_of(name)
    assert (layer(graph(0), x) - layer(graph(1), x)).abs().max() > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_edges_never_cross_snapshots(name):
    x, layer, found = features(3), layer_of(name), graph()
    out = layer(found, x)
    changed = x.detach().clone()
    changed[:, 2] += 1
    others = [s for s in range(S) if s != 2]
    torch.testing.assert_close(layer(found, changed)[:, others], out[:, others], atol=0, rtol=0)
    (grad,) = torch.autograd.grad(out[:, 2].square().sum(), x)
    assert grad[:, others].eq(0).all()
    alone = torch.cat([layer(found, x[:, s : s + 1]) for s in range(S)], 1)
    torch.testing.assert_close(alone, out, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["gcn", "gin", "sage", "gat", "signed", "relation"])
def test_on_the_identity_every_node_is_alone(name):
    nodes = np.arange(N)
    found, x, layer = message_graph((nodes, nodes), nodes=N), features(3), layer_of(name)
    (grad,) = torch.autograd.grad(layer(found, x)[4].square().sum(), x)
    assert grad[np.delete(nodes, 4)].eq(0).all()
    alone = message_graph(([0], [0]), nodes=1)
    torch.testing.assert_close(layer(found, x)[4:5], layer(alone, x[4:5]), atol=1e-6, rtol=1e-5)


def test_a_convolution_on_the_identity_is_the_node_wise_model():
    nodes = np.arange(N)
    convolution, plain, x = layer_of("gcn"), layer_of("none"), features(3)
    found = message_graph((nodes, nodes), nodes=N)
    torch.testing.assert_close(convolution(found, x), plain(found, x), atol=1e-6, rtol=1e-5)
    none = np.zeros(0, dtype=int)
    torch.testing.assert_close(
        convolution(message_graph((none, none), nodes=N), x), plain(found, x), atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize("name", [*NAMES, "none"])
def test_isolated_nodes_are_finite_and_depend_on_themselves_alone(name):
    x, layer = features(3), layer_of(name)
    out = layer(graph(), x)
    assert torch.isfinite(out).all()
    (grad,) = torch.autograd.grad(out[N - 1].square().sum(), x)
    assert grad[: N - 1].eq(0).all()
    assert grad[N - 1].abs().max() > 0


@pytest.mark.parametrize("name", [*NAMES, "none"])
def test_single_and_double_precision_agree(name):
    found = graph()
    single, double = layer_of(name), layer_of(name).double()
    out = double(found, features(3, dtype=torch.float64))
    assert out.dtype == torch.float64
    torch.testing.assert_close(single(found, features(3)).double(), out, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", [*NAMES, "none"])
def test_first_weights_come_from_the_generator_alone(name):
    before = torch.get_rng_state()
    one, two, other = layer_of(name, seed=1), layer_of(name, seed=1), layer_of(name, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def loss_after_learning_from(teacher, name):
    found, x = graph(n_edges=40, weight="binary"), features(2, s=20).detach()
    wanted, layer = layer_of(teacher, 2, 4, seed=5)(found, x).detach(), layer_of(name, 2, 4)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(80):
        loss = (layer(found, x) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_learns_what_a_node_alone_cannot_know(name):
    assert loss_after_learning_from(name, name) < 0.5 * loss_after_learning_from(name, "none")


def test_excitation_and_inhibition_have_maps_of_their_own():
    found, x = message_graph(([0, 1, 3], [2, 2, 4], [3.0, -1.0, 2.0]), nodes=5), features(2, n=5)
    layer = SignedLayer(2, 3, generator=generator())
    out = layer(found, x) - layer.own(x)
    wanted = 0.75 * x[0] @ layer.excitatory.weight.T + 0.25 * x[1] @ layer.inhibitory.weight.T
    torch.testing.assert_close(out[2], wanted, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(out[4], x[3] @ layer.excitatory.weight.T, atol=1e-6, rtol=1e-5)
    assert out[[0, 1, 3]].eq(0).all()


def test_edges_of_unknown_sign_are_a_class_of_their_own():
    layer, x = SignedLayer(2, 3, generator=generator()), features(2)
    out = layer(graph(), x)
    (grad,) = torch.autograd.grad(out.sum(), layer.unsigned.weight)
    assert grad.abs().max() > 0
    torch.testing.assert_close(
        torch.autograd.grad(layer(graph(), x).sum(), layer.own.bias)[0], torch.full((3,), N * S * 1.0)
    )


def two_types():
    source, target, weight = edges()
    kinds = np.random.default_rng(1).choice(["chemical", "peptidergic"], source.size)
    names = np.array([f"n{k:02d}" for k in range(N)])
    table = {"source": names[source], "target": names[target], "weight": weight, "edge_type": kinds}
    return message_graph(from_edges(table, node=names, units="1"), weight="binary")


def test_a_layer_for_every_edge_type_is_that_of_pyg():
    found, x = two_types(), features(3)
    layer = RelationLayer(3, 6, n_relations=2, generator=generator())
    keys = [("node", name, "node") for name in found.relations]
    convolutions = {}
    for key, base in zip(keys, layer.layers, strict=True):
        convolutions[key] = SAGEConv(3, 6)
        convolutions[key].lin_l.load_state_dict({"weight": base.inputs.weight, "bias": base.own.bias})
        convolutions[key].lin_r.load_state_dict({"weight": base.own.weight})
    reference = HeteroConv(convolutions, aggr="sum")
    ends = {key: torch.stack([part.source, part.target]) for key, part in zip(keys, found.parts, strict=True)}
    theirs = torch.stack([reference({"node": x[:, s]}, ends)["node"] for s in range(S)], 1)
    ours = layer(found, x)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradients(ours, x)[0], gradients(theirs, x)[0], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("base", ["gcn", "gin", "sage", "gat", "signed"])
def test_any_layer_serves_every_edge_type(base):
    found, x = two_types(), features(3)
    layer = RelationLayer(3, 8, n_relations=2, base=base, n_edge_features=1, generator=generator())
    parts = [inner(part, x) for inner, part in zip(layer.layers, found.parts, strict=True)]
    torch.testing.assert_close(layer(found, x), parts[0] + parts[1])


ERRORS = {
    r"layer must be one of 'gcn', .*'relation', 'none', got 'gnn'": lambda: make_layer("gnn", 2, 2),
    r"base must be gcn, gin, sage, gat or signed, got 'none'": lambda: RelationLayer(2, 2, n_relations=1, base="none"),
    r"made for 3 relations, the graph has 1 \(edge\)": lambda: RelationLayer(2, 2, n_relations=3)(graph(), features(2)),
}


@pytest.mark.parametrize(("told", "call"), ERRORS.items(), ids=range(len(ERRORS)))
def test_what_cannot_be_made_is_refused(told, call):
    with pytest.raises(InputError, match=told):
        call()


@pytest.mark.parametrize("name", [*NAMES, "none"])
def test_features_of_other_nodes_are_refused(name):
    with pytest.raises(InputError, match=r"features must be \(node, snapshot, feature\) with 17 nodes"):
        layer_of(name)(graph(), torch.zeros(4, 2, 3))


@pytest.mark.parametrize("name", [*NAMES, "none"])
def test_a_layer_is_saved_without_pickle_of_code(name, tmp_path):
    first, second = layer_of(name, seed=1), layer_of(name, seed=2)
    torch.save(first.state_dict(), tmp_path / "weights.pt")
    second.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    torch.testing.assert_close(first(graph(), features(3)), second(graph(), features(3)), atol=0, rtol=0)


@pytest.mark.parametrize("name", [*NAMES, "none"])
def test_a_compiled_layer_gives_the_same(name):
    layer, x, found = layer_of(name), features(3), graph()
    compiled = torch.compile(layer, backend="aot_eager")
    ours, theirs = layer(found, x), compiled(found, x)
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradients(theirs, x)[0], gradients(ours, x)[0], atol=1e-4, rtol=1e-4)
