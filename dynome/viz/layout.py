"""Where nodes go on the page when they have no coordinates of their own.

A directed network is laid out by *signal flow* [1]_: senders above receivers, and side by side with the nodes they
are wired to. An undirected one has no flow; there nodes attract along edges and repel each other. Both are
deterministic.

References
----------
.. [1] Varshney et al., Structural properties of the Caenorhabditis elegans neuronal network, PLoS Comput Biol 7,
   e1001066 (2011), doi:10.1371/journal.pcbi.1001066.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_max_forces = 2000  # nodes; all pairs repel each other, so larger networks keep their spectral layout
_iterations = 120
_attraction, _gravity = 0.35, 4.0  # against a repulsion of one; gravity keeps loose parts on the page
_width = 1.35  # of the page, in units of its height


def signal_flow(source: NDArray[np.int64], target: NDArray[np.int64], weight: Floats, n_node: int) -> Floats:
    """Layout of a directed network.

    Parameters
    ----------
    source, target : (n_edge,)
        Positions of the nodes.
    weight : (n_edge,)
        Strength of each connection, >= 0.
    n_node : int

    Returns
    -------
    (n_node, 2)
        Across: rank along the slowest mode of the normalised Laplacian. Up: the height ``z`` that best satisfies
        ``z[source] - z[target] = 1`` over all connections. Nodes without connections stand at the lower right.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import cg

    sent = _sparse(source, target, weight, n_node)
    both = (sent + sent.T) / 2
    degree = np.asarray(both.sum(axis=1)).ravel()
    linked = degree > 0
    if not linked.any():
        return _row(n_node)
    ridge = 1e-6 * degree[linked].mean()
    net = (both.multiply((sent - sent.T).sign())).sum(axis=1)
    damped = degree + ridge
    height, _ = cg(
        diags_array(damped) - both, np.asarray(net).ravel(), rtol=1e-6, maxiter=2000, M=diags_array(1 / damped)
    )
    across = np.empty(n_node)
    slow = _modes(both, degree, 1)[:, 0]
    across[np.lexsort((np.arange(n_node), slow, ~linked))] = np.linspace(0, _width, n_node)
    height = _unit(np.where(linked, height, height[linked].min()))
    return np.column_stack([across, height])


def attraction(source: NDArray[np.int64], target: NDArray[np.int64], weight: Floats, n_node: int) -> Floats:
    """Layout of an undirected network by attraction along edges and repulsion between all nodes.

    Parameters
    ----------
    source, target, weight, n_node
        As in `signal_flow`.

    Returns
    -------
    (n_node, 2)
        Fruchterman and Reingold's forces [1]_, from the two slowest modes of the normalised Laplacian, which are all
        that networks of more than 2,000 nodes get.

    References
    ----------
    .. [1] Fruchterman & Reingold, Softw. Pract. Exp. 21, 1129 (1991), doi:10.1002/spe.4380211102.
    """
    sent = _sparse(source, target, weight, n_node)
    both = (sent + sent.T) / 2
    degree = np.asarray(both.sum(axis=1)).ravel()
    if not degree.any():
        return _row(n_node)
    place = np.argsort(np.argsort(_modes(both, degree, 2), axis=0, kind="stable"), axis=0) / max(n_node - 1, 1)
    if n_node <= _max_forces:
        place = _relaxed(place, both.toarray() / both.data.mean())
    return np.column_stack([_width * _unit(place[:, 0]), _unit(place[:, 1])])


def _relaxed(place: Floats, pull: Floats) -> Floats:
    """`place` after the forces have acted; `pull` is dense, one on average where there is an edge."""
    ideal = 1 / np.sqrt(len(place))
    for step in np.linspace(0.1, 0.001, _iterations):
        x, y = (place[:, k, None] - place[None, :, k] for k in (0, 1))
        distance = np.sqrt(x * x + y * y) + 1e-9
        force = (ideal / distance) ** 2 - _attraction * pull * distance / ideal
        push = np.column_stack([(force * x).sum(axis=1), (force * y).sum(axis=1)])
        push -= _gravity * (place - place.mean(axis=0))
        length = np.linalg.norm(push, axis=1, keepdims=True)
        place = place + push / np.maximum(length, 1e-12) * np.minimum(length, step)
    return place


def _sparse(source: NDArray[np.int64], target: NDArray[np.int64], weight: Floats, n_node: int) -> Any:
    """Compressed weights without self-connections: roots, so that a few giant weights do not decide alone."""
    from scipy.sparse import csr_array

    other = source != target
    values = np.sqrt(np.abs(weight[other]))
    return csr_array((values, (source[other], target[other])), shape=(n_node, n_node))


def _modes(both: Any, degree: Floats, count: int) -> Floats:
    """The slowest modes of the normalised Laplacian after the constant one, with a fixed sign."""
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import eigsh

    n = len(degree)
    root = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0)
    walk = diags_array(root) @ both @ diags_array(root)
    if n <= max(400, count + 2):
        _, vectors = np.linalg.eigh(walk.toarray())
    else:
        _, vectors = eigsh(walk, k=count + 1, which="LA", v0=np.sqrt(degree / degree.sum()) + 1 / n, tol=1e-4)
    modes = np.zeros((n, count))
    found = vectors[:, ::-1][:, 1 : count + 1] * root[:, None]
    modes[:, : found.shape[1]] = found * np.where(found[np.abs(found).argmax(axis=0), range(found.shape[1])] < 0, -1, 1)
    return modes


def _unit(values: Floats) -> Floats:
    span = np.ptp(values)
    return (values - values.min()) / span if span > 0 else np.full(values.shape, 0.5)


def _row(n_node: int) -> Floats:
    """Nodes without any connection: side by side."""
    across = np.linspace(0, _width, n_node) if n_node > 1 else np.full(n_node, _width / 2)
    return np.column_stack([across, np.full(n_node, 0.5)])
