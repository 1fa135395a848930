"""How often two nodes, or two moments, are together in the draws of a posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.biclustering.tree import Bins, Floats, Partition, bins_of, group_of, partition_of
from dynome.viz.blocks import add_strip
from dynome.viz.palette import INK, MISSING, ON_WHITE
from dynome.viz.ribbon import draw_ribbon
from dynome.viz.states import add_state_legend, state_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_max_sharp = 200  # rows; of more, several share a pixel
_max_cells = 1000  # rows drawn; more are averaged in blocks
_named = 0.02  # smaller clusters carry no name
_ribbon = 0.035  # of the matrix
_rows = ("node", "time")


def plot_similarity(results: xr.DataTree, *, of: Literal["node", "time"] = "node", ax: Axes | None = None) -> Axes:
    """Posterior probability that two nodes share a cluster, or that two moments share a state.

    Parameters
    ----------
    results : DataTree
        As `Biclustering.results_`: ``/clustering`` with ``node_similarity`` or ``state_similarity``.
    of : {"node", "time"}
        Nodes are drawn cluster by cluster of the point partition, the surest first; moments as they follow each other.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        Blocks of the point partition are outlined and named beside a coloured strip. Dark outside the blocks is what
        the point partition does not tell. Beside moments runs the ribbon of their states.

    Raises
    ------
    InputError
        If the similarity is missing, as that of states is where a recording is long.

    Notes
    -----
    More than 1,000 rows are averaged in square blocks.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> names = {"node": list("abc"), "other_node": list("abc")}
    >>> together = xr.DataArray([[1, 0.1, 0.9], [0.1, 1, 0.2], [0.9, 0.2, 1]], names, ("node", "other_node"))
    >>> clustering = xr.Dataset({"node_similarity": together, "cluster_vi": ("node", [0, 1, 0])})
    >>> ax = plot_similarity(xr.DataTree.from_dict({"clustering": clustering}), ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['a', 'c', 'b']
    """
    if of not in _rows:
        raise InputError(f"similarity is of {_rows[0]!r} or {_rows[1]!r}, got {of!r}")
    return _of_nodes(results, ax) if of == "node" else _of_times(results, ax)


def _of_nodes(results: xr.DataTree, ax: Axes | None) -> Axes:
    data = group_of(results, "clustering", ["node_similarity"], "similarities of nodes")
    partition = partition_of(results, "similarities of nodes")
    values = _square(data["node_similarity"], "node")
    ax = canvas.axes_or_new(ax, (6.2, 5.2))
    if not np.isfinite(values).any():
        return canvas.no_data(ax, "no data: there are no nodes, or every similarity is missing")
    image = draw_node_similarity(ax, values, partition)
    ax.set_box_aspect(1)
    names = [partition.names[k] for k in partition.order]
    canvas.label_ticks(ax, "x", names, "node")
    canvas.label_ticks(ax, "y", names, "node, by cluster", f"{len(names):,} nodes, by cluster")
    add_cluster_strip(ax, "y", partition)
    canvas.add_colorbar(ax, image, "probability of one cluster", extend="neither", missing=bool(np.isnan(values).any()))
    canvas.settle(ax)
    return ax


def draw_node_similarity(ax: Axes, values: Floats, partition: Partition) -> AxesImage:
    """The matrix in the order of the clusters, which are outlined."""
    from matplotlib.patches import Rectangle

    image = _image(ax, values[np.ix_(partition.order, partition.order)])
    for first, last in partition.spans.values():
        if len(partition.spans) > 1:
            side = last - first
            ax.add_patch(Rectangle((first - 0.5, first - 0.5), side, side, fill=False, ec=INK, lw=0.9, clip_on=False))
    return image


def add_cluster_strip(ax: Axes, axis: Literal["x", "y"], partition: Partition, *, beside: bool = False) -> None:
    """A coloured bar for each cluster along one side, named where there is room and rows carry no names."""
    rows = partition.order.size
    add_strip(ax, axis, partition.spans, rows, partition.colors, named=False)
    if beside or ax.get_yticks().size:
        return
    strip = ax.child_axes[-1]
    wide = {c: (a + b - 1) / 2 for c, (a, b) in partition.spans.items() if b - a >= _named * rows and c != "-1"}
    strip.set_yticks(list(wide.values()), list(wide), fontsize=canvas.NOTE)
    strip.tick_params(length=0, pad=1)
    points = 72 / ax.figure.dpi
    ax.yaxis.labelpad = 18 + 0.03 * ax.get_window_extent().width * points


def _of_times(results: xr.DataTree, ax: Axes | None) -> Axes:
    data = group_of(results, "clustering", ["state_similarity"], "similarities of moments")
    bins = bins_of(results, "similarities of moments")
    values = _square(data["state_similarity"], "bin" if "bin" in data["state_similarity"].dims else "time")
    ax = canvas.axes_or_new(ax, (6.2, 5.4))
    if not np.isfinite(values).any():
        return canvas.no_data(ax, "no data: there are no moments, or every similarity is missing")
    clock = bins.clock.to_numpy() if len(values) == bins.keep.size else np.arange(len(values), dtype=float)
    step = float(np.median(np.diff(clock))) if clock.size > 1 else 1.0
    ends = (clock[0] - step / 2, clock[-1] + step / 2)
    image = _image(ax, values, extent=(*ends, *ends[::-1]))
    ax.set_box_aspect(1)
    name = canvas.quantity(bins.clock)
    ax.set_xlabel(name, fontsize=canvas.LABEL)
    ax.set_ylabel(name, fontsize=canvas.LABEL)
    if len(values) == bins.keep.size:
        _add_ribbons(ax, bins)
    canvas.add_colorbar(ax, image, "probability of one state", extend="neither", missing=bool(np.isnan(values).any()))
    canvas.settle(ax)
    return ax


def _add_ribbons(ax: Axes, bins: Bins) -> None:
    limits = ax.get_xlim()
    labels = list(range(int(bins.path.max()) + 1))
    above = ax.inset_axes((0, 1 + _ribbon / 3, 1, _ribbon))
    draw_states(above, bins)
    above.set_xlim(limits)
    above.set_xticks([])
    add_state_legend(above, labels)


def draw_states(ax: Axes, bins: Bins) -> None:
    """The ribbon of the states of the point partition."""
    labels = np.arange(int(bins.path.max(initial=0)) + 1)
    share = (bins.path[:, None] == labels).astype(float)
    draw_ribbon(ax, bins.clock.to_numpy(), share, labels.tolist())


def state_legend_labels(bins: Bins) -> dict[str, str]:
    """States that occur, with their colours."""
    found = np.unique(bins.path).tolist()
    return dict(zip(map(str, found), state_colors(found), strict=True))


def _image(ax: Axes, values: Floats, **place: Any) -> AxesImage:
    from matplotlib import colormaps

    factor = -(-len(values) // _max_cells)
    n = len(values)
    if factor > 1:
        padded = xr.DataArray(values, dims=("a", "b")).coarsen(a=factor, b=factor, boundary="pad")
        values = padded.mean().to_numpy()
    how = "nearest" if len(values) <= _max_sharp else "antialiased"
    place = {"extent": (-0.5, n - 0.5, n - 0.5, -0.5)} | place
    cmap = colormaps[ON_WHITE].with_extremes(bad=MISSING)
    image = ax.imshow(values, cmap=cmap, vmin=0, vmax=1, aspect="auto", interpolation=how, **place)
    canvas.despine(ax, keep=("left", "bottom", "top", "right"))
    return image


def _square(matrix: xr.DataArray, dim: str) -> Floats:
    dims = [dim, *(str(d) for d in matrix.dims if d != dim)]
    if len(dims) != 2 or dim not in matrix.dims or len({matrix.sizes[d] for d in dims}) != 1:
        raise InputError(f"cannot draw similarities: expected a square matrix over {dim}, found {dict(matrix.sizes)}")
    return canvas.finite(matrix.transpose(*dims))
