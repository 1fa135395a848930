"""Representations compared: a row for each, its score with an interval, and how far it is from the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.dynamic_graphs.score_tables import (
    FRACTION,
    PHENOTYPE,
    add_chance,
    chance_of,
    checked,
    level_told,
    metric_of,
    series_of,
)
from dynome.viz.palette import INK, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_what = "a comparison of representations"
_hint = "the table of inference.compare_representations"
_differences = ("difference", "difference_low", "difference_high", "difference_p_value")
_row = 0.34  # inches
_panel, _told, _gap = 2.6, 1.75, 0.3  # inches of a panel, of the words beside it and between panels


def plot_representations(table: xr.Dataset, *, fraction: float | None = None, ax: Axes | None = None) -> Axes:
    """Scores of several representations of the same animals as a forest plot.

    Parameters
    ----------
    table : Dataset
        As `inference.compare_representations` gives it: ``score``, ``score_low`` and ``score_high`` by representation
        and ``fraction``, and the paired ``difference`` of each to the one in ``attrs["against"]``. Several tables along
        a dim ``phenotype`` have a panel each. NaN is left out.
    fraction : float or None
        Share of the labels; None takes the largest.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of a panel for each variable, its ``child_axes``, with a row for each representation: the score with
        its 95 % interval, filled where it is above chance, q (or p) < 0.05; where there is no test, if the interval is.
        Dashed is chance; dotted and grey the one that others are compared with. The words at the right are the
        difference to it, with its 95 % interval and its p-value.

    Raises
    ------
    InputError
        If it is no such table, or has no such fraction.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> score = xr.DataArray([0.8, 0.7], {"representation": ["pretrained", "FC"]}, "representation")
    >>> table = xr.Dataset({"score": score, "score_low": score - 0.1, "score_high": score + 0.1})
    >>> ax = plot_representations(table, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.child_axes[0].get_yticklabels()]
    ['pretrained', 'FC']
    """
    data, model = checked(table, _what, _hint)
    data = _of_fraction(data, fraction)
    names, phenotypes = canvas.labels_of(data, model), canvas.labels_of(data, PHENOTYPE)
    n = len(phenotypes)
    width = 1.6 + max(n, 1) * (_panel + _gap + (_told if _differences[0] in data else 0.2))
    ax = canvas.axes_or_new(ax, (width, 1.3 + _row * max(len(names), 2)))
    if not np.isfinite(canvas.finite(data["score"])).any():
        return canvas.no_data(ax, "no data: there is no model, or every score is missing")
    rooms = _rooms(ax, n, words=_differences[0] in data)
    for k, room in enumerate(rooms):
        _draw(room, data, model, k)
        shown = [canvas.shortened(m, 30) for m in names] if room is rooms[0] else []
        room.set_yticks(range(len(shown)), shown)
        room.set_title(canvas.shortened(phenotypes[k].replace("_", " ")), fontsize=canvas.LABEL, loc="left", color=INK)
    if told := level_told(data):
        rooms[0].annotate(told, (0, 0), (0, -34), "axes fraction", "offset points", fontsize=canvas.NOTE, color=INK,
                          va="top", annotation_clip=False)  # fmt: skip
    return ax


def _of_fraction(data: xr.Dataset, fraction: float | None) -> xr.Dataset:
    known = canvas.finite(data[FRACTION]) if data[FRACTION].dtype.kind in "iuf" else np.ones(data.sizes[FRACTION])
    if fraction is None:
        return data.isel({FRACTION: [int(np.argmax(known))]} if known.size else {})
    near = np.flatnonzero(np.isclose(known, fraction))
    if not near.size:
        raise InputError(f"cannot draw {_what}: no fraction {fraction:g}, found {', '.join(f'{v:g}' for v in known)}")
    return data.isel({FRACTION: near[:1]})


def _rooms(ax: Axes, n: int, *, words: bool) -> list[Axes]:
    """A panel for each variable, with room for words at its right."""
    ax.set_axis_off()
    each = _panel + _gap + (_told if words else 0.2)
    whole = n * each
    return [ax.inset_axes((k * each / whole, 0, _panel / whole, 1)) for k in range(n)]


def _draw(ax: Axes, data: xr.Dataset, model: str, phenotype: int) -> None:
    found = series_of(data, model, phenotype)
    baseline = str(data.attrs.get("against", ""))
    for row, one in enumerate(found):
        value, low, high = float(one.value[0]), float(one.low[0]), float(one.high[0])
        color = MUTED if one.name == baseline else SERIES[0]
        ax.hlines(row, low, high, color=color, lw=2, zorder=2)
        face = color if one.sure[0] else "white"
        ax.plot([value], [row], "o", ms=6.5, color=color, mfc=face, mec=color if face == "white" else "white", mew=1.1,
                zorder=3)  # fmt: skip
        if one.name == baseline and np.isfinite(value):
            ax.axvline(value, color=MUTED, lw=0.9, ls=(0, (1, 2)), zorder=0)
        elif _differences[0] in data:
            ax.annotate(_words(data.isel({PHENOTYPE: phenotype, model: row, FRACTION: 0})), (1.03, row),
                        xycoords=("axes fraction", "data"), va="center", fontsize=canvas.NOTE, color=INK,
                        annotation_clip=False)  # fmt: skip
    add_chance(ax, chance_of(data, phenotype), upright=True)
    canvas.despine(ax, keep=("bottom",))
    ax.set_ylim(len(found) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.locator_params(axis="x", nbins=4)
    ax.set_xlabel(f"{metric_of(data, phenotype)} (dashed: chance)", fontsize=canvas.TICK)
    if _differences[0] in data:
        ax.annotate(f"less {canvas.shortened(baseline or 'the baseline', 22)}", (1.03, -0.75), annotation_clip=False,
                    xycoords=("axes fraction", "data"), va="bottom", fontsize=canvas.NOTE, color=MUTED)  # fmt: skip


def _words(cell: xr.Dataset) -> str:
    """A difference, its interval and its p-value; nothing where there is none."""
    value, low, high, p = (float(cell[name]) if name in cell else np.nan for name in _differences)
    if not np.isfinite(value):
        return ""
    span = f" [{low:+.2f}, {high:+.2f}]" if np.isfinite(low) else ""
    return f"{value:+.2f}{span}" + (f"  p = {p:.2g}" if np.isfinite(p) else "")
