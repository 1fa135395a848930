"""What the tests of the batch compute: functions of a module, as those of a user, and small studies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from dynome import connectome, schema, study
from dynome.errors import InputError

OFFSET = 1.0


def make_study(n_animals: int = 3, n_sessions: int = 2, n_time: int = 40, n_nodes: int = 3) -> xr.DataTree:
    """A study of tiny recordings, all different."""
    nodes = [f"n{k}" for k in range(n_nodes)]
    recordings = {}
    for animal in range(n_animals):
        for session in range(n_sessions):
            rng = np.random.default_rng((animal, session))
            recordings[f"animal{animal}/s{session}"] = schema.recording(
                rng.normal(size=(n_time, n_nodes)), time=np.arange(n_time) * 0.5, node=nodes, units="1"
            )
    edges = pd.DataFrame({"source": nodes[:-1], "target": nodes[1:], "weight": 1.0, "edge_type": "chemical"})
    return study.build(recordings, connectome=connectome.from_edges(edges, units="1"))


def spread(recording: xr.Dataset, scale: float = 1.0) -> xr.Dataset:
    """Standard deviation of each node."""
    return xr.Dataset({"spread": scale * recording.activity.std("time")})


def noise(recording: xr.Dataset, random_state: int = 0, session: str = "") -> xr.Dataset:
    """A random number of the session's own."""
    value = np.random.default_rng(random_state).normal()
    return xr.Dataset({"noise": value}, attrs={"name": session, "n": recording.sizes["time"]})


def odd(recording: xr.Dataset, session: str) -> xr.Dataset:
    """Fails for one session."""
    if session == "animal1/s0":
        raise ValueError("the electrode fell off")
    return spread(recording)


def refused(recording: xr.Dataset, session: str) -> xr.Dataset:
    """Fails for one session with an error that dynome explains."""
    if session == "animal1/s0":
        raise InputError("expected 40 samples, found 3")
    return spread(recording)


def shifted(recording: xr.Dataset, by: float = OFFSET) -> xr.Dataset:
    """Mean of each node and constants that stand elsewhere."""
    return xr.Dataset({"shifted": recording.activity.mean("time") + by + OFFSET})
