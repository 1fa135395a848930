"""Behaviour and stimulus under the activity: one row for each variable, on the time axis of the figure above.

Continuous variables are traces, variables of zeros and ones are bars, variables of words are labelled spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed
from dynome.viz import canvas, samples
from dynome.viz.palette import INK, MUTED, category_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_height = 0.78  # part of a row that a trace may fill


def plot_covariates(recording: xr.Dataset, names: Sequence[str] | None = None, *, ax: Axes | None = None) -> Axes:
    r"""Behaviour and stimuli over time, one row each.

    Parameters
    ----------
    recording : Dataset with time
        Variables ``(time,)`` of numbers, booleans or words; NaN leaves a gap.
    names : list of str or None
        Which variables, from top to bottom; None takes every ``(time,)`` data variable.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        Row ``k`` is centred at ``-k``. Each trace is scaled to its own range, which its label states with the unit;
        of a variable that never changes it states the value.

    Raises
    ------
    InputError
        If a name is unknown or a variable has other dims than time.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> time = ("time", np.arange(4.0), {"units": "s"})
    >>> rec = xr.Dataset({"velocity": ("time", [0.0, 0.1, -0.1, 0.2], {"units": "mm/s"})}, {"time": time})
    >>> ax = plot_covariates(rec, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()], ax.get_xlabel()
    (['velocity\n−0.1 to 0.2 mm/s'], 'time (s)')
    """
    rows = covariate_rows(recording, names)
    ax = canvas.axes_or_new(ax, (7, 0.7 + 0.55 * max(len(rows), 1)))
    if not rows or not recording.sizes.get("time"):
        return canvas.no_data(ax, "no data: the recording has no behaviour or stimulus over time")
    ticks = [draw_row(ax, row, -k) for k, row in enumerate(rows)]
    finish_rows(ax, ticks, canvas.clock_of(recording))
    return ax


def covariate_rows(recording: xr.Dataset, names: Sequence[str] | None) -> list[xr.DataArray]:
    """The ``(time,)`` variables to draw, checked."""
    if not isinstance(recording, xr.Dataset):
        raise InputError(f"cannot draw covariates: expected an xarray Dataset, found {type(recording).__name__}")
    usable = [str(n) for n, v in recording.data_vars.items() if v.dims == ("time",)]
    problems = Problems("cannot draw covariates")
    if isinstance(names, str):
        names = [names]
    for name in names or ():
        if name not in recording.variables:
            problems.add(f"{name!r} is not in the recording, which has {listed(usable) or 'none'}")
        elif recording[name].dims != ("time",):
            problems.add(f"{name} must have the dim time only, found {recording[name].dims}; select a feature first")
    problems.raise_if_any(InputError)
    return [recording[n].compute() for n in (usable if names is None else names)]


def finish_rows(ax: Axes, ticks: Sequence[str], clock: xr.DataArray) -> None:
    """Label the rows at ``0, -1, ...`` and the time axis under them."""
    stamps = clock.to_numpy()
    ax.set_yticks([-k for k in range(len(ticks))], ticks)
    ax.set_ylim(-len(ticks) + 0.45, 0.55)
    ax.set_xlim(stamps[0], stamps[-1] if stamps.size > 1 else stamps[0] + 1)
    ax.set_xlabel(canvas.quantity(clock), fontsize=canvas.LABEL)
    if stamps[0] < 0 < stamps[-1]:  # time from an event
        ax.axvline(0, color=MUTED, lw=0.8, zorder=0)
    canvas.despine(ax, keep=("bottom",))
    ax.tick_params(axis="y", length=0)


def draw_row(ax: Axes, row: xr.DataArray, offset: float, *, color: str = INK) -> str:
    """Draw one variable centred at height `offset` and return its tick label."""
    name = canvas.shortened(str(row.attrs.get("long_name") or row.name or "value").replace("_", " "))
    time = canvas.clock_of(row).to_numpy()
    if row.dtype.kind not in "biuf":
        _draw_words(ax, time, np.array([str(v) for v in row.to_numpy()]), offset)
        return name
    values = canvas.finite(row)
    seen = values[np.isfinite(values)]
    if not seen.size:
        ax.text(time[0], offset, " no data", color=MUTED, fontsize=canvas.NOTE, va="center")
        return name
    low, high = float(seen.min()), float(seen.max())
    constant = f"{name}\n{low:.3g} {canvas.unit_of(row)}".rstrip().replace("-", "−") + " (constant)"
    if np.isin(seen, (0, 1)).all():
        ax.broken_barh(_bars(time, values == 1), (offset - _height / 2, _height), color=color, alpha=0.45, lw=0)
        return constant if low == high else name
    if low == high:
        ax.plot(*samples.envelope(*samples.paused(time, values - low + offset)), color=color, lw=0.9)
        return constant
    scale, floor = _height / (high - low), offset - _height / 2
    x, y = samples.envelope(*samples.paused(time, floor + scale * (values - low)))
    ax.plot(x, y, color=color, lw=0.9, solid_joinstyle="round")
    if low < 0 < high:
        ax.axhline(floor - scale * low, color=MUTED, lw=0.5, ls=(0, (2, 3)), zorder=0)
    return f"{name}\n{low:.2g} to {high:.2g} {canvas.unit_of(row)}".rstrip().replace("-", "−")


def _bars(time: NDArray[np.float64], on: NDArray[np.bool_]) -> list[tuple[float, float]]:
    start, stop = samples.edges(time)
    return [(start[a], stop[b] - start[a]) for a, b in samples.runs(on)]


def _draw_words(ax: Axes, time: NDArray[np.float64], words: NDArray[np.str_], offset: float) -> None:
    whole = float(time[-1] - time[0]) or 1.0
    for word, color in category_colors(words).items():
        bars = _bars(time, words == word)
        ax.broken_barh(bars, (offset - _height / 2, _height), color=color, alpha=0.35, lw=0)
        for start, width in bars:
            if word and width > 0.012 * len(word) * whole:
                middle = start + width / 2
                ax.text(middle, offset, word, ha="center", va="center", fontsize=canvas.NOTE, color=INK, clip_on=True)
