"""Nodes in the order of their communities."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels
from dynome.connectome.weight_matrix import weight_matrix_of
from dynome.errors import InputError, listed
from dynome.labels import StrArray
from dynome.schema import NODE

Graph = xr.Dataset | xr.DataArray


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
    order = np.lexsort((-strength, aligned(community, nodes)))
    return np.asarray(nodes[NODE].to_numpy()[order])


def aligned(community: ArrayLike | xr.DataArray, nodes: xr.Dataset) -> NDArray[np.int64]:
    """The community of each node as a code, in the order of their values.

    Parameters
    ----------
    community : (node,)
        Community of each node; a DataArray is joined by label.
    nodes : Dataset (node)
        Nodes of the graph.

    Raises
    ------
    InputError
        If a node has no community.
    """
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
