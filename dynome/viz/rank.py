"""Rank curves: what error, foresight and stability say about the number of components."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_rank = "rank"
_spread = 0.5  # of the room of a rank that the points of its restarts fill
_consistency_floor = -25.0  # what is lower is drawn there, with an arrow


def plot_rank_curve(curve: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Error, held-out error, stability, effective dimension and core consistency against the rank.

    Parameters
    ----------
    curve : Dataset
        As `inference.rank_curve` gives it: ``error (rank, restart)``; what else it has is drawn under it. NaN is left
        out. ``attrs["rank"]``, the chosen rank, is marked.
    ax : Axes or None
        Where to draw; None makes a figure. The panels under the first take a part of its room.

    Returns
    -------
    Axes
        The first panel, the error of every start. The panel under it shows how much larger the held-out error is than
        at the best rank, with the standard error of that difference over folds (or animals): where the bar reaches 0,
        a rank foretells hidden data as well as the best. In the last panel an arrow marks what lies below.

    Raises
    ------
    InputError
        If ``error`` is missing or a variable has other dims.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> error = xr.DataArray([[0.5, 0.5], [0.2, 0.3], [0.19, 0.2]], dims=("rank", "restart"))
    >>> curve = xr.Dataset({"error": error}, {"rank": [1, 2, 3]}, {"rank": 2})
    >>> ax = plot_rank_curve(curve, ax=Figure().subplots())
    >>> [float(x) for x in ax.lines[0].get_xdata()]
    [1.0, 2.0, 3.0]
    """
    canvas.require_variables(curve, ("error",), "a rank curve")
    error = _over_rank(curve, "error")
    panels = [draw for needed, draw in _panels.items() if any(_has(curve, name) for name in needed)]
    ax = canvas.axes_or_new(ax, (6.4, 1.2 + 1.35 * (1 + len(panels))))
    if not np.isfinite(canvas.finite(error)).any():
        return canvas.no_data(ax, "no data: there is no rank, or every error is missing")
    rooms = _rooms(ax, 1 + len(panels))
    rank = (
        curve[_rank].to_numpy().astype(np.float64) if _rank in curve.coords else np.arange(1.0, curve.sizes[_rank] + 1)
    )
    for room, draw in zip(rooms, [_draw_error, *panels], strict=True):
        draw(room, curve, rank)
        canvas.despine(room)
        if (chosen := curve.attrs.get(_rank)) is not None:
            room.axvspan(chosen - 0.35, chosen + 0.35, color=SERIES[4], alpha=0.18, lw=0, zorder=0)
        room.set_xlim(rank.min() - 0.6, rank.max() + 0.6)
        room.locator_params(axis="y", nbins=4)
        room.tick_params(labelbottom=room is rooms[-1])
    step = -(-rank.size // 20)
    rooms[-1].set_xticks(rank[::step], [f"{r:g}" for r in rank[::step]])
    marked = f"rank (chosen: {chosen})" if chosen is not None else "rank"
    rooms[-1].set_xlabel(marked, fontsize=canvas.LABEL)
    return ax


def _rooms(ax: Axes, n: int) -> list[Axes]:
    """The axes and others under it, all of one width; together they take its room."""
    spec = ax.get_subplotspec()
    if spec is None:
        return [ax, *(ax.inset_axes((0, -1.12 * k, 1, 1), sharex=ax) for k in range(1, n))]
    grid = spec.subgridspec(n, 1, hspace=0.05)
    ax.set_subplotspec(grid[0])
    return [ax, *(ax.figure.add_subplot(grid[k], sharex=ax) for k in range(1, n))]


def _draw_error(ax: Axes, curve: xr.Dataset, rank: Array) -> None:
    values = canvas.finite(_over_rank(curve, "error")).reshape(rank.size, -1)
    ax.plot(rank, _nan(np.nanmin, values), color=INK, lw=1.4)
    _points(ax, rank, values, INK)
    _name(ax, "error", {"best start": INK})


def _draw_held_out(ax: Axes, curve: xr.Dataset, rank: Array) -> None:
    ax.axhline(0, color=MUTED, lw=0.6, ls=(0, (2, 3)), zorder=0)
    colors = {}
    for k, (name, what) in enumerate((("held_out_error", "hidden data"), ("held_out_error_animal", "new animals"))):
        if not _has(curve, name):
            continue
        values = canvas.finite(_over_rank(curve, name)).reshape(rank.size, -1)
        best = values[np.nanargmin(np.nan_to_num(_nan(np.nanmean, values), nan=np.inf))]
        above = values - best
        n = np.isfinite(above).sum(1)
        error = _nan(np.nanstd, above) / np.sqrt(np.maximum(n - 1, 1))
        shift = 0.12 * (k - 0.5)
        ax.errorbar(
            rank + shift, _nan(np.nanmean, above), error, fmt="-o", color=SERIES[k], ms=4, mec="white", mew=0.5, lw=1.2,
            elinewidth=1.6,
        )  # fmt: skip
        colors[f"{what}\n(best: {np.nanmean(best):.3g})"] = SERIES[k]
    _name(ax, "held-out error\nabove the best", colors)


def _draw_stability(ax: Axes, curve: xr.Dataset, rank: Array) -> None:
    colors = {}
    for k, (name, what) in enumerate((("similarity", "other starts"), ("fold_similarity", "fits to folds"))):
        if _has(curve, name):
            values = canvas.finite(_over_rank(curve, name)).reshape(rank.size, -1)
            color = SERIES[2 + k]
            ax.plot(rank, _nan(np.nanmedian, values), color=color, lw=1.2)
            _points(ax, rank, values, color)
            colors[what] = color
    if "stable" in curve.attrs:
        ax.axhline(float(curve.attrs["stable"]), color=MUTED, lw=0.6, ls=(0, (2, 3)), zorder=0)
    ax.set_ylim(-0.05, 1.05)
    _name(ax, "similarity of\ncomponents", colors)


def _draw_dimension(ax: Axes, curve: xr.Dataset, rank: Array) -> None:
    values = canvas.finite(_over_rank(curve, "effective_dimension")).reshape(rank.size, -1)
    middle, spread = _nan(np.nanmean, values), _nan(np.nanstd, values)
    ax.fill_between(rank, middle - spread, middle + spread, color=SERIES[0], alpha=0.2, lw=0)
    ax.plot(rank, middle, "-o", color=SERIES[0], ms=3.5, lw=1.2)
    _name(ax, "effective\ndimension", {})


def _draw_consistency(ax: Axes, curve: xr.Dataset, rank: Array) -> None:
    values = canvas.finite(_over_rank(curve, "core_consistency")).reshape(rank.size)
    ax.axhline(0, color=MUTED, lw=0.6, ls=(0, (2, 3)), zorder=0)
    ax.plot(rank, np.maximum(values, _consistency_floor), color=SERIES[1], lw=1.2)
    low = values < _consistency_floor
    ax.plot(rank[~low], values[~low], "o", color=SERIES[1], ms=3.5)
    ax.plot(rank[low], np.full(low.sum(), _consistency_floor), "v", color=SERIES[1], ms=5)
    ax.set_ylim(_consistency_floor - 12, 108)
    _name(ax, "core consistency\n(%)", {})


_panels: dict[tuple[str, ...], Callable[[Any, xr.Dataset, Any], None]] = {
    ("held_out_error", "held_out_error_animal"): _draw_held_out,
    ("similarity", "fold_similarity"): _draw_stability,
    ("effective_dimension",): _draw_dimension,
    ("core_consistency",): _draw_consistency,
}


def _over_rank(curve: xr.Dataset, name: str) -> xr.DataArray:
    """A variable over rank and at most one other dim, rank first."""
    others = [str(d) for d in curve[name].dims if d != _rank][:1]
    return canvas.require_dims(curve[name], (_rank, *others), f"a rank curve: {name}", "rank and at most one other")


def _has(curve: xr.Dataset, name: str) -> bool:
    return name in curve and bool(np.isfinite(canvas.finite(_over_rank(curve, name))).any())


def _nan(function: Callable[..., Any], values: Array) -> Array:
    """A statistic of every row, NaN where the row has no number."""
    return np.array([function(row) if np.isfinite(row).any() else np.nan for row in values])


def _points(ax: Axes, rank: Array, values: Array, color: str) -> None:
    """Every value as a dot, beside one another."""
    n = values.shape[1]
    across = _spread * (np.arange(n) - (n - 1) / 2) / max(n, 1)
    ax.plot((rank[:, None] + across).ravel(), values.ravel(), ".", ms=4, color=color, alpha=0.5, mew=0)


def _name(ax: Axes, label: str, colors: dict[str, str]) -> None:
    ax.set_ylabel(label, fontsize=canvas.TICK)
    if colors:
        canvas.add_legend(ax, colors, "", "-", 1.0)
