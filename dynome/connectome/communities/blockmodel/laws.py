"""What the graph costs, cell by cell and group by group: the compiled half of the description length.

A *cell* is a pair of groups; it holds the number of edges between them and the sums of their covariates. A *law* says
what cells and groups cost. Three kinds of graph share all searches: plain and degree-corrected ones at the bottom, and
the graphs of groups above, whose parallel edges are told apart by nothing but their ends. `lengths` has the same terms
on whole matrices, one by one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaln

from dynome.connectome.communities.blockmodel.integer_partitions import (
    PartitionTable,
    log_partitions,
    partition_table,
)

Floats = NDArray[np.float64]

PLAIN, DEGREE_CORRECTED, GROUPS = 0, 1, 2
_EXPONENTIAL, _MICROCANONICAL, _NORMAL, _POISSON, _GEOMETRIC = 1, 2, 3, 4, 5


class Law(NamedTuple):
    """What cells and groups cost.

    Attributes
    ----------
    kind : int
        ``PLAIN``, ``DEGREE_CORRECTED`` or ``GROUPS``.
    directed : bool
        Whether the cell (r, s) differs from (s, r).
    weight : int
        A code of `dynome.connectome.communities.blockmodel.weight_codes`.
    prior : (4,)
        Parameters of the prior of the weight law, see `weight_cost`.
    total_weight : float
        Sum of all weights.
    log_factorial : (n,)
        Logarithms of the first factorials.
    partitions : PartitionTable
        For the prior of the degrees.
    weight_table : (n,)
        The part of the weight law that depends on the number of edges alone.
    """

    kind: int
    directed: bool
    weight: int
    prior: Floats
    total_weight: float
    log_factorial: Floats
    partitions: PartitionTable
    weight_table: Floats


def law_of(
    kind: int, *, directed: bool, n_node: int, n_end: int, weight: int = 0, prior: Floats, total_weight: float = 0.0
) -> Law:
    """A law with its tables.

    Parameters
    ----------
    kind : int
        ``PLAIN``, ``DEGREE_CORRECTED`` or ``GROUPS``.
    directed : bool
        Whether edges have a direction.
    n_node, n_end : int
        Nodes and edge ends of the graph.
    weight : int
        A code of `dynome.connectome.communities.blockmodel.weight_codes`.
    prior : (4,)
        Parameters of the prior of the weight law, see `weight_cost`.
    total_weight : float
        Sum of all weights.
    """
    corrected = kind == DEGREE_CORRECTED
    table = partition_table(n_end if corrected else 1, n_node if corrected else 1)
    size = n_end + 2 * n_node + 2
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size, dtype=np.float64)))])
    weights = _weight_table(weight, prior, n_end if weight else 0)
    return Law(kind, directed, weight, prior, total_weight, factorial, table, weights)


def _weight_table(weight: int, prior: Floats, n_edge: int) -> Floats:
    count = np.arange(n_edge + 1, dtype=np.float64)
    if weight == _EXPONENTIAL:
        return np.asarray(-gammaln(count + 1) - np.log(prior[0]))
    if weight == _MICROCANONICAL:
        return -gammaln(np.maximum(count, 1))
    if weight == _NORMAL:
        shape = prior[2] + count / 2
        return np.asarray(
            gammaln(prior[2]) - gammaln(shape) - prior[2] * np.log(prior[3])
            + 0.5 * np.log1p(count / prior[1]) + 0.5 * count * np.log(2 * np.pi)
        )  # fmt: skip
    if weight == _POISSON:
        return np.asarray(np.log(count + prior[0]))
    return -gammaln(count + 1) - np.log(prior[0]) if weight == _GEOMETRIC else np.zeros(1)


@njit(cache=True)
def log_factorial(table: Floats, n: int) -> float:
    """Ln n!.

    Parameters
    ----------
    table : (n,)
        Logarithms of the first factorials.
    n : int
        At least 0.
    """
    return table[n] if n < table.size else math.lgamma(n + 1.0)


@njit(cache=True)
def log_multisets(table: Floats, kinds: int, n: int) -> float:
    """Ln of the number of ways to choose n things of so many kinds, with repetition.

    Parameters
    ----------
    table : (n,)
        Logarithms of the first factorials.
    kinds, n : int
        At least 0; nothing is chosen in one way.
    """
    if n == 0 or kinds <= 1:
        return 0.0
    return float(log_factorial(table, kinds + n - 1) - log_factorial(table, n) - log_factorial(table, kinds - 1))


@njit(cache=True)
def edge_cost(kind: int, table: Floats, count: int, places: int, one_way: bool) -> float:
    """What the edges of one cell cost.

    Parameters
    ----------
    kind : int
        Of the law.
    table : (n,)
        Logarithms of the first factorials.
    count : int
        Edges in the cell.
    places : int
        Pairs of nodes in the cell; only graphs of groups ask for it.
    one_way : bool
        False where the two ends of an edge are alike: one group, no direction.
    """
    if kind == GROUPS:
        return float(log_multisets(table, places, count))
    return float(-table[count] if one_way else -table[count] - count * 0.6931471805599453)


@njit(cache=True)
def weight_cost(
    weight: int, prior: Floats, constant: float, table: Floats, count: int, first: float, second: float
) -> float:
    r"""What the weights of the edges of one cell cost: minus the logarithm of their marginal probability.

    Parameters
    ----------
    weight : int
        A code of `dynome.connectome.communities.blockmodel.weight_codes`.
    prior : (4,)
        Exponential: the prior of the rate is exponential with mean ``1 / prior[0]``. Normal: the mean is normal around
        0 with ``prior[1]`` pseudo-observations, the precision gamma with shape ``prior[2]`` and rate ``prior[3]``.
        Poisson: the mean is exponential with rate ``prior[0]``. Geometric: the probability to stop is
        Beta(1, ``prior[0]``), a whole number. Microcanonical: none.
    constant : float
        Of the law's ``weight_table``, for this count.
    table : (n,)
        Logarithms of the first factorials.
    count : int
        Edges in the cell, at least 1.
    first, second : float
        Sums of their covariates and of the squares of these.
    """
    if weight == _EXPONENTIAL:
        return constant + (count + 1) * math.log(first + prior[0])
    if weight == _MICROCANONICAL:
        return constant + (count - 1) * math.log(first)
    if weight == _NORMAL:
        shift = prior[1] * count / (prior[1] + count)
        mean = first / count
        spread = max(second - count * mean * mean, 0.0) + shift * mean * mean
        return float(constant + (prior[2] + 0.5 * count) * math.log(prior[3] + 0.5 * spread))
    if weight == _POISSON:
        whole = int(first + 0.5)
        return float(-math.log(prior[0]) - log_factorial(table, whole) + (whole + 1) * constant)
    whole = int(first + prior[0] + 0.5)
    return float(constant - log_factorial(table, whole - 1) + log_factorial(table, whole + count))


@njit(cache=True)
def hyper_cost(law: Law, n_cell: int) -> float:
    """What the sums of the weights over cells cost in the microcanonical law; 0 in others.

    Parameters
    ----------
    law : Law
        The law.
    n_cell : int
        Cells with edges.
    """
    if law.weight != _MICROCANONICAL or n_cell == 0:
        return 0.0
    return float((n_cell - 1) * math.log(law.total_weight) - log_factorial(law.log_factorial, n_cell - 1))


@njit(cache=True)
def group_cost(
    kind: int, directed: bool, table: Floats, partitions: PartitionTable, out_ends: int, in_ends: int, size: int
) -> float:
    """What a group costs, apart from the numbers of its nodes of each degree.

    Parameters
    ----------
    kind, directed, table, partitions
        Of the law; table is ``log_factorial``.
    out_ends, in_ends : int
        Edge ends at its nodes; of an undirected graph, all are out.
    size : int
        Its nodes.
    """
    if kind == DEGREE_CORRECTED:
        cost = table[out_ends] + log_partitions(partitions, out_ends, size)
        return float(cost + table[in_ends] + log_partitions(partitions, in_ends, size) if directed else cost)
    if kind == PLAIN and size > 0:
        return float((out_ends + in_ends) * math.log(size) - table[size])
    return float(-table[size])
