"""The connections that carry a forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.palette import MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_attribution(attribution: xr.DataArray, *, n_edges: int = 20, ax: Axes | None = None) -> Axes:
    """The connections without which forecasts change most.

    Parameters
    ----------
    attribution : (edge,)
        As `inference.edge_attribution` gives it, with the coordinates ``source`` and ``target``. NaN is left out.
    n_edges : int
        How many to draw at most, the strongest.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        One bar a connection, strongest at the top; above, what share of the sum of all squares they have.

    Raises
    ------
    InputError
        If the dims are others, the ends are missing, or `n_edges` is below 1.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ends = {"source": ("edge", ["AVAL", "ASHR"]), "target": ("edge", ["VA8", "AVAL"])}
    >>> ax = plot_attribution(xr.DataArray([0.1, 0.3], ends, "edge"), ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['ASHR → AVAL', 'AVAL → VA8']
    """
    array = canvas.require_dims(attribution, ("edge",), "an attribution", "see inference.edge_attribution")
    if missing := [name for name in ("source", "target") if name not in array.coords]:
        raise InputError(f"cannot draw an attribution: missing coordinates {missing} of edge")
    if n_edges < 1:
        raise InputError(f"n_edges must be at least 1, got {n_edges}")
    values = canvas.finite(array)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(-values[known], kind="stable")][:n_edges]
    ax = canvas.axes_or_new(ax, (4.8, 1.0 + 0.19 * max(order.size, 6)))
    if not order.size:
        return canvas.no_data(ax, "no data: there is no connection, or every value is missing")
    rows = np.arange(order.size)
    ax.barh(rows, values[order], height=0.72, color=SERIES[0], lw=0)
    ends = (array[end].to_numpy()[order] for end in ("source", "target"))
    names = [f"{canvas.shortened(str(s), 14)} → {canvas.shortened(str(t), 14)}" for s, t in zip(*ends, strict=True)]
    ax.set_yticks(rows, names)
    ax.set_ylim(order.size - 0.4, -0.6)
    total = float((values[known] ** 2).sum())
    share = f"{100 * float((values[order] ** 2).sum()) / total:.0f} %" if total else "none"
    ax.set_xlabel(canvas.quantity(array, "attribution"), fontsize=canvas.LABEL)
    told = f"{order.size:,} of {known.size:,} connections: {share} of the sum of squares"
    ax.set_title(told, fontsize=canvas.NOTE, color=MUTED, loc="left")
    canvas.despine(ax)
    ax.tick_params(axis="y", length=0, labelsize=canvas.NOTE)
    return ax
