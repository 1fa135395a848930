"""States over time: a ribbon of the posterior or the path, activity and behaviour under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.covariates import covariate_rows, plot_covariates
from dynome.viz.panels import panel_rows
from dynome.viz.raster import Rows, activity_of, draw_raster, raster_height
from dynome.viz.ribbon import draw_ribbon, finish_panels, probabilities, ribbon_label
from dynome.viz.sequences import Course, courses, named, recorded, windowed
from dynome.viz.states import add_state_legend, states_of
from dynome.viz.trials import draw_sequences

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ribbon, _row = 0.45, 0.5  # inches
_width = 7.6


def plot_states(
    states: xr.DataArray,
    recording: xr.Dataset | xr.DataArray | None = None,
    *,
    covariates: Sequence[str] = (),
    order: Rows = "state",
    sequence: Any = None,
    window: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """States of a hidden Markov model over time, above the activity and the behaviour.

    Parameters
    ----------
    states : (time, state), (time,) or with leading dims (trial, session, ...)
        A posterior, as ``posterior`` of a model gives it, or a decoded path of whole numbers, as ``decode`` does; -1
        and NaN mean that no state is known. Every leading dim, and every change of a coord ``animal``, ``session`` or
        ``trial`` of time, makes sequences.
    recording : Dataset, (time, node), or None
        What the states were found in, joined by time: ``spike_count`` (else ``activity``) is drawn under the ribbon.
    covariates : list of str
        Variables of the recording that are drawn under the activity, see `plot_covariates`; with several sequences
        those that are constant within each, as colours beside the rows, which are sorted by them.
    order : {"state", "similarity"}, list of str or None
        Rows of the activity: by the state in which a node is most active (its colour stands beside it), neighbours
        that resemble each other, the nodes named, or as stored.
    sequence : label or None
        Which session or trial; a tuple where both tell sequences apart. None draws all: see Returns.
    window : (start, stop) or None
        Part of the time axis that is drawn, in its unit.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of the panels, which are its ``child_axes`` on one time axis. One sequence: the ribbon, in which the
        height of a colour is the probability of its state; the activity; the covariates. Several: a row for each,
        coloured by the most probable state; under it the ribbon of the mean over sequences and, of trials (a dim or
        coord ``trial``), their mean activity: sessions share no clock over which to average. A state has the same
        colour in all figures of one model.

    Raises
    ------
    InputError
        If `states` is no posterior and no path, a sequence or covariate is unknown, or times of the recording differ.

    Notes
    -----
    More than 4,000 moments are averaged in equal runs, as no screen shows them one by one.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> path = xr.DataArray([0, 0, 1, 1, 0], dims="time", coords={"time": ("time", np.arange(5.0), {"units": "s"})})
    >>> counts = xr.DataArray(np.eye(5)[:, :3], dims=("time", "node"), coords={"time": path.time}, name="spike_count")
    >>> host = plot_states(path, counts, ax=Figure().subplots())
    >>> [len(panel.collections) for panel in host.child_axes], host.child_axes[1].get_xlabel()
    ([2, 1], 'time (s)')
    """
    share = probabilities(states)
    if isinstance(covariates, str):
        raise InputError(f"covariates must be a list of names, such as [{covariates!r}], found the text {covariates!r}")
    if covariates and not isinstance(recording, xr.Dataset):
        raise InputError("covariates are drawn from a recording; pass its Dataset as well")
    activity = None if recording is None else activity_of(recording)
    kind, found = courses(share)
    if sequence is not None:
        found = [named(found, sequence, kind)]
    if not found or not np.isfinite(share).any():
        return canvas.no_data(canvas.axes_or_new(ax, (_width, 2.0)), "no data: at no time is a state known")
    if len(found) > 1:
        return draw_sequences(share, kind, found, activity, recording, covariates, order, window, ax)
    course = windowed(found[0], share, window, own=False)
    part = None if activity is None else recorded(activity, course, share)
    behaviour = recorded(recording, course, share) if isinstance(recording, xr.Dataset) and covariates else None
    return _draw_course(share.isel(course.place), course, part, behaviour, covariates, order, ax)


def _draw_course(
    share: xr.DataArray,
    course: Course,
    activity: xr.DataArray | None,
    behaviour: xr.Dataset | None,
    covariates: Sequence[str],
    order: Rows,
    ax: Axes | None,
) -> Axes:
    behaviour = None if behaviour is None else _over_time(behaviour, covariates)
    rows = [] if behaviour is None else covariate_rows(behaviour, covariates)
    heights = [_ribbon]
    if activity is not None:
        activity = canvas.require_dims(activity, ("time", "node"), "states over activity", "choose one sequence")
        heights.append(raster_height(activity.sizes["node"]))
    if rows:
        heights.append(_row * len(rows))
    ax = canvas.axes_or_new(ax, (_width, sum(heights) + 1.1))
    panels = panel_rows(ax, heights, gap=0.07)
    values, labels = share.to_numpy(), states_of(share)
    draw_ribbon(panels[0], course.clock.to_numpy(), values, labels)
    panels[0].set_ylabel(ribbon_label(share), fontsize=canvas.NOTE, rotation=0, ha="right", va="center")
    limits = panels[0].get_xlim()
    if activity is not None:
        draw_raster(panels[1], activity, values, labels, order)
    if behaviour is not None and rows:
        plot_covariates(behaviour, covariates, ax=panels[-1])
    finish_panels(panels, limits, course.clock)
    add_state_legend(panels[0], labels)
    return ax


def _over_time(behaviour: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """What is known once of a trial, at all of its times."""
    single = [n for n in names if n in behaviour.variables and not behaviour[n].dims]
    length = behaviour.sizes["time"]
    return behaviour.drop_vars(single).assign({n: behaviour[n].expand_dims(time=length).variable for n in single})
