"""Several panels in the room of one axes: rows on one time axis, or a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def panel_rows(ax: Axes, heights: Sequence[float], *, gap: float = 0.1) -> list[Axes]:
    """Axes on top of one another with one x axis; `ax` becomes their invisible host.

    Parameters
    ----------
    ax : Axes
        Its room is divided.
    heights : (n,)
        Relative heights, from the top.
    gap : float
        Room between two panels, in the unit of `heights`.
    """
    ax.set_axis_off()
    whole = sum(heights) + gap * (len(heights) - 1)
    rooms: list[Axes] = []
    top = 1.0
    for height in heights:
        bounds = (0, top - height / whole, 1, height / whole)
        rooms.append(ax.inset_axes(bounds, sharex=rooms[0] if rooms else None))
        top -= (height + gap) / whole
    return rooms


def panel_grid(ax: Axes, count: int, columns: int, *, gap: tuple[float, float]) -> list[Axes]:
    """Axes in rows of `columns`; `ax` becomes their invisible host.

    Parameters
    ----------
    ax : Axes
        Its room is divided.
    count, columns : int
        Panels in all, and in a row.
    gap : (float, float)
        Inches between columns and between rows.
    """
    ax.set_axis_off()
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    rows = -(-count // columns)
    across = min(gap[0] * dpi / box.width, 0.5 / columns)
    down = min(gap[1] * dpi / box.height, 0.5 / rows)
    width, height = (1 - across * (columns - 1)) / columns, (1 - down * (rows - 1)) / rows
    places = [divmod(k, columns) for k in range(count)]
    return [
        ax.inset_axes((col * (width + across), 1 - height - row * (height + down), width, height))
        for row, col in places
    ]
