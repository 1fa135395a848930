"""Any file that dynome knows, read and written by what it is called and what is in it."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from dynome import schema, store, study
from dynome.datasets.formats.adjacency import write_adjacency
from dynome.datasets.formats.edge_lists import write_edges
from dynome.datasets.formats.files import PathLike, destination, existing, stem, suffix
from dynome.datasets.formats.graphml import write_graphml
from dynome.datasets.formats.layouts import LAYOUTS, layout_of
from dynome.datasets.formats.nwb_writing import write_nwb
from dynome.datasets.formats.time_series import write_timeseries
from dynome.errors import InputError, StoreError, listed
from dynome.schema import ACTIVITY, EDGE, NODE, SPIKE_COUNT

_TABLES = (".csv", ".tsv", ".parquet")


def read_any(path: PathLike, *, layout: str | None = None, **options: Any) -> Any:
    r"""Read a file or folder of any layout that dynome knows.

    Parameters
    ----------
    path : path
        A dynome store, NWB file, edge list, adjacency matrix, GraphML, table of traces, folder of these, BIDS
        derivatives folder, or Parquet of *C. elegans* traces. An edge list finds the table of its nodes
        beside it, when that is called ``X.nodes.csv`` for ``X.csv``.
    layout : str or None
        ``"store"``, ``"nwb"``, ``"edges"``, ``"adjacency"``, ``"graphml"``, ``"timeseries"``, ``"timeseries_folder"``,
        ``"bids"`` or ``"celegans"``; None tells it from the name and the first lines.
    **options
        Arguments of the reader, e.g. ``units="synapses"`` or ``rate=2.0``.

    Returns
    -------
    Dataset, DataTree, DataArray or Estimator
        A connectome, a recording, a study, or what was saved in the store.

    Raises
    ------
    StoreError
        If nothing is there, or a store is damaged.
    FormatError
        If the layout is unknown or cannot be told, or the file cannot be read.
    InputError
        If an option does not belong to the reader.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "worm.csv")
    ...     _ = path.write_text("pre,post,synapses\nASHR,AVAL,3\n")
    ...     read_any(path).source.item()
    'ASHR'
    """
    found = Path(path)
    if not found.exists():
        raise StoreError(f"nothing at {found}; check the path")
    existing(found, folder=found.is_dir())
    if layout is not None and layout not in LAYOUTS:
        raise InputError(f"layout must be one of {listed(LAYOUTS, 20)}, got {layout!r}")
    name = layout or layout_of(found, options)
    reader = LAYOUTS[name].read
    known = list(signature(reader).parameters)[1:]
    if strange := [option for option in options if option not in known]:
        raise InputError(
            f"{listed(strange)} is no option for {LAYOUTS[name].what}; there are {listed(known, 20) or 'none'}"
        )
    beside = nodes_beside(found)
    if name == "edges" and "nodes" not in options and beside.is_file():
        options["nodes"] = beside
    return reader(found, **options)


def nodes_beside(path: Path) -> Path:
    """Where the table of the nodes of an edge list lies.

    Examples
    --------
    >>> nodes_beside(Path("fly.csv.gz")).name
    'fly.nodes.csv.gz'
    """
    name = stem(path)
    return path.with_name(f"{name}.nodes{path.name[len(name) :]}")


def write_any(obj: Any, path: PathLike, *, overwrite: bool = False) -> Path:
    """Write an object in the layout that the suffix says.

    Parameters
    ----------
    obj : Dataset, DataTree, DataArray or Estimator
        ``*.zarr`` takes everything. A connectome goes into ``*.csv``, ``*.tsv`` or ``*.parquet`` (edges; the nodes
        beside them as ``X.nodes.csv``, if some have no edges or there is more to say of them), ``*.npz`` (a sparse
        matrix) or ``*.graphml``; a recording into ``*.nwb``, or its traces alone into ``*.csv``, ``*.tsv`` or
        ``*.parquet``. A study counts as its recording if it has only one and no connectome.
    path : path
        Where to.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    Path
        The file or folder.

    Raises
    ------
    InputError
        If the layout cannot hold the object.
    StoreError
        If something is there.
    SchemaError
        If the object is not valid.

    Examples
    --------
    >>> import tempfile
    >>> from dynome import connectome
    >>> wiring = connectome.from_edges({"source": ["ASHR"], "target": ["AVAL"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_any(write_any(wiring, f"{folder}/worm.graphml")).identical(wiring)
    True
    """
    target, ending = Path(path), suffix(path)
    if ending == ".zarr":
        return store.save(obj, target, overwrite=overwrite)
    kind, thing = _single(obj)
    if kind == "connectome":
        if ending == ".graphml":
            return write_graphml(thing, target, overwrite=overwrite)
        if ending == ".npz":
            return write_adjacency(thing, target, overwrite=overwrite)
        if ending in _TABLES:
            nodes = nodes_beside(target) if _nodes_tell_more(thing) else None
            return write_edges(thing, target, nodes=nodes, overwrite=overwrite)
    if kind == "recording":
        if ending == ".nwb":
            return write_nwb(thing, target, overwrite=overwrite)
        if ending in _TABLES:
            return write_timeseries(thing, target, ACTIVITY if ACTIVITY in thing else SPIKE_COUNT, overwrite=overwrite)
    options = {"connectome": "*.csv, *.tsv, *.parquet, *.npz, *.graphml", "recording": "*.nwb, *.csv, *.tsv, *.parquet"}
    also = f", {options[kind]}" if kind in options else "; take one recording or the connectome out of it for others"
    raise InputError(f"cannot write a {kind} as {target.name!r}; it goes into *.zarr{also}")


def _single(obj: Any) -> tuple[str, Any]:
    """What an object is; a study of one recording and nothing else is that recording."""
    if not isinstance(obj, xr.Dataset | xr.DataArray | xr.DataTree):
        return type(obj).__name__, obj
    kind = schema.kind_of(obj)
    if (
        isinstance(obj, xr.DataTree)
        and len(found := study.sessions(obj)) == 1
        and schema.CONNECTOME not in obj.children
    ):
        return "recording", next(iter(found.values()))
    return kind.replace("_", " "), obj


def _nodes_tell_more(wiring: xr.Dataset) -> bool:
    """Whether there are nodes without edges, coordinates, or an order that the edges alone would not give."""
    ends = np.unique(np.concatenate([wiring["source"].to_numpy(), wiring["target"].to_numpy()]))
    more = [name for name, variable in wiring.variables.items() if variable.dims == (NODE,) and name != NODE]
    return bool(more) or ends.tolist() != wiring[NODE].to_numpy().tolist() or not wiring.sizes[EDGE]


def convert(source: PathLike, target: PathLike, *, overwrite: bool = False, **options: Any) -> Path:
    r"""Read a file of any layout and write it in another.

    Parameters
    ----------
    source : path
        What `read_any` reads.
    target : path
        What `write_any` writes; the suffix says the layout.
    overwrite : bool
        Replace what is there.
    **options
        Arguments of the reader, as in `read_any`.

    Returns
    -------
    Path
        The file or folder that was written. After an error there is none.

    Raises
    ------
    InputError, FormatError, StoreError, SchemaError
        As `read_any` and `write_any` do; also if source and target are one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "worm.csv").write_text("pre,post,synapses\nASHR,AVAL,3\n")
    ...     convert(f"{folder}/worm.csv", f"{folder}/worm.graphml").name
    'worm.graphml'
    """
    if Path(source).resolve() == Path(target).resolve():
        raise InputError(f"source and target are both {source}; choose another target")
    if suffix(target) != ".zarr":
        destination(target, overwrite=overwrite)
    return write_any(read_any(source, **options), target, overwrite=overwrite)
