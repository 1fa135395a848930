"""Communities by the Leiden method, of igraph and leidenalg."""

from __future__ import annotations

from typing import Literal

import numpy as np

from dynome import extras, progress, seeds
from dynome.connectome.communities.partitions import Partition, Search, Weights
from dynome.connectome.weight_matrix import is_symmetric

Objective = Literal["modularity", "cpm"]


def leiden_partition(weight: Weights, search: Search, objective: Objective = "modularity") -> Partition:
    """The best of several runs of Leiden, each until nothing changes.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights >= 0 without self-loops; one that is not symmetric is directed.
    search : Search
        Resolution, restarts and seed.
    objective : {"modularity", "cpm"}
        Modularity, or the constant Potts model, whose resolution is the density that communities must exceed, in
        units of weight, whatever the size of the graph.

    Raises
    ------
    MissingExtraError
        If igraph or leidenalg are not installed.

    References
    ----------
    .. [1] Traag, Waltman & van Eck, Scientific Reports 2019, doi:10.1038/s41598-019-41695-z.
    """
    igraph = extras.require("igraph", extra="communities")
    leidenalg = extras.require("leidenalg", extra="communities")
    directed = not is_symmetric(weight)
    coo = weight.tocoo()
    keep = slice(None) if directed else coo.coords[0] < coo.coords[1]
    ends = np.stack([coo.coords[0][keep], coo.coords[1][keep]], axis=1)
    graph = igraph.Graph(n=weight.shape[0], edges=ends.tolist(), directed=directed)
    kind = leidenalg.RBConfigurationVertexPartition if objective == "modularity" else leidenalg.CPMVertexPartition
    found, quality = [], []
    with progress.task("looking for communities", search.n_restarts) as advance:
        for k in range(search.n_restarts):
            start = int(seeds.generator(search.seed, "leiden", k).integers(2**31))
            run = leidenalg.find_partition(
                graph,
                kind,
                weights=coo.data[keep].tolist(),
                n_iterations=-1,
                seed=start,
                resolution_parameter=search.resolution,
            )
            found.append(np.asarray(run.membership, dtype=np.int64))
            quality.append(float(run.quality()))
            advance(1)
    if objective == "modularity":
        total = float(coo.data[keep].sum()) * (1 if directed else 2)
        quality = [q / total for q in quality]
    best = int(np.argmax(quality))
    return Partition(found[best], {objective: quality[best], f"restart_{objective}": quality})


def leiden_cpm_partition(weight: Weights, search: Search) -> Partition:
    """Leiden with the constant Potts model, see `leiden_partition`."""
    return leiden_partition(weight, search, "cpm")
