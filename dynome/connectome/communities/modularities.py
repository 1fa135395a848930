"""How much more weight lies inside communities than chance would put there."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome.connectome.communities.checking import check_search
from dynome.connectome.communities.ordering import aligned
from dynome.connectome.communities.partitions import Weights
from dynome.connectome.weight_matrix import weight_matrix_of

Graph = xr.Dataset | xr.DataArray


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
    check_search(weight, resolution=resolution)
    return modularity_of(weight, aligned(community, nodes), resolution)


def modularity_of(weight: Weights, code: NDArray[np.int64], resolution: float) -> float:
    """Modularity on arrays.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights >= 0 without self-loops.
    code : (n_node,)
        Community of each node, from 0.
    resolution : float
        Weight of what is expected by chance.
    """
    coo = weight.tocoo()
    total = coo.data.sum()
    n = int(code.max()) + 1
    leaving, entering = (np.bincount(code, weights=weight.sum(axis=axis), minlength=n) for axis in (1, 0))
    inside = coo.data[code[coo.coords[0]] == code[coo.coords[1]]].sum()
    return float(inside / total - resolution * (leaving @ entering) / total**2)
