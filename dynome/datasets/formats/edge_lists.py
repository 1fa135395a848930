"""Edge lists as text or Parquet: ids keep every digit, columns are found by the names that people give them.

Root ids of 18 digits do not fit into a float: they are read as text or int64 and refused as floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import connectome, schema
from dynome.datasets.formats import columnar, edge_columns
from dynome.datasets.formats.edge_columns import Column
from dynome.datasets.formats.files import PathLike, destination, is_compressed, reading, suffix, writing
from dynome.datasets.formats.json_values import plain_attrs
from dynome.datasets.formats.nodes import choose
from dynome.errors import FormatError, InputError, listed
from dynome.schema import EDGE, NODE, SOURCE, TARGET

Duplicates = Literal["sum", "raise"]
Asymmetric = Literal["raise", "max", "mean", "sum"]

_SYNAPSES = ("syn_count", "synapses", "n_synapses", "num_synapses", "synapse_count", "n_syn", "nsyn")
_TYPES = {
    "electrical": "gap_junction", "gap": "gap_junction", "gap junction": "gap_junction", "gapjunction": "gap_junction",
    "ej": "gap_junction", "chem": "chemical",
}  # fmt: skip
_ALSO = ("sign", "neurotransmitter", "delay")  # read whenever they are there
_LABELS = (NODE, "label", "name", "id", "root_id", "pt_root_id", "body_id", "bodyid", "neuron", "neuron_id")


def read_edges(
    path: PathLike,
    *,
    source: Column = None,
    target: Column = None,
    weight: Column = None,
    edge_type: str | None = None,
    keep: Sequence[str] = (),
    sep: str | None = None,
    nodes: PathLike | None = None,
    directed: bool | None = None,
    units: str | Mapping[str, str] | None = None,
    duplicates: Duplicates = "sum",
    asymmetric: Asymmetric = "raise",
) -> xr.Dataset:
    r"""Read a connectome from an edge list.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.txt``, ``.edgelist`` (each also ``.gz``) or ``.parquet``.
    source, target, weight : str, int or None
        Names of the columns; None finds them by the usual spellings (``pre`` / ``post``, ``pre_root_id`` /
        ``post_root_id``, ``from`` / ``to``, ``syn_count``, ...). In a file without a header, their positions from 0.
    edge_type : str or None
        The column with the type of each edge, or the type of all edges. None finds a column, else ``"chemical"``.
        ``"electrical"``, ``"gap"`` and ``"EJ"`` mean ``"gap_junction"``, ``"chem"`` means ``"chemical"``.
    keep : list of str
        Further columns. ``sign``, ``neurotransmitter`` and ``delay`` are kept whenever they are there.
    sep : str or None
        Separator; None tells it from the first line.
    nodes : path or None
        A table of the nodes (``.csv``, ``.tsv``, ``.parquet``, ...): its column ``node``, ``label``, ``root_id``, ...
        (else the first one) names them, the others become coordinates. Nodes without edges need it.
    directed : bool or None
        As in `dynome.connectome.from_edges`; None is what the file says, else True.
    units : str, mapping or None
        Unit of the weights, or units by column. None is what the file says; a column ``syn_count`` or the like is in
        synapses.
    duplicates, asymmetric
        As in `dynome.connectome.from_edges`.

    Returns
    -------
    Dataset
        A connectome.

    Raises
    ------
    StoreError
        If the file is missing.
    FormatError
        If the file cannot be read, or its ids are floats.
    InputError
        If a column is not found, or the edges do not make a connectome.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("pre,post,syn_count\n720575940621039145,720575940623636701,7\n")
    ...     file.flush()
    ...     wiring = read_edges(file.name)
    >>> wiring.source.item(), wiring.weight.item(), wiring.weight.attrs["units"]
    ('720575940621039145', 7, 'synapses')
    """
    with reading(path, "an edge list") as found:
        header, said = edge_columns.names(found, sep)
        wanted: dict[str, Column] = {SOURCE: source, TARGET: target, "weight": weight}
        if edge_type is None or edge_type in header:
            wanted["edge_type"] = edge_type
        place = edge_columns.places(header, wanted)
        further = [*keep, *said.get("extra", ()), *(name for name in _ALSO if name in header)]
        place |= {name: choose(name, list(map(str, header)), "column") for name in further}
        textual = [key for key in (SOURCE, TARGET, "edge_type") if key in place]
        columns = edge_columns.read(found, sep, header, place, textual=textual)
        if "edge_type" in columns:
            columns["edge_type"] = columns["edge_type"].map(lambda name: _TYPES.get(name.lower(), name))
        table = None if nodes is None else _node_table(nodes, sep, columns)
        return connectome.from_edges(
            columns,
            node=None if table is None else table.index.to_numpy(),
            directed=said.get("directed", 1) == 1 if directed is None else directed,
            units=_units(units, said, str(place.get("weight")), table),
            edge_type=edge_type if edge_type is not None and "edge_type" not in columns else "chemical",
            duplicates=duplicates,
            asymmetric=asymmetric,
            node_coords=table,
            attrs=said.get("attrs"),
        )


def _node_table(path: PathLike, sep: str | None, edges: Mapping[str, pd.Series[Any]]) -> pd.DataFrame:
    """A table of nodes, indexed by the column that names the ends of all edges."""
    with reading(path, "a table of nodes") as found:
        header, said = edge_columns.names(found, sep)
        if isinstance(header[0], int):
            raise FormatError(f"{found} needs a header that names its columns")
        key, index = _naming(found, sep, header, edges)
        if not index.is_unique:
            raise FormatError(
                f"{key or 'the first column'} names nodes more than once: {listed(index[index.duplicated()])}"
            )
        columns = edge_columns.read(found, sep, header, {str(n): n for n in header if n not in (key, "")}, textual=[])
        frame = pd.DataFrame({name: column.to_numpy() for name, column in columns.items()}, index=index)
        frame.attrs["units"] = said.get("units", {})
        return frame


def _naming(
    path: Path, sep: str | None, header: Sequence[str | int], edges: Mapping[str, pd.Series[Any]]
) -> tuple[str | int, pd.Index[Any]]:
    """The first column that names the ends of all edges, and the labels in it."""
    ends = set(edges[SOURCE].cat.categories) | set(edges[TARGET].cat.categories)
    called = {edge_columns.spelled(str(name)): name for name in reversed(header)}
    possible = list(dict.fromkeys([*(called[name] for name in _LABELS if name in called), header[0]]))
    for key in possible:
        try:
            labels = edge_columns.read(path, sep, header, {NODE: key}, textual=[NODE])[NODE]
        except FormatError:
            continue  # a name that some nodes lack cannot name them
        if ends <= set(labels.cat.categories):
            return key, pd.Index(labels.astype(object), name=NODE)
    raise FormatError(
        f"none of {listed(possible)} names all nodes of the edges, such as {listed(sorted(ends), 3)}; add the column"
    )


def _units(
    given: str | Mapping[str, str] | None, said: Mapping[str, Any], weight: str, table: pd.DataFrame | None
) -> dict[str, str]:
    found = {"weight": "synapses"} if edge_columns.spelled(weight) in _SYNAPSES else {}
    found |= {} if table is None else table.attrs["units"]
    found |= said.get("units", {})
    return found | ({"weight": given} if isinstance(given, str) else dict(given or {}))


def write_edges(wiring: xr.Dataset, path: PathLike, *, nodes: PathLike | None = None, overwrite: bool = False) -> Path:
    """Write the edges of a connectome as text or Parquet.

    Parameters
    ----------
    wiring : Dataset
        A valid connectome.
    path : path
        ``.csv``, ``.tsv`` (each also ``.gz``) or ``.parquet``. Parquet keeps units, attributes and whether the edges
        are directed; text cannot.
    nodes : path or None
        Also write the labels of all nodes with their coordinates: an edge list alone knows no node without edges.
    overwrite : bool
        Replace existing files.

    Returns
    -------
    Path
        The file of the edges.

    Raises
    ------
    SchemaError
        If `wiring` is not valid.
    InputError
        If the suffix is another one.
    StoreError
        If a file exists.

    See Also
    --------
    read_edges : The way back.
    """
    schema.validate(wiring, "connectome")
    for place in (path, nodes):
        if place is not None:
            destination(place, overwrite=overwrite)
    columns = {str(n): v.to_numpy() for n, v in wiring.variables.items() if v.dims == (EDGE,) and n != EDGE}
    known = ("source", "target", "weight", "edge_type")
    columns = {name: columns[name] for name in (*known, *(n for n in columns if n not in known))}
    unit = str(wiring["weight"].attrs["units"])
    said = {
        "directed": int(wiring.attrs["directed"]),
        "units": ({} if unit == schema.MIXED else {"weight": unit})
        | {name: schema.weight_unit(wiring, name) for name in schema.edge_types(wiring)[0]}
        | {n: str(wiring[n].attrs["units"]) for n in columns if n != "weight" and "units" in wiring[n].attrs},
        "extra": [name for name in columns if name not in known],
        "attrs": plain_attrs({k: v for k, v in wiring.attrs.items() if k != "directed"}),
    }
    if nodes is not None:
        about = {str(n): c for n, c in wiring.variables.items() if c.dims == (NODE,)}
        held = {"units": {n: str(c.attrs["units"]) for n, c in about.items() if "units" in c.attrs}}
        order = [NODE, *(n for n in about if n != NODE)]
        write_columns({n: about[n].to_numpy() for n in order}, nodes, held, overwrite=overwrite)
    return write_columns(columns, path, said, overwrite=overwrite)


def write_columns(
    columns: Mapping[str, NDArray[Any]], path: PathLike, said: Mapping[str, Any], *, overwrite: bool
) -> Path:
    """Columns of one length as text or Parquet, told by the suffix.

    Raises
    ------
    InputError
        If the suffix is another one.
    StoreError
        If the file exists.
    """
    separators = {".csv": ",", ".tsv": "\t"}
    if suffix(path) == ".parquet":
        with writing(path, overwrite=overwrite) as partial:
            columnar.write(partial, columns, said)
    elif suffix(path) in separators:
        with writing(path, overwrite=overwrite) as partial:
            columnar.write_text(partial, columns, separators[suffix(path)], compressed=is_compressed(path))
    else:
        raise InputError(
            f"a table must be called *.csv, *.tsv (or these with .gz) or *.parquet, got {Path(path).name!r}"
        )
    return Path(path)
