"""Numbers of every session as dots, animal by animal, with those that stand out marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, listed
from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, POSITIVE, SERIES
from dynome.viz.panels import panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_what = "a summary of sessions"
_most = 12
_columns = 3
_named = 4  # outliers whose names are written


def plot_session_summary(
    summary: xr.Dataset, quantities: Sequence[str] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Each quantity of each session, in columns of animals; outliers have a ring and a name.

    Parameters
    ----------
    summary : Dataset
        As `batch.summarize` gives it: ``value (session, quantity)``, and ``outlier`` where it is there. NaN is left
        out.
    quantities : list of str or None
        Which, in this order; None takes those that vary, 12 at most, those with outliers first.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of a panel for each quantity, its ``child_axes``. Short lines are means of animals, the dashed line is
        the median of all sessions.

    Raises
    ------
    InputError
        If it is no such summary, or has no such quantity.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> value = xr.DataArray([[1.0], [2.0]], {"session": ["a/1", "b/1"], "quantity": ["fit"]}, ("session", "quantity"))
    >>> ax = plot_session_summary(xr.Dataset({"value": value}), ax=Figure().subplots())
    >>> [panel.get_title(loc="left") for panel in ax.child_axes]
    ['fit']
    """
    canvas.require_variables(summary, ["value"], _what)
    if {*summary["value"].dims} != {"session", "quantity"}:
        raise InputError(f"cannot draw {_what}: expected value (session, quantity), found {summary['value'].dims}")
    data = summary.transpose("session", "quantity", ...)
    values = canvas.finite(data["value"])
    outlier = data["outlier"].to_numpy().astype(bool) if "outlier" in data else np.zeros(values.shape, dtype=bool)
    shown, told = _chosen(data, values, outlier, quantities)
    sessions = canvas.labels_of(data, "session")
    animals = canvas.labels_of(data, "animal") if "animal" in data.coords else [s.split("/")[0] for s in sessions]
    names, place = np.unique(np.array(animals, dtype=np.str_), return_inverse=True)
    across = min(max(len(shown), 1), _columns)
    width = min(max(2.0, 0.5 + 0.22 * names.size), 6.0)
    ax = canvas.axes_or_new(ax, (0.6 + across * (width + 0.5), 0.9 + 1.9 * -(-max(len(shown), 1) // across)))
    if not len(shown):
        return canvas.no_data(ax, "no data: there are no sessions, or no number is known")
    rooms = panel_grid(ax, len(shown), across, gap=(0.55, 0.75))
    for room, k in zip(rooms, shown, strict=True):
        _draw(room, values[:, k], place, outlier[:, k], sessions)
        room.set_title(canvas.shortened(canvas.labels_of(data, "quantity")[k].replace("_", " "), 34),
                       fontsize=canvas.LABEL, loc="left", color=INK)  # fmt: skip
        _name(room, names.tolist())
    if told:
        rooms[0].annotate(told, (0, 1), (0, 22), "axes fraction", "offset points", fontsize=canvas.NOTE, color=MUTED,
                          annotation_clip=False)  # fmt: skip
    return ax


def _chosen(
    data: xr.Dataset, values: Floats, outlier: NDArray[np.bool_], quantities: Sequence[str] | None
) -> tuple[list[int], str]:
    """Columns to draw, and what is to be said of the others."""
    known = canvas.labels_of(data, "quantity")
    if quantities is not None:
        if unknown := [q for q in quantities if q not in known]:
            raise InputError(f"cannot draw {_what}: no quantity {listed(unknown)}, there are {listed(known, 20)}")
        return [known.index(q) for q in quantities if np.isfinite(values[:, known.index(q)]).any()], ""
    finite = [k for k in range(values.shape[1]) if np.isfinite(values[:, k]).any()]
    varying = [k for k in finite if np.nanmax(values[:, k]) > np.nanmin(values[:, k])] or finite
    first = sorted(varying, key=lambda k: -int(outlier[:, k].any()))[:_most]
    return first, f"{len(first)} of {len(known)} quantities" if len(first) < len(varying) else ""


def _draw(
    room: Axes, values: Floats, place: NDArray[np.int64], outlier: NDArray[np.bool_], sessions: list[str]
) -> None:
    x = place + _spread(values, place)
    known = np.isfinite(values)
    room.axhline(float(np.median(values[known])), color=MUTED, lw=0.8, ls=(0, (4, 3)), zorder=0)
    for k in np.unique(place[known]):
        mean = float(values[known & (place == k)].mean())
        room.hlines(mean, k - 0.32, k + 0.32, color=INK, lw=1.2, zorder=1)
    room.plot(x[known], values[known], "o", ms=4.5, color=SERIES[0], mec="white", mew=0.5, zorder=2)
    marked = np.flatnonzero(known & outlier)
    room.plot(x[marked], values[marked], "o", ms=9, mfc="none", mec=POSITIVE, mew=1.4, zorder=3)
    strongest = marked[np.argsort(-np.abs(values[marked] - np.median(values[known])), kind="stable")][:_named]
    middle = place.max(initial=0) / 2
    for s in strongest:
        left = x[s] > middle
        room.annotate(canvas.shortened(sessions[s], 18), (x[s], values[s]), (-7 if left else 7, 0), "data",
                      "offset points", fontsize=canvas.NOTE, color=POSITIVE, va="center",
                      ha="right" if left else "left")  # fmt: skip


def _spread(values: Floats, place: NDArray[np.int64]) -> Floats:
    """Sessions of an animal side by side, in their order."""
    shift = np.zeros(values.size)
    for k in np.unique(place):
        own = np.flatnonzero(place == k)
        shift[own] = np.linspace(-0.22, 0.22, own.size) if own.size > 1 else 0.0
    return shift


def _name(room: Axes, animals: list[str]) -> None:
    canvas.despine(room)
    room.set_xlim(-0.6, len(animals) - 0.4)
    room.locator_params(axis="y", nbins=5)
    room.margins(y=0.12)
    if len(animals) > 24:
        room.set_xticks([])
        room.set_xlabel(f"{len(animals)} animals", fontsize=canvas.TICK)
        return
    turned = max(map(len, animals)) * len(animals) > 24
    room.set_xticks(range(len(animals)), [canvas.shortened(a, 12) for a in animals], rotation=90 if turned else 0,
                    fontsize=canvas.NOTE)  # fmt: skip
    room.tick_params(axis="x", length=0, labelsize=canvas.NOTE)
