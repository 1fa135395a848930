"""The connections of a drawing: which are drawn, and as which curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import schema
from dynome.viz import canvas
from dynome.viz.palette import EDGE_TYPE, MUTED, NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_bend = 0.14  # how far a directed connection bows out, as a part of its length


class Links(NamedTuple):
    """The connections to draw, weakest first, a two-way one once."""

    source: Integers
    target: Integers
    weight: Floats
    kind: NDArray[np.str_]
    curved: NDArray[np.bool_]
    total: int


def strongest_links(connectome: xr.Dataset, ends: tuple[Integers, Integers], weight: Floats, max_edges: int) -> Links:
    """The strongest connections between different nodes.

    Parameters
    ----------
    connectome : Dataset
        Its ``edge_type`` and ``directed`` decide what is drawn once.
    ends : (n_edge,), (n_edge,)
        Positions of sources and targets.
    weight : (n_edge,)
        No NaN; a weight of zero is not drawn.
    max_edges : int
        How many at most.
    """
    source, target = ends
    types, code = schema.edge_types(connectome)
    directed = bool(connectome.attrs.get("directed", 1))
    one_way = np.array([directed and t != "gap_junction" for t in types], dtype=bool)[code]
    low, high = np.minimum(source, target), np.maximum(source, target)
    n = connectome.sizes["node"]
    keep = (source != target) & (weight != 0)
    key = (code * n + np.where(one_way, source, low)) * n + np.where(one_way, target, high)
    first = np.zeros(keep.size, dtype=bool)
    first[np.unique(key, return_index=True)[1]] = True
    chosen = np.flatnonzero(keep & (one_way | first))
    order = chosen[np.argsort(np.abs(weight[chosen]), kind="stable")]
    drawn = order[max(order.size - max_edges, 0) :]
    kind = np.array(types, dtype=np.str_)[code] if types else np.zeros(0, dtype=np.str_)
    if (weight < 0).any() and (weight > 0).any():
        kind = np.where(weight < 0, "negative", "positive")
    return Links(source[drawn], target[drawn], weight[drawn], kind[drawn], one_way[drawn], order.size)


def draw_links(ax: Axes, links: Links, place: Floats) -> None:
    """Draw each connection, wider and darker the stronger it is among its kind, and name the kinds."""
    from matplotlib.collections import LineCollection

    kinds = list(dict.fromkeys(links.kind[::-1].tolist()))
    colors = {"positive": POSITIVE, "negative": NEGATIVE} | EDGE_TYPE
    heavy = _heaviness(links, kinds)
    crowd = np.clip(np.sqrt(400 / max(heavy.size, 1)), 0.35, 1)
    rgba = _rgba([colors.get(k, MUTED) for k in links.kind.tolist()], (0.12 + 0.7 * heavy) * crowd)
    lines = LineCollection(
        list(_curves(links, place)),
        linewidths=0.25 + 1.7 * heavy,
        colors=rgba,
        zorder=1,
        capstyle="round",
        rasterized=heavy.size > 500,
    )
    ax.add_collection(lines, autolim=False)
    if len(kinds) > 1:
        canvas.add_legend(
            ax, {canvas.shortened(k.replace("_", " ")): colors.get(k, MUTED) for k in kinds}, "connections", "-", 0.0
        )


def _heaviness(links: Links, kinds: list[str]) -> Floats:
    """From 0 to 1, relative to the heaviest percent of a connection's own kind, as kinds differ in unit."""
    heavy = np.zeros(links.weight.size)
    for kind in kinds:
        own = links.kind == kind
        size = np.abs(links.weight[own])
        heavy[own] = np.minimum(size / np.quantile(size, 0.99), 1) ** 0.75
    return heavy


def _rgba(colors: list[str], alpha: Floats) -> Floats:
    from matplotlib.colors import to_rgba_array

    rgba = to_rgba_array(colors) if colors else np.zeros((0, 4))
    rgba[:, 3] = alpha
    return rgba


def _curves(links: Links, place: Floats) -> Floats:
    """``(n_link, n_point, 2)``: quadratic curves, straight where a connection has no direction."""
    start, stop = place[links.source], place[links.target]
    across = (stop - start)[:, ::-1] * np.array([-1.0, 1.0])
    bow = (start + stop) / 2 + _bend * across * links.curved[:, None]
    t = np.linspace(0, 1, 13)[None, :, None]
    curves: Floats = (1 - t) ** 2 * start[:, None] + 2 * t * (1 - t) * bow[:, None] + t**2 * stop[:, None]
    return curves
