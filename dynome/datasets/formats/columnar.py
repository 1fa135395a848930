"""Parquet tables: types are checked before anything is read, ids never pass through a float."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dynome import labels
from dynome.datasets.formats.files import check_shape
from dynome.datasets.formats.nodes import as_text
from dynome.errors import FormatError, listed

METADATA = b"dynome"
INDEX = "__index_level_0__"  # how pandas calls an index without a name in Parquet
EXACT = 2**53  # the integers below this are exact as float64


def names(path: Path) -> tuple[list[str], dict[str, Any]]:
    """Names of the columns, and what dynome wrote into the metadata of the file."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    raw = (schema.metadata or {}).get(METADATA)
    said = json.loads(raw) if raw else {}
    return list(schema.names), said if isinstance(said, dict) else {}


def is_text(path: Path, column: str) -> bool:
    """Whether a column of a Parquet file holds strings."""
    import pyarrow.parquet as pq

    return _kind(pq.read_schema(path).field(column).type) == "text"


def read(path: Path, columns: Sequence[str], *, text: Collection[str]) -> dict[str, pd.Series[Any]]:
    """Columns of a Parquet file.

    Parameters
    ----------
    path : Path
        The file.
    columns : list of str
        Which columns.
    text : collection of str
        Those that are labels: strings or integers become categories; floats only if no digit can be lost.

    Raises
    ------
    FormatError
        If a column is nested or of another type that is neither number nor string, or a label is missing.
    """
    import pyarrow.parquet as pq

    # Texts stay codes into a table: a few bytes can say one long text a million times.
    with pq.ParquetFile(path, read_dictionary=[n for n in columns if is_text(path, n)]) as file:
        check_shape((file.metadata.num_rows, max(1, len(columns))), 8, path.name)
        kinds = {name: _kind(file.schema_arrow.field(name).type) for name in columns}
        if strange := [f"{n} ({file.schema_arrow.field(n).type})" for n, kind in kinds.items() if not kind]:
            raise FormatError(
                f"expected columns of numbers or strings, found {listed(strange)}; leave them out or flatten"
            )
        table = file.read(columns=list(columns))
    return {name: _labels(name, table[name]) if name in text else _plain(table[name], kinds[name]) for name in columns}


def _kind(arrow_type: Any) -> str:
    import pyarrow.types as types

    if types.is_dictionary(arrow_type):
        return "text" if _kind(arrow_type.value_type) == "text" else ""
    if types.is_string(arrow_type) or types.is_large_string(arrow_type) or types.is_string_view(arrow_type):
        return "text"
    if types.is_integer(arrow_type):
        return "integer"
    return "number" if types.is_floating(arrow_type) or types.is_boolean(arrow_type) else ""


def _plain(column: Any, kind: str) -> pd.Series[Any]:
    import pyarrow as pa

    if kind == "integer" and column.null_count:
        # pandas would turn these into floats; integers above 2^53 would change.
        return pd.Series(column.to_pandas(types_mapper={column.type: pd.Int64Dtype()}.get))
    if pa.types.is_dictionary(column.type):
        longest = max((len(text or "") for chunk in column.chunks for text in chunk.dictionary.to_pylist()), default=0)
        check_shape((len(column),), longest, "a column of texts")
        column = column.cast(pa.string())
    return pd.Series(column.to_pandas())


def _labels(name: str, column: Any) -> pd.Series[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        raise FormatError(f"{column.null_count} of {len(column)} values of {name} are missing; drop these rows")
    if pa.types.is_floating(column.type):
        if not pc.all(pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), EXACT))).as_py():
            raise FormatError(f"{name} holds ids as {column.type}, which loses digits; export it as int64 or as text")
        column = pc.cast(column, pa.int64())
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    joined = column.unify_dictionaries().combine_chunks()
    chunk = joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined
    known = as_text(chunk.dictionary.cast(pa.string()).to_pylist())
    return category(name, np.asarray(chunk.indices), known)


def category(name: str, codes: NDArray[Any], known: NDArray[np.str_]) -> pd.Series[Any]:
    """Labels as categories, stripped of surrounding space, after a look at what they are.

    Raises
    ------
    FormatError
        If a label is missing, or all of them are floats that may have lost digits.
    """
    stripped = np.char.strip(known) if known.size else known
    if (codes < 0).any() or (stripped == "").any():
        empty = int((codes < 0).sum() + np.isin(codes, np.flatnonzero(stripped == "")).sum())
        raise FormatError(f"{empty} of {codes.size} values of {name} are missing; drop these rows")
    distinct, place = np.unique(_whole(name, stripped), return_inverse=True)
    return pd.Series(pd.Categorical.from_codes(place[codes], pd.Index(distinct)))


def _whole(name: str, known: NDArray[np.str_]) -> NDArray[np.str_]:
    """Ids such as ``"12.0"`` without the point; larger ones have lost digits."""
    numbers = pd.to_numeric(pd.Series(known.astype(object)), errors="coerce").to_numpy(
        dtype=np.float64, na_value=np.nan
    )
    pointed = np.array([not label.lstrip("+-").isdigit() for label in known], dtype=bool)
    if not known.size or np.isnan(numbers).any() or not pointed.any():
        return known
    if (numbers[pointed] % 1 != 0).any() or (np.abs(numbers[pointed]) >= EXACT).any():
        raise FormatError(
            f"{name} holds ids as floating-point numbers, e.g. {known[pointed][0]!r}: digits are lost; "
            "export it as int64 or as text"
        )
    return np.where(pointed, np.array([str(int(v)) for v in numbers]), known)


def write(path: Path, columns: Mapping[str, NDArray[Any]], said: Mapping[str, Any]) -> None:
    """Columns as a Parquet file; strings are dictionary-encoded, so that millions of labels stay small."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: encoded(values) for name, values in columns.items()})
    pq.write_table(table.replace_schema_metadata({METADATA: json.dumps(said)}), path, compression="zstd")


def encoded(values: NDArray[Any]) -> Any:
    """A numpy column for Arrow."""
    import pyarrow as pa

    if values.dtype.kind not in "UTO" or not values.size:
        return pa.array(values.astype(object) if values.dtype.kind in "UTO" else values)
    codes, known = labels.factorize(values)
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(known.astype(object), pa.string()))


def write_text(path: Path, columns: Mapping[str, NDArray[Any]], sep: str, *, compressed: bool) -> None:
    """Columns as delimited text with a header; floats keep every digit."""
    import pyarrow as pa
    from pyarrow import csv

    table = pa.table({name: encoded(values) for name, values in columns.items()})
    plain = [pa.string() if pa.types.is_dictionary(f.type) else f.type for f in table.schema]
    table = table.cast(pa.schema(list(zip(table.schema.names, plain, strict=True))))
    options = csv.WriteOptions(delimiter=sep, quoting_style="needed")
    with pa.output_stream(str(path), compression="gzip" if compressed else None) as stream:
        csv.write_csv(table, stream, options)
