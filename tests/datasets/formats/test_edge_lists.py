"""Evidence for edge lists: exact ids, columns found by their usual names, round trips, and files that lie."""

from __future__ import annotations

import contextlib
import gzip

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings

from dynome import connectome
from dynome.datasets import read_edges, write_edges
from dynome.datasets.formats import files
from dynome.errors import DynomeError, FormatError, InputError, StoreError

UNITS = {"chemical": "synapses", "gap_junction": "1", "delay": "ms", "x": "um"}


def wiring() -> xr.Dataset:
    edges = {
        "source": ["A", "B", "é,x", "NA"],
        "target": ["B", "é,x", "A", "A"],
        "weight": [1.5, 2.0, 3.25, 0.1],
        "edge_type": ["chemical", "gap_junction", "chemical", "chemical"],
        "delay": [0.1, 0.2, 0.3, 0.4],
        "neurotransmitter": ["ACh", "", "GABA", ""],
        "sign": [1, 0, -1, 0],
    }
    coords = {"cell_type": ["i", "i", "m", "", "s"], "x": [1.0, 2.0, 3.0, 4.0, 5.0]}
    nodes = ["é,x", "B", "A", "lonely", "NA"]
    attrs = {"species": "worm", "years": [1986, 2019]}
    return connectome.from_edges(edges, units=UNITS, node=nodes, node_coords=coords, attrs=attrs)


def text(tmp_path, content: str, name: str = "edges.csv") -> str:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return str(path)


def pairs(dataset: xr.Dataset) -> list[tuple[str, str, float]]:
    return list(zip(*(dataset[n].to_numpy().tolist() for n in ("source", "target", "weight")), strict=True))


def test_parquet_with_its_node_table_keeps_everything(tmp_path):
    path = write_edges(wiring(), tmp_path / "e.parquet", nodes=tmp_path / "n.parquet")
    xr.testing.assert_identical(read_edges(path, nodes=tmp_path / "n.parquet"), wiring())


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".tsv.gz"])
def test_text_keeps_all_but_attributes_and_units(tmp_path, suffix):
    path = write_edges(wiring(), tmp_path / f"e{suffix}", nodes=tmp_path / f"n{suffix}")
    back = read_edges(path, nodes=tmp_path / f"n{suffix}", units=UNITS)
    xr.testing.assert_identical(back, wiring().drop_attrs(deep=False).assign_attrs(directed=1))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.integers(10**17, 2**63 - 1), min_size=2, max_size=6, unique=True),
    suffix=st.sampled_from([".csv", ".parquet", ".tsv.gz"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_root_ids_of_eighteen_digits_survive_to_the_last_one(tmp_path, ids, suffix, seed):
    rng = np.random.default_rng(seed)
    ends = rng.choice(np.array(ids), (2, 8))
    frame = pd.DataFrame({"pre_root_id": ends[0], "post_root_id": ends[1], "syn_count": rng.integers(1, 9, 8)})
    path = tmp_path / f"e{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if "tsv" in suffix else ",", index=False)
    found = read_edges(path)
    xr.testing.assert_identical(found, read_edges(write_edges(found, path, overwrite=True), units="synapses"))
    expected = connectome.from_edges(
        {"source": ends[0].astype(str), "target": ends[1].astype(str), "weight": frame.syn_count}, units="synapses"
    )
    xr.testing.assert_identical(found.drop_attrs(deep=False), expected.drop_attrs(deep=False))


@pytest.mark.parametrize(
    "header",
    [
        "source,target,weight",
        "pre,post,w",
        "From,To,Count",
        "Pre Root ID,Post Root ID,strength",
        "pre_pt_root_id,post_pt_root_id,weights",
    ],
)
def test_the_usual_spellings_of_the_columns_are_known(tmp_path, header):
    found = read_edges(text(tmp_path, f"{header}\na,b,3\n"), units="1")
    assert pairs(found) == [("a", "b", 3)]


def test_columns_of_any_name_can_be_given(tmp_path):
    path = text(tmp_path, "x,y,z,q\na,b,3,9\n")
    assert pairs(read_edges(path, source="y", target="x", weight="q", units="1")) == [("b", "a", 9)]
    with pytest.raises(
        InputError, match=r"no column for the source \(.*'pre'.*\); pass source=; the first line names 'x'"
    ):
        read_edges(path)
    with pytest.raises(InputError, match=r"no column 'yy', did you mean 'y'; the first line names"):
        read_edges(path, source="yy", target="x")
    with pytest.raises(InputError, match=r"one column cannot be two things"):
        read_edges(path, source="x", target="x")


@pytest.mark.parametrize("content", ["29 8419602 9.0\n30 29 1\n", "# comment\n\n29\t8419602\t9.0\n30\t29\t1\n"])
def test_a_file_without_header_is_source_target_weight(tmp_path, content):
    found = read_edges(text(tmp_path, content, "edges.txt"), units="synapses", edge_type="synaptic")
    assert pairs(found) == [("29", "8419602", 9), ("30", "29", 1)]
    assert set(found.edge_type.to_numpy()) == {"synaptic"}
    swapped = read_edges(text(tmp_path, content, "edges.txt"), units="synapses", source=1, target=0)
    assert pairs(swapped) == [("29", "30", 1), ("8419602", "29", 9)]


def test_semicolons_byte_order_marks_quotes_and_blanks_are_understood(tmp_path):
    found = read_edges(text(tmp_path, '\ufeffpre; post ;weight\n"a;1"; b ;2\n'), units="1")
    assert pairs(found) == [("a;1", "b", 2)]


def test_names_of_rows_as_r_writes_them_and_separators_at_line_ends_shift_nothing(tmp_path):
    assert pairs(read_edges(text(tmp_path, "pre post weight\n1 a b 3\n2 a c 4\n", "e.txt"), units="1")) == [
        ("a", "b", 3),
        ("a", "c", 4),
    ]
    assert pairs(read_edges(text(tmp_path, "pre,post,weight\na,b,3,\n"), units="1")) == [("a", "b", 3)]


def test_labels_such_as_na_are_labels_and_empty_ones_are_refused(tmp_path):
    assert pairs(read_edges(text(tmp_path, "pre,post\nNA,null\n"))) == [("NA", "null", 1)]
    with pytest.raises(FormatError, match=r"edges.csv: 1 of 2 values of pre are missing; drop these rows"):
        read_edges(text(tmp_path, "pre,post\na,b\n,c\n"))


def test_weights_that_are_missing_or_text_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"weight must be finite, found 1 NaN"):
        read_edges(text(tmp_path, "pre,post,weight\na,b,1\na,c,\n"), units="1")
    with pytest.raises(InputError, match=r"weight must be numeric"):
        read_edges(text(tmp_path, "pre,post,weight\na,b,strong\n"), units="1")
    with pytest.raises(InputError, match=r'the unit of the weights is unknown .*units="synapses"'):
        read_edges(text(tmp_path, "pre,post,weight\na,b,1\n"))


@pytest.mark.parametrize("cell", ["7.205759406210391e+17", "720575940621039145.0"])
def test_ids_that_went_through_a_float_are_refused(tmp_path, cell):
    with pytest.raises(FormatError, match=r"holds ids as floating-point numbers.*digits are lost; export it as int64"):
        read_edges(text(tmp_path, f"pre,post\n{cell},1.0\n"))
    frame = pd.DataFrame({"pre": [float(cell)], "post": [1.0]})
    frame.to_parquet(tmp_path / "e.parquet")
    with pytest.raises(FormatError, match=r"pre holds ids as double, which loses digits"):
        read_edges(tmp_path / "e.parquet")


def test_small_ids_with_a_point_are_mended(tmp_path):
    assert pairs(read_edges(text(tmp_path, "pre,post\n12.0,7.0\n"))) == [("12", "7", 1)]
    pd.DataFrame({"pre": [12.0], "post": [7.0]}).to_parquet(tmp_path / "e.parquet")
    assert pairs(read_edges(tmp_path / "e.parquet")) == [("12", "7", 1)]


def test_the_kind_of_an_edge_is_a_column_or_one_word(tmp_path):
    path = text(tmp_path, "pre,post,weight,type\na,b,1,chem\na,c,2,Electrical\n")
    found = read_edges(path, units="1")
    assert found.edge_type.to_numpy().tolist() == ["chemical", "gap_junction", "gap_junction"]
    assert set(read_edges(path, units="1", edge_type="functional").edge_type.to_numpy()) == {"functional"}
    with pytest.raises(ValueError, match=r"edge_type must be one of"):
        read_edges(text(tmp_path, "pre,post,type\na,b,telepathic\n"))


def test_rows_of_one_pair_are_summed_or_refused(tmp_path):
    path = text(tmp_path, "pre,post,neuropil,syn_count\na,b,AL,3\na,b,MB,4\n")
    assert pairs(read_edges(path)) == [("a", "b", 7)]
    with pytest.raises(InputError, match=r"repeats"):
        read_edges(path, duplicates="raise")
    with pytest.raises(InputError, match=r"no column 'neuropile'; did you mean 'neuropil'"):
        read_edges(path, keep=["neuropile"])


def test_a_node_table_names_the_nodes_by_the_column_that_fits(tmp_path):
    edges = text(tmp_path, "pre,post,weight\n1,2,5\n")
    table = text(tmp_path, ",name,side,depth\n1,KC,L,0.5\n2,KC,R,\n3,PN,R,2\n", "nodes.csv")
    found = read_edges(edges, units="1", nodes=table)
    assert found.node.to_numpy().tolist() == ["1", "2", "3"]
    assert found.side.to_numpy().tolist() == ["L", "R", "R"]
    np.testing.assert_array_equal(found.depth, [0.5, np.nan, 2])
    with pytest.raises(
        FormatError, match=r"nodes.csv: none of 'name', .* names all nodes of the edges, such as '1', '9'"
    ):
        read_edges(text(tmp_path, "pre,post,weight\n1,9,5\n"), units="1", nodes=table)
    with pytest.raises(FormatError, match=r"needs a header"):
        read_edges(edges, units="1", nodes=text(tmp_path, "1,2\n", "nodes.csv"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"edges.csv is empty"),
        ("# only\n\n", r"holds no table"),
        ("pre,post\n", r"has a header but no rows"),
        ("pre,post,weight\na,b,1\na,b,1,2\n", r"cannot be read as an edge list .*Expected 3 fields"),
        ("pre,post,weight\na,b,1\na,c,2\na,", r"ends in the middle of a line: 2 cells where the first line has 3"),
        ("pre,post\na\n", r"has 2 columns in its first line, but 1 below"),
        ("pre,post\na,b,1,2\n", r"has 2 columns in its first line, but 4 below"),
        ("pre,pre,post\na,b,c\n", r"names columns more than once: 'pre'"),
        ("pre,post\n\0,b\n", r"NUL bytes"),
    ],
)
def test_broken_text_is_told(tmp_path, content, message):
    with pytest.raises(FormatError, match=message):
        read_edges(text(tmp_path, content))


def test_text_in_another_encoding_is_told(tmp_path):
    (tmp_path / "e.csv").write_bytes("pre,post\nzürich,b\n".encode("latin-1"))
    with pytest.raises(FormatError, match=r"not UTF-8 text; save it as UTF-8"):
        read_edges(tmp_path / "e.csv")


def test_a_small_file_that_unpacks_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 2**22)
    bomb = tmp_path / "bomb.csv.gz"
    bomb.write_bytes(gzip.compress(b"pre,post\n" + b"a,b\n" * 2**21))
    assert bomb.stat().st_size < 2**16
    with pytest.raises(FormatError, match=r"holds more than 0 GiB of text"):
        read_edges(bomb)


def test_parquet_of_unknown_kinds_or_with_missing_ids_is_refused(tmp_path):
    path = tmp_path / "e.parquet"
    pd.DataFrame({"pre": ["a"], "post": ["b"], "weight": [[1, 2]]}).to_parquet(path)
    with pytest.raises(FormatError, match=r"expected columns of numbers or strings, found 'weight \(list"):
        read_edges(path, units="1")
    pd.DataFrame({"pre": pd.array([2**60 + 1, None], dtype="Int64"), "post": ["b", "c"]}).to_parquet(path)
    with pytest.raises(FormatError, match=r"1 of 2 values of pre are missing"):
        read_edges(path)


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_truncated_files_are_named(tmp_path, suffix, share):
    content = write_edges(wiring(), tmp_path / f"e{suffix}").read_bytes()
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=r"broken"):
        read_edges(broken)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=120), st.text("ab,;\t \n\"'.#-1e9µ", max_size=80).map(lambda t: f"pre,post\n{t}".encode())
    ),
    suffix=st.sampled_from([".csv", ".txt", ".parquet", ".csv.gz"]),
)
def test_any_bytes_give_a_connectome_or_our_error(tmp_path, content, suffix):
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(DynomeError):
        assert set(read_edges(path, units="1").dims) == {"node", "edge"}


def test_nothing_is_written_over_a_file_or_under_a_wrong_suffix(tmp_path):
    path = write_edges(wiring(), tmp_path / "e.csv")
    with pytest.raises(StoreError, match=r"exists"):
        write_edges(wiring(), path)
    with pytest.raises(InputError, match=r"a table must be called \*.csv"):
        write_edges(wiring(), tmp_path / "e.xlsx")
    with pytest.raises(StoreError, match=r"no folder .*; make it first"):
        write_edges(wiring(), tmp_path / "nowhere" / "e.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["e.csv"]


@pytest.mark.realdata
def test_the_larval_fly_brain_has_its_published_size(data_dir):
    folder = data_dir / "fly_larva_brain_connectome"
    found = read_edges(
        folder / "G_edgelist.txt.gz", units="synapses", edge_type="synaptic", nodes=folder / "meta_data.csv.gz"
    )
    assert (found.sizes["edge"], int(found.weight.sum())) == (119_010, 376_091)
    assert found.sizes["node"] == 3_591
