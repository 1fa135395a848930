"""Few-label curves: how well a variable is read from an embedding, by how many animals the reader was taught."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.dynamic_graphs.score_tables import (
    FRACTION,
    PHENOTYPE,
    add_chance,
    chance_of,
    checked,
    level_told,
    metric_of,
    series_of,
)
from dynome.viz.palette import INK
from dynome.viz.panels import panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_what = "a probe"
_hint = "the table of inference.probe, or several along one more dim: xr.concat(tables, pd.Index(names, name='model'))"
_max_columns = 3
_gap = (0.7, 0.75)  # inches between panels
_side = (2.7, 2.2)  # inches of a panel


def plot_probe(scores: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Scores of held-out animals by the share of labels that were used.

    Parameters
    ----------
    scores : Dataset
        As `inference.probe` gives it: ``score``, ``score_low`` and ``score_high`` over ``phenotype`` and ``fraction``.
        Several models are tables along one more dim: ``xr.concat(tables, pd.Index(names, name="model"))``. NaN is left
        out.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of a panel for each variable, its ``child_axes``: the score of each model with its 95 % interval at
        each share of the labels (logarithmic), with the number of animals below it; dashed is chance. Points are
        filled where the score is above chance, q (or p) < 0.05, and open elsewhere.

    Raises
    ------
    InputError
        If it is no such table.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> coords = {"phenotype": ["age"], "fraction": [0.1, 0.5, 1]}
    >>> score = xr.DataArray([[0.6, 0.7, 0.8]], coords, ("phenotype", "fraction"))
    >>> table = xr.Dataset({"score": score, "score_low": score - 0.1, "score_high": score + 0.1})
    >>> ax = plot_probe(table, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.child_axes[0].get_xticklabels()]
    ['10 %', '50 %', '100 %']
    """
    data, model = checked(scores, _what, _hint)
    data = data.sortby(FRACTION)
    n = data.sizes[PHENOTYPE]
    columns = min(max(n, 1), _max_columns)
    rows = -(-max(n, 1) // columns)
    ax = canvas.axes_or_new(ax, (1.2 + columns * (_side[0] + _gap[0]), 0.6 + rows * (_side[1] + _gap[1])))
    if not np.isfinite(canvas.finite(data["score"])).any():
        return canvas.no_data(ax, "no data: there is no variable, or every score is missing")
    rooms = panel_grid(ax, n, columns, gap=_gap)
    names = canvas.labels_of(data, PHENOTYPE)
    for k, room in enumerate(rooms):
        _draw(room, data, model, k)
        room.set_title(canvas.shortened(names[k].replace("_", " ")), fontsize=canvas.LABEL, loc="left", color=INK)
    colors = {s.name: s.color for s in series_of(data, model, 0)}
    if any(colors):
        canvas.add_legend(rooms[columns - 1], colors, model, "o", 1.0)
    told = level_told(data)
    below = "\n" if "n_train" in data else ""
    for room in rooms[-columns:]:
        room.set_xlabel(f"labels used{' (animals)' if below else ''}", fontsize=canvas.TICK)
    if told:
        rooms[(rows - 1) * columns].annotate(
            told, (0, 0), (0, -42 if below else -32), "axes fraction", "offset points", fontsize=canvas.NOTE, color=INK,
            va="top", annotation_clip=False,
        )  # fmt: skip
    return ax


def _draw(ax: Axes, data: xr.Dataset, model: str, phenotype: int) -> None:
    share = canvas.finite(data[FRACTION]) if data[FRACTION].dtype.kind in "iuf" else np.ones(data.sizes[FRACTION])
    place = np.log2(share)
    least = float(np.diff(place).min()) if place.size > 1 else 1.0
    found = series_of(data, model, phenotype)
    step = min(0.12, 0.6 / max(len(found), 1)) * least
    for k, one in enumerate(found):
        x = place + (k - (len(found) - 1) / 2) * step
        ax.plot(x, one.value, "-", color=one.color, lw=1.2, zorder=2)
        ax.vlines(x, one.low, one.high, color=one.color, lw=1.6, alpha=0.55, zorder=1)
        ax.plot(x[~one.sure], one.value[~one.sure], "o", ms=4.5, color=one.color, mfc="white", mew=1.1, zorder=3)
        ax.plot(x[one.sure], one.value[one.sure], "o", ms=5, color=one.color, mec="white", mew=0.5, zorder=3)
    add_chance(ax, chance_of(data, phenotype))
    canvas.despine(ax)
    ax.set_xticks(place, _shares(data, share, phenotype), fontsize=canvas.NOTE)
    ax.set_xlim(place.min() - 0.5 * least, place.max() + 0.5 * least)
    ax.locator_params(axis="y", nbins=5)
    ax.set_ylabel(metric_of(data, phenotype), fontsize=canvas.TICK)


def _shares(data: xr.Dataset, share: Floats, phenotype: int) -> list[str]:
    """Shares of the labels, and below them the number of animals, the most of all models."""
    told = [f"{100 * s:.3g} %" for s in share]
    if "n_train" not in data:
        return told
    count = data["n_train"].isel({PHENOTYPE: phenotype})
    most = canvas.finite(count.max([d for d in count.dims if d != FRACTION]))
    return [f"{text}\n({n:.0f})" if np.isfinite(n) else text for text, n in zip(told, most, strict=True)]
