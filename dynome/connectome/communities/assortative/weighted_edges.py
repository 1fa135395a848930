"""Weights as values on edges, on a scale on which the ends of an edge add up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.connectome.communities.partitions import Weights

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROUNDS = 30
_EXTREME = 2.5  # standard deviations; hubs beyond count as much as at it


class Edges(NamedTuple):
    """An undirected graph by rows: neighbours of node i are ``neighbour[start[i] : start[i + 1]]``.

    Attributes
    ----------
    start : (n_node + 1,)
        Where each row starts.
    neighbour : (2 * n_edge,)
        The other end; every edge is in two rows.
    value : (2 * n_edge,)
        The transformed weight, the same in both rows.
    constant : float
        What the transformation adds to the description length of the weights, in nats.
    """

    start: Ints
    neighbour: Ints
    value: Floats
    constant: float


def undirected(weight: Weights) -> Weights:
    """Both directions of each pair added up, in units of the geometric mean."""
    total: Weights = (weight + weight.T).tocsr()
    total.sort_indices()
    total.data /= np.exp(np.mean(np.log(total.data)))
    return total


def edges_of(weight: Weights, power: float) -> Edges:
    r"""Values of edges after the transformation of Box and Cox, less what the degrees of both ends tell together.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Symmetric weights > 0, geometric mean 1.
    power : float
        0 is the logarithm.

    Notes
    -----
    :math:`y = (x^\lambda - 1) / \lambda` [1]_ with the Jacobian in the description length, so that powers can be
    compared. Weights between two hubs, or two minor nodes, may differ from the sum of what either end brings; a smooth
    surface of both degrees (products of polynomials of order 2) takes that away where it pays for itself, because
    otherwise hubs would look like a community.

    References
    ----------
    .. [1] Box & Cox, Journal of the Royal Statistical Society B 1964, doi:10.1111/j.2517-6161.1964.tb00553.x.
    """
    x = weight.data
    value = np.log(x) if power == 0 else (x**power - 1) / power
    jacobian = -(power - 1) * float(np.log(x).sum()) / 2
    start, neighbour = weight.indptr.astype(np.int64), weight.indices.astype(np.int64)
    surface, cost = _hub_surface(start, neighbour, value)
    return Edges(start, neighbour, value - surface, jacobian + cost)


def _hub_surface(start: Ints, neighbour: Ints, value: Floats) -> tuple[Floats, float]:
    """What products of polynomials of both degrees explain beside node effects, and the nats that they cost."""
    degree = np.diff(start).astype(np.float64)
    row = np.repeat(np.arange(degree.size), degree.astype(np.int64))
    size = np.log(np.maximum(degree, 1))
    if size.std() < 1e-6 or value.std() == 0:
        return np.zeros_like(value), 0.0
    scaled = np.clip((size - size.mean()) / size.std(), -_EXTREME, _EXTREME)
    one, other = scaled[row], scaled[neighbour]
    terms = [one * other, one * other * (one + other), (one * other) ** 2]
    target, *basis = (_less_node_means(v - v.mean(), row, neighbour, degree) for v in (value, *terms))
    design = np.stack(basis, axis=1)
    coefficient = np.linalg.lstsq(design, target, rcond=None)[0]
    rest = target - design @ coefficient
    n_edge = value.size / 2
    cost = len(terms) * 0.5 * np.log(n_edge)
    before, after = float(target @ target), float(rest @ rest)
    if not 0 < after < before or n_edge / 2 * np.log(before / after) <= cost:
        return np.zeros_like(value), 0.0
    surface: Floats = np.stack(terms, axis=1) @ coefficient
    return surface, cost


def _less_node_means(value: Floats, row: Ints, neighbour: Ints, degree: Floats) -> Floats:
    """Residuals after least squares of a sum of two node effects (Jacobi iterations, damped)."""
    effect = np.zeros(degree.size)
    count = np.maximum(degree, 1)
    for _ in range(_ROUNDS):
        rest = value - effect[row] - effect[neighbour]
        effect += 0.5 * np.bincount(row, rest, degree.size) / count
    rest = value - effect[row] - effect[neighbour]
    return np.asarray(rest - rest.mean())
