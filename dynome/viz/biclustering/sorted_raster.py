"""The recording in the order of the clusters, under the states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.viz import canvas
from dynome.viz.biclustering.similarity import add_cluster_strip, draw_states, state_legend_labels
from dynome.viz.biclustering.tree import (
    Bins,
    Floats,
    Partition,
    averaged,
    bins_of,
    column_starts,
    group_of,
    over_bins,
    partition_of,
)
from dynome.viz.palette import INK, MUTED
from dynome.viz.panels import panel_rows
from dynome.viz.raster import raster_height
from dynome.viz.recording import plot_recording
from dynome.viz.ribbon import finish_panels
from dynome.viz.states import add_row_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RIBBON, DOUBT = 0.3, 0.24  # inches
_full = 0.99  # quantile of a node's activity that has the strongest colour
_max_marked = 60  # sequences whose beginnings are drawn
_what = "a raster by cluster"


def plot_raster(results: xr.DataTree, *, window: tuple[float, float] | None = None, ax: Axes | None = None) -> Axes:
    """Activity of every node, cluster by cluster, under the states of the point partition.

    Parameters
    ----------
    results : DataTree
        As `Biclustering.results_`: ``/observed_data`` and ``/clustering``.
    window : (start, stop) or None
        Part of the time axis that is drawn, in its unit.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of the panels, which are its ``child_axes``: the states; how uncertain each bin's state is, from 0 to
        1, where the results tell it; the activity, the surest nodes of a cluster first. Trials and sessions stand end
        to end, over the number of the bin.

    Raises
    ------
    InputError
        If there is no point partition or no ``y``.

    Notes
    -----
    Rows are scaled by the 99th percentile of their node, so that quiet nodes are seen; where values can be negative,
    each has mean 0 and standard deviation 1. More than 4,000 bins are averaged in equal runs.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> names = {"node": list("abc")}
    >>> clustering = xr.Dataset({"cluster_vi": ("node", [1, 0, 1]), "state_vi": ("time", [0, 0, 1, 1])}, names)
    >>> observed = xr.Dataset({"y": (("time", "node"), np.eye(4)[:, :3])}, names)
    >>> results = xr.DataTree.from_dict({"clustering": clustering, "observed_data": observed})
    >>> host = plot_raster(results, ax=Figure().subplots())
    >>> [label.get_text() for label in host.child_axes[-1].get_yticklabels()]
    ['b', 'a', 'c']
    """
    y = group_of(results, "observed_data", ["y"], _what)["y"]
    partition, bins = partition_of(results, _what), bins_of(results, _what)
    values = canvas.finite(over_bins(y, bins, ["node"]))
    ax = canvas.axes_or_new(ax, (7.6, RIBBON + DOUBT + raster_height(values.shape[1]) + 1.1))
    if not np.isfinite(values).any():
        return canvas.no_data(ax, "no data: the recording has no bins or no nodes")
    doubt = doubt_of(results, bins)
    room = ax.get_window_extent().height / ax.figure.dpi - RIBBON - DOUBT
    panels = panel_rows(ax, [RIBBON, *([DOUBT] * (doubt is not None)), max(room, 1.0)], gap=0.06)
    draw_states(panels[0], bins)
    limits = panels[0].get_xlim() if window is None else window
    panels[0].set_ylabel("state", fontsize=canvas.NOTE, rotation=0, ha="right", va="center")
    if doubt is not None:
        draw_doubt(panels[1], bins, doubt)
    raster = panels[-1]
    draw_sorted(raster, values, bins, partition, str(y.attrs.get("long_name") or "activity"))
    finish_panels(panels, limits, bins.clock)
    add_row_legend(panels[0], state_legend_labels(bins), "state", "lower left", (0, 1.0))
    return ax


def doubt_of(results: xr.DataTree, bins: Bins) -> Floats | None:
    """Uncertainty of the state of each bin, where the results tell it."""
    data = results["clustering"].to_dataset()
    return canvas.finite(over_bins(data["time_uncertainty"], bins, [])) if "time_uncertainty" in data else None


def draw_doubt(ax: Axes, bins: Bins, doubt: Floats) -> None:
    """Uncertainty of the states as an area from 0 to 1."""
    columns = column_starts(bins)
    ax.fill_between(bins.clock.to_numpy()[columns], 0, averaged(doubt, columns), color=MUTED, lw=0, step="mid")
    ax.set_ylim(0, 1)
    canvas.despine(ax, keep=("bottom",))
    ax.set_yticks([])
    ax.set_ylabel("doubt", fontsize=canvas.NOTE, rotation=0, ha="right", va="center")


def draw_sorted(
    ax: Axes, values: Floats, bins: Bins, partition: Partition, name: str, *, room: int = canvas.MAX_LABEL_LENGTH
) -> None:
    """Rows of the heat map in the order of the clusters; without names if one has more letters than `room`."""
    shown, label = _scaled(values[:, partition.order])
    names = [partition.names[k] for k in partition.order]
    clock = (bins.clock.dims[0], bins.clock.to_numpy(), bins.clock.attrs)
    activity = xr.DataArray(
        shown, {bins.clock.dims[0]: clock, "node": names}, (bins.clock.dims[0], "node"),
        attrs={"long_name": label.format(name.replace("_", " "))},
    )  # fmt: skip
    plot_recording(activity, order=None, ax=ax)
    for first, _ in list(partition.spans.values())[1:]:
        ax.axhline(first - 0.5, color="white", lw=0.8)
    if 1 < bins.starts.size <= _max_marked:
        step = np.median(np.diff(bins.clock)) if bins.clock.size > 1 else 1.0
        for start in bins.clock.to_numpy()[bins.starts[1:]]:
            ax.axvline(start - step / 2, color=INK, lw=0.4)
    ax.set_ylabel(ax.get_ylabel() + ", by cluster")
    if max(len(canvas.shortened(n)) for n in names) > room:
        ax.set(yticks=[], ylabel=f"{len(names):,} nodes, by cluster")
    add_cluster_strip(ax, "y", partition)


def _scaled(values: Floats) -> tuple[Floats, str]:
    """Rows on one scale, and what it is."""
    known = np.isfinite(values)
    if (values[known] < 0).any():
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values, 0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=0) / count)
        return (values - mean) / np.where(spread > 0, spread, 1), "{}, standardized"
    full = np.array([np.quantile(c[k], _full) if k.any() else 0.0 for c, k in zip(values.T, known.T, strict=True)])
    full = np.where(full > 0, full, np.where(known, values, 0).max(axis=0, initial=0))
    return np.minimum(values / np.where(full > 0, full, 1), 1), "{} / 99th percentile"
