"""One recording, brought to what a method takes: identified nodes that vary, an even clock, bins of a chosen width."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import dynamics, schema
from dynome.errors import InputError
from dynome.schema import ACTIVITY, NODE, SPIKE_COUNT, TIME, TRIAL

Auto = Literal["auto"]

LABELLED = "labelled"
_GAP = 1.5  # intervals: a longer step is a gap
_MOST_MISSING = 0.5  # of the samples of a node
_STRAY = 0.01  # intervals: a clock that is even to this needs no resampling


def variable_of(recording: xr.Dataset) -> str:
    """The variable that is analysed: spike counts where there are any, else the activity; "" where there is neither."""
    return next((name for name in (SPIKE_COUNT, ACTIVITY) if name in recording.data_vars), "")


def unsuitable(recording: xr.Dataset, least_bins: int, least_nodes: int = 2) -> str:
    """Why no method can take a recording, or "" where one can.

    Parameters
    ----------
    recording : Dataset
        One session, which may be lazy; its values are not looked at.
    least_bins, least_nodes : int
        Samples and nodes below which there is nothing to be learnt.
    """
    if not variable_of(recording):
        return "has neither activity nor spike_count"
    if (n_nodes := int(_identified(recording).sum())) < least_nodes:
        return f"has {n_nodes} node{'s' * (n_nodes != 1)}, and {least_nodes} are needed"
    if (n_bins := recording.sizes[TIME]) < least_bins:
        return f"has {n_bins} samples, and {least_bins} are needed"
    return ""


def usable_nodes(recording: xr.Dataset, variable: str) -> xr.Dataset:
    """The recording in memory, without nodes that say nothing.

    Parameters
    ----------
    recording : Dataset
        One session; lazy values are loaded.
    variable : str
        What is analysed. All other variables over nodes are dropped.

    Returns
    -------
    Dataset
        Without nodes that have no identity (where any has one), that never vary, or that miss more than half of their
        samples; how many those were is in ``attrs["nodes_left_out"]``.

    Raises
    ------
    InputError
        If less than two nodes are left.
    """
    schema.validate(recording, "recording")
    kept = recording.drop_vars([n for n, v in recording.data_vars.items() if NODE in v.dims and n != variable])
    kept = kept.isel({NODE: _identified(recording)}).load()
    values = kept[variable]
    varies = (values.max(TIME) > values.min(TIME)) & (values.isnull().mean(TIME) <= _MOST_MISSING)
    kept = kept.isel({NODE: varies.to_numpy()}).drop_vars(LABELLED, errors="ignore")
    if kept.sizes[NODE] < 2:
        raise InputError(
            f"expected at least 2 identified nodes whose {variable} varies, found {kept.sizes[NODE]} of "
            f"{recording.sizes[NODE]}; look at the recording with dy.viz.plot_recording"
        )
    return kept.assign_attrs(nodes_left_out=recording.sizes[NODE] - kept.sizes[NODE])


def on_even_clock(recording: xr.Dataset) -> xr.Dataset:
    """The recording at its own rate on a clock that steps evenly; gaps become missing samples."""
    clock = recording[TIME].to_numpy()
    step = float(np.median(np.diff(clock)))
    if np.abs((clock - clock[0]) / step - np.arange(clock.size)).max() <= _STRAY:
        return recording
    return dynamics.resample(recording, rate=dynamics.sampling_rate(recording))


def stretches(recording: xr.Dataset, *, by_trial: bool = True) -> NDArray[np.int64]:
    """Where stretches without a gap (and of one trial) begin, and the number of samples.

    Parameters
    ----------
    recording : Dataset
        With a clock in seconds.
    by_trial : bool
        Whether a new trial begins a new stretch.

    Returns
    -------
    (n_stretch + 1,)
    """
    clock = recording[TIME].to_numpy()
    steps = np.diff(clock)
    breaks = np.zeros(clock.size, dtype=bool)
    breaks[0] = True
    breaks[1:] = steps > _GAP * np.median(steps)
    if by_trial and TRIAL in recording.coords and recording[TRIAL].dims == (TIME,):
        trial = recording[TRIAL].to_numpy()
        breaks[1:] |= trial[1:] != trial[:-1]
    return np.append(np.flatnonzero(breaks), clock.size).astype(np.int64)


def in_bins(recording: xr.Dataset, width: float, step: float | None = None) -> xr.Dataset:
    """Samples put together into wider bins, none across a gap or a trial.

    Parameters
    ----------
    recording : Dataset
        One session in memory.
    width : float
        Seconds. It is rounded to a whole number of samples, at least one.
    step : float or None
        Seconds between samples, where the clock cannot tell; None asks it.

    Returns
    -------
    Dataset
        Spike counts are summed, floats over time averaged, all else taken from the first sample of a bin; ``time`` is
        the middle of it. What is left at the end of a stretch and fills no bin is dropped. ``attrs["bin_width"]`` is
        the width in seconds: trials of a few bins have no steady clock from which it could be told afterwards.

    Raises
    ------
    InputError
        If no stretch is as long as a bin.
    """
    step = dynamics.sampling_interval(recording) if step is None else step
    n = max(1, round(width / step))
    if n == 1:
        return recording.assign_attrs(bin_width=step)
    starts = stretches(recording)
    first = np.concatenate([np.arange(a, b - n + 1, n) for a, b in pairwise(starts.tolist())])
    if not first.size:
        longest = step * np.diff(starts).max()
        raise InputError(f"expected bins no longer than the longest stretch, {longest:g} s, got {width:g} s")
    rows = first[:, None] + np.arange(n)
    out = recording.isel({TIME: first}).assign_attrs(bin_width=n * step)
    for name, variable in recording.data_vars.items():
        if TIME not in variable.dims or variable.dtype.kind not in "iuf" or (
            name != SPIKE_COUNT and variable.dtype.kind != "f"
        ):  # fmt: skip
            continue
        axis = variable.get_axis_num(TIME)
        parts = variable.to_numpy().take(rows, axis=axis)
        put = parts.sum(axis=axis + 1) if name == SPIKE_COUNT else parts.mean(axis=axis + 1)
        out[name] = out[name].copy(data=put)
    middle = recording[TIME].to_numpy()[rows].mean(axis=1)
    return out.assign_coords({TIME: (TIME, middle, recording[TIME].attrs)})


def binned(recording: xr.Dataset, bin_width: float | Auto, spike_bin: float) -> tuple[xr.Dataset, str]:
    """A recording in memory in bins of a chosen width, and the variable that is analysed.

    Parameters
    ----------
    recording : Dataset
        One session. Spike counts are taken where there are any, else activity, on an even clock.
    bin_width : float or "auto"
        Seconds; ``"auto"`` is the recording's own interval, and at least `spike_bin` for spike counts.
    spike_bin : float
        Seconds.

    Raises
    ------
    InputError
        If `bin_width` is no width, or less than two nodes vary.
    """
    variable = variable_of(recording)
    rec = usable_nodes(recording, variable)
    step = dynamics.sampling_interval(rec)
    if bin_width == "auto":
        bin_width = max(spike_bin, step) if variable == SPIKE_COUNT else step
    width = float(bin_width)
    if not (np.isfinite(width) and width > 0):
        raise InputError(f'bin_width must be a positive number of seconds or "auto", got {bin_width!r}')
    rec = in_bins(on_even_clock(rec) if variable == ACTIVITY else rec, width)
    varies = rec[variable].max(TIME) > rec[variable].min(TIME)
    return rec.isel({NODE: varies.to_numpy()}), variable


def chosen_nodes(recording: xr.Dataset, variable: str, most: int, named: tuple[str, ...] | list[str]) -> xr.Dataset:
    """At most so many nodes, the same ones in every session as far as it has them.

    Parameters
    ----------
    recording : Dataset
        One session in memory.
    variable : str
        What is analysed. Of spike counts the most active nodes are kept; otherwise nodes are drawn by their labels,
        so that sessions which share labels keep the same ones.
    most : int
        How many.
    named : sequence of str
        Labels to keep instead of these; those that the recording lacks are passed over.

    Raises
    ------
    InputError
        If it has less than two of `named`, or `most` is less than two.
    """
    if most < 2:
        raise InputError(f"max_nodes must be at least 2, got {most!r}")
    labels = recording[NODE].to_numpy()
    if len(named):
        place = np.flatnonzero(np.isin(labels, np.asarray(named, dtype=np.str_)))
        if place.size < 2:
            raise InputError(f"expected at least 2 of the {len(named)} nodes named, found {place.size} that vary")
    elif labels.size <= most:
        return recording
    elif variable == SPIKE_COUNT:
        place = np.sort(np.argsort(-recording[variable].mean(TIME).to_numpy(), kind="stable")[:most])
    else:
        drawn = [hashlib.sha256(str(label).encode()).digest() for label in labels.tolist()]
        place = np.sort(np.array(sorted(range(labels.size), key=drawn.__getitem__)[:most]))
    left = int(recording.attrs.get("nodes_left_out", 0)) + labels.size - place.size
    return recording.isel({NODE: place}).assign_attrs(nodes_left_out=left)


def longest_stretch(recording: xr.Dataset) -> tuple[float, float]:
    """Seconds of the longest stretch without a gap, trials or not, and seconds of a sample.

    Parameters
    ----------
    recording : Dataset
        With a clock in seconds; its values are not looked at.
    """
    step = float(np.median(np.diff(recording[TIME].to_numpy())))
    return int(np.diff(stretches(recording, by_trial=False)).max()) * step, step


def continuous_activity(recording: xr.Dataset, spike_bin: float) -> xr.Dataset:
    """Activity on an even clock, of spikes their rates.

    Parameters
    ----------
    recording : Dataset
        One session. Activity is taken where there is any, else spike counts.
    spike_bin : float
        Seconds of the bins in which spikes become rates (Hz).

    Returns
    -------
    Dataset
        ``activity (time, node)`` of the nodes that `usable_nodes` keeps, and what else there is along time.

    Raises
    ------
    InputError
        If there is neither, or `spike_bin` is no width.
    """
    variable = ACTIVITY if ACTIVITY in recording.data_vars else variable_of(recording)
    if not variable:
        raise InputError("expected a variable activity or spike_count, found neither")
    if not (np.isfinite(spike_bin) and spike_bin > 0):
        raise InputError(f"spike_bin must be a positive number of seconds, got {spike_bin!r}")
    rec = usable_nodes(recording, variable)
    if variable == SPIKE_COUNT:
        rec = in_bins(rec.drop_vars(TRIAL, errors="ignore"), spike_bin)
        rate = rec[SPIKE_COUNT] / rec.attrs["bin_width"]
        rec = rec.drop_vars(SPIKE_COUNT).assign({ACTIVITY: rate.assign_attrs(units="Hz", long_name="rate")})
    return on_even_clock(rec)


def wiring_of(connectome: xr.Dataset | None, recording: xr.Dataset) -> xr.Dataset | None:
    """The connectome, if it knows any two of the nodes."""
    if connectome is None:
        return None
    shared = np.intersect1d(connectome[NODE].to_numpy(), recording[NODE].to_numpy())
    return connectome if shared.size >= 2 else None


def _identified(recording: xr.Dataset) -> NDArray[np.bool_]:
    """Nodes with an identity; all of them where the recording does not tell, or says that none has one."""
    known = np.ones(recording.sizes[NODE], dtype=bool)
    if LABELLED in recording.coords and recording[LABELLED].to_numpy().astype(bool).any():
        known = recording[LABELLED].to_numpy().astype(bool)
    return known
