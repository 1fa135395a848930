"""Evidence for the searches: differences are exact, small graphs are solved, and numbers do not depend on the way."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings

from dynome.connectome.communities.blockmodel.blocks import base_length, blocks_of, upper_length, upper_of
from dynome.connectome.communities.blockmodel.coarsening import merge_pairs
from dynome.connectome.communities.blockmodel.fitting import Fit, length_of_fit, parts_of, problem_of
from dynome.connectome.communities.blockmodel.hierarchy import levels_above, one_level
from dynome.connectome.communities.blockmodel.merges import merging_cost
from dynome.connectome.communities.blockmodel.moves import sweep
from dynome.connectome.communities.blockmodel.random_bits import below, shuffle, state_from, uniform
from dynome.connectome.communities.blockmodel.search import Nested, search_once

MODELS = ["none", "exponential", "microcanonical", "normal", "log-normal", "poisson", "geometric", "multigraph"]
EVERYWHERE = np.empty(0, dtype=np.int64)
LEVELS = np.array([[0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1], [0] * 6])


def problem(seed, model, corrected, directed, n_node=24):
    rng = np.random.default_rng(seed)
    weight = rng.integers(1, 6, (n_node, n_node)) * (rng.random((n_node, n_node)) < 0.3)
    weight = weight * (1 - np.eye(n_node)) if directed else np.triu(weight, 1) + np.triu(weight, 1).T
    sparse = scipy.sparse.csr_array(weight.astype(float))
    return problem_of(sparse, model, corrected=corrected, directed=directed), sparse


def state(seed):
    return state_from(np.random.default_rng(seed))


any_problem = st.builds(problem, st.integers(0, 999), st.sampled_from(MODELS), st.booleans(), st.booleans())


@settings(max_examples=40, deadline=None)
@given(made=any_problem, seed=st.integers(0, 999), nested=st.booleans(), temperature=st.sampled_from([0.0, 1.0]))
def test_the_gain_of_a_sweep_is_the_difference_of_the_description_lengths(made, seed, nested, temperature):
    (graph, law, _, _), _ = made
    group = np.random.default_rng(seed).permutation(np.arange(24) % 6)
    blocks = blocks_of(law, graph, group, 6)
    upper = upper_of(law, blocks, LEVELS if nested else one_level(6))

    def length(blocks, upper):
        return base_length(law, blocks) + upper_length(law, 6, upper)

    before = length(blocks, upper)
    gain, _ = sweep(law, graph, blocks, upper, np.arange(24), EVERYWHERE, temperature, state(seed))
    assert length(blocks, upper) - before == pytest.approx(gain, abs=1e-7)
    anew = blocks_of(law, graph, blocks.group.copy(), 6)
    assert length(anew, upper_of(law, anew, upper.ancestor)) - before == pytest.approx(gain, abs=1e-7)
    assert gain <= 1e-9 or temperature > 0


@settings(max_examples=20, deadline=None)
@given(made=any_problem, seed=st.integers(0, 999))
def test_costs_of_merges_are_differences_of_description_lengths(made, seed):
    (graph, law, _, _), _ = made
    blocks = blocks_of(law, graph, np.random.default_rng(seed).permutation(np.arange(24) % 5), 5)
    rest = []
    for r, s in itertools.combinations(range(5), 2):
        merged = np.where(blocks.group == s, r, blocks.group)
        after = base_length(law, blocks_of(law, graph, merged - (merged > s), 4))
        rest.append(after - base_length(law, blocks) - merging_cost(law, blocks, r, s))
    np.testing.assert_allclose(rest, rest[0], atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(made=any_problem, seed=st.integers(0, 999))
def test_the_terms_one_by_one_add_up_to_what_the_search_minimizes(made, seed):
    found, sparse = made
    group = np.random.default_rng(seed).permutation(np.arange(24) % 6)
    nested = Nested(group, LEVELS, 0.0, [])
    nested = nested._replace(length=length_of_fit(found, nested) - found.constant - found.weight_constant)
    corrected = found.law.kind == 1
    parts = parts_of(Fit("", corrected, nested, [nested], {}, found, sparse.data))
    assert parts.sum() == pytest.approx(length_of_fit(found, nested))
    assert (parts[0] > 0, parts[1] > 0) == (True, corrected)


def set_partitions(n):
    codes = [[0]]
    for _ in range(n - 1):
        codes = [[*code, k] for code in codes for k in range(max(code) + 2)]
    return np.array(codes)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("corrected", [False, True])
def test_of_all_877_partitions_of_seven_nodes_the_search_finds_the_best(seed, corrected):
    made, _ = problem(seed, "exponential", corrected, False, n_node=7)
    rng = np.random.default_rng(seed)
    best = min(length_of_fit(made, Nested(code, one_level(code.max() + 1), 0.0, [])) for code in set_partitions(7))
    runs = [search_once(made.law, made.graph, np.arange(7), rng, patience=20) for _ in range(3)]
    found = min(length_of_fit(made, run) for run in runs)
    assert found <= best + 1e-9
    assert min(r.length for r in runs) == pytest.approx(found - made.constant - made.weight_constant)


def test_levels_above_tell_groups_of_groups():
    ends = np.full((12, 12), 1)
    for k in range(3):
        ends[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] = 60
    made, _ = problem(0, "none", False, False)
    ancestor, length = levels_above(made.law, ends, state(0))
    np.testing.assert_array_equal(ancestor[0], np.repeat(ancestor[0, ::4], 4))
    assert len(set(ancestor[0])) == 3
    blocks = blocks_of(made.law, made.graph, np.arange(24) % 12, 12)
    assert length < upper_length(made.law, 12, upper_of(made.law, blocks._replace(edges=ends), one_level(12)))


def test_pairs_are_merged_inside_cliques_in_large_graphs():
    from dynome.connectome.communities.blockmodel.coarsening import _contract

    weight = scipy.sparse.csr_array(scipy.sparse.block_diag([1 - np.eye(6)] * 10))
    made = problem_of(weight, "none", corrected=True, directed=False)
    pairs = merge_pairs(made.law, _contract(made.graph, np.arange(60)), 30, state(1))
    clique = np.arange(60) // 6
    for k in np.unique(pairs):
        assert np.ptp(clique[pairs == k]) == 0
    assert 30 <= np.unique(pairs).size < 50


def test_random_bits_are_uniform_and_depend_on_their_state_alone():
    one, other = state(3), state(3)
    draws = np.array([uniform(one) for _ in range(4000)])
    assert draws.mean() == pytest.approx(0.5, abs=0.02)
    assert np.quantile(draws, [0.1, 0.9]) == pytest.approx([0.1, 0.9], abs=0.03)
    assert [uniform(other) for _ in range(5)] == draws[:5].tolist()
    assert {below(one, 3) for _ in range(100)} == {0, 1, 2}
    items = np.arange(50)
    shuffle(one, items)
    assert sorted(items) == list(range(50)) != items.tolist()
