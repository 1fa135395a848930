"""Evidence for the terms of the description length: graph-tool, probabilities that add up to one, closed forms."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad

from dynome.connectome.communities.blockmodel.integer_partitions import (
    PartitionTable,
    log_partitions,
    partition_table,
)
from dynome.connectome.communities.blockmodel.laws import PLAIN, law_of, weight_cost
from dynome.connectome.communities.blockmodel.lengths import (
    adjacency_length,
    conjugate_exponential_length,
    degree_length,
    edge_ends,
    exponential_length,
    flat_edge_length,
    level_length,
    nested_edge_length,
    partition_length,
)

# Of graph-tool 2.45: BlockState(g, b=GROUP, deg_corr=...).entropy(...) with one term switched on at a time, and
# NestedBlockState(g, bs=[GROUP, ABOVE, [0, 0]]).level_entropy(l) for the levels. "doubled" has every edge twice.
EDGES = np.array(
    [
        *([0, 1], [0, 4], [0, 5], [0, 7], [0, 9], [0, 10], [1, 4], [1, 7], [1, 8], [1, 10], [1, 11], [2, 4], [2, 6]),
        *([2, 7], [2, 10], [3, 8], [3, 11], [4, 5], [4, 7], [4, 9], [4, 11], [5, 7], [6, 8], [6, 9], [8, 10]),
    ]
)
WEIGHTS = np.array(
    [
        *(2.368, 1.369, 0.566, 2.44, 1.679, 1.821, 0.371, 1.815, 1.124, 1.272, 1.195, 2.953, 4.953, 3.036, 1.847),
        *(3.493, 1.875, 1.327, 2.926, 6.302, 6.348, 1.219, 2.806, 2.206, 4.744),
    ]
)
GROUP, ABOVE, TOP = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]), np.array([0, 0, 1, 1]), np.array([0, 0])
SIZE = np.bincount(GROUP)
GRAPH_TOOL = {
    "simple": {
        "plain": 34.94261517930427,
        "corrected": 21.26646204002398,
        "uniform": 18.437195619570016,
        "distributed": 16.70581831381235,
        "flat": 17.77539483913567,
        "levels": (15.997580887528816, 6.553933404025798),
    },
    "directed": {
        "plain": 36.328909540424156,
        "corrected": 18.760353182585373,
        "uniform": 22.87556400817728,
        "distributed": 21.48172244142201,
        "flat": 24.41776310793599,
        "levels": (17.489235764306535, 8.787525625532906),
    },
    "doubled": {
        "plain": 61.02432181619141,
        "corrected": 41.86146660486474,
        "uniform": 23.547075828323752,
        "distributed": 22.071191192507108,
        "flat": 23.25423442959496,
        "levels": (19.813942774387865, 7.883069351305778),
    },
}


def adjacency(kind):
    matrix = np.zeros((12, 12), dtype=np.int64)
    matrix[tuple(EDGES.T)] = 2 if kind == "doubled" else 1
    return matrix if kind == "directed" else matrix + matrix.T


@pytest.mark.parametrize("kind", GRAPH_TOOL)
def test_terms_of_the_topology_are_those_of_graph_tool(kind):
    matrix, directed, known = adjacency(kind), kind == "directed", GRAPH_TOOL[kind]
    ends = edge_ends(matrix, GROUP, directed=directed)
    degrees = (matrix.sum(axis=1), matrix.sum(axis=0)) if directed else (matrix.sum(axis=1),)
    parallel = np.full(EDGES.shape[0], matrix.max())
    plain = adjacency_length(ends, SIZE, multiplicity=parallel, directed=directed)
    corrected = adjacency_length(ends, SIZE, degrees=degrees, multiplicity=parallel, directed=directed)
    assert plain == pytest.approx(known["plain"], rel=1e-12)
    assert corrected == pytest.approx(known["corrected"], rel=1e-12)
    assert partition_length(SIZE) == pytest.approx(20.123346669986475, rel=1e-12)
    assert degree_length(degrees, GROUP, prior="uniform") == pytest.approx(known["uniform"], rel=1e-12)
    edges = parallel.sum()
    assert flat_edge_length(4, edges, directed=directed) == pytest.approx(known["flat"], rel=1e-12)
    nested = nested_edge_length(ends, [ABOVE, TOP], directed=directed)
    assert nested == pytest.approx(sum(known["levels"]), rel=1e-12)


@pytest.mark.parametrize("kind", GRAPH_TOOL)
def test_the_distributed_prior_is_near_that_of_graph_tool_whose_partition_numbers_are_approximate(kind):
    matrix = adjacency(kind)
    degrees = (matrix.sum(axis=1), matrix.sum(axis=0)) if kind == "directed" else (matrix.sum(axis=1),)
    assert degree_length(degrees, GROUP) == pytest.approx(GRAPH_TOOL[kind]["distributed"], abs=1.6)


def test_microcanonical_weights_are_those_of_graph_tool_at_every_level():
    def summed(pairs, values):
        cell = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)
        return cell[0], np.bincount(cell[1]), np.bincount(cell[1], weights=values)

    cells, count, total = summed(GROUP[EDGES], WEIGHTS)
    above, count_above, total_above = summed(ABOVE[cells], total)
    # graph-tool's lowest level also holds the sums of all cells as one cell, the hyperprior of a model without levels
    flat = exponential_length(np.array([count.size]), WEIGHTS.sum(keepdims=True))
    assert exponential_length(count, total) + flat == pytest.approx(47.664682765284855, rel=1e-12)
    assert exponential_length(count_above, total_above) == pytest.approx(14.091532779478829, rel=1e-12)
    top = exponential_length(np.array([above.shape[0]]), WEIGHTS.sum(keepdims=True))
    assert top == pytest.approx(7.562894996603024, rel=1e-12)


def test_partitions_have_probabilities_that_add_up_to_one():
    total = sum(
        math.exp(-partition_length(np.bincount(labels)))
        for labels in itertools.product(range(5), repeat=5)
        if set(labels) == set(range(max(labels) + 1))
    )
    assert total == pytest.approx(1)


@pytest.mark.parametrize("prior", ["uniform", "distributed"])
def test_degrees_have_probabilities_that_add_up_to_one(prior):
    sequences = [k for k in itertools.product(range(7), repeat=4) if sum(k) == 6]
    lengths = [degree_length((np.array(k),), np.zeros(4, dtype=int), prior=prior) for k in sequences]
    assert np.exp(-np.array(lengths)).sum() == pytest.approx(1)


def test_graphs_with_given_edge_counts_have_probabilities_that_add_up_to_one():
    ends, size = np.array([[0, 3], [3, 0]]), np.array([2, 2])
    graphs = [a for a in itertools.product(range(4), repeat=4) if sum(a) == 3]
    lengths = [adjacency_length(ends, size, multiplicity=np.array(a)) for a in graphs]
    assert np.exp(-np.array(lengths)).sum() == pytest.approx(1)
    degrees = [(a[0] + a[1], a[2] + a[3], a[0] + a[2], a[1] + a[3]) for a in graphs]
    chances = {
        d: sum(
            math.exp(-adjacency_length(ends, size, degrees=(np.array(d),), multiplicity=np.array(a)))
            for a, other in zip(graphs, degrees, strict=True)
            if other == d
        )
        for d in set(degrees)
    }
    np.testing.assert_allclose(list(chances.values()), 1)


def test_levels_count_multigraphs_with_self_loops():
    assert math.exp(level_length(np.array([[4, 0], [0, 0]]), np.array([2, 1]))) == pytest.approx(6)
    assert math.exp(level_length(np.array([[0, 2], [2, 0]]), np.array([2, 3]))) == pytest.approx(21)
    assert math.exp(level_length(np.array([[2, 1], [0, 0]]), np.array([2, 1]), directed=True)) == pytest.approx(20)


def test_exact_numbers_of_partitions():
    table = partition_table(100, 100)
    assert math.exp(log_partitions(table, 10, 3)) == pytest.approx(14)
    assert math.exp(log_partitions(table, 100, 100)) == pytest.approx(190_569_292)
    assert log_partitions(table, 0, 5) == log_partitions(table, 7, 1) == 0


@pytest.mark.parametrize(("total", "parts"), [(1000, 5), (1000, 20), (4000, 8), (4000, 20), (4000, 300), (4000, 900)])
def test_beyond_the_table_numbers_of_partitions_are_asymptotic(total, parts):
    table = partition_table(total, parts)
    beyond = PartitionTable(table.exact[:2, :2].copy(), *table[1:])
    assert log_partitions(beyond, total, parts) == pytest.approx(log_partitions(table, total, parts), abs=0.05)


def law(weight, *prior):
    padded = np.array([*prior, *[0.0] * (4 - len(prior))])
    return law_of(PLAIN, directed=True, n_node=4, n_end=60, weight=weight, prior=padded, total_weight=9.0)


def cost(one, count, first, second):
    return weight_cost(one.weight, one.prior, one.weight_table[count], one.log_factorial, count, first, second)


def test_exponential_and_normal_laws_have_densities_that_integrate_to_one():
    exponential, normal = law(1, 2.5), law(3, 0.0, 1.0, 1.0, 1.7)
    assert quad(lambda x: math.exp(-cost(exponential, 1, x, x * x)), 0, np.inf)[0] == pytest.approx(1)
    assert quad(lambda x: math.exp(-cost(normal, 1, x, x * x)), -np.inf, np.inf)[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("one", [law(4, 0.4), law(5, 3.0)], ids=["poisson", "geometric"])
def test_laws_of_counts_have_probabilities_that_add_up_to_one(one):
    def chance(*counts):
        factorials = sum(math.lgamma(y + 1) for y in counts) if one.weight == 4 else 0.0
        return math.exp(-cost(one, len(counts), float(sum(counts)), 0.0) - factorials)

    assert sum(chance(y) for y in range(4000)) == pytest.approx(1, abs=2e-3)
    assert sum(chance(3, y) for y in range(4000)) == pytest.approx(chance(3), rel=1e-4)


def test_exponential_laws_of_the_search_are_the_closed_forms():
    count, total = np.array([1, 4, 7]), np.array([0.5, 9.0, 3.0])
    conjugate, microcanonical = law(1, 2.5), law(2, 2.5)
    found = sum(cost(conjugate, int(c), t, 0.0) for c, t in zip(count, total, strict=True))
    assert found == pytest.approx(conjugate_exponential_length(count, total, shape=1.0, rate=2.5))
    found = sum(cost(microcanonical, int(c), t, 0.0) for c, t in zip(count, total, strict=True))
    assert found == pytest.approx(exponential_length(count, total))
