"""Adjacency matrices in files: rows are sources, columns are targets, labels beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import connectome
from dynome.datasets.formats import arrays, columnar, tables
from dynome.datasets.formats.edge_lists import Asymmetric, write_columns
from dynome.datasets.formats.files import PathLike, check_shape, reading, suffix, writing
from dynome.datasets.formats.nodes import choose
from dynome.errors import FormatError, InputError, listed
from dynome.schema import NODE

_LABELS = (NODE, "nodes", "label", "labels", "name", "names")

Labels = NDArray[Any] | None


def read_adjacency(
    path: PathLike,
    *,
    node: ArrayLike | None = None,
    array: str | None = None,
    sep: str | None = None,
    directed: bool = True,
    units: str | None = None,
    edge_type: str = "chemical",
    asymmetric: Asymmetric = "raise",
) -> xr.Dataset:
    r"""Read a connectome from an adjacency matrix.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.txt`` (each also ``.gz``), ``.parquet``, ``.npy`` or ``.npz`` (dense arrays, or what
        `scipy.sparse.save_npz` writes). Rows are sources, columns targets; 0 and empty cells are no edge.
    node : (node,) or None
        Labels, for a file that has none. In text and Parquet the first line and the first column are labels; an
        ``.npz`` may hold them as ``node``, ``labels`` or ``names``.
    array : str or None
        Which array of an ``.npz`` is the matrix; None takes the only square one.
    sep : str or None
        Separator; None tells it from the first line.
    directed, units, edge_type, asymmetric
        As in `dynome.connectome.from_adjacency`. Units are required, e.g. ``"synapses"``, or ``"1"`` if there are none.

    Returns
    -------
    Dataset
        A connectome.

    Raises
    ------
    StoreError
        If the file is missing.
    FormatError
        If the file cannot be read or is no square matrix of numbers.
    InputError
        If labels are missing, or the matrix does not make a connectome.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write(",AVAL,VA8\nAVAL,0,5\nVA8,0,0\n")
    ...     file.flush()
    ...     wiring = read_adjacency(file.name, units="synapses")
    >>> wiring.source.item(), wiring.target.item(), wiring.weight.item()
    ('AVAL', 'VA8', 5)
    """
    with reading(path, "an adjacency matrix") as found:
        if suffix(found) in arrays.SUFFIXES:
            matrix, rows, columns = _from_numpy(found, array)
        elif suffix(found) == ".parquet":
            matrix, rows, columns = _from_parquet(found)
        else:
            matrix, rows, columns = _from_text(found, sep)
        if rows is None and columns is None:
            return connectome.from_adjacency(
                matrix, node=node, directed=directed, units=units, edge_type=edge_type, asymmetric=asymmetric
            )
        if node is not None:
            raise InputError(f"the file brings its own labels ({listed(columns, 3)}); leave node out")
        labelled, names = _labelled(matrix, rows, columns)
        return connectome.from_adjacency(
            labelled, node=names, directed=directed, units=units, edge_type=edge_type, asymmetric=asymmetric
        )


def _labelled(matrix: Any, rows: Labels, columns: Labels) -> tuple[Any, ArrayLike | None]:
    """A matrix with its labels as `from_adjacency` wants them: a frame, or a sparse matrix and one list."""
    if rows is None and columns is not None and len(columns) == matrix.shape[0]:
        rows = columns  # a matrix written without its first column
    if columns is None and rows is not None and len(rows) == matrix.shape[1]:
        columns = rows
    if rows is None or columns is None or (len(rows), len(columns)) != matrix.shape:
        found = f"{0 if rows is None else len(rows)} and {0 if columns is None else len(columns)}"
        raise FormatError(f"the matrix has shape {matrix.shape}, but {found} labels of rows and columns")
    if hasattr(matrix, "tocoo"):
        return matrix, rows
    return pd.DataFrame(matrix, index=rows, columns=columns), None


def _from_text(path: Path, sep: str | None) -> tuple[Any, Labels, Labels]:
    layout = tables.sniff(path, sep)
    header = not all(tables.is_number(cell) for cell in layout.first)
    if header and not layout.second:
        raise FormatError(f"{path} has one line; expected a matrix with one line a node")
    if not header:
        frame = tables.read(path, layout, text=[], header=False)
        return tables.numbers(frame, {}).to_numpy(), None, None
    width = max(len(layout.first), len(layout.second))
    check_shape((width, width), 8, path.name)
    frame = tables.read(path, layout, text=[0], header=True)
    labels = list(layout.first)
    places, rows = list(range(len(labels))), None
    if -1 in frame:
        rows = frame[-1].to_numpy(dtype=object)
    elif len(frame) != len(labels) or not tables.is_number(layout.second[0]):
        # The first column names the rows, unless it is a column of numbers in a square table.
        rows = frame[places.pop(0)].to_numpy(dtype=object)
    numbers = tables.numbers(frame[places], dict(enumerate(labels)))
    return numbers.fillna(0).to_numpy(), rows, np.array([labels[k] for k in places], dtype=object)


def _from_parquet(path: Path) -> tuple[Any, Labels, Labels]:
    names, _ = columnar.names(path)
    key = next(
        (n for n in (columnar.INDEX, *_LABELS) if n in names), names[0] if columnar.is_text(path, names[0]) else None
    )
    columns = [name for name in names if name != key]
    check_shape((len(columns), len(columns)), 8, path.name)
    held = columnar.read(path, names, text=[] if key is None else [key])
    rows = None if key is None else held.pop(key).astype(object).to_numpy()
    matrix = tables.numbers(pd.DataFrame(held), {}).fillna(0).to_numpy()
    return matrix, rows, np.array(columns, dtype=object)


def _from_numpy(path: Path, array: str | None) -> tuple[Any, Labels, Labels]:
    held = arrays.read_arrays(path)
    labels = next((held.pop(name) for name in _LABELS if name in held), None)
    if {"format", "indices", "indptr", "data", "shape"} <= held.keys() or {
        "row",
        "col",
        "data",
        "shape",
    } <= held.keys():
        return _sparse(held), labels, labels
    square = {name: v for name, v in held.items() if v.ndim == 2 and v.shape[0] == v.shape[1]}
    if array is None and len(square) != 1:
        shapes = [f"{name} {v.shape}" for name, v in held.items()]
        raise FormatError(
            f"expected one square matrix, found {listed(shapes, 20) or 'no array'}; choose one with array="
        )
    matrix = held[choose(array, list(held), "array")] if array is not None else next(iter(square.values()))
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.dtype.kind not in "biuf":
        raise FormatError(f"expected a square matrix of numbers, found shape {matrix.shape} and dtype {matrix.dtype}")
    return matrix, labels, labels


def _sparse(held: dict[str, NDArray[Any]]) -> scipy.sparse.coo_array:
    """A matrix of `scipy.sparse.save_npz`, after its indices were checked against its shape."""
    shape = tuple(int(n) for n in held["shape"])
    kind = held["format"].item() if "format" in held else "coo"
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] > 2**31 or held["data"].dtype.kind not in "biuf":
        raise FormatError(f"expected a square sparse matrix of numbers, found shape {shape} of {held['data'].dtype}")
    if kind == "coo":
        return scipy.sparse.coo_array((held["data"], (held["row"], held["col"])), shape=shape)
    if kind not in ("csr", "csc"):
        raise FormatError(
            f"expected a sparse matrix in format csr, csc or coo, found {kind!r}; convert it with .tocsr()"
        )
    check_shape((shape[0] + 1,), 8, "the index of the sparse matrix")
    make = scipy.sparse.csr_array if kind == "csr" else scipy.sparse.csc_array
    matrix = make((held["data"], held["indices"], held["indptr"]), shape=shape)
    matrix.check_format(full_check=True)
    return matrix.tocoo()


def write_adjacency(
    wiring: xr.Dataset, path: PathLike, *, edge_type: str | Sequence[str] | None = None, overwrite: bool = False
) -> Path:
    """Write the weights of a connectome as a matrix: rows are sources, columns targets, 0 is no edge.

    Parameters
    ----------
    wiring : Dataset
        A valid connectome.
    path : path
        ``.csv``, ``.tsv`` (each also ``.gz``), ``.parquet``, or ``.npz`` (sparse, as `scipy.sparse.load_npz` reads it,
        with the labels as ``node``).
    edge_type : str, list of str or None
        Edge types to add up; None takes all.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file. Units, coordinates and edge types are not in it.

    Raises
    ------
    UnitsError
        If the edge types have different units.
    InputError
        If an edge has weight 0, which a matrix cannot tell from no edge, or the suffix is another one.
    StoreError
        If the file exists.

    See Also
    --------
    read_adjacency : The way back.
    """
    weight = connectome.to_scipy(wiring, edge_type)
    if zeros := int((weight.data == 0).sum()):
        raise InputError(
            f"{zeros} edges have weight 0, which a matrix cannot tell from no edge; drop them or write edges"
        )
    node = wiring[NODE].to_numpy()
    if suffix(path) == ".npz":
        with writing(path, overwrite=overwrite) as partial:
            held = {
                "data": weight.data,
                "indices": weight.indices,
                "indptr": weight.indptr,
                "shape": np.array(weight.shape),
            }
            np.savez_compressed(partial, allow_pickle=False, **held, format=np.array(b"csr"), node=node)
        return Path(path)
    check_shape(weight.shape, 8, "the matrix")
    dense = weight.toarray()
    columns = {NODE: node} | {str(label): dense[:, k] for k, label in enumerate(node)}
    if NODE in node.tolist():
        raise InputError(f"a node is called {NODE!r}, as the column of labels is; rename it")
    return write_columns(columns, path, {}, overwrite=overwrite)
