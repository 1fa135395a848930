"""Evidence for connectome/construction.py: direction, repeats, edges without direction, and every refusal."""

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.connectome import from_adjacency, from_edges, from_networkx, to_dense, to_edges
from dynome.errors import InputError, SchemaError

PAIR = {"source": ["ASHR", "AVAL"], "target": ["AVAL", "VA8"]}
edge = st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde"), st.integers(1, 9))


def columns(rows):
    source, target, weight = zip(*rows, strict=True) if rows else ((), (), ())
    return {"source": list(source), "target": list(target), "weight": list(weight)}


def test_source_is_the_row_of_the_matrix_and_target_the_column():
    weight = to_dense(from_edges({"source": ["ASHR"], "target": ["AVAL"], "weight": [7]}, units="synapses"))
    assert weight.sel(source="ASHR", target="AVAL") == 7
    assert weight.sel(source="AVAL", target="ASHR") == 0


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(edge, max_size=20))
def test_an_edge_list_sums_to_the_same_matrix_as_adding_row_by_row(rows):
    expected = np.zeros((5, 5))
    for source, target, weight in rows:
        expected["abcde".index(source), "abcde".index(target)] += weight
    made = from_edges(columns(rows), node=list("abcde"), units="synapses")
    np.testing.assert_array_equal(to_dense(made), expected)
    schema.validate(made, "connectome")


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(edge, min_size=1, max_size=12), data=st.data())
def test_the_order_of_the_rows_does_not_matter(rows, data):
    shuffled = data.draw(st.permutations(rows))
    xr.testing.assert_identical(from_edges(columns(rows), units="1"), from_edges(columns(shuffled), units="1"))


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(edge, max_size=12, unique_by=lambda r: frozenset(r[:2])))
def test_undirected_edges_given_once_or_both_ways_are_the_same_connectome(rows):
    back = [(target, source, weight) for source, target, weight in rows if source != target]
    once = from_edges(columns(rows), node=list("abcde"), directed=False, units="1")
    both = from_edges(columns(rows + back), node=list("abcde"), directed=False, units="1")
    xr.testing.assert_identical(once, both)
    matrix = to_dense(once).to_numpy()
    np.testing.assert_array_equal(matrix, matrix.T)
    assert matrix.sum() == sum(w * (1 + (s != t)) for s, t, w in rows)
    schema.validate(once, "connectome")


def test_a_gap_junction_is_stored_both_ways_in_a_directed_connectome():
    made = from_edges({**PAIR, "edge_type": ["chemical", "gap_junction"]})
    assert to_edges(made)[["source", "target", "edge_type"]].to_numpy().tolist() == [
        ["ASHR", "AVAL", "chemical"],
        ["AVAL", "VA8", "gap_junction"],
        ["VA8", "AVAL", "gap_junction"],
    ]
    schema.validate(made, "connectome")


def test_without_weights_rows_are_counted():
    made = from_edges({"source": ["a", "a", "b"], "target": ["b", "b", "a"]}, units="synapses")
    assert made.weight.values.tolist() == [2, 1]
    assert made.weight.attrs["units"] == "synapses"
    assert from_edges(PAIR).weight.attrs["units"] == "1"


def test_a_zero_weight_edge_is_an_edge_in_a_list_and_absent_in_a_matrix():
    assert from_edges({**PAIR, "weight": [0, 1]}, units="1").sizes["edge"] == 2
    assert from_adjacency([[0, np.nan], [1, 0]], node=["a", "b"], units="1").sizes["edge"] == 1


def test_ids_become_their_digits_in_numerical_order():
    made = from_edges(pd.DataFrame({"source": [720575940600000010, 9], "target": [10, 9]}))
    assert made.node.values.tolist() == ["9", "10", "720575940600000010"]
    assert made.node.dtype == "<U18"


@pytest.mark.parametrize("kind", ["list", "object", "str", "category", "numpy", "variable width"])
def test_labels_of_any_kind_give_the_same_connectome(kind):
    make = {
        "list": list,
        "object": lambda v: pd.Series(v, dtype=object),
        "str": lambda v: pd.Series(v, dtype="str"),
        "category": lambda v: pd.Series(v, dtype="category"),
        "numpy": np.array,
        "variable width": lambda v: np.array(v, dtype=np.dtypes.StringDType()),
    }[kind]
    xr.testing.assert_identical(from_edges({k: make(v) for k, v in PAIR.items()}), from_edges(PAIR))


def test_further_columns_travel_with_their_edges():
    made = from_edges(
        {**PAIR, "sign": [1, np.nan], "neurotransmitter": ["glutamate", None], "delay": [1.5, 2.0]},
        units={"delay": "ms"},
    )
    assert made.sign.values.tolist() == [1, 0]
    assert made.neurotransmitter.values.tolist() == ["glutamate", ""]
    assert made.delay.attrs["units"] == "ms"
    schema.validate(made, "connectome")


def test_columns_follow_a_gap_junction_back():
    made = from_edges({**PAIR, "neurotransmitter": ["x", "y"]}, edge_type="gap_junction")
    assert dict(zip(made.source.values, made.neurotransmitter.values, strict=True))["VA8"] == "y"


def test_node_tables_are_joined_by_label_and_columns_by_order():
    table = pd.DataFrame({"cell_type": ["motor", "inter", "extra"], "x": [1.0, 2, 3]}, index=["VA8", "AVAL", "zzz"])
    made = from_edges(
        PAIR, node=["AVAL", "VA8", "ASHR"], node_coords=table.reindex(["AVAL", "VA8", "ASHR"]), units={"x": "um"}
    )
    assert made.cell_type.values.tolist() == ["inter", "motor", ""]
    assert np.isnan(made.x.sel(node="ASHR"))
    assert made.x.attrs["units"] == "um"
    ordered = from_edges(PAIR, node=["AVAL", "VA8", "ASHR"], node_coords={"region": ["h", "b", "h"]})
    assert ordered.region.sel(node="VA8") == "b"
    labelled = xr.DataArray(["p", "q", "r"], dims="node", coords={"node": ["VA8", "ASHR", "AVAL"]})
    assert from_edges(PAIR, node_coords={"region": labelled}).region.values.tolist() == ["q", "r", "p"]


def test_the_input_is_not_modified():
    edges = pd.DataFrame({**PAIR, "weight": [1, 2]})
    before = edges.copy()
    matrix = scipy.sparse.coo_array(([1, 2, 3], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    from_edges(edges, units="1")
    made = from_adjacency(matrix, node=["a", "b"], units="1")
    pd.testing.assert_frame_equal(edges, before)
    assert matrix.nnz == 3
    assert made.weight.values.tolist() == [3, 3]


MATRIX = np.array([[0.0, 5, np.nan], [0, 2, 1], [0, 0, 0]])


@pytest.mark.parametrize(
    "form",
    [
        lambda m: {"matrix": m, "node": list("abc"), "units": "1"},
        lambda m: {"matrix": m.tolist(), "node": list("abc"), "units": "1"},
        lambda m: {"matrix": scipy.sparse.csr_array(np.nan_to_num(m)), "node": list("abc"), "units": "1"},
        lambda m: {"matrix": scipy.sparse.coo_matrix(m), "node": list("abc"), "units": "1"},
        lambda m: {"matrix": pd.DataFrame(m, list("abc"), list("abc")), "units": "1"},
        lambda m: {"matrix": pd.DataFrame(m, list("abc"), list("abc"))[list("cab")], "units": "1"},
        lambda m: {
            "matrix": xr.DataArray(
                m.T,
                dims=("target", "source"),
                coords={"source": list("abc"), "target": list("abc")},
                attrs={"units": "1"},
            )
        },
    ],
)
def test_every_form_of_a_matrix_gives_the_same_connectome(form):
    made = from_adjacency(**form(MATRIX))
    assert to_edges(made)[["source", "target", "weight"]].to_numpy().tolist() == [
        ["a", "b", 5],
        ["b", "b", 2],
        ["b", "c", 1],
    ]
    assert made.node.values.tolist() == list("abc")


def test_rows_and_columns_may_name_different_nodes():
    table = pd.DataFrame([[1, 2]], index=["AVAL"], columns=["MDL01", "AVAL"])
    assert to_edges(from_adjacency(table, units="synapses"))[["source", "target"]].to_numpy().tolist() == [
        ["AVAL", "AVAL"],
        ["AVAL", "MDL01"],
    ]


def test_one_triangle_of_a_symmetric_matrix_is_the_whole():
    full = np.array([[2.0, 3, 0], [3, 0, 1], [0, 1, 0]])
    a, b = (from_adjacency(m, node=list("abc"), directed=False, units="1") for m in (full, np.triu(full)))
    xr.testing.assert_identical(a, b)


@pytest.mark.parametrize(("asymmetric", "there", "lone"), [("max", 3, 2), ("mean", 2.5, 1), ("sum", 5, 2)])
def test_unequal_directions_of_a_gap_junction_are_settled_as_asked(asymmetric, there, lone):
    matrix = pd.DataFrame([[0, 3, 2], [2, 0, 4], [0, 4, 0]], list("abc"), list("abc"))
    options = {"units": "synapses", "edge_type": "gap_junction"}
    with pytest.raises(InputError, match=r"2 of 3 pairs have one weight there and another back \(a-b 3/2, a-c 2/0\)"):
        from_adjacency(matrix, **options)
    weight = to_dense(from_adjacency(matrix, asymmetric=asymmetric, **options))
    assert weight.sel(source="a", target="b") == weight.sel(source="b", target="a") == there
    assert weight.sel(source="a", target="c") == weight.sel(source="c", target="a") == lone
    assert weight.sel(source="b", target="c") == (8 if asymmetric == "sum" else 4)


@pytest.mark.parametrize("cls", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_every_class_of_networkx_graph_is_read(cls):
    graph = cls()
    graph.add_node("lonely", region="tail")
    graph.add_edge("b", "a", size=3, weight=99)
    graph.add_edge("b", "b", size=1, weight=99)
    made = from_networkx(graph, weight="size", units="synapses", edge_type="structural")
    assert made.node.values.tolist() == ["lonely", "b", "a"]
    assert made.region.values.tolist() == ["tail", "", ""]
    assert made.attrs["directed"] == graph.is_directed()
    expected = [["b", "b", 1], ["b", "a", 3]] + ([] if graph.is_directed() else [["a", "b", 3]])
    assert to_edges(made)[["source", "target", "weight"]].to_numpy().tolist() == expected


def test_parallel_edges_of_a_multigraph_are_summed_or_refused():
    graph = nx.MultiDiGraph([("a", "b"), ("a", "b")])
    assert from_networkx(graph).weight.item() == 2
    with pytest.raises(InputError, match="found 1 repeats"):
        from_networkx(graph, duplicates="raise")


def test_nothing_is_a_connectome_too():
    for made in (
        from_edges({"source": [], "target": []}, node=["a"]),
        from_edges({"source": [], "target": [], "weight": []}, node=["a"], units="synapses", directed=False),
        from_adjacency(np.zeros((1, 1)), node=["a"], units="1"),
        from_networkx(nx.empty_graph(["a"])),
    ):
        assert made.sizes == {"node": 1, "edge": 0}
        schema.validate(made, "connectome")
    assert from_edges({"source": [], "target": []}).sizes == {"node": 0, "edge": 0}


@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        ({"pre": ["a"], "post": ["b"]}, {}, r"missing 'source', 'target', found 'pre', 'post'; rename them"),
        ([("a", "b")], {}, "expected a DataFrame or a mapping of columns, found list"),
        ({"source": ["a"], "target": ["b", "c"]}, {}, "one length, found source 1, target 2"),
        ({"source": [["a"]], "target": ["b"]}, {}, "one-dimensional, 'source' are not"),
        ({"source": ["a", None], "target": ["b", "c"]}, {}, "source must hold labels.*1 of 2 labels are missing"),
        ({"source": [1.0], "target": [2]}, {}, "source must hold labels.*float64"),
        ({**PAIR, "weight": ["x", "y"]}, {"units": "1"}, "weight must be numeric"),
        ({**PAIR, "weight": [1, np.nan]}, {"units": "1"}, "weight must be finite, found 1"),
        ({**PAIR, "weight": [1, 2]}, {}, "unit of the weights is unknown for 'chemical'"),
        (PAIR, {"node": ["ASHR", "AVAL"]}, "target must name nodes, found unknown 'VA8'"),
        (PAIR, {"node": ["ASHR", "AVAL", "VA8", "VA8"]}, "must be unique, found repeated 'VA8'"),
        (PAIR, {"node": ["ASHR", "AVAL", "VA8", ""]}, "must not be empty"),
        (PAIR, {"node": [1.5, 2.5, 3.5]}, "node must hold labels"),
        ({**PAIR, "edge_type": ["chemical", None]}, {}, "edge_type must be given for every edge or for none"),
        ({**PAIR, "delay": [1, 2]}, {}, "units of delay are unknown"),
        (PAIR, {"node_coords": {"region": ["a"]}}, r"region must have 3 values, found shape \(1,\)"),
        (PAIR, {"node_coords": pd.DataFrame({"region": ["a"]}, index=["AVAL"])}, "region lacks nodes 'ASHR', 'VA8'"),
        (PAIR, {"node_coords": pd.DataFrame({"region": ["a", "b"]}, index=["AVAL"] * 2)}, "found repeated 'AVAL'"),
        (PAIR, {"node_coords": {"x": [1.0, 2, 3]}}, "units of x are unknown"),
        ({"source": ["a"] * 2, "target": ["b"] * 2}, {"duplicates": "raise"}, "found 1 repeats"),
        (
            {"source": ["a"] * 2, "target": ["b"] * 2, "neuropil": ["x", "y"]},
            {},
            "rows that repeat an edge disagree on neuropil in 1 cases",
        ),
        (
            {"source": ["a", "b"], "target": ["b", "a"], "sign": [1, -1]},
            {"directed": False},
            "the two directions of an edge disagree on sign",
        ),
        (PAIR, {"duplicates": "first"}, "duplicates must be one of 'sum', 'raise', got 'first'"),
        (PAIR, {"asymmetric": "min"}, "asymmetric must be one of"),
    ],
)
def test_edges_that_cannot_be_used_are_refused_with_what_to_do(edges, options, message):
    with pytest.raises(InputError, match=message):
        from_edges(edges, **options)


def test_all_problems_of_an_edge_list_are_told_at_once():
    with pytest.raises(InputError, match=r"(?s)source must hold.*weight must be numeric.*units of delay"):
        from_edges({"source": [1.5], "target": ["b"], "weight": ["x"], "delay": [1.0]}, units="1")


@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        (PAIR, {"edge_type": "chem"}, "edge_type must be one of chemical.*found 'chem'"),
        ({**PAIR, "weight": [1, -1]}, {"units": "synapses"}, "must be >= 0, found 1 negative"),
        ({**PAIR, "sign": [1, 3]}, {}, "sign must be -1, 0 or 1, found 3"),
        (PAIR, {"attrs": {"paper": None}}, "must be str, int, float"),
    ],
)
def test_connectomes_that_break_the_schema_are_refused(edges, options, message):
    with pytest.raises(SchemaError, match=message):
        from_edges(edges, **options)


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        (np.zeros((2, 2)), {}, r"no labels; pass node"),
        (pd.DataFrame([[1]], ["a"], ["a"]), {"node": ["a"]}, "brings its own labels"),
        (np.zeros((2, 3)), {"node": ["a", "b"]}, r"expected 2 x 2 entries, as there are labels, found shape \(2, 3\)"),
        (np.zeros(2), {"node": ["a", "b"]}, r"expected a matrix of numbers, found shape \(2,\)"),
        (np.array([["x"]]), {"node": ["a"]}, "expected a matrix of numbers"),
        (pd.DataFrame([[1, 2]], ["a"], ["b", "b"]), {}, "found repeated 'b'"),
        (xr.DataArray(np.ones((1, 1)), dims=("node", "target")), {}, "expected a DataArray"),
        (np.full((1, 1), np.inf), {"node": ["a"]}, "weight must be finite"),
    ],
)
def test_matrices_that_cannot_be_used_are_refused_with_what_to_do(matrix, options, message):
    with pytest.raises(InputError, match=message):
        from_adjacency(matrix, units="1", **options)


def test_a_networkx_graph_with_some_weights_missing_is_refused():
    graph = nx.DiGraph([("a", "b", {"weight": 1}), ("b", "c")])
    with pytest.raises(InputError, match="weight must be finite, found 1 NaN"):
        from_networkx(graph, units="1")


@pytest.mark.realdata
def test_the_four_asymmetric_entries_of_cooks_gap_junctions_are_found(data_dir):
    matrix = pd.read_csv(data_dir / "celegans_connectomes" / "electrical_Cook2019.csv.gz", index_col=0)
    with pytest.raises(InputError, match=r"2 of 1107 pairs.*PVCR-VA09 3/2, PDB-DD06 2/0"):
        from_adjacency(matrix, units="synapses", edge_type="gap_junction")
    weight = to_dense(from_adjacency(matrix, units="synapses", edge_type="gap_junction", asymmetric="max"))
    np.testing.assert_array_equal(weight, np.maximum(matrix, matrix.T))
    assert weight.max() == 401


@pytest.mark.realdata
def test_the_chemical_connectome_is_read_as_it_is_written(data_dir):
    matrix = pd.read_csv(data_dir / "celegans_connectomes" / "chemical_Cook2019.csv.gz", index_col=0)
    made = from_adjacency(matrix, units="synapses")
    assert made.sizes == {"node": 302, "edge": 3709}
    np.testing.assert_array_equal(to_dense(made), matrix)
