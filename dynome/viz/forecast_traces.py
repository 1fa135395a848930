"""Forecasts beside what happened: a few nodes, from a few moments on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, listed
from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, SERIES
from dynome.viz.panels import panel_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_what = "forecasts"
_interval = "sampling_interval"
_room = 1.5  # of the longest horizon, from one forecast to the next


def plot_forecast_traces(
    forecast: xr.Dataset,
    part: xr.DataTree | None = None,
    *,
    session: str | None = None,
    nodes: Sequence[str] | None = None,
    n_origins: int = 4,
    ax: Axes | None = None,
) -> Axes:
    """What a model foresaw from a few moments on, over what happened.

    Parameters
    ----------
    forecast : Dataset
        As ``model.predict(part)`` or ``model.rollout(part, n_steps)`` gives it; with ``interval`` there is a band.
    part : DataTree or None
        The part that was forecast, e.g. ``task.test``; None draws forecasts alone.
    session : str or None
        Which recording; None takes the first that was forecast.
    nodes : sequence of str or None
        Which nodes; None takes the four that vary most, in units of ``scale`` of the part.
    n_origins : int
        Moments, at most, whose forecasts do not overlap if there is room. In a long recording they follow one another
        in its middle, so that the forecasts are seen, and only that stretch is drawn.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of one panel a node, which are its ``child_axes``: the activity (dark; grey where it was only there
        to be looked back on), a dot where each forecast was made, and the forecasts from there.

    Raises
    ------
    InputError
        If `forecast` or `part` is not what it should be, or names of sessions or nodes are unknown.

    Examples
    --------
    >>> import dynome as dy
    >>> from matplotlib.figure import Figure
    >>> rec = dy.schema.recording(np.arange(6.0)[:, None], time=np.arange(6.0), node=["a"], units="1")
    >>> part = dy.study.build({"worm": rec}, attrs={"variable": "activity"})
    >>> coords = {"session": ("window", ["worm"]), "time": ("window", [3.0]), "horizon": [1, 2], "node": ["a"]}
    >>> said = (("window", "horizon", "node"), [[[4.0], [5.0]]])
    >>> forecast = xr.Dataset({"forecast": said}, coords, attrs={"sampling_interval": 1.0})
    >>> host = plot_forecast_traces(forecast, part, ax=Figure().subplots())
    >>> host.child_axes[0].lines[-1].get_xdata().tolist()
    [3.0, 4.0, 5.0]
    """
    canvas.require_variables(forecast, ["forecast", "session", "time", "horizon", "node"], _what)
    if _interval not in forecast.attrs:
        raise InputError(f"cannot draw {_what}: the attribute {_interval!r} (seconds a bin) is lost; keep attributes")
    _refuse_other_than_part(part)
    there = list(dict.fromkeys(forecast["session"].to_numpy().tolist()))
    if not there or not forecast.sizes["node"]:
        return canvas.no_data(canvas.axes_or_new(ax, (6.4, 4.0)), "no data: there is no window or no node")
    session = there[0] if session is None else session
    if session not in there:
        raise InputError(f"cannot draw {_what}: no session {session!r} was forecast, found {listed(there)}")
    said = forecast.isel(window=forecast["session"].to_numpy() == session)
    if part is not None and session not in part:
        raise InputError(f"cannot draw {_what}: the part has no {session!r}; pass the part that was forecast")
    recording = None if part is None else part[session].to_dataset()
    variable = "forecast" if part is None else str(part.attrs["variable"])
    shown = said if recording is None else recording
    names = _most_varied(shown, variable) if nodes is None else list(nodes)
    known = set(canvas.labels_of(shown, "node")) & set(canvas.labels_of(said, "node"))
    if unknown := [n for n in names if n not in known]:
        raise InputError(f"cannot draw {_what}: {listed(unknown)} is not in {session}; found {listed(sorted(known))}")
    ax = canvas.axes_or_new(ax, (7.0, 1.0 + 1.1 * len(names)))
    said = said.isel(window=_origins(said, n_origins)).sortby("time")
    if recording is not None:
        recording = recording.sel(time=_around(said))
    unit = canvas.unit_of(said["forecast"])
    panels = panel_rows(ax, [1.0] * len(names), gap=0.15)
    for panel, name in zip(panels, names, strict=True):
        truth = None if recording is None else recording[variable].sel(node=name)
        if recording is not None and truth is not None:
            _draw_truth(panel, truth, recording)
        _draw_forecasts(panel, truth, said.sel(node=name))
        canvas.despine(panel)
        panel.locator_params(axis="y", nbins=3)
        label = canvas.shortened(name) + (f"\n({unit})" if unit else "")
        panel.set_ylabel(label, fontsize=canvas.TICK, rotation=0, ha="right", va="center")
        panel.tick_params(labelbottom=panel is panels[-1])
    panels[-1].set_xlabel("time (s)", fontsize=canvas.LABEL)
    panels[0].set_title(canvas.shortened(session), fontsize=canvas.TICK, loc="left", color=INK)
    _add_legend(panels[0], None if part is None else variable, _band(said))
    return ax


def _band(said: xr.Dataset) -> str:
    """What the band is, where there is one."""
    if not {"lower", "upper"} <= set(said.data_vars):
        return ""
    return f"{said.attrs['probability']:.0%} interval" if "probability" in said.attrs else "interval"


def _refuse_other_than_part(part: object) -> None:
    whole = isinstance(part, xr.DataTree) and {"train", "test"} <= set(part.children)
    if part is None or (isinstance(part, xr.DataTree) and "variable" in part.attrs and not whole):
        return
    found = "a whole task; pass the part that was forecast" if whole else f"a {type(part).__name__}"
    raise InputError(f"cannot draw {_what}: expected a part of a task, e.g. task.test, found {found}")


def _add_legend(ax: Axes, variable: str | None, band: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [Line2D([], [], color=SERIES[1], lw=1.4, marker="o", ms=3.5, label="forecast")]
    if variable is not None:
        handles.insert(0, Line2D([], [], color=INK, lw=1.0, label=variable.replace("_", " ")))
    if band:
        handles.append(Patch(color=SERIES[1], alpha=0.22, lw=0, label=band))
    ax.legend(handles=handles, fontsize=canvas.NOTE, frameon=False, ncols=3, loc="lower right",
              bbox_to_anchor=(1, 1), borderaxespad=0.2)  # fmt: skip


def _draw_truth(ax: Axes, truth: xr.DataArray, recording: xr.Dataset) -> None:
    clock, values = truth["time"].to_numpy(), canvas.finite(truth)
    # A gap of the clock is a gap of the line.
    steps = np.diff(clock)
    broken = np.append(np.flatnonzero(steps > 1.5 * np.median(steps)) + 1, clock.size)
    scored = recording["scored"].to_numpy() if "scored" in recording else np.ones(clock.size, dtype=bool)
    first = 0
    for end in broken.tolist():
        seen = slice(first, end)
        ax.plot(clock[seen], values[seen], color=MUTED, lw=0.8, alpha=0.6, zorder=1)
        ax.plot(clock[seen], np.where(scored, values, np.nan)[seen], color=INK, lw=1.0, zorder=2)
        first = end


def _draw_forecasts(ax: Axes, truth: xr.DataArray | None, said: xr.Dataset) -> None:
    ahead = np.append(0, said["horizon"].to_numpy()) * float(said.attrs[_interval])
    color = SERIES[1]
    for k in range(said.sizes["window"]):
        here = said.isel(window=k)
        at = float(here["time"])
        start = np.nan
        if truth is not None:
            start = canvas.finite(truth)[np.abs(truth["time"].to_numpy() - at).argmin()]
        if {"lower", "upper"} <= set(said.data_vars):
            low, high = (np.append(start, canvas.finite(here[name])) for name in ("lower", "upper"))
            ax.fill_between(at + ahead, low, high, color=color, alpha=0.22, lw=0, zorder=3)
        ax.plot([at], [start], "o", color=color, ms=3.5, zorder=5)
        line = np.append(start, canvas.finite(here["forecast"]))
        ax.plot(at + ahead, line, color=color, lw=1.4, marker="." if ahead.size < 12 else None, ms=4, zorder=4)


def _origins(said: xr.Dataset, n: int) -> NDArray[np.int64]:
    """Windows one after another in the middle, or evenly spread where there is no room for more than `n`."""
    size = said.sizes["window"]
    n = max(1, min(n, size))
    clock = said["time"].to_numpy()
    apart = _room * _reach(said)
    order = np.argsort(clock, kind="stable")
    row = [int(order[0])]
    for k in order.tolist():
        if clock[k] - clock[row[-1]] >= apart * (1 - 1e-9):
            row.append(k)
    if len(row) <= n:
        return np.unique(np.linspace(0, size - 1, n).round().astype(np.int64))
    first = np.arange(len(row) - n + 1)
    span = clock[row][n - 1 :] - clock[row][: first.size]
    # A stretch that a gap of the clock tears apart would be mostly gap.
    whole = first[span <= span.min() + 0.5 * apart]
    start = int(whole[np.abs(whole - first[-1] / 2).argmin()])
    return np.array(row[start : start + n])


def _around(said: xr.Dataset) -> slice:
    """Time from a context before the first forecast until after the last."""
    clock, reach = said["time"].to_numpy(), _reach(said)
    before = max(reach, float(said.attrs.get("context", 1)) * float(said.attrs[_interval]))
    return slice(clock.min() - before, clock.max() + _room * reach)


def _reach(said: xr.Dataset) -> float:
    """How far ahead the longest forecast looks."""
    return float(said["horizon"].max()) * float(said.attrs[_interval])


def _most_varied(data: xr.Dataset, variable: str) -> list[str]:
    values = data[variable]
    spread = values.std([d for d in values.dims if d != "node"]) / data.get("scale", 1.0)
    order = np.argsort(-np.nan_to_num(spread.to_numpy()), kind="stable")[:4]
    names = canvas.labels_of(data, "node")
    return [names[k] for k in np.sort(order)]
