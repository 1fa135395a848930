"""Several matrices of the same nodes side by side, with one colour scale for each kind of value."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.blocks import add_blocks
from dynome.viz.palette import DIVERGING, INK, MISSING, category_colors, unknown
from dynome.viz.panels import panel_grid
from dynome.viz.states import add_row_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

Floats = NDArray[np.float64]

_max_named = 30  # nodes
_max_sharp = 200  # rows; of more, several share a pixel
_max_columns = 5
_bar_room = 0.95  # inches
_gaps = (0.25, 0.4)  # inches
_room = 2.0  # inches to the left of a colour bar that its axes take
_letter = 0.075  # inches of a letter beside a row
_letter_points = 5.2  # of a letter beside a colour bar


class Matrix(NamedTuple):
    """One panel: values ``(target, source)``, which of them are marked, and what its colours mean."""

    title: str
    color: str
    values: Floats
    marks: NDArray[np.bool_] | None
    reach: float  # the magnitude that has the strongest colour
    scale: str


def draw_matrices(ax: Axes | None, panels: list[Matrix], names: list[list[str]], groups: list[list[Any]]) -> Axes:
    """Draw the panels in rows.

    Parameters
    ----------
    ax : Axes or None
        Their host; None makes a figure.
    panels : list of Matrix
    names, groups : (targets, sources)
        Labels of the rows and of the columns, and their communities; these are empty where there are none.
    """
    rows = max(-(-len(panels) // _max_columns), 2) if len(panels) > 4 else 1
    columns = -(-len(panels) // rows)
    ax = canvas.axes_or_new(ax, _page(panels, names, rows, columns, {str(g) for side in groups for g in side}))
    rooms = panel_grid(ax, len(panels), columns, gap=_gaps)
    images: dict[str, AxesImage] = {}
    for room, panel in zip(rooms, panels, strict=True):
        images[panel.scale] = _draw(room, panel)
    _add_bars(ax, images, panels, stacked=rows > 1)
    for _ in range(2):  # names take room, and how large they may be depends on the room that is left
        for k, room in enumerate(rooms):
            _name(room, names, left=k % columns == 0, bottom=k + columns >= len(panels))
        canvas.settle(ax)
    if groups[0]:
        for room in rooms:
            _add_strips(room, groups)
        _add_communities(ax, rooms[(rows - 1) * columns], [*groups[0], *groups[1]])
    return ax


def _page(
    panels: list[Matrix], names: list[list[str]], rows: int, columns: int, groups: set[str]
) -> tuple[float, float]:
    """Inches of a figure in which matrices keep their size beside the names, the bars and the legend."""
    side = 2.2 if columns > 1 else 3.7
    written = [max(map(len, map(canvas.shortened, n)), default=0) if len(n) <= _max_named else 0 for n in names]
    left, below = (0.4 + _letter * count for count in written)
    bars = len({panel.scale for panel in panels}) if rows == 1 else 1
    width = left + (side + _gaps[0]) * columns + _bar_room * bars
    lines = -(-len(groups) * (0.4 + _letter * min(max(map(len, groups), default=0), 18)) // (width - 1))
    legend = 0.35 + 0.17 * lines if groups else 0.0
    return width, 0.2 + below + (side + _gaps[1]) * rows - _gaps[1] + legend


def _add_strips(room: Axes, groups: list[list[Any]]) -> None:
    add_blocks(room, *groups)
    for strip in room.child_axes:
        strip.set(xticks=[], yticks=[])
    room.yaxis.labelpad = 4 if room.get_yticks().size else 9


def _draw(ax: Axes, panel: Matrix) -> AxesImage:
    from matplotlib import colormaps

    cmap = colormaps[DIVERGING].with_extremes(bad=MISSING)
    crowd = max(panel.values.shape)
    how = "nearest" if crowd <= _max_sharp else "antialiased"
    image = ax.imshow(panel.values, cmap=cmap, vmin=-panel.reach, vmax=panel.reach, aspect="auto", interpolation=how)
    ax.set_box_aspect(float(np.clip(panel.values.shape[0] / panel.values.shape[1], 0.2, 5)))
    ax.set_anchor("NW")
    ax.set_title(panel.title, loc="left", fontsize=canvas.TICK, color=panel.color, fontweight="bold", pad=7)
    canvas.despine(ax, keep=("left", "bottom", "top", "right"))
    if panel.marks is not None and panel.marks.any():
        row, column = np.nonzero(panel.marks)
        size = float(np.clip(0.3 * ax.get_window_extent().width * 72 / ax.figure.dpi / crowd, 0.4, 3))
        ax.plot(column, row, "o", ms=size, color=INK, mew=0)
    return image


def _name(ax: Axes, names: list[list[str]], *, left: bool, bottom: bool) -> None:
    """Targets beside the first panel of a row, sources under the last of a column."""
    ax.set(xticks=[], yticks=[])
    few = max(map(len, names)) <= _max_named
    if left and few:
        canvas.label_ticks(ax, "y", names[0], "target")
    elif left:
        ax.set_ylabel(f"target ({len(names[0]):,})", fontsize=canvas.TICK)
    if bottom and few:
        canvas.label_ticks(ax, "x", names[1], "source")
    elif bottom:
        ax.set_xlabel(f"source ({len(names[1]):,})", fontsize=canvas.TICK)


def _add_communities(ax: Axes, lowest: Axes, groups: list[Any]) -> None:
    """A legend of the communities, under the lowest panel on the left."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    colors = {"unknown" if unknown(name) else name: color for name, color in category_colors(groups).items()}
    add_row_legend(ax, colors, "community", "upper left", (0, 0))
    corner = ScaledTranslation(0, 0, ax.transAxes)  # type: ignore[arg-type]
    inches = ax.figure.dpi_scale_trans + corner  # a layout may change the height of the host
    for _ in range(2):
        drawn, whole = lowest.get_tightbbox(), ax.get_window_extent()
        under = 0.0 if drawn is None else max((whole.y0 - drawn.y0) / ax.figure.dpi, 0.0)
        legend = ax.get_legend()
        if legend is not None:
            legend.set_bbox_to_anchor((0, -under - 0.03), blended_transform_factory(ax.transAxes, inches))
        canvas.settle(ax)


def _add_bars(ax: Axes, images: dict[str, AxesImage], panels: list[Matrix], *, stacked: bool) -> None:
    """A colour bar for each scale at the right: on top of one another, or side by side where there is one row."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    gap = 0.14
    height = (1 - gap * (len(images) - 1)) / len(images) if stacked else 1.0
    corner = ScaledTranslation(1, 0, ax.transAxes)  # type: ignore[arg-type]
    inches = ax.figure.dpi_scale_trans + corner  # a layout may change the width of the host
    beside = blended_transform_factory(inches, ax.transAxes)
    place = 0.02
    for k, (scale, image) in enumerate(images.items()):
        low = 1 - height - k * (height + gap) if stacked else 0
        room = ax.inset_axes((place - _room, low, _room, height), transform=beside)
        room.set_axis_off()
        values = np.concatenate([panel.values.ravel() for panel in panels if panel.scale == scale])
        clipped = np.abs(values[np.isfinite(values)]).max(initial=0) > image.get_clim()[1] * (1 + 1e-9)
        missing = bool(np.isnan(values).any())
        said = _wrapped(scale, ax.get_window_extent().height * height * 72 / ax.figure.dpi)
        canvas.add_colorbar(room, image, said, extend="both" if clipped else "neither", missing=missing)
        drawn = room.get_tightbbox()
        if drawn is not None and not stacked:
            place += (drawn.x1 - room.get_window_extent().x1) / ax.figure.dpi + 0.1


def _wrapped(text: str, points: float) -> str:
    """Words on as many lines as their room asks for."""
    return "\n".join(wrap(text, max(int(points / _letter_points), 12), break_long_words=False))
