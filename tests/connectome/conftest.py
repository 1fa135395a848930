"""Random wirings for the tests of this area."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from dynome.connectome import from_edges

Make = Callable[..., xr.Dataset]


def make_wiring(
    seed: int = 0, n_node: int = 12, n_edge: int = 30, *, loops: bool = True, gaps: bool = True, directed: bool = True
) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    names = [f"n{k:02d}" for k in range(n_node)]
    pair = rng.choice(n_node * n_node, size=n_edge, replace=False)
    source, target = np.divmod(pair, n_node)
    kind = np.where(rng.random(n_edge) < 0.3, "gap_junction", "chemical") if gaps else np.full(n_edge, "chemical")
    keep = np.full(n_edge, True) if loops else source != target
    keep &= (kind == "chemical") & directed | (source <= target)
    edges = {
        "source": np.array(names)[source][keep],
        "target": np.array(names)[target][keep],
        "weight": rng.integers(1, 9, n_edge)[keep],
        "edge_type": kind[keep],
        "sign": rng.choice([-1, 1], n_edge)[keep],
    }
    return from_edges(edges, node=names, directed=directed, units="synapses", attrs={"species": "made up"})


@pytest.fixture(scope="session")
def wiring() -> Make:
    """A function that makes a random connectome."""
    return make_wiring
