"""Communities of a matrix: an outline around each block, a coloured strip along the sides, names beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.palette import INK, category_colors, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Spans = dict[str, tuple[int, int]]

_strip = 0.022  # width of the community strip, as a part of the matrix
_named = 0.02  # smaller blocks carry no name


def communities_of(community: xr.DataArray | None, names: list[str]) -> list[Any]:
    """Community of each of `names`, empty where unknown.

    Raises
    ------
    InputError
        If `community` has other dims than one, or names none of the nodes.
    """
    if community is None:
        return []
    if not isinstance(community, xr.DataArray) or community.ndim != 1:
        raise InputError("community must be a DataArray with the single dim node and labels")
    labels = canvas.labels_of(community, str(community.dims[0]))
    known = dict(zip(labels, community.to_numpy().tolist(), strict=True))
    if not set(known) & set(names):
        raise InputError(f"community names none of the nodes drawn, e.g. {labels[:3]} against {names[:3]}")
    return [known.get(name, "") for name in names]


def add_blocks(ax: Axes, rows: list[Any], cols: list[Any]) -> None:
    """Outline the diagonal blocks and colour the sides by community."""
    from matplotlib.patches import Rectangle

    colors = category_colors([*rows, *cols])
    spans = {"y": spans_of(rows), "x": spans_of(cols)}
    for name in (n for n in spans["y"] if n in spans["x"] and not unknown(n)):
        (top, bottom), (left, right) = spans["y"][name], spans["x"][name]
        box = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, ec=INK, lw=1.1, clip_on=False)
        ax.add_patch(box)
    named_rows = not ax.get_yticks().size
    add_strip(ax, "y", spans["y"], len(rows), colors, named=named_rows)
    add_strip(ax, "x", spans["x"], len(cols), colors, named=not named_rows)


def spans_of(groups: list[Any]) -> Spans:
    """First and one-past-last position of each community that is contiguous."""
    names = [str(g) for g in groups]
    found = {name: (names.index(name), len(names) - names[::-1].index(name)) for name in dict.fromkeys(names)}
    return {name: (a, b) for name, (a, b) in found.items() if names[a:b] == [name] * (b - a)}


def add_strip(
    ax: Axes,
    axis: Literal["x", "y"],
    spans: Spans,
    count: int,
    colors: dict[str, str],
    *,
    named: bool,
) -> None:
    """A coloured bar for each community, from its first to one past its last position, along one side."""
    upright = axis == "y"
    strip = ax.inset_axes((-1.5 * _strip, 0, _strip, 1) if upright else (0, 1 + 0.5 * _strip, 1, _strip))
    for name, (first, last) in spans.items():
        (strip.axhspan if upright else strip.axvspan)(first - 0.5, last - 0.5, color=colors[name], lw=0)
    (strip.set_ylim if upright else strip.set_xlim)((count - 0.5, -0.5) if upright else (-0.5, count - 0.5))
    strip.set(xticks=[], yticks=[])
    canvas.despine(strip, keep=())
    if named:
        wide = {n: (a + b - 1) / 2 for n, (a, b) in spans.items() if b - a >= _named * count}
        texts = [canvas.shortened("unknown" if unknown(n) else n, 16) for n in wide]
        if upright:
            strip.set_yticks(list(wide.values()), texts, fontsize=canvas.TICK)
        else:
            strip.xaxis.tick_top()
            strip.set_xticks(list(wide.values()), texts, fontsize=canvas.TICK, **_slant(texts))
        strip.tick_params(length=0, pad=2)
    if upright:
        points = 72 / ax.figure.dpi
        box = ax.get_window_extent()
        ax.tick_params(axis="y", pad=3 + 1.5 * _strip * box.width * points)
        whole = strip.get_tightbbox()
        if named and whole is not None:
            ax.yaxis.labelpad = (box.x0 - whole.x0) * points


def _slant(texts: list[str]) -> dict[str, Any]:
    return {"rotation": 40, "ha": "left"} if max(map(len, texts), default=0) > 3 else {}
