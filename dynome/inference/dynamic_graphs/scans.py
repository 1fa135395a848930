"""Scans: the sessions of a study with the same regions in the same order, cut into windows, still on disk.

Nothing is read here but clocks and labels. `series_of` reads one scan when it is needed, so that a study may be larger
than memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, study
from dynome.dynamics.connectivity.window_starts import starts_of_windows
from dynome.dynamics.preprocessing.clock import gapless_interval
from dynome.errors import DynomeError, InputError, Problems, listed
from dynome.inference.dynamic_graphs.settings import GraphSettings, add_graph_problems
from dynome.schema import ACTIVITY, NODE, TIME

_LEAST = 3  # samples in a window: two give correlations of -1 and 1 only


class Scan(NamedTuple):
    """One session, cut into windows.

    Attributes
    ----------
    session, animal : str
        Path ``"animal/session"`` (or ``"animal"``), and its first part.
    activity : DataArray (time, node)
        Lazy where the study is; nodes as in `Scans`.
    starts : (W,)
        First samples of the windows.
    width : int
        Samples in a window.
    interval : float
        Seconds from one sample to the next.
    """

    session: str
    animal: str
    activity: xr.DataArray
    starts: NDArray[np.int64]
    width: int
    interval: float


class Scans(NamedTuple):
    """Scans with the same regions.

    Attributes
    ----------
    scans : tuple of Scan
    nodes : (N,)
        Labels of the regions.
    node_coords : Dataset
        What all sessions say alike of the regions, such as their network.
    settings : GraphSettings
    n_known : int
        Regions that any session has; those beyond N are left out.
    """

    scans: tuple[Scan, ...]
    nodes: NDArray[np.str_]
    node_coords: xr.Dataset
    settings: GraphSettings
    n_known: int

    def regions_told(self) -> dict[str, int]:
        """How many regions are left out and how many there are, for the attributes of results."""
        return {"regions_left_out": self.n_known - self.nodes.size, "regions_in_all": self.n_known}


def scans_of(data: Any, settings: GraphSettings, *, nodes: NDArray[Any] | None = None) -> Scans:
    """The sessions of a study as scans, regions joined by label.

    Parameters
    ----------
    data : DataTree, mapping, Dataset or DataArray
        A study; recordings or activities (time, node) by session; or a single one, which is then called "scan".
    settings : GraphSettings
    nodes : (N,) or None
        Regions that every session must have; None takes those that all sessions share, in the order of the first. A
        session must then have half of those that most have, so that one odd session does not shrink the atlas of all.

    Returns
    -------
    Scans

    Raises
    ------
    InputError
        If settings cannot be used, sessions share fewer than two regions or lack some of `nodes`, one lacks more than
        half of the regions of the others, a clock has gaps, or a window is longer than a scan; every session is named.

    Examples
    --------
    >>> t = xr.DataArray(np.arange(60.0), dims="time", attrs={"units": "s"})
    >>> x = np.random.default_rng(0).standard_normal((60, 3))
    >>> x = xr.DataArray(x, dims=("time", "node"), coords={"time": t, "node": list("abc")})
    >>> found = scans_of({"ann": x, "bob": x.isel(node=[2, 1])}, GraphSettings(window=20, stride=10))
    >>> found.nodes.tolist(), [scan.starts.tolist() for scan in found.scans]
    (['b', 'c'], [[0, 10, 20, 30, 40], [0, 10, 20, 30, 40]])
    """
    problems = Problems("cannot cut scans into windows")
    add_graph_problems(settings, problems)
    problems.raise_if_any(InputError)
    activities = _activities(data, problems)
    problems.raise_if_any(InputError)
    names = {session: labels.as_labels(x[NODE].to_numpy()) for session, x in activities.items()}
    wanted = labels.as_labels(nodes) if nodes is not None else labels.shared(*names.values())
    if nodes is None:
        _add_odd_sessions(names, problems)
    if wanted.size < 2:
        problems.add(
            f"the sessions must share at least 2 regions, they share {wanted.size}; use one atlas and one spelling of "
            f"its labels (first session: {listed(next(iter(names.values())).tolist(), 3)})"
        )
    for session, has in names.items():
        if (lost := wanted[labels.positions(wanted, has) < 0]).size:
            problems.add(f"{session} lacks {lost.size} of the model's {wanted.size} regions: {listed(lost.tolist())}")
    problems.raise_if_any(InputError)
    found = [_scan(session, x, settings, problems) for session, x in activities.items()]
    problems.raise_if_any(InputError)
    scans = tuple(
        scan._replace(activity=scan.activity.isel({NODE: labels.positions(wanted, names[scan.session])}))
        for scan in found
        if scan is not None
    )
    n_known = np.unique(np.concatenate(list(names.values()))).size
    return Scans(scans, wanted, _node_coords(scans), settings, n_known)


def series_of(scan: Scan) -> NDArray[np.float32]:
    """Activity of a scan, read now, each region standardized over the whole scan.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    (n_time, N) float32

    Raises
    ------
    InputError
        If values are missing or infinite, or a region never changes; session and regions are named.
    """
    values = np.asarray(scan.activity.to_numpy(), dtype=np.float64)
    problems = Problems(f"cannot use scan {scan.session}")
    names = scan.activity[NODE].to_numpy()
    finite = np.isfinite(values).all(axis=0)
    still = finite & (values.max(axis=0) == values.min(axis=0))
    if not finite.all():
        problems.add(
            f"regions {listed(names[~finite].tolist())} have values that are NaN or infinite; fill short gaps of each "
            "recording with dy.dynamics.interpolate_gaps, or drop these regions in every session"
        )
    if still.any():
        problems.add(f"regions {listed(names[still].tolist())} never change; drop them in every session")
    problems.raise_if_any(InputError)
    values -= values.mean(axis=0)
    values /= values.std(axis=0)
    return values.astype(np.float32, order="C")


def digests_of(scans: Scans) -> NDArray[np.uint8]:
    """Read every scan once: what a checkpoint knows its data by, and a chance to tell all that is wrong with them.

    Parameters
    ----------
    scans : Scans

    Returns
    -------
    (scan, 32)
        SHA-256 of the standardized activity and the windows.

    Raises
    ------
    InputError
        With the problems of all scans, as in `series_of`.
    """
    problems = Problems("cannot use these scans")
    found = []
    for scan in scans.scans:
        try:
            digest = hashlib.sha256(series_of(scan).data)
        except InputError as error:
            problems.add(str(error))
            continue
        digest.update(repr((scan.session, scan.starts.tolist(), scan.width)).encode())
        found.append(np.frombuffer(digest.digest(), dtype=np.uint8))
    problems.raise_if_any(InputError)
    return np.stack(found)


def _activities(data: Any, problems: Problems) -> dict[str, xr.DataArray]:
    """Activity (time, node) by session."""
    if isinstance(data, str | os.PathLike):
        problems.add(f"expected a study, found the path {os.fspath(data)!r}; open it with dy.store.open(path)")
        return {}
    if isinstance(data, xr.DataTree):
        parts: Mapping[str, Any] = study.sessions(data)
    elif isinstance(data, Mapping) and not isinstance(data, xr.Dataset):
        parts = data
    else:
        parts = {"scan": data}
    found = {}
    for session, part in parts.items():
        x = part[ACTIVITY] if isinstance(part, xr.Dataset) and ACTIVITY in part else part
        if not isinstance(x, xr.DataArray) or set(x.dims) != {TIME, NODE} or NODE not in x.coords:
            told = f"dims {tuple(map(str, x.dims))}" if isinstance(x, xr.DataArray) else f"a {type(x).__name__}"
            problems.add(f"{session}: expected activity (time, node) with labels of nodes, found {told}")
        elif repeated := labels.duplicates(x[NODE].to_numpy()):
            problems.add(f"{session}: labels of regions must be unique, found repeated {listed(repeated)}")
        else:
            found[str(session)] = x.transpose(TIME, NODE)
    if not parts:
        problems.add("expected at least one recording, found none")
    return found


def _add_odd_sessions(names: dict[str, NDArray[np.str_]], problems: Problems) -> None:
    """Note sessions with less than half of the regions that at least half of the sessions have."""
    found, count = np.unique(np.concatenate(list(names.values())), return_counts=True)
    usual = found[2 * count >= len(names)]
    for session, has in names.items():
        shared = int((labels.positions(usual, has) >= 0).sum())
        if 2 * shared < usual.size:
            problems.add(
                f"{session} has only {shared} of the {usual.size} regions of the others (its own: "
                f"{listed(has.tolist(), 3)}; theirs: {listed(usual.tolist(), 3)}); give it the labels of their atlas, "
                "or leave it out"
            )


def _scan(session: str, x: xr.DataArray, settings: GraphSettings, problems: Problems) -> Scan | None:
    try:
        interval = gapless_interval(x, "slide a window")
    except DynomeError as error:
        problems.add(f"{session}: {error}")
        return None
    step = interval if settings.unit == "s" else 1.0
    width, stride = round(settings.window / step), round(settings.stride / step)
    n_time = x.sizes[TIME]
    if width < _LEAST or stride < 1:
        problems.add(
            f"{session}: a window must have at least {_LEAST} samples and a stride one, found {width} and {stride} "
            f"(a sample every {interval:g} s)"
        )
        return None
    starts = starts_of_windows(n_time, width, stride, settings.closed) if width <= n_time else np.empty(0, np.int64)
    if not starts.size:
        problems.add(
            f"{session}: a window of {settings.window:g} {settings.unit} ({width} samples) is longer than the scan, "
            f"{n_time} samples of {interval:g} s; take a shorter window or leave the scan out"
        )
        return None
    return Scan(session, session.split("/")[0], x, starts, width, interval)


def _node_coords(scans: tuple[Scan, ...]) -> xr.Dataset:
    """Coordinates of the nodes on which all scans agree."""
    first = scans[0].activity
    agreed = {
        name: coord.variable
        for name, coord in first.coords.items()
        if coord.dims == (NODE,)
        and all(name in s.activity.coords and coord.variable.equals(s.activity[name].variable) for s in scans[1:])
    }
    return xr.Dataset(coords=agreed)
