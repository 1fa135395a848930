"""Forecasts compared: skill by horizon, and whether the wiring matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.palette import INK, MISSING, MUTED, SERIES
from dynome.viz.panels import panel_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_what = "a comparison of forecasts"
_below = 2.0  # skills are drawn down to so many times the best one below zero; what is worse, at the edge


def plot_forecasts(table: xr.DataTree, *, metric: str | None = None, ax: Axes | None = None) -> Axes:
    """Score of every model by horizon, and what the measured wiring adds to null connectomes.

    Parameters
    ----------
    table : DataTree
        As `inference.compare_forecasts` gives it.
    metric : str or None
        What the first panel shows; None takes the metric of the comparison.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of one or two panels, which are its ``child_axes``. The first shows the score of each model with its
        interval at each horizon; a dashed line is persistence, where the score is a skill; triangles at the lower edge
        stand for models that are far worse than persistence.

        The second, where there were null connectomes, has one row for each model and kind: scores averaged over
        horizons on each null connectome (grey), on the measured one (diamond), and, at the right, their difference
        with its interval, and the p-value. The bar around the diamond is the interval of the difference to the mean of
        the null connectomes (tick). The note below says how small a p-value can be.

    Raises
    ------
    InputError
        If `table` is no comparison, or has no such metric.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> dims = ("model", "metric", "horizon")
    >>> score = xr.DataArray([[[0.0, 0.0]], [[0.1, 0.2]]], dims=dims)
    >>> scores = xr.Dataset(
    ...     {"score": score, "low": score - 0.1, "high": score + 0.1},
    ...     {"model": ["Persistence", "AR"], "metric": ["skill"], "horizon": [1, 3]},
    ... )
    >>> table = xr.DataTree.from_dict({"/scores": scores})
    >>> host = plot_forecasts(table, ax=Figure().subplots())
    >>> [line.get_label() for line in host.child_axes[0].get_legend().get_lines()]
    ['Persistence', 'AR']
    """
    if not isinstance(table, xr.DataTree) or "scores" not in table.children:
        raise InputError(
            f"cannot draw {_what}: expected the DataTree of compare_forecasts, found {type(table).__name__}"
        )
    scores = table["scores"].to_dataset()
    canvas.require_variables(scores, ["score", "low", "high", "model", "metric", "horizon"], _what)
    shown = str(metric or table.attrs.get("metric", "skill"))
    if shown not in scores["metric"]:
        raise InputError(f"cannot draw {_what}: no metric {shown!r}, found {', '.join(scores.metric.to_numpy())}")
    differences = table["differences"].to_dataset() if "differences" in table.children else None
    rows = 0 if differences is None else differences.sizes["model"] * differences.sizes["null"]
    ax = canvas.axes_or_new(ax, (6.4, 3.6 + 0.42 * rows + (0.9 if rows else 0)))
    if not np.isfinite(canvas.finite(scores["score"].sel(metric=shown))).any():
        return canvas.no_data(ax, "no data: every score is missing")
    if differences is None:
        (upper,) = panel_rows(ax, [1.0])
    else:
        upper, lower = _two(ax, rows)
        _draw_nulls(lower, table, differences)
    _draw_scores(upper, scores.sel(metric=shown), shown, table.attrs)
    return ax


def _two(ax: Axes, rows: int) -> tuple[Axes, Axes]:
    """Two panels that share no axis."""
    ax.set_axis_off()
    below = 0.42 * rows / (3.2 + 0.42 * rows + 1.0)
    return ax.inset_axes((0, below + 0.28, 1, 0.72 - below)), ax.inset_axes((0, 0, 1, below + 0.02))


def _draw_scores(ax: Axes, scores: xr.Dataset, metric: str, attrs: dict[Any, Any]) -> None:
    horizons = canvas.finite(scores["horizon"])
    models = canvas.labels_of(scores, "model")
    place = np.arange(horizons.size, dtype=float)
    best = np.nanmax(np.append(canvas.finite(scores["score"]), 0.05))
    floor = -_below * best if metric == "skill" else -np.inf
    step = min(0.1, 0.6 / max(len(models), 1), 0.02 * horizons.size)  # 0.02: of the width of the panel
    lines = []
    for k, name in enumerate(models):
        here = scores.isel(model=k)
        value, low, high = (canvas.finite(here[v]) for v in ("score", "low", "high"))
        x, color = place + (k - (len(models) - 1) / 2) * step, _color(k)
        seen = np.where(value >= floor, value, np.nan)
        (line,) = ax.plot(x, seen, "-o", color=color, ms=4, lw=1.3, mec="white", mew=0.5, label=name, zorder=3)
        lines.append(line)
        worse = value < floor
        ax.vlines(x[~worse], low[~worse], high[~worse], color=color, lw=1.5, alpha=0.7, zorder=2)
        ax.plot(x[worse], np.zeros(int(worse.sum())) + 0.02, "v", color=color, ms=5, transform=ax.get_xaxis_transform())
    if metric == "skill":
        ax.axhline(0, color=MUTED, lw=0.8, ls=(0, (4, 3)), zorder=0)
        ax.set_ylim(bottom=max(ax.get_ylim()[0], 1.1 * floor))
    canvas.despine(ax)
    ax.set_xticks(place, _horizon_labels(scores))
    ax.set_xlim(-0.5, horizons.size - 0.5)
    what = attrs.get("resampled")
    told = f"\n95 % intervals: {attrs.get('n_resampled')} {what} drawn again" if what else ""
    ax.set_xlabel("bins ahead" + (" (time ahead)" if "ahead" in scores.coords else "") + told, fontsize=canvas.TICK)
    ax.set_ylabel("skill against persistence" if metric == "skill" else metric.replace("_", " "), fontsize=canvas.LABEL)
    ax.legend(handles=lines, fontsize=canvas.NOTE, frameon=False, ncols=min(3, len(lines)), loc="lower left",
              bbox_to_anchor=(0, 1.0), borderaxespad=0.2)  # fmt: skip


def _draw_nulls(ax: Axes, table: xr.DataTree, differences: xr.Dataset) -> None:
    nulls, metric = table["nulls"].to_dataset(), str(differences.attrs.get("metric", "skill"))
    sign = -1.0 if metric in ("mae", "mse", "deviance") else 1.0
    true = table["scores"].to_dataset()["mean_score"].sel(metric=metric)
    order = canvas.labels_of(table["scores"].to_dataset(), "model")
    names: list[str] = []
    for model in canvas.labels_of(differences, "model"):
        for kind in canvas.labels_of(differences, "null"):
            row, found = len(names), differences.sel(model=model, null=kind)
            draws = canvas.finite(nulls["mean_score"].sel(model=model, null=kind))
            draws = draws[np.isfinite(draws)]
            spread = np.linspace(-0.22, 0.22, draws.size) if draws.size > 1 else np.zeros(draws.size)
            ax.plot(draws, row + spread, "o", color=MISSING, ms=3.5, mec=MUTED, mew=0.4, zorder=1)
            center = draws.mean() if draws.size else np.nan
            ax.plot([center, center], [row - 0.3, row + 0.3], color=MUTED, lw=1.2, zorder=2)
            color, value = _color(order.index(model)), float(true.sel(model=model))
            ends = sorted(center + sign * float(found[v]) for v in ("mean_low", "mean_high"))
            ax.plot(ends, [row, row], color=color, lw=2, zorder=3)
            ax.plot([value], [row], "D", color=color, ms=6, mec="white", mew=0.6, zorder=4)
            ax.annotate(_told(found), (1.01, row), xycoords=("axes fraction", "data"), fontsize=canvas.NOTE,
                        va="center", color=INK)  # fmt: skip
            names.append(f"{canvas.shortened(model, 32)}\nagainst {kind}")
    canvas.despine(ax, keep=("bottom",))
    ax.set_yticks(range(len(names)), names, fontsize=canvas.NOTE)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.locator_params(axis="x", nbins=5)
    told = f"{metric}, mean over horizons (grey: null connectomes)" + _smallest_p(differences, nulls)
    ax.set_xlabel(told, fontsize=canvas.TICK)
    ax.set_title("does the wiring matter?", fontsize=canvas.LABEL, loc="left", color=INK)


def _smallest_p(differences: xr.Dataset, nulls: xr.Dataset) -> str:
    """What no p-value can go below, of the kind with most null connectomes."""
    told = differences["mean_p_value"].notnull()
    draws = int(nulls["mean_score"].notnull().sum("draw").where(told, 0).max())
    return f"\np can't be below 1 / ({draws} null connectomes + 1) = {1 / (draws + 1):.2g}" if draws else ""


def _told(found: xr.Dataset) -> str:
    value, low, high, p = (float(found[v]) for v in ("mean_difference", "mean_low", "mean_high", "mean_p_value"))
    span = f"\n[{low:+.2g}, {high:+.2g}]" if np.isfinite(low) else ""
    return f"{value:+.2g}" + (f", p = {p:.2g}" if np.isfinite(p) else "") + span


def _horizon_labels(scores: xr.Dataset) -> list[str]:
    """Bins, and below them seconds; of many horizons only some."""
    bins = scores["horizon"].to_numpy().tolist()
    ahead = scores["ahead"].to_numpy().tolist() if "ahead" in scores.coords else [None] * len(bins)
    each = -(-len(bins) // 12)
    told = [f"{b}" if s is None else f"{b}\n({s:.3g} s)" for b, s in zip(bins, ahead, strict=True)]
    return [label if k % each == 0 else "" for k, label in enumerate(told)]


def _color(k: int) -> str:
    return SERIES[k % len(SERIES)]
