"""Evidence for adjacency matrices: labels of rows and columns, round trips, numpy files that are not trusted."""

from __future__ import annotations

import contextlib
import zipfile

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xarray as xr
from hypothesis import HealthCheck, given, settings

from dynome import connectome
from dynome.datasets import read_adjacency, write_adjacency
from dynome.errors import DynomeError, FormatError, InputError, StoreError, UnitsError

MATRIX = np.array([[0.0, 5, 0], [0, 0, 0.25], [0, 0, 0]])
NODES = ["B", "é,x", "A"]


def wiring() -> xr.Dataset:
    return connectome.from_adjacency(MATRIX, node=NODES, units="synapses")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".npz"])
def test_a_matrix_comes_back_with_its_labels_and_their_order(tmp_path, suffix):
    path = write_adjacency(wiring(), tmp_path / f"m{suffix}")
    xr.testing.assert_identical(read_adjacency(path, units="synapses"), wiring())


def test_what_pandas_scipy_and_r_write_is_read(tmp_path):
    frame = pd.DataFrame(MATRIX, index=NODES, columns=NODES)
    frame.to_csv(tmp_path / "pandas.csv")
    frame.to_csv(tmp_path / "plain.csv", index=False)
    frame.to_parquet(tmp_path / "pandas.parquet")
    lines = frame.to_csv(sep="\t").split("\n")
    (tmp_path / "r.tsv").write_text("\n".join([lines[0].removeprefix("\t"), *lines[1:]]))
    for name in ("pandas.csv", "plain.csv", "pandas.parquet", "r.tsv"):
        xr.testing.assert_identical(read_adjacency(tmp_path / name, units="synapses"), wiring())
    for form in ("csr", "csc", "coo"):
        scipy.sparse.save_npz(tmp_path / "s.npz", scipy.sparse.coo_array(MATRIX).asformat(form))
        xr.testing.assert_identical(read_adjacency(tmp_path / "s.npz", units="synapses", node=NODES), wiring())


def test_integer_ids_label_rows_and_columns(tmp_path):
    big = 720575940621039145
    pd.DataFrame([[0, 2], [0, 0]], index=[big, 7], columns=[big, 7]).to_csv(tmp_path / "m.csv")
    found = read_adjacency(tmp_path / "m.csv", units="1")
    assert (found.source.item(), found.target.item(), found.weight.item()) == (str(big), "7", 2)


def test_rows_and_columns_may_name_different_nodes_and_empty_cells_are_no_edge(tmp_path):
    (tmp_path / "m.csv").write_text(",c,d\na,1,\nb,,2\n")
    found = read_adjacency(tmp_path / "m.csv", units="1")
    assert found.source.to_numpy().tolist() == ["a", "b"]
    assert found.target.to_numpy().tolist() == ["c", "d"]


@pytest.mark.parametrize("save", [np.save, np.savetxt, lambda p, m: np.savez(p, W=m, t=np.arange(4))])
def test_a_file_without_labels_needs_them(tmp_path, save):
    name = {np.save: "m.npy", np.savetxt: "m.txt"}.get(save, "m.npz")
    save(tmp_path / name, MATRIX)
    xr.testing.assert_identical(read_adjacency(tmp_path / name, node=NODES, units="synapses"), wiring())
    with pytest.raises(InputError, match=rf"{name}: cannot make .*\n.*rows and columns have no labels; pass node="):
        read_adjacency(tmp_path / name, units="synapses")


def test_labels_in_the_file_and_as_an_argument_are_one_too_many(tmp_path):
    path = write_adjacency(wiring(), tmp_path / "m.csv")
    with pytest.raises(InputError, match=r"brings its own labels .*; leave node out"):
        read_adjacency(path, node=NODES, units="1")


def test_one_of_several_matrices_is_chosen(tmp_path):
    np.savez(tmp_path / "m.npz", chem=MATRIX, gap=MATRIX + MATRIX.T, labels=np.array(NODES))
    with pytest.raises(FormatError, match=r"found 'chem \(3, 3\)', 'gap \(3, 3\)'; choose one with array="):
        read_adjacency(tmp_path / "m.npz", units="1")
    found = read_adjacency(tmp_path / "m.npz", array="gap", units="1", edge_type="gap_junction")
    assert found.sizes == {"node": 3, "edge": 4}
    with pytest.raises(InputError, match=r"no array 'gab'; did you mean 'gap'"):
        read_adjacency(tmp_path / "m.npz", array="gab", units="1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (",a,b\na,1,x\nb,0,0\n", r"column b must hold numbers, found 'x' in row 1"),
        (";a;b\na;1,5;0\nb;0;0\n", r"found '1,5' in row 1 .*decimals need a point"),
        (",a,b\na,1\n", r"m.csv has 3 columns in its first line, but 2 below"),
        (",a,b\n", r"has one line"),
        (",a,a\na,1,0\na,0,0\n", r"labels must be unique"),
    ],
)
def test_broken_matrices_are_told(tmp_path, content, message):
    (tmp_path / "m.csv").write_text(content)
    with pytest.raises(DynomeError, match=message):
        read_adjacency(tmp_path / "m.csv", units="1")


def test_a_matrix_cannot_hold_edges_of_weight_zero_or_of_two_units(tmp_path):
    zero = connectome.from_edges({"source": ["a"], "target": ["b"], "weight": [0]}, units="1")
    with pytest.raises(InputError, match=r"1 edges have weight 0"):
        write_adjacency(zero, tmp_path / "m.csv")
    two = connectome.from_edges(
        {"source": ["a", "a"], "target": ["b", "b"], "edge_type": ["chemical", "functional"], "weight": [1, 2]},
        units={"chemical": "synapses", "functional": "1"},
    )
    with pytest.raises(UnitsError, match=r"cannot be combined"):
        write_adjacency(two, tmp_path / "m.csv")
    assert list(tmp_path.iterdir()) == []
    path = write_adjacency(two, tmp_path / "m.csv", edge_type="functional")
    assert read_adjacency(path, units="1").weight.item() == 2
    with pytest.raises(StoreError, match=r"exists"):
        write_adjacency(two, path, edge_type="functional")


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "o.npz", m=np.array([{"a": 1}], dtype=object))
    for name in ("o.npy", "o.npz"):
        with pytest.raises(FormatError, match=r"holds Python objects, which could run code when loaded"):
            read_adjacency(tmp_path / name, units="1")


def claim(path, shape: tuple[int, ...]) -> bytes:
    """A numpy file of 8 bytes whose header claims `shape`."""
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
        stream.write(bytes(8))
    return path.read_bytes()


def test_a_header_that_claims_more_than_the_file_holds_costs_no_memory(tmp_path):
    claim(tmp_path / "huge.npy", (10**9, 10**9))
    with pytest.raises(FormatError, match=r"claims shape \(1000000000, 1000000000\)"):
        read_adjacency(tmp_path / "huge.npy", units="1")
    claim(tmp_path / "big.npy", (1000, 1000))
    with pytest.raises(FormatError, match=r"big.npy claims shape \(1000, 1000\) of float64, but there are 8 bytes"):
        read_adjacency(tmp_path / "big.npy", units="1")
    with zipfile.ZipFile(tmp_path / "big.npz", "w") as archive:
        archive.writestr("m.npy", claim(tmp_path / "m.npy", (1000, 1000)))
    with pytest.raises(FormatError, match=r"claims shape \(1000, 1000\) of float64, but there are 8 bytes"):
        read_adjacency(tmp_path / "big.npz", units="1")


def test_sparse_indices_that_leave_the_matrix_are_refused(tmp_path):
    held = {"data": np.ones(1), "indices": np.array([7]), "indptr": np.array([0, 1, 1]), "shape": np.array([2, 2])}
    np.savez(tmp_path / "s.npz", **held, format=np.array(b"csr"))
    with pytest.raises(FormatError, match=r"s.npz cannot be read"):
        read_adjacency(tmp_path / "s.npz", node=["a", "b"], units="1")
    np.savez(tmp_path / "s.npz", **{**held, "shape": np.array([10**12, 10**12])}, format=np.array(b"csr"))
    with pytest.raises(FormatError, match=r"square sparse matrix of numbers, found shape \(1000000000000"):
        read_adjacency(tmp_path / "s.npz", node=["a", "b"], units="1")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), suffix=st.sampled_from([".csv", ".npy", ".npz", ".parquet"]))
def test_damaged_files_give_a_connectome_or_our_error(tmp_path, data, suffix):
    path = tmp_path / f"valid{suffix}"
    if suffix == ".npy":
        np.save(path, MATRIX)
    else:
        write_adjacency(wiring(), path, overwrite=True)
    content = bytearray(path.read_bytes()[: data.draw(st.integers(0, path.stat().st_size))])
    for where in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=3)) if content else []:
        content[where] = data.draw(st.integers(0, 255))
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(content)
    with contextlib.suppress(DynomeError):
        assert set(read_adjacency(broken, units="1", node=NODES if suffix == ".npy" else None).dims) == {"node", "edge"}


@pytest.mark.realdata
def test_the_worm_matrix_of_cook_has_its_size(data_dir):
    found = read_adjacency(data_dir / "celegans_connectomes" / "chemical_Cook2019.csv.gz", units="synapses")
    assert found.sizes["node"] == 302
    assert "VA08" in found.node
