"""Evidence for connectome/edge_types.py and grouping.py: sums of matrices, unions of nodes, conflicts refused."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.connectome import aggregate, from_edges, group_nodes, merge, subgraph, to_dense, to_scipy
from dynome.errors import InputError, SchemaError, UnitsError

PAIR = {"source": ["a", "b"], "target": ["b", "c"]}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), directed=st.booleans())
def test_splitting_by_edge_type_and_merging_gives_the_whole(wiring, seed, directed):
    whole = wiring(seed, directed=directed)
    parts = [subgraph(whole, edge_type=t) for t in ("chemical", "gap_junction")]
    xr.testing.assert_identical(merge(*parts), whole)
    xr.testing.assert_identical(merge(whole), whole)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), directed=st.booleans())
def test_the_sum_of_layers_is_the_sum_of_their_matrices(wiring, seed, directed):
    whole = wiring(seed, directed=directed)
    summed = schema.validate(aggregate(whole), "connectome")
    expected = to_dense(whole, "chemical") + to_dense(whole, "gap_junction")
    np.testing.assert_array_equal(to_dense(summed), expected)
    assert set(summed.edge_type.values) == {"structural"}
    assert summed.weight.attrs["units"] == "synapses"


def test_nodes_are_united_in_order_of_first_appearance():
    first = from_edges(PAIR, node=["c", "a", "b"])
    second = from_edges({"source": ["d"], "target": ["a"]}, node=["d", "a"], edge_type="functional")
    assert merge(first, second).node.values.tolist() == ["c", "a", "b", "d"]
    assert merge(second, first).node.values.tolist() == ["d", "a", "c", "b"]


def test_what_one_part_does_not_know_is_missing_and_is_no_conflict():
    table = pd.DataFrame({"region": ["head", "tail"], "x": [1.0, 2.0], "rank": [1, 2]}, index=["a", "b"])
    first = from_edges(PAIR, node=["a", "b", "c"], node_coords=table.reindex(["a", "b", "c"]), units={"x": "um"})
    more = pd.DataFrame({"region": ["head", "neck"], "flag": [True, False]}, index=["a", "c"])
    second = from_edges(
        {"source": ["c"], "target": ["a"], "sign": [-1], "neurotransmitter": ["GABA"], "delay": [2.0]},
        units={"delay": "ms"},
        node_coords=more,
        edge_type="functional",
    )
    both = schema.validate(merge(first, second), "connectome")
    assert both.region.values.tolist() == ["head", "tail", "neck"]
    np.testing.assert_array_equal(both.x, [1, 2, np.nan])
    assert both.x.attrs["units"] == "um"
    np.testing.assert_array_equal(both.flag, [1, np.nan, 0])
    assert both.sign.values.tolist() == [0, 0, -1]
    assert both.neurotransmitter.values.tolist() == ["", "", "GABA"]
    np.testing.assert_array_equal(both.delay, [np.nan, np.nan, 2])
    assert both.delay.attrs["units"] == "ms"


def test_whole_numbers_stay_whole_where_nothing_is_missing():
    parts = [from_edges(PAIR, node_coords={"rank": xr.DataArray([1, 2, 3], dims="node", coords={"node": list("abc")})})]
    parts.append(from_edges(PAIR, edge_type="functional"))
    assert merge(*parts)["rank"].dtype == np.int64


def test_layers_may_differ_in_unit_but_are_then_not_added():
    both = merge(from_edges(PAIR, units="synapses"), from_edges(PAIR, units="dF/F", edge_type="functional"))
    schema.validate(both, "connectome")
    assert both.weight.attrs["units"] == "mixed"
    assert to_dense(both, "functional").attrs["units"] == "dF/F"
    for add in (to_dense, to_scipy, aggregate):
        with pytest.raises(UnitsError, match="chemical in 'synapses', functional in 'dF/F'; choose one with edge_type"):
            add(both)


def test_negative_counts_are_seen_among_mixed_units():
    both = merge(
        from_edges(PAIR, units="synapses"), from_edges({**PAIR, "weight": [-1, 1]}, units="r", edge_type="functional")
    )
    schema.validate(both, "connectome")
    with pytest.raises(SchemaError, match="weight in synapses must be >= 0, found 2 negative"):
        schema.validate(both.assign(weight=both.weight.copy(data=-np.ones(4))), "connectome")


def test_a_merge_is_undirected_only_if_all_parts_are():
    one, other = from_edges(PAIR, directed=False), from_edges(PAIR, edge_type="functional")
    assert merge(one, other).attrs["directed"] == 1
    assert merge(one, subgraph(one, node=["c"])).attrs["directed"] == 0


def test_attributes_on_which_parts_disagree_are_dropped():
    one, other = (
        from_edges(PAIR, edge_type=t, attrs={"paper": t, "species": "worm"}) for t in ("chemical", "functional")
    )
    assert merge(one, other).attrs == {"species": "worm", "directed": 1}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), "at least one connectome"),
        ((from_edges(PAIR), from_edges(PAIR)), "found 2 repeats"),
        (
            (from_edges(PAIR, units="synapses"), from_edges({"source": ["c"], "target": ["a"]}, units="contacts")),
            "chemical weights have several units, found 'contacts', 'synapses'",
        ),
        (
            (
                from_edges(PAIR, node=list("abc"), node_coords={"region": ["x", "y", "z"]}),
                from_edges(PAIR, node=list("abc"), node_coords={"region": ["x", "q", "z"]}, edge_type="functional"),
            ),
            "region has different values for 'b'",
        ),
        (
            (
                from_edges(PAIR, node=list("abc"), node_coords={"x": [1.0, 2, 3]}, units={"x": "um"}),
                from_edges(
                    PAIR, node=list("abc"), node_coords={"x": [1.0, 2, 3]}, units={"x": "mm"}, edge_type="functional"
                ),
            ),
            "x has several units, found 'mm', 'um'",
        ),
        (
            (
                from_edges({**PAIR, "delay": [1, 2]}, units={"delay": "ms"}),
                from_edges({**PAIR, "delay": [1, 2]}, units={"delay": "s"}, edge_type="functional"),
            ),
            "delay has several units",
        ),
    ],
)
def test_parts_that_conflict_are_refused(parts, message):
    with pytest.raises(InputError, match=message):
        merge(*parts)


def test_the_same_edge_in_two_parts_can_be_summed():
    made = merge(from_edges(PAIR, units="synapses"), from_edges(PAIR, units="synapses"), duplicates="sum")
    assert made.weight.values.tolist() == [2, 2]


def test_directed_edges_do_not_become_gap_junctions():
    with pytest.raises(InputError, match="directed edges cannot become gap junctions"):
        aggregate(from_edges(PAIR), name="gap_junction")
    with pytest.raises(InputError, match="edge_type must be one of"):
        aggregate(from_edges(PAIR), name="total")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), group=st.lists(st.sampled_from("pqr"), min_size=12, max_size=12))
def test_weights_between_groups_are_sums_over_their_nodes(wiring, seed, group):
    whole = wiring(seed, gaps=False)
    grouped = schema.validate(group_nodes(whole, by=group), "connectome")
    member = np.array(group)[:, None] == grouped.node.values
    np.testing.assert_array_equal(to_dense(grouped), member.T @ to_dense(whole).to_numpy() @ member)
    assert grouped.n_members.values.tolist() == member.sum(axis=0).tolist()
    assert grouped.node.values.tolist() == list(dict.fromkeys(group))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), group=st.lists(st.sampled_from("pqr"), min_size=12, max_size=12))
def test_grouping_keeps_every_edge_without_direction_once(wiring, seed, group):
    whole = wiring(seed, directed=False, gaps=False)
    grouped = schema.validate(group_nodes(whole, by=group), "connectome")
    once = [float(np.triu(to_dense(c)).sum()) for c in (whole, grouped)]
    assert once[0] == once[1]


def test_groups_come_from_a_coordinate_or_a_labelled_array():
    names = ["AVAL", "AVAR", "VA8"]
    coords = {
        "cell_class": ["AVA", "AVA", "VA"],
        "region": ["head", "head", "body"],
        "side": ["L", "R", ""],
        "x": [1.0, 3, 9],
    }
    whole = from_edges(
        {"source": ["AVAL", "AVAR"], "target": ["VA8", "VA8"]}, node=names, node_coords=coords, units={"x": "um"}
    )
    grouped = group_nodes(whole, by="cell_class")
    assert grouped.weight.item() == 2
    assert grouped.region.values.tolist() == ["head", "body"]
    assert grouped.x.values.tolist() == [2, 9]
    assert grouped.x.attrs == {"units": "um"}
    assert "side" not in grouped.coords
    assert grouped.attrs["grouped_by"] == "cell_class"
    community = xr.DataArray([7, 5, 5], dims="node", coords={"node": ["VA8", "AVAR", "AVAL"]})
    assert group_nodes(whole, by=community).node.values.tolist() == ["5", "7"]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("cell_class", "by must name a node coordinate, got 'cell_class'; there are 'region'"),
        (["p", "q"], "one group for each of 3 nodes, found 2"),
        (["p", "q", ""], "'c' have no group"),
        ([1.5, 2, 3], "by must give each node the label of its group"),
        (xr.DataArray(["p"], dims="node", coords={"node": ["a"]}), "by lacks nodes 'b', 'c'"),
    ],
)
def test_groups_that_do_not_cover_the_nodes_are_refused(by, message):
    whole = from_edges(PAIR, node=list("abc"), node_coords={"region": ["x", "y", "z"]})
    with pytest.raises(InputError, match=message):
        group_nodes(whole, by=by)
