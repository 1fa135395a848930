"""Evidence for connectome/nulls/: what each kind of null connectome keeps, exactly, and what it forgets."""

from collections import Counter
from typing import get_args

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from scipy.stats import chisquare

from dynome import schema
from dynome.connectome import degree, density, from_edges, group_nodes, null_connectome, strength, to_dense, to_edges
from dynome.connectome.nulls.kinds import NullKind
from dynome.errors import InputError

seeds = st.integers(0, 10_000)
LAYERS = ["chemical", "gap_junction"]
KINDS = list(get_args(NullKind))


def placed(made, seed=0):
    """A connectome with places and cell types."""
    rng = np.random.default_rng(seed)
    n = made.sizes["node"]
    where = {axis: ("node", rng.random(n), {"units": "um"}) for axis in "xyz"}
    return made.assign_coords(**where, cell_type=("node", rng.choice(["sensory", "inter", "motor"], n)))


def lengths(connectome, layer):
    table = to_edges(connectome)
    two_way = layer == "gap_junction" or not connectome.attrs["directed"]
    once = (table.source < table.target) if two_way else (table.source != table.target)
    table = table[(table.edge_type == layer) & once]
    place = np.stack([connectome[axis].to_series()[[*table.source, *table.target]] for axis in "xyz"])
    return np.linalg.norm(np.subtract(*np.split(place, 2, axis=1)), axis=0)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, directed=st.booleans(), kind=st.sampled_from(KINDS))
def test_every_kind_is_a_valid_connectome_of_the_same_nodes(wiring, seed, directed, kind):
    made = placed(wiring(seed, directed=directed))
    null = schema.validate(null_connectome(made, kind, random_state=seed), "connectome")
    xr.testing.assert_identical(null.node, made.node)
    assert null.attrs == {**made.attrs, "null_model": kind, "random_state": seed}
    for layer in LAYERS[not directed :]:  # two-way layers are symmetric
        if layer == "gap_junction" or not directed:
            np.testing.assert_array_equal(to_dense(null, layer), to_dense(null, layer).T)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, directed=st.booleans(), kind=st.sampled_from(["degree", "reciprocity", "distance", "type"]))
def test_swaps_keep_the_degrees_of_every_layer(wiring, seed, directed, kind):
    made = placed(wiring(seed, 16, 60, directed=directed), seed)
    null = null_connectome(made, kind, random_state=seed)
    for layer in LAYERS:
        xr.testing.assert_identical(degree(null, edge_type=layer), degree(made, edge_type=layer))
        a, b = to_dense(made, layer), to_dense(null, layer)
        np.testing.assert_array_equal(np.sort(a, axis=None), np.sort(b, axis=None))
        np.testing.assert_array_equal(np.diag(a), np.diag(b))


@settings(max_examples=20, deadline=None)
@given(seed=seeds, kind=st.sampled_from(["degree", "reciprocity", "distance", "type"]))
def test_signs_and_weights_stay_with_their_source(wiring, seed, kind):
    made = placed(wiring(seed, 16, 60, gaps=False), seed)
    null = null_connectome(made, kind, random_state=seed)
    before, after = (sorted(zip(t.source, t.weight, t.sign, strict=True)) for t in map(to_edges, (made, null)))
    assert before == after
    xr.testing.assert_identical(strength(null).out_strength, strength(made).out_strength)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_every_node_keeps_how_many_of_its_edges_lead_both_ways(wiring, seed):
    made = wiring(seed, 14, 90, gaps=False)
    null = null_connectome(made, "reciprocity", random_state=seed)
    before, after = ((to_dense(c) > 0).to_numpy() for c in (made, null))
    np.testing.assert_array_equal((before & before.T).sum(0), (after & after.T).sum(0))


def test_graphs_with_the_same_mutual_edges_are_equally_likely():
    from dynome.connectome.nulls.mutual_kernels import swap_keeping_mutual

    source, target = np.array([0, 2, 0, 1, 3]), np.array([1, 3, 2, 4, 4])
    mutual = np.array([True, True, False, False, False])
    seen = Counter()
    for seed in np.random.default_rng(0).integers(0, 2**64, 3000, dtype=np.uint64):
        a, b, _ = swap_keeping_mutual(source, target, mutual, 5, 2000, seed)
        rows = zip(a.tolist(), b.tolist(), mutual.tolist(), strict=True)
        seen[tuple(sorted((min(i, j), max(i, j), m) if m else (i, j, m) for i, j, m in rows))] += 1
    assert len(seen) > 2
    assert chisquare(list(seen.values())).pvalue > 0.001


@settings(max_examples=20, deadline=None)
@given(seed=seeds, directed=st.booleans())
def test_every_node_keeps_its_edges_with_each_cell_type(wiring, seed, directed):
    made = placed(wiring(seed, 16, 80, directed=directed), seed)
    null = null_connectome(made, "type", random_state=seed)
    types = np.unique(made.cell_type, return_inverse=True)[1]
    one = np.eye(3)[types]
    for layer in LAYERS:
        a, b = ((to_dense(c, layer) > 0).to_numpy() for c in (made, null))
        np.testing.assert_array_equal(a @ one, b @ one)
        np.testing.assert_array_equal(a.T @ one, b.T @ one)
    before, after = (group_nodes(c, by="cell_type") for c in (made, null))
    np.testing.assert_array_equal(to_dense(before, "chemical") > 0, to_dense(after, "chemical") > 0)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, directed=st.booleans(), n_bins=st.integers(1, 12))
@example(seed=475, directed=False, n_bins=5)  # a limit is a length that occurs
def test_lengths_keep_their_bins(wiring, seed, directed, n_bins):
    made = placed(wiring(seed, 20, 120, directed=directed), seed)
    null = null_connectome(made, "distance", n_bins=n_bins, random_state=seed)
    for layer in LAYERS:
        before, after = np.sort(lengths(made, layer)), np.sort(lengths(null, layer))
        assert before.size == after.size
        if before.size > 2:
            inner = np.quantile(before, np.linspace(0, 1, n_bins + 1))[1:-1] * (1 - 1e-9)
            counts = [np.bincount(np.searchsorted(inner, v, side="right"), minlength=n_bins) for v in (before, after)]
            np.testing.assert_array_equal(*counts)
            assert after.max() <= before.max() * (1 + 1e-8)


def test_lengths_are_kept_to_the_width_of_a_bin_and_the_wiring_is_forgotten(wiring):
    made = placed(wiring(1, 80, 1500, gaps=False, loops=False))
    table = to_edges(made)
    near = lengths(made, "chemical") < np.quantile(lengths(made, "chemical"), 0.4)
    made = placed(from_edges(table[near], node=made.node, units="synapses"))
    null, free = (null_connectome(made, kind, random_state=0) for kind in ("distance", "degree"))
    length = lengths(made, "chemical")
    assert abs(lengths(null, "chemical").sum() / length.sum() - 1) < 0.02
    assert lengths(free, "chemical").sum() / length.sum() > 1.3
    known = to_dense(made) > 0
    shared = float((known & (to_dense(null) > 0)).sum() / known.sum())
    assert shared < 0.5
    close = np.corrcoef(np.sort(lengths(null, "chemical")), np.sort(length))[0, 1]
    assert close > 0.99


def test_strong_edges_stay_short_where_they_were(wiring):
    made = placed(wiring(2, 60, 900, gaps=False, loops=False))
    made["weight"] = ("edge", 1 / (0.05 + lengths(made, "chemical")), {"units": "1"})
    null = null_connectome(made, "distance", random_state=0)
    rank = np.corrcoef(null.weight, lengths(null, "chemical"))[0, 1]
    assert rank < 0.8 * np.corrcoef(made.weight, lengths(made, "chemical"))[0, 1]


@pytest.mark.parametrize("two_way", [False, True])
def test_graphs_with_the_same_lengths_are_equally_likely(two_way):
    """Among the wirings of seven nodes with these degrees and bins of length that were ever seen."""
    from dynome.connectome.nulls.length_kernels import swap_within_bins

    place = np.array([[0.0, 0.0], [1.0, 0.1], [1.1, 1.0], [0.1, 1.2], [0.5, 0.4], [2.0, 0.5], [1.4, 0.3]])
    near = np.array([[1, 3], [0, 2], [1, 3], [2, 4], [0, 1], [6, 2], [1, 5]])
    source, target = np.array([0, 1, 2, 3, 4, 5]), np.array([1, 2, 3, 4, 5, 6])
    length = np.linalg.norm(place[source] - place[target], axis=1)
    bounds = np.array([0.0, 1.05, length.max() + 0.3])
    bins = np.bincount(np.searchsorted(bounds, length, side="right"), minlength=4)
    seen = Counter()
    for seed in np.random.default_rng(0).integers(0, 2**64, 2000, dtype=np.uint64):
        a, b, _ = swap_within_bins(source, target, place, near, bounds, two_way, 10**9, 4000, seed)
        new = np.linalg.norm(place[a] - place[b], axis=1)
        np.testing.assert_array_equal(np.bincount(np.searchsorted(bounds, new, side="right"), minlength=4), bins)
        pairs = zip(a.tolist(), b.tolist(), strict=True)
        seen[tuple(sorted(tuple(sorted(p)) if two_way else p for p in pairs))] += 1
    assert len(seen) > 2
    assert chisquare(list(seen.values())).pvalue > 0.001


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_permuted_labels_leave_the_graph_as_it_is(wiring, seed):
    made = wiring(seed)
    null = null_connectome(made, "labels", random_state=seed)
    for layer in LAYERS:
        a, b = to_dense(made, layer).to_numpy(), to_dense(null, layer).to_numpy()
        np.testing.assert_allclose(np.linalg.svd(a)[1], np.linalg.svd(b)[1], atol=1e-9)
        np.testing.assert_array_equal(np.sort(a.sum(1)), np.sort(b.sum(1)))
    before, after = (sorted(zip(t.edge_type, t.weight, t.sign, strict=True)) for t in map(to_edges, (made, null)))
    assert before == after


def test_no_edges_and_all_edges(wiring):
    made = wiring(3)
    empty = null_connectome(made, "empty")
    assert empty.sizes["edge"] == 0
    assert degree(empty).degree.sum() == 0
    assert to_dense(empty).sum() == 0
    full = null_connectome(made, "complete")
    for layer in LAYERS:
        assert density(full, edge_type=layer) == 1
        dense, known = (to_dense(c, layer).to_numpy() for c in (full, made))
        off = ~np.eye(12, dtype=bool)
        assert np.ptp(dense[off]) == 0
        assert dense.sum() == pytest.approx(known[off].sum())
        assert np.diag(dense).sum() == 0


def test_a_complete_connectome_keeps_the_sign_of_a_source_that_has_one():
    rows = {
        "source": ["a", "a", "b", "b", "c"],
        "target": ["b", "c", "a", "c", "c"],
        "sign": [-1, -1, 1, -1, 1],
        "neurotransmitter": ["gaba", "gaba", "ach", "ach", "ach"],
        "depth": [1.0, 2.0, 3.0, 4.0, 5.0],
    }
    full = null_connectome(from_edges(rows, units={"depth": "um"}), "complete")
    assert dict(zip(full.source.values, full.sign.values.tolist(), strict=True)) == {"a": -1, "b": 0, "c": 0}
    assert set(zip(full.source.values.tolist(), full.neurotransmitter.values.tolist(), strict=True)) == {
        ("a", "gaba"),
        ("b", "ach"),
        ("c", ""),
    }
    assert "depth" not in full


@pytest.mark.parametrize("kind", KINDS)
def test_graphs_with_little_in_them_have_nulls_too(kind):
    for made in (
        from_edges({"source": [], "target": []}, node=["a", "b"]),
        from_edges({"source": ["a"], "target": ["a"]}),
        from_edges({"source": ["a"], "target": ["b"]}),
    ):
        schema.validate(null_connectome(placed(made), kind, random_state=0), "connectome")


@pytest.mark.parametrize("kind", ["degree", "reciprocity", "distance", "type", "labels", "erdos_renyi", "weights"])
def test_a_seed_repeats_a_null_and_another_gives_another(wiring, kind):
    made = placed(wiring(0, 40, 300))
    one = null_connectome(made, kind, random_state=1)
    xr.testing.assert_identical(one, null_connectome(made, kind, random_state=1))
    assert not one.equals(null_connectome(made, kind, random_state=2))


def test_nodes_in_one_place_are_rewired_like_any(wiring):
    made = placed(wiring(0, 30, 150))
    made = made.assign_coords({axis: ("node", np.zeros(30), {"units": "um"}) for axis in "xyz"})
    null = null_connectome(made, "distance", random_state=0)
    shared = (to_dense(null) > 0) & (to_dense(made) > 0)
    assert shared.sum() < 0.5 * (to_dense(made) > 0).sum()


def test_what_is_missing_is_told(wiring):
    made = wiring(0)
    with pytest.raises(InputError, match=r"kind must be one of .*, got 'small_world'"):
        null_connectome(made, "small_world")
    with pytest.raises(InputError, match="expected coordinates x, y, z on node, found none"):
        null_connectome(made, "distance")
    with pytest.raises(InputError, match="by must name a node coordinate, got 'cell_type'"):
        null_connectome(made, "type")
    where = placed(made)
    with pytest.raises(InputError, match="n_bins must be at least 1, got 0"):
        null_connectome(where, "distance", n_bins=0)
    where["x"][2] = np.nan
    with pytest.raises(InputError, match="'n02' have no place; give them x, y, z, or drop them with subgraph"):
        null_connectome(where, "distance")
    many = from_edges({"source": ["0"], "target": ["1"]}, node=[str(k) for k in range(8000)])
    with pytest.raises(InputError, match="a complete connectome of 8,000 nodes has 63,992,000 edges"):
        null_connectome(many, "complete")
