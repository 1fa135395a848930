"""Components of a tensor factorisation: when each is active, in which animals, and what the animals did meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.viz import canvas, samples
from dynome.viz.covariates import covariate_rows, draw_row, finish_rows
from dynome.viz.palette import MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_height = 0.8  # part of a row that a component may fill
_loadings_share = 0.2  # of the width


def plot_components(
    results: xr.Dataset,
    *,
    covariates: xr.Dataset | None = None,
    names: Sequence[str] | None = None,
    loadings: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Time course of every component, with behaviour under them and the animals beside them.

    Parameters
    ----------
    results : Dataset
        As `NonnegativeCP.results_`: ``time_factor (time, component)``; ``weight (component)`` and ``animal_factor
        (animal, component)`` are used where they are there. NaN leaves a gap.
    covariates : Dataset with time, or None
        A recording on the same clock whose variables are drawn under the components.
    names : list of str or None
        Which of its variables, see `plot_covariates`.
    loadings : bool
        Draw ``animal_factor`` beside the time courses, see `plot_loadings`.
    ax : Axes or None
        Where to draw; None makes a figure. Loadings take a part of its room.

    Returns
    -------
    Axes
        The time courses: component ``k`` stands in the row at ``-k``, scaled to its own largest value.

    Raises
    ------
    InputError
        If ``time_factor`` is missing or has other dims, or a covariate is unknown.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> results = xr.Dataset({"time_factor": (("time", "component"), np.eye(4)[:, :2])})
    >>> ax = plot_components(results.assign(weight=("component", [3.0, 1.0])), ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['0 (75 %)', '1 (25 %)']
    """
    factor = _factor(results, "time_factor", "time")
    rows = [] if covariates is None else covariate_rows(covariates, names)
    n = factor.sizes["component"]
    ax = canvas.axes_or_new(ax, (7.6, 0.8 + 0.5 * max(n + len(rows), 2)))
    values = canvas.finite(factor)
    if not np.isfinite(values).any():
        return canvas.no_data(ax, "no data: there are no components, or all their values are missing")
    clock = canvas.clock_of(factor)
    for k in range(n):
        _draw_course(ax, clock.to_numpy(), values[:, k], k)
    ticks = [draw_row(ax, row, -n - k) for k, row in enumerate(rows)]
    finish_rows(ax, [*_row_names(results), *ticks], clock)
    shares = "\n(share of weight)" if "weight" in results else ""
    ax.set_ylabel(f"component{shares}", fontsize=canvas.LABEL)
    if rows:
        ax.axhline(0.5 - n, color=MUTED, lw=0.6)
    if loadings and "animal_factor" in results:
        _add_loadings(ax, results, n / (n + len(rows)))
    return ax


def plot_loadings(results: xr.Dataset, factor: str = "animal_factor", *, ax: Axes | None = None) -> Axes:
    """How strongly each component is expressed in each animal (or session, trial, node).

    Parameters
    ----------
    results : Dataset
        With `factor` over one dim and ``component``. NaN has no bar.
    factor : str
        Which factor.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        One row of bars for each component, in the row at ``-k``, scaled to its own largest value.

    Raises
    ------
    InputError
        If the factor is missing or has other dims.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> results = xr.Dataset({"animal_factor": (("animal", "component"), [[0.6], [0.8]])}, {"animal": ["w1", "w2"]})
    >>> ax = plot_loadings(results, ax=Figure().subplots())
    >>> [round(float(bar.get_height()), 2) for bar in ax.patches]
    [0.6, 0.8]
    """
    dim = next((str(d) for d in results[factor].dims if d != "component"), "") if factor in results else ""
    array = _factor(results, factor, dim)
    n = array.sizes["component"]
    ax = canvas.axes_or_new(ax, (1.5 + 0.12 * min(max(array.sizes[dim], 8), 60), 0.8 + 0.5 * max(n, 2)))
    values = canvas.finite(array)
    if not np.isfinite(values).any():
        return canvas.no_data(ax, "no data")
    position = np.arange(values.shape[0])
    for k in range(n):
        top = np.nanmax(values[:, k], initial=0) or 1.0
        floor = -k - _height / 2
        ax.bar(position, _height * values[:, k] / top, 0.8, bottom=floor, color=SERIES[k % len(SERIES)])
        ax.axhline(floor, color=MUTED, lw=0.5)
    canvas.despine(ax, keep=())
    ax.set_yticks([-k for k in range(n)], _row_names(results))
    ax.set_ylim(-n + 0.45, 0.55)
    ax.set_xlim(-0.7, position[-1] + 0.7)
    ax.tick_params(axis="y", length=0)
    canvas.label_ticks(ax, "x", canvas.labels_of(array, dim), dim)
    return ax


def _add_loadings(ax: Axes, results: xr.Dataset, share: float) -> None:
    """Bars beside the components, which take this share of the height."""
    room = canvas.axes_beside(ax, _loadings_share)
    room.set_axis_off()
    bars = plot_loadings(results, ax=room.inset_axes((0, 1 - share, 1, share)))
    bars.set_ylim(0.55 - results.sizes["component"], 0.55)
    bars.set_yticks([])


def _draw_course(ax: Axes, time: NDArray[np.float64], values: NDArray[np.float64], row: int) -> None:
    top = np.nanmax(values, initial=0) or 1.0
    floor = -row - _height / 2
    x, y = samples.envelope(*samples.paused(time, floor + _height * values / top))
    color = SERIES[row % len(SERIES)]
    ax.fill_between(x, floor, y, color=color, alpha=0.3, lw=0)
    ax.plot(x, y, color=color, lw=1.0, solid_joinstyle="round")
    ax.axhline(floor, color=MUTED, lw=0.5, zorder=0)


def _factor(results: xr.Dataset, name: str, dim: str) -> xr.DataArray:
    canvas.require_variables(results, [name], "components")
    hint = "a factor has the dim that it describes and component"
    return canvas.require_dims(results[name], (dim, "component"), f"components: {name}", hint)


def _row_names(results: xr.Dataset) -> list[str]:
    """Labels of the components, each with its share of the weight where that is known."""
    labels = canvas.labels_of(results, "component")
    if "weight" not in results:
        return labels
    weight = canvas.finite(canvas.require_dims(results["weight"], ("component",), "components: weight", "reduce it"))
    if not (total := np.nansum(weight)) > 0:
        return labels
    return [f"{label} ({100 * w / total:.0f} %)" for label, w in zip(labels, weight, strict=True)]
