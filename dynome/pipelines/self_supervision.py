"""A masked autoencoder over a study: pretrained once on all sessions, then asked about each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import xarray as xr

from dynome import dynamics, inference, progress, schema, store, study
from dynome.batch.content import StoredStudy
from dynome.batch.plans import session_names
from dynome.errors import DynomeError, InputError, listed
from dynome.pipelines.session_inputs import Auto, continuous_activity, longest_stretch, unsuitable
from dynome.schema import ACTIVITY, NODE, TIME

_LEAST_NODES = 5
_WINDOW_BINS = 15  # samples without which the correlations of a window are noise
_WINDOW, _STRIDES = 50.0, 4  # seconds; strides a window
_LEAST_WINDOWS = 2 * _STRIDES + 1  # for windows with neighbours on both sides
_FIT = ("window", "objective", "hidden", "n_layers", "n_steps", "batch_size", "device")


def masked_autoencoder(
    recording: xr.Dataset,
    *,
    model: str = "",
    session: str = "session",
    random_state: int = 0,
    window: float | Auto = "auto",
    spike_bin: float = 0.5,
    objective: Literal["jema", "mae", "graphmae", "contrastive"] = "jema",
    hidden: int = 32,
    n_layers: int = 2,
    n_steps: int = 120,
    batch_size: int = 4,
    device: str = "cpu",
) -> xr.Dataset:
    """Embeddings of one session by a masked autoencoder that was pretrained on the study.

    Parameters
    ----------
    recording : Dataset
        ``activity (time, node)`` in any unit, or ``spike_count``, of which rates are made; at least 9 strides of a
        window, without gaps. Short gaps of values are filled with straight lines. The session must have all nodes of
        the model.
    model : str
        Path of a stored `GraphMaskedAutoencoder`, as `pretrain_masked_autoencoder` makes it of the whole study; the
        parameters below were then its own. ``""`` pretrains on this session alone, which is only for a look.
    session : str
        What the session is called.
    random_state : int
        Seed.
    window : float or "auto"
        Seconds of a window, which moves by a quarter of it. ``"auto"`` is 50, and at least 15 samples.
    spike_bin : float
        Seconds of the bins in which spikes become rates.
    objective, hidden, n_layers, n_steps, batch_size, device
        As in `GraphMaskedAutoencoder`.

    Returns
    -------
    Dataset
        ``embedding (window, feature)``, averaged over nodes; ``node_embedding (node, feature)``, averaged over windows;
        and numbers: ``score``, minus the loss under masks that are the same for all sessions, and ``change``, the
        share of the variance of a node's embedding that is between windows.

    Raises
    ------
    InputError
        If the session lacks nodes of the model, is too short, or a parameter is out of range.
    StoreError
        If there is no such model.

    References
    ----------
    Choi et al. (2024), ST-JEMA, arXiv:2403.06432.

    Examples
    --------
    >>> from dynome.datasets import make_bold
    >>> person = make_bold(n_animals=1, n_nodes=16, n_times=120, random_state=0)["person_1"].to_dataset()
    >>> found = masked_autoencoder(person, hidden=4, n_steps=2)
    >>> found.embedding.dims, found.node_embedding.dims
    (('window', 'feature'), ('node', 'feature'))
    """
    rec = _filled(recording, spike_bin)
    if model:
        fitted = inference.GraphMaskedAutoencoder.load(model).set_params(device=device)
    else:
        values = (window, objective, hidden, n_layers, n_steps, batch_size, device)
        chosen = dict(zip(_FIT, values, strict=True))
        fitted = _pretrained({session: rec}, chosen, random_state)
    known = fitted.results_[NODE].to_numpy()
    if absent := np.setdiff1d(known, rec[NODE].to_numpy()).tolist():
        raise InputError(f"the session lacks {len(absent)} of the {known.size} nodes of the model: {listed(absent)}")
    one = {session: rec}
    embedding = fitted.transform(one).isel(session=0, drop=True)
    spread = embedding.var("window").sum(), embedding.var(("window", NODE)).sum()
    numbers = {
        "score": ((), fitted.score(one), {"units": "1", "long_name": "minus the loss under masks"}),
        "change": ((), float(spread[0] / (spread[1] * known.size)), {"units": "1", "long_name": "share of change"}),
    }
    found = xr.Dataset({"embedding": embedding.mean(NODE), "node_embedding": embedding.mean("window")})
    left_out = recording.sizes[NODE] - known.size
    return found.assign(numbers).assign_attrs(estimator=type(fitted).__name__, nodes_left_out=left_out)


def pretrain_masked_autoencoder(
    study_path: str | os.PathLike[str], parameters: Mapping[str, Any], random_state: int
) -> inference.GraphMaskedAutoencoder:
    """Pretrain on every session of a study that the method can take.

    Parameters
    ----------
    study_path : path
        A stored study. Its recordings are read one after the other, and what is learnt from them is kept in a
        temporary folder meanwhile: one float64 for each sample and node, on the disk that ``TMPDIR`` names.
    parameters : mapping
        Of `masked_autoencoder`; those that are absent have its defaults.
    random_state : int
        Seed.

    Returns
    -------
    GraphMaskedAutoencoder
        Fitted to the nodes that all these sessions share.

    Raises
    ------
    InputError
        If no session can be taken, or they share too few nodes.
    """
    with TemporaryDirectory(prefix="dynome_") as folder:
        recordings = _kept_filled(Path(study_path), Path(folder), float(parameters.get("spike_bin", 0.5)))
        shared = set.intersection(*(set(rec[NODE].to_numpy().tolist()) for rec in recordings.values()))
        if len(shared) < _LEAST_NODES:
            raise InputError(
                f"a masked autoencoder needs nodes that all sessions have, at least {_LEAST_NODES}; the "
                f"{len(recordings)} sessions share {len(shared)}. Build a study of sessions of one atlas, or whose "
                "labels agree"
            )
        return _pretrained(recordings, parameters, random_state)


def _kept_filled(study_path: Path, folder: Path, spike_bin: float) -> dict[str, xr.Dataset]:
    """What can be learnt from, filled, stored one after the other and opened lazily: a study need not fit in memory."""
    recordings, refused = {}, {}
    with progress.task("reading sessions to learn from"):
        for number, name in enumerate(session_names(StoredStudy(study_path))):
            try:
                recording = study.sessions(store.open_groups(study_path, [f"/{name}"]))[name]
                if reason := why_no_masked_autoencoder(recording):
                    refused[name] = reason
                    continue
                filled = _filled(recording, spike_bin)
            except DynomeError as error:
                refused[name] = str(error)
                continue
            recordings[name] = store.open(store.save(filled, folder / f"{number}.zarr"))
    if not recordings:
        told = "; ".join(f"{name} {reason}" for name, reason in list(refused.items())[:3])
        raise InputError(f"a masked autoencoder can learn from no session of the study: {told}")
    return recordings


def why_no_masked_autoencoder(recording: xr.Dataset, _connectome: xr.Dataset | None = None) -> str:
    """Why a session has no embeddings, or "" where it can have them.

    Parameters
    ----------
    recording : Dataset
        One session; its values are not looked at.
    _connectome : Dataset or None
        Not needed.
    """
    if reason := unsuitable(recording, _WINDOW_BINS, _LEAST_NODES):
        return reason
    longest, step = longest_stretch(recording)
    needed = _window(step) * (1 + (_LEAST_WINDOWS - 1) / _STRIDES)
    if step * recording.sizes[TIME] - longest > step or longest < needed:
        return f"has no {needed:.4g} s without a gap (the longest stretch is {longest:.3g} s)"
    return ""


def _window(step: float) -> float:
    return max(_WINDOW, _WINDOW_BINS * step)


def _filled(recording: xr.Dataset, spike_bin: float) -> xr.Dataset:
    """Activity without missing values; nodes that keep some are left out."""
    rec = schema.validate(continuous_activity(recording, spike_bin), "recording")[[ACTIVITY]]
    rec = dynamics.interpolate_gaps(rec, limit=float(rec[TIME][-1] - rec[TIME][0]))
    whole = rec[ACTIVITY].notnull().all(TIME).to_numpy()
    if whole.sum() < _LEAST_NODES:
        raise InputError(f"expected at least {_LEAST_NODES} nodes without missing ends, found {int(whole.sum())}")
    return rec.isel({NODE: whole})


def _pretrained(
    recordings: Mapping[str, xr.Dataset], parameters: Mapping[str, Any], random_state: int
) -> inference.GraphMaskedAutoencoder:
    step = max(dynamics.sampling_interval(rec) for rec in recordings.values())
    given = parameters.get("window", "auto")
    window = _window(step) if given == "auto" else float(given)
    return inference.GraphMaskedAutoencoder(
        parameters.get("objective", "jema"),
        hidden=parameters.get("hidden", 32),
        n_layers=parameters.get("n_layers", 2),
        window=window,
        stride=window / _STRIDES,
        n_steps=parameters.get("n_steps", 120),
        batch_size=parameters.get("batch_size", 4),
        device=parameters.get("device", "cpu"),
        validation=0.1 if len({name.split("/")[0] for name in recordings}) > 1 else 0.0,
        random_state=random_state,
    ).fit(recordings)
