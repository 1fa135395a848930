"""A connectome drawn: nodes sized by strength, connections coloured by type, hubs named."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import InputError, listed
from dynome.viz import canvas, layout
from dynome.viz.hubs import label_hubs
from dynome.viz.links import Links, draw_links, strongest_links
from dynome.viz.palette import CATEGORIES, INK, MISSING, MUTED, category_colors, color_scale, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_page = (8.4, 5.8)  # inches
_max_named = 14  # categories in a legend


def plot_connectome(
    connectome: xr.Dataset,
    *,
    positions: xr.Dataset | None = None,
    color: str | xr.DataArray | None = None,
    max_edges: int = 3000,
    n_labels: int = 15,
    ax: Axes | None = None,
) -> Axes:
    """The network, its strongest connections on top.

    Parameters
    ----------
    connectome : Dataset
        Nodes and edges as `dynome.schema` says.
    positions : Dataset with x (node), y (node), or None
        Where nodes are, joined by label; nodes without a place are not drawn. None takes ``x`` and ``y`` of the
        connectome, else a directed network is laid out by signal flow (senders above receivers) and an undirected
        one by attraction along edges.
    color : str, (node,) or None
        Community, cell type or a number for each node: a variable of the connectome, or an array joined by label. None
        takes ``cell_type`` where there is one.
    max_edges : int
        Only so many of the strongest connections are drawn; the figure says of how many.
    n_labels : int
        How many of the strongest nodes are named, as far as there is room.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The area of a node grows with its strength (sum of the magnitudes of its weights). Connections bow to the left
        of their direction; those that run both ways with one weight (gap junctions, undirected networks) are straight
        and drawn once. Self-connections are not drawn.

    Raises
    ------
    InputError
        If variables are missing, an edge names an unknown node, or `positions` or `color` names none of the nodes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> wiring = xr.Dataset(
    ...     {"source": ("edge", ["AVAL", "AVAL"]), "target": ("edge", ["DA1", "VA1"]), "weight": ("edge", [9.0, 4.0]),
    ...      "edge_type": ("edge", ["chemical", "chemical"])}, {"node": ["AVAL", "DA1", "VA1"]}, {"directed": 1})
    >>> ax = plot_connectome(wiring, max_edges=1, ax=Figure().subplots())
    >>> ax.texts[0].get_text()
    '1 strongest of 2 connections; senders stand above receivers'
    """
    canvas.require_variables(connectome, ("node", "source", "target", "weight", "edge_type"), "a connectome")
    if not connectome.sizes["node"]:
        return canvas.no_data(canvas.axes_or_new(ax, _page), "no data: the connectome has no nodes")
    names = canvas.labels_of(connectome, "node")
    ends = _ends(connectome, names)
    weight = np.nan_to_num(canvas.finite(connectome["weight"]))
    strength = np.bincount(np.concatenate(ends), np.tile(np.abs(weight), 2), len(names)).astype(float)
    where = positions if positions is not None else connectome if {"x", "y"} <= set(connectome.variables) else None
    place, note = _placed(where, names) if where is not None else _arranged(connectome, ends, weight)
    seen = np.asarray(np.isfinite(place).all(axis=1))
    links = strongest_links(connectome, ends, np.where(seen[ends[0]] & seen[ends[1]], weight, 0), max_edges)
    size = _sizes(strength)
    ax = canvas.axes_or_new(ax, _page if where is None else _page_for(place))
    draw_links(ax, links, place)
    _draw_nodes(ax, _values(connectome, color, names), place, size)
    _say(ax, links, note)
    _frame(ax, place, where)
    canvas.settle(ax)
    label_hubs(ax, names, place, np.where(seen, strength, 0), size, n_labels)
    return ax


def _ends(connectome: xr.Dataset, names: list[str]) -> tuple[Integers, Integers]:
    known = labels.as_labels(names)
    found = {end: labels.positions(connectome[end].to_numpy(), known) for end in ("source", "target")}
    for end, where in found.items():
        if (where < 0).any():
            strangers = np.unique(connectome[end].to_numpy()[where < 0]).tolist()
            raise InputError(f"cannot draw a connectome: {end} has unknown nodes {listed(strangers)}; drop these edges")
    return found["source"], found["target"]


def _arranged(connectome: xr.Dataset, ends: tuple[Integers, Integers], weight: Floats) -> tuple[Floats, str]:
    """A layout of the network's own, and what it means."""
    n = connectome.sizes["node"]
    if connectome.attrs.get("directed", 1):
        return layout.signal_flow(*ends, np.abs(weight), n), "senders stand above receivers"
    return layout.attraction(*ends, np.maximum(weight, 0), n), "connected nodes attract each other"


def _placed(where: xr.Dataset, names: list[str]) -> tuple[Floats, str]:
    canvas.require_variables(where, ("x", "y"), "a connectome: positions")
    place = np.column_stack([canvas.finite(_joined(where[axis], names, "positions")) for axis in ("x", "y")])
    lost = ~np.isfinite(place).all(axis=1)
    if lost.all():
        raise InputError("cannot draw a connectome: no node has finite x and y; give other positions=")
    place[lost] = np.nan
    return place, f"{int(lost.sum())} nodes without a position are not drawn" if lost.any() else ""


def _joined(values: xr.DataArray, names: list[str], what: str) -> NDArray[Any]:
    """Values in the order of `names`, None where a node has none."""
    if not isinstance(values, xr.DataArray) or values.ndim != 1:
        raise InputError(f"cannot draw a connectome: {what} must have the single dim node, with labels")
    given = canvas.labels_of(values, str(values.dims[0]))
    known = dict(zip(given, values.to_numpy().tolist(), strict=True))
    if not set(known) & set(names):
        raise InputError(f"cannot draw a connectome: {what} has none of its nodes: {given[:3]} against {names[:3]}")
    return np.array([known.get(name) for name in names], dtype=object)


def _values(connectome: xr.Dataset, color: str | xr.DataArray | None, names: list[str]) -> xr.DataArray | None:
    """What colours the nodes, in their order; None where nothing does."""
    if color is None and "cell_type" in connectome.variables:
        color = "cell_type"
    if isinstance(color, str):
        canvas.require_variables(connectome, [color], "a connectome: color")
        color = connectome[color]
    if color is None:
        return None
    joined = _joined(color, names, "color")
    if color.dtype.kind == "f":
        joined = canvas.finite([np.nan if v is None else v for v in joined])
    return xr.DataArray(joined, dims="node", name=color.name, attrs=color.attrs)


def _sizes(strength: Floats) -> Floats:
    """Areas in square points, smaller where there are many nodes."""
    largest = float(np.clip(260 * np.sqrt(120 / strength.size), 6, 260))
    top = np.quantile(strength, 0.99)  # a few giants must not make everybody else invisible
    return (
        largest * (0.06 + 0.94 * np.minimum(strength / top, 1.5)) if top > 0 else np.full(strength.shape, 0.3 * largest)
    )


def _draw_nodes(ax: Axes, values: xr.DataArray | None, place: Floats, size: Floats) -> None:
    order = np.argsort(-size, kind="stable")
    style: dict[str, Any] = {"s": size[order], "linewidths": 0.5, "edgecolors": "white", "zorder": 3}
    x, y = place[order].T
    if values is None:
        ax.scatter(x, y, color=CATEGORIES[0], **style)
    elif values.dtype.kind == "f":
        _draw_numbers(ax, values, order, (x, y), style)
    else:
        words = [str(v) for v in values.to_numpy()]
        colors = category_colors(words)
        ax.scatter(x, y, color=[colors[words[k]] for k in order], **style)
        _name_categories(ax, words, colors, canvas.quantity(values, "group"))


def _draw_numbers(
    ax: Axes, values: xr.DataArray, order: Integers, place: tuple[Floats, Floats], style: dict[str, Any]
) -> None:
    scale = color_scale(values.to_numpy())
    if scale is None:
        ax.scatter(*place, color=MISSING, **style)
        return
    dots = ax.scatter(
        *place,
        c=values.to_numpy()[order],
        cmap=scale.cmap,
        norm=scale.norm,
        plotnonfinite=True,
        **style | {"edgecolors": MUTED},
    )
    missing = bool(values.isnull().any())
    canvas.add_colorbar(ax, dots, canvas.quantity(values), extend=scale.extend, missing=missing, bottom=0.35)


def _name_categories(ax: Axes, words: list[str], colors: dict[str, str], title: str) -> None:
    """A legend of the largest categories; the rest are counted."""
    common = [w for w, _ in Counter(words).most_common(_max_named)]
    named = {"unknown" if unknown(w) else canvas.shortened(w): c for w, c in colors.items() if w in common}
    if rest := len(colors) - len(common):
        named[f"and {rest} more"] = "none"
    canvas.add_legend(ax, named, title, "o", 1.0)


def _frame(ax: Axes, place: Floats, where: xr.Dataset | None) -> None:
    """Room around the nodes; where positions are real, one scale for both axes and a scale bar."""
    low, high = np.nanmin(place, axis=0), np.nanmax(place, axis=0)
    span = np.maximum(high - low, 0.02 * (high - low).max() or 1.0)
    ax.set_xlim(low[0] - 0.04 * span[0], high[0] + 0.06 * span[0])
    ax.set_ylim(low[1] - 0.09 * span[1], high[1] + 0.05 * span[1])
    ax.set(xticks=[], yticks=[])
    canvas.despine(ax, keep=())
    if where is None:
        return
    ax.set_aspect("equal", adjustable="box")
    if unit := canvas.unit_of(where["x"]):
        length = _round_length(0.2 * span[0])
        end, floor = high[0], low[1] - 0.05 * span[1]
        bar = {"arrowstyle": "-", "lw": 1.5, "color": INK, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (end - length, floor), (end, floor), arrowprops=bar)
        style: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "top", "fontsize": canvas.NOTE}
        ax.annotate(f"{length:g} {unit}", (end, floor), (0, -3), **style)


def _page_for(place: Floats) -> tuple[float, float]:
    """A figure of the shape of the body, beside which the legends fit."""
    width, height = np.nanmax(place, axis=0) - np.nanmin(place, axis=0)
    return _page[0], float(np.clip(0.6 + 6.4 * height / width, 2.8, 8)) if width > 0 else _page[1]


def _round_length(length: float) -> float:
    """1, 2 or 5 times a power of ten, not longer than `length`."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step for step in (1, 2, 5) if step * power <= length) * power)


def _say(ax: Axes, links: Links, note: str) -> None:
    """Under the drawing: how many connections it shows, and what its layout means."""
    drawn = links.weight.size
    count = f"{drawn:,} strongest of {links.total:,} connections" if drawn < links.total else f"{drawn:,} connections"
    once = "two-way ones drawn once" if not links.curved.all() else ""
    style: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": canvas.NOTE, "color": MUTED}
    ax.annotate("; ".join(filter(None, (count, once, note))), (0, 0), (0, -4), xycoords="axes fraction", **style)
