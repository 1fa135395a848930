"""Delimited text: how a file is laid out, told from its first lines, and its columns without a changed digit."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dynome.datasets.formats.files import check_text, first_lines
from dynome.errors import FormatError

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".edgelist", ".1d")
MISSING = ("", "NA", "N/A", "n/a", "nan", "NaN", "NAN", "null", "None")
WHITESPACE = r"\s+"
MAX_COLUMNS = 50_000


class Layout(NamedTuple):
    """How a text table is laid out.

    Attributes
    ----------
    sep : str
        Separator, or the pattern of any white space.
    skip : int
        Lines before the table: empty ones and comments that begin with ``#``.
    first, second : list of str
        Cells of the first two lines of the table; `second` is empty where there is only one.
    """

    sep: str
    skip: int
    first: list[str]
    second: list[str]


def sniff(path: Path, sep: str | None = None) -> Layout:
    """The layout of a text table.

    Parameters
    ----------
    path : Path
        Text in UTF-8, may be gzip'ed.
    sep : str or None
        Separator; None takes the first of tab, semicolon or comma (the more frequent) and white space that there is.

    Raises
    ------
    FormatError
        If the file is empty, is not text, or is too large.
    """
    last = check_text(path)
    lines = first_lines(path, 1000)
    skip = next((k for k, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if skip is None:
        raise FormatError(f"{path} holds no table, only empty lines or comments")
    if sep is None:
        line = lines[skip]
        sep = "\t" if "\t" in line else max(";,", key=line.count)
        sep = sep if sep in line else WHITESPACE
    if (width := lines[skip].count(sep) if sep != WHITESPACE else len(lines[skip].split())) > MAX_COLUMNS:
        raise FormatError(f"{path} has {width:,} columns, at most {MAX_COLUMNS:,} are read; use .npy or .npz instead")
    below = [line for line in lines[skip + 1 : skip + 20] if line.strip()]
    layout = Layout(sep, skip, cells(lines[skip], sep), cells(below[0], sep) if below else [])
    if below and len(cells(last, sep)) < min(len(layout.first), len(layout.second)):
        raise FormatError(
            f"{path} ends in the middle of a line: {len(cells(last, sep))} cells where the first line has "
            f"{len(layout.first)}; it is incomplete, fetch or export it again"
        )
    return layout


def cells(line: str, sep: str) -> list[str]:
    """The cells of one line, without surrounding space.

    Examples
    --------
    >>> cells('a, "b,c" ,d', ","), cells(" 1  2", WHITESPACE)
    (['a', 'b,c', 'd'], ['1', '2'])
    """
    if sep == WHITESPACE:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=sep, skipinitialspace=True), [])]


def is_number(cell: str) -> bool:
    """Whether a cell holds a number (a missing value is none).

    Examples
    --------
    >>> is_number("-1.5e3"), is_number("nan"), is_number("AVAL"), is_number("1_0")
    (True, False, False, False)
    """
    try:
        return float(cell) == float(cell) and "_" not in cell
    except ValueError:
        return False


def read(path: Path, layout: Layout, *, text: Sequence[int], header: bool) -> pd.DataFrame:
    """The columns of a text table by their position.

    Parameters
    ----------
    path : Path
        The file.
    layout : Layout
        What `sniff` returned.
    text : list of int
        Columns that are labels: kept as they are written, nothing in them is a missing value or a number.
    header : bool
        Whether the first line is no row.

    Returns
    -------
    DataFrame
        Columns are positions in the first line. Where every row has a name before the first named column (as R writes
        it), that is column -1. Numbers are parsed; what is no number stays text.

    Raises
    ------
    FormatError
        If there are no rows, or a line has too many cells.
    """
    if header and not layout.second:
        raise FormatError(f"{path} has a header but no rows")
    # Every column is read: pandas drops surplus cells silently when it is asked for some columns only.
    width = len(layout.second) if header else len(layout.first)
    surplus = width - len(layout.first)
    if surplus not in (0, 1):
        raise FormatError(f"{path} has {len(layout.first)} columns in its first line, but {width} below; correct it")
    row_names = surplus == 1 and layout.second[-1] != ""  # an empty last cell is a separator at the end of the line
    columns = range(-1, width - 1) if row_names else range(width)
    missing: dict[Any, Sequence[str]] = {k: MISSING for k in columns if k not in text and k != -1}
    frame = pd.read_csv(
        path,
        sep=layout.sep,
        header=None,
        names=columns,
        index_col=False,
        skiprows=layout.skip + header,
        dtype=dict.fromkeys([*text, -1], str),
        keep_default_na=False,
        na_values=missing,
        skipinitialspace=True,
        encoding="utf-8-sig",
        low_memory=False,
    )
    return frame if row_names or not surplus else frame.iloc[:, :-1]


def numbers(frame: pd.DataFrame, names: Mapping[Any, Any]) -> pd.DataFrame:
    """A table all of whose columns are numbers.

    Raises
    ------
    FormatError
        With the first cells that are none.
    """
    if all(dtype.kind in "iuf" for dtype in frame.dtypes):
        return frame
    columns = {}
    for position in frame.columns:
        column = frame[position]
        columns[position] = column if column.dtype.kind in "biuf" else pd.to_numeric(column, errors="coerce")
        wrong = column[columns[position].isna() & column.notna()]
        if len(wrong):
            hint = "; decimals need a point, not a comma" if "," in str(wrong.iloc[0]) else ""
            raise FormatError(
                f"column {names.get(position, position)} must hold numbers, found {wrong.iloc[0]!r} in row "
                f"{int(wrong.index[0]) + 1} ({len(wrong)} such cells){hint}"
            )
    return pd.DataFrame(columns)
