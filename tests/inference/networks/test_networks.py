"""Evidence for the networks: what they must not see leaves no trace, edges stay in their snapshot, wiring matters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from dynome import inference
from dynome.connectome.layers.message_graphs import message_graph
from dynome.datasets import make_rate_network
from dynome.dynamics import Persistence
from dynome.dynamics.forecasting.series import stacked, wiring_of
from dynome.dynamics.forecasting.windows import contexts, last_observed, origins
from dynome.errors import InputError, StoreError
from dynome.inference import (
    ConnectomeGNN,
    ConnectomeRNN,
    RecurrentForecaster,
    TransformerForecaster,
    forecasting_task,
)
from dynome.inference.networks.encoders import make_encoder
from dynome.inference.networks.subgraphs import restricted
from dynome.inference.networks.tables import groups, mixed, observed

QUICK = {"n_epochs": 2, "device": "cpu", "random_state": 0}
SMALL = QUICK | {"hidden": 8}
LAYERS = ("gat", "gcn", "gin", "sage", "signed", "relation", "none")
MODELS = (
    *(ConnectomeGNN(layer, heads=2, **SMALL) for layer in LAYERS),
    ConnectomeGNN("signed", "gru", **SMALL),
    ConnectomeGNN("signed", "attention", node_embedding=0, residual=False, **SMALL),
    ConnectomeGNN("gcn", head="gaussian", hidden_nodes=True, **SMALL),
    ConnectomeRNN(**QUICK),
    ConnectomeRNN("source", synapse="relu", head="gaussian", **QUICK),
    RecurrentForecaster(**SMALL),
    TransformerForecaster(head="gaussian", heads=2, **SMALL),
)


def named(model):
    return "-".join(str(v) for v in (type(model).__name__, getattr(model, "layer", ""), getattr(model, "temporal", "")))


def changed(part, change):
    """A part whose recordings went through a function."""
    out = part.copy(deep=True)
    for name in out.children:
        if name != "connectome":
            out[name] = xr.DataTree(change(name, out[name].to_dataset()))
    return out


def shuffled(wiring, seed=0):
    order = np.random.default_rng(seed).permutation(wiring.sizes["node"])
    names = wiring["node"].to_numpy()
    new = dict(zip(names, names[order], strict=True))
    ends = {end: ("edge", np.array([new[v] for v in wiring[end].to_numpy()])) for end in ("source", "target")}
    return wiring.assign(ends)


def with_links(nodes, pairs):
    source, target = zip(*pairs, strict=True)
    return xr.Dataset(
        {
            "source": ("edge", list(source)),
            "target": ("edge", list(target)),
            "weight": ("edge", np.ones(len(pairs)), {"units": "synapses"}),
            "edge_type": ("edge", ["chemical"] * len(pairs)),
        },
        {"node": list(nodes)},
        {"directed": 1},
    )


def spread(model):
    """The model with its last weights, which begin as zero, drawn at random: nothing is silent then."""
    tree = model.results_
    rng = np.random.default_rng(0)
    for name in ("readout.weight", "direct.weight"):
        if name in tree["weights"]:
            tree[f"weights/{name}"] = tree[f"weights/{name}"].copy(
                data=rng.normal(size=tree[f"weights/{name}"].shape).astype("f4")
            )
    return model


# --- Every network ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_a_network_forecasts_every_node_it_knows_and_a_stored_one_says_the_same(model, task, tmp_path):
    model.fit(task.train, task.validation)
    found = model.predict(task.test)
    assert found.forecast.dims == ("window", "horizon", "node")
    assert np.isfinite(found.forecast).all()
    assert np.isfinite(model.score(task.test))
    loaded = type(model).load(model.save(tmp_path / "model.zarr"))
    xr.testing.assert_identical(loaded.predict(task.test), found)


@pytest.mark.parametrize(
    "model", [ConnectomeGNN("gat", heads=2, **SMALL), ConnectomeRNN(**QUICK), RecurrentForecaster(**SMALL)], ids=named
)
def test_one_seed_gives_the_same_weights(model, task):
    first = model.fit(task.train, task.validation).results_
    second = type(model)(**model.get_params()).fit(task.train, task.validation).results_
    assert first.equals(second)


@pytest.mark.parametrize("model", [ConnectomeGNN("gcn", **SMALL), ConnectomeRNN(**QUICK)], ids=named)
def test_an_interrupted_fit_goes_on_as_if_it_had_not_been(model, task, tmp_path):
    whole = type(model)(**model.get_params() | {"n_epochs": 6, "patience": 6}).fit(task.train, task.validation)
    path = str(tmp_path / "c.npz")
    broken = type(model)(**model.get_params() | {"n_epochs": 6, "patience": 6, "checkpoint": path})
    from dynome.training import loops

    write, done = loops.write_checkpoint, []

    def dies(*arguments):
        write(*arguments)
        done.append(1)
        raise KeyboardInterrupt

    loops.write_checkpoint = dies
    try:
        with pytest.raises(KeyboardInterrupt):
            broken.fit(task.train, task.validation)
    finally:
        loops.write_checkpoint = write
    assert done
    assert not hasattr(broken, "results_")
    assert broken.fit(task.train, task.validation).results_.equals(whole.results_)
    with pytest.raises(StoreError, match=r"settings that differ: learning_rate \("):
        broken.set_params(learning_rate=0.1).fit(task.train, task.validation)


# --- What must leave no trace ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [MODELS[0], MODELS[4], *MODELS[-4:]], ids=named)
def test_what_was_not_observed_has_no_influence_on_weights(model, task):
    """Values in bins that no context and no target reaches, and in places that are missing."""
    series = stacked(task.train)
    views_series = series._replace(values=series.values.copy())
    fit = model._fit(series, None, wiring_of(task.train), 0).results
    rng = np.random.default_rng(1)
    # NaN with another payload: a different pattern of bits where values are missing
    missing = np.isnan(views_series.values)
    bits = views_series.values.view(np.uint32)
    bits[missing] = np.uint32(0x7FC00000) + rng.integers(1, 1000, missing.sum()).astype(np.uint32)
    again = model._fit(views_series, None, wiring_of(task.train), 0).results
    assert fit.equals(again)


def test_a_node_that_a_session_did_not_record_sends_nothing_there(task):
    """The forecast of the others is that of a model without its edges; asked to send, it does."""
    series = stacked(task.test)
    absent = series.nodes[~series.recorded[0]]
    wiring = wiring_of(task.train)
    for hidden, same in ((False, True), (True, False)):
        model = spread(ConnectomeGNN("gin", hidden_nodes=hidden, **SMALL).fit(task.train))
        cut = model.results_.copy()
        edges = cut["wiring"].to_dataset(inherit=False)
        cut["wiring"] = xr.DataTree(edges.isel(edge=~np.isin(edges["source"].to_numpy(), absent)))
        other = ConnectomeGNN("gin", hidden_nodes=hidden, **SMALL)
        other.results_ = cut
        at = origins(series)
        at = at[series.session[at] == 0]
        a, b = (m._forecast(series, at).mean for m in (model, other))
        there = series.recorded[0]
        assert np.allclose(a[..., there], b[..., there], atol=1e-6) is same
    assert wiring.sizes["edge"] > edges.sizes["edge"] - 1


@pytest.mark.parametrize("temporal", ["tcn", "gru", "attention"])
@pytest.mark.parametrize("context", [1, 2, 5, 8])
def test_features_of_a_window_depend_on_its_context_and_on_nothing_else(temporal, context):
    encoder = make_encoder(temporal, 2, 8, context, torch.Generator().manual_seed(0))
    x = torch.randn(3, 30, 2, generator=torch.Generator().manual_seed(1))
    last = torch.tensor([context - 1, 12, 13, 29])
    whole = encoder(x, last)
    for k, end in enumerate(last.tolist()):
        alone = encoder(x[:, end - context + 1 : end + 1], torch.tensor([context - 1]))
        torch.testing.assert_close(whole[:, [k]], alone, atol=1e-5, rtol=1e-5)
    first = x.clone()
    first[:, 13 - context + 1] += 1  # the oldest bin of the third window
    assert (encoder(first, last)[:, 2] - whole[:, 2]).abs().max() > 1e-6


def test_a_value_in_another_window_changes_nothing(task):
    """Edges never cross snapshots: what happens outside the context of a window does not reach its forecast."""
    model = spread(ConnectomeGNN("gat", heads=2, **SMALL).fit(task.train))
    series = stacked(task.test, model.results_["node"].to_numpy())
    at = origins(series)
    whole = model._forecast(series, at).mean
    chosen = at[len(at) // 2]
    values = series.values.copy()
    outside = np.setdiff1d(np.arange(len(values)), np.arange(chosen - series.context + 1, chosen + 1))
    values[outside] = np.where(np.isfinite(values[outside]), values[outside] * -3 + 1, np.nan)
    again = model._forecast(series._replace(values=values), at).mean
    np.testing.assert_allclose(again[at == chosen], whole[at == chosen], atol=1e-5)
    assert not np.allclose(again[at != chosen], whole[at != chosen], atol=1e-2)


def test_windows_are_forecast_alone_as_in_company(task):
    model = spread(ConnectomeGNN("signed", **SMALL).fit(task.train))
    series = stacked(task.test, model.results_["node"].to_numpy())
    at = origins(series)
    whole = model._forecast(series, at[::-1]).mean[::-1]
    alone = np.concatenate([model._forecast(series, at[k : k + 1]).mean for k in range(0, len(at), 5)])
    np.testing.assert_allclose(whole[::5], alone, atol=1e-5)


# --- The wiring ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", [*(ConnectomeGNN(layer, heads=2, **SMALL) for layer in LAYERS[:-1]), ConnectomeRNN(**QUICK)], ids=named
)
def test_another_wiring_gives_other_forecasts(model, task):
    assert model.uses_wiring
    other = model.with_wiring(shuffled(wiring_of(task.train)))
    a, b = (m.fit(task.train).predict(task.test).forecast for m in (model, other))
    assert float(abs(a - b).max()) > 1e-4


@pytest.mark.parametrize(
    "model", [ConnectomeGNN("relation", **SMALL), ConnectomeGNN("gat", **SMALL), ConnectomeRNN(**QUICK)], ids=named
)
def test_a_wiring_without_edges_is_one_too(model, task, tmp_path):
    empty = model.with_wiring(wiring_of(task.train).isel(edge=slice(0, 0))).fit(task.train)
    loaded = type(model).load(empty.save(tmp_path / "empty.zarr"))
    xr.testing.assert_identical(loaded.predict(task.test), empty.predict(task.test))


def test_a_model_on_another_wiring_does_not_share_the_checkpoint(task):
    model = ConnectomeGNN(checkpoint="c.npz", **SMALL)
    assert model.with_wiring(wiring_of(task.train)).checkpoint is None
    assert model.checkpoint == "c.npz"


def test_a_model_without_messages_does_not_look_at_the_wiring(task):
    model = ConnectomeGNN("none", **SMALL)
    assert not model.uses_wiring
    with pytest.raises(InputError, match="does not use the connectome"):
        model.with_wiring(wiring_of(task.train))
    assert "wiring" not in model.fit(task.train).results_.children


def test_a_wiring_of_every_node_to_itself_is_the_model_of_each_node_alone(task):
    nodes = wiring_of(task.train)["node"].to_numpy()
    own = ConnectomeGNN("gcn", connectome=with_links(nodes, [(n, n) for n in nodes]), **SMALL).fit(task.train)
    alone = ConnectomeGNN("none", **SMALL).fit(task.train)
    spread(own)
    for name in own.results_["weights"]:
        alone.results_[f"weights/{name}"] = own.results_[f"weights/{name}"]
    a, b = (m.predict(task.test).forecast for m in (own, alone))
    np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("layer", LAYERS)
def test_training_leaves_out_hidden_nodes_without_changing_the_others(layer, task):
    """A batch on observed nodes alone says of them what a batch on all nodes says."""
    model = spread(ConnectomeGNN(layer, heads=2, **SMALL).fit(task.train))
    series = stacked(task.test, model.results_["node"].to_numpy())
    views, network = model._views(model.results_, series, "cpu"), model._restored()
    for batch in views.batches(origins(series), np.random.default_rng(0)):
        few = network(views.view(batch)).mean
        many = network(views.view(batch._replace(nodes=np.arange(series.nodes.size)))).mean
        torch.testing.assert_close(few, many[torch.from_numpy(batch.nodes)], atol=1e-5, rtol=1e-4)


def test_a_restricted_graph_is_the_graph_of_the_kept_edges():
    rng = np.random.default_rng(0)
    pairs = np.array([(i, j) for i in range(9) for j in range(9) if rng.random() < 0.4]).T
    graph = message_graph((pairs[0], pairs[1], rng.random(pairs.shape[1])), nodes=9)
    nodes, sends = torch.tensor([1, 2, 5, 8]), torch.tensor([k % 2 == 1 or k == 2 for k in range(9)])
    part = restricted(graph, nodes, sends)
    whole = np.zeros((9, 9))
    whole[graph.target, graph.source] = graph.weight[:, 0]
    expected = (whole * sends.numpy())[np.ix_(nodes, nodes)]
    found = np.zeros((4, 4))
    found[part.target, part.source] = part.weight[:, 0]
    np.testing.assert_array_equal(found, expected)
    assert part.pointer.tolist() == np.concatenate([[0], (expected > 0).sum(1).cumsum()]).tolist()
    assert (part.source[part.by_source].diff() >= 0).all()


@pytest.fixture(scope="module")
def wired():
    """Activity that the wiring makes, nearly without noise of measurement."""
    options = {"noise": 0.05, "recorded": 1.0, "gain": 0.95, "random_state": 0}
    tree = make_rate_network(n_animals=2, n_times=300, n_nodes=25, **options)
    return tree, forecasting_task(tree, context=4, horizons=(1, 2), split="by_time")


@pytest.mark.parametrize(
    "model",
    [
        ConnectomeGNN("signed", n_layers=1, hidden=16, n_epochs=25, device="cpu", random_state=0),
        ConnectomeRNN(n_epochs=25, device="cpu", random_state=0),
    ],
    ids=named,
)
def test_the_wiring_that_made_the_activity_forecasts_it_better_than_none(model, wired):
    tree, task = wired
    wiring = tree["connectome"].to_dataset()
    empty = model.with_wiring(wiring.isel(edge=slice(0, 0)))
    true, nothing = (m.fit(task.train, task.validation).score(task.test) for m in (model, empty))
    assert Persistence().fit(task.train).score(task.test) == 0
    assert nothing > 0.03
    assert true > nothing + 0.02


def test_weights_of_the_dynamical_network_are_those_that_made_the_activity(wired):
    tree, task = wired
    model = ConnectomeRNN(n_epochs=25, device="cpu", random_state=0).fit(task.train, task.validation)
    found = inference.edge_attribution(model, task.test)
    weight = tree["truth"]["weight"]
    truth = [
        abs(float(weight.sel(source=s, target=t)))
        for s, t in zip(found.source.values, found.target.values, strict=True)
    ]
    assert np.corrcoef(found, truth)[0, 1] > 0.75
    effective = model.results_["effective"].to_dataset()
    signs = [
        float(weight.sel(source=s, target=t))
        for s, t in zip(effective.source.values, effective.target.values, strict=True)
    ]
    assert (np.sign(effective["weight"]) == np.sign(signs)).all()
    assert np.corrcoef(effective["weight"], signs)[0, 1] > 0.9
    assert model.results_["time_constant"].attrs["units"] == "s"


# --- Missing nodes, animals, heads -----------------------------------------------------------------------------------


def test_missing_targets_count_for_nothing(task):
    """A node whose values are all missing in training is not in the loss; its removal changes no weight of the rest."""
    model = ConnectomeGNN("none", node_embedding=0, **SMALL)
    name = stacked(task.train).nodes[stacked(task.train).recorded.all(axis=0)][0]
    gone = changed(task.train, lambda _, rec: rec.assign(activity=rec.activity.where(rec.node != name)))
    out = changed(task.train, lambda _, rec: rec.sel(node=rec.node != name))
    a, b = model.fit(gone).results_, type(model)(**model.get_params()).fit(out).results_
    assert a["weights"].to_dataset(inherit=False).equals(b["weights"].to_dataset(inherit=False))


def test_animals_with_other_nodes_are_trained_together_and_a_new_animal_is_forecast():
    tree = make_rate_network(n_animals=5, n_times=80, n_nodes=14, recorded=0.6, random_state=1)
    task = forecasting_task(tree, context=4, horizons=(1,), split="by_animal", random_state=0)
    model = ConnectomeGNN("sage", **SMALL).fit(task.train, task.validation)
    assert np.isfinite(model.score(task.test))
    known = model.results_["known"].to_numpy()
    assert known.sum() == stacked(task.train).recorded.any(axis=0).sum()


def test_before_training_the_forecast_is_persistence(task):
    network = ConnectomeGNN("gat", heads=2, **SMALL)
    series = stacked(task.train)
    about = network._about(series, wiring_of(task.train))
    untrained = network._network(about, torch.Generator().manual_seed(0)).eval()
    views = network._views(about, series, "cpu")
    for batch in views.batches(origins(series), None):
        with torch.no_grad():
            mean = untrained(views.view(batch)).mean.permute(1, 2, 0).numpy()
        last = np.nan_to_num(last_observed(contexts(series, batch.origin)))
        np.testing.assert_allclose(mean, np.repeat(last[:, None], 2, axis=1), atol=1e-6)


def test_intervals_hold_what_they_promise():
    tree = make_rate_network(n_animals=2, n_times=400, n_nodes=12, recorded=1.0, random_state=2)
    task = forecasting_task(tree, context=4, horizons=(1, 3), split="by_time")
    model = ConnectomeGNN("signed", head="gaussian", hidden=16, n_epochs=15, device="cpu", random_state=0)
    said = model.fit(task.train, task.validation).predict(task.test, interval=0.9)
    series = stacked(task.test, model.results_["node"].to_numpy())
    truth = np.stack([series.values[origins(series) + h] for h in series.horizons], axis=1)
    at = series.session[origins(series)]
    truth = truth * series.scale[at][:, None] + series.center[at][:, None]
    inside = ((said.lower <= truth) & (truth <= said.upper)).mean()
    assert 0.86 < float(inside) < 0.94
    assert (model.results_["calibration"] > 0).all()


def test_counts_are_forecast_with_a_law_of_counts():
    from dynome import schema
    from dynome import study as studies

    rng = np.random.default_rng(0)
    rate = np.exp(np.sin(np.arange(300) / 8)[:, None] * [0.5, 1.0, 1.5])
    rec = schema.recording(rng.poisson(rate).astype(float), time=np.arange(300) / 10, node=list("abc"), units="count")
    wiring = with_links("abc", [("a", "b"), ("b", "c")])
    task = forecasting_task(
        studies.build({"m": rec}, wiring), context=8, horizons=(1,), split="by_time", scaling="none"
    )
    model = ConnectomeGNN("gin", head="poisson", hidden=8, n_epochs=10, device="cpu", random_state=0)
    said = model.fit(task.train, task.validation).predict(task.test, interval=0.8)
    assert (said.forecast > 0).all()
    assert (said.lower % 1 == 0).all()
    assert model.score(task.test) > 0.2
    standardized = forecasting_task(studies.build({"m": rec}, wiring), context=8, horizons=(1,), split="by_time")
    with pytest.raises(InputError, match="head='poisson' forecasts counts, these values are standardized"):
        model.fit(standardized.train)


def test_a_free_run_stays_finite(task):
    model = ConnectomeGNN("signed", **SMALL).fit(task.train)
    series = stacked(task.test, model.results_["node"].to_numpy())
    from dynome.dynamics.forecasting.rollouts import rolled_out, starting_points

    made = rolled_out(model._forecast, series, starting_points(series, 10, "last"), 10)
    assert np.isfinite(made).all()


def test_covariates_are_read_and_must_be_those_of_the_fit(study):
    rng = np.random.default_rng(0)
    tree = study.copy(deep=True)
    for name in ("animal_1", "animal_2"):
        rec = tree[name].to_dataset()
        stimulus = ("time", np.where(np.arange(rec.sizes["time"]) % 9 < 3, 1.0, rng.normal()), {"units": "1"})
        tree[name] = xr.DataTree(rec.assign(stimulus=stimulus))
    task = forecasting_task(tree, context=4, horizons=(1, 3), split="by_time", covariates=("stimulus",))
    without = forecasting_task(tree, context=4, horizons=(1, 3), split="by_time")
    for model in (ConnectomeGNN("gcn", **SMALL), ConnectomeRNN(**QUICK), RecurrentForecaster(**SMALL)):
        model.fit(task.train)
        still = changed(task.test, lambda _, rec: rec.assign(stimulus=rec.stimulus * 0))
        a, b = (model.predict(part).forecast for part in (task.test, still))
        assert float(abs(a - b).max()) > 1e-6
        with pytest.raises(InputError, match="fitted with the covariates"):
            model.predict(without.test)


# --- Windows and batches ---------------------------------------------------------------------------------------------


def test_a_node_is_seen_where_its_context_has_a_value(task):
    series = stacked(task.train)
    at = origins(series)
    expected = np.isfinite(contexts(series, at)).any(axis=1) & series.recorded[series.session[at]]
    np.testing.assert_array_equal(observed(series)[at], expected)
    found = groups(expected)
    assert sorted(np.concatenate([w for _, w in found]).tolist()) == list(range(at.size))
    assert all((expected[w] == nodes).all() for nodes, w in found)
    assert len(found) > len(series.sessions)


@pytest.mark.parametrize(("size", "stretch"), [(1, 1), (7, 3), (64, 16)])
def test_an_epoch_shows_every_window_once(size, stretch):
    origin = np.arange(100, 200)
    found = mixed(origin, stretch, size, np.random.default_rng(0))
    assert sorted(np.concatenate(found).tolist()) == origin.tolist()
    assert max(map(len, found)) <= max(size, stretch)


# --- Errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ConnectomeGNN("gats", **QUICK), "layer must be one of"),
        (ConnectomeGNN(temporal="lstm", **QUICK), "temporal must be one of"),
        (ConnectomeGNN(head="normal", **QUICK), "head must be one of"),
        (ConnectomeGNN("gat", hidden=10, heads=4, **QUICK), "heads must divide"),
        (ConnectomeGNN(dropout=1.0, **QUICK), "dropout must be at least 0"),
        (ConnectomeGNN(batch_size=0, **QUICK), "batch_size must be an integer"),
        (ConnectomeGNN(learning_rate=0, **QUICK), "learning_rate must be positive"),
        (ConnectomeGNN(device="tpu"), "device must be"),
        (ConnectomeGNN(checkpoint="c.npz", device="cpu"), "a checkpoint needs random_state"),
        (ConnectomeRNN("class", **QUICK), "gains must be one of"),
        (ConnectomeRNN(head="poisson", **QUICK), "head must be 'point' or 'gaussian'"),
        (TransformerForecaster(hidden=9, **QUICK), "heads must divide"),
        (RecurrentForecaster(hidden=0, **QUICK), "hidden must be an integer"),
    ],
)
def test_parameters_that_cannot_be_used_are_told(model, message, task):
    with pytest.raises(InputError, match=message):
        model.fit(task.train)
    assert not hasattr(model, "results_")


def test_a_model_of_the_wiring_needs_one(study, task):
    bare = forecasting_task(
        xr.DataTree.from_dict({k: v for k, v in study.to_dict().items() if k in ("/animal_1", "/animal_2")}),
        context=4,
        horizons=(1,),
    )
    with pytest.raises(InputError, match="needs a connectome and the part has none"):
        ConnectomeGNN(**SMALL).fit(bare.train)
    assert ConnectomeGNN(connectome=wiring_of(task.train), **SMALL).fit(bare.train).uses_wiring


def test_a_wiring_of_other_names_is_refused(task):
    other = with_links(["x1", "x2"], [("x1", "x2")])
    with pytest.raises(InputError, match=r"0 of .* recorded nodes are in the connectome"):
        ConnectomeGNN(connectome=other, **SMALL).fit(task.train)


def test_too_little_memory_leaves_the_model_unfitted(task, monkeypatch):
    from dynome.inference.networks import fitting

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(fitting, "targets_of", full)
    model = ConnectomeGNN("gcn", **SMALL)
    with pytest.raises(InputError, match="lower batch_size or hidden"):
        model.fit(task.train)
    assert not hasattr(model, "results_")


def test_a_rate_of_learning_that_is_too_high_is_told(task):
    with pytest.raises(InputError, match="lower learning_rate"):
        ConnectomeGNN("gin", learning_rate=1e30, **SMALL).fit(task.train)
