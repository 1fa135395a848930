"""Nodes by what a network has learnt of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dynome.viz import canvas
from dynome.viz.hubs import label_hubs
from dynome.viz.palette import SERIES, category_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_area = 26.0  # square points of a marker
_named = 25  # nodes farthest from the middle that are named where there is room


def plot_embeddings(embeddings: xr.DataArray, *, color: str = "cell_type", ax: Axes | None = None) -> Axes:
    """The first two components of the embeddings of nodes.

    Parameters
    ----------
    embeddings : (node, component)
        As `inference.node_embeddings` gives them. Nodes with NaN are left out.
    color : str
        Coordinate of ``node`` that gives the colour; all nodes have one colour where there is none of that name.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        Nodes that lie far out are named where there is room.

    Raises
    ------
    InputError
        If the dims are others.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> x = xr.DataArray(np.eye(3), {"node": list("abc")}, ("node", "component"))
    >>> plot_embeddings(x, ax=Figure().subplots()).get_xlabel()
    'component 1'
    """
    array = canvas.require_dims(embeddings, ("node", "component"), "embeddings", "see inference.node_embeddings")
    ax = canvas.axes_or_new(ax, (5.2, 4.2))
    values = canvas.finite(array)[:, :2]
    keep = np.flatnonzero(np.isfinite(values).all(axis=1)) if values.shape[1] else np.empty(0, dtype=np.int64)
    if not keep.size:
        return canvas.no_data(ax, "no data: no node has an embedding")
    place = np.pad(values[keep], ((0, 0), (0, 2 - values.shape[1])))
    told = [str(v) for v in array[color].to_numpy()[keep]] if color in array.coords else [""] * keep.size
    colors = category_colors(told) if any(told) else {"": SERIES[0]}
    shades = [colors[t] for t in told]
    ax.scatter(place[:, 0], place[:, 1], s=_area, c=shades, edgecolors="white", linewidths=0.5, zorder=3)
    share = np.atleast_1d(array.attrs.get("share", []))
    for k, axis in enumerate((ax.xaxis, ax.yaxis)):
        part = f" ({100 * share[k]:.0f} % of variance)" if k < share.size else ""
        axis.set_label_text(f"component {k + 1}{part}", fontsize=canvas.LABEL)
    canvas.despine(ax)
    ax.margins(0.12)
    if any(told):
        named = {(name or "unknown"): c for name, c in colors.items()}
        canvas.add_legend(ax, named, color.replace("_", " "), "o", 1.0)
    canvas.settle(ax)
    names = [canvas.labels_of(array, "node")[k] for k in keep]
    far = np.hypot(*(place - place.mean(axis=0)).T)
    label_hubs(ax, names, place, far, np.full(keep.size, _area), _named)
    return ax
