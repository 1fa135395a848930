"""Which layout a file or folder has, told from its name and its first lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dynome import store
from dynome.datasets.formats import arrays, celegans_parquet, columnar, edge_columns, tables
from dynome.datasets.formats.adjacency import read_adjacency
from dynome.datasets.formats.bids import is_bids, read_bids
from dynome.datasets.formats.celegans_parquet import read_celegans_parquet
from dynome.datasets.formats.edge_lists import read_edges
from dynome.datasets.formats.files import reading, suffix
from dynome.datasets.formats.folders import read_timeseries_folder
from dynome.datasets.formats.graphml import read_graphml
from dynome.datasets.formats.nwb import read_nwb
from dynome.datasets.formats.roles import CLOCK
from dynome.datasets.formats.time_series import read_timeseries
from dynome.datasets.formats.traces import SUFFIXES
from dynome.errors import FormatError
from dynome.schema import NODE


class Layout(NamedTuple):
    """A family of files: how it is read, and what it is, for messages."""

    read: Callable[..., Any]
    what: str


LAYOUTS: Mapping[str, Layout] = {
    "store": Layout(store.open, "a dynome store (*.zarr)"),
    "nwb": Layout(read_nwb, "an NWB file (*.nwb)"),
    "edges": Layout(read_edges, "an edge list (*.csv, *.tsv, *.txt, *.edgelist, *.parquet)"),
    "adjacency": Layout(read_adjacency, "an adjacency matrix (*.csv, *.tsv, *.txt, *.parquet, *.npy, *.npz)"),
    "graphml": Layout(read_graphml, "GraphML (*.graphml)"),
    "timeseries": Layout(
        read_timeseries, "a table of traces (*.csv, *.tsv, *.txt, *.parquet, *.npy, *.npz; give rate=)"
    ),
    "timeseries_folder": Layout(read_timeseries_folder, "a folder of tables of traces"),
    "bids": Layout(read_bids, "a BIDS derivatives folder (sub-*/)"),
    "celegans": Layout(
        read_celegans_parquet, "C. elegans traces in the layout of qsimeon/celegans_neural_data (*.parquet)"
    ),
}


def layout_of(path: Path, options: Mapping[str, Any]) -> str:
    """Which layout a file or folder has; the names of the options help where the content leaves it open.

    Raises
    ------
    FormatError
        If it has none that is known, or it cannot be told.
    """
    if path.is_dir():
        return _layout_of_folder(path)
    ending = suffix(path)
    if ending in (".nwb", ".graphml"):
        return ending[1:]
    if ending not in SUFFIXES:
        raise FormatError(f"{path} ends in none of the suffixes that are known; {_supported()}")
    with reading(path, "a table"):
        told = _layout_of_arrays(path) if ending in arrays.SUFFIXES else _layout_of_table(path)
    if told is None and {"rate", "time", "time_units", "covariates"} & options.keys():
        told = "timeseries"
    if told is None:
        raise FormatError(
            f"{path} may be an edge list, an adjacency matrix or a table of traces; pass layout= (and rate= for "
            "traces), or name the columns of an edge list source and target"
        )
    return told


def _supported() -> str:
    return "supported are " + "; ".join(layout.what for layout in LAYOUTS.values())


def _layout_of_folder(path: Path) -> str:
    if path.suffix == ".zarr" or (path / "zarr.json").is_file():
        return "store"
    if is_bids(path):
        return "bids"
    files = [p for p in sorted(path.rglob("*")) if p.is_file() and suffix(p) in SUFFIXES]
    if not files:
        raise FormatError(f"{path} is a folder without any file that is known; {_supported()}")
    if suffix(files[0]) == ".parquet":
        with reading(files[0], "Parquet"):
            header = columnar.names(files[0])[0]
        if celegans_parquet.is_layout(header):
            return "celegans"
    return "timeseries_folder"


def _layout_of_table(path: Path) -> str | None:
    header, said = edge_columns.names(path, None)
    if celegans_parquet.is_layout([str(name) for name in header]):
        return "celegans"
    if said or (edge_columns.has_ends(header) and isinstance(header[0], str)) or suffix(path) == ".edgelist":
        return "edges"
    if isinstance(header[0], str) and CLOCK.fullmatch(header[0]):
        return "timeseries"
    if _is_square(path, [str(name) for name in header]):
        return "adjacency"
    return "timeseries" if any(isinstance(n, str) and CLOCK.fullmatch(n.strip()) for n in header) else None


def _is_square(path: Path, header: list[str]) -> bool:
    """Whether the first column names the same nodes as the first line."""
    if suffix(path) == ".parquet":
        key = columnar.INDEX if columnar.INDEX in header else header[0]
        if key != columnar.INDEX and not columnar.is_text(path, key):
            return False
        rows = columnar.read(path, [key], text=[key])[key].astype(str)
        return set(rows) == set(header) - {key}
    layout = tables.sniff(path)
    first, second = layout.first, layout.second
    with_corner = len(first) > 1 and bool(second) and second[0] == first[1]
    return with_corner or (len(second) == len(first) + 1 and second[0] == first[0])


def _layout_of_arrays(path: Path) -> str | None:
    held = arrays.read_arrays(path)
    square = [v for v in held.values() if v.ndim == 2 and v.shape[0] == v.shape[1]]
    labelled = bool({NODE, "labels", "names"} & held.keys())
    return "adjacency" if "shape" in held or (labelled and len(square) == 1) else None
