"""Files of traces as numbers with whatever labels and clock they hold, before it is known which axis is time.

The first line and the first column are told apart by what they hold: labels, a clock, an index, or already numbers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dynome.datasets.formats import arrays, columnar, nodes, roles, tables
from dynome.datasets.formats.files import suffix
from dynome.datasets.formats.roles import Asked
from dynome.errors import FormatError, InputError, listed
from dynome.schema import NODE, TIME

SUFFIXES = (*tables.TEXT_SUFFIXES, *arrays.SUFFIXES, ".parquet")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_LABELS = (NODE, "nodes", "label", "labels", "name", "names", "region", "regions")


class Traces(NamedTuple):
    """What a file holds, before it is known which axis is time.

    Attributes
    ----------
    values : (row, column)
        Numbers.
    rows, columns : list of str or None
        Labels of the rows and of the columns.
    clock : (row,) or None
        Stamps of the rows in seconds.
    said : str
        Where the clock stands, as a message about it begins.
    covariates : mapping or None
        What lies beside the traces: name to (values, unit).
    """

    values: NDArray[Any]
    rows: list[str] | None = None
    columns: list[str] | None = None
    clock: NDArray[np.float64] | None = None
    said: str = "the file"
    covariates: dict[str, tuple[NDArray[Any], str]] | None = None


def read(path: Path, array: str | None, sep: str | None, asked: Asked) -> Traces:
    """The content of a file.

    Parameters
    ----------
    path : Path
        Text, Parquet, ``.npy`` or ``.npz``.
    array : str or None
        Which array of an ``.npz``.
    sep : str or None
        Separator of text; None tells it from the first line.
    asked : Asked
        What the caller says of the columns.

    Raises
    ------
    FormatError
        If it is not a table of numbers.
    InputError
        If there is no such array or column, or it is not clear what a column is.
    """
    if suffix(path) in arrays.SUFFIXES:
        return _from_numpy(path, array, asked)
    return _from_parquet(path, asked) if suffix(path) == ".parquet" else _from_text(path, sep, asked)


def _from_numpy(path: Path, array: str | None, asked: Asked) -> Traces:
    if asked.covariates or asked.drop or asked.time not in (None, TIME):
        raise InputError("NumPy files have no columns with names; leave time, covariates and drop out")
    held = arrays.read_arrays(path)
    names = next((held.pop(name).tolist() for name in _LABELS if name in held), None)
    clock = roles.in_seconds(held.pop(TIME), TIME, asked.time_units) if TIME in held and array != TIME else None
    flat = {name: v for name, v in held.items() if v.ndim == 2} or {n: v for n, v in held.items() if v.ndim == 1}
    if array is None and len(flat) != 1:
        found = listed([f"{name} {v.shape}" for name, v in held.items()], 20) or "no array"
        raise FormatError(f"expected one array (time, node), found {found}; choose one with array=")
    values = held[nodes.choose(array, list(held), "array")] if array is not None else next(iter(flat.values()))
    if values.ndim not in (1, 2):
        raise FormatError(f"expected an array of two dimensions, found shape {values.shape}; take one session of it")
    values = values[:, None] if values.ndim == 1 else values
    if clock is not None and clock.shape != values.shape[:1]:
        raise FormatError(f"time has shape {clock.shape}, the traces {values.shape}; expected one stamp a row")
    if names is None:
        return Traces(values, clock=clock)
    labels = [str(name) for name in names]
    if len(labels) not in values.shape:
        raise FormatError(f"there are {len(labels)} labels, but the traces have shape {values.shape}")
    on_rows = labels if values.shape[0] == len(labels) and clock is None else None
    return Traces(values, on_rows, labels if values.shape[1] == len(labels) else None, clock)


def _from_text(path: Path, sep: str | None, asked: Asked) -> Traces:
    layout = tables.sniff(path, sep)
    numeric = [tables.is_number(cell) or cell in tables.MISSING for cell in layout.first]
    first_is_text = bool(layout.second) and not (
        tables.is_number(layout.second[0]) or layout.second[0] in tables.MISSING
    )
    counted = layout.first == [str(k) for k in range(len(layout.first))] and len(layout.first) > 2
    header = counted or not all(numeric) or layout.first[0] == ""
    if header and len(numeric) > 1 and all(numeric[1:]) and first_is_text and layout.first[0] != "":
        header = False  # rows begin with a label, the first one too
    frame = tables.read(path, layout, text=[0] if first_is_text else [], header=header)
    names = dict(enumerate(layout.first)) if header else {}
    rows = None
    if -1 in frame or first_is_text:
        rows = [str(cell) for cell in frame.pop(-1 if -1 in frame else 0)]  # type: ignore[arg-type]
        if all(_DECIMAL_COMMA.fullmatch(cell) for cell in rows):
            raise FormatError(
                f"{path} begins its rows with numbers such as {rows[0]!r}; decimals need a point, not a comma"
            )
    return _traces(frame, rows, names, asked)


def _from_parquet(path: Path, asked: Asked) -> Traces:
    header = [name for name in columnar.names(path)[0] if name != columnar.INDEX]
    textual = [name for name in header if columnar.is_text(path, name)]
    if textual not in ([], header[:1]):
        raise FormatError(f"expected columns of numbers, found text in {listed(textual)}")
    held = columnar.read(path, header, text=textual)
    frame = pd.DataFrame({k: held[name].to_numpy() for k, name in enumerate(header)})
    rows = [str(cell) for cell in frame.pop(0)] if textual else None  # type: ignore[arg-type]
    return _traces(frame, rows, dict(enumerate(header)), asked)


def _traces(frame: pd.DataFrame, rows: list[str] | None, names: dict[int, str], asked: Asked) -> Traces:
    rows = None if names.get(0) in asked.drop else rows
    found = roles.take(frame, names, asked)
    held = tables.numbers(frame, names)
    if flags := [
        str(names.get(int(k), k)) for k, dtype in zip(held.columns, held.dtypes, strict=True) if dtype.kind == "b"
    ]:
        raise FormatError(
            f"every column is a node unless you say otherwise, and {listed(flags)} hold True and False; keep them "
            f'beside the traces with covariates={{"{flags[0]}": "1"}}, or leave them out with drop={flags[:1]}'
        )
    if rows is None:
        roles.refuse_counting(held, names)
    columns = [names[int(k)] for k in held.columns] if names else None
    if columns == [str(k) for k in range(len(held.columns))]:
        columns = None  # pandas numbers columns that have no names
    return Traces(held.to_numpy(), rows, columns, found.clock, found.said, found.covariates)
