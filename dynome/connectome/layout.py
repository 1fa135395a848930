"""Where to draw the nodes of a graph: the same place every time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from dynome import seeds
from dynome.connectome.edge_table import check_choice
from dynome.connectome.weight_matrix import weight_matrix_of
from dynome.errors import InputError
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

Method = Literal["spring", "spectral", "circular"]
Matrix = NDArray[np.float64]
Sparse = scipy.sparse.csr_array[Any, tuple[int, int]]

_max_nodes = 10_000  # every pair of nodes is looked at in every step
_max_dense = 300  # nodes up to which all eigenvectors are found at once
_block = 1 << 17  # pairs looked at together: small enough to stay in cache


def node_positions(
    graph: xr.Dataset | xr.DataArray,
    *,
    method: Method = "spring",
    edge_type: str | Sequence[str] | None = None,
    random_state: int | None = 0,
) -> xr.Dataset:
    """Places of the nodes in a drawing of the graph.

    Parameters
    ----------
    graph : connectome or DataArray (source, target)
        Directions and signs of the weights are ignored; the pull of an edge grows with the logarithm of its weight.
    method : {"spring", "spectral", "circular"}
        Nodes repel each other and edges pull (a picture with groups), the two slowest modes of diffusion on the
        graph (a picture of its axes), or a circle clockwise in the order of the nodes.
    edge_type : str, list of str or None
        Edge types of a connectome to draw.
    random_state : int or None
        Seed of where ``"spring"`` starts.

    Returns
    -------
    Dataset (node)
        ``x`` and ``y`` between -1 and 1, dimensionless; unconnected parts stay close to the rest.

    Raises
    ------
    InputError
        If `method` is unknown or there are more than 10,000 nodes (other than in a circle).

    References
    ----------
    .. [1] Fruchterman & Reingold, Software: Practice and Experience 1991, doi:10.1002/spe.4380211102.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> place = node_positions(from_edges({"source": ["a"], "target": ["b"]}), method="circular")
    >>> place.x.values.round(6).tolist(), place.y.values.round(6).tolist()
    ([0.0, 0.0], [1.0, -1.0])
    """
    check_choice("method", method, Method)
    weight, nodes = weight_matrix_of(graph, edge_type)
    n = nodes.sizes[NODE]
    if method != "circular" and n > _max_nodes:
        raise InputError(f"{n} nodes are too many to draw this way, at most {_max_nodes}; use subgraph or group_nodes")
    if method == "circular" or n < 3:
        place = circular_places(n)
    else:
        pull = abs(weight) + abs(weight).T
        pull.data = np.log1p(pull.data / np.median(pull.data)) if pull.nnz else pull.data
        rng = seeds.generator(random_state, "layout")
        place = spectral_places(pull) if method == "spectral" else spring_places(pull, rng)
    attrs = {"units": DIMENSIONLESS}
    return nodes.drop_vars([v for v in ("x", "y", "z") if v in nodes]).assign(
        x=(NODE, place[:, 0], attrs), y=(NODE, place[:, 1], attrs)
    )


def circular_places(n_node: int) -> Matrix:
    """Places (node, 2) around a circle, clockwise from the top."""
    angle = 2 * np.pi * np.arange(n_node) / max(n_node, 1)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def spectral_places(pull: Sparse) -> Matrix:
    """Places (node, 2) by the two slowest modes of diffusion (Coifman & Lafon 2006, doi:10.1016/j.acha.2006.04.006).

    Parameters
    ----------
    pull : (node, node)
        Symmetric, nonnegative. A faint link between all nodes is added, so that unconnected parts have a place
        (Amini et al., Annals of Statistics 2013, doi:10.1214/13-AOS1138).
    """
    n = pull.shape[0]
    faint = 0.1 * (pull.sum() / n**2 if pull.nnz else 1.0)
    scale = 1 / np.sqrt(pull.sum(axis=1) + n * faint)

    def diffused(v: Matrix) -> Matrix:
        scaled = scale * v.ravel()
        return np.asarray(scale * (pull @ scaled + faint * scaled.sum()))

    if n <= _max_dense:
        values, vectors = np.linalg.eigh(scale[:, None] * (pull.toarray() + faint) * scale)
    else:
        modes = LinearOperator((n, n), matvec=diffused, dtype=np.float64)
        values, vectors = eigsh(modes, k=3, which="LA", v0=np.random.default_rng(0).random(n))
    place = vectors[:, [-2, -3]] * scale[:, None] * np.maximum(values[[-2, -3]], 0)
    place *= np.sign(place[np.abs(place).argmax(axis=0), [0, 1]])  # an eigenvector has no sign of its own: fix one
    return _fitted(place)


def spring_places(pull: Sparse, rng: np.random.Generator, n_steps: int = 100) -> Matrix:
    """Places (node, 2) where repulsion, the pull of edges and a weak pull to the centre balance.

    Parameters
    ----------
    pull : (node, node)
        Symmetric, nonnegative.
    rng : Generator
        Breaks the ties of nodes that start at one place.
    n_steps : int
        Steps, each shorter than the one before.
    """
    n = pull.shape[0]
    edges = pull.tocsr() * (np.sqrt(n) / max(pull.sum() / n, 1e-12))
    one, other = edges.nonzero()
    strength = edges.data.copy()
    place = spectral_places(pull) + 0.1 * rng.standard_normal((n, 2))
    for step in 0.2 * np.linspace(1, 0.01, n_steps) ** 1.5:
        edges.data = strength * np.linalg.norm(place[one] - place[other], axis=1)
        force = _repulsion(place) / n + edges @ place - place * (edges.sum(axis=1)[:, None] + 1)
        length = np.linalg.norm(force, axis=1, keepdims=True)
        place = place + force * np.minimum(1, step / np.maximum(length, 1e-12))
    return _fitted(place)


def _repulsion(place: Matrix) -> Matrix:
    """Sum over the other nodes of the direction away from them, divided by the distance."""
    square = (place**2).sum(axis=1)
    out = np.empty_like(place)
    rows = max(1, _block // place.shape[0])
    for start in range(0, place.shape[0], rows):
        part = slice(start, start + rows)
        push = place[part] @ place.T
        push *= -2
        push += square
        push += square[part, None]
        np.maximum(push, 1e-6, out=push)
        np.divide(1, push, out=push)
        out[part] = place[part] * push.sum(axis=1)[:, None] - push @ place
    return out


def _fitted(place: Matrix) -> Matrix:
    place = place - (place.max(axis=0) + place.min(axis=0)) / 2
    return np.asarray(place / max(np.abs(place).max(), 1e-12))
