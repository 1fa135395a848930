"""Evidence for attributions and embeddings: two ways agree, what cannot matter has none, and the errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import spearmanr

from dynome.connectome import from_edges
from dynome.connectome.layers.making import make_layer
from dynome.connectome.layers.message_graphs import message_graph
from dynome.dynamics import AR, Persistence
from dynome.dynamics.forecasting.series import stacked
from dynome.errors import InputError, NotFittedError
from dynome.inference import (
    ConnectomeGNN,
    ConnectomeRNN,
    RecurrentForecaster,
    edge_attribution,
    node_attribution,
    node_embeddings,
)
from dynome.inference.networks.gates import carrying, gated, without

QUICK = {"n_epochs": 4, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def gnn(task):
    torch.set_num_threads(1)
    return ConnectomeGNN("signed", hidden=8, dropout=0.0, **QUICK).fit(task.train)


@pytest.fixture(scope="module")
def rnn(task):
    torch.set_num_threads(1)
    return ConnectomeRNN(**QUICK).fit(task.train)


@pytest.mark.parametrize("which", ["gnn", "rnn"])
def test_gradients_and_removal_agree_on_which_connections_matter(which, task, request):
    model = request.getfixturevalue(which)
    exact, first = (edge_attribution(model, task.test, method=m, n_windows=10) for m in ("ablation", "gradient"))
    assert (exact.source == first.source).all()
    assert (exact.target == first.target).all()
    assert np.corrcoef(exact, first)[0, 1] > 0.8
    assert (edge_attribution(model, task.test, n_windows=10) == first).all()


def test_a_connection_from_a_node_that_nobody_recorded_carries_nothing(gnn, task):
    found = edge_attribution(gnn, task.test, method="ablation", n_windows=10)
    series = stacked(task.test)
    absent = series.nodes[~series.recorded.any(axis=0)]
    if absent.size:
        assert (found[np.isin(found.source, absent)] == 0).all()
    alone = edge_attribution(
        gnn, task.test, method="ablation", node=str(series.nodes[series.recorded[0]][0]), n_windows=10
    )
    assert float(alone.max()) > 0


def test_messages_reach_as_far_as_there_are_layers(task):
    model = ConnectomeGNN("signed", n_layers=1, hidden=8, **QUICK).fit(task.train)
    name = str(stacked(task.test).nodes[stacked(task.test).recorded[0]][0])
    found = edge_attribution(model, task.test, method="ablation", node=name, n_windows=10)
    assert (found[found.target != name] == 0).all()
    assert float(found[found.target == name].max()) > 0


@pytest.mark.parametrize("layer", ["signed", "sage", "gcn"])
def test_the_only_input_of_a_node_has_an_attribution(layer, task, monkeypatch):
    monkeypatch.setattr("dynome.inference.networks.attribution._PROBES", 256)
    nodes = stacked(task.test).nodes
    chain = from_edges({"source": nodes[:-1], "target": nodes[1:], "weight": np.arange(1.0, nodes.size)}, units="1")
    model = ConnectomeGNN(layer, n_layers=1, hidden=8, dropout=0.0, connectome=chain, **QUICK).fit(task.train)
    exact, first = (edge_attribution(model, task.test, method=m, n_windows=20) for m in ("ablation", "gradient"))
    carries = exact > 0
    assert carries.sum() >= 5
    assert (first[carries] > 0).all()
    assert spearmanr(exact[carries], first[carries]).statistic > 0.5
    assert np.median(first[carries] / exact[carries]) == pytest.approx(1, abs=0.4)


@pytest.mark.parametrize(("layer", "hidden_nodes"), [("signed", True), ("gat", False)])
def test_connections_that_lead_to_no_forecast_are_not_tried(layer, hidden_nodes, task, monkeypatch):
    model = ConnectomeGNN(layer, hidden=8, hidden_nodes=hidden_nodes, **QUICK | {"n_epochs": 1}).fit(task.train)
    name = str(stacked(task.test).nodes[stacked(task.test).recorded[0]][0])
    quick = edge_attribution(model, task.test, method="ablation", node=name, n_windows=4)
    tried = []
    with monkeypatch.context() as patch:

        def every(graphs, sends, wanted, n_steps):
            tried.append(carrying(graphs, sends, wanted, n_steps).numpy())
            return torch.ones(quick.size, dtype=torch.bool)

        patch.setattr("dynome.inference.networks.gates.carrying", every)
        whole = edge_attribution(model, task.test, method="ablation", node=name, n_windows=4)
    np.testing.assert_array_equal(quick, whole)
    assert 0 < tried[0].sum() < quick.size


@pytest.mark.parametrize("layer", ["gin", "relation"])
def test_a_closed_gate_is_a_connection_that_carries_nothing(layer):
    rng = np.random.default_rng(0)
    pairs = np.array([(i, j) for i in range(6) for j in range(6) if i != j and rng.random() < 0.5])
    wiring = xr.Dataset(
        {
            "source": ("edge", [f"n{i}" for i, _ in pairs]),
            "target": ("edge", [f"n{j}" for _, j in pairs]),
            "weight": ("edge", rng.integers(1, 9, len(pairs)), {"units": "synapses"}),
            "edge_type": ("edge", ["chemical", "functional"] * (len(pairs) // 2) + ["chemical"] * (len(pairs) % 2)),
        },
        {"node": [f"n{i}" for i in range(6)]},
        {"directed": 1},
    )
    graph = message_graph(wiring)
    net = make_layer(layer, 3, 4, n_relations=2, generator=torch.Generator().manual_seed(0))
    x = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(1))
    for row in range(graph.source.numel()):
        gate = torch.ones(graph.source.numel())
        gate[row] = 0
        source, target = graph.source[row], graph.target[row]
        closed = gated(graph, gate)
        if layer == "gin":  # nothing is divided: as if the connection were not there
            torch.testing.assert_close(net(closed, x), net(without(graph, row), x))
        # What its source does no longer matters to its target, nor does anything change elsewhere.
        moved = x.clone()
        moved[source] += 1
        torch.testing.assert_close(net(closed, moved)[target], net(closed, x)[target])
        others = torch.arange(6) != target
        torch.testing.assert_close(net(closed, x)[others], net(graph, x)[others])
    torch.testing.assert_close(net(gated(graph, torch.ones_like(gate)), x), net(graph, x))


def test_without_a_graph_nodes_still_have_an_attribution(task):
    found = node_attribution(RecurrentForecaster(hidden=8, **QUICK).fit(task.train), task.test, n_windows=10)
    assert found.dims == ("source", "target")
    recorded = stacked(task.test).recorded.any(axis=0)
    assert np.isfinite(found.to_numpy()[recorded]).all()
    assert np.isnan(found.to_numpy()[~recorded]).all()
    assert (found.to_numpy()[recorded][:, recorded] > 0).all()


@pytest.mark.parametrize("model", [Persistence(), AR()], ids=["persistence", "ar"])
def test_a_model_of_each_node_alone_hangs_on_no_other_node(model, task):
    found = node_attribution(model.fit(task.train), task.test, n_windows=10).to_numpy()
    off = found[~np.eye(len(found), dtype=bool)]
    assert (np.nan_to_num(off) == 0).all()
    assert np.nanmin(np.diag(found)) > 0


def test_embeddings_are_as_far_apart_as_the_network_sees_them(gnn, task):
    found = node_embeddings(gnn)
    weights = gnn.results_["weights"].to_dataset()
    known = gnn.results_["known"].to_numpy()
    assert found.node.to_numpy().tolist() == gnn.results_["node"].to_numpy()[known].tolist()
    added = weights["embedding"].to_numpy()[1:][known] @ weights["identity.weight"].to_numpy().T

    def distances(x):
        return np.linalg.norm(x[:, None] - x[None], axis=-1)

    np.testing.assert_allclose(distances(found.to_numpy()), distances(added), atol=1e-4)
    assert found.attrs["share"] == sorted(found.attrs["share"], reverse=True)


def test_embeddings_know_types_of_cells(task):
    wiring = task.train["connectome"].to_dataset()
    types = np.where(np.arange(wiring.sizes["node"]) % 2, "motor", "inter")
    model = ConnectomeGNN("gcn", hidden=8, connectome=wiring.assign_coords(cell_type=("node", types)), **QUICK)
    found = node_embeddings(model.fit(task.train))
    expected = dict(zip(wiring.node.to_numpy(), types, strict=True))
    assert [expected[n] for n in found.node.to_numpy()] == found.cell_type.to_numpy().tolist()


def test_what_cannot_be_attributed_is_told(gnn, rnn, task):
    with pytest.raises(InputError, match="others use no connections"):
        edge_attribution(ConnectomeGNN("none", **QUICK), task.test)
    gat = ConnectomeGNN("gat", hidden=8, **QUICK | {"n_epochs": 1}).fit(task.train)
    with pytest.raises(InputError, match="no weights to take a gradient of"):
        edge_attribution(gat, task.test, method="gradient")
    with pytest.raises(InputError, match="method must be"):
        edge_attribution(gnn, task.test, method="shap")
    with pytest.raises(InputError, match="does not know 'nobody'"):
        edge_attribution(rnn, task.test, node="nobody")
    with pytest.raises(InputError, match="horizon must be one of"):
        node_attribution(rnn, task.test, horizon=7)
    with pytest.raises(InputError, match="n_windows must be at least 1"):
        node_attribution(rnn, task.test, n_windows=0)
    with pytest.raises(InputError, match="node_embedding=0"):
        node_embeddings(ConnectomeGNN("none", node_embedding=0, hidden=8, **QUICK | {"n_epochs": 1}).fit(task.train))
    for ask in (edge_attribution, node_attribution):
        with pytest.raises(NotFittedError):
            ask(ConnectomeRNN(), task.test)
