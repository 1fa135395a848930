"""Degrees and the laws fitted to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.viz import canvas
from dynome.viz.palette import INK, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_degrees(laws: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The share of nodes with at least each degree, and what the fitted laws say.

    Parameters
    ----------
    laws : Dataset
        As `degree_laws` gives it: ``observed (degree)``, ``survival (law, degree)`` and ``aic (law)``. NaN is left out.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        Both axes logarithmic: a power law is straight. The legend tells how much worse each law is than the best by
        Akaike's criterion.

    Raises
    ------
    InputError
        If a variable is missing or has other dims.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from dynome.connectome import degree_laws
    >>> laws = degree_laws(np.random.default_rng(0).geometric(0.2, 300), min_degree=1)
    >>> len(plot_degrees(laws, ax=Figure().subplots()).lines)
    4
    """
    canvas.require_variables(laws, ("observed", "survival", "aic"), "degrees")
    observed = canvas.require_dims(laws["observed"], ("degree",), "degrees", "use degree_laws")
    survival = canvas.require_dims(laws["survival"], ("law", "degree"), "degrees", "use degree_laws")
    ax = canvas.axes_or_new(ax, (4.6, 3.4))
    if not np.isfinite(canvas.finite(observed)).any():
        return canvas.no_data(ax, "no data: there is no degree, or every share is missing")
    degree = canvas.finite(laws["degree"])
    ax.plot(degree, canvas.finite(observed), "o", ms=4, color=INK, alpha=0.7, mew=0)
    aic = canvas.finite(laws["aic"])
    colors = {}
    for k, name in enumerate(canvas.labels_of(laws, "law")):
        ax.plot(degree, canvas.finite(survival)[k], color=SERIES[k], lw=1.5)
        worse = aic[k] - np.nanmin(aic) if np.isfinite(aic[k]) else np.nan
        told = "best" if worse == 0 else f"AIC +{worse:,.1f}"
        colors[f"{name.replace('_', ' ')}\n({told})"] = SERIES[k]
    shares = canvas.finite(observed)
    ax.set(xscale="log", yscale="log", ylim=(0.5 * np.nanmin(shares[shares > 0], initial=1.0), 1.4))
    ticks = [t * 10**k for k in range(7) for t in (1, 2, 5) if degree.min() <= t * 10**k <= degree.max()]
    ax.set_xticks(ticks, [f"{t:,}" for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel(canvas.quantity(laws["degree"], "degree").removesuffix(" (count)"), fontsize=canvas.LABEL)
    ax.set_ylabel("share of nodes with at least that", fontsize=canvas.LABEL)
    canvas.despine(ax)
    canvas.add_legend(ax, colors, "", "-", 1.0)
    return ax
