"""Whether people are found again in another scan: every first scan against every second one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, SERIES, color_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_what = "a fingerprint"
_max_sharp = 200  # rows; of more, several share a pixel
_max_framed = 60  # animals
_bins = {True: 24, False: 12}  # of many and of few animals
_many = 30
_own, _other = SERIES[1], MUTED
_arrows = {"forward": "first → second", "backward": "second → first"}


def plot_fingerprint(found: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Similarity of every animal's first scan to every animal's second scan.

    Parameters
    ----------
    found : Dataset
        As `inference.fingerprint` gives it: ``similarity (first, second)``, and what it says of rates and of the
        differential similarity. NaN is grey.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of two panels, its ``child_axes``: the matrix, with a point in each row at the most similar second
        scan, filled where it is of the same animal; and similarities within animals beside those between animals,
        each as shares of their own number. Rates with their 95 % intervals and p-values stand above.

    Raises
    ------
    InputError
        If it is no fingerprint, or not square.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> names = {"first": ["ann", "bob"], "second": ["ann", "bob"]}
    >>> table = xr.Dataset({"similarity": (("first", "second"), [[0.8, 0.3], [0.5, 0.4]])}, names)
    >>> ax = plot_fingerprint(table, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.child_axes[0].get_yticklabels()]
    ['ann', 'bob']
    """
    canvas.require_variables(found, ("similarity",), _what)
    matrix = canvas.require_dims(found["similarity"], ("first", "second"), _what, "see inference.fingerprint")
    if canvas.labels_of(matrix, "first") != canvas.labels_of(matrix, "second"):
        raise InputError(f"cannot draw {_what}: expected the same animals in first and second, in the same order")
    values = canvas.finite(matrix)
    ax = canvas.axes_or_new(ax, (7.6, 3.8))
    if not np.isfinite(values).any():
        return canvas.no_data(ax, "no data: there is no animal, or every similarity is missing")
    ax.set_axis_off()
    left, right = ax.inset_axes((0, 0, 0.52, 1)), ax.inset_axes((0.7, 0, 0.3, 1))
    _draw_matrix(left, matrix, values)
    _draw_shares(right, values, canvas.quantity(matrix, "similarity"))
    told = _rates(found, len(values))
    if told:
        left.set_title("\n".join(told), loc="left", fontsize=canvas.TICK, color=INK, pad=6)
    if "differential" in found:
        right.set_title(_differential(found), loc="left", fontsize=canvas.TICK, color=INK, pad=6)
    return ax


def _draw_matrix(ax: Axes, matrix: xr.DataArray, values: Floats) -> None:
    from matplotlib.patches import Rectangle

    n = len(values)
    scale = color_scale(values)
    if scale is None:
        return
    how = "nearest" if n <= _max_sharp else "antialiased"
    image = ax.imshow(values, cmap=scale.cmap, norm=scale.norm, aspect="auto", interpolation=how)
    ax.set_box_aspect(1)
    ax.set_anchor("NW")
    size = float(np.clip(0.35 * ax.get_window_extent().height * 72 / ax.figure.dpi / n, 0.8, 5))
    rows = np.flatnonzero(np.isfinite(values).any(axis=1))
    best = np.nan_to_num(values[rows], nan=-np.inf).argmax(axis=1)
    own = best == rows
    width = min(0.8, size / 4)
    ax.plot(best[own], rows[own], "o", ms=size, color="white", mec=INK, mew=width)
    ax.plot(best[~own], rows[~own], "o", ms=size, mfc="none", mec="white", mew=width)
    if n <= _max_framed:
        for k in range(n):
            ax.add_patch(Rectangle((k - 0.5, k - 0.5), 1, 1, fill=False, ec="white", lw=0.7))
    names = canvas.labels_of(matrix, "first")
    canvas.label_ticks(ax, "y", names, "first scan")
    canvas.label_ticks(ax, "x", names, "second scan")
    canvas.despine(ax, keep=())
    missing = bool(np.isnan(values).any())
    canvas.add_colorbar(ax, image, canvas.quantity(matrix, "similarity"), extend=scale.extend, missing=missing)


def _draw_shares(ax: Axes, values: Floats, label: str) -> None:
    same = np.eye(len(values), dtype=bool)
    known = values[np.isfinite(values)]
    edges = np.linspace(known.min(), known.max() + 1e-9 * max(abs(known.max()), 1), _bins[len(values) >= _many] + 1)
    for name, which, color in (("other animals", ~same, _other), ("same animal", same, _own)):
        seen = values[which & np.isfinite(values)]
        if seen.size:
            weights = np.full(seen.size, 1 / seen.size)
            height, _, _ = ax.hist(seen, edges.tolist(), weights=weights, color=color, alpha=0.55, lw=0, label=name)
            ax.vlines(seen.mean(), 0, np.max(height), color=color, lw=1.4)
    ax.set_xlabel(label, fontsize=canvas.TICK)
    ax.set_ylabel("share of pairs", fontsize=canvas.TICK)
    ax.locator_params(axis="both", nbins=4)
    ax.legend(fontsize=canvas.NOTE, frameon=False, labelcolor=INK, loc="upper left")
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    canvas.despine(ax)


def _rates(found: xr.Dataset, n: int) -> list[str]:
    """How many animals were found, both ways."""
    if "rate" not in found or "direction" not in found.coords:
        return []
    lines = []
    for direction in canvas.labels_of(found, "direction"):
        here = found.sel(direction=direction)
        rate = float(here["rate"])
        span = f" [{float(here['rate_low']):.2f}, {float(here['rate_high']):.2f}]" if "rate_low" in found else ""
        p = f", p = {float(here['rate_p_value']):.2g}" if "rate_p_value" in found else ""
        lines.append(f"{_arrows.get(direction, direction)}: {rate * n:.3g} of {n} found{span}{p}")
    return lines


def _differential(found: xr.Dataset) -> str:
    value = f"same less other: {float(found['differential']):.2g}"
    ends = [f"differential_{end}" for end in ("low", "high")]
    span = "".join(f" [{float(found[ends[0]]):.2g}, {float(found[ends[1]]):.2g}]" if ends[0] in found else "")
    p = f"p = {float(found['differential_p_value']):.2g}" if "differential_p_value" in found else ""
    return "\n".join(text for text in (value + span, p) if text)
