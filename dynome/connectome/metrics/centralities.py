"""How central each node is: on paths, by its neighbours, and between communities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy.sparse
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csgraph
from scipy.sparse.linalg import ArpackError, eigs, spsolve

from dynome.connectome import edge_table, node_table
from dynome.connectome.communities.ordering import aligned
from dynome.connectome.metrics.adjacency import EdgeType, Matrix, joined, rows_of, weighted
from dynome.errors import InputError
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

Floats = NDArray[np.float64]
Centrality = Literal["betweenness", "closeness", "eigenvector", "katz", "pagerank"]
_names: tuple[Centrality, ...] = ("betweenness", "closeness", "eigenvector", "katz", "pagerank")


def centrality(
    connectome: xr.Dataset,
    kind: Centrality | Sequence[Centrality] = _names,
    *,
    edge_type: EdgeType = None,
    use_weights: bool = False,
    damping: float = 0.85,
) -> xr.Dataset:
    """How central the nodes are, in the usual senses.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome; self-loops do not count.
    kind : str or list of str
        - ``"betweenness"``: the share of the shortest paths between other nodes that lead through a node.
        - ``"closeness"``: one over the mean distance *to* a node from those that reach it, times their share.
        - ``"eigenvector"``: in proportion to the summed centrality of a node's sources; unit length.
        - ``"katz"``: the same plus a constant, discounted by half the inverse of the largest eigenvalue; unit length.
        - ``"pagerank"``: how often a walker along the edges, who jumps anywhere now and then, is there; sums to 1.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.
    use_weights : bool
        Whether weights count: as strength, and for paths as a length of one over the weight.
    damping : float
        Of PageRank: how often the walker does not jump.

    Returns
    -------
    Dataset (node), dimensionless
        One variable for each kind. Without edges all nodes are alike (0 on paths). A graph without cycles has no
        eigenvector centrality: NaN.

    Raises
    ------
    InputError
        If `kind` is unknown, a weight is negative, or `damping` is not between 0 and 1.

    References
    ----------
    .. [1] Brandes, Journal of Mathematical Sociology 2001, doi:10.1080/0022250X.2001.9990249 (betweenness).
    .. [2] Wasserman & Faust, Social Network Analysis, 1994, section 5.3 (closeness).
    .. [3] Katz, Psychometrika 1953, doi:10.1007/BF02289026.
    .. [4] Brin & Page, Computer Networks 1998, doi:10.1016/S0169-7552(98)00110-X.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> made = from_edges({"source": ["a", "b"], "target": ["b", "c"]})
    >>> centrality(made, "betweenness").betweenness.values.tolist()
    [0.0, 0.5, 0.0]
    """
    kinds = [kind] if isinstance(kind, str) else list(kind)
    for name in kinds:
        edge_table.check_choice("kind", name, Centrality)
    if not 0 <= damping < 1:
        raise InputError(f"damping must be at least 0 and less than 1, got {damping}")
    matrix = weighted(connectome, edge_type) if use_weights else joined(connectome, edge_type).astype(np.float64)
    rules = {
        "betweenness": lambda: betweenness_of(matrix, use_weights),
        "closeness": lambda: closeness_of(matrix, use_weights),
        "eigenvector": lambda: eigenvector_of(matrix),
        "katz": lambda: katz_of(matrix),
        "pagerank": lambda: pagerank_of(matrix, damping),
    }
    about = {"units": DIMENSIONLESS}
    found = {name: (NODE, rules[name](), {**about, "long_name": f"{name} centrality"}) for name in kinds}
    return node_table.nodes_of(connectome).assign(found)


def participation(
    connectome: xr.Dataset, community: str | ArrayLike | xr.DataArray, *, edge_type: EdgeType = None
) -> xr.Dataset:
    r"""How the edges of each node spread over communities, and how central it is in its own.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome with weights >= 0; weights in and out are added.
    community : str, (node,) or DataArray (node)
        Name of a node coordinate, or the community of each node, e.g. what `find_communities` returns.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.

    Returns
    -------
    Dataset (node), dimensionless
        ``participation``, 0 where all weight stays in one community, towards 1 where it spreads evenly over many; NaN
        of nodes without edges. ``within_z``, how far the weight to the own community lies from that of its other
        members, in their standard deviations; 0 where they all agree.

    Raises
    ------
    InputError
        If a weight is negative or a node has no community.

    Notes
    -----
    :math:`P_i = 1 - \sum_m (k_{im} / k_i)^2`, where :math:`k_{im}` is the weight between node i and community m [1]_.

    References
    ----------
    .. [1] Guimera & Amaral, Nature 2005, doi:10.1038/nature03288.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> made = from_edges({"source": ["a", "a"], "target": ["b", "c"]})
    >>> participation(made, ["x", "x", "y"]).participation.values.tolist()
    [0.5, 0.0, 0.0]
    """
    matrix = weighted(connectome, edge_type)
    given = connectome[community] if isinstance(community, str) and community in connectome.coords else community
    code = aligned(given, node_table.nodes_of(connectome))
    n = code.size
    member = scipy.sparse.csr_array((np.ones(n), (np.arange(n), code)), shape=(n, int(code.max(initial=0)) + 1))
    towards = ((matrix + matrix.T) @ member).toarray()
    total = towards.sum(axis=1)
    share = np.divide(towards, total[:, None], out=np.full_like(towards, np.nan), where=total[:, None] > 0)
    own = towards[np.arange(n), code]
    size = np.maximum(np.bincount(code), 1)
    mean = np.bincount(code, own) / size
    spread = np.sqrt(np.bincount(code, (own - mean[code]) ** 2) / size)
    scale = np.where(spread[code] > 1e-12 * np.abs(mean[code]), spread[code], np.inf)
    about = {"units": DIMENSIONLESS}
    return node_table.nodes_of(connectome).assign(
        participation=(NODE, 1 - (share**2).sum(axis=1), {**about, "long_name": "participation coefficient"}),
        within_z=(NODE, (own - mean[code]) / scale, {**about, "long_name": "within-community z-score"}),
    )


def betweenness_of(matrix: Matrix, use_weights: bool) -> Floats:
    """Betweenness over ordered pairs of other nodes (node,)."""
    from dynome.connectome.metrics.path_kernels import betweenness_counts, weighted_betweenness

    n = matrix.shape[0]
    rows = rows_of(matrix)
    counts: Floats = weighted_betweenness(*rows, 1 / matrix.data) if use_weights else betweenness_counts(*rows)
    return counts / max((n - 1) * (n - 2), 1)


def closeness_of(matrix: Matrix, use_weights: bool) -> Floats:
    """Closeness by the paths that lead to each node, times the share of nodes that have one (node,)."""
    n = matrix.shape[0]
    turned = matrix.T.tocsr()
    if use_weights:
        turned.data = 1 / turned.data
        total, reached = np.zeros(n), np.zeros(n)
        for start in range(0, n, 256):
            rows = np.arange(start, min(start + 256, n))
            far = csgraph.dijkstra(turned, indices=rows)
            total[rows], reached[rows] = np.where(np.isfinite(far), far, 0).sum(1), np.isfinite(far).sum(1) - 1
    else:
        from dynome.connectome.metrics.path_kernels import counted_steps

        _, total, _, reached = counted_steps(*rows_of(turned))
    share = reached / max(n - 1, 1)
    out: Floats = np.divide(reached * share, total, out=np.zeros(n), where=total > 0)
    return out


def eigenvector_of(matrix: Matrix) -> Floats:
    """The leading left eigenvector, not negative, of unit length (node,); NaN without cycles."""
    n = matrix.shape[0]
    if n == 0 or csgraph.connected_components(matrix, connection="strong")[0] == n:
        return np.full(n, np.nan)
    turned = matrix.T.astype(np.float64)
    if n < 32:
        values, vectors = np.linalg.eig(turned.toarray())
        vector = vectors[:, int(np.argmax(values.real))]
    else:
        try:
            start = np.random.default_rng(0).random(n)
            vector = eigs(turned, k=1, which="LR", v0=start, maxiter=50 * n)[1][:, 0]
        except ArpackError:
            return np.full(n, np.nan)
    real: Floats = np.abs(vector.real)
    return real / float(np.linalg.norm(real))


def katz_of(matrix: Matrix) -> Floats:
    """Katz centrality of unit length (node,), discounted by half the inverse of the largest eigenvalue."""
    n = matrix.shape[0]
    vector = eigenvector_of(matrix)
    largest = float(np.linalg.norm(matrix.T @ vector)) if np.isfinite(vector).all() else 0.0
    alpha = 0.5 / largest if largest > 0 else 0.5
    system = scipy.sparse.eye_array(n, format="csc") - alpha * matrix.T.tocsc()
    solved: Floats = np.atleast_1d(spsolve(system, np.ones(n))) if n else np.zeros(0)
    return solved / (float(np.linalg.norm(solved)) or 1.0)


def pagerank_of(matrix: Matrix, damping: float, tolerance: float = 1e-12) -> Floats:
    """How often the walker is at each node (node,)."""
    n = matrix.shape[0]
    leaving = np.asarray(matrix.sum(axis=1), dtype=np.float64)
    stuck = leaving == 0
    step = (scipy.sparse.diags_array(1 / np.where(stuck, 1, leaving)) @ matrix).T.tocsr()
    rank: Floats = np.full(n, 1 / max(n, 1))
    change = 1.0
    while n and change > max(tolerance * (1 - damping), 1e-15):
        new = damping * (step @ rank + rank[stuck].sum() / n) + (1 - damping) / n
        change, rank = float(np.abs(new - rank).sum()), new / new.sum()
    return rank
