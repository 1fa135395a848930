"""States of many sessions or trials: a row for each, and what they have in common under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas, samples
from dynome.viz.panels import panel_rows
from dynome.viz.raster import Rows, draw_raster, raster_height
from dynome.viz.ribbon import draw_ribbon, finish_panels
from dynome.viz.sequences import Course, recorded, windowed
from dynome.viz.states import add_state_legend, state_colors, states_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_ribbon = 0.45  # inches
_width = 7.6
_max_columns = 2000  # moments of a row
_strip = 0.025  # width of a covariate beside the rows


def draw_sequences(
    share: xr.DataArray,
    kind: str,
    found: list[Course],
    activity: xr.DataArray | None,
    recording: xr.Dataset | xr.DataArray | None,
    covariates: Sequence[str],
    order: Rows,
    window: tuple[float, float] | None,
    ax: Axes | None,
) -> Axes:
    """All sequences, see `plot_states`."""
    found = [windowed(course, share, window, own=True) for course in found]
    sides = {name: _constant(recording, name, found, share, kind) for name in covariates}
    rows = np.lexsort([_codes(sides[name]) for name in reversed(covariates)]) if covariates else np.arange(len(found))
    found, sides = [found[k] for k in rows], {name: side[rows] for name, side in sides.items()}
    clock, values = _aligned(share, found)
    mean = _mean(values)
    heights = [float(np.clip(0.03 * len(found), 0.12 * min(len(found), 10), 3.4)), _ribbon]
    aligned = "trial" in share.dims or "trial" in share.coords  # sessions share no clock to average over
    part = _mean_activity(activity, found, share, clock) if activity is not None and aligned else None
    if part is not None:
        heights.append(raster_height(part.sizes["node"]))
    ax = canvas.axes_or_new(ax, (_width, sum(heights) + 1.1))
    panels = panel_rows(ax, heights, gap=0.07)
    labels = states_of(share)
    _draw_rows(panels[0], clock.to_numpy(), values, labels)
    canvas.label_ticks(panels[0], "y", [course.name for course in found], kind, f"{len(found):,} {kind}s")
    _draw_sides(panels[0], sides)
    draw_ribbon(panels[1], clock.to_numpy(), mean, labels)
    panels[1].set_ylabel("mean", fontsize=canvas.NOTE, rotation=0, ha="right", va="center")
    limits = panels[1].get_xlim()
    if part is not None:
        draw_raster(panels[2], part, mean, labels, order)
    finish_panels(panels, limits, clock)
    add_state_legend(panels[0], labels)
    return ax


def _length(course: Course) -> int:
    return int(course.clock.size)


def _aligned(share: xr.DataArray, found: list[Course]) -> tuple[xr.DataArray, Floats]:
    """The clock of the longest sequence, and ``(n_sequence, n_time, n_state)`` with NaN after the end of each."""
    clock = max(found, key=_length).own
    values = np.full((len(found), clock.size, share.sizes["state"]), np.nan)
    for k, course in enumerate(found):
        values[k, : _length(course)] = share.isel(course.place).to_numpy()
    return clock, values


def _mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _mean_activity(
    activity: xr.DataArray, found: list[Course], share: xr.DataArray, clock: xr.DataArray
) -> xr.DataArray:
    """Mean over sequences, each from its own beginning."""
    total = np.zeros((clock.size, activity.sizes["node"]))
    count = np.zeros_like(total)
    for course in found:
        part = canvas.require_dims(
            recorded(activity, course, share), ("time", "node"), "states over activity", "its sequences must be those"
        )
        values = canvas.finite(part)
        known = np.isfinite(values)
        total[: len(values)] += np.where(known, values, 0)
        count[: len(values)] += known
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    attrs = activity.attrs | {"long_name": f"mean {activity.attrs.get('long_name') or activity.name or 'activity'}"}
    coords = {"time": ("time", clock.to_numpy(), clock.attrs), "node": canvas.labels_of(activity, "node")}
    return xr.DataArray(mean, coords, ("time", "node"), attrs=attrs)


def _draw_rows(ax: Axes, clock: Floats, values: Floats, labels: Sequence[object]) -> None:
    from matplotlib.colors import ListedColormap

    length = -(-clock.size // _max_columns)
    count = clock.size // length
    clock = clock[: count * length].reshape(count, length).mean(axis=1)
    values = values[:, : count * length].reshape(len(values), count, length, -1).mean(axis=2)
    known = np.isfinite(values).all(axis=2)
    leader = np.where(known, np.nan_to_num(values).argmax(axis=2), np.nan)
    limits, cells = samples.columns(clock, leader.T)
    ax.pcolormesh(
        limits, np.arange(len(values) + 1) - 0.5, cells.T, cmap=ListedColormap(state_colors(labels)), vmin=-0.5,
        vmax=len(labels) - 0.5, rasterized=True,
    )  # fmt: skip
    ax.invert_yaxis()
    canvas.despine(ax, keep=())


def _constant(
    recording: xr.Dataset | xr.DataArray | None, name: str, found: list[Course], share: xr.DataArray, kind: str
) -> NDArray[np.object_]:
    """The value of a covariate in each sequence."""
    canvas.require_variables(recording, [name], "states beside covariates")
    variable = recording[name]  # type: ignore[index]
    values = np.empty(len(found), dtype=object)
    for k, course in enumerate(found):
        if "time" in variable.dims:
            seen = np.unique(recorded(variable, course, share).to_numpy())
            if variable.dtype.kind == "f":
                seen = seen[np.isfinite(seen)] if np.isfinite(seen).any() else seen[:1]
            if seen.size != 1:
                raise InputError(f"{name} changes within {kind} {course.name!r}; choose one with sequence= to draw it")
            values[k] = seen[0]
        else:
            values[k] = variable.isel({d: p for d, p in course.place.items() if d in variable.dims}).item()
    return values


def _codes(values: NDArray[np.object_]) -> NDArray[np.int64]:
    """Ranks of values that may be numbers or words."""
    words = any(isinstance(v, str) for v in values)
    distinct = sorted(set(values.tolist()), key=str if words else None)
    return np.array([distinct.index(v) for v in values], dtype=np.int64)


def _extent(values: NDArray[np.object_]) -> str:
    """From the lightest to the darkest colour."""
    if any(isinstance(v, str) for v in values):
        return ""
    low, high = (f"{float(f(values)):.3g}".replace("-", "−") for f in (min, max))
    return f" ({low} to {high})" if low != high else f" ({low})"


def _draw_sides(ax: Axes, sides: dict[str, NDArray[np.object_]]) -> None:
    """A column of colour for each covariate, at the right of the rows; numbers of one kind on a grey scale."""
    for k, (name, values) in enumerate(sides.items()):
        room = ax.inset_axes((1.012 + 1.7 * k * _strip, 0, _strip, 1), sharey=ax)
        codes = _codes(values)
        top = max(int(codes.max()), 1)
        ends = (0, 1, len(values) - 0.5, -0.5)
        room.imshow(codes[:, None], cmap="Greys", vmin=-0.25 * top, vmax=1.1 * top, aspect="auto", extent=ends)
        text = canvas.shortened(name.replace("_", " "), 18) + _extent(values)
        room.set_xticks([0.5], [text], fontsize=canvas.NOTE, rotation=55, ha="left")
        room.xaxis.tick_top()
        room.tick_params(length=0, labelleft=False, pad=1)
        canvas.despine(room, keep=())
