"""What the nodes of a cluster follow: its common log rate and its factors, with bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.errors import InputError, listed
from dynome.viz import canvas
from dynome.viz.biclustering.cluster_paths import Trajectories, trajectories
from dynome.viz.biclustering.similarity import draw_states, state_legend_labels
from dynome.viz.biclustering.tree import Bins, Floats, Labels, Partition, bins_of, column_starts, group_of, partition_of
from dynome.viz.palette import MUTED
from dynome.viz.states import add_row_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ribbon, _row, _gap, _title = 0.18, 0.95, 0.1, 0.3  # inches
_band = (0.025, 0.975)
_most = 4  # clusters drawn unless they are named
_what = "latents"


def plot_latents(
    results: xr.DataTree,
    clusters: Sequence[int] | None = None,
    *,
    window: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Latents of the clusters of the point partition: posterior mean and 95 % band.

    Parameters
    ----------
    results : DataTree
        As `Biclustering.results_`: ``/latent``, ``/posterior`` and ``/clustering``.
    clusters : list of int or None
        Clusters of the point partition; None takes the four largest.
    window : (start, stop) or None
        Part of the time axis that is drawn, in its unit.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of a grid, which are its ``child_axes``: a row for each cluster, a column for its common log rate and
        for each factor, over ribbons of the states. A row tells in how many of the draws its cluster exists. Latents
        are on the scale of the log rate; those of factors count times the loading of a node, whose sign and rotation
        are a convention.

    Raises
    ------
    InputError
        If latents were not kept, or a cluster is unknown.

    Notes
    -----
    Up to 200 draws of all chains are used. In each, the cluster with most nodes in common stands for one of the point
    partition if these are at least half of the nodes of either. Latents are moved to mean 0 and factors rotated onto
    their mean over draws. More than 1,500 bins are averaged in equal runs before the bands are taken.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> path = xr.DataArray(np.zeros((1, 2, 5, 1, 2)), dims=("chain", "latent_draw", "time", "cluster", "component"))
    >>> latent = xr.Dataset({"latent": path}, {"draw": ("latent_draw", [0, 1]), "component": ["common", "factor0"]})
    >>> posterior = xr.Dataset({"cluster": (("chain", "draw", "node"), np.zeros((1, 2, 3), int))})
    >>> clustering = xr.Dataset({"cluster_vi": ("node", [0, 0, 0]), "state_vi": ("time", [0, 0, 0, 1, 1])})
    >>> tree = {"latent": latent, "posterior": posterior, "clustering": clustering}
    >>> host = plot_latents(xr.DataTree.from_dict(tree), ax=Figure().subplots())
    >>> [panel.get_title() for panel in host.child_axes[2:]]
    ['common', 'factor0']
    """
    latent = group_of(results, "latent", ["latent"], _what)["latent"]
    posterior = group_of(results, "posterior", ["cluster"], _what)
    partition, bins = partition_of(results, _what), bins_of(results, _what)
    wanted = _wanted(partition, clusters)
    n_component = latent.sizes["component"]
    height = _title + _ribbon + (_row + _gap) * len(wanted) + 0.7
    ax = canvas.axes_or_new(ax, (max(2.9 * n_component + 0.8, 5), height))
    columns = column_starts(bins)
    found = trajectories(posterior, latent, partition.cluster, wanted, bins, columns) if wanted and columns.size else []
    if not any(len(f.values) for f in found):
        return canvas.no_data(ax, "no data: no draw with latents has a cluster of the point partition")
    ax.set_axis_off()
    titles = canvas.labels_of(latent, "component")
    _draw_grid(ax, found, [str(c) for c in wanted], titles, partition, bins, columns, window)
    return ax


def _wanted(partition: Partition, clusters: Sequence[int] | None) -> list[int]:
    if clusters is None:
        return largest(partition, _most)
    sizes = {int(c): b - a for c, (a, b) in partition.spans.items() if c != "-1"}
    if strangers := [c for c in clusters if c not in sizes]:
        raise InputError(f"there are no clusters {listed(strangers)}; there are {listed(sizes)}")
    return [int(c) for c in clusters]


def largest(partition: Partition, most: int) -> list[int]:
    """The largest clusters, by their number."""
    sizes = {int(c): b - a for c, (a, b) in partition.spans.items() if c != "-1"}
    return sorted(sorted(sizes, key=lambda c: (-sizes[c], c))[:most])


def _draw_grid(
    ax: Axes, found: list[Trajectories], clusters: list[str], titles: list[str], partition: Partition, bins: Bins,
    columns: Labels, window: tuple[float, float] | None,
) -> None:  # fmt: skip
    n = len(titles)
    width, across = (1.06 / n) - 0.06, 1.06 / n
    whole = _ribbon + (_row + _gap) * len(found)
    ribbons = [ax.inset_axes((k * across, 1 - _ribbon / whole, width, _ribbon / whole)) for k in range(n)]
    for ribbon in ribbons:
        draw_states(ribbon, bins)
    limits = ribbons[0].get_xlim() if window is None else window
    for r, (cluster, paths) in enumerate(zip(clusters, found, strict=True)):
        floor = 1 - (_ribbon + (_row + _gap) * (r + 1)) / whole
        for k in range(n):
            panel = ax.inset_axes((k * across, floor, width, _row / whole), sharex=ribbons[k])
            draw_band(panel, bins, columns, paths.values[..., k], partition.colors[cluster])
            panel.tick_params(labelbottom=r == len(found) - 1)
            if r == 0:
                panel.set_title(titles[k], fontsize=canvas.TICK, pad=6 + (_ribbon + 0.06) * 72)
            if k == 0:
                size = partition.spans[cluster]
                label = f"cluster {cluster}\n{size[1] - size[0]} nodes\nin {len(paths.values)} of {paths.n_draws} draws"
                panel.set_ylabel(label, fontsize=canvas.NOTE, rotation=0, ha="right", va="center", labelpad=26)
            if r == len(found) - 1:
                panel.set_xlabel(canvas.quantity(bins.clock), fontsize=canvas.TICK)
    for ribbon in ribbons:
        ribbon.set_xlim(limits)
        ribbon.tick_params(labelbottom=False, bottom=False)
    add_row_legend(ribbons[0], state_legend_labels(bins), "state", "lower left", (0, 1.0))
    legend = ribbons[0].get_legend()
    if legend is not None:
        legend.set_bbox_to_anchor((0, 1.0 + 0.22 / _ribbon), ribbons[0].transAxes)


def draw_band(ax: Axes, bins: Bins, columns: Labels, values: Floats, color: str) -> None:
    """Posterior mean and band of one latent ``(n_draw, n_column)``, broken between sequences."""
    clock = bins.clock.to_numpy()[columns]
    breaks = np.searchsorted(columns, bins.starts[1:])
    ax.axhline(0, color=MUTED, lw=0.5, zorder=0)
    canvas.despine(ax)
    ax.locator_params(axis="y", nbins=4)
    if not len(values):
        ax.text(0.5, 0.5, "in no draw", transform=ax.transAxes, ha="center", color=MUTED, fontsize=canvas.TICK)
        return
    low, high = np.quantile(values, _band, axis=0)
    parts = [np.insert(part, breaks, np.nan) for part in (low, high, values.mean(axis=0))]
    when = np.insert(clock, breaks, clock[breaks])
    ax.fill_between(when, parts[0], parts[1], color=color, alpha=0.3, lw=0)
    ax.plot(when, parts[2], color=color, lw=1.0)
