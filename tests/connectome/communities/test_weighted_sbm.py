"""Evidence for WeightedSBM: planted structure of every kind, invariances, what random graphs look like, refusals."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from dynome.connectome import WeightedSBM, find_communities, from_adjacency, subgraph
from dynome.errors import InputError

BLOCKS = {
    "assortative": [[0.6, 0.1, 0.1], [0.1, 0.6, 0.1], [0.1, 0.1, 0.6]],
    "disassortative": [[0.05, 0.5, 0.5], [0.5, 0.05, 0.5], [0.5, 0.5, 0.05]],
    "core and periphery": [[0.9, 0.5, 0.5], [0.5, 0.05, 0.3], [0.5, 0.3, 0.2]],
    "weights only": [[0.4] * 3] * 3,
}


def labelled(matrix):
    names = [f"n{k:03d}" for k in range(matrix.shape[0])]
    return xr.DataArray(matrix, dims=("source", "target"), coords={"source": names, "target": names})


def planted(seed, kind="assortative", n_node=60, mean=(1.0, 1.0), directed=False, group=None):
    """Exponential weights, of one mean inside groups and another between."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.arange(n_node) % 3) if group is None else group
    chance = np.array(BLOCKS[kind])[group][:, group]
    inside, between = mean
    weight = rng.exponential(np.where(group[:, None] == group, inside, between))
    matrix = weight * (rng.random(chance.shape) < chance)
    np.fill_diagonal(matrix, 0)
    return labelled(matrix if directed else np.triu(matrix, 1) + np.triu(matrix, 1).T), group


def fit(matrix, **options):
    return WeightedSBM(**{"n_restarts": 2, "random_state": 0, **options}).fit(matrix).results_


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("kind", ["assortative", "disassortative", "core and periphery"])
def test_planted_groups_are_found_whatever_the_pattern(kind, directed):
    matrix, group = planted(1, kind, n_node=90, directed=directed)
    found = fit(matrix)
    assert adjusted_rand_score(group, found.community) > 0.9
    assert found.attrs["directed"] == directed


@pytest.mark.parametrize("model", ["auto", "exponential", "microcanonical", "log-normal"])
def test_structure_in_the_weights_alone_is_found_by_weights_alone(model):
    matrix, group = planted(2, "weights only", mean=(5.0, 1.0), n_node=75)
    assert adjusted_rand_score(group, fit(matrix, weight_model=model).community) > 0.95
    assert abs(adjusted_mutual_info_score(group, fit(matrix, weight_model="none").community)) < 0.1


@pytest.mark.parametrize("model", ["auto", "geometric"])
def test_scattered_counts_of_synapses_are_geometric(model):
    matrix, group = planted(3, "weights only", mean=(8.0, 1.0), n_node=75)
    found = fit(np.ceil(matrix), weight_model=model, degree_corrected=False)
    assert adjusted_rand_score(group, found.community) > 0.95
    assert found.attrs["weight_model"] == "geometric"


@pytest.mark.parametrize("model", ["auto", "poisson", "multigraph"])
def test_even_counts_of_synapses_are_poisson_or_parallel_edges(model):
    rng, group = np.random.default_rng(3), np.arange(60) % 3
    counts = np.triu(rng.poisson(np.where(group[:, None] == group, 6.0, 3.0)), 1)
    found = fit(labelled(counts + counts.T), weight_model=model, degree_corrected=False)
    assert adjusted_rand_score(group, found.community) > 0.95
    assert found.attrs["weight_model"] == ("poisson" if model == "auto" else model)


def test_signed_weights_are_normal():
    matrix, group = planted(4, "weights only", n_node=75)
    same = group[:, None] == group
    noise = np.triu(np.random.default_rng(5).normal(size=same.shape), 1)
    signed = matrix.copy(data=np.where(matrix > 0, np.where(same, 1.5, -1.5) + noise + noise.T, 0))
    found = fit(signed)
    assert found.attrs["weight_model"] == "normal"
    assert adjusted_rand_score(group, found.community) > 0.95


def test_a_random_graph_has_one_group():
    matrix, _ = planted(6, "weights only")
    found = fit(matrix)
    assert found.n_communities.values.tolist() == [1, 1]
    assert found.edge_density.item() == pytest.approx(0.4, abs=0.05)


def test_hubs_are_no_group_when_degrees_are_corrected_for():
    rng = np.random.default_rng(7)
    pull = np.exp(rng.normal(0, 0.8, 150))
    group = np.arange(150) // 75
    chance = np.outer(pull, pull) * np.where(group[:, None] == group, 0.15, 0.02)
    matrix = np.triu(rng.random(chance.shape) < chance, 1) * 1.0
    found = fit(labelled(matrix + matrix.T))
    assert found.attrs["degree_corrected"] == 1
    assert adjusted_rand_score(group, found.community) > 0.9
    plain = fit(labelled(matrix + matrix.T), degree_corrected=False)
    assert float(plain.description_length.sum()) > float(found.description_length.sum())
    assert plain.n_communities[0] > 2


def test_every_run_reaches_the_shortest_description_that_graph_tool_finds():
    rng, group = np.random.default_rng(11), np.repeat([0, 1, 2, 3], [40, 20, 15, 5])
    matrix = np.triu(rng.random((80, 80)) < np.where(group[:, None] == group, 0.3, 0.08), 1) * 1.0
    plain = fit(labelled(matrix + matrix.T), degree_corrected=False, n_restarts=3)
    corrected = fit(labelled(matrix + matrix.T), degree_corrected=True, n_restarts=3)
    # graph-tool 2.45, entropy() after minimize_nested_blockmodel_dl with seeds 1 to 10: the best, which 5 runs reach
    np.testing.assert_allclose(plain.restart_description_length, 1419.3053747141691, rtol=1e-9)
    # here 10 runs; its prior of degrees uses approximate numbers of partitions
    np.testing.assert_allclose(corrected.restart_description_length, 1465.074437636839, atol=0.3)


def test_many_groups_have_levels_above_them():
    rng = np.random.default_rng(8)
    fine, coarse = np.arange(240) // 15, np.arange(240) // 60
    chance = np.where(fine[:, None] == fine, 0.9, np.where(coarse[:, None] == coarse, 0.15, 0.01))
    matrix = np.triu(rng.random(chance.shape) < chance, 1) * 1.0
    found = fit(labelled(matrix + matrix.T), n_restarts=1, degree_corrected=False)
    assert adjusted_rand_score(fine, found.community) > 0.9
    assert max(adjusted_rand_score(coarse, level) for level in found.hierarchy[1:-1]) > 0.95
    assert (np.diff(found.n_communities) < 0).all()
    assert found.n_communities[-1] == 1
    above = fit(labelled(matrix + matrix.T), n_restarts=1, degree_corrected=False, level=1)
    np.testing.assert_array_equal(above.community, found.hierarchy[1])


def test_the_unit_of_the_weights_shifts_the_length_and_nothing_else():
    matrix, _ = planted(9, mean=(4.0, 1.0))
    for model in ("exponential", "log-normal"):
        one, other = fit(matrix, weight_model=model), fit(matrix * 1000, weight_model=model)
        np.testing.assert_array_equal(one.community, other.community)
        shift = float(other.description_length.sum() - one.description_length.sum())
        assert shift == pytest.approx(np.count_nonzero(matrix) / 2 * np.log(1000))
        assert other.mean_weight[0, 0] == pytest.approx(1000 * one.mean_weight[0, 0])


def test_groups_stay_with_their_nodes_when_these_are_reordered():
    matrix, _group = planted(10, mean=(4.0, 1.0))
    order = np.random.default_rng(0).permutation(matrix.source.to_numpy())
    one, other = fit(matrix), fit(matrix.sel(source=order, target=order))
    assert adjusted_rand_score(one.community.sel(node=order), other.community) == 1
    assert float(other.description_length.sum()) == pytest.approx(float(one.description_length.sum()))


def test_a_connectome_keeps_its_coordinates_and_its_nodes_without_edges_stay_out():
    matrix, _group = planted(11, "assortative", mean=(3.0, 1.0))
    values = matrix.to_numpy().copy()
    values[:3], values[:, :3] = 0, 0
    wiring = from_adjacency(values, node=matrix.source.to_numpy(), units="1", directed=False)
    found = fit(wiring.assign_coords(region=("node", ["head"] * 60)), n_samples=20)
    assert found.region.values.tolist() == ["head"] * 60
    assert found.community[:3].values.tolist() == [-1] * 3
    assert (found.community[3:] >= 0).all()
    assert found.membership[:3].values.sum() == found.co_assignment[:3].values.sum() == 0
    same = fit(subgraph(wiring, node=matrix.source.to_numpy()[3:]))
    np.testing.assert_array_equal(same.community, found.community[3:])
    by_name = find_communities(wiring, method="sbm", n_restarts=2, random_state=0)
    assert by_name.attrs["n_communities"] == found.n_communities[0] + 3
    assert by_name.attrs["description_length"] == pytest.approx(float(found.description_length.sum()))


def test_parts_runs_and_models_tell_the_same_length():
    matrix, _ = planted(12, mean=(2.0, 1.0))
    found = fit(matrix, n_restarts=3)
    total = float(found.description_length.sum())
    assert total == pytest.approx(float(found.restart_description_length.min()))
    assert total == pytest.approx(float(found.model_description_length.min()))
    assert total == pytest.approx(float(found.history[-1]))
    assert (found.history.diff("iteration") <= 1e-6).all()
    assert found.model.values.tolist() == ["exponential, plain", "exponential, degree-corrected", "log-normal, plain"]
    assert np.diag(found.co_assignment).tolist() == [1.0] * 60


def test_a_node_between_two_groups_belongs_to_both():
    rng = np.random.default_rng(13)
    group = np.append(np.arange(60) % 2, 0)
    chance = np.where(group[:, None] == group, 0.5, 0.05)
    matrix = np.triu(rng.random(chance.shape) < chance, 1) * 1.0
    matrix = matrix + matrix.T
    matrix[-1], matrix[:, -1] = 0, 0
    partners = np.r_[0:24]  # as many of one group as of the other
    matrix[-1, partners], matrix[partners, -1] = 1, 1
    found = fit(labelled(matrix), n_samples=300, degree_corrected=False)
    assert found.n_communities[0] == 2
    np.testing.assert_allclose(found.membership.sum("group"), 1)
    assert 0.1 < float(found.membership[-1, 0]) < 0.9
    assert float(found.membership[:-1].max("group").mean()) > 0.95


def test_more_runs_keep_the_numbers_of_the_first():
    matrix, _ = planted(14, "assortative", n_node=40)
    few, many = fit(matrix, n_restarts=1), fit(matrix, n_restarts=3)
    assert few.restart_description_length[0] == many.restart_description_length[0]


MATRIX = planted(0, n_node=12)[0]


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        (-MATRIX, {"weight_model": "exponential"}, r"needs weights > 0, found \d+ negative; use \"normal\""),
        (MATRIX, {"weight_model": "poisson"}, r"needs whole numbers > 0, found \d+ other weights"),
        (
            (MATRIX > 0) * 2.0,
            {"weight_model": "log-normal"},
            'needs weights that differ, found 2 throughout; use "none"',
        ),
        (MATRIX * 0, {}, r"no edges between different nodes \(12 nodes\)"),
        (MATRIX.isel(source=[0], target=[0]), {}, r"no edges between different nodes \(1 nodes\)"),
        (MATRIX * np.nan, {}, "no edges between different nodes"),
        (MATRIX.where(MATRIX == 0, np.inf), {}, "weights must be finite"),
        (MATRIX, {"weight_model": "gamma"}, "expected a weight_model among 'auto', 'none', 'exponential'"),
        (MATRIX, {"degree_corrected": "yes"}, 'degree_corrected must be True, False or "auto"'),
        (
            MATRIX,
            {"n_restarts": 0, "n_samples": -1},
            r"(?s)n_restarts must be at least 1.*n_samples must be at least 0",
        ),
        (MATRIX, {"level": 9}, "level must be below 2, the number of levels that were found, got 9"),
    ],
)
def test_what_cannot_be_fitted_is_refused(matrix, options, message):
    with pytest.raises(InputError, match=message):
        fit(matrix, **options)


def test_a_resolution_means_nothing_to_a_block_model():
    with pytest.raises(InputError, match='method="sbm" has no resolution, got 2'):
        find_communities(MATRIX, method="sbm", resolution=2)
    with pytest.raises(InputError, match="expected a method among 'louvain'"):
        find_communities(MATRIX, method="walktrap")
