"""One figure of a whole bi-clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.viz import canvas
from dynome.viz.biclustering.classes import draw_classes, strip_of_rows, table_of
from dynome.viz.biclustering.cluster_paths import trajectories
from dynome.viz.biclustering.counts import draw_histogram, draw_likelihood
from dynome.viz.biclustering.latents import draw_band, largest
from dynome.viz.biclustering.similarity import add_cluster_strip, draw_node_similarity, draw_states, state_legend_labels
from dynome.viz.biclustering.sorted_raster import doubt_of, draw_doubt, draw_sorted
from dynome.viz.biclustering.tree import (
    Bins,
    Partition,
    bins_of,
    classes_of,
    column_starts,
    group_of,
    over_bins,
    partition_of,
)
from dynome.viz.ribbon import finish_panels
from dynome.viz.states import add_row_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_size = (12.5, 8.6)  # inches
_left, _right = (0.05, 0.26), (0.475, 0.455)  # where columns begin and how wide they are
_middle = 0.44  # what lies above it has a row for each node
_most = 3  # clusters whose common rate is drawn
_room = 8  # letters of a name between the columns
_what = "a bi-clustering"


def plot_biclustering(results: xr.DataTree, *, ax: Axes | None = None) -> Axes:
    """A whole bi-clustering: who belongs together, the activity, the states, what clusters follow, how many there are.

    Parameters
    ----------
    results : DataTree
        As `Biclustering.results_`. What groups lack is left out: latents, numbers of clusters, classes of nodes.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of the panels, which are its ``child_axes``. Above, with a row for each node in the order of the
        clusters, named where names are short: the probability that two nodes share a cluster, and the activity under
        the states and the uncertainty of each bin's state. Below: numbers of clusters and states over draws with a line
        for each chain, the log likelihood of every chain, the clusters by region or cell type, and the common log rate
        of the three largest clusters with 95 % bands on the time axis of the activity.

    Raises
    ------
    InputError
        If these are no results of a bi-clustering.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> together = (("node", "other_node"), np.eye(3))
    >>> states = ("time", [0, 0, 1, 1])
    >>> clustering = xr.Dataset({"cluster_vi": ("node", [1, 0, 2]), "state_vi": states, "node_similarity": together})
    >>> observed = xr.Dataset({"y": (("time", "node"), np.eye(4)[:, :3])}, {"node": list("abc")})
    >>> results = xr.DataTree.from_dict({"clustering": clustering, "observed_data": observed})
    >>> host = plot_biclustering(results, ax=Figure().subplots())
    >>> len(host.child_axes)
    3
    """
    y = group_of(results, "observed_data", ["y"], _what)["y"]
    data = group_of(results, "clustering", ["node_similarity"], _what)
    partition, bins = partition_of(results, _what), bins_of(results, _what)
    values = canvas.finite(over_bins(y, bins, ["node"]))
    ax = canvas.axes_or_new(ax, _size)
    if not np.isfinite(values).any():
        return canvas.no_data(ax, "no data: the recording has no bins or no nodes")
    ax.set_axis_off()
    _draw_nodes(ax, data, partition)
    ribbon, raster = _draw_times(ax, results, values, bins, partition, str(y.attrs.get("long_name") or "activity"))
    latents = _draw_latents(ax, results, bins, partition)
    finish_panels([ribbon, raster, *latents], ribbon.get_xlim(), bins.clock)
    if "posterior" in results.children:
        _draw_chains(ax, results)
    _draw_classes(ax, data, partition)
    return ax


def _draw_nodes(ax: Axes, data: xr.Dataset, partition: Partition) -> None:
    matrix = data["node_similarity"]
    values = canvas.finite(matrix.transpose("node", *(d for d in matrix.dims if d != "node")))
    room = ax.inset_axes((_left[0], _middle, _left[1], 0.93 - _middle))
    image = draw_node_similarity(room, values, partition)
    room.set(xticks=[], yticks=[])
    room.set_ylabel(f"{values.shape[0]:,} nodes, by cluster", fontsize=canvas.LABEL)
    room.set_title("nodes of one cluster", fontsize=canvas.LABEL, loc="left")
    add_cluster_strip(room, "y", partition)
    canvas.add_colorbar(room, image, "posterior probability", extend="neither", missing=bool(np.isnan(values).any()))


def _draw_times(
    ax: Axes, results: xr.DataTree, values: np.ndarray, bins: Bins, partition: Partition, name: str
) -> tuple[Axes, Axes]:
    raster = ax.inset_axes((_right[0], _middle, _right[1], 0.87 - _middle))
    ribbon = ax.inset_axes((_right[0], 0.915, _right[1], 0.035), sharex=raster)
    draw_states(ribbon, bins)
    add_row_legend(ribbon, state_legend_labels(bins), "state", "lower left", (0, 1.0))
    doubt = doubt_of(results, bins)
    if doubt is not None:
        draw_doubt(ax.inset_axes((_right[0], 0.878, _right[1], 0.03), sharex=raster), bins, doubt)
        ax.child_axes[-1].tick_params(labelbottom=False, bottom=False)
    draw_sorted(raster, values, bins, partition, name, room=_room)
    return ribbon, raster


def _draw_latents(ax: Axes, results: xr.DataTree, bins: Bins, partition: Partition) -> list[Axes]:
    """The common log rate of the largest clusters, under the raster; none where latents were not kept."""
    if not {"latent", "posterior"} <= set(results.children):
        return []
    latent = group_of(results, "latent", ["latent"], _what)["latent"].isel(component=[0])
    posterior = group_of(results, "posterior", ["cluster"], _what)
    wanted = largest(partition, _most)
    columns = column_starts(bins)
    found = trajectories(posterior, latent, partition.cluster, wanted, bins, columns)
    panels = []
    height = (_middle - 0.04) / max(len(wanted), 1)
    for k, (cluster, paths) in enumerate(zip(wanted, found, strict=True)):
        room = ax.inset_axes((_right[0], _middle - 0.04 - height * (k + 1), _right[1], height - 0.014))
        draw_band(room, bins, columns, paths.values[..., 0], partition.colors[str(cluster)])
        room.set_ylabel(f"cluster {cluster}", fontsize=canvas.TICK)
        panels.append(room)
    if panels:
        panels[0].set_title("common log rate", fontsize=canvas.TICK, loc="left", pad=2)
    return panels


def _draw_chains(ax: Axes, results: xr.DataTree) -> None:
    posterior = results["posterior"].to_dataset()
    half = _left[1] / 2 - 0.02
    for k, name in enumerate(n for n in ("n_clusters", "n_states") if n in posterior):
        room = ax.inset_axes((_left[0] + k * (half + 0.04), 0.25, half, 0.14))
        counts = canvas.finite(posterior[name].transpose("chain", "draw"))
        if np.isfinite(counts).any():
            draw_histogram(room, counts, upright=True)
        room.set_xlabel(name.replace("n_", "number of "), fontsize=canvas.TICK, labelpad=1)
        if k == 0:
            room.set_ylabel("share of draws", fontsize=canvas.TICK)
    stats = results["sample_stats"].to_dataset() if "sample_stats" in results.children else xr.Dataset()
    if "log_likelihood" in stats and np.isfinite(stats["log_likelihood"]).any():
        room = ax.inset_axes((_left[0], 0.03, _left[1] * 0.48, 0.13))
        draw_likelihood(room, stats["log_likelihood"])


def _draw_classes(ax: Axes, data: xr.Dataset, partition: Partition) -> None:
    classes = classes_of(data, None, _what)
    if classes is None:
        return
    room = ax.inset_axes((_left[0] + 0.19, 0.03, 0.125, 0.13))
    draw_classes(room, table_of(partition, classes))
    strip_of_rows(room, partition)
    room.tick_params(labelsize=canvas.NOTE)
    room.set(xlabel="", ylabel="")
    room.set_title(f"clusters by {str(classes.name).replace('_', ' ')}", fontsize=canvas.TICK, loc="left", pad=3)
