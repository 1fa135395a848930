"""Connectivity in windows of time: some of its matrices, and how much each window resembles each other one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.dynamic_graphs.similarities import correlations
from dynome.viz.dynamic_graphs.squares import MAX_SIMILAR, draw_squares, graph_scale, networks_of, ordered, scale_of
from dynome.viz.palette import INK, MISSING, SEQUENTIAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_what = "windows"
_max_windows = 800  # rows of the similarity; of more windows, evenly spaced ones
_max_pairs = 40_000  # of more pairs of nodes, evenly spaced ones
_max_sharp = 200  # rows; of more, several share a pixel
_block = 64  # windows in memory at a time


def plot_windows(
    windows: xr.DataArray, *, network: str = "network", n_windows: int = 6, ax: Axes | None = None
) -> Axes:
    """Matrices of a few windows, and the similarity of all windows.

    Parameters
    ----------
    windows : (window, source, target)
        As `dynamics.dynamic_connectivity` gives it: values, or graphs of true and false. NaN is grey. A dask array is
        read in blocks of windows.
    network : str
        What nodes are ordered by: the coordinate ``source_<network>``, as `dynamic_connectivity` makes it of the
        coordinate ``<network>`` of a recording. Within a network, and where there is none of that name, nodes that
        resemble each other stand together: in the order of the leaves of an average-linkage tree on one minus the
        correlation of their connections in the matrices drawn. More than 400 nodes, and sources that are not the
        targets, stay as stored. The order, the same for rows and columns of all matrices, is told beside the first.
    n_windows : int
        How many matrices to draw at most, evenly spaced in time.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of its ``child_axes``. The first is the similarity of windows: the correlation of their
        connections [1]_, those to the node itself left out. Windows between the dashed lines overlap in time, and
        resemble each other for that alone. Numbered marks stand where the matrices are; these have one colour scale.

    Raises
    ------
    InputError
        If dims are others, or `n_windows` is below 1.

    Notes
    -----
    Of more than 800 windows, and of more than 40,000 pairs of nodes, similarities are those of evenly spaced ones.

    References
    ----------
    .. [1] Hansen et al., NeuroImage 105, 525 (2015), doi:10.1016/j.neuroimage.2014.11.001.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> fc = np.array([np.eye(3), np.ones((3, 3)), np.eye(3)]) + 0.1 * np.arange(9).reshape(3, 3)
    >>> ax = plot_windows(xr.DataArray(fc, dims=("window", "source", "target")), ax=Figure().subplots())
    >>> [room.get_title(loc="left") for room in ax.child_axes[1].child_axes if room.images]
    ['1', '2', '3']
    """
    hint = "select one session first, and take the dense output of dynamic_connectivity"
    windows = canvas.require_dims(windows, ("window", "source", "target"), _what, hint)
    if n_windows < 1:
        raise InputError(f"cannot draw {_what}: n_windows must be at least 1, got {n_windows}")
    ax = canvas.axes_or_new(ax, (9.8, 4.0))
    if not windows.size:
        return canvas.no_data(ax, "no data: there is no window, or no node")
    shown = _spaced(windows.sizes["window"], n_windows)
    matrices = np.stack([canvas.finite(windows.isel(window=int(k))) for k in shown])
    if not np.isfinite(matrices).any():
        return canvas.no_data(ax, "no data: every value is missing")
    ax.set_axis_off()
    left, right = ax.inset_axes((0, 0, 0.36, 1)), ax.inset_axes((0.5, 0, 0.5, 1))
    clock = _clock(windows)
    _draw_similarity(left, windows, clock)
    for k, place in enumerate(shown):
        _mark(left, clock[place], str(k + 1))
    _draw_matrices(right, windows, matrices, network, _titles(clock, shown, canvas.unit_of(windows["window"])))
    return ax


def _spaced(n: int, limit: int) -> NDArray[np.int64]:
    """At most `limit` of `n` positions, evenly spaced, each in the middle of its part."""
    count = min(n, limit)
    return ((np.arange(count) + 0.5) * n / count).astype(np.int64)


def _clock(windows: xr.DataArray) -> Floats:
    """Middle of each window, or its number."""
    return canvas.clock_of(windows, "window").to_numpy()


def _titles(clock: Floats, shown: NDArray[np.int64], unit: str) -> list[str]:
    return [f"{k + 1}" + (f" · {clock[place]:.4g} {unit}" if unit else "") for k, place in enumerate(shown)]


def _draw_similarity(ax: Axes, windows: xr.DataArray, clock: Floats) -> None:
    from matplotlib import colormaps

    used = _spaced(clock.size, _max_windows)
    values = correlations(_connections(windows, used))
    step = float(np.median(np.diff(clock))) if clock.size > 1 else 1.0
    ends = (clock[0] - step / 2, clock[-1] + step / 2)
    low = float(np.clip(np.nanmin(values, initial=1.0), -1, 1)) if np.isfinite(values).any() else 0.0
    cmap = colormaps[SEQUENTIAL].with_extremes(bad=MISSING)
    place: dict[str, Any] = {"extent": (*ends, *ends[::-1]), "vmin": min(0.0, low), "vmax": 1, "cmap": cmap}
    how = "nearest" if used.size <= _max_sharp else "antialiased"
    image = ax.imshow(values, aspect="auto", interpolation=how, **place)
    ax.set_box_aspect(1)
    ax.set_anchor("NW")
    name = canvas.quantity(windows["window"].rename("window")) if "window" in windows.coords else "window"
    ax.set_xlabel(name, fontsize=canvas.LABEL)
    ax.set_ylabel(name, fontsize=canvas.LABEL)
    canvas.despine(ax, keep=())
    if {"start", "stop"} <= set(windows.coords):
        _bound(ax, ends, float(np.median(windows["stop"].to_numpy() - windows["start"].to_numpy())))
    label = "similarity of windows (correlation)"
    canvas.add_colorbar(ax, image, label, extend="neither", missing=bool(np.isnan(values).any()))


def _connections(windows: xr.DataArray, used: NDArray[np.int64]) -> Floats:
    """Connections of each window that is used ``(window, pair)``, read in blocks."""
    same = canvas.labels_of(windows, "source") == canvas.labels_of(windows, "target")
    n_source, n_target = windows.shape[1:]
    half = same and not windows.attrs.get("directed")
    other = np.triu(np.ones((n_source, n_target), dtype=bool), 1) if half else ~np.eye(n_source, n_target, dtype=bool)
    pairs = np.flatnonzero(other if same else np.ones_like(other))
    pairs = pairs[_spaced(pairs.size, _max_pairs)] if pairs.size else pairs
    blocks = (used[k : k + _block] for k in range(0, used.size, _block))
    return np.concatenate([canvas.finite(windows.isel(window=b)).reshape(b.size, -1)[:, pairs] for b in blocks])


def _bound(ax: Axes, ends: tuple[float, float], length: float) -> None:
    """Lines between which windows overlap."""
    for shift in (length, -length):
        ax.plot(ends, np.array(ends) + shift, color="white", lw=0.9, ls=(0, (4, 3)), scalex=False, scaley=False)


def _mark(ax: Axes, place: float, name: str) -> None:
    """A number above the similarity where a matrix is drawn, and a point on its diagonal."""
    ax.plot([place], [place], "o", ms=4, color="white", mec=INK, mew=0.8, zorder=3, scalex=False, scaley=False)
    ax.annotate(name, (place, 1.01), xycoords=("data", "axes fraction"), ha="center", va="bottom",
                fontsize=canvas.NOTE, color=INK, annotation_clip=False)  # fmt: skip


def _draw_matrices(ax: Axes, windows: xr.DataArray, matrices: Floats, network: str, titles: list[str]) -> None:
    names = [canvas.labels_of(windows, dim) for dim in ("source", "target")]
    groups: list[Any] = []
    alike = names[0] == names[1] and len(names[0]) <= MAX_SIMILAR
    if names[0] == names[1]:
        found = networks_of(windows, "source", network)
        order = ordered(matrices, names[0], found)
        groups = [found[k] for k in order] if found else []
        matrices = matrices[:, order][:, :, order]
    binary = windows.dtype.kind == "b"
    scale = graph_scale() if binary else scale_of(matrices)
    if scale is not None:
        label = "" if binary else canvas.quantity(windows, "connectivity")
        rows = 1 if len(titles) <= 2 else 2
        rooms = draw_squares(ax, matrices, titles, groups, scale, label, columns=-(-len(titles) // rows), title=network)
        how = [f"by {network}"] if groups else []
        how += ["alike together"] if alike else ["as stored"]
        rooms[0].set_ylabel("regions " + ",\n".join(how), fontsize=canvas.NOTE, labelpad=8 if groups else 2)
