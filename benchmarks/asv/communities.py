"""Communities of a weighted graph with planted blocks."""

from __future__ import annotations

import numpy as np
import xarray as xr

import dynome as dy


class Communities:
    params = ("louvain", "sbm")
    param_names = ("method",)
    timeout = 300

    def setup(self, method: str) -> None:
        rng = np.random.default_rng(0)
        block = np.repeat(np.arange(5), 20)
        linked = rng.random((100, 100)) < np.where(block[:, None] == block, 0.4, 0.05)
        weight = np.triu(linked * rng.exponential(size=linked.shape), 1)
        nodes = [f"N{k:03d}" for k in range(100)]
        matrix = xr.DataArray(weight + weight.T, dims=("source", "target"), coords={"source": nodes, "target": nodes})
        self.graph = dy.connectome.from_adjacency(matrix, units="1", directed=False)
        dy.connectome.find_communities(self.graph, method=method, random_state=0)

    def time_find(self, method: str) -> None:
        dy.connectome.find_communities(self.graph, method=method, random_state=0)

    def peakmem_find(self, method: str) -> None:
        dy.connectome.find_communities(self.graph, method=method, random_state=0)
