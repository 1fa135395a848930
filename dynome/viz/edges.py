"""Edges with intervals: the most certain couplings of a model, in every state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import norm

from dynome.errors import InputError, listed
from dynome.permutation import q_value
from dynome.viz import canvas
from dynome.viz.palette import MISSING, MUTED, NEGATIVE, POSITIVE
from dynome.viz.panels import panel_grid
from dynome.viz.states import STATE, by_state, edge_title, state_colors, state_title, states_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_what = "edges"
_dims = ("target", "source")
_needed = ("source", "target", "estimate", "low", "high", "z", "q_value")
_interval = 1.959964  # standard errors on each side: 95 %
_longest = 20  # letters of a node
_significant = 0.05
_of_prior = ("prior_precision", "edge_class_probability")


def plot_edges(edges: xr.Dataset | pd.DataFrame, *, n: int = 30, ax: Axes | None = None) -> Axes:
    """The most certain edges between different nodes: estimate and interval in every state.

    Parameters
    ----------
    edges : Dataset or table
        ``results_`` of a model, with ``coupling`` and ``standard_error (state, target, source)``, or the table that
        `inference.edge_table` makes of them. Edges without an error are left out.
    n : int
        How many edges: those with the largest ``|z|`` in any state.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of the panels, which are its ``child_axes``, one for each state on one common scale. Rows are edges,
        source → target, from the most excitatory to the most inhibitory on average over states. A line is the interval
        of the table (95 % for a Dataset, from the Wald errors). Filled: false discovery rate q < 0.05 over all edges
        and states, red above zero and blue below; open and grey: not significant. Of a model with a prior (``results_``
        with ``prior_precision`` or ``edge_class_probability``) errors are those of the posterior, as the label says.

    Raises
    ------
    InputError
        If variables or columns are missing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ends = {"target": ["a", "b"], "source": ["a", "b"]}
    >>> coupling = xr.DataArray([[0.0, 2.0], [0.1, 0.0]], coords=ends, dims=("target", "source"))
    >>> results = xr.Dataset({"coupling": coupling, "standard_error": xr.full_like(coupling, 0.5)})
    >>> host = plot_edges(results, ax=Figure().subplots())
    >>> [label.get_text() for label in host.child_axes[0].get_yticklabels()]
    ['b → a', 'a → b']
    """
    table = _table(edges)
    table = table[table["source"] != table["target"]]
    if table.empty or n < 1:
        return canvas.no_data(canvas.axes_or_new(ax, (5.0, 2.5)), "no data: there is no edge with an error")
    rows = _rows(table, n)
    labels = list(dict.fromkeys(table[STATE].tolist()))
    width = 1.9 if len(labels) <= 4 else 1.15
    ax = canvas.axes_or_new(
        ax, (0.7 + 0.06 * max(map(len, rows.values())) + width * len(labels), 1.1 + 0.19 * max(len(rows), 4))
    )
    rooms = panel_grid(ax, len(labels), len(labels), gap=(0.12, 0))
    shown = table[table["pair"].isin(rows)]
    reach = (min(float(shown["low"].min()), 0.0), max(float(shown["high"].max()), 0.0))
    for k, (room, label, color) in enumerate(zip(rooms, labels, state_colors(labels), strict=True)):
        _draw(room, shown[shown[STATE] == label], rows)
        room.set_title(state_title(label), loc="left", fontsize=canvas.TICK, color=color, fontweight="bold")
        room.set_xlim(reach[0] - 0.05 * (reach[1] - reach[0]), reach[1] + 0.05 * (reach[1] - reach[0]))
        if k:
            room.set_yticks([])
        room.locator_params(axis="x", nbins=4 if width > 1.5 else 3)
    size = float(np.clip(0.85 * _row_points(ax, len(rows)), 3, 8.5))
    rooms[0].set_yticks(range(len(rows)), list(rows.values()), fontsize=size)
    said = canvas.quantity(edges["coupling"], "coupling") if isinstance(edges, xr.Dataset) else "coupling"
    rooms[len(rooms) // 2].set_xlabel(
        f"{said}\nfilled: q < {_significant:g}{_about_prior(edges)}", fontsize=canvas.TICK
    )
    return ax


def _about_prior(edges: xr.Dataset | pd.DataFrame) -> str:
    """Under a prior couplings shrink and errors are those of the posterior: not a frequentist rate."""
    known = isinstance(edges, xr.Dataset) and any(name in edges for name in _of_prior)
    return "\n(posterior errors, with the prior)" if known else ""


def _table(edges: object) -> pd.DataFrame:
    """One row an edge and state, with a column ``pair`` that names the edge."""
    if isinstance(edges, pd.DataFrame):
        if missing := [c for c in _needed if c not in edges]:
            raise InputError(f"cannot draw edges: the table lacks {listed(missing)}; make it with edge_table")
        table = edges if STATE in edges else edges.assign(**{STATE: ""})
    else:
        canvas.require_variables(edges, ["coupling", "standard_error"], f"{_what} (a table will do as well)")
        table = _of_results(edges)  # type: ignore[arg-type]
    known: pd.DataFrame = table[np.isfinite(table["low"]) & np.isfinite(table["high"]) & np.isfinite(table["estimate"])]
    pair = [f"{s}\0{t}" for s, t in zip(known["source"], known["target"], strict=True)]
    return known.assign(pair=pair)


def _of_results(results: xr.Dataset) -> pd.DataFrame:
    coupling = by_state(results, "coupling", _dims, _what)
    estimate = canvas.finite(coupling)
    error = canvas.finite(by_state(results, "standard_error", _dims, _what))
    there = np.isfinite(estimate) & np.isfinite(error) & (error > 0)
    state, target, source = np.nonzero(there)
    names = {dim: np.array(canvas.labels_of(coupling, dim), dtype=object) for dim in _dims}
    value, spread = estimate[there], error[there]
    z = value / spread
    labels = states_of(coupling)
    return pd.DataFrame(
        {
            STATE: [labels[k] for k in state],
            "source": names["source"][source],
            "target": names["target"][target],
            "estimate": value,
            "low": value - _interval * spread,
            "high": value + _interval * spread,
            "z": z,
            "q_value": q_value(2 * norm.sf(np.abs(z))) if z.size else z,
        }
    )


def _rows(table: pd.DataFrame, n: int) -> dict[str, str]:
    """The edges to draw, most excitatory first, and their names."""
    certain = table["z"].abs().groupby(table["pair"], sort=False).max().nlargest(n).index
    mean = table[table["pair"].isin(certain)].groupby("pair", sort=False)["estimate"].mean()
    found = mean.sort_values(ascending=False, kind="stable").index
    ends = [pair.split("\0") for pair in found]
    return {pair: edge_title(source, target, _longest) for pair, (source, target) in zip(found, ends, strict=True)}


def _draw(ax: Axes, table: pd.DataFrame, rows: dict[str, str]) -> None:
    """Estimates and intervals of one state."""
    place = {pair: k for k, pair in enumerate(rows)}
    ax.axvline(0, color=MUTED, lw=0.7, zorder=0)
    y = table["pair"].map(place).to_numpy()
    estimate = table["estimate"].to_numpy()
    sure = table["q_value"].to_numpy() < _significant
    colors = np.where(sure, np.where(estimate > 0, POSITIVE, NEGATIVE), MISSING).tolist()
    size = float(np.clip(0.35 * _row_points(ax, len(rows)), 1.5, 4.5)) ** 2
    ax.hlines(y, table["low"].to_numpy(), table["high"].to_numpy(), color=colors, lw=1.2, zorder=2)
    fill = [color if s else "white" for color, s in zip(colors, sure, strict=True)]
    ax.scatter(estimate, y, s=size, c=fill, edgecolors=colors, linewidths=0.9, zorder=3)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    canvas.despine(ax, keep=("bottom",))
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=canvas.NOTE)


def _row_points(ax: Axes, count: int) -> float:
    return float(ax.get_window_extent().height * 72 / ax.figure.dpi / max(count, 1))
