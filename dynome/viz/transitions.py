"""Transitions of a hidden Markov model as a graph: how often each state is, how long it lasts, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.palette import INK, MUTED
from dynome.viz.ribbon import text_color
from dynome.viz.states import STATE, state_colors, states_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patheffects import AbstractPathEffect

Floats = NDArray[np.float64]

_what = "transitions"
_page = (5.4, 5.0)  # inches
_least = 0.05  # rarer switches, relative to the most frequent, are not drawn
_widest = 5.0  # points
_labelled = 5  # more states than this have no numbers at their arrows
_worth = 0.15  # nor have rarer switches, relative to the most frequent
_roomy, _too_small = 4.0, 0.7  # inches; in a smaller room arrows are thinner, and then have no numbers
_longest = 10  # letters of a state's name


def plot_transitions(results: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """States as circles, switches between them as arrows.

    Parameters
    ----------
    results : Dataset
        As `SwitchingGLM.results_`: ``transition (state, next_state)``, probabilities for one bin whose rows sum to 1;
        ``occupancy (state)`` gives the areas, without it the stationary distribution of the chain does; ``dwell_time
        (state)`` is told with its unit, without it one over the probability to leave, in bins.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The area of a circle grows with the occupancy of its state; beside it stands how long a stay lasts on average.
        An arrow has the colour of the state that
        it leaves, and its width grows with the probability of the switch in a bin; switches with less than a
        twentieth of the largest probability are left out, as the figure says. A chain that never stays (of a model
        with explicit dwell times) tells what follows when a state is left.

    Raises
    ------
    InputError
        If ``transition`` is missing, has other dims, or is no transition matrix.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> chain = xr.Dataset({"transition": (("state", "next_state"), [[0.9, 0.1], [0.02, 0.98]])}, {"state": [0, 1]})
    >>> ax = plot_transitions(chain, ax=Figure().subplots())
    >>> [text.get_text() for text in ax.texts]
    ['0', '10 bins', '1', '50 bins', '0.02', '0.1']
    """
    canvas.require_variables(results, ["transition"], _what)
    transition = canvas.require_dims(results["transition"], (STATE, "next_state"), _what, "pass results_ of the model")
    few = transition.sizes[STATE] <= 2
    ax = canvas.axes_or_new(ax, (_page[0], _page[1] / 2 if few else _page[1]))
    chain = canvas.finite(transition)
    if not chain.size or not np.isfinite(chain).any():
        return canvas.no_data(ax, "no data: there is no state, or all transitions are missing")
    _check(chain)
    labels = states_of(transition)
    place = _ring(len(labels))
    radius = _radii(_occupancy(results, chain), place)
    switches, note = _switches(chain)
    _frame(ax, len(labels), note)
    stays = _stays(results, chain)
    for k, (label, color) in enumerate(zip(labels, state_colors(labels), strict=True)):
        _draw_state(ax, place[k], radius[k], label, color, stays[k])
    canvas.settle(ax)
    room = min(ax.get_window_extent().width / ax.figure.dpi / _roomy, 1.0)
    for i, j in switches:
        curve = _curve(place[i], place[j], radius[i], radius[j])
        share = chain[i, j] / max(chain[s] for s in switches)
        _draw_arrow(ax, curve, _widest * share * room, room, state_colors(labels)[i])
        if len(labels) <= _labelled and share >= _worth and room > _too_small:
            _say(ax, curve, f"{chain[i, j]:.2g}")
    return ax


def _check(chain: Floats) -> None:
    square = chain.shape[0] == chain.shape[1]
    if not square or not np.isfinite(chain).all() or (chain < 0).any() or (np.abs(chain.sum(axis=1) - 1) > 1e-6).any():
        raise InputError(
            "cannot draw transitions: expected probabilities from every state to every state, whose rows sum to 1, "
            f"found shape {chain.shape} and sums {np.round(chain.sum(axis=1)[:5], 4).tolist()}"
        )


def _occupancy(results: xr.Dataset, chain: Floats) -> Floats:
    if "occupancy" in results:
        known = canvas.require_dims(results["occupancy"], (STATE,), f"{_what}: occupancy", "one number for each state")
        occupancy = np.nan_to_num(canvas.finite(known))
        shares: Floats = occupancy / (occupancy.sum() or 1.0)
        return shares
    n = len(chain)
    equations = np.vstack([chain.T - np.eye(n), np.ones(n)])
    stationary = np.linalg.lstsq(equations, np.append(np.zeros(n), 1.0), rcond=None)[0]
    return np.asarray(np.maximum(stationary, 0))


def _stays(results: xr.Dataset, chain: Floats) -> list[str]:
    """How long each state lasts on average."""
    if "dwell_time" in results:
        known = canvas.require_dims(
            results["dwell_time"], (STATE,), f"{_what}: dwell_time", "one number for each state"
        )
        dwell, unit = canvas.finite(known), canvas.unit_of(known)
    else:
        leave = 1 - np.diag(chain)
        dwell, unit = np.where(leave > 0, 1 / np.where(leave > 0, leave, 1), np.nan), "bin"
    unit = "bins" if unit in ("bin", "") else unit
    return [f"{d:.3g} {unit}" if np.isfinite(d) else "never left" for d in dwell.tolist()]


def _ring(count: int) -> Floats:
    """Places clockwise from the top; two states stand beside each other."""
    if count == 1:
        return np.zeros((1, 2))
    angle = np.pi / 2 - 2 * np.pi * np.arange(count) / count
    if count == 2:
        angle = np.array([np.pi, 0.0])
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _radii(occupancy: Floats, place: Floats) -> Floats:
    """Areas grow with occupancy; the largest circle leaves room for arrows between neighbours."""
    near = float(np.linalg.norm(place[0] - place[1])) if len(place) > 1 else 1.0
    largest = min(0.36, 0.33 * near)
    return np.maximum(largest * np.sqrt(occupancy / (occupancy.max() or 1.0)), 0.05)


def _switches(chain: Floats) -> tuple[list[tuple[int, int]], str]:
    """The switches to draw, rarest first, and what is said under them."""
    away = np.where(np.eye(len(chain), dtype=bool), 0.0, chain)
    top = float(away.max())
    note = "area: occupancy; number outside: mean stay"
    if top == 0:
        return [], note
    shown = [(int(i), int(j)) for i, j in np.argwhere(away >= _least * top)]
    left_out = int((away > 0).sum()) - len(shown)
    rest = f"; {left_out} rarer {'one' if left_out == 1 else 'ones'} left out" if left_out else ""
    when = "in a bin" if np.diag(chain).any() else "when the state is left"
    return sorted(shown, key=lambda pair: away[pair]), f"{note}\nwidest arrow: {top:.2g} {when}{rest}"


def _curve(start: Floats, stop: Floats, r_start: float, r_stop: float) -> Floats:
    """Points of a quadratic curve from circle to circle that bows to the left of its way and towards the middle."""
    way = stop - start
    length = float(np.linalg.norm(way))
    left = np.array([-way[1], way[0]]) / length
    middle = (start + stop) / 2
    bow = middle * (1 - 0.45 * min(length, 1.0)) + 0.13 * min(length, 1.2) * left
    t = np.linspace(0, 1, 200)[:, None]
    points = (1 - t) ** 2 * start + 2 * t * (1 - t) * bow + t**2 * stop
    outside = (np.linalg.norm(points - start, axis=1) > r_start + 0.02) & (
        np.linalg.norm(points - stop, axis=1) > r_stop + 0.03
    )
    seen: Floats = points[outside]
    return seen


def _draw_arrow(ax: Axes, curve: Floats, width: float, room: float, color: str) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    head = f"-|>,head_length={0.28 + 0.05 * width / room:.3f},head_width={0.12 + 0.05 * width / room:.3f}"
    ax.add_patch(
        FancyArrowPatch(
            path=Path(curve), arrowstyle=head, mutation_scale=12 * room, lw=max(width, 0.4), color=color, zorder=1,
            joinstyle="miter", capstyle="butt", shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip


def _say(ax: Axes, curve: Floats, text: str) -> None:
    """The probability on its arrow, where it covers no other text."""
    from matplotlib.patheffects import withStroke

    halo: list[AbstractPathEffect] = [withStroke(linewidth=2.2, foreground="white")]
    others = [t.get_window_extent().padded(3) for t in ax.texts]
    for share in (0.36, 0.28, 0.45, 0.2, 0.55, 0.65):
        x, y = curve[int(share * len(curve))]
        number = ax.text(x, y, text, ha="center", va="center", fontsize=canvas.NOTE, color=INK, zorder=4)
        number.set_path_effects(halo)
        box = number.get_window_extent()
        if not any(box.overlaps(other) for other in others):
            return
        number.remove()


def _draw_state(ax: Axes, place: Floats, radius: float, label: Any, color: str, told: str) -> None:
    from matplotlib.patches import Circle

    ax.add_patch(Circle((float(place[0]), float(place[1])), radius, color=color, lw=0, zorder=2))
    name = canvas.shortened(str(label), _longest)
    fits = radius > 0.055 + 0.03 * len(name)
    distance = float(np.linalg.norm(place)) or 1.0
    outward = place / distance if np.any(place) else np.array([0.0, -1.0])
    if fits:
        x, y = place
        ax.text(
            x, y, name, ha="center", va="center", color=text_color(color), fontsize=canvas.LABEL, zorder=3,
            fontweight="bold",
        )  # fmt: skip
    else:
        told = f"{name}: {told}"
    x, y = place + outward * (radius + 0.05)
    horizontal = "left" if outward[0] > 0.2 else "right" if outward[0] < -0.2 else "center"
    vertical = "bottom" if outward[1] > 0.2 else "top" if outward[1] < -0.2 else "center"
    ax.text(x, y, told, ha=horizontal, va=vertical, fontsize=canvas.TICK, color=INK, zorder=3)


def _frame(ax: Axes, count: int, note: str) -> None:
    ax.set_xlim(-1.75, 1.75)
    ax.set_ylim(*((-1.55, 1.55) if count > 2 else (-0.7, 0.7)))
    ax.set_aspect("equal", adjustable="box")
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel(note, fontsize=canvas.NOTE, color=MUTED)
    canvas.despine(ax, keep=())
