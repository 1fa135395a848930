"""The one entry to all methods of finding communities."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from dynome import seeds
from dynome.connectome.communities.checking import check_search
from dynome.connectome.communities.methods import METHODS
from dynome.connectome.communities.partitions import Search
from dynome.connectome.metrics.reachability import by_size
from dynome.connectome.weight_matrix import weight_matrix_of
from dynome.errors import InputError, listed
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

Graph = xr.Dataset | xr.DataArray


def find_communities(
    graph: Graph,
    *,
    method: str = "louvain",
    edge_type: str | Sequence[str] | None = None,
    resolution: float = 1.0,
    n_restarts: int = 10,
    random_state: int | None = None,
) -> xr.DataArray:
    """Communities of a weighted graph.

    Parameters
    ----------
    graph : connectome or DataArray (source, target)
        Weights >= 0; zero and NaN mean no edge, the diagonal is ignored. A matrix that is not symmetric is directed.
    method : {"louvain", "leiden", "leiden_cpm", "assortative", "auto", "sbm"}
        ``"louvain"`` makes modularity as large as it can, as does ``"leiden"``; ``"leiden_cpm"`` finds groups whose
        density exceeds the resolution. ``"assortative"`` finds the shortest description of wiring and weights by
        communities, given the degree of every node and what it brings to its weights inside and outside; ``"auto"``
        besides lets communities be in the wiring alone or in the weights alone and takes the shortest. Both find one
        community where none pay, take no resolution, and add up both directions. ``"sbm"`` finds the shortest
        description by groups that are wired alike, see `WeightedSBM`; there is no resolution.
    edge_type : str, list of str or None
        Edge types of a connectome to add up.
    resolution : float
        Above 1 gives smaller communities, below 1 larger ones.
    n_restarts : int
        Runs from different random orders, of which the best is kept.
    random_state : int or None
        Seed; None draws a fresh one, which is kept in the attributes.

    Returns
    -------
    community (node)
        0 for the largest community, 1 for the next; equal sizes by their first node. ``attrs``: ``modularity`` or
        ``description_length`` or ``saving`` (nats that communities save) and the same of each run with ``restart_``
        before it (to see how far they agree), ``n_communities`` and the parameters.

    Raises
    ------
    InputError
        If a weight is negative, there is no edge, or a parameter is unknown or out of range.
    MissingExtraError
        If Leiden is asked for and igraph or leidenalg are not installed.

    References
    ----------
    .. [1] Blondel et al., Journal of Statistical Mechanics 2008, doi:10.1088/1742-5468/2008/10/P10008.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> pairs = {"source": ["a", "b", "c", "d", "e", "c"], "target": ["b", "c", "a", "e", "d", "d"]}
    >>> find_communities(from_edges(pairs), random_state=0).values.tolist()
    [0, 0, 0, 1, 1]
    """
    if method not in METHODS:
        raise InputError(f"expected a method among {listed(METHODS)}, got {method!r}")
    weight, nodes = weight_matrix_of(graph, edge_type)
    check_search(weight, resolution=resolution, n_restarts=n_restarts)
    seed = seeds.resolve(random_state)
    partition = METHODS[method](weight, Search(float(resolution), n_restarts, seed))
    community = by_size(partition.community)
    attrs = {
        "units": DIMENSIONLESS,
        "long_name": "community",
        "method": method,
        **partition.attrs,
        "n_communities": int(community.max()) + 1,
        "resolution": float(resolution),
        "random_state": seed,
    }
    return xr.DataArray(community, dims=NODE, coords=nodes.coords, name="community", attrs=attrs)
