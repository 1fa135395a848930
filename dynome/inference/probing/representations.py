"""What a scan can be described by before anything is learnt: the rows that every table of models must beat.

A description that looks at other scans, such as the reference of the tangent space, looks at the training part only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.connectivity.tangent import tangent_connectivity
from dynome.dynamics.connectivity.windowed_correlation import correlation_windows
from dynome.errors import InputError, listed
from dynome.inference.dynamic_graphs.scans import Scan, Scans, series_of
from dynome.inference.probing.covariances import covariance_in, evenly, main_components
from dynome.schema import FEATURE, NODE, SESSION, SOURCE, TARGET

Floats = NDArray[np.float64]
Baseline = Literal["static FC", "tangent FC", "FC moments", "FC covariance"]
Describe = Callable[[list[str]], xr.DataArray]

BASELINES: tuple[Baseline, ...] = get_args(Baseline)
FITTED = frozenset({"tangent FC", "FC covariance"})

_WINDOWS = 1000  # that components of windowed correlations are found in
_KEPT_BYTES = 1 << 30


def described(baseline: Baseline, scans: Scans) -> Describe:
    """How a baseline describes scans, given the sessions of the training part.

    Parameters
    ----------
    baseline : {"static FC", "tangent FC", "FC moments", "FC covariance"}
        Correlations over the whole scan; their departure from the geometric mean of the training part, in the tangent
        space; mean and standard deviation over windows of their correlations; covariance over windows of the main
        components of windowed correlations, which are those of the training part: what is strong at the same time.
    scans : Scans

    Returns
    -------
    callable
        Takes training sessions, gives (session, feature) of all scans.

    Raises
    ------
    InputError
        If there is no such baseline; when called, if values are missing or a region never changes.
    """
    if baseline == "tangent FC":
        activities = {s.session: s.activity.copy(data=series_of(s)).assign_attrs(units="1") for s in scans.scans}
        return lambda train: _tangent(activities, train)
    if baseline == "FC covariance":
        windows = _windows_of(scans)
        return lambda train: _covariances(scans, windows, train)
    describe = {"static FC": _static, "FC moments": _moments}.get(baseline)
    if describe is None:
        raise InputError(f"baselines are {listed(BASELINES)}, got {baseline!r}")
    rows, columns = np.triu_indices(scans.nodes.size, 1)
    values = np.stack([describe(scan, rows, columns) for scan in scans.scans])
    named = {SESSION: np.array([scan.session for scan in scans.scans])}
    table = xr.DataArray(values, dims=(SESSION, FEATURE), coords=named)
    return lambda _: table


def _static(scan: Scan, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    x = series_of(scan).astype(np.float64)
    return np.asarray((x.T @ x / len(x))[rows, columns])


def _moments(scan: Scan, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """Mean and standard deviation over windows, without windows in which a region is constant."""
    r = correlation_windows(series_of(scan), scan.starts, scan.width)[:, rows, columns].astype(np.float64)
    known = np.isfinite(r)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, r, 0.0).sum(axis=0) / n
    spread = np.sqrt(np.where(known, (r - mean) ** 2, 0.0).sum(axis=0) / n)
    return np.concatenate([mean, spread])


def _windows_of(scans: Scans) -> Callable[[Scan], Floats]:
    """Correlations of every pair in every window of a scan, kept where all fit into memory."""
    n_pairs = scans.nodes.size * (scans.nodes.size - 1) // 2
    if 8 * n_pairs * sum(scan.starts.size for scan in scans.scans) > _KEPT_BYTES:
        return _pairs_of_windows
    kept = {scan.session: _pairs_of_windows(scan) for scan in scans.scans}
    return lambda scan: kept[scan.session]


def _covariances(scans: Scans, windows: Callable[[Scan], Floats], train: list[str]) -> xr.DataArray:
    """Covariance over windows of components of unit variance; a region that is constant in a window counts as 0."""
    known = [scan for scan in scans.scans if scan.session in set(train)]
    each = max(1, _WINDOWS // len(known))
    components = main_components(np.concatenate([windows(s)[evenly(s.starts.size, each)] for s in known]))
    found = [covariance_in(components, windows(scan)) for scan in scans.scans]
    named = {SESSION: np.array([scan.session for scan in scans.scans])}
    return xr.DataArray(np.stack(found), dims=(SESSION, FEATURE), coords=named)


def _pairs_of_windows(scan: Scan) -> Floats:
    """Correlations of every pair in every window, (W, P)."""
    rows, columns = np.triu_indices(scan.activity.sizes[NODE], 1)
    r = correlation_windows(series_of(scan), scan.starts, scan.width)[:, rows, columns]
    return np.nan_to_num(r.astype(np.float64))


def _tangent(activities: Mapping[str, xr.DataArray], train: list[str]) -> xr.DataArray:
    reference = tangent_connectivity({name: activities[name] for name in train}).coords["reference"]
    tangent = tangent_connectivity(activities, reference=reference)
    rows, columns = np.triu_indices(tangent.sizes[SOURCE])
    # Each pair stands for two entries of the matrix, so that distances are those of the space.
    scale = np.where(rows == columns, 1.0, np.sqrt(2.0))
    values = tangent.transpose(SESSION, SOURCE, TARGET).to_numpy()[:, rows, columns] * scale
    return xr.DataArray(values, dims=(SESSION, FEATURE), coords={SESSION: tangent[SESSION].to_numpy()})
