"""Components, states or clusters that were matched across sessions, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, listed
from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, ColorScale, color_scale
from dynome.viz.panels import panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_what = "matched sessions"
_units = ("component", "state", "cluster")
_columns = 4  # panels in a row
_most_nodes = 40
_doubtful = 0.05
_preferred = ("node_strength", "member", "rate", "mean", "probability", "bias", "node_factor")


def plot_group_components(
    matched: xr.Dataset, variable: str | None = None, *, n_nodes: int = _most_nodes, ax: Axes | None = None
) -> Axes:
    """What each component (state, cluster) looks like in every session, beside its mean over animals.

    Parameters
    ----------
    matched : Dataset
        As `inference.match_sessions` gives it: a variable over session, component (state, cluster) and nodes, with
        ``match_similarity`` and, where chance was drawn, ``match_p_value``.
    variable : str or None
        Over ``node`` (or ``pair``); None takes the strength of nodes, membership, rate, mean or bias.
    n_nodes : int
        So many rows at most, those with the largest means.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of a panel for each component, its ``child_axes``: a row for each node, sorted by the component in
        which it is largest, a column for the mean and one for each session. Lines divide animals; a cross stands over
        sessions that match no better than chance (p > 0.05); grey is missing.

    Raises
    ------
    InputError
        If it is no such Dataset, or has no such variable.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> dims = ("session", "component", "node")
    >>> matched = xr.Dataset({"node_strength": (dims, np.ones((2, 1, 3)))}, {"session": ["a/1", "b/1"]})
    >>> matched["match_similarity"] = (dims[:2], np.ones((2, 1)))
    >>> ax = plot_group_components(matched, ax=Figure().subplots())
    >>> [panel.get_title(loc="left").splitlines() for panel in ax.child_axes]
    [['component 0', 'similarity 1.00']]
    """
    canvas.require_variables(matched, ["match_similarity"], _what)
    unit = next((u for u in _units if u in matched["match_similarity"].dims), "")
    if not unit or "session" not in matched.dims:
        raise InputError(f"cannot draw {_what}: expected dims session and component, found {listed(matched.dims)}")
    data = _chosen(matched, variable, unit)
    n, sessions = data.sizes[unit], canvas.labels_of(data, "session")
    rows = min(data.sizes[data.dims[2]], n_nodes)
    across = min(max(n, 1), _columns)
    down = -(-max(n, 1) // _columns)
    width = max(1.7, 0.3 + 0.13 * len(sessions))
    ax = canvas.axes_or_new(ax, (1.6 + across * (width + 0.3), down * (1.4 + 0.13 * max(rows, 6))))
    values = canvas.finite(data)
    if not np.isfinite(values).any() or (scale := color_scale(values)) is None:
        return canvas.no_data(ax, "no data: nothing was matched, or all values are missing")
    animals = canvas.labels_of(matched, "animal") if "animal" in matched.coords else [s.split("/")[0] for s in sessions]
    columns = np.argsort(np.array(animals), kind="stable")
    mean = _mean(values, np.array(animals))
    order = _order(mean)[:rows]
    rooms = panel_grid(ax, n, across, gap=(0.15, 1.3))  # names of animals stand below a row, titles above the next
    for k, room in enumerate(rooms):
        _draw(room, values[columns, k][:, order].T, mean[k, order], scale)
        _divide(room, [animals[c] for c in columns])
        _tell(room, matched, unit, k, columns)
        if k % across == 0:
            names = [canvas.labels_of(data, str(data.dims[2]))[i] for i in order]
            canvas.label_ticks(room, "y", names, str(data.dims[2]))
    canvas.add_colorbar(rooms[across - 1], rooms[0].images[0], canvas.quantity(data), extend=scale.extend,
                        missing=bool(np.isnan(values).any()))  # fmt: skip
    return ax


def _chosen(matched: xr.Dataset, variable: str | None, unit: str) -> xr.DataArray:
    fits = [
        str(name)
        for name, v in matched.data_vars.items()
        if {"session", unit} < {*v.dims} and len(v.dims) == 3 and {"node", "pair"} & {*v.dims}
    ]
    known = [name for name in _preferred if name in fits] + fits
    if variable is None and not known:
        raise InputError(f"cannot draw {_what}: no variable over session, {unit} and node, found {listed(matched)}")
    name = variable or known[0]
    if name not in fits:
        raise InputError(
            f"cannot draw {_what}: {name!r} is none of those over session, {unit} and node: {listed(fits)}"
        )
    return matched[name].transpose("session", unit, ...)


def _mean(values: Floats, animals: NDArray[np.str_]) -> Floats:
    """Mean over animals of the mean over their sessions, NaN left out."""
    means = np.stack([_known_mean(values[animals == a]) for a in np.unique(animals)])
    return _known_mean(means)


def _known_mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0))


def _order(mean: Floats) -> NDArray[np.int64]:
    """Nodes with the largest means first, then by the component in which they are largest."""
    size = np.nan_to_num(np.abs(mean))
    chosen = np.argsort(-size.max(axis=0), kind="stable")[: max(_most_nodes, 1)]
    which = size.argmax(axis=0)
    return chosen[np.lexsort((-size.max(axis=0)[chosen], which[chosen]))]


def _draw(room: Axes, values: Floats, mean: Floats, scale: ColorScale) -> None:
    n, m = values.shape
    for block, left in ((values, -0.5), (mean[:, None], -2.0)):
        room.imshow(np.ma.masked_invalid(block), cmap=scale.cmap, norm=scale.norm, aspect="auto",
                    interpolation="nearest", extent=(left, left + block.shape[1], n - 0.5, -0.5))  # fmt: skip
    room.set_xlim(-2.1, m - 0.5)
    room.set_ylim(n - 0.5, -0.5)


def _divide(room: Axes, animals: list[str]) -> None:
    """White lines between animals and their names below; "mean" below the mean."""
    starts = [k for k, a in enumerate(animals) if k == 0 or a != animals[k - 1]]
    for start in starts[1:]:
        room.axvline(start - 0.5, color="white", lw=1.2)
    stops = [*starts[1:], len(animals)]
    middles = [(a + b - 1) / 2 for a, b in zip(starts, stops, strict=True)]
    names = [canvas.shortened(animals[s], 14) for s in starts]
    if len(starts) > 16:
        middles, names = [(len(animals) - 1) / 2], [f"{len(starts)} animals"]
    room.set_xticks([-1.5, *middles], ["mean", *names], rotation=90 if len(names) > 1 else 0, fontsize=canvas.NOTE)
    room.set_yticks([])
    canvas.despine(room, keep=())
    room.tick_params(length=0, pad=2, labelsize=canvas.NOTE)


def _tell(room: Axes, matched: xr.Dataset, unit: str, k: int, columns: NDArray[np.int64]) -> None:
    one = matched.isel({unit: k})
    if "shared_similarity" in one:
        similarity = float(one["shared_similarity"])
    else:
        similarity = float(one["match_similarity"].mean())
    p = f", p = {float(one['shared_p_value']):.2g}" if "shared_p_value" in one else ""
    name = canvas.labels_of(matched, unit)[k]
    title = f"{unit} {name}\nsimilarity {similarity:.2f}{p}"  # two lines, because few sessions make a narrow panel
    room.set_title(title, loc="left", fontsize=canvas.TICK, color=INK, pad=9)
    if "match_p_value" in one:
        for x in np.flatnonzero(one["match_p_value"].to_numpy()[columns] > _doubtful):
            room.annotate("×", (x, 1), (0, 1), ("data", "axes fraction"), "offset points", ha="center", va="bottom",
                          fontsize=canvas.NOTE, color=MUTED, annotation_clip=False)  # fmt: skip
