"""How many states: held-out score against their number, fold by fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, SERIES
from dynome.viz.panels import panel_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_number = "n_states"
_what = "a curve over numbers of states"


def plot_state_curve(curve: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Held-out score against the number of states.

    Parameters
    ----------
    curve : Dataset
        As `inference.state_curve` gives it: ``score (n_states, fold)``, larger is better. NaN (a fit that failed) is
        left out. ``attrs["chosen"]`` and ``attrs["best"]`` are marked.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of two panels, which are its ``child_axes``. The first shows the score: each fold as a thin line, their
        mean with its standard error, and as a dashed line the mean of one state. The second shows what the decision
        rests on, the difference to the best number of states within each fold, again with the standard error of its
        mean: folds differ far more from each other than numbers of states do. Where a bar reaches 0, so many states
        foresee as well as the best.

    Raises
    ------
    InputError
        If ``score`` is missing or has other dims.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> score = xr.DataArray([[-1.2, -1.5], [-1.0, -1.3], [-1.01, -1.29]], dims=("n_states", "fold"))
    >>> curve = xr.Dataset({"score": score}, {"n_states": [1, 2, 3]}, {"chosen": 2, "best": 3})
    >>> host = plot_state_curve(curve, ax=Figure().subplots())
    >>> host.child_axes[1].get_xlabel()
    'number of states (chosen: 2, best: 3)'
    """
    canvas.require_variables(curve, ["score"], _what)
    score = canvas.require_dims(curve["score"], (_number, "fold"), _what, "see inference.state_curve")
    ax = canvas.axes_or_new(ax, (5.6, 4.6))
    values = canvas.finite(score)
    if not np.isfinite(values).any():
        return canvas.no_data(ax, "no data: there is no number of states, or every score is missing")
    number = np.arange(1.0, len(values) + 1) if _number not in score.coords else canvas.finite(score[_number])
    best = int(np.nanargmax(np.nan_to_num(_mean_and_error(values)[0], nan=-np.inf)))
    upper, lower = panel_rows(ax, [1.0, 1.0], gap=0.08)
    below: Floats = values - values[best]
    _draw(upper, number, values)
    _draw(lower, number, below)
    for panel in (upper, lower):
        _mark(panel, curve)
    lower.axhline(0, color=MUTED, lw=0.6, zorder=0)
    upper.set_ylabel(_name(score), fontsize=canvas.TICK)
    lower.set_ylabel("difference to the best\nwithin each fold", fontsize=canvas.TICK)
    lower.set_xticks(number[:: -(-number.size // 20)])
    lower.set_xlim(number.min() - 0.6, number.max() + 0.6)
    upper.tick_params(labelbottom=False)
    told = ", ".join(f"{name}: {curve.attrs[name]}" for name in ("chosen", "best") if name in curve.attrs)
    lower.set_xlabel("number of states" + (f" ({told})" if told else ""), fontsize=canvas.LABEL)
    return ax


def _name(score: xr.DataArray) -> str:
    """What the score is; a long name that tells the unit itself is left as it is."""
    long = str(score.attrs.get("long_name", ""))
    return (long if "(" in long else canvas.quantity(score, "held-out score")).replace(" (", "\n(", 1)


def _mean_and_error(values: Floats) -> tuple[Floats, Floats]:
    """Mean over folds and its standard error, NaN where no fold (one fold) is known."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    mean = np.where(known, values, 0).sum(axis=1) / np.where(count > 0, count, np.nan)
    square = np.where(known, (values - mean[:, None]) ** 2, 0).sum(axis=1)
    return mean, np.sqrt(square / np.where(count > 1, count - 1, np.nan) / np.maximum(count, 1))


def _draw(ax: Axes, number: Floats, values: Floats) -> None:
    """Every fold behind their mean; the mean of one state as a line to compare with."""
    mean, error = _mean_and_error(values)
    ax.plot(number, values, color=MUTED, lw=0.7, alpha=0.45, zorder=1)
    ax.errorbar(number, mean, error, fmt="-o", color=INK, ms=4, mec="white", mew=0.5, lw=1.4, elinewidth=1.6, zorder=3)
    if (number == 1).any() and np.isfinite(one := mean[number == 1][0]):
        ax.axhline(one, color=SERIES[0], lw=1.0, ls=(0, (4, 3)), zorder=2)
        ax.annotate(
            "one state", (1, one), (-3, 2), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
            va="bottom", fontsize=canvas.NOTE, color=SERIES[0],
        )  # fmt: skip
    canvas.despine(ax)
    ax.locator_params(axis="y", nbins=5)


def _mark(ax: Axes, curve: xr.Dataset) -> None:
    """A broad band at the number chosen, a thin line at the best."""
    chosen, best = curve.attrs.get("chosen"), curve.attrs.get("best")
    if chosen is not None:
        ax.axvspan(chosen - 0.35, chosen + 0.35, color=SERIES[4], alpha=0.18, lw=0, zorder=0)
    if best is not None:
        ax.axvline(best, color=SERIES[4], lw=1.2, ls=(0, (1, 2)), zorder=0)
