"""Evidence for connectome/selection.py: parts keep their edges, orders change nothing but the order."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.connectome import from_edges, merge, rename_nodes, reorder, subgraph, to_dense
from dynome.errors import InputError


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), data=st.data())
def test_a_subgraph_is_the_part_of_the_matrix(wiring, seed, data):
    whole = wiring(seed)
    chosen = data.draw(st.lists(st.sampled_from(whole.node.values.tolist()), unique=True))
    part = schema.validate(subgraph(whole, node=chosen), "connectome")
    expected = to_dense(whole).sel(source=chosen, target=chosen) if chosen else np.zeros((0, 0))
    np.testing.assert_array_equal(to_dense(part), expected)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), data=st.data())
def test_reordering_permutes_the_matrix_and_comes_back(wiring, seed, data):
    whole = wiring(seed)
    names = whole.node.values.tolist()
    order = data.draw(st.permutations(names))
    turned = schema.validate(reorder(whole, node=order), "connectome")
    np.testing.assert_array_equal(to_dense(turned), to_dense(whole).sel(source=order, target=order))
    xr.testing.assert_identical(reorder(turned, node=names), whole)


def test_coordinates_columns_and_attributes_travel():
    whole = from_edges(
        {"source": ["a", "b"], "target": ["b", "c"], "delay": [1.0, 2.0]},
        units={"delay": "ms"},
        node_coords={"region": xr.DataArray(["x", "y", "z"], dims="node", coords={"node": list("abc")})},
        attrs={"species": "worm"},
    )
    part = subgraph(whole, node=["c", "b"])
    assert part.region.values.tolist() == ["z", "y"]
    assert part.delay.item() == 2.0
    assert part.delay.attrs == {"units": "ms"}
    assert part.attrs["species"] == "worm"


def test_edge_types_are_chosen_by_name(wiring):
    whole = wiring(1)
    assert set(subgraph(whole, edge_type="gap_junction").edge_type.values) == {"gap_junction"}
    xr.testing.assert_identical(subgraph(whole, edge_type=["gap_junction", "chemical"]), whole)
    assert subgraph(whole, edge_type="functional").sizes["edge"] == 0


def test_one_layer_of_mixed_units_gets_its_own_unit_back():
    chemical = from_edges({"source": ["a"], "target": ["b"]}, units="synapses")
    functional = from_edges({"source": ["b"], "target": ["a"]}, units="dF/F", edge_type="functional")
    both = merge(chemical, functional)
    assert both.weight.attrs["units"] == "mixed"
    assert subgraph(both, edge_type="functional").weight.attrs == {"units": "dF/F", "long_name": "weight"}
    assert both.weight.attrs["units"] == "mixed"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_other_names_leave_the_matrix_and_come_back(wiring, seed):
    made = wiring(seed).assign_coords(region=("node", [f"r{k}" for k in range(12)]))
    names = [f"another{k}" for k in range(12)]
    renamed = schema.validate(rename_nodes(made, node=names), "connectome")
    assert renamed.node.values.tolist() == names
    np.testing.assert_array_equal(to_dense(renamed), to_dense(made))
    np.testing.assert_array_equal(renamed.region, made.region)
    xr.testing.assert_identical(rename_nodes(renamed, node=made.node.values), made)


def test_some_nodes_can_be_renamed_by_a_mapping(wiring):
    renamed = schema.validate(rename_nodes(wiring(0), node={"n03": "AVAL", "n00": "n03"}), "connectome")
    assert renamed.node.values.tolist()[:4] == ["n03", "n01", "n02", "AVAL"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: rename_nodes(c, node={"n03": "n04"}), "'n03', 'n04' would share names: 'n04'"),
        (lambda c: rename_nodes(c, node={"AVAL": "x"}), "found unknown 'AVAL'"),
        (lambda c: rename_nodes(c, node=["a"]), "a label for each of 12 nodes, found 1"),
        (lambda c: rename_nodes(c, node={"n03": ""}), "'n03' would have empty names"),
        (lambda c: subgraph(c, node=["n00", "AVAL"]), "found unknown 'AVAL'"),
        (lambda c: subgraph(c, node=["n00", "n00"]), "found repeated 'n00'"),
        (lambda c: subgraph(c, edge_type="chem"), "edge_type must be one of chemical.*got 'chem'"),
        (lambda c: reorder(c, node=["n00", "n01"]), "every node must be named, 'n02', .* are not; use subgraph"),
        (lambda c: reorder(c, node=["AVAL"]), "found unknown 'AVAL'"),
    ],
)
def test_unknown_repeated_and_forgotten_labels_are_refused(wiring, call, message):
    with pytest.raises(InputError, match=message):
        call(wiring(0))
