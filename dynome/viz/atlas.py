"""An atlas of motifs: for each component when it is active, in whom, which nodes it links, and how they group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, listed
from dynome.viz import canvas, layout, samples
from dynome.viz.blocks import add_blocks
from dynome.viz.hubs import label_hubs
from dynome.viz.links import Links, draw_links
from dynome.viz.motifs import Motif, links_of, motif_of, require_atlas
from dynome.viz.palette import INK, MISSING, MUTED, ON_WHITE, SERIES, category_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_row = 2.3  # inches
_width = 12.5
_rooms = {"course": (0.0, 0.34), "animals": (0.355, 0.06), "matrix": (0.52, 0.16), "network": (0.72, 0.28)}
_gap = 0.24  # of a row, for titles and time axes
_strip = 0.1  # of a row, for each epoch
_significant = 0.05
_longest = 13  # letters of the name of an animal, which stands between two panels


def plot_atlas(
    results: xr.Dataset,
    *,
    components: Sequence[int] | None = None,
    max_edges: int = 80,
    n_labels: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """The dynamic functional connectome on one page, a row for each component.

    Parameters
    ----------
    results : Dataset
        As `DynamicConnectome.results_`.
    components : list of int or None
        Which components, by their labels; None draws all.
    max_edges : int
        How many of the strongest pairs of a motif are drawn as links.
    n_labels : int
        How many of its strongest nodes are named, as far as there is room.
    ax : Axes or None
        Where to draw; None makes a figure. The panels divide its room.

    Returns
    -------
    Axes
        The host of the panels, which are its ``child_axes``, four for each component: the time course (shaded where
        the component is active, over bars that show when each epoch was on: the darker, the more animals), the
        animals (grey where it is not expressed), the matrix of pair loadings ordered by community, and the network,
        coloured by community. An asterisk marks epochs with q < 0.05. Components that are not above chance are grey.

    Raises
    ------
    InputError
        If `results` is no atlas, or a component is unknown.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> pair = {"source": ("pair", ["a", "a", "b"]), "target": ("pair", ["b", "c", "c"])}
    >>> atlas = xr.Dataset(
    ...     {"time_factor": (("time", "component"), np.eye(4)[:, :1]), "weight": ("component", [2.0]),
    ...      "pair_factor": (("pair", "component"), [[0.8], [0.5], [0.3]]),
    ...      "community": (("component", "node"), [[0, 0, 1]]),
    ...      "node_strength": (("component", "node"), [[1.3, 1.1, 0.8]])}, {"node": ["a", "b", "c"], **pair})
    >>> host = plot_atlas(atlas, ax=Figure(figsize=(12, 3)).subplots())
    >>> len(host.child_axes)
    4
    """
    atlas = require_atlas(results)
    shown = _positions(atlas, components)
    ax = canvas.axes_or_new(ax, (_width, _row * max(len(shown), 1) + 0.5))
    if not shown or not atlas.sizes["time"] or not np.isfinite(atlas["time_factor"]).any():
        return canvas.no_data(ax, "no data: the atlas has no components, or all their values are missing")
    ax.set_axis_off()
    share = np.nan_to_num(canvas.finite(atlas["weight"]))
    share = share / (share.sum() or 1.0)
    for row, k in enumerate(shown):
        motif = motif_of(atlas, k)
        color = SERIES[k % len(SERIES)] if _above_chance(atlas, k) else MUTED
        room = {name: _room(ax, name, row, len(shown)) for name in _rooms}
        _draw_course(room["course"], atlas, k, color)
        room["course"].set_title(_title(atlas, k, share[k]), loc="left", fontsize=canvas.TICK, color=INK, pad=3)
        _draw_animals(room["animals"], atlas, k, color)
        _draw_matrix(room["matrix"], motif)
        _draw_network(room["network"], motif, max_edges, n_labels)
    room["course"].set_xlabel(canvas.quantity(canvas.clock_of(atlas["time_factor"])), fontsize=canvas.TICK)
    return ax


def _positions(atlas: xr.Dataset, components: Sequence[int] | None) -> list[int]:
    known = atlas["component"].to_numpy().tolist()
    if components is None:
        return list(range(len(known)))
    if strangers := [c for c in components if c not in known]:
        raise InputError(f"the atlas has no components {listed(strangers)}; it has {listed(known)}")
    return [known.index(c) for c in components]


def _room(ax: Axes, name: str, row: int, count: int) -> Axes:
    left, width = _rooms[name]
    height = 1 / count
    return ax.inset_axes((left, 1 - (row + 1) * height + 0.6 * _gap * height, width, (1 - _gap) * height))


def _above_chance(atlas: xr.Dataset, k: int) -> bool:
    return "above_chance" not in atlas or bool(atlas["above_chance"].to_numpy()[k])


def _title(atlas: xr.Dataset, k: int, share: float) -> str:
    parts = [f"component {atlas['component'].to_numpy()[k]}", f"{100 * share:.0f} % of weight"]
    if "p_value" in atlas and np.isfinite(p := float(atlas["p_value"].to_numpy()[k])):
        parts.append(f"p = {p:.2g}" if _above_chance(atlas, k) else f"not above chance, p = {p:.2g}")
    return ", ".join(parts)


def _draw_course(ax: Axes, atlas: xr.Dataset, k: int, color: str) -> None:
    """The time course, shaded where it is active, over a strip for each epoch."""
    time = canvas.clock_of(atlas["time_factor"]).to_numpy()
    values = canvas.finite(atlas["time_factor"].transpose("component", "time"))[k]
    top = np.nanmax(values, initial=0) or 1.0
    start, stop = samples.edges(time)
    if "active" in atlas:
        on = atlas["active"].transpose("component", "time").to_numpy()[k].astype(bool)
        for a, b in samples.runs(on):
            ax.axvspan(start[a], stop[b], ymin=0, color=color, alpha=0.13, lw=0)
    x, y = samples.envelope(*samples.paused(time, values / top))
    ax.fill_between(x, 0, y, color=color, alpha=0.35, lw=0)
    ax.plot(x, y, color=color, lw=1.0, solid_joinstyle="round")
    names = _draw_epochs(ax, atlas, k, start, stop)
    if start[0] < 0 < stop[-1]:  # time from an event
        ax.axvline(0, color=MUTED, lw=0.8, zorder=0)
    ax.set_xlim(start[0], stop[-1])
    ax.set_ylim(-_strip * len(names) - 0.02, 1.04)
    ax.axhline(0, color=MUTED, lw=0.5)
    canvas.despine(ax, keep=("bottom",))
    ax.set_yticks([-_strip * (r + 0.5) for r in range(len(names))], names, fontsize=canvas.NOTE)
    ax.tick_params(axis="y", length=0, pad=2)
    ax.tick_params(axis="x", labelsize=canvas.NOTE)


def _draw_epochs(ax: Axes, atlas: xr.Dataset, k: int, start: Floats, stop: Floats) -> list[str]:
    """A strip for each epoch, darker where more of the animals were in it; the names of the strips."""
    if "epoch_active" not in atlas:
        return []
    on = atlas["epoch_active"].astype(float)
    if "animal" in on.dims:
        on = on.mean("animal")
    values = canvas.finite(on.transpose("epoch", "time"))
    limits = np.append(start, stop[-1])
    for row, level in enumerate(values):
        heights = [-_strip * (row + 0.92), -_strip * (row + 0.08)]
        ax.pcolormesh(limits, heights, level[None], cmap="Greys", vmin=0, vmax=1.1, rasterized=True)
    starred = np.zeros(len(values), dtype=bool)
    if "overlap_q" in atlas:
        starred = canvas.finite(atlas["overlap_q"].transpose("component", "epoch"))[k] < _significant
    names = canvas.labels_of(on, "epoch")
    return [canvas.shortened(n.replace("_", " ")) + (" *" if s else "") for n, s in zip(names, starred, strict=True)]


def _draw_animals(ax: Axes, atlas: xr.Dataset, k: int, color: str) -> None:
    if "animal_factor" not in atlas:
        ax.set_axis_off()
        return
    loading = np.nan_to_num(canvas.finite(atlas["animal_factor"].transpose("component", "animal"))[k])
    expressed = np.ones(loading.size, dtype=bool)
    if "expressed" in atlas:
        expressed = atlas["expressed"].transpose("component", "animal").to_numpy()[k].astype(bool)
    place = np.arange(loading.size)
    ax.barh(place, loading / (loading.max() or 1.0), 0.75, color=[color if e else MISSING for e in expressed])
    ax.set_ylim(loading.size - 0.4, -0.6)
    ax.set_xlim(0, 1.05)
    canvas.despine(ax, keep=("left",))
    ax.set_xticks([])
    names = [canvas.shortened(n, _longest) for n in canvas.labels_of(atlas, "animal")]
    canvas.label_ticks(ax, "y", names, "")
    ax.yaxis.tick_right()
    ax.set_title("animals", loc="left", fontsize=canvas.NOTE, color=MUTED, pad=3)


def _draw_matrix(ax: Axes, motif: Motif) -> None:
    from matplotlib import colormaps

    if motif.node.size < 2:
        canvas.no_data(ax, "no two nodes\ntake part")
        return
    seen = motif.matrix[np.isfinite(motif.matrix)]
    top = float(np.quantile(seen, 0.99)) if seen.size else 1.0
    cmap = colormaps[ON_WHITE].with_extremes(bad=MISSING)
    shown = motif.matrix.copy()
    np.fill_diagonal(shown, 0.0)  # not missing: a node has no pair with itself
    ax.imshow(shown, cmap=cmap, vmin=0, vmax=top or 1.0, interpolation="nearest", rasterized=True)
    ax.set_box_aspect(1)
    ax.set(xticks=[], yticks=[])
    canvas.despine(ax, keep=())
    groups = motif.community.tolist()
    add_blocks(ax, groups, groups)
    for strip in ax.child_axes:
        strip.set(xticks=[], yticks=[])
    told = f"{motif.node.size} nodes, {_communities(len(set(groups)))}; dark: strong"
    ax.set_xlabel(told, fontsize=canvas.NOTE, color=MUTED)


def _communities(count: int) -> str:
    return "1 community" if count == 1 else f"{count} communities"


def _draw_network(ax: Axes, motif: Motif, max_edges: int, n_labels: int) -> None:
    i, j, loading = links_of(motif, max_edges)
    ax.set(xticks=[], yticks=[])
    canvas.despine(ax, keep=())
    if not i.size:
        return
    place = place_of(motif, max_edges)
    kind, straight = np.full(i.size, "pair"), np.zeros(i.size, dtype=bool)
    draw_links(ax, Links(i, j, loading, kind, straight, i.size), place)
    size = 8 + 90 * motif.strength / (motif.strength.max() or 1.0)
    colors = category_colors(motif.community.tolist())
    x, y = place.T
    ax.scatter(x, y, s=size, color=[colors[str(c)] for c in motif.community], lw=0.4, edgecolors="white", zorder=3)
    ax.set_xlim(-0.06, 1.41)
    ax.set_ylim(-0.06, 1.06)
    canvas.settle(ax)
    label_hubs(ax, motif.node.tolist(), place, motif.strength, size, n_labels)


def place_of(motif: Motif, count: int) -> Floats:
    """Where the nodes of a motif stand: ``(n, 2)``, linked ones near each other."""
    i, j, loading = links_of(motif, count)
    return layout.attraction(i, j, loading, motif.node.size)
