"""How training went: loss, validation, the terms of both, and whatever else was watched."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED, SERIES
from dynome.viz.panels import panel_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Curves = dict[str, Floats]

_what = "training"
_iteration = "iteration"
_clocks = ("step", _iteration)  # coordinates that number iterations, the better first
_parts = ("history_", "validation_")
_log_span = 10.0  # positive losses that span more than this factor get a logarithmic scale
_letters = 26  # in a line beside an axis, where there is room
_fewest, _lines = 10, 3  # letters in a line and lines, where there is none
_em = 0.58  # width of a letter, in sizes of the font
_dots = 60  # of fewer values each is a point
_smooth = 400  # of more steps, the mean of their neighbours is drawn over them


def plot_training(results: xr.Dataset | xr.DataTree, *, ax: Axes | None = None) -> Axes:
    """Loss by iteration, on what was trained on and on what was held out.

    Parameters
    ----------
    results : Dataset or DataTree
        As ``model.results_`` of an estimator: ``history (iteration)`` and, where there are any, ``validation``, terms
        of the loss (``history_<term>``, ``validation_<term>``, or variables over ``iteration`` and ``term``) and other
        quantities over ``iteration``. attrs ``best``, the position of the iteration whose weights were kept, is marked
        where something was held out that could tell; without it, training kept the last.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of its ``child_axes``, on one axis of iterations: the loss; its terms (dashed: of training; whole: of
        what was held out); a panel for each other quantity. Positive losses that span more than a factor of 10 have a
        logarithmic axis.

    Raises
    ------
    InputError
        If there is no ``history``.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> curves = {"history": ("iteration", [3.0, 2.0, 1.5]), "validation": ("iteration", [3.1, 2.6, 2.7])}
    >>> ax = plot_training(xr.Dataset(curves, attrs={"best": 1}), ax=Figure().subplots())
    >>> [line.get_label() for line in ax.child_axes[0].lines[:2]]
    ['training', 'held out']
    """
    data = _curves_of(results)
    steps = _steps(data)
    losses = {"training": canvas.finite(data["history"])}
    if "validation" in data and _over(data["validation"]) == ():
        losses["held out"] = canvas.finite(data["validation"])
    terms, others = _terms(data), _others(data)
    panels = 1 + bool(terms) + len(others)
    ax = canvas.axes_or_new(ax, (5.6, 1.1 + 1.9 * panels))
    if not any(np.isfinite(values).any() for values in losses.values()):
        return canvas.no_data(ax, "no data: there is no iteration, or every loss is missing")
    rooms = panel_rows(ax, [1.2, *([1.0] * (panels - 1))], gap=0.14)
    label = canvas.quantity(data["history"]) if len(losses) == 1 else "loss"
    _draw(rooms[0], steps, losses, label, [INK, SERIES[1]])
    if terms:
        _draw_terms(rooms[1], steps, terms)
    for room, (label, values) in zip(rooms[panels - len(others) :], others.items(), strict=True):
        _draw(room, steps, {"": values}, label, [SERIES[0]])
    best = _kept(data, steps)
    for room in rooms:
        if best is not None:
            room.axvline(best, color=MUTED, lw=0.8, ls=(0, (3, 3)), zorder=0)
        room.tick_params(labelbottom=room is rooms[-1])
    told = "" if best is None else f" (dashed: {best:g}, the best, was kept)"
    known = next((name for name in _clocks if name in data.coords), None)
    name = canvas.quantity(data[known]) if known else _iteration
    _count_whole(rooms[-1], steps)
    rooms[-1].set_xlabel(name + told, fontsize=canvas.TICK if told else canvas.LABEL)
    return ax


def _curves_of(results: object) -> xr.Dataset:
    data = results.to_dataset() if isinstance(results, xr.DataTree) else results
    if not isinstance(data, xr.Dataset):
        hint = "; pass model.results_" if hasattr(data, "get_params") else ""  # an estimator
        raise InputError(f"cannot draw {_what}: expected a Dataset or DataTree, found {type(data).__name__}{hint}")
    canvas.require_variables(data, ("history",), _what)
    if data["history"].dims != (_iteration,):
        raise InputError(f"cannot draw {_what}: expected history (iteration), found dims {data['history'].dims}")
    return data


def _steps(data: xr.Dataset) -> Floats:
    """Steps, or iterations as their coordinate numbers them, or from 1."""
    for name in _clocks:
        if name in data.coords and data[name].dims == (_iteration,) and data[name].dtype.kind in "iuf":
            return canvas.finite(data[name])
    return np.arange(1.0, data.sizes[_iteration] + 1)


def _kept(data: xr.Dataset, steps: Floats) -> float | None:
    """The iteration that validation chose; None where nothing was held out."""
    held = [str(n) for n, v in data.data_vars.items() if str(n).startswith("validation") and _over(v) is not None]
    place = int(data.attrs.get("best", -1))
    if place not in range(steps.size) or not any(np.isfinite(canvas.finite(data[n])).any() for n in held):
        return None
    return float(steps[place])


def _count_whole(ax: Axes, steps: Floats) -> None:
    """No ticks between iterations."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    if (steps == np.round(steps)).all():
        ax.xaxis.set_major_locator(
            FixedLocator(steps.tolist()) if steps.size < 3 else MaxNLocator("auto", integer=True)
        )


def _over(array: xr.DataArray) -> tuple[str, ...] | None:
    """Dims beside the iteration; None where it is not over iterations, or holds no numbers."""
    if _iteration not in array.dims or array.dtype.kind not in "iuf":
        return None
    return tuple(str(d) for d in array.dims if d != _iteration)


def _terms(data: xr.Dataset) -> dict[str, Curves]:
    """Terms of the losses: by name, their ``training`` and their ``held out`` curve."""
    found: dict[str, Curves] = {}
    for name, array in data.data_vars.items():
        over = _over(array)
        where = "training" if str(name).startswith("history") else "held out"
        if over == ("term",):
            for k, term in enumerate(canvas.labels_of(array, "term")):
                found.setdefault(term, {})[where] = canvas.finite(array.isel(term=k))
        elif over == () and str(name).startswith(_parts):
            found.setdefault(str(name).split("_", 1)[1], {})[where] = canvas.finite(array)
    return found


def _others(data: xr.Dataset) -> dict[str, Floats]:
    """Other quantities that were watched, by what their axis is called."""
    names = [n for n, v in data.data_vars.items() if _over(v) == () and n not in ("history", "validation")]
    return {canvas.quantity(data[n]): canvas.finite(data[n]) for n in names if not str(n).startswith(_parts)}


def _draw(ax: Axes, steps: Floats, curves: Curves, label: str, colors: list[str]) -> None:
    for (name, values), color in zip(curves.items(), colors, strict=False):
        _line(ax, steps, values, color, name)
    if any(curves):
        ax.legend(fontsize=canvas.NOTE, frameon=False, labelcolor=INK)
    _settle(ax, list(curves.values()), label)


def _draw_terms(ax: Axes, steps: Floats, terms: dict[str, Curves]) -> None:
    both = any(len(curves) > 1 for curves in terms.values())
    colors = {name: SERIES[(k + 2) % len(SERIES)] for k, name in enumerate(terms)}
    for name, curves in terms.items():
        for where, values in curves.items():
            _line(ax, steps, values, colors[name], f"{name}, {where}", dashed=both and where == "training")
    canvas.add_legend(ax, {name.replace("_", " "): color for name, color in colors.items()}, "", "-", 1.0)
    where = "dashed: training" if both else next(iter(next(iter(terms.values()))))
    _settle(ax, [values for curves in terms.values() for values in curves.values()], f"terms ({where})")


def _line(ax: Axes, steps: Floats, values: Floats, color: str, name: str, *, dashed: bool = False) -> None:
    few, many = steps.size <= _dots, steps.size > _smooth
    style = (0, (2, 1.5)) if dashed else "-"
    if many:
        ax.plot(steps, values, color=color, lw=0.6, alpha=0.3, zorder=1)
        values = _smoothed(values, steps.size // 100)
    mark = "o" if few and not dashed else ""
    ax.plot(steps, values, ls=style, marker=mark, color=color, lw=1.4, ms=3, mec="white", mew=0.4, label=name, zorder=2)


def _smoothed(values: Floats, reach: int) -> Floats:
    """Mean of `reach` neighbours on either side, NaN left out."""
    known, kernel = np.isfinite(values), np.ones(2 * reach + 1)
    total = np.convolve(np.where(known, values, 0), kernel, "same")
    return np.asarray(np.where(known, total / np.maximum(np.convolve(known, kernel, "same"), 1), np.nan))


def _settle(ax: Axes, curves: list[Floats], label: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() > _log_span * values.min():
        ax.set_yscale("log")
        wide = values.max() > _log_span**2 * values.min()
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_locator(NullLocator())
    else:
        ax.locator_params(axis="y", nbins=4)
    told = ax.set_ylabel(label, fontsize=canvas.TICK)
    told.set_text(_wrapped(ax, label, float(told.get_fontsize())))
    canvas.despine(ax)


def _wrapped(ax: Axes, label: str, size: float) -> str:
    """A label in lines that are no longer than the axis is high, so that it does not reach the next panel."""
    letters = int(72 * ax.get_window_extent().height / ax.figure.dpi / (_em * size))
    return fill(label, min(max(letters, _fewest), _letters), max_lines=_lines, placeholder=" …")
