"""Evidence for encoder and embeddings: a reference implementation, and what is hidden is as if it were not there."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from trial_scans import activity

from dynome.errors import InputError
from dynome.inference.dynamic_graphs import graph_batches
from dynome.inference.dynamic_graphs.embeddings import embedding_of
from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Clip, batch_of, whole_scans
from dynome.inference.dynamic_graphs.scans import scans_of
from dynome.inference.dynamic_graphs.settings import EncoderSettings, GraphSettings
from dynome.training.noise import seeded

SETTINGS = GraphSettings(window=20, stride=5)
TIMESTAMPS = pytest.mark.parametrize("timestamp", ["none", "sinusoidal", "gru"])


def encoder(timestamp="none", n_nodes=8, seed=0, n_layers=2):
    """In evaluation mode, with statistics and epsilons that are not those of a new one."""
    with seeded(np.random.default_rng(seed)) as generator:
        made = GraphEncoder(n_nodes, EncoderSettings(6, n_layers, timestamp), generator)
        for name, value in made.state_dict().items():
            if "running" in name or "eps" in name:  # means below 0, so that most features stay alive
                value.copy_(torch.rand(value.shape) + (-1 if "mean" in name else 0.5))
    return made.eval()


def scans(**options):
    return scans_of({name: activity(k, 60 - 5 * k) for k, name in enumerate("ab")}, SETTINGS._replace(**options))


def test_layers_are_those_of_pytorch_geometric():
    from torch_geometric.nn import GINConv

    mine, batch = encoder(), next(whole_scans(scans()))
    found = mine(batch)
    assert all((layer > 0).float().mean() > 0.3 for layer in found)
    h = mine.identity
    for layer, expected in zip(mine.layers, found, strict=True):
        # The self loop is in A already: PyG adds (1 + eps) h, so its eps is one less.
        reference = GINConv(copy.deepcopy(layer.mix), eps=layer.eps.item() - 1)
        reference.nn.load_state_dict(layer.mix.state_dict())  # as PyG draws them anew
        outs = []
        for t in range(batch.adjacency.shape[1]):
            edges = batch.adjacency[0, t].nonzero().T
            outs.append(reference(h if h.ndim == 2 else h[t], edges))
        h = torch.stack(outs)
        torch.testing.assert_close(h, expected[0], atol=1e-4, rtol=1e-4)


@TIMESTAMPS
def test_a_scan_is_encoded_the_same_in_any_company(timestamp):
    mine, both = encoder(timestamp), scans()
    windows = np.array([[0, 1, 2], [3, 4, 5]])
    together = mine(batch_of(both, Clip(np.array([0, 1]), windows), activity=True))
    for k in (0, 1):
        alone = mine(batch_of(both, Clip(np.array([k]), windows[k : k + 1]), activity=True))
        for joint, single in zip(together, alone, strict=True):
            torch.testing.assert_close(joint[k], single[0], atol=1e-5, rtol=1e-5)


@TIMESTAMPS
def test_hidden_nodes_are_as_if_they_were_not_there(timestamp):
    mine, kept = encoder(timestamp), [0, 2, 3, 6, 7]
    batch = next(whole_scans(scans(), activity=True))
    visible = torch.zeros(batch.adjacency.shape[:3], dtype=torch.bool)
    visible[..., kept] = True
    smaller = encoder(timestamp, n_nodes=5)
    weights = {k: v for k, v in mine.state_dict().items() if k not in ("identity", "reader.weight_ih_l0")}
    weights["identity"] = mine.identity[kept]
    if timestamp == "gru":
        weights["reader.weight_ih_l0"] = mine.reader.weight_ih_l0[:, kept]
    smaller.load_state_dict(weights)
    without = smaller(
        batch._replace(adjacency=batch.adjacency[:, :, kept][..., kept], activity=batch.activity[..., kept])
    )
    for masked, expected in zip(mine(batch, visible=visible), without, strict=True):
        torch.testing.assert_close(masked[:, :, kept], expected, atol=1e-5, rtol=1e-5)
        assert not masked[:, :, [1, 4, 5]].any()


def test_hidden_nodes_count_in_no_statistics():
    batch = next(whole_scans(scans()))
    visible = torch.ones(batch.adjacency.shape[:3], dtype=torch.bool)
    visible[:, :, 5:] = False
    one, other = encoder(n_layers=1).train(), encoder(n_layers=1).train()
    with torch.no_grad():
        other.identity[5:] += 100
    for made in (one, other):
        made(batch, visible=visible)
    for name, value in one.state_dict().items():
        assert name == "identity" or torch.equal(value, other.state_dict()[name])


@TIMESTAMPS
def test_to_hide_nothing_changes_nothing(timestamp):
    mine, batch = encoder(timestamp), next(whole_scans(scans(), activity=True))
    seen = mine(batch, visible=torch.ones(batch.adjacency.shape[:3], dtype=torch.bool))
    for a, b in zip(mine(batch), seen, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@TIMESTAMPS
def test_half_precision_changes_little(timestamp):
    mine, batch = encoder(timestamp), next(whole_scans(scans(), activity=True))
    visible = torch.ones(batch.adjacency.shape[:3], dtype=torch.bool)
    visible[..., 2] = False
    for hidden in (None, visible):
        exact = mine(batch, visible=hidden)[-1]
        with torch.autocast("cpu", torch.bfloat16):
            near = mine(batch, visible=hidden)[-1]
        assert (near.float() - exact).norm() < 0.05 * exact.norm()


def test_the_recurrent_timestamp_is_read_at_the_end_of_each_window():
    mine, batch = encoder("gru"), next(whole_scans(scans(), activity=True))
    stamps = mine.stamps(batch)
    states, _ = mine.reader(batch.activity[:, :30])
    torch.testing.assert_close(stamps[0, 2], mine.timestamp(states[0, 29]))


def test_the_recurrent_timestamp_refuses_masks_that_change_and_batches_without_activity():
    mine, batch = encoder("gru"), next(whole_scans(scans(), activity=True))
    visible = torch.ones(batch.adjacency.shape[:3], dtype=torch.bool)
    visible[0, 1, 3] = False
    with pytest.raises(InputError, match="the same nodes must be hidden in all windows"):
        mine(batch, visible=visible)
    with pytest.raises(InputError, match="activity=True"):
        mine(batch._replace(activity=None))


def test_embeddings_have_labels_and_end_with_the_scan():
    found = embedding_of(encoder(), scans())
    assert found.dims == ("session", "window", "node", "feature")
    assert found.shape == (2, 9, 8, 6)
    assert found.sel(session="b").isnull().all(("node", "feature")).values.tolist() == [False] * 8 + [True]
    assert found.animal.values.tolist() == ["a", "b"]
    assert (float(found.start[0, 2]), float(found.stop[0, 2])) == (10, 29)
    direct = encoder()(next(whole_scans(scans())))[-1][0]
    np.testing.assert_allclose(found[0], direct.detach(), atol=1e-6)


def test_pooled_embeddings_are_means_over_what_is_there():
    full = embedding_of(encoder(), scans(), layer=0)
    for pool in (("window",), ("node",), ("window", "node")):
        found = embedding_of(encoder(), scans(), layer=0, pool=pool)
        assert found.dims == tuple(d for d in full.dims if d not in pool)
        np.testing.assert_allclose(found, full.mean(pool), atol=1e-6)


def test_embeddings_do_not_hang_on_chunks(monkeypatch):
    mine = encoder("gru")
    whole = embedding_of(mine, scans())
    monkeypatch.setattr(graph_batches, "_CHUNK_BYTES", 4 * 8**2 * 4)
    np.testing.assert_allclose(embedding_of(mine, scans()), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layer": 2}, "layer must be from -2 to 1"),
        ({"pool": "time"}, "out of 'window' and 'node', got 'time'"),
        ({"pool": ("x",)}, "got 'x'"),
    ],
)
def test_layers_and_dims_that_are_not_there_are_refused(options, told):
    with pytest.raises(InputError, match=told):
        embedding_of(encoder(), scans(), **options)


def test_one_dim_to_average_over_needs_no_tuple():
    assert embedding_of(encoder(), scans(), pool="window").dims == ("session", "node", "feature")
