"""Evidence for the dispatcher: every layout is told from its content, and conversion is whole or does nothing."""

from __future__ import annotations

import contextlib

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings

from dynome import connectome, schema, store, study
from dynome.datasets import convert, read_any, write_any, write_nwb
from dynome.datasets.formats.layouts import LAYOUTS, layout_of
from dynome.errors import DynomeError, FormatError, InputError, StoreError


def wiring(lonely: bool = False) -> xr.Dataset:
    edges = {"source": ["A", "B"], "target": ["B", "C"], "weight": [1, 2]}
    return connectome.from_edges(edges, units="synapses", node=["C", "A", "B", "D"] if lonely else None)


def recording() -> xr.Dataset:
    values = np.arange(8.0).reshape(4, 2)
    return schema.recording(values, time=np.arange(4) / 2, node=["AVAL", "AVAR"], units="dF/F")


@pytest.mark.parametrize("suffix", [".zarr", ".graphml", ".graphml.gz", ".parquet", ".npz", ".csv", ".tsv.gz"])
@pytest.mark.parametrize("lonely", [False, True])
def test_a_connectome_survives_every_layout_that_holds_one(tmp_path, suffix, lonely):
    path = write_any(wiring(lonely), tmp_path / f"c{suffix}")
    told = {} if suffix in (".zarr", ".graphml", ".graphml.gz", ".parquet") else {"units": "synapses"}
    back = read_any(path, **told)
    xr.testing.assert_identical(back.load(), wiring(lonely))


@pytest.mark.parametrize("suffix", [".zarr", ".nwb", ".csv", ".tsv", ".parquet"])
def test_a_recording_survives_every_layout_that_holds_one(tmp_path, suffix):
    path = write_any(recording(), tmp_path / f"r{suffix}")
    told = {} if suffix in (".zarr", ".nwb") else {"units": "dF/F"}
    xr.testing.assert_identical(read_any(path, **told).load(), recording())


def layouts(folder) -> dict[str, str]:
    """One file or folder of each layout, as other programs write them, by its path."""
    frame = pd.DataFrame(np.arange(9.0).reshape(3, 3), index=list("abc"), columns=list("abc"))
    (folder / "edges.csv").write_text("pre_root_id,post_root_id,syn_count\n1,2,3\n")
    (folder / "plain.edgelist").write_text("1 2 3\n")
    frame.to_csv(folder / "matrix.csv")
    frame.to_parquet(folder / "matrix.parquet")
    frame.assign(time=[0.0, 0.5, 1.0])[["time", "a", "b"]].to_csv(folder / "traces.tsv", index=False, sep="\t")
    np.savez(folder / "matrix.npz", W=frame.to_numpy(), labels=np.array(list("abc")))
    (folder / "g.graphml").write_text("<graphml/>")
    (folder / "traces").mkdir()
    frame.to_csv(folder / "traces" / "worm1.csv", index=False)
    (folder / "bids" / "sub-01").mkdir(parents=True)
    columns = {"source_dataset": ["A"], "worm": ["w"], "neuron": ["AVAL"], "is_labeled_neuron": [True]}
    (folder / "worms").mkdir()
    pd.DataFrame(columns).to_parquet(folder / "worms" / "train.parquet")
    store.save(recording(), folder / "r.zarr")
    return {
        "edges.csv": "edges",
        "plain.edgelist": "edges",
        "matrix.csv": "adjacency",
        "matrix.parquet": "adjacency",
        "matrix.npz": "adjacency",
        "traces.tsv": "timeseries",
        "g.graphml": "graphml",
        "traces": "timeseries_folder",
        "bids": "bids",
        "worms": "celegans",
        "worms/train.parquet": "celegans",
        "r.zarr": "store",
    }


def test_every_layout_is_told_from_its_name_and_content(tmp_path):
    expected = layouts(tmp_path)
    assert {name: layout_of(tmp_path / name, {}) for name in expected} == expected
    assert set(expected.values()) | {"nwb"} == set(LAYOUTS)


def test_traces_are_told_by_their_rate_and_anything_by_its_layout(tmp_path):
    (tmp_path / "t.csv").write_text("AVAL,AVAR\n1,2\n3,4\n")
    with pytest.raises(
        FormatError, match=r"t.csv may be an edge list, an adjacency matrix or a table of traces; pass layout="
    ):
        read_any(tmp_path / "t.csv")
    assert read_any(tmp_path / "t.csv", rate=2.0).sizes == {"time": 2, "node": 2}
    found = read_any(tmp_path / "t.csv", layout="edges", source="AVAL", target="AVAR")
    assert found.source.to_numpy().tolist() == ["1", "3"]
    with pytest.raises(InputError, match=r"layout must be one of 'store', 'nwb'.* got 'edge'"):
        read_any(tmp_path / "t.csv", layout="edge")


def test_options_of_another_reader_are_refused(tmp_path):
    path = write_any(wiring(), tmp_path / "c.csv")
    with pytest.raises(InputError, match=r"'rates' is no option for an edge list .*; there are 'source', 'target'"):
        read_any(path, rates=2.0)


def test_what_is_unknown_is_told_with_what_is_supported(tmp_path):
    with pytest.raises(StoreError, match=r"nothing at"):
        read_any(tmp_path / "none.csv")
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(
        FormatError, match=r"none of the suffixes that are known; supported are a dynome store .*an NWB file"
    ):
        read_any(tmp_path / "a.xlsx")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=r"a folder without any file that is known; supported are"):
        read_any(tmp_path / "empty")
    with pytest.raises(InputError, match=r"cannot write a recording as 'r.graphml'; it goes into \*.zarr, \*.nwb"):
        write_any(recording(), tmp_path / "r.graphml")
    with pytest.raises(InputError, match=r"cannot write a connectome as 'c.nwb'; it goes into \*.zarr, \*.csv"):
        write_any(wiring(), tmp_path / "c.nwb")
    with pytest.raises(InputError, match=r"cannot write a study as 's.nwb'; .*take one recording"):
        write_any(study.build({"a": recording(), "b": recording()}), tmp_path / "s.nwb")


def test_a_study_of_one_recording_counts_as_it(tmp_path):
    path = write_any(study.build({"worm": recording()}), tmp_path / "w.nwb")
    xr.testing.assert_identical(read_any(path), recording())


def test_nodes_lie_beside_an_edge_list_only_where_they_tell_more(tmp_path):
    write_any(wiring(), tmp_path / "a.csv.gz")
    write_any(wiring(lonely=True), tmp_path / "b.csv.gz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv.gz", "b.csv.gz", "b.nodes.csv.gz"]


def test_conversion_goes_through_any_pair(tmp_path):
    write_nwb(recording(), tmp_path / "r.nwb")
    convert(tmp_path / "r.nwb", tmp_path / "r.zarr")
    convert(tmp_path / "r.zarr", tmp_path / "back.nwb")
    convert(tmp_path / "back.nwb", tmp_path / "r.csv")
    found = convert(tmp_path / "r.csv", tmp_path / "again.zarr", units="dF/F")
    xr.testing.assert_identical(read_any(found).load(), recording())


def test_a_conversion_that_fails_leaves_nothing_and_replaces_nothing(tmp_path):
    (tmp_path / "bad.csv").write_text("pre,post,weight\na,b,x\n")
    (tmp_path / "old.graphml").write_text("precious")
    before = sorted(p.name for p in tmp_path.iterdir())
    for target in ("new.graphml", "new.zarr", "new.csv"):
        with pytest.raises(DynomeError):
            convert(tmp_path / "bad.csv", tmp_path / target)
    (tmp_path / "good.csv").write_text("pre,post\na,b\n")
    with pytest.raises(StoreError, match=r"old.graphml exists"):
        convert(tmp_path / "good.csv", tmp_path / "old.graphml")
    with pytest.raises(InputError, match=r"source and target are both"):
        convert(tmp_path / "good.csv", tmp_path / "." / "good.csv", overwrite=True)
    assert (tmp_path / "old.graphml").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*before, "good.csv"])
    convert(tmp_path / "good.csv", tmp_path / "old.graphml", overwrite=True)
    assert read_any(tmp_path / "old.graphml").sizes == {"node": 2, "edge": 1}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=80),
    suffix=st.sampled_from(
        [".csv", ".tsv", ".txt", ".parquet", ".npy", ".npz", ".graphml", ".nwb", ".csv.gz", ".edgelist"]
    ),
)
def test_random_bytes_under_any_name_are_our_error_or_an_object(tmp_path, content, suffix):
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(DynomeError):
        schema.validate(read_any(path))
