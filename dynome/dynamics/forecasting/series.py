"""The recordings of one part of a forecasting task as arrays: every session on one axis of nodes, end to end in time.

A *part* (training, validation or test) is a study whose attributes say what is forecast (`PART_ATTRS`). A recording
of it may carry ``center (node)`` and ``scale (node)``, by which values are standardized, and ``scored (time)``: False
marks bins that lie before the part and are there to be looked back on only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema
from dynome import study as studies
from dynome.errors import InputError, Problems
from dynome.schema import NODE, TIME, TRIAL

CENTER, SCALE, SCORED, LABELLED = "center", "scale", "scored", "labelled"
PART_ATTRS = ("context", "horizons", "variable", "interval")

_LATE = 1.5  # intervals between two stamps, from which samples are missing between them


class Series(NamedTuple):
    """What a forecaster sees of a part.

    Attributes
    ----------
    values : (n_bin, n_node)
        float32, standardized; NaN is missing, and so is all of a node in a session that did not record it.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins. Sequences are sessions, divided at trials and at gaps of the
        clock; no window crosses them.
    session : (n_bin,)
        Position in `sessions` of each bin.
    sessions : tuple of str
        Paths of the recordings, ``"animal"`` or ``"animal/session"``.
    nodes : (n_node,)
        Labels.
    center, scale : (n_session, n_node)
        A value in the units of the recording is ``values * scale + center``.
    recorded : (n_session, n_node)
        Whether the session has any value of the node.
    covariates : (n_bin, n_covariate)
        float32, as they are; NaN is missing.
    covariate_names : tuple of str
        One a column.
    time : (n_bin,)
        Seconds, on the clock of each session.
    scored : (n_bin,)
        Whether the bin may be a target.
    context : int
        Bins of the past that a forecast may look at.
    horizons : tuple of int
        Bins ahead that are forecast, increasing.
    variable, units : str
        What is forecast.
    interval : float
        Seconds between bins.
    """

    values: NDArray[np.float32]
    starts: NDArray[np.int64]
    session: NDArray[np.int64]
    sessions: tuple[str, ...]
    nodes: NDArray[Any]
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    recorded: NDArray[np.bool_]
    covariates: NDArray[np.float32]
    covariate_names: tuple[str, ...]
    time: NDArray[np.float64]
    scored: NDArray[np.bool_]
    context: int
    horizons: tuple[int, ...]
    variable: str
    units: str
    interval: float


def stacked(part: xr.DataTree, nodes: NDArray[Any] | None = None) -> Series:
    """Arrays of a part of a task.

    Parameters
    ----------
    part : DataTree
        ``task.train``, ``task.validation`` or ``task.test`` of `dynome.inference.forecasting_task`, or any study with
        the attributes ``context horizons variable interval`` (and, for covariates, ``covariates``).
    nodes : (n_node,) or None
        Labels and order of the nodes. None takes those of the connectome, then all others that were recorded.
        Unlabelled nodes (coordinate ``labelled`` is False) and nodes that are not in `nodes` are left out.

    Returns
    -------
    Series

    Raises
    ------
    InputError
        If `part` is no part of a task, or a covariate is missing somewhere.
    """
    whole = isinstance(part, xr.DataTree) and {"train", "test"} <= set(part.children)
    if not isinstance(part, xr.DataTree) or whole or any(name not in part.attrs for name in PART_ATTRS):
        raise InputError(
            "expected one part of a forecasting task, e.g. task.train of dynome.inference.forecasting_task(...), found "
            f"{_described(part)}"
        )
    recordings = {path: _identified(rec) for path, rec in studies.sessions(part).items()}
    axis = _axis(part, recordings.values()) if nodes is None else np.asarray(nodes)
    variable, interval = str(part.attrs["variable"]), float(part.attrs["interval"])
    names = tuple(str(name) for name in np.atleast_1d(part.attrs.get("covariates", ())))
    _refuse_missing(recordings, (variable, *names))
    blocks = [_on_axis(rec, variable, axis) for rec in recordings.values()]
    columns = [_columns(rec, names) for rec in recordings.values()]
    if any(found != columns[0][1] for _, found in columns):
        raise InputError(f"covariates have the same features in every recording, found {[f for _, f in columns]}")
    size = np.array([block.shape[0] for block, _, _ in blocks])
    offset = np.append(0, np.cumsum(size))
    ends = [first + _ends(rec, interval) for first, rec in zip(offset, recordings.values(), strict=False)]
    return Series(
        values=np.concatenate([block for block, _, _ in blocks]),
        starts=np.concatenate([[0], *ends]).astype(np.int64),
        session=np.repeat(np.arange(size.size), size),
        sessions=tuple(recordings),
        nodes=axis,
        center=np.array([center for _, center, _ in blocks]),
        scale=np.array([scale for _, _, scale in blocks]),
        recorded=np.array([np.isfinite(block).any(axis=0) for block, _, _ in blocks]),
        covariates=np.concatenate([block for block, _ in columns]),
        covariate_names=columns[0][1],
        time=np.concatenate([rec[TIME].to_numpy() for rec in recordings.values()]),
        scored=np.concatenate([_scored(rec) for rec in recordings.values()]),
        context=int(part.attrs["context"]),
        horizons=tuple(int(h) for h in np.atleast_1d(part.attrs["horizons"])),
        variable=variable,
        units=str(next(iter(recordings.values()))[variable].attrs.get("units", "1")),
        interval=interval,
    )


def wiring_of(part: xr.DataTree) -> xr.Dataset | None:
    """The connectome of a part, None where it has none.

    Parameters
    ----------
    part : DataTree
        A study.
    """
    return studies.connectome(part) if schema.CONNECTOME in part.children else None


def _described(part: object) -> str:
    if not isinstance(part, xr.DataTree):
        return f"a {type(part).__name__}"
    if {"train", "test"} <= set(part.children):
        return "a whole task; pass .train, .validation or .test of it"
    return f"a tree without the attributes {[name for name in PART_ATTRS if name not in part.attrs]}"


def _identified(rec: xr.Dataset) -> xr.Dataset:
    return rec.isel({NODE: rec[LABELLED].to_numpy().astype(bool)}) if LABELLED in rec.coords else rec


def _axis(part: xr.DataTree, recordings: Iterable[xr.Dataset]) -> NDArray[Any]:
    wiring = wiring_of(part)
    known = [] if wiring is None else wiring[NODE].to_numpy().tolist()
    others = sorted({name for rec in recordings for name in rec[NODE].to_numpy().tolist()} - set(known))
    return np.array([*known, *others])


def _refuse_missing(recordings: dict[str, xr.Dataset], names: tuple[str, ...]) -> None:
    problems = Problems("cannot read a part of a forecasting task")
    if not recordings:
        problems.add("it holds no recording")
    for path, rec in recordings.items():
        if missing := [name for name in names if name not in rec]:
            problems.add(f"{path} has no variable {missing}; it has {sorted(map(str, rec.data_vars))}")
    problems.raise_if_any(InputError)


def _on_axis(
    rec: xr.Dataset, variable: str, axis: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Standardized values of one recording on the axis of nodes, and the centre and scale of each."""
    found = labels.positions(rec[NODE].to_numpy(), axis)
    here = np.flatnonzero(found >= 0)
    at = found[here]
    center, scale = np.zeros(axis.size), np.ones(axis.size)
    for name, out in ((CENTER, center), (SCALE, scale)):
        if name in rec:
            out[at] = rec[name].to_numpy()[here]
    raw = rec[variable].transpose(TIME, NODE).to_numpy()[:, here].astype(np.float64)
    block = np.full((raw.shape[0], axis.size), np.nan, dtype=np.float32)
    block[:, at] = (raw - center[at]) / scale[at]
    return block, center, scale


def _ends(rec: xr.Dataset, interval: float) -> NDArray[np.int64]:
    """Ends of the sequences of one recording."""
    late = np.diff(rec[TIME].to_numpy()) > _LATE * interval
    if TRIAL in rec.coords and rec[TRIAL].dims == (TIME,):
        trial = rec[TRIAL].to_numpy()
        late = late | (trial[1:] != trial[:-1])
    return np.append(np.flatnonzero(late) + 1, rec.sizes[TIME])


def _columns(rec: xr.Dataset, names: tuple[str, ...]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    columns, found = [np.empty((rec.sizes[TIME], 0), dtype=np.float32)], []
    for name in names:
        array = rec[name].transpose(TIME, ...)
        block = array.to_numpy().reshape(array.sizes[TIME], -1).astype(np.float32)
        columns.append(block)
        features = [""] if array.ndim == 1 else [f"_{k}" for k in array[array.dims[1]].to_numpy()]
        found += [f"{name}{feature}" for feature in features]
    return np.concatenate(columns, axis=1), tuple(found)


def _scored(rec: xr.Dataset) -> NDArray[np.bool_]:
    if SCORED not in rec:
        return np.ones(rec.sizes[TIME], dtype=bool)
    return rec[SCORED].to_numpy().astype(bool)
