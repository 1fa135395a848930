"""Evidence for structure_function: planted coupling, the size of the test, invariances, directions, layers, errors."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.connectome import from_edges, merge, rewire, to_dense
from dynome.errors import InputError, SchemaError
from dynome.inference import structure_function

N = 24
NODES = [f"N{k}" for k in range(N)]


def wiring(seed: int = 0, n_edge: int = 90) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    source, target = (np.array(NODES)[v] for v in rng.integers(0, N, (2, n_edge)))
    edges = {"source": source, "target": target, "weight": rng.integers(1, 20, n_edge)}
    return from_edges(edges, node=NODES, units="synapses")


def gaps(seed: int = 0, n_edge: int = 30, units: str = "synapses") -> xr.Dataset:
    pairs = np.random.default_rng((seed, 1)).permutation(np.stack(np.triu_indices(N, 1), axis=1))[:n_edge]
    source, target = np.array(NODES)[pairs.T]
    edges = {"source": source, "target": target, "weight": np.arange(1, n_edge + 1)}
    return from_edges(edges, node=NODES, edge_type="gap_junction", units=units)


def connectivity(values: np.ndarray, nodes=NODES, **attrs) -> xr.DataArray:
    coords = {"source": list(nodes), "target": list(nodes)}
    return xr.DataArray(values, dims=("source", "target"), coords=coords, attrs={"units": "1", **attrs})


def noise(seed: int = 0) -> np.ndarray:
    x = np.random.default_rng((seed, 2)).standard_normal((N, N))
    return (x + x.T) / 2


def both_ways(connectome: xr.Dataset) -> np.ndarray:
    dense = to_dense(connectome, edge_type="chemical").fillna(0).to_numpy()
    return dense + dense.T


@pytest.mark.parametrize("measure", ["spearman", "pearson", "auc"])
@pytest.mark.parametrize("null", ["degree", "erdos_renyi"])
def test_connectivity_made_from_structure_is_explained_by_it(measure, null):
    c = wiring()
    fc = connectivity(0.3 * np.log1p(both_ways(c)) + 0.3 * noise())
    result = structure_function(c, fc, measure=measure, null=null, n_null=50).sel(layer="chemical")
    assert float(result.p_value) == 1 / 51
    assert float(result.z) > 5
    assert float(result.auc) > 0.75
    assert float(result.fc_connected) > float(result.fc_unconnected) + 0.2


@pytest.mark.parametrize("null", ["degree", "erdos_renyi", "weights"])
def test_under_the_null_p_values_are_as_common_as_they_should_be(null):
    c, p = wiring(), []
    for seed in range(40):
        result = structure_function(c, connectivity(noise(seed)), null=null, n_null=19, random_state=seed)
        p.append(float(result.p_value[0]))
    assert 0.35 < np.mean(p) < 0.68
    assert np.mean(np.array(p) <= 0.1) < 0.25


def test_nodes_that_are_connected_and_coupled_to_all_explain_nothing_against_the_degree_null():
    rng = np.random.default_rng(0)
    pull = rng.standard_normal(N)
    odds = np.exp(
        pull[:, None] + pull[None, :] - 1
    )  # of this random graph, all wirings with its degrees are equally likely
    source, target = np.nonzero((rng.random((N, N)) < odds / (1 + odds)) & ~np.eye(N, dtype=bool))
    c = from_edges({"source": np.array(NODES)[source], "target": np.array(NODES)[target]}, node=NODES, units="1")
    fc = connectivity(pull[:, None] + pull[None, :] + 0.5 * noise())
    strict = structure_function(c, fc, null="degree", n_null=50)
    naive = structure_function(c, fc, null="erdos_renyi", n_null=50)
    assert float(naive.z[0]) > 8
    assert abs(float(strict.z[0])) < 3


def test_the_weights_null_asks_for_weight_beyond_connection():
    c = wiring()
    connected = both_ways(c) > 0
    by_connection = connectivity(1.0 * connected + 0.3 * noise())
    by_weight = connectivity(0.3 * both_ways(c) * connected + 0.3 * noise())
    assert float(structure_function(c, by_connection, null="weights", measure="pearson").p_value[0]) > 0.02
    assert float(structure_function(c, by_weight, null="weights", measure="pearson").p_value[0]) == 1 / 101


def test_pairs_without_order_take_the_sum_of_both_ways_and_a_gap_junction_once():
    c = merge(
        from_edges({"source": ["a", "b", "c"], "target": ["b", "a", "d"], "weight": [5, 2, 4]}, units="synapses"),
        from_edges({"source": ["a"], "target": ["b"], "weight": [10]}, edge_type="gap_junction", units="synapses"),
    )
    fc = connectivity(noise()[:4, :4], nodes="abcd")
    result = structure_function(c, fc, n_null=1).set_index(pair=("source", "target"))
    weight = result.weight.sel(pair=("a", "b"))
    assert weight.sel(layer=["chemical", "gap_junction", "all"]).values.tolist() == [7, 10, 17]
    assert result.weight.attrs["units"] == "synapses"
    assert result.n_connected.values.tolist() == [2, 1, 2]
    assert result.sizes["pair"] == 6
    np.testing.assert_allclose(result.fc.sel(pair=("a", "b")), fc[0, 1])


def test_directed_connectivity_keeps_the_direction():
    c = from_edges({"source": ["a", "b"], "target": ["b", "c"], "weight": [5, 2]}, units="synapses")
    one_way = np.zeros((3, 3))
    one_way[0, 1], one_way[1, 2] = 5, 2
    fc = connectivity(one_way, nodes="abc")
    result = structure_function(c, fc, null="erdos_renyi", n_null=5)
    assert result.attrs["directed"] == 1
    assert result.sizes["pair"] == 6
    assert float(result.statistic[0]) == pytest.approx(1)
    reversed_ = structure_function(c, fc.transpose().rename(source="target", target="source"), n_null=5)
    assert float(reversed_.statistic[0]) < 0
    symmetric = connectivity(one_way + one_way.T, nodes="abc", directed=1)
    assert structure_function(c, symmetric, n_null=1).attrs["directed"] == 1


def test_layers_are_compared_alone_and_together():
    c = merge(wiring(), gaps())
    fc = connectivity(noise())
    result = structure_function(c, fc, n_null=5)
    assert result.layer.values.tolist() == ["chemical", "gap_junction", "all"]
    for layer in ("chemical", "gap_junction"):
        one = structure_function(c, fc, edge_type=layer, n_null=5)
        assert one.layer.values.tolist() == [layer]
        np.testing.assert_allclose(one.statistic[0], result.statistic.sel(layer=layer))
    assert (result.n_connected[2] <= result.n_connected[:2].sum()).all()
    mixed = structure_function(merge(wiring(), gaps(units="contacts")), fc, n_null=5)
    assert mixed.layer.values.tolist() == ["chemical", "gap_junction"]
    assert mixed.weight.attrs["units_gap_junction"] == "contacts"


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), gain=st.floats(0.01, 100), offset=st.floats(-5, 5))
def test_order_of_nodes_gain_and_offset_do_not_matter(seed, gain, offset):
    rng = np.random.default_rng(seed)
    c, fc = wiring(seed), connectivity(noise(seed))
    shuffled = fc.isel(source=rng.permutation(N), target=rng.permutation(N)) * gain + offset
    edges = c.isel(edge=rng.permutation(c.sizes["edge"]), node=rng.permutation(N))
    for measure in ("spearman", "pearson", "auc"):
        a, b = (
            structure_function(*v, measure=measure, n_null=1)
            for v in ((c, fc), (edges, shuffled.assign_attrs(fc.attrs)))
        )
        np.testing.assert_allclose(a.statistic, b.statistic, atol=1e-9)


def test_nodes_are_joined_by_label_and_the_rest_is_left_out():
    c, values = wiring(), noise()
    some = [*NODES[5:20], "unknown"]
    fc = connectivity(values[5:21, 5:21], nodes=some)
    result = structure_function(c, fc, n_null=3)
    assert result.node.values.tolist() == NODES[5:20]
    alone = structure_function(c, fc.isel(source=slice(15), target=slice(15)), n_null=3)
    assert (result.attrs.pop("left_out"), alone.attrs.pop("left_out")) == (["unknown"], [])
    xr.testing.assert_identical(result, alone)


def test_missing_pairs_and_the_diagonal_are_left_out_and_counted():
    values = noise()
    values[3, 7] = values[7, 3] = np.nan
    np.fill_diagonal(values, np.nan)
    result = structure_function(wiring(), connectivity(values), n_null=3)
    assert result.attrs["n_missing_pairs"] == 1
    assert result.sizes["pair"] == N * (N - 1) // 2 - 1
    np.fill_diagonal(values, 1e9)
    xr.testing.assert_identical(result, structure_function(wiring(), connectivity(values), n_null=3))


def test_anticorrelated_pairs_count_as_coupled_when_asked():
    c = wiring()
    fc = connectivity(np.where(both_ways(c) > 0, -1.0, 0.1) + 0.1 * noise())
    assert float(structure_function(c, fc, n_null=3).auc[0]) < 0.1
    assert float(structure_function(c, fc, n_null=3, absolute=True).auc[0]) > 0.9


def test_bins_hold_every_pair_once_and_their_means():
    result = structure_function(wiring(), connectivity(noise()), n_null=1).isel(layer=0)
    assert int(result.bin_n.sum()) == result.sizes["pair"]
    assert int(result.bin_n[0]) == int((~result.connected).sum())
    np.testing.assert_allclose((result.bin_n * result.bin_fc).sum(), result.fc.sum())
    np.testing.assert_allclose((result.bin_n * result.bin_weight).sum(), result.weight.sum())
    assert result.bin_weight[0] == 0
    assert (np.diff(result.bin_weight.dropna("bin")) > 0).all()


def test_an_edge_of_weight_zero_is_a_connection_but_no_weight():
    c = from_edges({"source": ["a", "b"], "target": ["b", "c"], "weight": [0.0, 2.0]}, units="1")
    result = structure_function(
        c, connectivity(noise()[:4, :4], nodes="abcd").isel(source=[0, 1, 2], target=[0, 1, 2]), n_null=1
    )
    assert result.n_connected.values.tolist() == [2]
    assert result.connected.values.tolist() == [[True, False, True]]
    assert result.weight.values.tolist() == [[0, 0, 2]]


def test_a_seed_gives_the_same_numbers_and_none_a_seed_that_can_be_used_again():
    c, fc = wiring(), connectivity(noise())
    xr.testing.assert_identical(structure_function(c, fc, n_null=5), structure_function(c, fc, n_null=5))
    fresh = structure_function(c, fc, n_null=5, random_state=None)
    again = structure_function(c, fc, n_null=5, random_state=fresh.attrs["random_state"])
    xr.testing.assert_identical(fresh, again)
    longer = structure_function(c, fc, n_null=9)
    np.testing.assert_array_equal(longer.null[:, :5], structure_function(c, fc, n_null=5).null)


def test_the_null_is_that_of_rewired_connectomes():
    c, fc = wiring(), connectivity(0.3 * np.log1p(both_ways(wiring())) + 0.3 * noise())
    kernel = structure_function(c, fc, n_null=40).null[0]
    whole = [structure_function(rewire(c, random_state=k), fc, n_null=1).statistic[0] for k in range(40)]
    assert abs(kernel.mean() - np.mean(whole)) < 4 * float(kernel.std()) * np.sqrt(2 / 40)
    assert 0.6 < float(kernel.std()) / np.std(whole) < 1.6


def test_the_input_is_left_alone_and_lazy_connectivity_will_do():
    c, fc = wiring(), connectivity(noise())
    before = c.copy(deep=True), fc.copy(deep=True)
    result = structure_function(c, fc.chunk(), n_null=2)
    xr.testing.assert_identical(c, before[0])
    xr.testing.assert_identical(fc, before[1])
    xr.testing.assert_identical(result, structure_function(c, fc, n_null=2))


def test_the_result_can_be_drawn():
    from matplotlib.figure import Figure

    from dynome.viz import plot_null, plot_structure_function

    result = structure_function(merge(wiring(), gaps()), connectivity(noise()), n_null=10)
    assert plot_structure_function(result, ax=Figure().subplots()).get_xlabel()
    assert plot_null(result, ax=Figure().subplots()).get_xlabel()


def test_bad_input_is_refused_with_what_to_do():
    c, fc = wiring(), connectivity(noise())
    with pytest.raises(
        InputError, match=r"measure must be .* got 'r'\n.*null must be .* got 'x'\n.*n_null must .* got 0"
    ):
        structure_function(c, fc, measure="r", null="x", n_null=0)
    with pytest.raises(InputError, match="null 'weights' keeps who is connected"):
        structure_function(c, fc, measure="auc", null="weights")
    with pytest.raises(InputError, match=r"found \('window', 'source', 'target'\); select one matrix, or average"):
        structure_function(c, fc.expand_dims("window"))
    with pytest.raises(InputError, match="found Dataset"):
        structure_function(c, fc.to_dataset(name="fc"))
    other = connectivity(noise(), nodes=[f"X{k}" for k in range(N)])
    with pytest.raises(
        InputError, match=r"found 0 \(functional connectivity: 'X0', .*; connectome: 'N0'.*normalize_worm"
    ):
        structure_function(c, other)
    with pytest.raises(InputError, match=r"not symmetric; set it to 1 or average"):
        structure_function(c, connectivity(np.arange(N * N).reshape(N, N), directed=0))
    with pytest.raises(InputError, match="no 'gap_junction' edge joins two of the 24 shared nodes"):
        structure_function(c, fc, edge_type="gap_junction")
    with pytest.raises(InputError, match="edge_type must be one of"):
        structure_function(c, fc, edge_type="telepathy")
    with pytest.raises(InputError, match="of all 276 pairs of shared nodes is NaN"):
        structure_function(c, fc * np.nan + connectivity(np.full((N, N), np.nan)))
    with pytest.raises(SchemaError, match="units"):
        structure_function(c, fc.drop_attrs())
    with pytest.raises(SchemaError, match="unknown"):
        structure_function(c.isel(node=slice(20)), fc)
    schema.validate(c, "connectome")
