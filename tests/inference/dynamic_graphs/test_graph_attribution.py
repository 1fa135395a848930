"""Evidence for dynamic_graphs/attribution.py: planted regions are found, parts add up to the answer, the errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from dynome import schema, study
from dynome.errors import InputError, NotFittedError
from dynome.inference.dynamic_graphs import graph_batches
from dynome.inference.dynamic_graphs.attribution import attention, edge_block_attribution, region_attribution
from dynome.inference.dynamic_graphs.graph_classifier import GraphClassifier
from dynome.inference.dynamic_graphs.graph_regressor import GraphRegressor

NAMES = [f"r{k}" for k in range(10)]
CARRIERS = NAMES[2:5]  # share a signal in cases only
SMALL = {"hidden": 8, "n_layers": 2, "window": 30, "stride": 30, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def people(n, seed):
    rng, scans = np.random.default_rng(seed), {}
    for k in range(n):
        x = rng.standard_normal((180 + 30 * (k % 2), 10))
        x[:, 6:] += rng.standard_normal((len(x), 1))  # in everybody
        x[:, 2:5] += 1.5 * (k % 4 > 1) * rng.standard_normal((len(x), 1))
        scan = schema.recording(x, time=np.arange(float(len(x))), node=NAMES, units="1")
        scans[f"p{k}"] = scan.assign_coords(network=("node", list("aabbbccccc")))
    return study.build(scans), {f"p{k}": ("case" if k % 4 > 1 else "control") for k in range(n)}


@pytest.fixture(scope="module")
def unseen():
    return people(4, 1)


@pytest.fixture(scope="module", params=["none", "gru"])
def model(request):
    tree, group = people(12, 0)
    made = GraphClassifier(timestamp=request.param, n_epochs=12, batch_size=4, learning_rate=1e-2, **SMALL)
    return made.fit(tree, target=group)


@pytest.fixture(scope="module")
def untrained():
    tree, group = people(4, 0)
    return GraphClassifier(timestamp="none", n_epochs=1, **SMALL).fit(tree, target=group)


def by_group(found, group):
    across = [d for d in ("window",) if d in found.dims]
    mean = found.mean(across)
    return mean.assign_coords(group=("session", [group[s] for s in mean.session.values])).groupby("group").mean()


@pytest.mark.parametrize("method", ["gradients", "occlusion"])
def test_regions_that_carry_the_difference_get_the_attribution(model, unseen, method):
    tree, group = unseen
    found = by_group(region_attribution(model, tree, of="case", method=method, n_steps=4), group)
    apart = found.sel(group="case") - found.sel(group="control")
    assert float(apart.sel(node=CARRIERS).mean()) > 2 * float(abs(apart.drop_sel(node=CARRIERS)).mean())


def test_edges_among_the_carriers_speak_for_the_class_that_has_them(model, unseen):
    tree, group = unseen
    found = by_group(edge_block_attribution(model, tree, of="case", n_steps=4), group)
    assert found.source.values.tolist() == ["a", "b", "c"]
    case, control = (found.sel(group=g).stack(block=("source", "target")) for g in ("case", "control"))
    assert case.idxmax("block").item() == control.idxmin("block").item() == ("b", "b")
    assert float(case.max()) > 0 > float(control.min())


def test_parts_add_up_to_what_the_answer_has_over_that_of_the_mean_graph(model, unseen):
    tree, _ = unseen
    found = region_attribution(model, tree, of="case", n_steps=8)
    gain = found.answer - found.reference
    np.testing.assert_allclose(found.sum(("window", "node")), gain, atol=0.05 * float(abs(gain).max()))
    found = region_attribution(model, tree, of="case", n_steps=2)
    blocks = edge_block_attribution(model, tree, of="case", n_steps=2)
    np.testing.assert_allclose(blocks.sum(("source", "target")), found.sum("node"), atol=1e-5)
    np.testing.assert_allclose(blocks, blocks.transpose("session", "window", "target", "source"), atol=1e-6)
    other = region_attribution(model, tree, of="control", n_steps=2)
    np.testing.assert_allclose(other, -found, atol=1e-6)  # of two classes, what speaks for one speaks against the other


def test_the_answer_is_the_log_odds_of_the_prediction(model, unseen):
    tree, _ = unseen
    p = model.predict_proba(tree).sel({"class": "case"})
    for method in ("gradients", "occlusion"):
        found = region_attribution(model, tree, of="case", method=method, n_steps=1)
        np.testing.assert_allclose(found.answer, np.log(p / (1 - p)), atol=1e-5)


def test_without_a_region_in_one_window_the_answer_is_that_of_the_network_without_it(untrained, unseen):
    tree, _ = unseen
    found = region_attribution(untrained, tree, of="case", method="occlusion")
    network, scans = untrained._restored("cpu"), untrained._scans(tree)
    batch = next(graph_batches.whole_scans(scans))
    visible = torch.ones(batch.adjacency.shape[:3], dtype=torch.bool)
    visible[0, 3, 2] = False
    with torch.no_grad():
        nodes = network.encoder(batch, visible=visible)
        vectors = [readout(h)[0] for readout, h in zip(network.readouts, nodes, strict=True)]
        case, control = network.answer(vectors).output[0, [0, 1]].tolist()
    fall = float(found.answer[0]) - (case - control)
    assert float(found.isel(session=0, window=3).sel(node="r2")) == pytest.approx(fall, abs=1e-6)


@pytest.mark.parametrize("method", ["gradients", "occlusion"])
def test_windows_in_parts_give_the_same_as_at_once(model, unseen, method, monkeypatch):
    tree, _ = unseen
    whole = region_attribution(model, tree, of="case", method=method, n_steps=2), attention(model, tree)
    monkeypatch.setattr(graph_batches, "_CHUNK_BYTES", 3 * 4 * 10**2)
    xr.testing.assert_allclose(
        region_attribution(model, tree, of="case", method=method, n_steps=2), whole[0], rtol=1e-3, atol=1e-6
    )
    xr.testing.assert_allclose(attention(model, tree), whole[1], atol=1e-5)


def test_regions_are_joined_by_label_and_short_sessions_end_in_nan(untrained, unseen):
    tree, _ = unseen
    found = region_attribution(untrained, tree, of="case", n_steps=2)
    assert found.network.values.tolist() == list("aabbbccccc")
    assert found.isnull().any("node").sum("window").values.tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(found.start.isnull(), found.isnull().all("node"))
    turned = {s: tree[s].to_dataset().isel(node=slice(None, None, -1)) for s in found.session.values}
    xr.testing.assert_allclose(region_attribution(untrained, turned, of="case", n_steps=2), found)


def test_the_mean_graph_may_be_that_of_other_sessions(untrained, unseen):
    tree, _ = unseen
    whole = region_attribution(untrained, tree, of="case", n_steps=2)
    part = {"p1": tree["p1"].to_dataset()}
    xr.testing.assert_allclose(
        region_attribution(untrained, part, of="case", n_steps=2, reference=tree), whole.sel(session=["p1"])
    )
    alone = region_attribution(untrained, part, of="case", n_steps=2)
    assert abs(float(alone.reference[0] - whole.reference[1])) > 1e-6


def test_attention_is_shared_out_over_windows_and_weighs_each_region(model, unseen):
    tree, _ = unseen
    found = attention(model, tree)
    assert found.region_attention.dims == ("session", "layer", "window", "node")
    np.testing.assert_allclose(found.window_attention.sum("window"), 1, atol=1e-5)
    known = found.region_attention.to_numpy()[~found.region_attention.isnull().to_numpy()]
    assert 0 < known.min() < known.max() < 1
    assert found.window_attention.isnull().sum("window").max() == 1


def test_a_regressor_is_explained_in_the_unit_of_its_target(unseen):
    tree, group = people(6, 2)
    made = GraphRegressor(timestamp="none", n_epochs=3, readout="mean", **SMALL)
    made = made.fit(tree, target={s: 50 + 10 * (g == "case") for s, g in group.items()})
    found = region_attribution(made, unseen[0], n_steps=20)
    said = made.predict(unseen[0])
    gain = found.answer - found.reference
    np.testing.assert_allclose(np.diff(found.answer), np.diff(said), atol=1e-4)
    np.testing.assert_allclose(found.sum(("window", "node")), gain, atol=0.05 * float(abs(gain).max()))
    np.testing.assert_array_equal(attention(made, unseen[0]).region_attention.dropna("window"), 1)
    with pytest.raises(InputError, match="a regressor has no classes"):
        region_attribution(made, unseen[0], of="case")


def test_of_three_classes_one_must_be_named():
    tree, _ = people(6, 3)
    made = GraphClassifier(timestamp="none", n_epochs=1, **SMALL)
    made.fit(tree, target={f"p{k}": "abc"[k % 3] for k in range(6)})
    with pytest.raises(InputError, match="say of which class: of= one of"):
        region_attribution(made, tree)
    assert region_attribution(made, tree, of="a", n_steps=1).sizes["session"] == 6
    assert attention(made, tree).sizes["session"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "healthy"}, "does not know the class 'healthy'"),
        ({"method": "shap"}, "method must be 'gradients' or 'occlusion', got 'shap'"),
        ({"n_steps": 0}, "n_steps must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_explained_is_told(untrained, unseen, options, message):
    with pytest.raises(InputError, match=message):
        region_attribution(untrained, unseen[0], **options)


def test_models_without_edges_networks_or_fit_are_told(untrained, unseen):
    tree, group = unseen
    with pytest.raises(InputError, match=r"no coordinate 'lobe' .* found \['network'\]"):
        edge_block_attribution(untrained, tree, network="lobe")
    with pytest.raises(InputError, match="expected a fitted GraphClassifier or GraphRegressor, got a str"):
        region_attribution("model", tree)
    with pytest.raises(NotFittedError):
        attention(GraphClassifier(**SMALL), tree)
    empty = GraphClassifier(wiring="empty", timestamp="none", n_epochs=1, **SMALL).fit(tree, target=group)
    with pytest.raises(InputError, match="use region_attribution with method='occlusion'"):
        region_attribution(empty, tree)
    assert region_attribution(empty, tree, method="occlusion").notnull().any()
