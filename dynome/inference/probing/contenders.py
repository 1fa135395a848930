"""Rows of a comparison: each gives held-out predictions for a plan, and has never seen what it predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import InputError, listed
from dynome.estimator import Estimator
from dynome.inference.dynamic_graphs.embeddings import Pooled
from dynome.inference.dynamic_graphs.graph_estimator import GraphEstimator
from dynome.inference.dynamic_graphs.scans import Scans
from dynome.inference.probing.features import features_of
from dynome.inference.probing.heldout import FeaturesFor, empty_held, parts_of, probed, training_rows
from dynome.inference.probing.outcomes import Outcome, animals_of, class_codes
from dynome.inference.probing.probes import Plan
from dynome.inference.probing.representations import FITTED, Baseline, Describe, described
from dynome.inference.probing.tallies import Held
from dynome.schema import SESSION

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Recordings = Mapping[str, xr.Dataset]
Contender = Callable[[Plan, Sequence[float]], list[tuple[Held, int]]]

_ENCODER = "encoder"


def contenders_of(
    models: Mapping[str, Estimator | xr.DataArray],
    baselines: Sequence[Baseline],
    controls: Sequence[str],
    scans: Scans,
    recordings: Recordings,
    sessions: list[str],
    pretraining_study: xr.DataTree | None,
) -> dict[str, Contender]:
    """The rows of a comparison.

    Parameters
    ----------
    models : mapping of str to Estimator or DataArray
    baselines, controls : sequence of str
    scans : Scans
        Of `sessions`, for the baselines.
    recordings : mapping
        By session, for the models; those without a value too, as models without labels learn from them.
    sessions : list of str
        In the order of the rows of the outcome.
    pretraining_study : DataTree or None
    """
    rows: dict[str, Contender] = {}
    for baseline in baselines:
        describe = described(baseline, scans)
        rows[baseline] = _by_probe(
            _cached(describe, sessions) if baseline in FITTED else _fixed(describe([]), sessions)
        )
    for name, model in models.items():
        if isinstance(model, xr.DataArray):
            rows[name] = _by_probe(_fixed(model, sessions))
            continue
        for suffix, variant in _variants(model, controls).items():
            if hasattr(variant, "predict"):
                rows[name + suffix] = _supervised(variant, recordings, sessions, pretraining_study)
            elif pretraining_study is not None:
                fitted = variant.fit(pretraining_study)
                rows[name + suffix] = _by_probe(_fixed(_transformed(fitted, recordings, sessions), sessions))
            else:
                rows[name + suffix] = _by_probe(_cached(_learnt(variant, recordings, sessions), sessions))
    return rows


def unfitted(model: Estimator) -> Any:
    """A copy with the same parameters and nothing learnt, nor its encoder.

    Parameters
    ----------
    model : Estimator
    """
    params = model.get_params(deep=False)
    if isinstance(params.get(_ENCODER), Estimator):
        params[_ENCODER] = unfitted(params[_ENCODER])
    if "checkpoint" in params:
        params["checkpoint"] = None  # it is of other scans
    return type(model)(**params)


def _variants(model: Estimator, controls: Sequence[str]) -> dict[str, Any]:
    """The model, and its controls by what is added to its name."""
    found = {"": unfitted(model)}
    if not isinstance(model, GraphEstimator):
        return found
    for control in controls:
        variant = unfitted(model)
        inner = getattr(variant, _ENCODER, None)
        if control == "untrained":
            if hasattr(variant, "predict") or "n_steps" not in variant.get_params(deep=False):
                continue
            # One step of no length: weights stay as they were drawn, and batch statistics are those of the scans.
            variant.set_params(n_steps=1, learning_rate=1e-12, weight_decay=0.0)
        elif inner is not None:
            inner.set_params(wiring=control)
        else:
            variant.set_params(wiring=control)
        found[f", {control}" + ("" if control == "untrained" else " graph")] = variant
    return found


def _by_probe(features_for: FeaturesFor) -> Contender:
    return lambda plan, fractions: probed(
        features_for, plan.outcome, plan.fold, plan.dealt, fractions, "linear", plan.seed
    )


def _fixed(embedding: xr.DataArray, sessions: list[str]) -> FeaturesFor:
    values = _ordered(embedding, sessions)
    return lambda _: values


def _cached(describe: Describe, sessions: list[str]) -> FeaturesFor:
    """Features that depend on the training part; the last is kept, as repeats may have the same."""
    known: dict[bytes, Floats] = {}

    def features_for(train: Ints) -> Floats:
        key = train.tobytes()
        if key not in known:
            known.clear()
            known[key] = _ordered(describe([sessions[k] for k in train]), sessions)
        return known[key]

    return features_for


def _learnt(model: Any, recordings: Recordings, sessions: list[str]) -> Describe:
    """An embedding that is learnt without labels, from all animals that are not held out."""

    def describe(train: list[str]) -> xr.DataArray:
        fitted = unfitted(model).fit(_study(recordings, _unlabelled(recordings, sessions, train)))
        return _transformed(fitted, recordings, sessions)

    return describe


def _unlabelled(recordings: Recordings, sessions: list[str], train: list[str]) -> list[str]:
    """Sessions of all animals but those of `sessions` that are not in `train`."""
    held_out = set(animals_of(sessions).tolist()) - set(animals_of(train).tolist())
    names = list(recordings)
    return [name for name, animal in zip(names, animals_of(names).tolist(), strict=True) if animal not in held_out]


def _transformed(model: Any, recordings: Recordings, sessions: list[str]) -> xr.DataArray:
    whole = _study(recordings, sessions)
    if isinstance(model, GraphEstimator):
        pool: tuple[Pooled, ...] = ("window",)
        return model.transform(whole, pool=pool)
    found = model.transform(whole)
    if not isinstance(found, xr.DataArray) or SESSION not in found.dims:
        raise InputError(f"{type(model).__name__}.transform must give a DataArray (session, ...)")
    return found


def _study(recordings: Recordings, sessions: list[str]) -> xr.DataTree:
    """Sessions without phenotype or truth."""
    return xr.DataTree.from_dict({f"/{name}": recordings[name] for name in sessions})


def _ordered(embedding: xr.DataArray, sessions: list[str]) -> Floats:
    features = features_of(embedding)
    at = labels.positions(np.array(sessions), features.sessions)
    if (at < 0).any():
        lost = np.array(sessions)[at < 0].tolist()
        raise InputError(f"the embedding lacks sessions {listed(lost)}; it must have all whose target is known")
    return features.values[at]


def _supervised(
    model: Any, recordings: Recordings, sessions: list[str], pretraining_study: xr.DataTree | None
) -> Contender:
    """Predictions of a model that learns from labels; those of outcomes dealt anew are left out."""
    names = np.array(sessions)
    has_encoder = isinstance(model.get_params(deep=False).get(_ENCODER), Estimator)
    encoder = model.encoder.fit(pretraining_study) if has_encoder and pretraining_study is not None else None

    def predictions(plan: Plan, fractions: Sequence[float]) -> list[tuple[Held, int]]:
        outcome, one = plan.outcome, plan.dealt[..., :1]
        found = [empty_held(outcome, plan.fold, one) for _ in fractions]
        least = [len(outcome.animals)] * len(fractions)
        for r, k, train, test in parts_of(plan.fold):
            fitted = encoder
            if has_encoder and fitted is None:
                seen = _unlabelled(recordings, sessions, names[train].tolist())
                fitted = unfitted(model.encoder).fit(_study(recordings, seen))
            held_out = _study(recordings, names[test].tolist())
            for j, (held, fraction) in enumerate(zip(found, fractions, strict=True)):
                own = training_rows(outcome, train, fraction, (plan.seed, r, k))
                least[j] = min(least[j], np.unique(outcome.animal[own]).size)
                labelled = _study(recordings, names[own].tolist())
                copy = unfitted(model)
                if has_encoder:
                    copy.set_params(encoder=fitted)
                copy.fit(labelled, target=_values(outcome, own, names))
                mean = one[own, :, 0].mean(axis=0)
                held.mean[r, test] = mean
                held.prediction[r, test, :, 0] = _answers(copy, held_out, outcome, names[test]) - mean
        return list(zip(found, least, strict=True))

    return predictions


def _values(outcome: Outcome, rows: Ints, names: NDArray[np.str_]) -> dict[str, Any]:
    """The target of training sessions, for `fit`."""
    if outcome.classes:
        values: list[Any] = [outcome.classes[c] for c in class_codes(outcome)[rows]]
    else:
        values = outcome.values[rows, 0].tolist()
    return dict(zip(names[rows].tolist(), values, strict=True))


def _answers(model: Any, data: xr.DataTree, outcome: Outcome, sessions: NDArray[np.str_]) -> Floats:
    """(n_test, c): log odds of each class, or numbers."""
    if not outcome.classes:
        return np.asarray(model.predict(data).sel({SESSION: sessions}).to_numpy(), dtype=np.float64)[:, None]
    chance = model.predict_proba(data).sel({SESSION: sessions})
    names = chance["class"].to_numpy().astype(np.str_).tolist()
    p = chance.transpose(SESSION, "class").to_numpy().astype(np.float64)
    p = np.clip(p[:, [names.index(name) for name in outcome.classes]], 1e-12, 1.0)
    log_odds = np.log(p) - np.log(np.maximum(1 - p, 1e-12))
    return np.asarray(log_odds[:, 1:] if len(outcome.classes) == 2 else log_odds)
