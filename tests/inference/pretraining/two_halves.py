"""Scans in which regions are bound in halves, now one, now the other."""

from __future__ import annotations

import numpy as np
import xarray as xr


def people(n, seed=0, n_time=72):
    """Recordings (time, node) of twelve regions by name of the person."""
    found = {}
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        x = rng.standard_normal((n_time, 12))
        bound = (np.arange(n_time) // 18 + rng.integers(2)) % 2
        x[:, :6] += 1.5 * rng.standard_normal((n_time, 1)) * bound[:, None]
        x[:, 6:] += 1.5 * rng.standard_normal((n_time, 1)) * (1 - bound)[:, None]
        clock = ("time", 2.0 * np.arange(n_time), {"units": "s"})
        nodes = [f"r{i:02d}" for i in range(12)]
        found[f"p{k}"] = xr.DataArray(
            x, dims=("time", "node"), coords={"time": clock, "node": nodes}, attrs={"units": "1"}
        )
    return found
