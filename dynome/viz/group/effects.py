"""Effects of a group test as a forest: the permutation's interval, the mixed model's beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_what = "a group test"
_names = ("effect", "effect_low", "effect_high", "p_value", "q_value")
_row = 0.3  # inches
_sure = 0.05


def plot_group_test(table: xr.Dataset, *, n_rows: int = 30, ax: Axes | None = None) -> Axes:
    """Effects with their intervals, one row for each quantity.

    Parameters
    ----------
    table : Dataset
        As `inference.group_test` gives it, over any dims. NaN is left out.
    n_rows : int
        So many rows at most, those with the smallest p-values, in the order of the table.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        A row for each quantity, from the top: the effect with its 95 % interval, filled where the false discovery rate
        is at most 0.05; the thin grey line below is the mixed model. The words at the right are p and q.

    Raises
    ------
    InputError
        If it is no such table.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> values = {"effect": 1.0, "effect_low": 0.5, "effect_high": 1.5, "p_value": 0.01, "q_value": 0.02}
    >>> table = xr.Dataset({name: ("component", [value, 0.0]) for name, value in values.items()})
    >>> ax = plot_group_test(table, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['component 0', 'component 1']
    """
    canvas.require_variables(table, _names, _what)
    dims = [str(d) for d in table["effect"].dims]
    numbers = [str(name) for name, v in table.data_vars.items() if {*v.dims} == {*dims} and v.dtype.kind in "fiu"]
    flat = {name: canvas.finite(table[name].transpose(*dims)).ravel() for name in numbers}
    shown = np.flatnonzero(np.isfinite(flat["effect"]))
    ax = canvas.axes_or_new(ax, (6.4, 1.1 + _row * min(max(shown.size, 2), n_rows)))
    if not shown.size:
        return canvas.no_data(ax, "no data: there are no effects, or all are missing")
    told = ""
    if shown.size > n_rows:
        told = f"{n_rows} of {shown.size} effects, those with the smallest p"
        smallest = np.argsort(np.nan_to_num(flat["p_value"][shown], nan=2.0), kind="stable")[:n_rows]
        shown = np.sort(shown[smallest])
    names = _labels(table, dims)
    for row, k in enumerate(shown):
        _draw(ax, {name: float(values[k]) for name, values in flat.items()}, row)
    ax.axvline(0, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=0)
    canvas.despine(ax, keep=("bottom",))
    ax.set_yticks(range(shown.size), [canvas.shortened(names[k], 34) for k in shown])
    ax.set_ylim(shown.size - 0.3, -0.7)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(_told(table), fontsize=canvas.TICK)
    if told:
        ax.set_title(told, fontsize=canvas.NOTE, loc="left", color=MUTED)
    return ax


def _draw(ax: Axes, one: dict[str, float], row: int) -> None:
    if np.isfinite(one.get("mixed_low", np.nan)):
        ax.hlines(row + 0.22, one["mixed_low"], one["mixed_high"], color=MUTED, lw=1, zorder=1)
        ax.plot([one["mixed_effect"]], [row + 0.22], "|", color=MUTED, ms=5, zorder=1)
    if np.isfinite(one["effect_low"]):
        ax.hlines(row, one["effect_low"], one["effect_high"], color=SERIES[0], lw=2, zorder=2)
    sure = one["q_value"] <= _sure
    ax.plot([one["effect"]], [row], "o", ms=6.5, color=SERIES[0], mfc=SERIES[0] if sure else "white",
            mec="white" if sure else SERIES[0], mew=1.1, zorder=3)  # fmt: skip
    words = [
        f"{letter} = {one[name]:.2g}" for letter, name in (("p", "p_value"), ("q", "q_value")) if np.isfinite(one[name])
    ]
    ax.annotate("   ".join(words), (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=canvas.NOTE,
                color=INK, annotation_clip=False)  # fmt: skip


def _labels(table: xr.Dataset, dims: list[str]) -> list[str]:
    """Name of every effect: its labels, with the dim where the label is a number."""
    parts = []
    for d in dims:
        numbers = d not in table.coords or table[d].dtype.kind in "iuf"
        parts.append([f"{d} {label}" if numbers else label for label in canvas.labels_of(table, d)])
    names = [""]
    for part in parts:
        names = [f"{before}, {label}".removeprefix(", ") for before in names for label in part]
    return [name or str(table.attrs.get("quantity", "effect")) for name in names]


def _told(table: xr.Dataset) -> str:
    quantity = str(table.attrs.get("quantity", "")).replace("_", " ")
    comparison = str(table.attrs.get("comparison", "effect"))
    unit = canvas.unit_of(table["effect"])
    what = f"{quantity}: {comparison}" if quantity else comparison
    filled = "\n(filled: q at most 0.05; grey: mixed model)" if "mixed_low" in table else "\n(filled: q at most 0.05)"
    return what + (f" ({unit})" if unit else "") + filled
