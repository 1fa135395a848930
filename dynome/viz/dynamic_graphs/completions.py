"""Graphs of windows of which a part was hidden, and what a model completed them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.dynamic_graphs.squares import MAX_SHARP, draw_squares, graph_scale, networks_of, ordered
from dynome.viz.order import by_community
from dynome.viz.palette import INK, MUTED, ON_WHITE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

_what = "completed graphs"
_dims = ("window", "source", "target")
_rows = ("true", "seen", "completed")
_bins = np.linspace(0, 1, 21)
_side, _wide = 1.5, 2.3  # inches of a matrix and of the panel of probabilities
_hint = "select one session first"


def plot_completion(
    completed: xr.DataArray,
    observed: xr.DataArray | None = None,
    *,
    network: str = "network",
    n_windows: int = 4,
    ax: Axes | None = None,
) -> Axes:
    """Probabilities of hidden edges beside the edges that are there.

    Parameters
    ----------
    completed : (window, source, target)
        Probability of each edge, as `inference.complete_connectivity` gives it for one session. Windows that are NaN to
        the end, past the last window of a session, are left out. What was hidden is what
        the coordinate ``hidden``, over ``window`` and ``source`` or one of them, says of one end of an edge; without it
        all that is not NaN.
    observed : (window, source, target) or None
        The true graphs, 1 and 0 or true and false, joined by the labels of nodes; with or without the windows past the
        last. None draws probabilities alone.
    network : str
        What nodes are ordered by: the coordinate ``source_<network>`` or ``<network>`` of one of the two.
    n_windows : int
        How many windows to draw at most, evenly spaced among those of which something was hidden.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of its ``child_axes``. The first holds rows of matrices, a column for each window: the true graphs,
        what the model saw of them (hidden is grey), and hidden edges by their probability; hidden nodes are the last of
        their network. The second tells how probable the model thought the hidden edges that are there, and those that
        are not, over all windows.

    Raises
    ------
    InputError
        If dims are others, `n_windows` is below 1, or windows or nodes of the two are not the same.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> names = {"source": ["a", "b"], "target": ["a", "b"], "hidden": ("source", [True, False])}
    >>> told = xr.DataArray([[[1, 0.8], [0.8, 1]]], names, ("window", "source", "target"))
    >>> ax = plot_completion(told, told > 0.5, ax=Figure().subplots())
    >>> [room.get_ylabel() for room in ax.child_axes[0].child_axes if room.images]
    ['true', 'seen', 'completed']
    """
    told = canvas.require_dims(completed, _dims, _what, _hint)
    if n_windows < 1:
        raise InputError(f"cannot draw {_what}: n_windows must be at least 1, got {n_windows}")
    if canvas.labels_of(told, "source") != canvas.labels_of(told, "target"):
        raise InputError(f"cannot draw {_what}: source and target must be the same nodes in the same order")
    n_all = told.sizes["window"]
    told = _recorded(told)
    true = None if observed is None else _joined(observed, told, n_all)
    values, hidden = canvas.finite(told), _hidden(told)
    some = np.flatnonzero(hidden.any(axis=(1, 2)))
    count = max(min(some.size, n_windows), 1)
    rows = 1 if true is None else 3
    left = count * (_side + 0.16)
    ax = canvas.axes_or_new(ax, (left + 1.5 + (_wide + 0.6) * (true is not None), rows * (_side + 0.34) + 0.55))
    if not np.isfinite(values).any() or not some.size:
        return canvas.no_data(ax, "no data: nothing was hidden, or every probability is missing")
    shown = some[((np.arange(count) + 0.5) * some.size / count).astype(np.int64)]
    ax.set_axis_off()
    share = 1.0 if true is None else left / (left + 1.2 + _wide)
    _draw_graphs(ax.inset_axes((0, 0, share, 1)), told, true, hidden, shown, network)
    if true is not None:
        start = 1 - _wide / (left + 1.2 + _wide)
        _draw_probabilities(ax.inset_axes((start, 0.34, 1 - start, 0.6)), values[hidden], true[hidden])
    return ax


def _recorded(told: xr.DataArray) -> xr.DataArray:
    """Windows up to the last that is not NaN altogether: of several sessions, the shorter are padded."""
    known = np.flatnonzero(np.isfinite(canvas.finite(told)).any(axis=(1, 2)))
    return told.isel(window=slice(int(known[-1]) + 1)) if known.size else told


def _hidden(told: xr.DataArray) -> Marks:
    """Which edges were hidden, those of a node with itself left out."""
    other: Marks = np.eye(told.shape[1], told.shape[2]) == 0
    if "hidden" not in told.coords:
        return np.isfinite(canvas.finite(told)) & other
    mark = told["hidden"].astype(bool)
    if not {str(d) for d in mark.dims} <= {"window", "source"}:
        raise InputError(f"cannot draw {_what}: expected hidden over window and source, found dims {mark.dims}")
    whole = mark.broadcast_like(told.isel(target=0, drop=True)).transpose("window", "source").to_numpy()
    return np.asarray((whole[:, :, None] | whole[:, None, :]) & other)


def _joined(observed: object, told: xr.DataArray, n_all: int) -> Floats:
    """True graphs with nodes and windows in the order of the probabilities."""
    true = canvas.require_dims(observed, _dims, f"{_what}: observed", _hint)
    count = told.sizes["window"]
    if true.sizes["window"] == n_all:
        true = true.isel(window=slice(count))
    if true.sizes["window"] != count:
        found = f"{true.sizes['window']} against {count}"
        raise InputError(f"cannot draw {_what}: observed and completed have other numbers of windows, {found}")
    place: dict[str, list[int]] = {}
    for dim in _dims[1:]:
        known = {name: k for k, name in enumerate(canvas.labels_of(true, dim))}
        wanted = canvas.labels_of(told, dim)
        if absent := [name for name in wanted if name not in known]:
            raise InputError(f"cannot draw {_what}: observed lacks the nodes {absent[:3]}")
        place[dim] = [known[name] for name in wanted]
    return canvas.finite(true.isel(place))


def _draw_graphs(
    host: Axes, told: xr.DataArray, true: Floats | None, hidden: Marks, shown: NDArray[np.int64], network: str
) -> None:
    names, groups = canvas.labels_of(told, "source"), networks_of(told, "source", network)
    values = canvas.finite(told)
    order = ordered(values[shown] if true is None else true[shown], names, groups)
    gone_nodes = (hidden[shown].sum(axis=2) >= len(names) - 1).sum(axis=0)
    order = by_community(groups or [""] * len(names), np.argsort(order) + len(names) * gone_nodes)
    groups = [groups[k] for k in order] if groups else []
    at = np.ix_(shown, order, order)
    values, gone = values[at], hidden[at]
    seen = np.where(gone, np.nan, np.full(gone.shape, np.nan) if true is None else true[at])
    rows = [seen] if true is None else [true[at], seen, seen]
    titles = _titles(told, shown) + [""] * (len(shown) * (len(rows) - 1))
    rooms = draw_squares(
        host, np.concatenate(rows), titles, groups, graph_scale(), "", columns=len(shown), title=network
    )
    image = None
    for room, matrix, part in zip(rooms[-len(shown) :], values, gone, strict=True):
        image = _add_probabilities(room, np.where(part, matrix, np.nan))
    for room, what in zip(rooms[:: len(shown)], _rows[-len(rows) :], strict=True):
        room.set_ylabel(what, fontsize=canvas.LABEL, labelpad=8)
    if image is not None:
        canvas.add_colorbar(rooms[-1], image, "probability\nof an edge", extend="neither", missing=False)


def _add_probabilities(ax: Axes, values: Floats) -> AxesImage:
    from matplotlib import colormaps

    how = "nearest" if len(values) <= MAX_SHARP else "antialiased"
    cmap = colormaps[ON_WHITE].with_extremes(bad=(0, 0, 0, 0))
    return ax.imshow(values, cmap=cmap, vmin=0, vmax=1, aspect="auto", interpolation=how)


def _titles(told: xr.DataArray, shown: NDArray[np.int64]) -> list[str]:
    clock, unit = canvas.clock_of(told, "window").to_numpy(), canvas.unit_of(told["window"])
    if not unit and all(n in told.coords and told[n].dims == ("window",) for n in ("start", "stop")):
        clock, unit = (canvas.finite(told["start"]) + canvas.finite(told["stop"])) / 2, "s"
    return [f"{clock[k]:.4g} {unit}" if unit else f"window {clock[k]:.4g}" for k in shown]


def _draw_probabilities(ax: Axes, values: Floats, true: Floats) -> None:
    """How probable the model thought hidden edges that are there, and those that are not."""
    for name, which, color in (("absent", true == 0, MUTED), ("present", true > 0, SERIES[1])):
        found = values[which & np.isfinite(values)]
        if found.size:
            weights = np.full(found.size, 1 / found.size)
            told = f"{name} ({found.size:,})"
            ax.hist(found, _bins.tolist(), weights=weights, color=color, alpha=0.55, lw=0, label=told)
    ax.set_xlim(0, 1)
    ax.set_xlabel("probability", fontsize=canvas.TICK)
    ax.set_ylabel("share of hidden edges", fontsize=canvas.TICK)
    ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
    ax.locator_params(axis="y", nbins=4)
    ax.legend(fontsize=canvas.NOTE, frameon=False, labelcolor=INK, loc="upper center", ncols=2, handlelength=1.0)
    canvas.despine(ax)
