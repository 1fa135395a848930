"""How often three nodes are wired in each of the sixteen ways that there are."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.connectome.metrics.adjacency import EdgeType, joined

TRIADS = (
    "003", "012", "102", "021D", "021U", "021C", "111D", "111U",
    "030T", "030C", "201", "120D", "120U", "120C", "210", "300",
)  # fmt: skip

# Edges of an example of each class among nodes 0, 1 and 2.
EXAMPLES: dict[str, tuple[tuple[int, int], ...]] = {
    "003": (),
    "012": ((0, 1),),
    "102": ((0, 1), (1, 0)),
    "021D": ((1, 0), (1, 2)),
    "021U": ((0, 1), (2, 1)),
    "021C": ((0, 1), (1, 2)),
    "111D": ((0, 1), (1, 0), (2, 1)),
    "111U": ((0, 1), (1, 0), (1, 2)),
    "030T": ((0, 1), (1, 2), (0, 2)),
    "030C": ((0, 1), (1, 2), (2, 0)),
    "201": ((0, 1), (1, 0), (1, 2), (2, 1)),
    "120D": ((1, 0), (1, 2), (0, 2), (2, 0)),
    "120U": ((0, 1), (2, 1), (0, 2), (2, 0)),
    "120C": ((0, 1), (1, 2), (0, 2), (2, 0)),
    "210": ((0, 1), (1, 2), (2, 1), (0, 2), (2, 0)),
    "300": ((0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)),
}
CONNECTED = TRIADS[3:]


def triad_census(connectome: xr.Dataset, *, edge_type: EdgeType = None) -> xr.DataArray:
    """How many triples of nodes are wired in each way: the directed triad census.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome. Self-loops do not count; edges of several types between two nodes count as one.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.

    Returns
    -------
    triads (triad), counts
        The sixteen classes by their usual names [1]_: pairs joined both ways, one way and not at all, then U (up, edges
        meet), D (down, edges part), C (cyclic, a chain), T (transitive, feed-forward). ``connected (triad)`` tells the
        thirteen in which every node is joined to another; the counts add up to all triples.

    References
    ----------
    .. [1] Holland & Leinhardt, American Journal of Sociology 1970, doi:10.1086/224954.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> triad_census(from_edges({"source": ["a", "b", "a"], "target": ["b", "c", "c"]})).sel(triad="030T").item()
    1
    """
    from dynome.connectome.metrics.triad_kernels import counted_triads

    there = joined(connectome, edge_type).astype(np.int64)
    both = (there + 2 * there.T).tocsr()
    both.sort_indices()
    n = there.shape[0]
    code = counted_triads(both.indptr.astype(np.int64), both.indices.astype(np.int64), both.data)
    count = np.zeros(len(TRIADS), dtype=np.int64)
    np.add.at(count, _class_of_code(), code)
    count[0] = n * (n - 1) * (n - 2) // 6 - count[1:].sum()
    attrs = {"units": "count", "long_name": "triples of nodes"}
    coords = {"triad": list(TRIADS), "connected": ("triad", np.isin(TRIADS, CONNECTED))}
    return xr.DataArray(count, dims="triad", coords=coords, name="triads", attrs=attrs)


def _class_of_code() -> NDArray[np.int64]:
    """The class of each code of `dynome.connectome.metrics.triad_kernels.counted_triads`."""
    out = np.zeros(64, dtype=np.int64)
    for k, name in enumerate(TRIADS):
        for order in permutations(range(3)):
            edges = {(order[a], order[b]) for a, b in EXAMPLES[name]}
            pairs = (((0, 1), 1), ((0, 2), 4), ((1, 2), 16))
            code = sum(scale * (((a, b) in edges) + 2 * ((b, a) in edges)) for (a, b), scale in pairs)
            out[code] = k
    return out
