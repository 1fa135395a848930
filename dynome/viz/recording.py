"""A recording as a heat map: one row for each node, time to the right, behaviour under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from dynome.errors import InputError
from dynome.viz import canvas, samples
from dynome.viz.covariates import covariate_rows, plot_covariates
from dynome.viz.order import resolved
from dynome.viz.palette import color_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_max_columns = 4000  # samples drawn; a screen has fewer pixels, so longer recordings are averaged


def plot_recording(
    recording: xr.Dataset | xr.DataArray,
    *,
    order: Literal["similarity"] | Sequence[str] | None = "similarity",
    covariates: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Activity of every node over time.

    Parameters
    ----------
    recording : Dataset or (time, node)
        A recording, of which ``activity`` (else ``spike_count``) is drawn, or such a variable. NaN is grey, and so are
        pauses. dask input is averaged before it is loaded.
    order : {"similarity"}, list of str or None
        Rows from the top: neighbours that resemble each other, the nodes named (a part will do), or as stored.
    covariates : list of str
        Variables of the recording that are drawn under the heat map, see `plot_covariates`.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The heat map. Colours are clipped at the 1st and 99th percentile; a diverging scale is centred at zero.

    Raises
    ------
    InputError
        If dims are others than time and node, the clock is not increasing, or a label or covariate is unknown.

    Notes
    -----
    More than 4,000 samples are averaged in equal runs, as no screen shows them one by one.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> x = xr.DataArray(np.eye(3), dims=("time", "node"), coords={"node": ["AVAL", "AVAR", "RIML"]}, name="activity")
    >>> ax = plot_recording(x, order=["RIML", "AVAL"], ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['RIML', 'AVAL']
    """
    activity, rows = _parts(recording, covariates)
    ax = canvas.axes_or_new(ax, (7.2, _height(activity.sizes["node"]) / (1 - _strip_share(len(rows)))))
    if not activity.size:
        return canvas.no_data(ax, "no data: the recording has no samples or no nodes")
    clock = canvas.clock_of(activity)
    drawn = samples.thinned(activity, _max_columns)
    values = canvas.finite(drawn)
    scale = color_scale(values)
    if scale is None:
        return canvas.no_data(ax, "no data: every value is missing")
    names = canvas.labels_of(drawn, "node")
    rank = resolved(order, values, names)
    limits, cells = samples.columns(canvas.clock_of(drawn).to_numpy(), values[:, rank])
    mesh = ax.pcolormesh(
        limits, np.arange(rank.size + 1) - 0.5, cells.T, cmap=scale.cmap, norm=scale.norm, rasterized=True
    )
    ax.invert_yaxis()
    canvas.despine(ax, keep=())
    sorting = "\nsorted by similarity" if order == "similarity" and rank.size > 2 else ""
    what = f"{recording.attrs.get('node_kind', 'node')}s{sorting}"
    canvas.label_ticks(ax, "y", [names[k] for k in rank], what, f"{rank.size:,} {what}")
    ax.set_xlabel(canvas.quantity(clock), fontsize=canvas.LABEL)
    missing = bool(np.isnan(cells).any())
    canvas.add_colorbar(ax, mesh, canvas.quantity(activity, "activity"), extend=scale.extend, missing=missing)
    if rows and isinstance(recording, xr.Dataset):
        _add_strip(ax, recording, covariates)
    return ax


def _height(n_node: int) -> float:
    """Inches for the heat map: room to name each row where there are few."""
    return max(1.2 + 0.11 * n_node, 2.4) if n_node <= canvas.MAX_TICK_LABELS else 4.2


def _parts(recording: xr.Dataset | xr.DataArray, covariates: Sequence[str]) -> tuple[xr.DataArray, list[xr.DataArray]]:
    if isinstance(recording, xr.Dataset):
        name = next((n for n in ("activity", "spike_count") if n in recording), None)
        if name is None:
            canvas.require_variables(recording, ["activity"], "a recording")
        activity, rows = recording[name], covariate_rows(recording, covariates)
    elif covariates:
        raise InputError("covariates are drawn from a recording; pass the Dataset instead of its activity")
    else:
        activity, rows = recording, []
    hint = "select one trial, animal or feature first"
    return canvas.require_dims(activity, ("time", "node"), "a recording", hint), rows


def _add_strip(ax: Axes, recording: xr.Dataset, names: Sequence[str]) -> None:
    """Covariates under the heat map, on its time axis."""
    limits = ax.get_xlim()
    plot_covariates(recording, names, ax=canvas.axes_below(ax, _strip_share(len(names))))
    ax.set_xlim(limits)
    ax.set_xlabel("")
    ax.tick_params(axis="x", labelbottom=False, length=0)


def _strip_share(rows: int) -> float:
    return rows / (rows + 6)
