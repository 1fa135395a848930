"""Evidence for connectome/matching/: scipy's search, planted partners, known homologues, and no help from order."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from scipy.optimize import quadratic_assignment
from scipy.sparse import csr_array

from dynome.connectome import (
    from_adjacency,
    from_edges,
    homologue,
    match_accuracy,
    match_nodes,
    match_sides,
    merge,
    rename_nodes,
    reorder,
    subgraph,
    to_dense,
    worm_side,
)
from dynome.connectome.matching.assignment import Relation, assigned, gradient
from dynome.errors import InputError

seeds = st.integers(0, 10_000)
NONE = (np.zeros(0, dtype=int), np.zeros(0, dtype=int))


def graph(seed=0, n=30, share=0.2, name="n"):
    rng = np.random.default_rng(seed)
    w = rng.integers(1, 20, (n, n)) * (rng.random((n, n)) < share) * (1 - np.eye(n, dtype=int))
    return from_adjacency(w, node=[f"{name}{k:02d}" for k in range(n)], units="synapses")


def turned(made, seed):
    """The same graph with other names in another order, and the names by node."""
    rng = np.random.default_rng(seed)
    names = [f"m{k:02d}" for k in rng.permutation(made.sizes["node"])]
    truth = dict(zip(made.node.values.tolist(), names, strict=True))
    renamed = rename_nodes(made, node=names)
    return reorder(renamed, node=sorted(names)), truth


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_with_one_relation_the_search_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 12, 12))
    found = assigned([Relation(a, b, False)], NONE, np.full((12, 12), 1 / 12), 30, 0.03)
    expected = quadratic_assignment(a, b, options={"maximize": True, "rng": np.random.default_rng(0), "tol": 0.03})
    assert found.objective == pytest.approx((a * b[np.ix_(found.partner, found.partner)]).sum())
    assert found.objective == pytest.approx(expected.fun, rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_the_gradient_is_that_of_the_objective(seed):
    rng = np.random.default_rng(seed)
    relations = [Relation(*rng.random((2, 5, 5)), crossing) for crossing in (False, True)]
    p, d = rng.random((2, 5, 5))

    def objective(x):
        (a, b, _), (c, e, _) = relations
        return np.trace(a.T @ x @ b @ x.T) + np.trace(x @ c.T @ x @ e)

    slope = (objective(p + 1e-6 * d) - objective(p - 1e-6 * d)) / 2e-6
    assert (gradient(relations, p) * d).sum() == pytest.approx(slope, rel=1e-6)
    assert 0.5 * (gradient(relations, p) * p).sum() == pytest.approx(objective(p))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_renamed_graph_is_matched_whole(seed):
    made = graph(seed)
    other, truth = turned(made, seed)
    found = match_nodes(made, other, n_starts=3, random_state=0)
    assert match_accuracy(found, truth).accuracy == 1
    assert found.objective[0] == pytest.approx(1)
    assert (found.share <= 1).all()
    assert (np.diff(found.objective) <= 0).all()


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_sparse_matrices_give_what_dense_ones_give(seed):
    rng = np.random.default_rng(seed)
    there = rng.random((2, 2, 20, 20)) * (rng.random((2, 2, 20, 20)) < 0.15)
    relations = [Relation(*there[k], bool(k)) for k in range(2)]
    sparse = [Relation(csr_array(r.one), csr_array(r.other), r.crossing) for r in relations]
    p = rng.random((20, 20))
    np.testing.assert_allclose(gradient(sparse, p), gradient(relations, p), atol=1e-12)
    a, b = (assigned(r, NONE, np.full((20, 20), 0.05)) for r in (relations, sparse))
    assert a.objective == pytest.approx(b.objective)


def test_names_and_order_do_not_help():
    """Graphs that have nothing to do with each other are matched at chance though their nodes have the same order."""
    scores = []
    for seed in range(6):
        one, other = graph(seed, name="n"), graph(seed + 100, name="n")
        found = match_nodes(one, other, n_starts=1, random_state=seed)
        scores.append(float(match_accuracy(found, one.node.values).accuracy))
    assert np.mean(scores) < 0.12
    nothing = from_edges({"source": ["n00"], "target": ["n01"]}, node=[f"n{k:02d}" for k in range(30)])
    found = match_nodes(nothing, nothing, n_starts=1, random_state=0)
    assert match_accuracy(found, nothing.node.values).accuracy < 0.5


def test_nodes_that_are_missing_from_one_graph_stay_without_a_partner():
    made = graph(0, 30, 0.3)
    other, truth = turned(subgraph(made, node=made.node.values[:25]), 1)
    found = match_nodes(made, other, n_starts=5, random_state=0)
    assert (found.match == "").sum() == 5
    partners = found.match.values[found.match.values != ""]
    assert np.unique(partners).size == 25
    assert match_accuracy(found, truth).accuracy > 0.8
    back = match_nodes(other, made, n_starts=5, random_state=0)
    assert (back.match != "").all()


def test_seeds_are_kept_and_help():
    made = graph(3, 40, 0.15)
    rng = np.random.default_rng(0)
    w = to_dense(made).to_numpy() * (rng.random((40, 40)) < 0.6)
    other, truth = turned(from_adjacency(w, node=made.node.values, units="synapses"), 4)
    known = {name: truth[name] for name in made.node.values[:12].tolist()}
    blind = match_nodes(made, other, n_starts=2, random_state=0)
    helped = match_nodes(made, other, seeds=known, n_starts=2, random_state=0)
    assert all(helped.match.sel(node=a) == b for a, b in known.items())
    accuracy = match_accuracy(helped, truth, seeds=known)
    assert int(accuracy.n_known) == 28
    assert accuracy.accuracy >= match_accuracy(blind, truth).accuracy
    assert accuracy.accuracy > 0.8


def test_two_relations_tell_apart_what_one_does_not():
    ring = {"source": list("abcd"), "target": list("bcda")}
    chemical = from_edges(ring)
    gap = from_edges({"source": ["a"], "target": ["c"]}, node=list("abcd"), edge_type="gap_junction")
    mark = from_edges({"source": ["a"], "target": ["b"]}, node=list("abcd"), edge_type="peptidergic")
    other, truth = turned(merge(chemical, gap, mark), 5)
    both = match_nodes(merge(chemical, gap, mark), other, n_starts=10, random_state=0)
    assert match_accuracy(both, truth).accuracy == 1
    assert both.attrs["n_relations"] == 3
    assert both.objective[0] == pytest.approx(1)


def two_sided(seed, n=25, kept=0.85):
    """A nervous system of two sides that are alike but for lost edges, with edges that cross."""
    rng = np.random.default_rng(seed)
    blocks = [(rng.random((n, n)) < 0.15) * rng.integers(1, 9, (n, n)) * (1 - np.eye(n, dtype=int)) for _ in range(2)]
    a, b, c, d = (w * (rng.random((n, n)) < kept) for w in (blocks[0], blocks[0], blocks[1], blocks[1]))
    order = rng.permutation(n)
    w = np.block(
        [[a, c[:, np.argsort(order)]], [d[np.argsort(order)], b[np.ix_(np.argsort(order), np.argsort(order))]]]
    )
    left, right = [f"l{k:02d}" for k in range(n)], [f"r{k:02d}" for k in range(n)]
    truth = {left[k]: right[order[k]] for k in range(n)}
    made = from_adjacency(w, node=left + right, units="synapses")
    return made.assign_coords(side=("node", ["left"] * n + ["right"] * n)), truth


def test_the_two_sides_of_a_nervous_system_are_matched_and_crossing_edges_help():
    with_crossing, without = [], []
    for seed in range(4):
        made, truth = two_sided(seed)
        for crossing, scores in ((True, with_crossing), (False, without)):
            found = match_sides(made, crossing=crossing, n_starts=2, random_state=0)
            scores.append(float(match_accuracy(found, truth).accuracy))
    assert np.mean(with_crossing) > 0.9
    assert np.mean(with_crossing) >= np.mean(without)


def test_a_seed_repeats_a_matching():
    made, _ = two_sided(0)
    one = match_sides(made, n_starts=2, random_state=1)
    xr.testing.assert_identical(one, match_sides(made, n_starts=2, random_state=1))


def test_all_nodes_may_be_seeds():
    made = graph(0, 6)
    truth = dict(zip(made.node.values.tolist(), made.node.values.tolist(), strict=True))
    found = match_nodes(made, made, seeds=truth, n_starts=2, random_state=0)
    assert found.match.values.tolist() == list(truth)


def test_sides_of_the_worm():
    names = ["AVAL", "AVAR", "IL2DL", "AVL", "MDR08", "AWCON", "VA8"]
    assert worm_side(names).tolist() == ["left", "right", "left", "", "right", "", ""]


def test_most_homologues_of_the_worm_are_found():
    from dynome.datasets import load_celegans_connectome

    made = load_celegans_connectome("witvliet2021")
    found = match_sides(made, worm_side(made.node), n_starts=2, random_state=0)
    accuracy = match_accuracy(found, homologue(found.node))
    assert accuracy.accuracy > 20 * accuracy.chance


def test_what_cannot_be_matched_is_told():
    made = graph(0, 6)
    gap = from_edges({"source": ["a"], "target": ["b"]}, edge_type="gap_junction")
    with pytest.raises(InputError, match="share no edge type: 'chemical' and 'gap_junction'"):
        match_nodes(made, gap)
    with pytest.raises(InputError, match="seeds must name nodes, found unknown 'x'"):
        match_nodes(made, made, seeds={"x": "n00"})
    with pytest.raises(InputError, match="partners of seeds must name each node once, found 'n00'"):
        match_nodes(made, made, seeds={"n00": "n00", "n01": "n00"})
    with pytest.raises(InputError, match="weight must be one of"):
        match_nodes(made, made, weight="rank")
    with pytest.raises(InputError, match="must be at least 1, got 0 and 100"):
        match_nodes(made, made, n_starts=0)
    with pytest.raises(
        InputError, match=r"side must name a node coordinate, got 'side'; .*worm_side\(connectome.node\)"
    ):
        match_sides(made)
    with pytest.raises(InputError, match='side must say "left" or "right"'):
        match_sides(made, ["left"] * 6)
    negative = from_edges({"source": ["a"], "target": ["b"], "weight": [-1.0]}, units="1")
    with pytest.raises(InputError, match="matching needs weights >= 0, found 1 negative"):
        match_nodes(negative, negative)
    found = match_nodes(made, made, n_starts=1, random_state=0)
    with pytest.raises(InputError, match="no partner is known"):
        match_accuracy(found, {"x": "y"})
    with pytest.raises(InputError, match="expected a partner for each of 6 nodes"):
        match_accuracy(found, ["n00"])
