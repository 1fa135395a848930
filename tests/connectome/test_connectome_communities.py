"""Evidence for connectome/communities.py: networkx, planted groups, invariances, refusals."""

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.connectome import (
    community_order,
    find_communities,
    from_adjacency,
    from_edges,
    modularity,
    reorder,
    to_dense,
    to_networkx,
)
from dynome.errors import InputError

seeds = st.integers(0, 10_000)


def planted(seed, sizes=(20, 12, 8), inside=0.7, between=0.03, directed=False):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    chance = np.where(group[:, None] == group, inside, between)
    matrix = np.triu(rng.random(chance.shape) < chance, 1) * rng.integers(1, 5, chance.shape)
    matrix = (rng.random(chance.shape) < chance) * 1 if directed else matrix + matrix.T
    names = [f"n{k:02d}" for k in range(group.size)]
    order = rng.permutation(group.size)
    made = from_adjacency(matrix, node=names, units="1", directed=directed)
    return reorder(made, node=np.array(names)[order]), group[order]


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_planted_groups_are_found_and_numbered_by_size(seed, directed):
    wiring, group = planted(seed, directed=directed)
    found = find_communities(wiring, random_state=0, n_restarts=3)
    np.testing.assert_array_equal(found, group)
    assert found.attrs["n_communities"] == 3
    assert found.attrs["modularity"] == pytest.approx(modularity(wiring, group))


@settings(max_examples=20, deadline=None)
@given(seed=seeds, directed=st.booleans(), resolution=st.sampled_from([0.5, 1.0, 2.0]), data=st.data())
def test_modularity_is_that_of_networkx(wiring, seed, directed, resolution, data):
    made = wiring(seed, directed=directed, gaps=False, loops=False)
    code = np.array(data.draw(st.lists(st.integers(0, 3), min_size=12, max_size=12)))
    groups = [set(made.node.values[code == k].tolist()) for k in np.unique(code)]
    expected = nx.community.modularity(to_networkx(made), groups, resolution=resolution)
    assert modularity(made, code, resolution=resolution) == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, data=st.data())
def test_modularity_depends_neither_on_order_nor_on_names_nor_on_scale(wiring, seed, data):
    made = wiring(seed)
    names = made.node.values
    community = xr.DataArray(np.arange(12) % 3, dims="node", coords={"node": names})
    order = data.draw(st.permutations(names.tolist()))
    expected = modularity(made, community)
    assert modularity(reorder(made, node=order), community) == pytest.approx(expected)
    assert modularity(made, np.array(["b", "c", "a"])[community]) == pytest.approx(expected)
    assert modularity(to_dense(made) * 7.5, community) == pytest.approx(expected)


def test_a_connectome_and_its_matrix_have_the_same_communities():
    wiring, _ = planted(5)
    one, other = (find_communities(g, random_state=3) for g in (wiring, to_dense(wiring, fill=np.nan)))
    np.testing.assert_array_equal(one, other)
    assert one.attrs == other.attrs


def test_the_diagonal_and_self_loops_are_ignored():
    matrix = to_dense(planted(1)[0])
    np.fill_diagonal(with_diagonal := matrix.to_numpy().copy(), 50)
    full = matrix.copy(data=with_diagonal)
    assert find_communities(full, random_state=0).equals(find_communities(matrix, random_state=0))
    assert modularity(full, np.arange(40) % 2) == modularity(matrix, np.arange(40) % 2)


def test_the_best_of_the_restarts_is_kept_and_a_seed_repeats_it():
    wiring = planted(2, inside=0.3, between=0.15)[0]
    found = find_communities(wiring, random_state=4, n_restarts=6)
    assert found.attrs["modularity"] == max(found.attrs["restart_modularity"])
    assert len(found.attrs["restart_modularity"]) == 6
    xr.testing.assert_identical(found, find_communities(wiring, random_state=4, n_restarts=6))
    fewer = find_communities(wiring, random_state=4, n_restarts=2)
    assert fewer.attrs["restart_modularity"] == found.attrs["restart_modularity"][:2]
    fresh = find_communities(wiring)
    xr.testing.assert_identical(fresh, find_communities(wiring, random_state=fresh.attrs["random_state"]))


def test_a_higher_resolution_gives_more_communities():
    wiring = planted(0)[0]
    few, many = (find_communities(wiring, resolution=r, random_state=0).attrs["n_communities"] for r in (0.3, 3.0))
    assert few < many


def test_all_in_one_community_has_modularity_zero():
    wiring = planted(0)[0]
    assert modularity(wiring, np.zeros(40)) == pytest.approx(0, abs=1e-12)


def test_coordinates_travel_and_matrices_are_sorted_by_community():
    wiring, _ = planted(3)
    wiring = wiring.assign_coords(region=("node", ["head"] * 40))
    found = find_communities(wiring, random_state=0)
    assert found.region.values.tolist() == ["head"] * 40
    order = community_order(wiring, found)
    sorted_codes = found.sel(node=order).values
    np.testing.assert_array_equal(sorted_codes, np.sort(sorted_codes))
    strength = to_dense(wiring).sum("target").sel(source=order).values
    for code in range(3):
        inside = strength[sorted_codes == code]
        np.testing.assert_array_equal(inside, np.sort(inside)[::-1])
    assert reorder(wiring, node=order).node.values.tolist() == order.tolist()


MATRIX = to_dense(from_edges({"source": ["a", "b"], "target": ["b", "c"]}))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find_communities(-MATRIX), "weights must be >= 0, found 2 negative; take abs"),
        (lambda: find_communities(MATRIX * 0), "no edges between different nodes"),
        (
            lambda: find_communities(MATRIX, resolution=0, n_restarts=0),
            r"(?s)resolution must be > 0.*n_restarts must be",
        ),
        (lambda: find_communities(MATRIX.isel(source=0)), r"expected a connectome or a DataArray \(source, target\)"),
        (lambda: find_communities(MATRIX.to_numpy()), "found ndarray"),
        (lambda: find_communities(MATRIX.isel(source=[0, 1])), r"same labels, found shape \(2, 3\)"),
        (lambda: find_communities(MATRIX.isel(source=[1, 0, 2])), "same labels in the same order"),
        (lambda: find_communities(MATRIX.where(MATRIX == 0, np.inf)), "weights must be finite, found 2 infinite"),
        (lambda: modularity(MATRIX, [0, 1]), r"one community for each of 3 nodes, found shape \(2,\)"),
        (
            lambda: community_order(MATRIX, xr.DataArray([0], dims="node", coords={"node": ["a"]})),
            "community lacks nodes 'b', 'c'",
        ),
    ],
)
def test_what_has_no_communities_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
