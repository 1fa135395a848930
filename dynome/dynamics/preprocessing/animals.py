"""Laying the recordings of many animals side by side, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import schema, units
from dynome import study as studies
from dynome.dynamics.preprocessing.clock import sampling_interval, sampling_rate, stamps
from dynome.dynamics.preprocessing.resampling import resample
from dynome.errors import InputError, Problems
from dynome.schema import ANIMAL, NODE, SESSION, TIME

Length = Literal["longest", "shortest"]

LABELLED = "labelled"
_ON_GRID = 0.01  # of an interval


def align_animals(
    study: xr.DataTree,
    *,
    rate: float | None = None,
    min_animals: int = 1,
    labelled_only: bool = True,
    length: Length = "longest",
) -> xr.Dataset:
    """The recordings of a study as one array on shared node labels and one clock.

    Parameters
    ----------
    study : DataTree
        Recordings at ``/{animal}`` or ``/{animal}/{session}``, with the same variables in the same units.
    rate : float or None
        Hz of the common clock. None takes the rate of the slowest recording. A recording whose stamps are on that clock
        already (within 1 % of an interval) is left as it is; any other goes through `resample`.
    min_animals : int
        Keep nodes that were recorded in at least this many animals (sessions of one animal count once).
    labelled_only : bool
        Drop nodes whose coordinate ``labelled`` is False. If they are kept, each becomes a node of its own, named
        ``{path}:{label}``: what has no identity is never joined. Without that coordinate every node counts as labelled.
    length : {"longest", "shortest"}
        Pad shorter recordings with NaN at the end, or cut all to the shortest.

    Returns
    -------
    Dataset
        ``activity (animal, time, node)`` and all else along ``time`` as variables ``(animal, time, ...)``, in the
        units of the recordings; variables without ``time`` stay behind. NaN where a node, a variable or a sample is
        missing in an animal; whole numbers and booleans become floats for that, strings are filled with ``""``.

        ``animal`` holds the paths of the recordings, ``session (animal)`` their second part where there is one,
        ``duration (animal)`` the seconds recorded; ``time`` starts at 0; ``node`` is sorted. Coordinates of nodes on
        which all animals agree stay ``(node)``, others become ``(animal, node)``. Lazy input stays lazy.

    Raises
    ------
    InputError
        If no node is left, an argument is unusable, or a recording cannot be resampled.
    SchemaError
        If the study is not valid, e.g. because a variable has different units in different recordings.

    Examples
    --------
    >>> a = schema.recording(np.ones((4, 2)), time=np.arange(4) / 2, node=["AVAL", "AVAR"], units="dF/F")
    >>> b = schema.recording(np.ones((3, 1)), time=9 + np.arange(3) / 2, node=["AVAL"], units="dF/F")
    >>> both = align_animals(studies.build({"worm1": a, "worm2": b}))
    >>> both.activity.dims, both.activity.count("time").values.tolist()
    (('animal', 'time', 'node'), [[4, 4], [3, 0]])
    """
    problems = Problems("cannot align animals")
    if length not in get_args(Length):
        problems.add(f"length must be one of {', '.join(get_args(Length))}, got {length!r}")
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        problems.add(f"rate must be a positive number of Hz or None, got {rate:g}")
    problems.raise_if_any(InputError)
    recordings = studies.sessions(schema.validate(study, "study"))
    recordings = {path: _identified(rec, path, labelled_only) for path, rec in recordings.items()}
    nodes = shared_nodes({path: rec[NODE].to_numpy() for path, rec in recordings.items()}, min_animals)
    rate = rate or min(sampling_rate(rec) for rec in recordings.values())
    recordings = {path: _on_clock(rec, rate) for path, rec in recordings.items()}
    sizes = [rec.sizes[TIME] for rec in recordings.values()]
    clock = np.arange(max(sizes) if length == "longest" else min(sizes)) / rate
    parts = {path: _placed(rec, nodes, clock) for path, rec in recordings.items()}
    names = dict.fromkeys(str(name) for part in parts.values() for name in part.data_vars)
    stacked = {name: _stacked(name, parts) for name in names}
    return xr.Dataset(stacked, attrs=_common_attrs(recordings)).assign_coords(_coordinates(recordings, nodes, clock))


def shared_nodes(labels: Mapping[str, NDArray[np.str_]], min_animals: int) -> NDArray[np.str_]:
    """Labels that occur in at least `min_animals` animals, sorted."""
    animals: dict[str, set[str]] = {}
    for path, names in labels.items():
        for name in names.tolist():
            animals.setdefault(name, set()).add(path.split("/")[0])
    kept = sorted(name for name, found in animals.items() if len(found) >= min_animals)
    if not kept:
        most = max(map(len, animals.values()), default=0)
        raise InputError(
            f"cannot align animals:\n  - expected labels that occur in {min_animals} animals or more, found none (the "
            f"most shared of {len(animals)} labels occurs in {most}); lower min_animals or unify the names"
        )
    return np.array(kept)


def _identified(rec: xr.Dataset, path: str, labelled_only: bool) -> xr.Dataset:
    """Drop or rename the nodes that have no identity."""
    if LABELLED not in rec.coords:
        return rec
    known = rec[LABELLED].to_numpy().astype(bool)
    if labelled_only:
        return rec.isel({NODE: known}).drop_vars(LABELLED)
    names = rec[NODE].to_numpy()
    return rec.assign_coords({NODE: [n if k else f"{path}:{n}" for n, k in zip(names, known, strict=True)]})


def _on_clock(rec: xr.Dataset, rate: float) -> xr.Dataset:
    """The variables along time, on a clock that starts at 0 and steps by exactly ``1 / rate``."""
    rec = rec.drop_vars([n for n, v in rec.data_vars.items() if TIME not in v.dims])
    old = stamps(rec, "align animals")
    if np.abs((old - old[0]) * rate - np.arange(old.size)).max() > _ON_GRID:
        rec = resample(rec, rate=rate)
    return rec.assign_coords({TIME: np.arange(rec.sizes[TIME]) / rate})


def _placed(rec: xr.Dataset, nodes: NDArray[np.str_], clock: NDArray[np.float64]) -> xr.Dataset:
    """Variables and time coordinates on the common nodes and clock, missing values filled."""
    timed = rec.reset_coords([n for n, c in rec.coords.items() if TIME in c.dims and n != TIME])
    timed = timed.drop_vars([n for n in timed.coords if n not in timed.xindexes])
    numbers = {n: v.astype(np.float64) for n, v in timed.data_vars.items() if v.dtype.kind in "iub"}
    words = {n: "" for n, v in timed.data_vars.items() if v.dtype.kind in "UT"}
    return timed.assign(numbers).reindex(
        {NODE: nodes, TIME: clock}, fill_value={**words, **dict.fromkeys(numbers, np.nan)}
    )


def _stacked(name: str, parts: Mapping[str, xr.Dataset]) -> xr.DataArray:
    """One variable of all recordings, missing where a recording does not have it."""
    found = [part[name] for part in parts.values() if name in part]
    unit = next((unit for unit in map(units.of, found) if unit), units.DIMENSIONLESS)
    blank = xr.full_like(found[0], "" if found[0].dtype.kind in "UT" else np.nan)
    arrays = [part.get(name, blank) for part in parts.values()]
    whole = xr.concat(arrays, pd.Index(parts, name=ANIMAL), join="outer", coords="minimal", compat="override")
    attrs = {**found[0].attrs, **({} if found[0].dtype.kind in "UT" else {"units": unit})}
    return whole.transpose(ANIMAL, *found[0].dims).assign_attrs(attrs)


def _common_attrs(recordings: Mapping[str, xr.Dataset]) -> dict[Any, Any]:
    """What all recordings say alike."""
    first, *others = (rec.attrs for rec in recordings.values())
    return {
        key: value for key, value in first.items() if all(key in o and np.array_equal(value, o[key]) for o in others)
    }


def _coordinates(
    recordings: Mapping[str, xr.Dataset], nodes: NDArray[np.str_], clock: NDArray[np.float64]
) -> dict[str, Any]:
    """Coordinates of the animals, and of the nodes as far as they are known."""
    paths = list(recordings)
    seconds = [sampling_interval(rec) * rec.sizes[TIME] for rec in recordings.values()]
    coords: dict[str, Any] = {
        ANIMAL: paths,
        TIME: (TIME, clock, {"units": units.SECONDS}),
        "duration": (ANIMAL, seconds, {"units": units.SECONDS, "long_name": "time recorded"}),
    }
    if any("/" in path for path in paths):
        coords[SESSION] = (ANIMAL, [path.partition("/")[2] for path in paths])
    named = dict.fromkeys(
        n for rec in recordings.values() for n, c in rec.coords.items() if c.dims == (NODE,) and n != NODE
    )
    return {**coords, **{str(n): _node_coordinate(str(n), recordings, nodes) for n in named}}


def _node_coordinate(name: str, recordings: Mapping[str, xr.Dataset], nodes: NDArray[np.str_]) -> xr.Variable:
    """A coordinate of the nodes: (node,) where all animals agree, else (animal, node)."""
    found = {path: rec[name] for path, rec in recordings.items() if name in rec.coords}
    table = pd.DataFrame({path: pd.Series(c.to_numpy(), index=c[NODE].to_numpy()) for path, c in found.items()})
    table = table.reindex(index=nodes, columns=list(recordings))
    first = next(iter(found.values()))
    alike = bool((table.nunique(axis=1) <= 1).all())
    values = (table.bfill(axis=1).iloc[:, 0] if alike else table.T).to_numpy()
    missing = pd.isna(values)
    if first.dtype.kind in "OUT":
        values = np.where(missing, "", values).astype(np.str_)
    else:
        values = values.astype(np.float64 if missing.any() else first.dtype)
    return xr.Variable(NODE if alike else (ANIMAL, NODE), values, first.attrs)
