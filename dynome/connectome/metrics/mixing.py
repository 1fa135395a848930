"""Whether edges join nodes that are alike: in degree, or in cell type."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from dynome import labels
from dynome.connectome import edge_table
from dynome.connectome.grouping import group_labels
from dynome.connectome.metrics.adjacency import EdgeType, joined, weighted

End = Literal["in", "out", "total"]


def degree_assortativity(
    connectome: xr.Dataset, *, source: End = "out", target: End = "in", edge_type: EdgeType = None
) -> float:
    """The correlation, over edges, of the degree of the source with the degree of the target.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome; self-loops do not count, and edges of several types between two nodes count as one.
    source, target : {"in", "out", "total"}
        Which degree at either end.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.

    Returns
    -------
    float
        Between -1 and 1; NaN without edges or where all degrees at one end agree.

    References
    ----------
    .. [1] Newman, Physical Review E 2003, doi:10.1103/PhysRevE.67.026126.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> round(degree_assortativity(from_edges({"source": ["a", "a", "b"], "target": ["b", "c", "c"]})), 3)
    -0.5
    """
    edge_table.check_choice("source", source, End)
    edge_table.check_choice("target", target, End)
    there = joined(connectome, edge_type).astype(np.int64).tocoo()
    out, into = (np.bincount(end, minlength=there.shape[0]) for end in there.coords)
    known = {"out": out, "in": into, "total": out + into}
    x, y = known[source][there.coords[0]], known[target][there.coords[1]]
    if x.size < 2 or not np.ptp(x) or not np.ptp(y):
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def assortativity(
    connectome: xr.Dataset,
    by: str | ArrayLike | xr.DataArray = "cell_type",
    *,
    edge_type: EdgeType = None,
    use_weights: bool = False,
) -> float:
    r"""Whether edges join nodes of the same cell type more than chance would.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome; self-loops do not count.
    by : str, (node,) or DataArray (node)
        Name of a node coordinate, or the type of each node.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.
    use_weights : bool
        Whether edges count by their weights; else each counts 1.

    Returns
    -------
    float
        1 if all edges stay within types, 0 as expected by chance, negative if they avoid their own type. NaN without
        edges or with one type only.

    Raises
    ------
    InputError
        If a node has no type, or a weight is negative.

    Notes
    -----
    :math:`r = (\sum_i e_{ii} - \sum_i a_i b_i) / (1 - \sum_i a_i b_i)` with :math:`e` the share of edges between types
    and :math:`a, b` its sums over targets and sources [1]_.

    References
    ----------
    .. [1] Newman, Physical Review E 2003, doi:10.1103/PhysRevE.67.026126.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> made = from_edges({"source": ["a", "b", "c"], "target": ["b", "a", "d"]})
    >>> assortativity(made, by=["x", "x", "y", "y"])
    1.0
    """
    code = labels.factorize(group_labels(edge_table.checked(connectome), by))[0]
    matrix = (weighted(connectome, edge_type) if use_weights else joined(connectome, edge_type)).tocoo()
    n = int(code.max(initial=0)) + 1
    pair = code[matrix.coords[0]] * n + code[matrix.coords[1]]
    between = np.bincount(pair, matrix.data.astype(np.float64), n * n).reshape(n, n)
    if not between.sum():
        return float("nan")
    between = between / between.sum()
    chance = float(between.sum(axis=1) @ between.sum(axis=0))
    return (float(np.trace(between)) - chance) / (1 - chance) if chance < 1 - 1e-12 else float("nan")
