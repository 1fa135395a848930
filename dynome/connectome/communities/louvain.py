"""Communities of largest modularity, by the Louvain method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.connectome.communities.modularities import modularity_of
from dynome.connectome.communities.partitions import Partition, Search, Weights
from dynome.connectome.weight_matrix import is_symmetric


def louvain_partition(weight: Weights, search: Search) -> Partition:
    """The best of several runs of Louvain.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights >= 0 without self-loops; one that is not symmetric is directed.
    search : Search
        Resolution, restarts and seed.

    References
    ----------
    .. [1] Blondel et al., Journal of Statistical Mechanics 2008, doi:10.1088/1742-5468/2008/10/P10008.
    """
    import networkx as nx

    network = nx.from_scipy_sparse_array(weight, create_using=nx.Graph if is_symmetric(weight) else nx.DiGraph)
    found, quality = [], []
    with progress.task("looking for communities", search.n_restarts) as advance:
        for k in range(search.n_restarts):
            start = int(seeds.generator(search.seed, "louvain", k).integers(2**32))
            groups = nx.community.louvain_communities(network, resolution=search.resolution, seed=start)
            found.append(_codes(groups, weight.shape[0]))
            quality.append(modularity_of(weight, found[-1], search.resolution))
            advance(1)
    best = int(np.argmax(quality))
    return Partition(found[best], {"modularity": quality[best], "restart_modularity": quality})


def _codes(groups: list[set[int]], n_node: int) -> NDArray[np.int64]:
    code = np.empty(n_node, dtype=np.int64)
    for k, members in enumerate(groups):
        code[list(members)] = k
    return code
