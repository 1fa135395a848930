"""Evidence for GraphClassifier and GraphRegressor: planted differences are found, controls are at chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from trial_scans import in_two_halves

from dynome import study
from dynome.errors import InputError, NotFittedError, StoreError
from dynome.inference import GraphClassifier, GraphRegressor

SMALL = {"hidden": 4, "n_layers": 1, "window": 50, "stride": 50, "n_epochs": 2, "device": "cpu", "random_state": 0}


def people(n=8, seed=0, n_blocks=4):
    """Half of the people have both halves of the brain bound at the same time, the others in turn."""
    rng = np.random.default_rng(seed)
    scans = {f"p{k:02d}": in_two_halves(rng, k % 2 == 0, n_blocks) for k in range(n)}
    known = {"group": ["together" if k % 2 == 0 else "turn" for k in range(n)], "age": np.arange(n) + 20.0}
    return study.build(scans, phenotype=pd.DataFrame(known, index=list(scans)))


@pytest.fixture(scope="module")
def fitted():
    return GraphClassifier(**SMALL).fit(people(), "group")


@pytest.fixture(scope="module")
def trial():
    return people(20), people(12, seed=1)


def learner(**options):
    shape = {"hidden": 8, "n_layers": 2, "timestamp": "none", "n_epochs": 20, "batch_size": 5, "learning_rate": 5e-3}
    return GraphClassifier(**{**SMALL, **shape, **options})


def test_groups_whose_graphs_change_differently_are_told_apart_in_new_people(trial):
    train, test = trial
    assert learner().fit(train, "group").score(test) >= 0.75


def test_without_edges_there_is_nothing_to_tell_them_apart_by(trial):
    train, test = trial
    model = learner(wiring="empty", n_epochs=3).fit(train, "group")
    said = model.predict_proba(test).to_numpy()
    # Every graph is the same, so every scan gets the same answer.
    assert model.score(test) == 0.5
    np.testing.assert_allclose(said, said[:1].repeat(len(said), 0), atol=1e-6)


def test_a_frozen_encoder_stays_as_it_was_and_a_trained_one_begins_there(trial):
    train, _ = trial
    first = learner(n_epochs=2).fit(train, "group")
    options = dict.fromkeys(("hidden", "n_layers", "timestamp", "window", "stride"))
    frozen = learner(encoder=first, freeze=True, n_epochs=1, **options).fit(train, "age")
    tuned = learner(encoder=first, n_epochs=1, learning_rate=1e-9, **options).fit(train, "group")
    before = first.results_["weights"].to_dataset()
    for name in before.data_vars:
        if name.startswith("encoder."):
            assert frozen.results_[f"weights/{name}"].equals(before[name])
            if "running" not in name and "num_batches" not in name:
                np.testing.assert_allclose(tuned.results_[f"weights/{name}"], before[name], atol=1e-6)
    assert (frozen.results_.node == first.results_.node).all()
    assert frozen.graph_settings == first.graph_settings


def test_a_fine_tuned_model_survives_the_disk_with_its_encoder(tmp_path, fitted):
    options = dict.fromkeys(("hidden", "n_layers", "window", "stride"))
    model = clone(GraphClassifier(**{**SMALL, **options, "encoder": fitted})).fit(people(), "group")
    found = GraphClassifier.load(model.save(tmp_path / "model.zarr"))
    data = people(2, seed=3)
    assert found.predict_proba(data).identical(model.predict_proba(data))
    assert found.transform(data).identical(model.transform(data))
    assert found.encoder.results_.identical(fitted.results_)


def test_results_say_which_sessions_were_used(fitted):
    data = people()
    values = data["phenotype"].group.to_series()
    values.iloc[[1, 4]] = ""
    model = GraphClassifier(**{**SMALL, "validation": 0.3}).fit(data, values)
    part = model.results_.part.to_series()
    assert (part == "left out").to_numpy().nonzero()[0].tolist() == [1, 4]
    assert (part == "validation").sum() == 2
    assert model.results_.attrs["n_left_out"] == 2
    assert model.results_["class"].values.tolist() == ["together", "turn"]
    assert np.isfinite(model.results_.validation).all()
    assert set(fitted.results_.part.values) == {"training"}


def test_probabilities_sum_to_one_and_predictions_are_the_most_probable(fitted):
    data = people(4, seed=2)
    said = fitted.predict_proba(data)
    np.testing.assert_allclose(said.sum("class"), 1)
    assert (fitted.predict(data) == said["class"][said.argmax("class")].to_numpy()).all()
    assert said.animal.values.tolist() == ["p00", "p01", "p02", "p03"]


def test_the_answer_for_a_scan_does_not_hang_on_the_others(fitted):
    data = people(4, seed=2)
    together = fitted.predict_proba(data)
    alone = fitted.predict_proba({"p02": data["p02"].to_dataset()})
    np.testing.assert_allclose(alone.sel(session="p02"), together.sel(session="p02"), atol=1e-6)


def test_ages_are_told_in_their_unit():
    model = GraphRegressor(**SMALL).fit(people(), "age")
    said = model.predict(people())
    assert float(model.results_.center) == 23.5
    assert (np.abs(said - 23.5) < 15).all()
    error = ((said.to_numpy() - (np.arange(8) + 20)) ** 2).sum()
    assert model.score(people()) == pytest.approx(1 - error / 42)


def test_training_goes_on_from_a_checkpoint_to_the_same_numbers(tmp_path, monkeypatch):
    from dynome.training import loops

    data, options = people(4), {**SMALL, "n_epochs": 6}
    whole = GraphClassifier(**options).fit(data, "group")

    judged, path = loops._judged, tmp_path / "training.npz"

    def stop(network, validate, reached):
        if len(reached.history) == 6:
            raise KeyboardInterrupt
        return judged(network, validate, reached)

    model = GraphClassifier(**options, checkpoint=path)
    monkeypatch.setattr(loops, "_judged", stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, "group")
    monkeypatch.setattr(loops, "_judged", judged)
    assert path.exists()
    assert model.fit(data, "group").results_.equals(whole.results_)
    with pytest.raises(StoreError, match="other data or settings"):
        GraphClassifier(**{**options, "learning_rate": 0.1}, checkpoint=path).fit(data, "group")


@pytest.mark.parametrize("readout", ["sero", "garo"])
def test_products_of_half_precision_learn_about_the_same(readout):
    half, full = (
        GraphClassifier(**SMALL, readout=readout, orthogonality=0.1, precision=p).fit(people(4), "group")
        for p in ("bfloat16", "float32")
    )
    np.testing.assert_allclose(half.results_.history, full.results_.history, rtol=0.2)
    assert not half.results_.history.equals(full.results_.history)


def test_one_class_is_refused():
    with pytest.raises(InputError, match="at least 2 classes"):
        GraphClassifier(**SMALL).fit(people(2), {"p00": "x", "p01": "x"})


def test_sessions_without_the_regions_of_the_model_are_refused(fitted):
    data = {"new": people(1)["p00"].to_dataset().isel(node=slice(0, 10))}
    with pytest.raises(InputError, match=r"new lacks 2 of the model's 12 regions: 'r10', 'r11'"):
        fitted.predict(data)


def test_regions_that_all_share_are_used():
    data = {k: people(2)[k].to_dataset() for k in ("p00", "p01")}
    data["p01"] = data["p01"].isel(node=slice(2, None))
    model = GraphClassifier(**SMALL).fit(data, [0, 1])
    assert model.results_.node.values.tolist() == [f"r{k:02d}" for k in range(2, 12)]
    told = [model.results_.attrs[name] for name in ("regions_left_out", "regions_in_all")]
    assert told == [2, 12]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"readout": "max", "dropout": 1.0, "n_epochs": 0}, r"(?s)n_epochs.*readout.*dropout"),
        ({"heads": 3}, "heads must divide hidden, got 3 and 4"),
        ({"freeze": True}, "pass encoder="),
        ({"encoder": 3}, "fitted GraphMaskedAutoencoder, got a int"),
        ({"checkpoint": "x.npz", "random_state": None}, "a checkpoint needs random_state"),
        ({"validation": 0.9}, "leaves none of the 2 animals"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(options, told):
    with pytest.raises(InputError, match=told):
        GraphClassifier(**{**SMALL, **options}).fit(people(4), "group")


def test_a_pretrained_encoder_must_be_fitted_and_decides_its_shape(fitted):
    with pytest.raises(NotFittedError, match=r"call encoder\.fit"):
        GraphClassifier(GraphClassifier()).fit(people(4), "group")
    with pytest.raises(InputError, match="the pretrained encoder decides window, stride, hidden, n_layers"):
        GraphClassifier(fitted, **SMALL).fit(people(4), "group")
