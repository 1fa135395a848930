"""Couplings over lags: how the past of a source acts on its target, in every state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed
from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED
from dynome.viz.panels import panel_grid
from dynome.viz.states import add_row_legend, by_state, chosen_states, edge_title, state_colors, states_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Pair = tuple[str, str]

_dims = ("target", "source", "lag")
_what = "history kernels"
_columns = 4
_longest = 12  # letters of a node
_title = 18  # points over the first row


def plot_history_kernels(
    results: xr.Dataset,
    edges: Sequence[Pair] | None = None,
    *,
    n: int = 8,
    states: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Weight of the past of one node on another at each lag.

    Parameters
    ----------
    results : Dataset
        As `SwitchingGLM.results_`: ``weight (state, target, source, lag)``, without ``state`` for a model of one state.
        NaN leaves a gap.
    edges : list of (source, target) or None
        Which edges, by label; None takes the strongest between different nodes, by the largest magnitude in any state.
    n : int
        How many of the strongest.
    states : list or None
        Which states, by label.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of the panels, which are its ``child_axes``, one for each edge on one common scale; a line has the
        colour of its state.

    Raises
    ------
    InputError
        If ``weight`` is missing or has other dims, or an edge is unknown.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> names = ["a", "b"]
    >>> weight = np.zeros((1, 2, 2, 3))
    >>> weight[0, 1, 0] = [0.6, 0.3, 0.1]
    >>> results = xr.Dataset(
    ...     {"weight": (("state", "target", "source", "lag"), weight)},
    ...     {"state": [0], "target": names, "source": names, "lag": [1, 2, 3]})
    >>> host = plot_history_kernels(results, [("a", "b")], ax=Figure().subplots())
    >>> host.child_axes[0].lines[0].get_ydata().tolist()
    [0.6, 0.3, 0.1]
    """
    weight = by_state(chosen_states(results, states), "weight", _dims, _what)
    values = canvas.finite(weight)
    names = {dim: canvas.labels_of(weight, dim) for dim in ("source", "target")}
    found = _strongest(values, n, same=names["source"] == names["target"]) if edges is None else _asked(edges, names)
    if not found or not np.isfinite(values).any():
        return canvas.no_data(canvas.axes_or_new(ax, (5.0, 2.5)), "no data: there is no edge, or all are missing")
    columns = min(len(found), _columns)
    rows = -(-len(found) // columns)
    ax = canvas.axes_or_new(ax, (1.0 + 1.7 * columns, 0.9 + 1.35 * rows))
    rooms = panel_grid(ax, len(found), columns, gap=(0.15, 0.32))
    lag = canvas.clock_of(weight, "lag")
    drawn = np.stack([values[:, i, j] for i, j in found])
    low, high = min(float(np.nanmin(drawn)), 0.0), max(float(np.nanmax(drawn)), 0.0)
    room_above = 0.06 * (high - low or 1.0)
    for k, (room, (i, j)) in enumerate(zip(rooms, found, strict=True)):
        for line, color in zip(drawn[k], state_colors(states_of(weight)), strict=True):
            room.plot(lag, line, "-o", color=color, lw=1.3, ms=2.5, alpha=0.9)
        room.axhline(0, color=MUTED, lw=0.6, zorder=0)
        room.set_ylim(low - room_above, high + room_above)
        title = edge_title(names["source"][j], names["target"][i], _longest)
        room.set_title(title, loc="left", fontsize=canvas.NOTE, color=INK)
        canvas.despine(room)
        room.locator_params(nbins=4)
        room.tick_params(labelleft=k % columns == 0, labelbottom=k + columns >= len(found), labelsize=canvas.NOTE)
    _name(ax, rooms, columns, canvas.quantity(lag, "lag"), weight)
    return ax


def _strongest(values: Floats, n: int, *, same: bool) -> list[tuple[int, int]]:
    """Positions (target, source), the strongest first."""
    size = np.nan_to_num(np.abs(values)).max(axis=(0, 3), initial=0.0)
    if same:
        np.fill_diagonal(size, 0.0)
    order = np.argsort(-size, axis=None, kind="stable")[: max(n, 0)]
    return [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, size.shape), strict=True) if size[i, j] > 0]


def _asked(edges: Sequence[Pair], names: dict[str, list[str]]) -> list[tuple[int, int]]:
    problems = Problems("cannot draw history kernels")
    found = []
    given: Sequence[object] = edges
    for edge in given:
        if not isinstance(edge, tuple | list) or len(edge) != 2:
            problems.add(f"an edge is a pair (source, target), found {edge!r}")
            continue
        source, target = map(str, edge)
        strangers = [n for n, dim in ((source, "source"), (target, "target")) if n not in names[dim]]
        if strangers:
            problems.add(f"the model has no nodes {listed(strangers)}; it has {listed(names['source'])}")
        else:
            found.append((names["target"].index(target), names["source"].index(source)))
    problems.raise_if_any(InputError)
    return found


def _name(ax: Axes, rooms: list[Axes], columns: int, lag: str, weight: xr.DataArray) -> None:
    """One label for each axis of the whole page, and the states over it."""
    for k, room in enumerate(rooms):
        if k + columns >= len(rooms):
            room.set_xlabel(lag, fontsize=canvas.NOTE)
        if k % columns == 0:
            room.set_ylabel("weight", fontsize=canvas.NOTE)
    labels = states_of(weight)
    if labels != [""]:
        above = 1 + _title / 72 * ax.figure.dpi / ax.get_window_extent().height
        colors = dict(zip(map(str, labels), state_colors(labels), strict=True))
        add_row_legend(ax, colors, "state", "lower left", (0, above))
