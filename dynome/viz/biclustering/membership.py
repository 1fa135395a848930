"""How sure the cluster of each node is, and where else it could belong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.viz import canvas
from dynome.viz.biclustering.similarity import add_cluster_strip
from dynome.viz.biclustering.tree import Floats, Partition, group_of, partition_of
from dynome.viz.palette import MISSING, ON_WHITE
from dynome.viz.panels import panel_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_few = 60  # nodes that get a bar each
_what = "uncertainties of nodes"


def plot_node_uncertainty(results: xr.DataTree, *, ax: Axes | None = None) -> Axes:
    """Uncertainty of each node's cluster, over its similarity to all clusters.

    Parameters
    ----------
    results : DataTree
        As `Biclustering.results_`: ``/clustering`` with ``node_uncertainty`` and, for the second panel,
        ``node_similarity``.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of the panels, which are its ``child_axes``. Nodes stand cluster by cluster of the point partition, the
        surest first. Under them, for each cluster, the mean probability that a node is together with its other nodes:
        a second dark cell in a column is where else that node could belong.

    Raises
    ------
    InputError
        If ``node_uncertainty`` is missing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> clustering = xr.Dataset({"cluster_vi": ("node", [0, 0, 1]), "node_uncertainty": ("node", [0.0, 0.3, 0.1])})
    >>> host = plot_node_uncertainty(xr.DataTree.from_dict({"clustering": clustering}), ax=Figure().subplots())
    >>> [round(float(bar.get_height()), 1) for bar in host.child_axes[0].patches]
    [0.0, 0.3, 0.1]
    """
    data = group_of(results, "clustering", ["node_uncertainty"], _what)
    partition = partition_of(results, _what)
    doubt = canvas.finite(data["node_uncertainty"])[partition.order]
    together = _to_clusters(data, partition)
    rows = 0 if together is None else len(together)
    ax = canvas.axes_or_new(ax, (7.4, 2.6 + min(0.22 * rows, 2.2)))
    if not np.isfinite(doubt).any():
        return canvas.no_data(ax, "no data: there are no nodes, or every uncertainty is missing")
    panels = panel_rows(ax, [1.5, float(np.clip(0.22 * rows, 0.4, 2.2))] if rows else [1.5], gap=0.12)
    _draw_doubt(panels[0], doubt, partition)
    if together is not None:
        _draw_together(panels[1], together[:, partition.order], partition)
        panels[0].tick_params(labelbottom=False, bottom=False)
    last = panels[-1]
    names = [partition.names[k] for k in partition.order]
    canvas.label_ticks(last, "x", names, "node, by cluster", f"{len(names):,} nodes, by cluster")
    last.set_xlim(-0.6, len(names) - 0.4)
    add_cluster_strip(panels[0], "x", partition, beside=True)
    canvas.settle(ax)
    return ax


def _draw_doubt(ax: Axes, doubt: Floats, partition: Partition) -> None:
    cluster = partition.cluster[partition.order]
    colors = [partition.colors[str(max(c, -1))] for c in cluster.tolist()]
    if doubt.size <= _few:
        ax.bar(np.arange(doubt.size), doubt, 0.8, color=colors, lw=0)
    else:
        ax.vlines(np.arange(doubt.size), 0, doubt, color=colors, lw=0.6)
    ax.plot(np.arange(doubt.size), doubt, ls="", marker=".", ms=2.5, color="#222222")
    ax.set_ylim(0, max(float(np.nanmax(doubt)) * 1.1, 0.1))
    canvas.despine(ax)
    ax.set_ylabel("uncertainty", fontsize=canvas.LABEL)


def _to_clusters(data: xr.Dataset, partition: Partition) -> Floats | None:
    """Mean similarity of each node to the other nodes of each cluster ``(n_cluster, n_node)``."""
    if "node_similarity" not in data or not partition.cluster.size:
        return None
    matrix = data["node_similarity"]
    values = canvas.finite(matrix.transpose("node", *(d for d in matrix.dims if d != "node")))
    clusters = [int(c) for c in partition.spans if c != "-1"]
    inside = (partition.cluster[:, None] == clusters).astype(float)
    own = np.diag(values)[:, None] * inside
    count = inside.sum(axis=0) - inside
    return np.where(count > 0, (values @ inside - own) / np.maximum(count, 1), np.nan).T


def _draw_together(ax: Axes, together: Floats, partition: Partition) -> None:
    from matplotlib import colormaps

    cmap = colormaps[ON_WHITE].with_extremes(bad=MISSING)
    image = ax.imshow(together, cmap=cmap, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    canvas.despine(ax, keep=("left", "bottom", "top", "right"))
    names = [c for c in partition.spans if c != "-1"]
    canvas.label_ticks(ax, "y", names, "cluster")
    canvas.add_colorbar(ax, image, "probability", extend="neither", missing=False)
