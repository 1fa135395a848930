"""A ribbon of states over time: how probable each is at every moment, stacked to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas, samples
from dynome.viz.palette import INK
from dynome.viz.states import STATE, state_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_max_columns = 4000  # moments drawn; a screen has fewer pixels
_named = 0.035  # shorter runs, as a part of the ribbon, carry no name
_sure = 0.6  # a state that is less probable is not named
_hint = "a posterior (..., time, state) or a decoded path (..., time) of whole numbers"


def probabilities(states: object) -> xr.DataArray:
    """Probability of every state ``(..., time, state)`` from a posterior or a path; NaN where nothing is known.

    Raises
    ------
    InputError
        If `states` is neither.
    """
    if not isinstance(states, xr.DataArray):
        raise InputError(f"cannot draw states: expected an xarray DataArray, {_hint}, found {type(states).__name__}")
    found = tuple(map(str, states.dims))
    if "time" not in found:
        raise InputError(f"cannot draw states: expected {_hint}, found dims {found}")
    if states.dtype.kind not in "iuf":
        raise InputError(f"cannot draw states: expected {_hint}, found dtype {states.dtype}")
    others = [d for d in states.dims if d not in ("time", STATE)]
    if STATE in found:
        posterior = states.transpose(*others, "time", STATE).astype(np.float64).compute()
        values = posterior.to_numpy()
        if ((values < -1e-6) | (values > 1 + 1e-6)).any():
            raise InputError("cannot draw states: a posterior lies between 0 and 1")
        return posterior
    path = states.transpose(*others, "time").compute()
    values = path.to_numpy().astype(np.float64)
    known = values[np.isfinite(values)]
    if (known != np.round(known)).any() or (known < -1).any():
        raise InputError(f"cannot draw states: expected {_hint}, found dims {found} and other numbers")
    label = np.arange(max(int(known.max(initial=-1)) + 1, 0))
    shares = np.where((values >= 0)[..., None], values[..., None] == label, np.nan)
    coords = {name: coord for name, coord in path.coords.items() if name != STATE}
    return xr.DataArray(shares, coords, (*path.dims, STATE), attrs={"path": 1}).assign_coords({STATE: label})


def draw_ribbon(ax: Axes, clock: Floats, share: Floats, labels: Sequence[Any]) -> None:
    """Stack the probabilities ``(n_time, n_state)`` and name the states that last.

    Longer sequences than a screen has pixels are averaged in equal runs.
    """
    length = -(-clock.size // _max_columns)
    if length > 1:
        count = clock.size // length
        clock = clock[: count * length].reshape(count, length).mean(axis=1)
        share = share[: count * length].reshape(count, length, -1).mean(axis=1)
    limits, cells = samples.columns(clock, share)
    x, y = np.repeat(limits, 2)[1:-1], np.repeat(np.cumsum(cells, axis=1), 2, axis=0)
    floor = np.zeros_like(x)
    colors = state_colors(labels)
    for k, color in enumerate(colors):
        ax.fill_between(x, floor, y[:, k], color=color, lw=0, rasterized=x.size > 2000)
        floor = y[:, k]
    ax.set_ylim(0, 1)
    ax.set_xlim(limits[0], limits[-1])
    canvas.despine(ax, keep=())
    ax.set_yticks([])
    _name_runs(ax, limits, cells, labels, colors)


def _name_runs(ax: Axes, limits: Floats, cells: Floats, labels: Sequence[Any], colors: Sequence[str]) -> None:
    whole = limits[-1] - limits[0]
    leader = np.where(np.nan_to_num(cells).max(axis=1) > _sure, np.nan_to_num(cells).argmax(axis=1), -1)
    for k, label in enumerate(labels):
        text = canvas.shortened(str(label), 10)
        for a, b in samples.runs(leader == k):
            if limits[b + 1] - limits[a] > _named * whole * max(len(text), 2) / 2:
                middle = (limits[a] + limits[b + 1]) / 2
                ax.text(
                    middle, 0.5, text, ha="center", va="center", fontsize=canvas.NOTE, color=text_color(colors[k]),
                    clip_on=True,
                )  # fmt: skip


def text_color(color: str) -> str:
    """Black or white, whichever shows on `color`."""
    from matplotlib.colors import to_rgb

    light = float(np.dot(to_rgb(color), (0.299, 0.587, 0.114)))
    return "black" if light > 0.55 else "white"


def ribbon_label(share: xr.DataArray) -> str:
    """What the ribbon shows."""
    return "state" if share.attrs.get("path") else "posterior"


def finish_panels(panels: Sequence[Axes], limits: tuple[float, float], clock: xr.DataArray) -> None:
    """One time axis under all panels, with a line at zero where time counts from an event."""
    for panel in panels:
        panel.set_xlim(limits)
        panel.set_xlabel("")
        panel.tick_params(axis="x", labelbottom=panel is panels[-1], bottom=panel is panels[-1])
        if panel is not panels[-1] and clock[0] < 0 < clock[-1]:  # time from an event
            panel.axvline(0, color=INK, lw=0.8)
    canvas.despine(panels[-1], keep=("bottom",))
    panels[-1].set_xlabel(canvas.quantity(clock), fontsize=canvas.LABEL)
