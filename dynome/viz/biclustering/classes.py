"""Clusters beside what is known of the nodes: region, cell type, layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.biclustering.similarity import add_cluster_strip
from dynome.viz.biclustering.tree import Floats, Labels, Partition, classes_of, group_of, partition_of
from dynome.viz.palette import category_colors, unknown
from dynome.viz.ribbon import text_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_max_draws = 400
_max_written = 12  # classes or clusters whose numbers are legible
_unknown = "unknown"
_what = "clusters by class"


class Table(NamedTuple):
    """Nodes ``(n_cluster, n_class)``, and what rows and columns are called."""

    members: NDArray[np.int64]
    clusters: list[str]
    classes: list[str]


def plot_cluster_classes(results: xr.DataTree, *, by: str | None = None, ax: Axes | None = None) -> Axes:
    """Nodes of each cluster by what is known of them.

    Parameters
    ----------
    results : DataTree
        As `Biclustering.results_`: ``/clustering`` with a coordinate of the nodes, such as their region.
    by : str or None
        Which coordinate; None takes the first there is of ``cell_type``, ``cell_class``, ``region``, ``area`` and
        ``layer``.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        A row for each cluster of the point partition, a column for each class. Colours are the share of a cluster's
        nodes, numbers the nodes themselves. The title tells the adjusted Rand index between classes and clusters (1 is
        the same, 0 what chance gives), its mean and 95 % interval over draws where ``/posterior`` has them. Nodes of
        unknown class do not count in it.

    Raises
    ------
    InputError
        If the nodes have no such coordinate.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> region = ("node", ["V1", "V1", "CA1", "CA1"])
    >>> clustering = xr.Dataset({"cluster_vi": ("node", [0, 0, 1, 0])}, {"region": region})
    >>> ax = plot_cluster_classes(xr.DataTree.from_dict({"clustering": clustering}), ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_xticklabels()], [text.get_text() for text in ax.texts]
    (['CA1 (2)', 'V1 (2)'], ['1', '2', '1'])
    """
    data = group_of(results, "clustering", (), _what)
    partition = partition_of(results, _what)
    classes = classes_of(data, by, _what)
    if classes is None or not classes.size:
        why = "there are no nodes" if classes is not None else "the nodes have no region, cell type or other class"
        return canvas.no_data(canvas.axes_or_new(ax, (4.0, 3.0)), f"no data: {why}")
    table = table_of(partition, classes)
    rows, columns = table.members.shape
    ax = canvas.axes_or_new(
        ax, (float(np.clip(2.6 + 0.55 * columns, 4.4, 9)), float(np.clip(1.7 + 0.3 * rows, 2.6, 7)))
    )
    draw_classes(ax, table)
    strip_of_rows(ax, partition)
    ax.set_title(_agreement(results, partition, _words(classes)), fontsize=canvas.TICK)
    ax.set_xlabel(str(classes.name).replace("_", " "), fontsize=canvas.LABEL)
    canvas.settle(ax)
    return ax


def _words(classes: xr.DataArray) -> list[str]:
    return [_unknown if unknown(v) else str(v) for v in classes.to_numpy().tolist()]


def table_of(partition: Partition, classes: xr.DataArray) -> Table:
    """Nodes of each cluster in each class; unknown classes last."""
    words = _words(classes)
    names = list(category_colors(words))
    clusters = list(partition.spans)
    row = {c: k for k, c in enumerate(clusters)}
    column = {c: k for k, c in enumerate(names)}
    count = np.zeros((len(clusters), len(names)), dtype=np.int64)
    np.add.at(count, ([row[str(c)] for c in partition.cluster.tolist()], [column[w] for w in words]), 1)
    return Table(count, clusters, names)


def draw_classes(ax: Axes, table: Table) -> None:
    """The table as a heat map with its numbers."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    share = table.members / np.maximum(table.members.sum(axis=1, keepdims=True), 1)
    cmap = colormaps["Greys"]
    image = ax.imshow(share, cmap=cmap, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    canvas.despine(ax, keep=("left", "bottom", "top", "right"))
    if max(table.members.shape) <= _max_written:
        for row, column in zip(*np.nonzero(table.members), strict=True):
            color = text_color(to_hex(cmap(float(share[row, column]))))
            number = str(table.members[row, column])
            ax.text(column, row, number, ha="center", va="center", fontsize=canvas.TICK, color=color)
    sizes, members = table.members.sum(axis=1), table.members.sum(axis=0)
    canvas.label_ticks(ax, "y", [f"{c} ({n})" for c, n in zip(table.clusters, sizes, strict=True)], "cluster (nodes)")
    canvas.label_ticks(ax, "x", [f"{c} ({n})" for c, n in zip(table.classes, members, strict=True)], "class")
    if max(len(c) for c in table.classes) <= 5 and len(table.classes) <= 8:
        ax.tick_params(axis="x", rotation=0)
    canvas.add_colorbar(ax, image, "share of the cluster", extend="neither", missing=False)


def strip_of_rows(ax: Axes, partition: Partition) -> None:
    """The colour of each cluster beside its row."""
    rows = {c: (k, k + 1) for k, c in enumerate(partition.spans)}
    spread = partition._replace(spans=rows, order=np.arange(len(rows)))
    add_cluster_strip(ax, "y", spread, beside=True)


def _agreement(results: xr.DataTree, partition: Partition, words: list[str]) -> str:
    classes, known = np.unique(words, return_inverse=True)[1], np.array([w != _unknown for w in words])
    point = f"adjusted Rand index {rand_index(partition.cluster[known], classes[known]):.2f}"
    if "posterior" not in results.children or "cluster" not in results["posterior"].data_vars:
        return point
    draws = results["posterior"]["cluster"]
    stacked = draws.transpose("chain", "draw", "node").to_numpy().reshape(-1, draws.sizes["node"])
    some = stacked[:: max(-(-len(stacked) // _max_draws), 1)]
    if not len(some):
        return point
    index = np.array([rand_index(d[known].astype(np.int64), classes[known]) for d in some])
    low, high = np.quantile(index, (0.025, 0.975))
    mean, low, high = (f"{v:.2f}".replace("-0.00", "0.00") for v in (index.mean(), low, high))
    return f"adjusted Rand index {mean} (95 %: {low} to {high})"


def rand_index(a: Labels, b: Labels) -> float:
    """Adjusted Rand index of two partitions (Hubert and Arabie, doi:10.1007/BF01908075).

    Examples
    --------
    >>> rand_index(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]))
    1.0
    """
    if not a.size:
        return float("nan")
    table = np.zeros((int(a.max()) + 2, int(b.max()) + 2))
    np.add.at(table, (a + 1, b + 1), 1)

    def pairs(n: Floats) -> float:
        return float((n * (n - 1)).sum() / 2)

    both, one, other = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = one * other / max(a.size * (a.size - 1) / 2, 1)
    most = (one + other) / 2
    return (both - chance) / (most - chance) if most != chance else 1.0
