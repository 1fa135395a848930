"""Scans to try dynamic graphs on."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome import schema


def activity(seed=0, n_time=60, nodes="abcdefgh", step=1.0):
    """Noise that shares a signal, one session."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_time, len(nodes))) + rng.standard_normal((n_time, 1)) * rng.random(len(nodes))
    clock = ("time", np.arange(n_time) * step, {"units": "s"})
    return xr.DataArray(x, dims=("time", "node"), coords={"time": clock, "node": list(nodes)}, attrs={"units": "1"})


def in_two_halves(rng, together, n_blocks=8, width=25):
    """A recording of twelve regions: both halves of them are bound in the same blocks, or in turn."""
    x = rng.standard_normal((n_blocks * width, 12))
    first = rng.integers(2) + np.arange(n_blocks)
    for half, bound in enumerate((first % 2, first % 2 if together else 1 - first % 2)):
        signal = 1.5 * rng.standard_normal(n_blocks * width) * np.repeat(bound, width)
        x[:, 6 * half : 6 * half + 6] += signal[:, None]
    nodes = [f"r{k:02d}" for k in range(12)]
    return schema.recording(x, time=2.0 * np.arange(len(x)), node=nodes, units="1")
