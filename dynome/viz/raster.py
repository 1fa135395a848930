"""Activity under the states: nodes ordered by the state in which each is most active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.blocks import add_strip
from dynome.viz.palette import MISSING
from dynome.viz.recording import plot_recording
from dynome.viz.states import state_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Rows = Literal["state", "similarity"] | Sequence[str] | None

_variables = ("spike_count", "activity")
_label_pad = 0.045  # of the width, past the colours of the states
_block = 50_000  # samples
_least = 1e-3  # of the time: a state that is rarer has no activity of its own


def activity_of(recording: object) -> xr.DataArray:
    """``spike_count``, else ``activity``, of a recording, or the array itself.

    Raises
    ------
    InputError
        If it is neither a recording nor an array over time and node.
    """
    if isinstance(recording, Sequence | Mapping) and not isinstance(recording, xr.Dataset):
        raise InputError(_one_of(recording))
    if isinstance(recording, xr.DataArray):
        found = recording
    else:
        name = next((v for v in _variables if isinstance(recording, xr.Dataset) and v in recording), _variables[0])
        canvas.require_variables(recording, [name], "states over activity")
        kind = {k: v for k, v in recording.attrs.items() if k == "node_kind"}  # type: ignore[attr-defined]
        found = recording[name].assign_attrs(kind)  # type: ignore[index]
    if not {"time", "node"} <= set(found.dims):
        raise InputError(f"states are drawn over activity with dims time and node, found {tuple(map(str, found.dims))}")
    return found


def _one_of(recordings: Sequence[Any] | Mapping[Any, Any]) -> str:
    """How to draw one of several recordings."""
    keys = list(recordings) if isinstance(recordings, Mapping) else list(range(len(recordings)))
    key = keys[min(2, len(keys) - 1)] if keys else 0
    part = f"[{key!r}]" + (".to_dataset()" if isinstance(recordings, xr.DataTree) else "")
    return (
        "cannot draw states over activity: expected one recording, an xarray Dataset, found "
        f"{type(recordings).__name__} of {len(keys)}; draw one with its states, such as "
        f'plot_states(states, recordings{part}, sequence="{key}"), or leave the recording out'
    )


def preferred(values: Floats | xr.DataArray, share: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The state in which each node is most active, and by how much.

    Parameters
    ----------
    values : (n_time, n_node)
        Activity, read in blocks; NaN does not count.
    share : (n_time, n_state)
        Probability of each state; NaN does not count.

    Returns
    -------
    (n_node,), (n_node,)
        Position of the state, -1 for a node that is never more active, and the difference of its mean activity there
        to that of all time, in standard deviations.
    """
    n_node = values.shape[1]
    time, total = np.zeros((share.shape[1], n_node)), np.zeros((share.shape[1], n_node))
    count, first, second = np.zeros(n_node), np.zeros(n_node), np.zeros(n_node)
    for start in range(0, values.shape[0], _block):
        block = canvas.finite(values[start : start + _block])
        weight, known = np.nan_to_num(share[start : start + _block]), np.isfinite(block)
        block[~known] = 0
        time += weight.T @ known
        total += weight.T @ block
        count += known.sum(axis=0)
        first += block.sum(axis=0)
        second += (block**2).sum(axis=0)
    count = np.maximum(count, 1)
    mean, middle = total / np.where(time > 0, time, 1), first / count
    spread = np.sqrt(np.maximum(second / count - middle**2, 0))
    moving = spread > 1e-9 * np.maximum(np.abs(middle), 1e-300)
    above = np.where((time > _least * count) & moving, (mean - middle) / np.where(moving, spread, 1), -np.inf)
    best = above.argmax(axis=0)
    top = above.max(axis=0)
    return np.where(top > 0, best, -1), np.where(np.isfinite(top), top, 0.0)


def raster_height(n_node: int) -> float:
    """Inches for the activity."""
    return float(np.clip(0.5 + 0.09 * n_node, 1.0, 3.4))


def draw_raster(ax: Axes, activity: xr.DataArray, share: Floats, labels: Sequence[Any], order: Rows) -> None:
    """The activity ``(time, node)`` as a heat map; beside each node the colour of the state it prefers."""
    if not (isinstance(order, str) and order == "state"):
        plot_recording(activity, order=order, ax=ax)
        return
    best, above = preferred(activity, share)
    rank = np.lexsort((-above, np.where(best < 0, len(labels), best)))
    plot_recording(activity.isel(node=rank), order=None, ax=ax)
    if not ax.collections:
        return
    colors = dict(zip(map(str, range(len(labels))), state_colors(labels), strict=True)) | {"-1": MISSING}
    groups = best[rank].astype(str)
    spans = {g: (int(np.argmax(groups == g)), int(np.argmax(groups == g) + (groups == g).sum())) for g in colors}
    add_strip(ax, "y", {g: s for g, s in spans.items() if s[0] < s[1]}, rank.size, colors, named=False)
    ax.set_ylabel(f"{ax.get_ylabel()}\nby their state")
    if not ax.get_yticks().size:
        ax.yaxis.labelpad = _label_pad * ax.get_window_extent().width * 72 / ax.figure.dpi
