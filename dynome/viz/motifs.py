"""The motif of a component: the nodes that take part, by community, and the matrix of their affinities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import InputError
from dynome.viz import canvas

Floats = NDArray[np.float64]

_needed = ("time_factor", "pair_factor", "weight", "community", "node_strength", "source", "target")


class Motif(NamedTuple):
    """What one component links.

    Attributes
    ----------
    node : (n,)
        Labels of the nodes that take part, community by community, the strongest first.
    community : (n,)
        Community of each.
    strength : (n,)
        Summed loading of its pairs.
    matrix : (n, n)
        Loading of each pair, symmetric; NaN on the diagonal and where the pair was not in the tensor.
    """

    node: labels.StrArray
    community: NDArray[np.int64]
    strength: Floats
    matrix: Floats


def require_atlas(results: object) -> xr.Dataset:
    """`results`, checked to be an atlas.

    Raises
    ------
    InputError
        If variables are missing or have other dims.
    """
    canvas.require_variables(results, _needed, "an atlas")
    if not isinstance(results, xr.Dataset):  # said by require_variables; this tells the type
        raise InputError("cannot draw an atlas: expected an xarray Dataset")
    hint = "give the results_ of DynamicConnectome"
    for name, dims in (("time_factor", ("time", "component")), ("pair_factor", ("pair", "component")),
                       ("community", ("component", "node")), ("node_strength", ("component", "node"))):  # fmt: skip
        canvas.require_dims(results[name], dims, f"an atlas: {name}", hint)
    return results.load()


def motif_of(results: xr.Dataset, component: int) -> Motif:
    """The motif of the component at this position.

    Parameters
    ----------
    results : Dataset
        As `DynamicConnectome.results_`.
    component : int
        Position along ``component``.

    Examples
    --------
    >>> pair = {"source": ("pair", ["a", "a"]), "target": ("pair", ["b", "c"])}
    >>> atlas = xr.Dataset(
    ...     {"pair_factor": (("pair", "component"), [[0.8], [0.6]]),
    ...      "community": (("component", "node"), [[0, 0, -1]]),
    ...      "node_strength": (("component", "node"), [[1.4, 0.8, 0.6]])}, {"node": ["a", "b", "c"], **pair})
    >>> motif = motif_of(atlas, 0)
    >>> motif.node.tolist(), float(motif.matrix[0, 1])
    (['a', 'b'], 0.8)
    """
    one = results.isel(component=component)
    community = one["community"].to_numpy().astype(np.int64)
    strength = np.nan_to_num(canvas.finite(one["node_strength"]))
    order = np.lexsort((-strength, community))
    order = order[community[order] >= 0]
    names = labels.as_labels(one["node"].to_numpy()[order])
    i, j = (labels.positions(one[end].to_numpy(), names) for end in ("source", "target"))
    both = (i >= 0) & (j >= 0)
    matrix = np.full((names.size, names.size), np.nan)
    loading = canvas.finite(one["pair_factor"])[both]
    matrix[i[both], j[both]] = matrix[j[both], i[both]] = loading
    return Motif(names, community[order], strength[order], matrix)


def links_of(motif: Motif, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """The strongest pairs of a motif, weakest first.

    Parameters
    ----------
    motif : Motif
    count : int
        How many at most.

    Returns
    -------
    (n_link,), (n_link,), (n_link,)
        Positions of both nodes in the motif, and the loading, which is positive.
    """
    i, j = np.triu_indices(motif.node.size, 1)
    loading = np.nan_to_num(motif.matrix[i, j])
    order = np.argsort(loading, kind="stable")
    order = order[loading[order] > 0][-count:]
    return i[order], j[order], loading[order]


def graph_of(motif: Motif, count: int) -> xr.Dataset:
    """The strongest pairs of a motif as an undirected graph that `plot_connectome` draws."""
    i, j, loading = links_of(motif, count)
    return xr.Dataset(
        {
            "source": ("edge", motif.node[np.concatenate([i, j])]),
            "target": ("edge", motif.node[np.concatenate([j, i])]),
            "weight": ("edge", np.tile(loading, 2), {"units": "1"}),
            "edge_type": ("edge", np.full(2 * i.size, "functional")),
            "community": ("node", motif.community),
        },
        {"node": motif.node},
        {"directed": 0},
    )
