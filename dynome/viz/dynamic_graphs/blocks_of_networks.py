"""What a prediction owes to connections within and between networks: one matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.dynamic_graphs.magnitudes import readable
from dynome.viz.palette import INK, ColorScale, color_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_max_numbers = 12  # networks; of more, cells carry no numbers
_dark = 0.5  # of the brightness; numbers on darker cells are white


def plot_blocks(attribution: xr.DataArray, ax: Axes | None) -> Axes:
    """The mean over sessions and windows, with its standard error over sessions.

    Parameters
    ----------
    attribution : (source, target), with or without (session) and (window)
    ax : Axes or None
    """
    attribution, label = readable(attribution, "attribution")
    over_windows = attribution.mean("window", keep_attrs=True) if "window" in attribution.dims else attribution
    sessions = canvas.finite(over_windows).reshape(-1, *attribution.shape[-2:])
    known = np.isfinite(sessions).sum(axis=0)
    mean = np.nansum(sessions, axis=0) / np.where(known > 0, known, np.nan)
    spread = np.nansum((sessions - mean) ** 2, axis=0)
    error = np.sqrt(spread / np.where(known > 1, (known - 1.0) * known, np.nan))
    side = float(np.clip(1.2 + 0.62 * len(mean), 3.0, 6.0))
    ax = canvas.axes_or_new(ax, (side + 1.2, side))
    scale = color_scale(mean)
    if scale is None:
        return canvas.no_data(ax, "no data: there is no network, or every value is missing")
    image = ax.imshow(mean, cmap=scale.cmap, norm=scale.norm, aspect="auto", interpolation="nearest")
    ax.set_box_aspect(mean.shape[0] / mean.shape[1])
    for axis, dim in (("y", "source"), ("x", "target")):
        canvas.label_ticks(ax, axis, canvas.labels_of(attribution, dim), "network")  # type: ignore[arg-type]
    canvas.despine(ax, keep=())
    if max(mean.shape) <= _max_numbers:
        _write(ax, mean, error, scale)
    canvas.add_colorbar(ax, image, f"mean {label}", extend=scale.extend, missing=bool(np.isnan(mean).any()))
    return ax


def _write(ax: Axes, mean: Floats, error: Floats, scale: ColorScale) -> None:
    """The value in each cell, and below it its standard error, all with as many decimals."""
    reach = float(np.nanmax(np.abs(mean)))
    decimals = max(0, 1 - int(np.floor(np.log10(reach)))) if reach > 0 else 0
    size: Any = canvas.NOTE if len(mean) <= 8 else 5.5
    for row, column in np.ndindex(mean.shape):
        value, off = mean[row, column], error[row, column]
        if np.isfinite(value):
            red, green, blue, _ = scale.cmap(scale.norm(value))
            color = "white" if 0.3 * red + 0.59 * green + 0.11 * blue < _dark else INK
            told = f"{value:.{decimals}f}" + (f"\n±{off:.{decimals}f}" if np.isfinite(off) else "")
            ax.text(column, row, told, ha="center", va="center", fontsize=size, color=color)
