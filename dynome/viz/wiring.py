"""Inferred connectivity: how right each method is, and an estimate beside the truth."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, SERIES
from dynome.viz.panels import panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_measures = {
    "auroc": "AUROC",
    "auprc": "average precision",
    "direction_accuracy": "right direction",
    "sign_accuracy": "right sign",
}
_rows = "estimator"
_shift = 0.16  # of a row, between directed and undirected
_gap = (0.25, 0.5)  # inches between panels
_wide = 34  # letters in a line beside a colour bar


def plot_connectivity_scores(scores: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """How right methods of inferring connectivity are: edges, their directions and their signs.

    Parameters
    ----------
    scores : Dataset
        As `inference.compare_connectivity` or `connectivity_scores` gives it. NaN is left out.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of up to four panels, its ``child_axes``, with a row for each method: AUROC and average precision of
        directed and of undirected edges, right directions, right signs. Points are means over subjects, with their
        interval, small dots the subjects. Dashed lines are chance.

    Raises
    ------
    InputError
        If there is no ``auroc``.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> table = xr.Dataset(
    ...     {"auroc": (("estimator", "edges"), [[0.9, 0.8], [0.7, 0.6]])},
    ...     {"estimator": ["granger", "correlation"], "edges": ["directed", "undirected"]},
    ... )
    >>> ax = plot_connectivity_scores(table, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.child_axes[0].get_yticklabels()]
    ['granger', 'correlation']
    """
    canvas.require_variables(scores, ("auroc",), "scores of inferred connectivity")
    if _rows not in scores.dims:
        scores = scores.expand_dims({_rows: [str(scores.attrs.get("method", "estimate"))]})
    names = canvas.labels_of(scores, _rows)
    shown = [name for name in _measures if name in scores and np.isfinite(canvas.finite(scores[name])).any()]
    ax = canvas.axes_or_new(ax, (1.6 + 1.75 * max(len(shown), 1), 1.4 + 0.32 * len(names)))
    if not names or not shown:
        return canvas.no_data(ax, "no data: there is no method, or every score is missing")
    rooms = panel_grid(ax, len(shown), len(shown), gap=_gap)
    for room, name in zip(rooms, shown, strict=True):
        _draw(room, scores, name)
        room.set_ylim(len(names) - 0.5, -0.5)
        room.set_yticks(range(len(names)), [canvas.shortened(n) for n in names] if room is rooms[0] else [])
        room.set_title(_measures[name], fontsize=canvas.LABEL, color=INK)
        room.locator_params(axis="x", nbins=3)
        canvas.despine(room)
        room.tick_params(axis="y", length=0)
    if any("edges" in scores[name].dims for name in shown):
        canvas.add_legend(rooms[-1], {k: SERIES[i] for i, k in enumerate(_edges(scores))}, "edges", "o", 1.0)
    return ax


def _edges(scores: xr.Dataset) -> list[str]:
    return canvas.labels_of(scores, "edges") if "edges" in scores.dims else []


def _draw(ax: Axes, scores: xr.Dataset, name: str) -> None:
    kinds = _edges(scores) if "edges" in scores[name].dims else [""]
    for i, kind in enumerate(kinds):
        color = SERIES[i] if kind else INK
        across = _shift * (2 * i - len(kinds) + 1)
        part = scores.isel(edges=i) if kind else scores
        rows = np.arange(scores.sizes[_rows]) + across
        each = canvas.finite(part[name].transpose(_rows, ...)).reshape(rows.size, -1)
        middle = _means(part, name, each)
        if each.shape[1] > 1:
            ax.plot(each.ravel(), np.repeat(rows, each.shape[1]), ".", ms=3, color=color, alpha=0.25, mew=0, zorder=1)
        if f"{name}_low" in part:
            low, high = (canvas.finite(part[f"{name}_{end}"].transpose(_rows, ...)) for end in ("low", "high"))
            ax.hlines(rows, low, high, color=color, lw=2.2, zorder=2)
        ax.plot(middle, rows, "o", ms=5.5, color=color, mec="white", mew=0.7, zorder=3)
        if (chance := _chance(part, name)) is not None:
            ax.axvline(chance, color=color if kind else MUTED, lw=0.9, ls=(0, (3, 3)), alpha=0.7, zorder=0)
    low_end = min(0.45, float(np.nanmin(canvas.finite(scores[name])))) if name != "auprc" else 0.0
    ax.set_xlim(low_end - 0.03, 1.03)


def _means(part: xr.Dataset, name: str, each: Floats) -> Floats:
    if f"{name}_mean" in part:
        return canvas.finite(part[f"{name}_mean"].transpose(_rows, ...))
    count = np.isfinite(each).sum(axis=1)
    return np.asarray(np.nansum(each, axis=1) / np.where(count > 0, count, np.nan))


def _chance(part: xr.Dataset, name: str) -> float | None:
    if name != "auprc":
        return 0.5
    share = canvas.finite(part["auprc_chance"]) if "auprc_chance" in part else np.array([np.nan])
    return float(np.nanmean(share)) if np.isfinite(share).any() else None


def plot_connectivity_estimate(
    estimate: xr.DataArray, truth: xr.DataArray | xr.Dataset | None = None, *, ax: Axes | None = None
) -> Axes:
    """An inferred connectivity beside the true one.

    Parameters
    ----------
    estimate : (source, target)
        One estimate of `inference.infer_connectivity`.
    truth : connectome, (source, target) or None
        Of the same nodes, by label, and perhaps others, which are left out. NaN and 0 mean no edge. None draws the
        estimate alone.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of two panels, its ``child_axes``: the estimate and, at the same places, the truth. Each has a scale
        of its own, up to the 99th percentile of magnitudes: zero is white, red positive, blue negative, missing grey.
        True edges are framed in the estimate where there is room.

    Raises
    ------
    InputError
        If dims are others than source and target, or no node is shared.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> names = {"source": ["a", "b"], "target": ["a", "b"]}
    >>> found = xr.DataArray([[np.nan, 0.8], [0.1, np.nan]], names, ("source", "target"))
    >>> truth = xr.DataArray([[0, 1], [0, 0]], names, ("source", "target"))
    >>> ax = plot_connectivity_estimate(found, truth, ax=Figure().subplots())
    >>> [room.get_title() for room in ax.child_axes[:2]]
    ['estimate', 'truth']
    """
    hint = "select one subject, or average: estimate.mean('animal')"
    estimate = canvas.require_dims(estimate, ("source", "target"), "an estimate", hint)
    ax = canvas.axes_or_new(ax, (8.0, 4.0))
    if not estimate.size:
        return canvas.no_data(ax, "no data: the estimate has no nodes")
    names = canvas.labels_of(estimate, "source")
    true, shared = (np.empty((0, 0)), 0) if truth is None else _true(truth, names)
    if truth is not None and not shared:
        raise InputError("cannot draw an estimate beside the truth: they share no node; bring the labels to one form")
    n_panels = 1 if truth is None else 2
    rooms = panel_grid(ax, n_panels, n_panels, gap=(1.3, 0.0))
    if {"source", "target"} <= set(estimate.coords):
        estimate = estimate.reindex(target=estimate["source"].to_numpy())
    values = canvas.finite(estimate)
    np.fill_diagonal(values, np.nan)
    label = canvas.quantity(estimate, "strength")
    for room, matrix, what, legend in zip(
        rooms, (values, true), ("estimate", "truth"), (label, "weight"), strict=False
    ):
        _draw_matrix(room, matrix, what, legend, names, first=room is rooms[0])
    if truth is not None and len(names) <= 40:
        _frame(rooms[0], true)
    canvas.settle(ax)
    return ax


def _true(truth: object, names: list[str]) -> tuple[Floats, int]:
    """True weights on the nodes of the estimate; NaN where the truth does not know a node, and on the diagonal."""
    place = {name: k for k, name in enumerate(names)}
    out = np.full((len(names), len(names)), np.nan)
    if isinstance(truth, xr.Dataset):
        canvas.require_variables(truth, ("node", "source", "target", "weight"), "a connectome")
        known = [place[n] for n in canvas.labels_of(truth, "node") if n in place]
        out[np.ix_(known, known)] = 0.0
        weight = canvas.finite(truth["weight"])
        if "sign" in truth:
            sign = canvas.finite(truth["sign"])
            weight = np.where(sign != 0, sign * np.abs(weight), weight)
        ends = zip(*(truth[end].to_numpy().astype(str).tolist() for end in ("source", "target")), strict=True)
        for (source, target), w in zip(ends, weight, strict=True):
            if source in place and target in place:
                out[place[source], place[target]] += w
    else:
        matrix = canvas.require_dims(truth, ("source", "target"), "the truth", "select one matrix")
        sides = [canvas.labels_of(matrix, end) for end in ("source", "target")]
        rows, columns = ([k for k, n in enumerate(side) if n in place] for side in sides)
        known = [place[sides[0][k]] for k in rows]
        at = np.ix_(known, [place[sides[1][k]] for k in columns])
        out[at] = np.nan_to_num(canvas.finite(matrix)[np.ix_(rows, columns)])
    np.fill_diagonal(out, np.nan)
    return out, len(known)


def _draw_matrix(ax: Axes, matrix: Floats, what: str, label: str, names: list[str], *, first: bool) -> None:
    from matplotlib import colormaps

    from dynome.viz.palette import DIVERGING, MISSING

    seen = np.abs(matrix[np.isfinite(matrix)])
    top = float(np.percentile(seen[seen > 0], 99)) if (seen > 0).any() else 1.0
    cmap = colormaps[DIVERGING].with_extremes(bad=MISSING)
    place: dict[str, Any] = {"vmin": -top, "vmax": top, "cmap": cmap, "interpolation": "nearest"}
    image = ax.imshow(matrix, **place)
    ax.set_title(what, fontsize=canvas.LABEL, color=INK)
    if first:
        canvas.label_ticks(ax, "y", names, "source")
    else:
        ax.set_yticks([])
    canvas.label_ticks(ax, "x", names, "target")
    canvas.despine(ax, keep=("left", "bottom", "top", "right"))
    ends = "both" if (seen > top).any() else "neither"
    canvas.add_colorbar(ax, image, "\n".join(wrap(label, _wide)), extend=ends, missing=False)


def _frame(ax: Axes, true: Floats) -> None:
    from matplotlib.patches import Rectangle

    for source, target in np.argwhere(np.nan_to_num(true) != 0):
        ax.add_patch(Rectangle((target - 0.5, source - 0.5), 1, 1, fill=False, ec=INK, lw=0.8))
