"""Evidence that every function of dynome.connectome refuses what is no connectome, and takes what is stored lazily."""

import numpy as np
import pytest
import xarray as xr

from dynome import connectome as area
from dynome import schema
from dynome.connectome import degree, strength, subgraph, to_dense, to_scipy
from dynome.errors import InputError, SchemaError

OPTIONS = {
    "subgraph": {"node": ["n00"]},
    "reorder": {"node": ["n00"]},
    "rename_nodes": {"node": ["x"]},
    "group_nodes": {"by": ["x"]},
    "participation": {"community": ["x"]},
    "null_scores": {"metric": "density"},
    "assortativity": {"by": ["x"]},
}
TAKES_A_CONNECTOME = [
    *(
        "subgraph",
        "reorder",
        "rename_nodes",
        "merge",
        "aggregate",
        "group_nodes",
        "to_dense",
        "to_scipy",
        "to_edges",
        "to_networkx",
        "to_pyg",
    ),
    *("degree", "strength", "density", "reciprocity", "components", "clustering", "efficiency"),
    *("rewire", "shuffle_weights", "erdos_renyi", "find_communities", "node_positions"),
    *("local_efficiency", "feedforward_levels", "path_lengths", "degree_assortativity", "rich_club", "null_scores"),
    *("null_connectome", "small_worldness", "centrality", "participation", "network_metrics", "assortativity"),
    "triad_census",
]
LAYERS = {
    *("GATv2Layer", "GCNLayer", "GINLayer", "MessageGraph", "RelationLayer", "SAGELayer", "SignedLayer"),
    *("make_layer", "message_graph", "moved", "propagate"),
}
MATCHING = {"match_nodes", "match_sides", "match_accuracy", "worm_side"}
DRAWS = {
    *("rewire", "shuffle_weights", "erdos_renyi", "find_communities", "rich_club", "small_worldness"),
    "null_connectome",
}


def test_every_public_function_is_thought_of():
    others = {"from_edges", "from_adjacency", "from_networkx", "modularity", "community_order", "WeightedSBM"}
    others.add("degree_laws")  # takes counts, too
    names = {"homologue", "is_ambiguous", "normalize_worm_names", "worm_class", "worm_neurons"}
    assert set(area.__all__) == {*TAKES_A_CONNECTOME, *others, *names, *LAYERS, *MATCHING}


@pytest.mark.parametrize("name", TAKES_A_CONNECTOME)
def test_a_recording_is_no_connectome(name):
    recording = schema.recording(np.zeros((3, 1)), time=[0.0, 1, 2], node=["n00"], units="dF/F")
    with pytest.raises(SchemaError, match="expected dims node and edge, missing 'edge'"):
        getattr(area, name)(recording, **OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", TAKES_A_CONNECTOME)
def test_a_number_is_no_connectome(name):
    with pytest.raises((SchemaError, InputError), match=r"expected (an xarray Dataset|a connectome)"):
        getattr(area, name)(3, **OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", TAKES_A_CONNECTOME)
def test_a_connectome_says_whether_it_is_directed(wiring, name):
    with pytest.raises(SchemaError, match=r'"directed".* must be 1 or 0'):
        getattr(area, name)(wiring(0).drop_attrs(deep=False), **OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", sorted(set(TAKES_A_CONNECTOME) - set(OPTIONS)))
def test_a_lazily_opened_connectome_gives_the_same_results(wiring, name):
    seed = {"random_state": 0} if name in DRAWS else {}
    made = wiring(0)
    now, later = (getattr(area, name)(c, **seed) for c in (made, made.chunk(edge=7)))
    if isinstance(now, xr.Dataset | xr.DataArray):
        xr.testing.assert_identical(now, later)
    else:
        assert str(now) == str(later)


def test_edges_are_chosen_with_xarray_alone(wiring):
    made = wiring(0)
    strong = schema.validate(made.isel(edge=made.weight >= 5), "connectome")
    matrix = to_dense(made)
    assert 0 < strong.sizes["edge"] < made.sizes["edge"]
    np.testing.assert_array_equal(to_dense(strong, "chemical"), to_dense(made, "chemical").where(lambda w: w >= 5, 0))
    assert to_dense(strong).sum() < matrix.sum()


def test_weights_of_few_bits_do_not_overflow(wiring):
    made = wiring(0)
    small = made.assign(weight=made.weight.astype(np.int8) * np.int8(15))
    assert strength(small).strength.sum() == 15 * strength(made).strength.sum()
    assert to_scipy(small).sum() == 15 * to_scipy(made).sum()


def test_labels_of_variable_width_work_as_well(wiring):
    made = wiring(0)
    wide = made.assign({end: made[end].astype(np.dtypes.StringDType()) for end in ("source", "target")})
    np.testing.assert_array_equal(to_dense(wide), to_dense(made))
    assert subgraph(wide, node=["n00", "n01", "n02"]).sizes == subgraph(made, node=["n00", "n01", "n02"]).sizes
    xr.testing.assert_identical(degree(wide), degree(made))
