"""A report: one HTML file with figures, numbers and tables that opens anywhere and loads nothing from elsewhere.

A report is a list of `Section`; each holds text, `Number` tiles, `Figure` and `Table` objects. `write_report` draws
them into a single file without scripts: every text is escaped, every figure is inside the file, and a policy in the
file forbids the browser to fetch anything.
"""

from __future__ import annotations

import base64
import io
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from dynome import environment, pages
from dynome._version import __version__
from dynome.errors import InputError, Problems

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MAX_ROWS = 200

_dpi = 192  # twice the 96 dots per inch of a web page
_max_vector = 250_000  # bytes; a larger drawing is smaller as pixels


@dataclass(frozen=True)
class Figure:
    """A figure of a report.

    Parameters
    ----------
    axes : Axes or matplotlib Figure
        What a ``plot_*`` function returned; the whole figure that it belongs to is drawn.
    caption : str
        What it shows and how to read it.
    alt : str
        What a reader who cannot see it should know; the caption if empty.
    kind : {"auto", "png", "svg"}
        How it is kept. "auto" takes pixels for heat maps and crowded drawings, else vectors.
    """

    axes: Axes | Canvas
    caption: str
    alt: str = ""
    kind: Literal["auto", "png", "svg"] = "auto"

    def __post_init__(self) -> None:
        axes: object = self.axes
        if not (hasattr(axes, "get_figure") or hasattr(axes, "savefig")):
            raise InputError(f"axes must be Axes or a matplotlib Figure, found {type(axes).__name__}")
        if self.kind not in ("auto", "png", "svg"):
            raise InputError(f"kind must be auto, png or svg, got {self.kind!r}")


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Parameters
    ----------
    frame : DataFrame
        Its index is the first column, unless it is a plain count. Numbers are shown with four significant digits.
    caption : str
        What it shows.
    """

    frame: pd.DataFrame
    caption: str

    def __post_init__(self) -> None:
        frame: object = self.frame
        if not isinstance(frame, pd.DataFrame):
            raise InputError(f"frame must be a pandas DataFrame, found {type(frame).__name__}")


@dataclass(frozen=True)
class Number:
    """A key number of a report.

    Parameters
    ----------
    label : str
        What is counted or measured.
    value : str, int or float
        Floats are shown with three significant digits.
    note : str
        Unit or remark, in small print.
    """

    label: str
    value: str | int | float
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Attributes
    ----------
    title : str
        What it is about.
    text : str
        An empty line begins a new paragraph.
    numbers, figures, tables : sequence
        What is shown below the text, in this order.
    """

    title: str
    text: str = ""
    numbers: Sequence[Number] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()


def write_report(
    sections: Sequence[Section],
    path: str | os.PathLike[str],
    *,
    title: str,
    summary: str = "",
    numbers: Sequence[Number] = (),
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write a report as one self-contained HTML file.

    Parameters
    ----------
    sections : list of Section
        In reading order.
    path : path
        The file, by custom ``*.html``; an earlier report is replaced. Its folder must exist.
    title : str
        Heading of the report.
    summary : str
        What was found, in a few sentences, above everything else.
    numbers : list of Number
        Key numbers under the summary.
    provenance : mapping or None
        What a reader needs to repeat the work: data source, parameters, seeds, duration. A value may be a mapping
        itself. Versions of the software and the time of writing are added.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If there is no section, or a part is not what it should be; nothing is written then.
    StoreError
        If the folder does not exist, or the file cannot be written.

    Notes
    -----
    The file is written beside its final name and then renamed, so that a crash leaves no half of a report. Figures that
    pyplot keeps open are closed once they are drawn.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> worms = Section("Worms", "Four worms moved.")
    >>> path = write_report([worms], folder.name + "/report.html", title="A <first> look")
    >>> "<h1>A &lt;first&gt; look</h1>" in path.read_text(encoding="utf-8")
    True
    >>> folder.cleanup()
    """
    _check(sections, numbers, title)
    final = pages.destination(path)
    page = pages.rendered(
        "report.html.j2",
        title=title,
        summary=_paragraphs(summary),
        numbers=[_tile(n) for n in numbers],
        sections=[_drawn(section, k) for k, section in enumerate(sections, 1)],
        provenance=_provenance(provenance or {}),
    )
    pages.write_page(page, final)
    return final


def _check(sections: Sequence[Section], numbers: Sequence[Number], title: str) -> None:
    problems = Problems("cannot write the report")
    if not title.strip():
        problems.add("expected a title, found an empty one")
    if not sections:
        problems.add("expected at least one section, found none")
    _check_parts(numbers, Number, "numbers", problems)
    _check_parts(sections, Section, "sections", problems)
    problems.raise_if_any(InputError)
    for section in sections:
        _check_parts(section.numbers, Number, f"numbers of {section.title!r}", problems)
        _check_parts(section.figures, Figure, f"figures of {section.title!r}", problems)
        _check_parts(section.tables, Table, f"tables of {section.title!r}", problems)
    problems.raise_if_any(InputError)


def _check_parts(parts: Sequence[object], kind: type, where: str, problems: Problems) -> None:
    for part in parts:
        if not isinstance(part, kind):
            problems.add(f"{where} must be report.{kind.__name__} objects, found {type(part).__name__}")


def _drawn(section: Section, number: int) -> dict[str, Any]:
    return {
        "id": f"section-{number}",
        "title": section.title,
        "paragraphs": _paragraphs(section.text),
        "numbers": [_tile(n) for n in section.numbers],
        "figures": [_image(f) for f in section.figures],
        "tables": [_cells(t) for t in section.tables],
    }


def _paragraphs(text: str) -> list[str]:
    return [" ".join(p.split()) for p in text.split("\n\n") if p.strip()]


def _tile(number: Number) -> dict[str, str]:
    return {"label": number.label, "value": shown(number.value, digits=3), "note": number.note}


def shown(value: object, digits: int = 4) -> str:
    """A value as a reader wants to see it.

    Parameters
    ----------
    value : object
        A number, a label or nothing.
    digits : int
        Significant digits of a fraction.

    Examples
    --------
    >>> shown(1234567), shown(0.123456), shown(float("nan")), shown("AVAL"), shown(3.0), shown(2.5e-9)
    ('1,234,567', '0.1235', '–', 'AVAL', '3', '2.5e-09')
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return "–" if np.isnan(value) else "∞" if value > 0 else "−∞"
        text = f"{value:,.0f}" if 1000 <= np.abs(value) < 1e15 else f"{value:.{digits}g}"
        return text.replace("-", "−") if "e" not in text else text
    return "–" if value is None or value is pd.NA or value is pd.NaT else str(value)


class Image(NamedTuple):
    """A figure inside the file.

    Attributes
    ----------
    source : str
        The picture itself, as a data address.
    caption : str
        What stands below it.
    alt : str
        What it shows, for those who cannot see it.
    width : int
        Pixels of the screen.
    """

    source: str
    caption: str
    alt: str
    width: int


def _image(figure: Figure) -> Image:
    from matplotlib import pyplot as plt

    canvas: Any = figure.axes.get_figure(root=True) if hasattr(figure.axes, "get_figure") else figure.axes
    canvas.draw_without_rendering()  # settles the layout
    kind, data = _encoded(canvas, figure.kind)
    plt.close(canvas)
    mime = "image/svg+xml" if kind == "svg" else "image/png"
    source = f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
    return Image(source, figure.caption, figure.alt or figure.caption, round(96 * canvas.get_size_inches()[0]))


def _encoded(canvas: Canvas, kind: str) -> tuple[str, bytes]:
    """Vectors where they are small, else pixels."""
    if kind == "svg" or (kind == "auto" and not _has_pixels(canvas)):
        data = _saved(canvas, "svg")
        if kind == "svg" or len(data) <= _max_vector:
            return "svg", data
    return "png", _saved(canvas, "png")


def _has_pixels(canvas: Canvas) -> bool:
    return bool(canvas.findobj(lambda artist: bool(artist.get_rasterized()) or hasattr(artist, "get_interpolation")))


def _saved(canvas: Canvas, kind: str) -> bytes:
    from matplotlib import rc_context

    dateless: dict[str, Any] = {"metadata": {"Date": None}} if kind == "svg" else {}
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "dynome", "svg.fonttype": "path"}):
        canvas.savefig(buffer, format=kind, dpi=_dpi, facecolor="white", **dateless)
    return buffer.getvalue()


def _cells(table: Table) -> dict[str, Any]:
    frame = table.frame
    if not (isinstance(frame.index, pd.RangeIndex) and frame.index.name is None):
        frame = frame.reset_index(allow_duplicates=True)
    numeric = [pd.api.types.is_numeric_dtype(t) and not pd.api.types.is_bool_dtype(t) for t in frame.dtypes]
    head = frame.head(MAX_ROWS)
    return {
        "caption": table.caption,
        "columns": list(zip([str(c) for c in frame.columns], numeric, strict=True)),
        "rows": [[shown(v) for v in row] for row in head.itertuples(index=False, name=None)],
        "left_out": len(frame) - len(head),
    }


def _provenance(given: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of name and value: what the caller gave, then the software."""
    plain = [(str(k), _value(v)) for k, v in given.items() if not isinstance(v, Mapping)]
    groups = [(str(k), [(str(n), _value(v)) for n, v in m.items()]) for k, m in given.items() if isinstance(m, Mapping)]
    machine = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    software = [("dynome", __version__), ("python", machine), *environment.versions().items()]
    written = ("written", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    return [("run", [*plain, written]), *groups, ("software", software)]


def _value(value: object) -> str:
    return ", ".join(map(shown, value)) if isinstance(value, list | tuple) else shown(value)
