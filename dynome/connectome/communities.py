"""Groups of nodes that are wired, or active, more among themselves than chance would have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels, progress, seeds
from dynome.connectome.measures import by_size
from dynome.connectome.weight_matrix import is_symmetric, weight_matrix_of
from dynome.errors import InputError, Problems, listed
from dynome.labels import StrArray
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

Graph = xr.Dataset | xr.DataArray


def find_communities(
    graph: Graph,
    *,
    edge_type: str | Sequence[str] | None = None,
    resolution: float = 1.0,
    n_restarts: int = 10,
    random_state: int | None = None,
) -> xr.DataArray:
    """Communities of largest modularity, by the Louvain method.

    Parameters
    ----------
    graph : connectome or DataArray (source, target)
        Weights >= 0; zero and NaN mean no edge, the diagonal is ignored. A matrix that is not symmetric is directed.
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
        0 for the largest community, 1 for the next; equal sizes by their first node. ``attrs``: ``modularity``,
        ``restart_modularity`` (of each run, to see how far they agree), ``n_communities`` and the parameters.

    Raises
    ------
    InputError
        If a weight is negative, there is no edge, or a parameter is out of range.

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
    import networkx as nx

    weight, nodes = weight_matrix_of(graph, edge_type)
    _check(weight, resolution, n_restarts)
    seed = seeds.resolve(random_state)
    network = nx.from_scipy_sparse_array(weight, create_using=nx.Graph if is_symmetric(weight) else nx.DiGraph)
    found, quality = [], []
    with progress.task("looking for communities", n_restarts) as advance:
        for k in range(n_restarts):
            start = int(seeds.generator(seed, "louvain", k).integers(2**32))
            groups = nx.community.louvain_communities(network, resolution=resolution, seed=start)
            found.append(_codes(groups, weight.shape[0]))
            quality.append(_modularity(weight, found[-1], resolution))
            advance(1)
    best = int(np.argmax(quality))
    community = by_size(found[best])
    attrs = {
        "units": DIMENSIONLESS,
        "long_name": "community",
        "modularity": quality[best],
        "restart_modularity": quality,
        "n_communities": int(community.max()) + 1,
        "resolution": float(resolution),
        "random_state": seed,
    }
    return xr.DataArray(community, dims=NODE, coords=nodes.coords, name="community", attrs=attrs)


def modularity(graph: Graph, community: ArrayLike | xr.DataArray, *, resolution: float = 1.0) -> float:
    r"""How much more weight lies inside communities than degrees alone would put there.

    Parameters
    ----------
    graph : connectome or DataArray (source, target)
        Weights >= 0; zero and NaN mean no edge, the diagonal is ignored.
    community : (node,)
        Community of each node; a DataArray is joined by label.
    resolution : float
        Weight of what is expected by chance.

    Returns
    -------
    float
        At most 1; 0 where all nodes are in one community (at resolution 1).

    Raises
    ------
    InputError
        If a weight is negative, there is no edge, or a node has no community.

    Notes
    -----
    :math:`Q = \frac{1}{m} \sum_{ij} (A_{ij} - \gamma \, s_i^{out} s_j^{in} / m) \, \delta(c_i, c_j)` with
    :math:`m = \sum_{ij} A_{ij}`; on symmetric weights this is the undirected modularity [1]_.

    References
    ----------
    .. [1] Leicht & Newman, Physical Review Letters 2008, doi:10.1103/PhysRevLett.100.118703.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> modularity(from_edges({"source": ["a", "b", "c", "d"], "target": ["b", "a", "d", "c"]}), [0, 0, 1, 1])
    0.5
    """
    weight, nodes = weight_matrix_of(graph)
    _check(weight, resolution, 1)
    return _modularity(weight, _aligned(community, nodes), resolution)


def community_order(graph: Graph, community: ArrayLike | xr.DataArray) -> StrArray:
    """Node labels community by community, the strongest nodes of each first.

    Parameters
    ----------
    graph : connectome or DataArray (source, target)
        What the communities were found in.
    community : (node,)
        Community of each node; a DataArray is joined by label.

    Returns
    -------
    (node,)
        For ``matrix.sel(source=order, target=order)`` or ``reorder(connectome, node=order)``.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> wiring = from_edges({"source": ["a", "b"], "target": ["c", "c"]})
    >>> community_order(wiring, [0, 1, 0]).tolist()
    ['c', 'a', 'b']
    """
    weight, nodes = weight_matrix_of(graph)
    size = abs(weight)
    strength = size.sum(axis=0) + size.sum(axis=1)
    order = np.lexsort((-strength, _aligned(community, nodes)))
    return np.asarray(nodes[NODE].to_numpy()[order])


def _check(weight: scipy.sparse.csr_array[Any, tuple[int, int]], resolution: float, n_restarts: int) -> None:
    problems = Problems("cannot look for communities")
    if negative := int((weight.data < 0).sum()):
        problems.add(f"weights must be >= 0, found {negative} negative; take abs(...), clip at 0, or use an affinity")
    elif not weight.nnz:
        problems.add("there are no edges between different nodes")
    if not resolution > 0:
        problems.add(f"resolution must be > 0, got {resolution}")
    if n_restarts < 1:
        problems.add(f"n_restarts must be at least 1, got {n_restarts}")
    problems.raise_if_any(InputError)


def _codes(groups: list[set[int]], n_node: int) -> NDArray[np.int64]:
    code = np.empty(n_node, dtype=np.int64)
    for k, members in enumerate(groups):
        code[list(members)] = k
    return code


def _modularity(
    weight: scipy.sparse.csr_array[Any, tuple[int, int]], code: NDArray[np.int64], resolution: float
) -> float:
    coo = weight.tocoo()
    total = coo.data.sum()
    n = int(code.max()) + 1
    leaving, entering = (np.bincount(code, weights=weight.sum(axis=axis), minlength=n) for axis in (1, 0))
    inside = coo.data[code[coo.coords[0]] == code[coo.coords[1]]].sum()
    return float(inside / total - resolution * (leaving @ entering) / total**2)


def _aligned(community: ArrayLike | xr.DataArray, nodes: xr.Dataset) -> NDArray[np.int64]:
    """The community of each node as a code, in the order of their values."""
    names = nodes[NODE].to_numpy()
    if isinstance(community, xr.DataArray) and NODE in community.coords:
        place = labels.positions(names, community[NODE].to_numpy())
        if (place < 0).any():
            raise InputError(
                f"community lacks nodes {listed(names[place < 0].tolist())}; look for communities in this graph"
            )
        community = community.to_numpy()[place]
    values = np.asarray(community)
    if values.shape != names.shape:
        raise InputError(f"expected one community for each of {names.size} nodes, found shape {values.shape}")
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
