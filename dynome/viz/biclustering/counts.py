"""How many clusters and states: draw by draw, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.viz import canvas
from dynome.viz.biclustering.tree import Floats, group_of
from dynome.viz.palette import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_counted = {"n_clusters": "clusters", "n_states": "states"}
_max_points = 3000  # draws of a chain in a trace
_share = 0.28  # of the width, for the histogram
_row = 0.46  # of the height
_what = "numbers of clusters and states"


def plot_chain_counts(results: xr.DataTree, *, ax: Axes | None = None) -> Axes:
    """Numbers of clusters and of states in every draw, and their posterior.

    Parameters
    ----------
    results : DataTree
        As `Biclustering.results_`: ``/posterior`` with ``n_clusters`` and ``n_states`` ``(chain, draw)``.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of four panels, which are its ``child_axes``: trace and histogram of the clusters, and of the states. A
        chain has one colour; traces stand a little above one another, so that all are seen. The lines of a histogram
        are the chains, its bars all of them. Chains that stay at different numbers have not mixed.

    Raises
    ------
    InputError
        If the numbers are missing or have other dims.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> posterior = xr.Dataset({n: (("chain", "draw"), [[3, 3, 4], [3, 2, 3]]) for n in ("n_clusters", "n_states")})
    >>> host = plot_chain_counts(xr.DataTree.from_dict({"posterior": posterior}), ax=Figure().subplots())
    >>> [panel.get_ylabel() for panel in host.child_axes[::2]]
    ['clusters', 'states']
    """
    data = group_of(results, "posterior", list(_counted), _what)
    values = {
        name: canvas.finite(canvas.require_dims(data[name], ("chain", "draw"), _what, "see results_"))
        for name in _counted
    }
    ax = canvas.axes_or_new(ax, (7.2, 3.6))
    if not all(np.isfinite(v).any() for v in values.values()):
        return canvas.no_data(ax, "no data: there are no draws")
    draw = canvas.finite(data["draw"] if "draw" in data.coords else np.arange(data.sizes["draw"]))
    ax.set_axis_off()
    for k, (name, what) in enumerate(_counted.items()):
        floor, last = (1 - _row) * (1 - k), k == 1
        trace = ax.inset_axes((0, floor, 1 - _share, _row))
        side = ax.inset_axes((1.03 - _share, floor, _share - 0.03, _row), sharey=trace)
        _draw_traces(trace, draw, values[name], what)
        draw_histogram(side, values[name], upright=False)
        trace.tick_params(labelbottom=last)
        side.tick_params(labelleft=False, left=False)
        if last:
            trace.set_xlabel("draw", fontsize=canvas.LABEL)
            side.set_xlabel("share of draws", fontsize=canvas.LABEL)
    return ax


def _draw_traces(ax: Axes, draw: Floats, values: Floats, what: str) -> None:
    step = -(-draw.size // _max_points)
    beside = 0.5 * (np.arange(len(values)) - (len(values) - 1) / 2) / max(len(values), 1)
    for k, row in enumerate(values):
        color = SERIES[k % len(SERIES)]
        ax.plot(draw[::step], row[::step] + beside[k], color=color, lw=0.7, alpha=0.8, drawstyle="steps-mid")
    canvas.despine(ax)
    ax.set_ylabel(what, fontsize=canvas.LABEL)
    ax.locator_params(axis="y", integer=True, nbins=5, min_n_ticks=1)
    ax.margins(x=0.01)


def draw_histogram(ax: Axes, values: Floats, *, upright: bool) -> None:
    """Share of draws at each number: bars over all chains, a line for each chain."""
    known = values[np.isfinite(values)].astype(np.int64)
    number = np.arange(known.min(), known.max() + 1)
    whole = np.array([(known == n).mean() for n in number])
    (ax.bar if upright else ax.barh)(number, whole, 0.8, color="#C9CDD3", lw=0)
    for k, row in enumerate(values if len(values) > 1 else []):
        seen = row[np.isfinite(row)]
        share = np.array([(seen == n).mean() if seen.size else np.nan for n in number])
        where = (number, share) if upright else (share, number)
        ax.plot(*where, "-o", color=SERIES[k % len(SERIES)], lw=0.9, ms=2.5)
    canvas.despine(ax)
    ax.locator_params(axis="x" if upright else "y", integer=True, nbins=5, min_n_ticks=1)


def draw_likelihood(ax: Axes, values: xr.DataArray) -> None:
    """The log likelihood of every draw, a line for each chain."""
    traces = canvas.finite(values.transpose("chain", "draw"))
    step = -(-traces.shape[1] // _max_points)
    draw = values["draw"].to_numpy() if "draw" in values.coords else np.arange(traces.shape[1])
    for k, row in enumerate(traces):
        ax.plot(draw[::step], row[::step], color=SERIES[k % len(SERIES)], lw=0.7, alpha=0.8)
    canvas.despine(ax)
    ax.locator_params(axis="y", nbins=3)
    ax.locator_params(axis="x", nbins=4)
    ax.set_xlabel("draw", fontsize=canvas.TICK, labelpad=1)
    ax.set_ylabel("log likelihood", fontsize=canvas.TICK)
