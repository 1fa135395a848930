"""Recordings to test on: noise or a known signal, with covariates and coordinates of every kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from dynome import schema


@pytest.fixture
def make_recording() -> Callable[..., xr.Dataset]:
    """A factory of valid recordings."""
    return recording


def recording(
    seed: int = 0, n_time: int = 240, n_node: int = 4, interval: float = 0.5, start: float = 100.0
) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    time = start + np.arange(n_time) * interval
    rec = schema.recording(
        5 + rng.standard_normal((n_time, n_node)),
        time=time,
        node=[f"N{k}" for k in range(n_node)],
        units="mV",
        covariates={
            "velocity": ("time", rng.standard_normal(n_time), {"units": "mm/s"}),
            "posture": (("time", "feature"), rng.standard_normal((n_time, 2)), {"units": "rad"}),
            "reversal": ("time", rng.random(n_time) > 0.5),
            "odour": ("time", np.where(rng.random(n_time) > 0.5, "on", "off")),
        },
        attrs={"subject": "worm"},
    )
    rec.activity.attrs["sensor"] = "GCaMP"
    return rec.assign_coords(
        cell_type=("node", ["sensory", "inter"] * (n_node // 2)),
        trial=("time", np.arange(n_time) // 60),
    )
