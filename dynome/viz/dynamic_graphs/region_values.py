"""Which regions, of which networks, a prediction hangs on, and when."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.blocks import add_strip, spans_of
from dynome.viz.dynamic_graphs.blocks_of_networks import plot_blocks
from dynome.viz.dynamic_graphs.magnitudes import readable
from dynome.viz.dynamic_graphs.squares import networks_of
from dynome.viz.order import by_community
from dynome.viz.palette import INK, MUTED, SERIES, category_colors, color_scale, unknown
from dynome.viz.states import add_row_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_what = "attributions of regions"
_across = ("session", "window")
_letters = 26  # in a line below an axis
_max_ticks = 45  # regions; of more, only the strongest are named
_max_sharp = 200  # columns; of more, several share a pixel


def plot_region_attribution(
    attribution: xr.DataArray, *, network: str = "network", n_named: int = 12, ax: Axes | None = None
) -> Axes:
    """Regions by network against sessions or windows, and the mean of each region.

    Parameters
    ----------
    attribution : (node) or (source, target), with or without (session) and (window)
        As `inference.region_attribution` gives it, or `inference.edge_block_attribution`. NaN, such as windows that a
        session does not have, is left out of means.
    network : str
        The coordinate of ``node`` that regions are ordered and coloured by. Within a network, and where there is none
        of that name, regions of the largest mean come first.
    n_named : int
        How many regions to name where there are more than 45: those of the largest magnitude.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of up to three panels, its ``child_axes``: a heat map, which has a column for each session (mean over
        its windows), or for each window where there is one session; above it the mean of each column; beside it the
        mean of each region, with its standard error over sessions. Blocks of networks are one matrix of means over
        sessions and windows, with their standard errors over sessions.

    Raises
    ------
    InputError
        If dims are others, or `n_named` is below 0.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> coords = {"node": ["V1", "V2", "PFC"], "network": ("node", ["visual", "visual", "control"])}
    >>> found = xr.DataArray([[0.1, 0.3, 0.2], [0.1, 0.5, 0.0]], coords, ("window", "node"))
    >>> ax = plot_region_attribution(found, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.child_axes[0].get_yticklabels()]
    ['PFC', 'V2', 'V1']
    """
    array = _checked(attribution)
    if n_named < 0:
        raise InputError(f"cannot draw {_what}: n_named must be at least 0, got {n_named}")
    if "source" in array.dims:
        return plot_blocks(array, ax)
    if not np.isfinite(canvas.finite(array)).any():
        return canvas.no_data(canvas.axes_or_new(ax, (7.2, 2.8)), "no data: there is no region, or all are missing")
    array, label = readable(_columns(array), "attribution")
    values, names = canvas.finite(array), canvas.labels_of(array, "node")
    ax = canvas.axes_or_new(ax, (7.6, float(np.clip(1.4 + 0.17 * len(names), 3.6, 5.8))))
    ax.set_axis_off()
    mean = _means(values, 1)
    found = networks_of(array, "node", network)
    order = by_community(found or [""] * mean.size, -np.nan_to_num(mean))
    groups = [found[k] for k in order] if found else []
    colors = [category_colors(found)[str(g)] for g in groups] if groups else [SERIES[0]] * mean.size
    wide = values.shape[1] > 1
    first = ax.inset_axes((0, 0, 0.62, 0.8) if wide else (0, 0, 1, 1))
    if wide:
        _draw_map(ax, first, array, values[order], label)
        beside = ax.inset_axes((0.78, 0, 0.22, 0.8), sharey=first)
        beside.tick_params(labelleft=False)
        error = _errors(values) if array.dims[1] == "session" else np.full(mean.size, np.nan)
        _draw_means(beside, mean[order], error[order], colors, label)
    else:
        beside = first
        _draw_means(first, mean[order], np.full(mean.size, np.nan), colors, label)
    _name(first, beside, [names[k] for k in order], mean[order], groups, n_named)
    if groups:
        _add_networks(ax, first, groups, network)
    return ax


def _checked(attribution: object) -> xr.DataArray:
    """The array with ``node`` first, or with ``source, target`` last."""
    found = getattr(attribution, "dims", ())
    dims = ["node", *(d for d in _across if d in found)]
    if "source" in found:
        dims = [*dims[1:], "source", "target"]
    return canvas.require_dims(attribution, dims, _what, "see inference.region_attribution")


def _columns(array: xr.DataArray) -> xr.DataArray:
    """Regions by sessions, or by the windows of the one session that there is ``(node, column)``."""
    if array.sizes.get("session", 2) == 1:
        array = array.squeeze("session")
    if "session" in array.dims and "window" in array.dims:
        array = array.mean("window", keep_attrs=True)
    if array.ndim == 1:
        return array.expand_dims(window=1, axis=1)
    kept = np.isfinite(canvas.finite(array)).any(axis=0) | (array.dims[1] == "session")
    return array.isel({array.dims[1]: kept})


def _means(values: Floats, axis: int) -> Floats:
    known = np.isfinite(values).sum(axis=axis)
    return np.asarray(np.nansum(values, axis=axis) / np.where(known > 0, known, np.nan))


def _errors(values: Floats) -> Floats:
    """Standard error of the mean of each row."""
    known = np.isfinite(values).sum(axis=1)
    off = values - _means(values, 1)[:, None]
    return np.asarray(np.sqrt(np.nansum(off**2, axis=1) / np.where(known > 1, (known - 1.0) * known, np.nan)))


def _draw_map(host: Axes, ax: Axes, array: xr.DataArray, values: Floats, quantity: str) -> None:
    scale = color_scale(values)
    if scale is None:
        return
    place, ends, label = _clock(array)
    extent = (*ends, values.shape[0] - 0.5, -0.5)
    how = "nearest" if max(values.shape) <= _max_sharp else "antialiased"
    image = ax.imshow(values, cmap=scale.cmap, norm=scale.norm, extent=extent, aspect="auto", interpolation=how)
    canvas.despine(ax, keep=("bottom",))
    if array.dims[1] == "session":
        canvas.label_ticks(ax, "x", canvas.labels_of(array, "session"), "session")
    else:
        ax.set_xlabel(label, fontsize=canvas.LABEL)
    missing = bool(np.isnan(values).any())
    canvas.add_colorbar(ax, image, fill(quantity, _letters), extend=scale.extend, missing=missing)
    above = host.inset_axes((0, 0.83, 0.62, 0.17), sharex=ax)
    mean = _means(values, 0)
    if array.dims[1] == "session":
        above.bar(place, mean, width=0.8, color=MUTED, lw=0)
    else:
        above.plot(place, mean, color=INK, lw=1.2)
    above.axhline(0, color=MUTED, lw=0.6, zorder=0)
    power = quantity.removeprefix(canvas.quantity(array, "attribution")).strip()
    above.set_ylabel(f"mean\n{power}" if power else "mean", fontsize=canvas.TICK)
    above.locator_params(axis="y", nbins=3)
    canvas.despine(above, keep=("left",))
    above.tick_params(labelbottom=False, bottom=False)


def _clock(array: xr.DataArray) -> tuple[Floats, tuple[float, float], str]:
    """Where columns stand, where the first begins and the last ends, and what the axis is called."""
    count = array.sizes[array.dims[1]]
    place, label = np.arange(count, dtype=float), "window"
    if array.dims[1] == "window" and all(n in array.coords and array[n].dims == ("window",) for n in ("start", "stop")):
        place, label = (canvas.finite(array["start"]) + canvas.finite(array["stop"])) / 2, "middle of the window (s)"
    step = float(np.median(np.diff(place))) if count > 1 else 1.0
    return place, (float(place[0]) - step / 2, float(place[-1]) + step / 2), label


def _draw_means(ax: Axes, mean: Floats, error: Floats, colors: list[str], label: str) -> None:
    rows = np.arange(mean.size)
    ax.barh(rows, mean, height=0.8 if mean.size <= _max_ticks else 1.0, color=colors, lw=0)
    if np.isfinite(error).any():
        ax.hlines(rows, mean - error, mean + error, color=INK, lw=0.8 if mean.size <= _max_ticks else 0.3)
    ax.axvline(0, color=MUTED, lw=0.6)
    ax.set_ylim(mean.size - 0.5, -0.5)
    ax.set_xlabel(fill(f"mean {label}", _letters), fontsize=canvas.TICK)
    ax.locator_params(axis="x", nbins=3)
    canvas.despine(ax, keep=("bottom",))
    ax.tick_params(axis="y", length=0)


def _name(first: Axes, means: Axes, names: list[str], mean: Floats, groups: list[Any], n_named: int) -> None:
    """Every region at the left where there are few; else the strongest, beside their mean."""
    if len(names) <= _max_ticks:
        canvas.label_ticks(first, "y", names, "region")
        return
    first.set_yticks([])
    first.set_ylabel(f"region ({len(names):,})" if not groups else "", fontsize=canvas.LABEL)
    strongest = np.sort(np.argsort(-np.abs(np.nan_to_num(mean)), kind="stable")[:n_named])
    last = len(names) - 1.0
    at = _apart(strongest.astype(float), 0.9 * last / max(n_named, 24), last)
    for k, y in zip(strongest, at, strict=True):
        means.annotate(
            canvas.shortened(names[k], 16), (1.0, k), (1.1, y), ("axes fraction", "data"), ("axes fraction", "data"),
            fontsize=canvas.NOTE, va="center", color=INK, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.5, "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5)},
        )  # fmt: skip


def _apart(place: Floats, least: float, high: float) -> Floats:
    """Increasing places moved at least so far apart, and kept below `high` where there is room."""
    moved = place.copy()
    for k in range(1, moved.size):
        moved[k] = max(moved[k], moved[k - 1] + least)
    over = moved[-1] - high if moved.size else 0.0
    if over > 0:
        moved[-1] -= over
        for k in range(moved.size - 2, -1, -1):
            moved[k] = min(moved[k], moved[k + 1] - least)
    return np.asarray(moved)


def _add_networks(host: Axes, ax: Axes, groups: list[Any], network: str) -> None:
    colors = category_colors(groups)
    named = not ax.get_yticks().size
    add_strip(ax, "y", spans_of(groups), len(groups), colors, named=named)
    if not named:
        shown = {"unknown" if unknown(name) else name: color for name, color in colors.items()}
        add_row_legend(host, shown, network, "lower left", (0, 1.0))
