"""GraphML: connectomes from and for graph editors, through networkx.

XML from outside can hold entities that expand without end or name other files. Nothing in GraphML needs a document
type, so one that has it is refused by the XML parser itself before networkx sees it.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from xml.parsers import expat

import xarray as xr

from dynome import connectome, schema
from dynome.datasets.formats.files import PathLike, is_compressed, reading, suffix, writing
from dynome.datasets.formats.json_values import plain
from dynome.errors import FormatError, InputError, listed
from dynome.schema import NODE

MAX_XML = 2**30  # bytes; the parsed tree takes some twenty times as much memory
_MAX_DEPTH = 64
_JSON = "json:"
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def read_graphml(
    path: PathLike,
    *,
    weight: str = "weight",
    units: str | Mapping[str, str] | None = None,
    edge_type: str = "chemical",
    duplicates: Literal["sum", "raise"] = "sum",
) -> xr.Dataset:
    """Read a connectome from a GraphML file.

    Parameters
    ----------
    path : path
        ``.graphml`` or ``.graphml.gz``. Node ids are the labels, kept as text.
    weight : str
        Edge attribute that holds the weight.
    units : str, mapping or None
        Unit of the weights, or units by attribute; None takes what `write_graphml` left in the file.
    edge_type, duplicates
        As in `dynome.connectome.from_networkx`.

    Returns
    -------
    Dataset
        A connectome; node attributes are coordinates, edge attributes columns.

    Raises
    ------
    StoreError
        If the file is missing.
    FormatError
        If it is no GraphML, too large, or declares a document type or entities.
    InputError
        If the graph does not make a connectome.

    Examples
    --------
    >>> import tempfile
    >>> wiring = connectome.from_edges({"source": ["ASHR"], "target": ["AVAL"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_graphml(write_graphml(wiring, f"{folder}/worm.graphml")).identical(wiring)
    True
    """
    import networkx as nx

    with reading(path, "GraphML") as found:
        opener = gzip.open if is_compressed(found) else open
        with opener(found, "rb") as stream:
            _check_xml(stream)
        with opener(found, "rb") as stream:
            graph = nx.read_graphml(stream, node_type=str)
        for *_, about in graph.edges(data=True):
            about.pop("id", None)  # the XML id, which networkx adds to parallel edges
        attrs = {k: json.loads(v[len(_JSON) :]) for k, v in graph.graph.items() if str(v).startswith(_JSON)}
        graph.graph = {k: v for k, v in graph.graph.items() if k not in ("node_default", "edge_default")} | attrs
        return connectome.from_networkx(graph, weight=weight, units=units, edge_type=edge_type, duplicates=duplicates)


def _check_xml(stream: Any) -> None:
    """Walk through the document once, in pieces, and refuse what could do harm."""
    parser = expat.ParserCreate()
    depth = 0

    def refuse(*_: object) -> None:
        raise FormatError(
            "the file declares a document type or entities, which GraphML does not need and which can be abused; "
            "remove the <!DOCTYPE ...> lines if you trust it"
        )

    def start(name: str, _: object) -> None:
        nonlocal depth
        if depth == 0 and name.rsplit(":", 1)[-1] != "graphml":
            raise FormatError(f"expected an XML file whose root is <graphml>, found <{name}>")
        depth += 1
        if depth > _MAX_DEPTH:
            raise FormatError(f"elements are nested more than {_MAX_DEPTH} deep, which no connectome needs")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = start, end
    size = 0
    while piece := stream.read(1 << 20):
        size += len(piece)
        if size > MAX_XML:
            raise FormatError(f"the file holds more than {MAX_XML >> 30} GiB of XML; use an edge list or a Zarr store")
        parser.Parse(piece, False)
    parser.Parse(b"", True)


def write_graphml(wiring: xr.Dataset, path: PathLike, *, overwrite: bool = False) -> Path:
    """Write a connectome as GraphML, with coordinates of nodes, columns of edges, units and attributes.

    Parameters
    ----------
    wiring : Dataset
        A valid connectome.
    path : path
        ``.graphml`` or ``.graphml.gz``.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SchemaError
        If `wiring` is not valid.
    InputError
        If the suffix is another one, or a label holds characters that XML cannot.
    StoreError
        If the file exists.

    See Also
    --------
    read_graphml : The way back, with an example.
    """
    import networkx as nx

    schema.validate(wiring, "connectome")
    if suffix(path) != ".graphml":
        raise InputError(f"a GraphML file must be called *.graphml or *.graphml.gz, got {Path(path).name!r}")
    if strange := [label for label in wiring[NODE].to_numpy().tolist() if _UNWRITABLE.search(label)]:
        raise InputError(
            f"labels hold control characters, which XML cannot: {listed(map(ascii, strange))}; rename them"
        )
    graph = connectome.to_networkx(wiring)
    for name, value in list(graph.graph.items()):
        value = plain(value)
        graph.graph[name] = _JSON + json.dumps(value) if isinstance(value, list) else value
    with writing(path, overwrite=overwrite) as partial:
        opener = gzip.open if is_compressed(path) else open
        with opener(partial, "wb") as stream:
            nx.write_graphml_xml(graph, stream)
    return Path(path)
