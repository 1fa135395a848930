"""Function against structure: how functional connectivity changes with structural weight, and against chance."""

from __future__ import annotations

from itertools import pairwise
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.palette import EDGE_TYPE, INK, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_max_points = 400  # pairs drawn for each layer and bin; means and intervals use all
_n_bins = 6  # of positive weights that are not whole numbers
_least = 10  # pairs in the last bin
_spread = 0.7  # part of a bin that its layers fill


class Bins(NamedTuple):
    """Bins of structural weight; the first holds the unconnected pairs."""

    edges: NDArray[np.float64]
    names: list[str]


def plot_structure_function(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Functional connectivity of pairs of nodes by the weight of their structural connection.

    Parameters
    ----------
    result : Dataset
        As `inference.structure_function` gives it: ``fc (pair)``, ``weight (layer, pair)`` where zero means
        unconnected, and for the legend ``statistic``, ``z`` and ``p_value`` over ``layer``. NaN is left out.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        For each layer and bin of weight: the mean with its 95 % interval, over a sample of the pairs as dots. The
        interval takes pairs for independent, which they are not: it describes, and the null distribution tests.

    Raises
    ------
    InputError
        If a variable is missing or has other dims.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> result = xr.Dataset({"fc": ("pair", [0.1, 0.2, 0.4, 0.5]), "weight": (("layer", "pair"), [[0, 0, 1, 5]])},
    ...                     {"layer": ["chemical"]})
    >>> ax = plot_structure_function(result, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['none', '1', '≥ 2']
    """
    canvas.require_variables(result, ("fc", "weight"), "structure against function")
    weight = canvas.require_dims(result["weight"], ("layer", "pair"), "structure against function", "name its layers")
    hint = "select one window or animal first"
    fc = canvas.finite(canvas.require_dims(result["fc"], ("pair",), "structure against function", hint))
    values = canvas.finite(weight)
    seen = np.isfinite(fc) & np.isfinite(values)
    ax = canvas.axes_or_new(ax, (6.4, 4.4))
    if not seen.any():
        return canvas.no_data(ax, "no data: no pair of nodes has both a structural weight and functional connectivity")
    bins = _bins(values[seen])
    layers = canvas.labels_of(weight, "layer")
    colors = layer_colors(layers)
    width = _spread / len(layers)
    for k, layer in enumerate(layers):
        shift = (k - (len(layers) - 1) / 2) * width
        _draw_layer(ax, fc[seen[k]], np.digitize(values[k][seen[k]], bins.edges), shift, width, colors[layer])
    ax.axhline(0, color=MUTED, lw=0.6, ls=(0, (2, 3)), zorder=0)
    ax.set_xticks(range(len(bins.names)), bins.names)
    ax.set_xlim(-0.6, len(bins.names) - 0.4)
    ax.set_xlabel(canvas.quantity(weight.rename("structural_weight")), fontsize=canvas.LABEL)
    ax.set_ylabel(canvas.quantity(result["fc"]), fontsize=canvas.LABEL)
    canvas.despine(ax)
    title = fill(canvas.quantity(result["statistic"]), 30) if "statistic" in result else ""
    canvas.add_legend(ax, {_summary(result, k): colors[n] for k, n in enumerate(layers)}, title, "o", 1.0)
    return ax


def plot_null(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The observed association between structure and function beside what chance gives.

    Parameters
    ----------
    result : Dataset
        As `inference.structure_function` gives it: ``statistic (layer)``, ``null (layer, draw)``, and where they are
        there ``z`` and ``p_value`` over ``layer``.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        One row for each layer: a histogram of the null distribution, and a line at the observed value.

    Raises
    ------
    InputError
        If a variable is missing or has other dims.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> result = xr.Dataset({"statistic": ("layer", [0.3]), "null": (("layer", "draw"), [[-0.1, 0.0, 0.1]])},
    ...                     {"layer": ["chemical"]})
    >>> ax = plot_null(result, ax=Figure().subplots())
    >>> float(ax.lines[0].get_xdata()[0])
    0.3
    """
    what = "a null distribution"
    canvas.require_variables(result, ("statistic", "null"), what)
    observed = canvas.require_dims(result["statistic"], ("layer",), what, "select one window first")
    null = canvas.finite(canvas.require_dims(result["null"], ("layer", "draw"), what, "select one window first"))
    value = canvas.finite(observed)
    layers = canvas.labels_of(observed, "layer")
    ax = canvas.axes_or_new(ax, (5.4, 1.0 + 0.75 * max(len(layers), 1)))
    everything = np.concatenate([null.ravel(), value])
    if not np.isfinite(everything).any():
        return canvas.no_data(ax, "no data: neither the statistic nor its null distribution has a value")
    low, high = np.nanmin(everything), np.nanmax(everything)
    pad = 0.04 * (high - low) or 0.5
    grid = np.linspace(low - pad, high + pad, 46)
    colors = layer_colors(layers)
    for k, layer in enumerate(layers):
        counts, _ = np.histogram(null[k][np.isfinite(null[k])], grid)
        floor = -k - 0.4
        ax.stairs(floor + 0.8 * counts / max(counts.max(), 1), grid, baseline=floor, fill=True, color=MUTED, alpha=0.35)
        ax.plot([value[k]] * 2, [floor, floor + 0.8], color=colors[layer], lw=2, solid_capstyle="butt")
    canvas.despine(ax, keep=("bottom",))
    ax.set_yticks([-k for k in range(len(layers))], [_summary(result, k) for k in range(len(layers))])
    ax.tick_params(axis="y", length=0)
    ax.set(xlim=(grid[0], grid[-1]), ylim=(-len(layers) + 0.45, 0.5))
    ax.set_xlabel(fill(canvas.quantity(observed), 44), fontsize=canvas.LABEL)
    return ax


def layer_colors(layers: list[str]) -> dict[str, str]:
    """The colour of each edge type, ink for all together, and others for layers of another name."""
    known = EDGE_TYPE | {"all": INK}
    return {name: known.get(name, SERIES[k % len(SERIES)]) for k, name in enumerate(layers)}


def _bins(weight: NDArray[np.float64]) -> Bins:
    """Unconnected pairs, then whole numbers by powers of two, or else equal shares of the pairs."""
    used = weight[weight != 0]
    if not used.size:
        return Bins(np.array([np.inf]), ["none"])
    if (used > 0).all() and (used % 1 == 0).all():
        return _doubling(used)
    edges = np.unique(np.quantile(used, np.linspace(0, 1, _n_bins + 1)))
    names = [f"{a:.2g}\nto {b:.2g}".replace("-", "−") for a, b in pairwise(edges)]
    if edges.size == 1:
        return Bins(edges, ["none", f"{edges[0]:.2g}"])
    if (used < 0).any():
        return Bins(edges[1:-1], names)
    return Bins(edges[:-1], ["none", *names])


def _doubling(counts: NDArray[np.float64]) -> Bins:
    """``1, 2, 3-4, 5-8, ...``; the largest are joined until the last bin holds ten pairs."""
    last = 2.0 ** np.ceil(np.log2(counts.max()))
    tops = 2.0 ** np.arange(np.log2(last) + 1)
    while tops.size > 2 and (counts > tops[-2]).sum() < _least:
        tops = tops[:-1]
    edges = np.concatenate([[1.0], tops[:-1] + 1])
    names = [f"{a:.0f}" if a == b else f"{a:.0f}–{b:.0f}" for a, b in zip(edges, tops, strict=True)]
    if counts.max() > tops[-1]:
        names[-1] = f"≥ {edges[-1]:.0f}"
    return Bins(edges, ["none", *names])


def _draw_layer(
    ax: Axes, fc: NDArray[np.float64], bin_of: NDArray[np.int64], shift: float, width: float, color: str
) -> None:
    means = []
    for b in np.unique(bin_of):
        own = fc[bin_of == b]
        sample = own[np.linspace(0, own.size - 1, min(own.size, _max_points)).astype(int)]
        # Steps of the golden ratio spread the dots evenly, and the same way every time.
        across = ((np.arange(sample.size) * 0.6180339887) % 1 - 0.5) * width * 0.8
        ax.plot(b + shift + across, sample, ".", ms=3.5, color=color, alpha=0.25, mew=0, zorder=1, rasterized=True)
        error = 1.96 * own.std(ddof=1) / np.sqrt(own.size) if own.size > 2 else 0.0
        means.append((b + shift, own.mean(), error))
    x, y, error = np.array(means).T
    style: dict[str, Any] = {"lw": 1.2, "ms": 6, "mec": "white", "mew": 0.8, "capsize": 0, "elinewidth": 2}
    ax.errorbar(x, y, yerr=error, fmt="-o", color=color, zorder=3, **style)


def _summary(result: xr.Dataset, k: int) -> str:
    """A layer with its statistic, z and p, as far as they are known."""
    name = canvas.shortened(canvas.labels_of(result, "layer")[k].replace("_", " "))
    parts = [
        form(float(result[variable][k]))
        for variable, form in (("statistic", "{:.2f}".format), ("z", "z = {:.1f}".format), ("p_value", _p))
        if variable in result and not np.isnan(result[variable][k])
    ]
    return f"{name}\n{', '.join(parts)}".replace("-", "−") if parts else name


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"
