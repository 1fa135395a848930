"""States of a hidden Markov model on the page: one name and one colour each, the same in every figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from dynome.errors import InputError, listed
from dynome.viz import canvas
from dynome.viz.palette import INK, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Corner = Literal["lower left", "upper left"]

STATE = "state"


def state_colors(labels: Sequence[Any]) -> list[str]:
    """A colour for each state.

    Parameters
    ----------
    labels : (n_state,)
        A number always has the same colour, whichever other states are drawn; words take colours in their order.

    Returns
    -------
    list of str
        Colours repeat after 15 states.

    Examples
    --------
    >>> state_colors([0, 2]) == state_colors(range(3))[::2]
    True
    """
    numbers = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in labels)
    return [SERIES[int(label) % len(SERIES) if numbers else k % len(SERIES)] for k, label in enumerate(labels)]


def states_of(array: xr.DataArray | xr.Dataset) -> list[Any]:
    """Labels of the states, or positions where they have none."""
    return array[STATE].to_numpy().tolist() if STATE in array.coords else list(range(array.sizes[STATE]))


def by_state(results: xr.Dataset, name: str, dims: Sequence[str], what: str) -> xr.DataArray:
    """A variable ``(state, *dims)`` of a model; one of a model without states gets a single state without a name.

    Raises
    ------
    InputError
        If it is missing or has other dims.
    """
    canvas.require_variables(results, [name], what)
    array = results[name]
    if STATE not in array.dims:
        array = array.drop_vars(STATE, errors="ignore").expand_dims({STATE: [""]})
    return canvas.require_dims(array, (STATE, *dims), f"{what}: {name}", "pass results_ of a switching model")


def chosen_states(results: xr.Dataset, states: Sequence[Any] | None) -> xr.Dataset:
    """The states named, in this order.

    Raises
    ------
    InputError
        If one is unknown.
    """
    if states is None or STATE not in results.dims:
        return results
    known = states_of(results)
    if strangers := [s for s in states if s not in known]:
        raise InputError(f"there are no states {listed(strangers)}; there are {listed(known)}")
    return results.assign_coords({STATE: known}).isel({STATE: [known.index(s) for s in states]})


def state_title(label: Any) -> str:
    """What stands over the panel of a state."""
    name = str(label)
    return f"state {name}" if isinstance(label, int | np.integer) else canvas.shortened(name)


def edge_title(source: str, target: str, limit: int) -> str:
    """Both ends of an edge; of a long name the middle is left out, since names often differ at their end.

    Examples
    --------
    >>> edge_title("AVAL", "probe_2_unit_017", 9)
    'AVAL → prob…_017'
    """
    ends = [n if len(n) <= limit else f"{n[: limit // 2]}…{n[-((limit - 1) // 2) :]}" for n in (source, target)]
    return " → ".join(ends)


def add_state_legend(ax: Axes, labels: Sequence[Any]) -> None:
    """Name the states over `ax`."""
    names = [str(label) for label in labels]
    add_row_legend(ax, dict(zip(names, state_colors(labels), strict=True)), STATE, "lower left", (0, 1.0))


def add_row_legend(ax: Axes, colors: dict[str, str], title: str, corner: Corner, place: tuple[float, float]) -> None:
    """Names side by side as far as there is room, with one corner at a place of `ax`."""
    from matplotlib.patches import Patch

    names = [canvas.shortened(name, 18) for name in colors]
    points = ax.get_window_extent().width * 72 / ax.figure.dpi
    columns = int(np.clip((points - 40) // (26 + 4.6 * max(map(len, names), default=1)), 1, max(len(names), 1)))
    legend = ax.legend(
        [Patch(color=color) for color in colors.values()], names, title=title, loc=corner, bbox_to_anchor=place,
        ncols=columns, frameon=False, fontsize=canvas.NOTE, title_fontsize=canvas.NOTE, labelcolor=INK,
        handlelength=1.0, handleheight=0.9, handletextpad=0.4, columnspacing=1.1, borderaxespad=0.2, borderpad=0.1,
        alignment="left",
    )  # fmt: skip
    legend.set_clip_on(False)
