"""Names beside the hubs of a drawing, where there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.palette import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_sides = ((1, 0, "left", "center"), (-1, 0, "right", "center"), (0, 1, "center", "bottom"), (0, -1, "center", "top"))


def label_hubs(
    ax: Axes,
    names: list[str],
    place: NDArray[np.float64],
    strength: NDArray[np.float64],
    size: NDArray[np.float64],
    count: int,
) -> list[str]:
    """Name the strongest nodes, each on the first side where its name covers no other name and no other hub.

    Parameters
    ----------
    names : (n_node,)
    place : (n_node, 2)
        Data coordinates; the limits of `ax` must be final.
    strength : (n_node,)
        Only nodes of positive strength are named.
    size : (n_node,)
        Area of the markers in square points.
    count : int
        How many to try; a name that fits nowhere is left out.

    Returns
    -------
    list of str
        The names written, strongest first.
    """
    from matplotlib.patheffects import withStroke

    hubs = [k for k in np.argsort(-strength, kind="stable")[:count] if strength[k] > 0]
    scale = ax.figure.dpi / 72
    centre = ax.transData.transform(place)
    radius = np.sqrt(size / np.pi) * scale
    taken = [(*(centre[k] - radius[k]), *(centre[k] + radius[k])) for k in hubs]
    written = []
    for rank, k in enumerate(hubs):
        others = taken[:rank] + taken[rank + 1 :]
        for x, y, horizontal, vertical in _sides:
            shift = (np.sqrt(size[k] / np.pi) + 1.5) * np.array([x, y])
            text = ax.annotate(
                canvas.shortened(names[k], 18), place[k], shift, textcoords="offset points", ha=horizontal, va=vertical,
                fontsize=canvas.NOTE, color=INK, zorder=5, path_effects=[withStroke(linewidth=2, foreground="white")],
            )  # fmt: skip
            box = tuple(text.get_window_extent().extents)
            if not any(_overlap(box, other) for other in others):
                taken.append(box)
                written.append(names[k])
                break
            text.remove()
    return written


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return bool(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])
