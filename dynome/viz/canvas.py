"""What every figure shares: the axes to draw on, axis labels with units, a colour bar, the empty figure.

Sizes are relative to the user's own font size and nothing global is touched, so that a figure sits well in a paper,
a talk or the report.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import units
from dynome.errors import InputError, Problems, listed
from dynome.viz.palette import INK, MISSING, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

LABEL, TICK, NOTE = "medium", "small", "x-small"
_bar_width = 0.12  # inches
MAX_TICK_LABELS = 60
MAX_LABEL_LENGTH = 24

_pretty = {"um": "µm", "um/s": "µm/s", "us": "µs", "dF/F": "ΔF/F", "zscore": "z-score", "deg": "°", "uM": "µM"}


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """`ax` itself, or the axes of a new figure of `size` inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def require_dims(array: object, dims: Iterable[str], what: str, hint: str) -> xr.DataArray:
    """`array` with exactly these dims, in this order.

    Raises
    ------
    InputError
        If it is not a DataArray or has other dims; `hint` says what to do.
    """
    wanted = tuple(dims)
    problems = Problems(f"cannot draw {what}")
    if not isinstance(array, xr.DataArray):
        problems.add(f"expected an xarray DataArray with dims {wanted}, found {type(array).__name__}")
    elif set(array.dims) != set(wanted):
        problems.add(f"expected dims {wanted}, found {tuple(map(str, array.dims))}; {hint}")
    elif array.dtype.kind not in "biuf":
        problems.add(f"expected numbers, found dtype {array.dtype}")
    else:
        return array.transpose(*wanted)
    problems.fail(InputError)


def require_variables(data: object, names: Iterable[str], what: str) -> None:
    """Check that `data` is a Dataset that has these variables.

    Raises
    ------
    InputError
        If it is not, naming what it has.
    """
    if not isinstance(data, xr.Dataset):
        hint = "; pass model.results_" if hasattr(data, "get_params") else ""  # an estimator
        raise InputError(f"cannot draw {what}: expected an xarray Dataset, found {type(data).__name__}{hint}")
    if missing := [n for n in names if n not in data.variables]:
        raise InputError(f"cannot draw {what}: missing {listed(missing)}, found {listed(data.variables) or 'nothing'}")


def labels_of(array: xr.DataArray | xr.Dataset, dim: str) -> list[str]:
    """Labels along `dim`, or positions where it has none."""
    return [str(v) for v in (array[dim].to_numpy() if dim in array.coords else range(array.sizes[dim]))]


def clock_of(array: xr.DataArray | xr.Dataset, dim: str = "time") -> xr.DataArray:
    """The time coordinate in increasing order, or sample numbers where there is none.

    Raises
    ------
    InputError
        If stamps are missing, repeat or go back.
    """
    if dim not in array.coords:
        return xr.DataArray(np.arange(array.sizes[dim], dtype=float), dims=dim, name="sample")
    clock = array[dim]
    if clock.dtype.kind not in "iuf" or not (np.diff(clock.to_numpy()) > 0).all() or not np.isfinite(clock).all():
        raise InputError(f"cannot draw: {dim} must be finite and strictly increasing numbers; see schema.validate")
    return clock.astype(float)


def quantity(variable: xr.DataArray, default: str = "value") -> str:
    """What an axis shows: long name (or name) and, unless dimensionless, its unit.

    Examples
    --------
    >>> quantity(xr.DataArray(0.0, name="head_angle", attrs={"units": "rad"}))
    'head angle (rad)'
    >>> quantity(xr.DataArray(0.0, attrs={"long_name": "time from onset", "units": "s"}))
    'time from onset (s)'
    """
    name = str(variable.attrs.get("long_name") or variable.name or default).replace("_", " ")
    unit = unit_of(variable)
    return f"{name} ({unit})" if unit and f"({unit})" not in name else name


def unit_of(variable: xr.DataArray) -> str:
    """The unit in print, empty where dimensionless or unknown."""
    unit = units.of(variable)
    return "" if unit in (None, units.DIMENSIONLESS) else _pretty.get(str(unit), str(unit))


def shortened(label: str, limit: int = MAX_LABEL_LENGTH) -> str:
    """A label that fits beside an axis.

    Examples
    --------
    >>> shortened("a very long name of a cortical area, left")
    'a very long name of a c…'
    """
    return label if len(label) <= limit else label[: limit - 1] + "…"


def label_ticks(ax: Axes, axis: Literal["x", "y"], names: list[str], what: str, crowd: str = "") -> None:
    """Name every row (``"y"``) or column (``"x"``) at ``0, 1, ...`` where that is legible, else say `crowd`."""
    size = _legible(ax, axis, len(names))
    set_label = ax.set_ylabel if axis == "y" else ax.set_xlabel
    set_label(what if size else crowd or f"{what} ({len(names):,})", fontsize=LABEL)
    ax.tick_params(axis=axis, length=0, pad=2)
    if not size:
        (ax.set_yticks if axis == "y" else ax.set_xticks)([])
    elif axis == "y":
        ax.set_yticks(range(len(names)), [shortened(n) for n in names], fontsize=size)
    else:
        ax.set_xticks(range(len(names)), [shortened(n) for n in names], fontsize=size, rotation=90)


def _legible(ax: Axes, axis: str, count: int) -> float:
    """Font size at which `count` labels fit along an axis, 0 where none is legible."""
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    points = (box.height if axis == "y" else box.width) * 72 / dpi
    size = min(8.5, 0.9 * points / max(count, 1))
    return size if count <= MAX_TICK_LABELS and size >= 4 else 0.0


def despine(ax: Axes, *, keep: tuple[str, ...] = ("left", "bottom")) -> None:
    """Hide the spines that carry nothing and quieten those that stay."""
    for name, spine in ax.spines.items():
        spine.set_visible(name in keep)
        spine.set_color(MUTED)
        spine.set_linewidth(0.8)
    ax.tick_params(labelsize=TICK, color=MUTED, width=0.8, labelcolor=INK)


def axes_below(ax: Axes, share: float) -> Axes:
    """New axes under `ax`, on its x axis; they take this share of its room."""
    spec = ax.get_subplotspec()
    if spec is None:
        return ax.inset_axes((0, -share / (1 - share) - 0.03, 1, share / (1 - share)), sharex=ax)
    rooms = spec.subgridspec(2, 1, height_ratios=(1 - share, share), hspace=0.03)
    ax.set_subplotspec(rooms[0])
    return ax.figure.add_subplot(rooms[1], sharex=ax)


def axes_beside(ax: Axes, share: float) -> Axes:
    """New axes to the right of `ax`, with this share of its room."""
    spec = ax.get_subplotspec()
    if spec is None:
        return ax.inset_axes((1.03, 0, share / (1 - share), 1))
    rooms = spec.subgridspec(1, 2, width_ratios=(1 - share, share), wspace=0.03)
    ax.set_subplotspec(rooms[0])
    return ax.figure.add_subplot(rooms[1])


def settle(ax: Axes) -> None:
    """Lay the figure out once: with a fixed aspect the first layout is only close, and what follows may measure it."""
    figure = ax.get_figure(root=True)
    if figure is not None and (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)


def add_colorbar(
    ax: Axes, mappable: ScalarMappable, label: str, *, extend: str, missing: bool, bottom: float = 0.0
) -> None:
    """A colour bar at the right of `ax`, from height `bottom` to the top, over a grey chip where values are missing."""
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import FuncFormatter, LogLocator

    width = _bar_width * 72 / max(ax.get_window_extent().width * 72 / ax.figure.dpi, 100)
    floor = bottom + 0.18 * (1 - bottom) if missing else bottom
    cax = ax.inset_axes((1.02, floor, width, 1 - floor))
    bar = ax.figure.colorbar(mappable, cax=cax, extend=extend)
    bar.set_label(label, fontsize=TICK)
    bar.outline.set_visible(False)
    if isinstance(mappable.norm, LogNorm):
        bar.locator = LogLocator(subs=(1.0, 2.0, 5.0))
        bar.formatter = FuncFormatter(lambda value, _: f"{value:g}")
        bar.update_ticks()
    cax.tick_params(labelsize=NOTE, length=2, color=MUTED)
    cax.minorticks_off()
    if missing:
        chip = ax.inset_axes((1.02, bottom + 0.03, width, 0.05))
        chip.add_patch(Rectangle((0, 0), 1, 1, color=MISSING))
        chip.set(xlim=(0, 1), ylim=(0, 1), xticks=[])
        chip.set_yticks([0.5], ["missing"], fontsize=NOTE)
        chip.yaxis.tick_right()
        chip.tick_params(length=0)
        despine(chip, keep=())
        chip.tick_params(labelsize=NOTE)


def add_legend(ax: Axes, colors: dict[str, str], title: str, mark: Literal["o", "-"], height: float) -> None:
    """A legend to the right of `ax`, at its top (1) or its bottom (0); several can stand beside one another."""
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

    style: dict[str, Any] = {"ls": "", "marker": "o", "ms": 6} if mark == "o" else {"lw": 2}
    handles = [Line2D([], [], color=color, **style) for color in colors.values()]
    legend = Legend(
        ax, handles, list(colors), loc="upper left" if height else "lower left",
        bbox_to_anchor=(1.01, height), bbox_transform=ax.transAxes, frameon=False, fontsize=NOTE,
        labelcolor=INK, alignment="left", borderaxespad=0, handletextpad=0.5, handlelength=1.2,
    )  # fmt: skip
    legend.set_title(title)
    legend.get_title().set_fontsize(NOTE)
    ax.add_artist(legend)
    legend.set_clip_on(False)  # else the layout takes it for clipped and leaves no room


def no_data(ax: Axes, message: str) -> Axes:
    """Say in the middle of `ax` that there is nothing to draw, and why."""
    ax.text(0.5, 0.5, message, transform=ax.transAxes, ha="center", va="center", color=MUTED, fontsize=LABEL, wrap=True)
    ax.set(xticks=[], yticks=[])
    despine(ax, keep=())
    return ax


def finite(values: Any) -> NDArray[np.float64]:
    """Values as floats, with infinities made missing."""
    array = np.array(values, dtype=np.float64)
    array[np.isinf(array)] = np.nan
    return array
