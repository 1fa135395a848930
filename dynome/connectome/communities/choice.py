"""Which to believe, the wiring or the weights? A choice between searches by one description length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.connectome.communities.assortative.fitting import (
    Explained,
    as_partition,
    fits_of,
    no_communities,
    scales_of,
)
from dynome.connectome.communities.assortative.weighted_edges import undirected
from dynome.connectome.communities.louvain import louvain_partition
from dynome.connectome.communities.partitions import Partition, Search, Weights

EXPLAINED = {
    "wiring and weights": Explained(True, True),
    "wiring": Explained(True, False),
    "weights": Explained(False, True),
}
_LOUVAIN_RUNS = 2


def chosen_partition(weight: Weights, search: Search) -> Partition:
    """Communities in the wiring, in the weights or in both, whichever describes all the data in the fewest nats.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights >= 0 without self-loops; of one that is not symmetric, both directions are added up.
    search : Search
        Restarts and seed.

    Notes
    -----
    What communities do not explain is described without them, so every candidate describes the same wiring and the
    same weights, and lengths can be compared. Candidates come from random starts and from Louvain on the weights and on
    the bare wiring.
    """
    scales = scales_of(weight)
    bare, weighted = _modular_starts(undirected(weight), search)
    starts = {"wiring and weights": (bare, weighted), "wiring": (bare,), "weights": (weighted,)}
    fewer = search._replace(n_restarts=(search.n_restarts + 1) // 2)
    found = {
        name: fits_of(scales, explained, search if all(explained) else fewer, starts[name])
        for name, explained in EXPLAINED.items()
    }
    best = {name: min(fits, key=lambda fit: fit.length) for name, fits in found.items()}
    chosen = min(best, key=lambda name: best[name].length)
    nothing = no_communities(scales)
    savings = {f"saving_in_{name.replace(' ', '_')}": nothing.length - fit.length for name, fit in best.items()}
    pays = best[chosen].length < nothing.length
    partition = as_partition(best[chosen] if pays else nothing, nothing, found[chosen])
    told = {"communities_in": chosen if pays else "nothing"}
    return Partition(partition.community, {**told, **partition.attrs, **savings})


def _modular_starts(total: Weights, search: Search) -> tuple[NDArray[np.int64], ...]:
    """Partitions of large modularity: of the bare wiring and of the weights."""
    wiring = total.copy()
    wiring.data[:] = 1.0
    few = Search(1.0, min(_LOUVAIN_RUNS, search.n_restarts), search.seed)
    return tuple(louvain_partition(graph, few).community for graph in (wiring, total))
