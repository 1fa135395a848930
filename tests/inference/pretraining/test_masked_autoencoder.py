"""Evidence for GraphMaskedAutoencoder: it learns, on which animals, resumes to the bit, and terms can be taken out."""

import numpy as np
import pytest
import torch
from two_halves import people

from dynome.errors import InputError, StoreError
from dynome.inference import GraphMaskedAutoencoder, complete_connectivity
from dynome.inference.dynamic_graphs.graph_batches import Clip, batch_of
from dynome.inference.dynamic_graphs.scans import scans_of
from dynome.inference.dynamic_graphs.settings import GraphSettings
from dynome.inference.pretraining import pretraining_run
from dynome.inference.pretraining.clip_lengths import clip_length
from dynome.inference.pretraining.neighbours import drawn_neighbours, least_gap

SMALL = {
    "window": 12,
    "stride": 6,
    "unit": "samples",
    "hidden": 8,
    "n_layers": 2,
    "token_hidden": 8,
    "n_masks": 2,
    "n_windows": 8,
    "n_steps": 10,
    "batch_size": 4,
    "device": "cpu",
    "random_state": 0,
}


def model(objective="jema", **options):
    return GraphMaskedAutoencoder(objective, **(SMALL | options))


@pytest.fixture(scope="module")
def study():
    return people(8)


@pytest.fixture(scope="module")
def fitted(study):
    return model(n_steps=60, learning_rate=5e-3).fit(study)


def test_the_held_out_loss_falls_by_a_third(fitted):
    held = fitted.results_.validation.to_numpy()
    assert held[-1] < held[0] * 2 / 3


def test_embeddings_do_not_collapse(fitted):
    assert float(fitted.results_.effective_rank[-1]) > 2
    assert float(fitted.results_.changing[-1]) > 0.1


def test_curves_of_terms_add_up_to_the_held_out_loss(fitted):
    r = fitted.results_
    names = [f"validation_{where}_{what}" for where in ("spatial", "temporal") for what in ("node", "edge")]
    total = sum(0.5 * r[name] for name in names)
    np.testing.assert_allclose(total, r.validation, rtol=1e-4)


def test_score_is_higher_after_training_and_the_same_whatever_the_order_of_regions(fitted):
    others = people(3, seed=50)
    assert fitted.score(others) > model(n_steps=1, learning_rate=1e-9).fit(people(8)).score(others)
    turned = {name: x.isel(node=slice(None, None, -1)) for name, x in others.items()}
    assert fitted.score(turned) == fitted.score(others)


@pytest.mark.parametrize("objective", ["mae", "graphmae", "contrastive"])
def test_every_objective_learns(objective, study):
    found = model(objective, n_steps=40, learning_rate=5e-3).fit(study).results_
    held = found.validation.to_numpy()
    assert held[-1] < held[0]
    assert f"validation_{'contrast' if objective == 'contrastive' else 'spatial_node'}" in found


@pytest.mark.parametrize(
    ("removed", "left"),
    [
        ("spatial", ["temporal_edge", "temporal_node"]),
        ("temporal", ["spatial_edge", "spatial_node"]),
        ("node", ["spatial_edge", "temporal_edge"]),
        ("edge", ["spatial_node", "temporal_node"]),
    ],
)
def test_a_weight_of_zero_removes_its_terms(removed, left, study):
    one = model(n_steps=1, **{f"{removed}_weight": 0.0})
    about = one.fit(study).results_.to_dataset()
    found = sorted(n.removeprefix("validation_") for n in map(str, about.data_vars) if n.startswith("validation_"))
    assert found == left
    network = one._restored()
    network.terms(batch(one, study), torch.Generator().manual_seed(0))["total"].backward()
    idle = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad and p.grad is None}
    expected = {
        "spatial": {"node_token"},
        "temporal": {"bridge"},
        "node": {"node_decoder", "node_token", "bridge"},
        "edge": {"edge_decoder", "edge_token"},
    }
    assert idle == expected[removed]


def batch(one, study, windows=slice(None), **options):
    scans = one._scans(study)
    window = np.arange(scans.scans[0].starts.size)[None, windows]
    return batch_of(scans, Clip(np.array([0]), window), **options)


def test_what_is_held_out_is_not_learnt_from(study):
    held = model(validation=0.25).fit(study)
    names = held.results_.attrs["held_out"]
    assert len(names) == 2
    changed = {name: x * 0 + x.to_numpy()[::-1, ::-1] if name in names else x for name, x in study.items()}
    again = model(validation=0.25).fit(changed)
    assert again.results_["weights"].to_dataset().equals(held.results_["weights"].to_dataset())
    assert float(again.results_.validation[-1]) != float(held.results_.validation[-1])


def test_training_that_was_interrupted_resumes_to_the_bit(study, tmp_path, monkeypatch):
    whole = model(timestamp="sinusoidal").fit(study)
    looks = []

    def interrupted(*args):
        looks.append(1)
        if len(looks) > 7:
            raise KeyboardInterrupt
        return look(*args)

    look = pretraining_run._look
    monkeypatch.setattr(pretraining_run, "_look", interrupted)
    path = tmp_path / "half.npz"
    with pytest.raises(KeyboardInterrupt):
        model(timestamp="sinusoidal", checkpoint=path).fit(study)
    monkeypatch.undo()
    resumed = model(timestamp="sinusoidal", checkpoint=path).fit(study)
    assert path.exists()
    assert resumed.results_.equals(whole.results_)
    spoilt = study | {"p4": study["p4"] * np.linspace(1, 2, study["p4"].sizes["time"])[:, None]}
    same = "; no setting differs, so the data do"
    settings = r"; settings that differ: gap \('full' in the file, 'pair' now\), random_state \(0 .*, 1 now\); name"
    for other, changed, told in (
        ({"gap": "pair", "random_state": 1}, study, settings),
        ({}, people(8, seed=9), same),
        ({}, spoilt, same),
    ):
        with pytest.raises(StoreError, match=f"belongs to other data or settings{told}"):
            model(timestamp="sinusoidal", checkpoint=path, **other).fit(changed)


def test_the_encoder_has_the_statistics_of_whole_graphs(fitted, study):
    of_training, whole = fitted._restored().encoder, fitted._restored_encoder()
    for name, value in whole.state_dict().items():
        assert ("running" in name or "tracked" in name) or torch.equal(value, of_training.state_dict()[name])
    h = whole(batch(fitted, study))[0]
    reach = whole.layers[0].mix[4].running_mean - of_training.layers[0].mix[4].running_mean
    assert reach.abs().max() > 1e-3
    assert torch.isfinite(h).all()


def test_completion_does_not_look_at_what_is_hidden(fitted, study):
    network, b = fitted._restored(), batch(fitted, study)
    hidden = torch.zeros(b.adjacency.shape[:3], dtype=torch.bool)
    hidden[0, :, :3] = True
    hidden[0, 4] = True
    unseen = hidden[..., :, None] | hidden[..., None, :]
    other = b._replace(adjacency=torch.where(unseen, 1 - b.adjacency, b.adjacency))
    with torch.no_grad():
        found = network.complete(b, hidden)
        assert torch.equal(found, network.complete(other, hidden))
        whole = network.complete(b, hidden & False)
    assert found.shape == b.adjacency.shape
    assert torch.equal(found, found.mT)
    assert torch.equal(found.diagonal(dim1=-2, dim2=-1), torch.ones(found.shape[:3]))
    assert ((found >= 0) & (found <= 1)).all()
    off = ~torch.eye(found.shape[-1], dtype=torch.bool)
    edge, none = whole[0][:, off][b.adjacency[0][:, off] > 0], whole[0][:, off][b.adjacency[0][:, off] == 0]
    assert edge.mean() > none.mean() + 0.1
    with pytest.raises(InputError, match="must have a window in which a node is not hidden"):
        network.complete(b, hidden | True)
    blind = model(n_steps=1, edge_weight=0.0).fit(study)._restored()
    with pytest.raises(InputError, match="edge_weight is 0"):
        blind.complete(b, hidden)


def test_masks_of_networks_need_networks(study):
    with pytest.raises(InputError, match="needs a coordinate 'network' over node"):
        model(mask_by="network").fit(study)
    named = {name: x.assign_coords(part=("node", list("AAAABBBBCCCC"))) for name, x in study.items()}
    found = model(mask_by="network", network="part", n_steps=1).fit(named)
    assert found.results_.mask_network.values.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    alike = {name: x.assign_coords(part=("node", ["A"] * 12)) for name, x in study.items()}
    with pytest.raises(InputError, match="at least two networks, found 'A'"):
        model(mask_by="network", network="part").fit(alike)


def test_clips_too_short_for_neighbours_are_refused(study):
    with pytest.raises(InputError, match=r"n_windows=4 leaves no window.*n_windows to 5 at least, 8 for half"):
        model(n_windows=4).fit(study)
    assert model(n_windows=5, n_steps=1).fit(study).results_.validation_temporal_node[0] > 0
    spatial = model(n_windows=4, n_steps=1, temporal_weight=0.0).fit(study).results_
    assert "validation_temporal_node" not in spatial


def test_scans_too_short_for_neighbours_are_named(study, fitted):
    short = {name: x.isel(time=slice(18 if name == "p2" else None)) for name, x in study.items()}
    for call in (model().fit, fitted.score):
        with pytest.raises(InputError, match=r"too short, they need 5 windows: p2 \(2 windows\); .*temporal_weight=0"):
            call(short)
    assert model(n_steps=1, temporal_weight=0.0).fit(short).results_.attrs["n_windows"] == 8


@pytest.mark.parametrize(("stride", "gap", "expected"), [(6, "full", 20), (1, "full", 48), (1, "pair", 28)])
def test_clips_are_long_enough_for_half_of_the_windows_to_have_neighbours(stride, gap, expected, study):
    scans = scans_of(study, GraphSettings(12, stride, "samples"))
    length = clip_length(scans, gap)
    assert length == expected
    b = batch_of(scans, Clip(np.array([0]), np.arange(min(length, scans.scans[0].starts.size))[None]))
    near = drawn_neighbours(b.last, least_gap(b.last, b.width, gap), torch.Generator().manual_seed(0))
    assert stride > 1 or near.middle.numel() == length / 2


def test_strides_much_shorter_than_the_window_still_teach_what_time_tells(study):
    found = model(n_windows=None, stride=1, spatial_weight=0.0, n_steps=2, batch_size=2).fit(study).results_
    assert found.attrs["n_windows"] == 48
    assert (found.validation_temporal_node > 0).all()
    assert (found.validation_temporal_edge > 0).all()


def test_steps_are_counted_as_steps(fitted):
    r = fitted.results_
    assert r.attrs["n_iter"] == 60
    assert r.step.dims == ("iteration",)
    assert r.step.values.tolist() == list(range(3, 61, 3))


def test_all_bad_scans_are_told_at_once(study):
    bad = dict(study)
    bad["p1"] = study["p1"].copy()
    bad["p1"][3, 2] = np.nan
    bad["p4"] = study["p4"].copy()
    bad["p4"].loc[{"node": "r05"}] = 1.0
    with pytest.raises(InputError, match=r"(?s)p1.*'r02' have.*interpolate_gaps.*p4.*'r05' never change; drop"):
        model().fit(bad)


def test_regions_that_were_left_out_are_counted(study):
    fewer = study | {"p3": study["p3"].isel(node=slice(8))}
    found = model(n_steps=1).fit(fewer).results_
    assert (found.sizes["node"], found.attrs["regions_left_out"], found.attrs["regions_in_all"]) == (8, 4, 12)
    with pytest.raises(InputError, match="p3 has only 5 of the 12 regions of the others"):
        model().fit(study | {"p3": study["p3"].isel(node=slice(5))})


def test_one_region_to_complete_needs_no_list(fitted, study):
    one = {"p0": study["p0"]}
    told = complete_connectivity(fitted, one, nodes="r03")
    assert told.identical(complete_connectivity(fitted, one, nodes=["r03"]))


def test_one_dim_to_average_over_needs_no_tuple(fitted, study):
    one = {"p0": study["p0"]}
    assert fitted.transform(one, pool="window").identical(fitted.transform(one, pool=("window",)))
    with pytest.raises(InputError, match="pool must name dims out of 'window' and 'node', got 'time'"):
        fitted.transform(one, pool=["time", "node"])


def test_all_bad_parameters_are_told_at_once(study):
    bad = {
        "objective": "jepa",
        "hidden": 0,
        "decoder": "conv",
        "gap": "none",
        "momentum": (1.0, 0.9),
        "spatial_weight": 0.0,
        "temporal_weight": 0.0,
        "edge_weight": -1.0,
        "n_steps": 0,
        "validation": 1.0,
        "learning_rate": 0.0,
        "precision": "float16",
        "checkpoint": "x.npz",
        "random_state": None,
    }
    with pytest.raises(InputError) as told:
        model(**bad).fit(study)
    for name in ("objective", "hidden", "decoder", "gap", "momentum", "spatial_weight", "edge_weight", "n_steps"):
        assert name in str(told.value)
    for name in ("validation", "learning_rate", "precision", "a checkpoint needs random_state"):
        assert name in str(told.value)
    with pytest.raises(InputError, match="no target"):
        model().fit(study, np.zeros(8))
