"""Evidence for communities/assortative and choice: planted groups, no groups in noise, invariances, closed forms."""

from math import comb, factorial, log

import numpy as np
import pytest
import scipy.integrate
import xarray as xr
from sklearn.metrics import adjusted_mutual_info_score as agreement

from dynome.connectome import find_communities
from dynome.connectome.communities.assortative.description import partition_length, wiring_length, wiring_saving
from dynome.connectome.communities.assortative.fitting import Explained, described, no_communities, scales_of
from dynome.connectome.communities.assortative.node_effects import new_effects, weights_length
from dynome.connectome.communities.assortative.weighted_edges import edges_of, undirected
from dynome.connectome.weight_matrix import weight_matrix_of
from dynome.datasets import make_weighted_lfr
from dynome.errors import InputError

GROUP = np.repeat([0, 1, 2], [25, 20, 15])
SAME = GROUP[:, None] == GROUP[None, :]


def symmetric(values):
    upper = np.triu(values, 1)
    return upper + upper.T


def labelled(values):
    names = [f"n{k:03d}" for k in range(len(values))]
    return xr.DataArray(values, dims=("source", "target"), coords={"source": names, "target": names})


def dense_blocks(seed, inside=3.0):
    rng = np.random.default_rng(seed)
    return labelled(symmetric(np.where(SAME, inside, 1.0) * rng.gamma(4, 0.25, SAME.shape)))


def wired_blocks(seed):
    rng = np.random.default_rng(seed)
    return labelled(symmetric((rng.random(SAME.shape) < np.where(SAME, 0.6, 0.1)) * rng.gamma(4, 0.25, SAME.shape)))


def found(graph, method="assortative", n_restarts=6):
    return find_communities(graph, method=method, n_restarts=n_restarts, random_state=0)


@pytest.mark.parametrize("method", ["assortative", "auto"])
@pytest.mark.parametrize("graph", [dense_blocks, wired_blocks])
def test_planted_communities_are_found_in_dense_weights_and_in_wiring(graph, method):
    community = found(graph(0), method)
    assert agreement(GROUP, community) > 0.9
    assert community.attrs["saving"] > 50


def test_the_choice_says_where_the_communities_are():
    assert found(dense_blocks(1), "auto").attrs["communities_in"] in ("weights", "wiring and weights")
    bare = wired_blocks(1) > 0
    in_wiring = found(bare.astype(float), "auto")
    assert in_wiring.attrs["saving_weights"] == pytest.approx(0)
    assert agreement(GROUP, in_wiring) > 0.9


@pytest.mark.parametrize("method", ["assortative", "auto"])
@pytest.mark.parametrize("law", ["lognormal", "geometric"])
def test_a_random_graph_with_random_weights_has_no_communities(law, method):
    rng = np.random.default_rng(2)
    size = (80, 80)
    weight = rng.lognormal(0, 1, size) if law == "lognormal" else rng.geometric(0.3, size).astype(float)
    community = found(labelled(symmetric((rng.random(size) < 0.2) * weight)), method)
    assert community.attrs["n_communities"] == 1
    assert community.attrs["saving"] == 0


def test_strong_nodes_are_no_community():
    rng = np.random.default_rng(3)
    strength = rng.lognormal(0, 1, 60)
    product = symmetric(np.outer(strength, strength) * rng.gamma(10, 0.1, (60, 60)))
    assert found(labelled(product)).attrs["n_communities"] == 1


def test_communities_of_node_specific_balance_are_found_where_modularity_fails():
    graph = make_weighted_lfr(beta=1.0, random_state=14)
    truth = graph.community.values
    assert agreement(truth, found(graph)) > 0.95
    assert agreement(truth, found(graph, "louvain", 3)) < 0.7


def test_nodes_carry_their_labels():
    graph = dense_blocks(4)
    order = np.random.default_rng(0).permutation(graph["source"].values)
    moved = found(graph.sel(source=order, target=order))
    np.testing.assert_array_equal(moved.sel(node=graph["source"].values), found(graph))


def test_the_unit_of_the_weights_does_not_matter():
    graph = wired_blocks(5)
    one, other = found(graph), found(graph * 1e6)
    np.testing.assert_array_equal(one, other)
    assert one.attrs["saving"] == pytest.approx(other.attrs["saving"], abs=1e-6)


def test_the_same_seed_gives_the_same_communities_and_numpys_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    xr.testing.assert_identical(found(dense_blocks(6)), found(dense_blocks(6)))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_directions_are_added_up():
    graph = wired_blocks(7)
    half = graph.copy(data=np.triu(graph.values))
    np.testing.assert_array_equal(found(half), found(graph))


def test_nodes_without_edges_and_tiny_graphs_do_not_disturb():
    graph = wired_blocks(8).values.copy()
    graph[5] = graph[:, 5] = 0
    community = found(labelled(graph)).values
    assert agreement(np.delete(GROUP, 5), np.delete(community, 5)) > 0.9
    assert found(labelled(np.array([[0.0, 2.0], [2.0, 0.0]]))).values.tolist() == [0, 0]
    assert found(labelled(np.ones((6, 6)))).attrs["n_communities"] == 1


def test_negative_weights_are_refused():
    with pytest.raises(InputError, match="weights must be >= 0, found 2 negative"):
        found(labelled(np.array([[0.0, -1.0], [-1.0, 0.0]])))


def test_the_parts_add_up_to_the_saving():
    attrs = found(dense_blocks(9)).attrs
    parts = attrs["saving_wiring"] + attrs["saving_weights"] - attrs["cost_partition"]
    assert attrs["saving"] == pytest.approx(parts)
    assert max(attrs["restart_saving"]) == pytest.approx(attrs["saving"])


def test_the_length_of_a_partition_counts_partitions():
    community = np.array([0, 0, 1, 0, 2, 1])
    ways = factorial(6) // (factorial(3) * factorial(2) * factorial(1))
    assert partition_length(community) == pytest.approx(log(6) + log(comb(5, 2)) + log(ways))


def test_the_saving_of_wiring_is_an_integral_over_rates():
    def evidence(count, expected):
        return scipy.integrate.quad(lambda rate: rate**count * np.exp(-rate * (expected + 1)), 0, np.inf)[0]

    saving = np.log(evidence(6, 4.0) * evidence(3, 5.0) / evidence(9, 9.0))
    assert wiring_saving(6.0, 4.0, 9.0) == pytest.approx(saving)


def test_a_full_graph_tells_nothing_by_its_wiring():
    edges = edges_of(undirected(weight_matrix_of(labelled(np.ones((60, 60)))).weight), 1.0)
    length = wiring_length(edges.start, edges.neighbour, GROUP.astype(np.int64))
    assert 0 < length < 6  # one rate more, which pays for nothing


def test_the_length_of_weights_is_near_the_exact_gaussian_evidence():
    rng = np.random.default_rng(10)
    n, noise, spread = 30, 0.3, 0.8
    effect = rng.normal(0, spread, n)
    value = symmetric(np.exp(1.0 + effect[:, None] + effect[None, :] + noise * rng.standard_normal((n, n))))
    edges = edges_of(undirected(weight_matrix_of(labelled(value)).weight), 0.0)
    effects = new_effects(n, edges.value)
    one = np.zeros(n, dtype=np.int64)
    length = weights_length(edges.start, edges.neighbour, edges.value, one, effects, 500)
    row, column = np.triu_indices(n, 1)
    design = np.zeros((row.size, n))
    design[np.arange(row.size), row] = design[np.arange(row.size), column] = 1
    observed = np.log(value[row, column])
    observed -= observed.mean()
    covariance = effects.prior[0] * design @ design.T + effects.noise[0] * np.eye(row.size)
    rest = observed - effects.mean[0]
    exact = 0.5 * (rest @ np.linalg.solve(covariance, rest) + np.linalg.slogdet(2 * np.pi * covariance)[1])
    fitted_numbers = 1.5 * np.log(row.size)
    assert length - fitted_numbers == pytest.approx(exact, abs=2.0)
    assert np.sqrt(effects.noise[0]) == pytest.approx(noise, rel=0.1)


def test_every_power_describes_the_same_weights():
    rng = np.random.default_rng(11)
    graph = labelled(symmetric(np.exp(rng.standard_normal((60, 60)))))
    scales = scales_of(weight_matrix_of(graph).weight)
    lengths = {p: described(scales, p, np.zeros(60, dtype=np.int64), Explained(True, True)).length for p in scales}
    assert min(lengths, key=lengths.get) == 0.0  # the weights are log-normal
    assert no_communities(scales).power == 0.0
