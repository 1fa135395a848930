"""How far each class of triads lies from chance, with its little graph under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.connectome.metrics.triads import EXAMPLES
from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_corners = np.array([[-0.24, -0.3], [0.0, 0.3], [0.24, -0.3]])
_quiet = 2.0  # z-scores up to here are what chance gives


def plot_triads(scores: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The z-score of each class of triads against null connectomes.

    Parameters
    ----------
    scores : Dataset
        As ``null_scores(connectome, "triads")`` gives it: ``z_score (metric)``; metrics other than triads are left out.
        NaN (null connectomes that all agree) is drawn as a dash.
    ax : Axes or None
        Where to draw; None makes a figure. The little graphs take a part of its room.

    Returns
    -------
    Axes
        Bars on a scale that is linear up to 2, where chance lies (grey), and logarithmic beyond. The numbers are the
        counts.

    Raises
    ------
    InputError
        If ``z_score`` or ``observed`` is missing or no metric is a class of triads.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> values = {"z_score": ("metric", [5.0, -3.0]), "observed": ("metric", [40.0, 2.0])}
    >>> scores = xr.Dataset(values, {"metric": ["triads 030T", "triads 030C"]})
    >>> len(plot_triads(scores, ax=Figure().subplots()).patches)
    2
    """
    if not isinstance(scores, xr.Dataset) or "z_score" not in scores.variables:  # a census has no z-scores
        raise InputError(
            f"cannot draw triads: expected a Dataset with z_score, found {type(scores).__name__} without; "
            'use null_scores(connectome, "triads")'
        )
    canvas.require_variables(scores, ("observed",), "triads")
    ax = canvas.axes_or_new(ax, (7.2, 3.6))
    names = canvas.labels_of(scores, "metric")
    rows = [k for k, name in enumerate(names) if name.removeprefix("triads ") in EXAMPLES]
    if names and not rows:
        raise InputError('no metric is a class of triads; use null_scores(connectome, "triads")')
    z = canvas.finite(scores["z_score"])[rows]
    if not np.isfinite(z).any():
        return canvas.no_data(ax, "no data: there is no class of triads, or every z-score is missing")
    graphs = canvas.axes_below(ax, 0.3)
    place = np.arange(z.size)
    ax.fill_between([-0.6, z.size - 0.4], -_quiet, _quiet, color="#EEEEEE", lw=0, zorder=0)
    ax.axhline(0, color=MUTED, lw=0.8)
    ax.bar(place, np.nan_to_num(z), width=0.62, color=np.where(z > 0, POSITIVE, NEGATIVE).tolist())
    ax.set_yscale("symlog", linthresh=_quiet, linscale=0.6)
    low, high = min(np.nanmin(z), -_quiet), max(np.nanmax(z), _quiet)
    ax.set_ylim(low * 2.2, high * 2.2)
    ticks = [sign * size for size in (_quiet, 10, 100, 1000, 10_000, 100_000) for sign in (-1, 1)]
    ticks = [0, *(t for t in ticks if low <= t <= high)]
    ax.set_yticks(ticks, [f"{t:,.0f}" for t in ticks])
    ax.minorticks_off()
    for x, value, count in zip(place, z, canvas.finite(scores["observed"])[rows], strict=True):
        up = not value < 0
        text = "–" if np.isnan(value) else f"{count:,.0f}"
        ax.annotate(
            text, (x, 0 if np.isnan(value) else value), xytext=(0, 2 if up else -2), textcoords="offset points",
            ha="center", va="bottom" if up else "top", fontsize=canvas.NOTE, color=INK,
        )  # fmt: skip
    ax.set_ylabel("z-score", fontsize=canvas.LABEL)
    ax.tick_params(labelbottom=False, bottom=False)
    canvas.despine(ax, keep=("left",))
    _draw_graphs(graphs, [names[k].removeprefix("triads ") for k in rows])
    ax.set_xlim(-0.6, z.size - 0.4)
    return ax


def _draw_graphs(ax: Axes, classes: list[str]) -> None:
    for x, name in enumerate(classes):
        place = _corners + np.array([x, 0])
        edges = EXAMPLES[name]
        for a, b in edges:
            both = (b, a) in edges
            if both and a > b:
                continue
            ax.annotate(
                "", place[b], place[a],
                arrowprops={"arrowstyle": "<|-|>" if both else "-|>", "lw": 0.9, "color": INK, "mutation_scale": 6.5,
                            "shrinkA": 3, "shrinkB": 3},
            )  # fmt: skip
        ax.plot(*place.T, "o", ms=3.6, color=INK)
    ax.set(ylim=(-0.6, 0.6), yticks=[])
    ax.set_xticks(range(len(classes)), classes, fontsize=canvas.TICK)
    ax.tick_params(axis="x", length=0, labelcolor=INK)
    canvas.despine(ax, keep=())
    ax.set_xlabel("class of triads", fontsize=canvas.LABEL)
