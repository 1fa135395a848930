"""Stand-ins for the methods of an analysis: quick, with a failure, a shared model and something to match."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from dynome import schema, store, study
from dynome.dynamics import Persistence
from dynome.errors import InputError
from dynome.pipelines.methods import METHODS, Method

NODES = [f"n{k}" for k in range(12)]


def make_study(n_animals: int = 4, n_sessions: int = 1) -> xr.DataTree:
    """Tiny recordings, all different; the first half of the nodes is louder."""
    recordings = {}
    for animal in range(n_animals):
        for session in range(n_sessions):
            rng = np.random.default_rng((animal, session))
            values = rng.normal(size=(40, 12)) * np.repeat([3.0, 1.0], 6)
            name = f"worm{animal}" + (f"/day{session}" if n_sessions > 1 else "")
            recordings[name] = schema.recording(values, time=np.arange(40) / 2, node=NODES, units="1")
    return study.build(recordings)


def spread(recording: xr.Dataset, *, session: str = "", scale: float = 1.0, bad: str = "") -> xr.Dataset:
    """Spread of the nodes."""
    if session and session == bad:
        raise InputError(f"{session} is bad, as was asked for")
    if scale < 0:
        raise InputError(f"cannot spread:\n  - scale must be positive, got {scale}")
    return xr.Dataset({"mean_spread": ((), scale * float(recording.activity.std()), {"units": "1"})})


def components(recording: xr.Dataset) -> xr.Dataset:
    """Spread of each node, as two components: the loud and the quiet."""
    deviation = recording.activity.std("time").to_numpy()
    loadings = np.stack([np.where(deviation > 2, deviation, 0), np.where(deviation > 2, 0, deviation)])
    strength = xr.DataArray(loadings, dims=("component", "node"), coords={"node": NODES}, attrs={"units": "1"})
    return xr.Dataset({"node_strength": strength, "mean_spread": ((), deviation.mean(), {"units": "1"})})


def noise(recording: xr.Dataset, *, random_state: int = 0) -> xr.Dataset:
    """A number that depends on the seed alone."""
    return xr.Dataset({"number": ((), np.random.default_rng(random_state).random(), {"units": "1"})})


def slow(recording: xr.Dataset, *, seconds: float = 0.8) -> xr.Dataset:
    """A session that takes its time and swallows the first interrupt, as a parser in C may."""
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        raise OSError("reading failed") from None
    return xr.Dataset({"number": ((), 1.0, {"units": "1"})})


def from_model(recording: xr.Dataset, *, model: str = "", reach: int = 1) -> xr.Dataset:
    """A number of a model that was learnt from the whole study."""
    horizons = store.open(model).results_["horizon"]
    return xr.Dataset({"reach": ((), float(horizons.max()), {"units": "1"})})


def learn(study_path: str, parameters: Mapping[str, Any], random_state: int) -> Persistence:
    """A model of the whole study; each call leaves a mark."""
    with Path(study_path).with_name("calls").open("a") as file:
        file.write("1")
    if parameters["reach"] < 1:
        raise InputError("reach must be at least 1")
    whole = store.open(study_path).load()
    whole.attrs.update(context=1, horizons=[parameters["reach"]], variable="activity", interval=0.5)
    return Persistence().fit(whole)


def always(recording: xr.Dataset, connectome: xr.Dataset | None = None) -> str:
    """It applies to every session."""
    return ""


def needs_spikes(recording: xr.Dataset, connectome: xr.Dataset | None = None) -> str:
    """It applies to spikes alone."""
    return "" if "spike_count" in recording else "has no spike_count"


def not_first(recording: xr.Dataset, connectome: xr.Dataset | None = None) -> str:
    """It applies to all but the first animal."""
    return "is the first" if float(recording.activity[0, 0]) == float(make_study(1)["worm0"].activity[0, 0]) else ""


QUICK = (
    Method("spread", "how far nodes go", spread, always, summary=("mean_spread",)),
    Method("noise", "numbers of chance", noise, not_first, summary=("number",)),
    Method("learnt", "what was learnt from all", from_model, always, prepare=learn, summary=("reach",)),
    Method("matched", "what sessions share", components, always, group="components", summary=("mean_spread",)),
    Method("spiking", "needs spikes", noise, needs_spikes),
)


SLOW = Method("slow", "takes its time", slow, always)


def replace_methods(patch: Any, methods: tuple[Method, ...] = QUICK) -> None:
    """Let the quick methods be the only ones."""
    for name in list(METHODS):
        patch.delitem(METHODS, name)
    for method in methods:
        patch.setitem(METHODS, method.name, method)
