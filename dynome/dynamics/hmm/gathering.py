"""What a chain model may be given, as recordings by name with the same nodes in the same order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels, study
from dynome.dynamics.hmm.parts import Part, Recording, on_grid, with_positions
from dynome.errors import Problems, listed
from dynome.schema import NODE, SESSION, TIME

ChainInput = Recording | xr.DataTree | Mapping[str, Recording] | Sequence[Recording]

TIME_IN_SESSION = "time_in_session"


def recordings_of(data: ChainInput, problems: Problems) -> tuple[dict[str, Recording], bool]:
    """Recordings by name, and whether there may be several.

    Parameters
    ----------
    data : DataArray, Dataset, DataTree, dict or list
        A single recording has the name ``""``; those of a list are named by their numbers.
    problems : Problems
        Where an empty study is noted.
    """
    if isinstance(data, xr.DataTree):
        found: dict[str, Recording] = {**study.sessions(data)}
    elif isinstance(data, Mapping) and not isinstance(data, xr.Dataset):
        found = {str(key): cast(Recording, item) for key, item in data.items()}
    elif isinstance(data, list | tuple):
        found = {str(k): item for k, item in enumerate(data)}
    else:
        return {"": cast(Recording, data)}, False
    if not found:
        problems.add("expected at least one recording, found none")
    return found, True


def joined(
    values: dict[str, xr.DataArray], nodes: ArrayLike | None, wheres: Mapping[str, str], problems: Problems
) -> dict[str, xr.DataArray]:
    """All recordings with the same nodes in the same order.

    Parameters
    ----------
    values : dict of str to (..., time, node)
        Those with other nodes are left out, and noted.
    nodes : (n_node,) or None
        Labels in the order wanted; None takes those of the first recording.
    wheres : mapping of str to str
        How each recording is called in messages.
    problems : Problems
    """
    known: NDArray[Any] | None = None if nodes is None else np.asarray(nodes)
    out = {}
    for key, part in values.items():
        own = part[NODE].to_numpy()
        if not own.size:
            problems.add(f"{wheres[key]}at least one node is needed, found none")
            continue
        if repeated := labels.duplicates(own):
            problems.add(f"{wheres[key]}node labels must be unique, found repeated {listed(repeated)}; rename them")
            continue
        known = own if known is None else known
        if not np.array_equal(own, known):
            at = labels.positions(known, own)
            lacking, unknown = known[at < 0], own[labels.positions(own, known) < 0]
            if lacking.size or unknown.size:
                problems.add(
                    f"{wheres[key]}node labels must agree, missing {listed(lacking) or 'none'}, unknown "
                    f"{listed(unknown) or 'none'}; select the shared nodes with .sel(node=...), or fit one at a time"
                )
                continue
            part = part.isel({NODE: at})
        out[key] = part
    return out


def end_to_end(parts: Mapping[str, Part]) -> xr.DataArray:
    """The frame of several recordings: all used bins, with the coordinates that all of them have.

    Parameters
    ----------
    parts : mapping of str to Part

    Returns
    -------
    (time,)
        With ``session``, the name of the recording (and the session within it, where it has several), and
        ``time_in_session``, its clock.
    """
    tables = []
    for key, part in parts.items():
        frame = with_positions(part.frame)
        table = {str(name): on_grid(frame, str(name))[part.position] for name in frame.coords}
        if TIME in table:
            table[TIME_IN_SESSION] = table.pop(TIME)
        own = table.get(SESSION) if SESSION in frame.coords and frame.coords[SESSION].dims else None
        table[SESSION] = np.full(part.position.size, key) if own is None else np.array([f"{key}/{s}" for s in own])
        tables.append(table)
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    attrs = {n: c.attrs for part in parts.values() for n, c in part.frame.coords.items()}
    attrs[TIME_IN_SESSION] = attrs.pop(TIME, {})
    coords = {n: (TIME, np.concatenate([t[n] for t in tables]), attrs.get(n, {})) for n in sorted(shared)}
    n_bin = sum(part.position.size for part in parts.values())
    return xr.DataArray(np.broadcast_to(0.0, n_bin), dims=TIME, coords=coords)
