"""Evidence for connectome/nulls/: what is kept is kept exactly, all else is equally likely."""

from collections import Counter
from itertools import combinations, product

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from scipy.stats import chisquare

from dynome import schema
from dynome.connectome import (
    degree,
    density,
    erdos_renyi,
    from_edges,
    rewire,
    shuffle_weights,
    strength,
    to_dense,
    to_edges,
)
from dynome.connectome.edge_table import EdgeTable
from dynome.connectome.nulls.random_graphs import anywhere, ordered, unordered
from dynome.connectome.nulls.swap_kernels import swap_directed, swap_undirected
from dynome.errors import InputError

seeds = st.integers(0, 10_000)
NULLS = [rewire, shuffle_weights, erdos_renyi]
LAYERS = ["chemical", "gap_junction"]


@settings(max_examples=20, deadline=None)
@given(seed=seeds, directed=st.booleans())
def test_rewiring_keeps_every_degree_of_every_layer(wiring, seed, directed):
    made = wiring(seed, directed=directed)
    null = schema.validate(rewire(made, random_state=seed), "connectome")
    for layer in LAYERS:
        xr.testing.assert_identical(degree(null, edge_type=layer), degree(made, edge_type=layer))


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_each_node_keeps_the_collection_of_its_outgoing_weights_and_signs(wiring, seed):
    made = wiring(seed, gaps=False)
    null = rewire(made, random_state=seed)
    before, after = (sorted(zip(t.source, t.weight, t.sign, strict=True)) for t in map(to_edges, (made, null)))
    assert before == after
    xr.testing.assert_identical(strength(null).out_strength, strength(made).out_strength)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, directed=st.booleans(), null=st.sampled_from(NULLS))
def test_every_null_keeps_weights_density_symmetry_and_loops(wiring, seed, directed, null):
    made = wiring(seed, directed=directed)
    changed = schema.validate(null(made, random_state=seed), "connectome")
    np.testing.assert_array_equal(changed.node, made.node)
    for layer in LAYERS:
        a, b = to_dense(made, layer), to_dense(changed, layer)
        np.testing.assert_array_equal(np.sort(a, axis=None), np.sort(b, axis=None))
        np.testing.assert_array_equal(np.diag(a), np.diag(b))
        assert density(changed, edge_type=layer) == density(made, edge_type=layer)
    if not directed:
        np.testing.assert_array_equal(to_dense(changed), to_dense(changed).T)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_shuffling_weights_leaves_the_wiring(wiring, seed):
    made = wiring(seed)
    null = shuffle_weights(made, random_state=seed)
    xr.testing.assert_identical(null.drop_vars("weight").drop_attrs(), made.drop_vars("weight").drop_attrs())


@pytest.mark.parametrize("null", NULLS)
def test_a_seed_repeats_a_null_and_another_gives_another(wiring, null):
    made = wiring(0, 40, 300)
    one = null(made, random_state=1)
    xr.testing.assert_identical(one, null(made, random_state=1))
    assert not one.equals(null(made, random_state=2))
    assert one.attrs == {**made.attrs, "null_model": null.__name__, "random_state": 1}
    fresh = null(made)
    xr.testing.assert_identical(fresh, null(made, random_state=fresh.attrs["random_state"]))


def test_rewiring_forgets_the_wiring_but_no_swaps_leave_it(wiring):
    made = wiring(0, 60, 240, gaps=False, loops=False)
    known = to_dense(made) > 0
    shared = (known & (to_dense(rewire(made, random_state=0)) > 0)).sum() / known.sum()
    assert float(shared) < 3 * density(made)
    np.testing.assert_array_equal(to_dense(rewire(made, n_swaps_per_edge=0, random_state=0)) > 0, known)


def directed_graphs(source, target, n_node):
    """All graphs without self-loops with the degrees of one of them, as a set of targets for each node."""
    out = np.bincount(source, minlength=n_node)
    rows = [list(combinations([j for j in range(n_node) if j != i], out[i])) for i in range(n_node)]
    wanted = np.bincount(target, minlength=n_node).tolist()
    return [
        g for g in product(*rows) if np.bincount(np.concatenate(g).astype(int), minlength=n_node).tolist() == wanted
    ]


def undirected_graphs(one, other, n_node):
    wanted = np.bincount(np.concatenate([one, other]), minlength=n_node).tolist()
    pairs = combinations(range(n_node), 2)
    return [g for g in combinations(pairs, one.size) if np.bincount(np.ravel(g), minlength=n_node).tolist() == wanted]


@pytest.mark.parametrize(
    ("source", "target", "n_node", "n_graph"),
    [
        ([0, 1, 2], [1, 2, 0], 3, 2),  # a triangle and its reverse, which swaps alone cannot reach
        ([0, 1, 2, 3], [1, 2, 3, 0], 4, 9),  # derangements of four
        ([0, 0, 1, 2, 3, 3], [1, 2, 3, 3, 0, 1], 4, 6),
        ([0, 1, 2, 3, 4, 0], [1, 2, 3, 4, 0, 2], 5, 48),
    ],
)
def test_every_directed_graph_with_these_degrees_is_equally_likely(source, target, n_node, n_graph):
    source, target = np.array(source), np.array(target)
    graphs = directed_graphs(source, target, n_node)
    assert len(graphs) == n_graph
    n_draw = 200 * n_graph
    seen = Counter()
    for seed in np.random.default_rng(0).integers(0, 2**64, n_draw, dtype=np.uint64):
        new, _ = swap_directed(source, target, n_node, 400, seed)
        seen[tuple(tuple(sorted(new[source == i].tolist())) for i in range(n_node))] += 1
    assert set(seen) <= set(graphs)
    assert chisquare([seen[g] for g in graphs]).pvalue > 0.001


@pytest.mark.parametrize(
    ("one", "other", "n_node", "n_graph"),
    [([0, 1, 2, 3], [1, 2, 3, 0], 4, 3), ([0, 1, 2, 3, 4], [1, 2, 3, 4, 0], 5, 12), ([0, 0, 1, 3], [1, 2, 2, 4], 5, 7)],
)
def test_every_undirected_graph_with_these_degrees_is_equally_likely(one, other, n_node, n_graph):
    one, other = np.array(one), np.array(other)
    graphs = undirected_graphs(one, other, n_node)
    assert len(graphs) == n_graph
    n_draw = 300 * n_graph
    seen = Counter()
    for seed in np.random.default_rng(1).integers(0, 2**64, n_draw, dtype=np.uint64):
        a, b, _ = swap_undirected(one, other, n_node, 200, seed)
        seen[tuple(sorted(zip(np.minimum(a, b).tolist(), np.maximum(a, b).tolist(), strict=True)))] += 1
    assert set(seen) <= set(graphs)
    assert chisquare([seen[g] for g in graphs]).pvalue > 0.001


def test_rewired_weights_are_dealt_evenly_among_the_targets_of_a_node():
    fan = from_edges({"source": ["a"] * 3, "target": list("bcd"), "weight": [1, 2, 3]}, units="1")
    draws = np.array([rewire(fan, random_state=k).weight.values for k in range(300)])
    counts = [(draws[:, k] == w).sum() for k in range(3) for w in (1, 2, 3)]
    assert min(counts) > 70  # 100 expected, standard deviation 8


@pytest.mark.parametrize(("two_way", "n_pair"), [(False, 20), (True, 10)])
def test_random_edges_fall_everywhere_alike(two_way, n_pair):
    rng = np.random.default_rng(0)
    none = np.zeros(3, dtype=np.int64)
    seen = Counter()
    for _ in range(2000):
        drawn = anywhere(EdgeTable(none, none, none, none, ["chemical"], {}), 5, two_way, rng)
        pairs = list(zip(drawn.source.tolist(), drawn.target.tolist(), strict=True))
        assert len(set(pairs)) == 3
        seen.update(pairs)
    assert all((i < j) if two_way else (i != j) for i, j in seen)
    assert len(seen) == n_pair
    assert chisquare(list(seen.values())).pvalue > 0.001


def test_numbers_of_pairs_stand_for_every_pair_up_to_large_graphs():
    n = 140_000
    last = n * (n - 1) // 2
    number = np.concatenate([np.arange(10), np.arange(last - 2 * n, last, 7919)])
    low, high = unordered(number)
    assert ((low >= 0) & (low < high) & (high < n)).all()
    np.testing.assert_array_equal(high * (high - 1) // 2 + low, number)
    source, target = ordered(np.arange(12), 4)
    assert sorted(zip(source.tolist(), target.tolist(), strict=True)) == [
        (i, j) for i in range(4) for j in range(4) if i != j
    ]


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("n_edge", [0, 1])
def test_hardly_any_edges_are_no_obstacle(null, n_edge):
    made = from_edges({"source": ["a", "b"][:n_edge], "target": ["b", "a"][:n_edge]}, node=["a", "b"])
    assert null(made, random_state=0).sizes["edge"] == n_edge


@pytest.mark.parametrize("null", NULLS)
def test_a_complete_graph_has_nothing_else_to_be(null):
    names = list("abcd")
    pairs = [(s, t) for s in names for t in names if s != t]
    made = from_edges({"source": [s for s, _ in pairs], "target": [t for _, t in pairs]})
    np.testing.assert_array_equal(to_dense(null(made, random_state=0)), to_dense(made))


def test_the_connectome_is_not_modified_and_global_randomness_is_not_touched(wiring):
    made = wiring(1)
    before, state = made.copy(deep=True), np.random.get_state()[1].copy()  # noqa: NPY002
    for null in NULLS:
        null(made, random_state=0)
    xr.testing.assert_identical(made, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: rewire(c, n_swaps_per_edge=-1), "n_swaps_per_edge must be >= 0, got -1"),
        (lambda c: rewire(c, random_state=-1), "random_state must be None or an integer >= 0"),
    ],
)
def test_parameters_out_of_range_are_refused(wiring, call, message):
    with pytest.raises(ValueError, match=message):
        call(wiring(0))


def test_a_negative_number_of_swaps_is_an_input_error(wiring):
    with pytest.raises(InputError):
        rewire(wiring(0), n_swaps_per_edge=float("nan"))
