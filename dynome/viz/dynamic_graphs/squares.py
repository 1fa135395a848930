"""Small matrices of the same nodes side by side: one order, networks as coloured strips, one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.blocks import add_strip, spans_of
from dynome.viz.order import Order, by_community, by_similarity
from dynome.viz.palette import INK, MISSING, ColorScale, category_colors, color_scale, unknown
from dynome.viz.states import add_row_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

MAX_SIMILAR = 400  # nodes sorted by similarity; more stay as stored within their network
MAX_SHARP = 120  # rows; of more, several share a pixel
_gap = (0.16, 0.34)  # inches


def networks_of(array: xr.DataArray, dim: str, network: str) -> list[Any]:
    """Network of each label of `dim`: its coordinate ``<dim>_<network>`` or ``<network>``; empty without one."""
    for name in (f"{dim}_{network}", network):
        if name in array.coords and array[name].dims == (dim,):
            return ["" if unknown(v) else v for v in array[name].to_numpy().tolist()]
    return []


def ordered(matrices: Floats, names: Sequence[str], groups: Sequence[Any]) -> Order:
    """An order of nodes for all of the matrices ``(n, node, node)``: network by network, neighbours alike."""
    n = len(names)
    if n > MAX_SIMILAR:
        within = np.arange(n, dtype=float)
    else:
        within = np.argsort(by_similarity(matrices.reshape(-1, n), names)).astype(float)
    return by_community(groups or [""] * n, within)


def scale_of(matrices: Floats) -> ColorScale | None:
    """One colour scale for the entries of all matrices, those of a node with itself left out."""
    other = np.eye(*matrices.shape[1:]) == 0
    return color_scale(matrices[:, other]) or color_scale(matrices)


def graph_scale() -> ColorScale:
    """Edges black on white, what is not known grey."""
    from matplotlib.colors import ListedColormap, Normalize

    return ColorScale(ListedColormap(["white", INK]).with_extremes(bad=MISSING), Normalize(0, 1), "neither")


def draw_squares(
    host: Axes, matrices: Floats, titles: Sequence[str], groups: Sequence[Any], scale: ColorScale, label: str,
    *, columns: int, title: str = "network",
) -> list[Axes]:  # fmt: skip
    """Draw the matrices in rows of `columns` at the upper left of `host`.

    Parameters
    ----------
    host : Axes
        Its room is divided; it becomes invisible.
    matrices : (n, node, node)
        In the order in which nodes are drawn.
    titles : (n,)
    groups : (node,) or empty
        Network of each node, in the same order.
    scale : ColorScale
    label : str
        Of the colour bar; none is drawn where it is empty.
    columns : int
    title : str
        Of the legend of the networks.

    Returns
    -------
    list of Axes
    """
    rooms, whole = _rooms(host, len(matrices), columns)
    colors = category_colors(groups)
    spans = spans_of(list(groups))
    how = "nearest" if matrices.shape[1] <= MAX_SHARP else "antialiased"
    for room, values, name in zip(rooms, matrices, titles, strict=True):
        image = room.imshow(values, cmap=scale.cmap, norm=scale.norm, interpolation=how, aspect="auto")
        room.set_box_aspect(1)
        room.set(xticks=[], yticks=[])
        room.set_title(name, loc="left", fontsize=canvas.TICK, color=INK, pad=6 if groups else 3)
        canvas.despine(room, keep=("left", "bottom", "top", "right"))
        for axis in ("x", "y") if groups else ():
            add_strip(room, axis, spans, len(groups), colors, named=False)
    if label:
        canvas.add_colorbar(whole, image, label, extend=scale.extend, missing=bool(np.isnan(matrices).any()))
    if groups:
        named = {"unknown" if unknown(name) else name: color for name, color in colors.items()}
        add_row_legend(whole, named, title, "upper left", (0, -0.02))
    return rooms


def _rooms(host: Axes, count: int, columns: int) -> tuple[list[Axes], Axes]:
    """Square rooms, packed at the upper left of their host, and one that spans them all."""
    canvas.settle(host)
    host.set_axis_off()
    box, dpi = host.get_window_extent(), host.figure.dpi
    rows = -(-count // columns)
    width, height = box.width / dpi, box.height / dpi
    side = max(min((width + _gap[0]) / columns - _gap[0], (height + _gap[1]) / rows - _gap[1]), 0.2)
    across, down = side + _gap[0], side + _gap[1]
    places = [divmod(k, columns) for k in range(count)]
    rooms = [
        host.inset_axes((col * across / width, 1 - (row * down + side) / height, side / width, side / height))
        for row, col in places
    ]
    taken = (columns * across - _gap[0]) / width, (rows * down - _gap[1]) / height
    whole = host.inset_axes((0, 1 - taken[1], *taken), zorder=-1)
    whole.set_axis_off()
    return rooms, whole
