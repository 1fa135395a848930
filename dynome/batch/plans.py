"""A plan: which sessions of a study have results already, and which are to be computed."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple

import xarray as xr

from dynome import schema, seeds, store
from dynome.batch.content import (
    StoredStudy,
    checksum_of_function,
    checksum_of_parameters,
    function_name,
    plain_parameters,
    session_key,
)
from dynome.batch.locks import LOCK
from dynome.batch.records import Record, read_json, read_record, write_json
from dynome.batch.remnants import is_remnant, is_whole
from dynome.batch.tasks import names_given, session_seed
from dynome.environment import versions
from dynome.errors import BatchError, InputError, StoreError, listed

FORMAT = 1
BATCH = "batch.json"
STUDY = "study.zarr"  # in the output, where the study was no store
OWN = (LOCK, "sessions", "records", STUDY)
State = Literal["done", "failed", "changed", "missing"]


class Plan(NamedTuple):
    """What a batch would do.

    Attributes
    ----------
    sessions : dict
        Each session that was asked for, to its state: "done" (its result fits, nothing to do), "failed", "changed"
        (there is a result of other data, parameters or version) or "missing".
    keys : dict
        Checksum of what each session of the study depends on, also of those that were not asked for.
    records : dict
        Records that there are, by session.
    study : Path
        The stored study.
    random_state : int
        Seed of the batch.
    inputs : dict
        For each session of the study, the checksums of the groups of the study that it is computed from.
    """

    sessions: dict[str, State]
    keys: dict[str, str]
    records: dict[str, Record]
    study: Path
    random_state: int
    inputs: dict[str, dict[str, str]]

    @property
    def to_compute(self) -> list[str]:
        """Sessions that are not done."""
        return [session for session, state in self.sessions.items() if state != "done"]


def planned(
    func: Callable[..., Any],
    study: Path,
    folder: Path,
    *,
    parameters: Mapping[str, Any],
    only: Sequence[str] | str | None,
    random_state: int | None,
) -> Plan:
    """Compare what there is with what was asked for; nothing is computed or written.

    Parameters
    ----------
    func, parameters, only, random_state
        As `dynome.batch.map_sessions` has them.
    study, folder : Path
        The stored study and the output.

    Raises
    ------
    InputError
        If the function, a parameter or a session cannot be used.
    BatchError
        If the output is that of another function.
    StoreError
        If there is no study.
    """
    stored, former = StoredStudy(study), batch_of(folder)
    if former and former["function"] != function_name(func):
        raise BatchError(
            f"{folder} holds results of {former['function']}, not of {function_name(func)}; choose another out"
        )
    seed = former["random_state"] if former and random_state is None else seeds.resolve(random_state)
    everything = session_names(stored)
    chosen = chosen_sessions(everything, only)
    given = names_given(func)
    constant = {"function": checksum_of_function(func), "parameters": checksum_of_parameters(parameters)}
    shared = {}
    for name, group in (("connectome", schema.CONNECTOME), ("phenotype", schema.PHENOTYPE)):
        if name in given and name not in parameters and f"/{group}" in stored.groups:
            constant[name] = shared[f"/{group}"] = stored.checksum(f"/{group}")
    inputs = {name: {f"/{name}": stored.checksum(f"/{name}"), **shared} for name in everything}
    keys = {
        name: session_key(
            {**constant, "name": name, "data": inputs[name][f"/{name}"], "seed": session_seed(seed, name)}
        )
        for name in everything
    }
    records = {name: record for name in everything if (record := read_record(name, folder / "records"))}
    states = {name: _state(records.get(name), keys[name], folder) for name in chosen}
    return Plan(states, keys, records, study, seed, inputs)


def session_names(stored: StoredStudy) -> list[str]:
    """Sessions of a stored study, in its order."""
    names = [g[1:] for g, data in stored.groups.items() if data and g != "/"]
    found = [name for name in names if name.split("/")[0] not in schema.BESIDE]
    if not found:
        raise InputError(f"{stored.path} holds no recording; build a study with dynome.study.build and save it")
    return found


def _state(record: Record | None, key: str, folder: Path) -> State:
    if record is None:
        return "missing"
    if record.key != key:
        return "changed"
    if record.status == "failed":
        return "failed"
    return "done" if is_whole(folder / "sessions" / record.store) else "missing"


def chosen_sessions(everything: Sequence[str], only: Sequence[str] | str | None) -> list[str]:
    """Sessions that names or patterns ask for, in the order of the study; one that fits none is an `InputError`."""
    if only is None:
        return list(everything)
    patterns = [only] if isinstance(only, str) else list(only)
    chosen: set[str] = set()
    for pattern in patterns:
        found = [s for s in everything if s == pattern or fnmatch.fnmatchcase(s, pattern)]
        if not found:
            near = get_close_matches(str(pattern), everything, 3)
            hint = f"did you mean {listed(near)}?" if near else f"there are {listed(list(everything))}"
            raise InputError(f"no session of the study is {pattern!r}; {hint}")
        chosen.update(found)
    return [s for s in everything if s in chosen]


def stored_path(study: str | os.PathLike[str] | xr.DataTree, folder: Path) -> Path:
    """Where the study lies; one in memory is saved in the output first."""
    if isinstance(study, xr.DataTree):
        return store.save(schema.validate(study, "study"), folder / STUDY, overwrite=True)
    if isinstance(study, str | os.PathLike):
        return Path(study).absolute()
    raise InputError(f"study must be the path of a stored study or a DataTree, found a {type(study).__name__}")


def made_folder(out: str | os.PathLike[str]) -> Path:
    """The output, with its two folders; made if it is not there.

    Raises
    ------
    BatchError
        If it cannot be made, or something else lies there.
    """
    folder = Path(out).absolute()
    if folder.exists() and not (folder / BATCH).exists() and _is_foreign(folder):
        raise BatchError(f"{folder} holds other files; choose an out that is empty or does not exist")
    try:
        folder.mkdir(exist_ok=True)
        for name in ("sessions", "records"):
            (folder / name).mkdir(exist_ok=True)
    except OSError as error:
        raise BatchError(
            f"cannot write results to {folder}: {error}; make its parent, or choose another out"
        ) from error
    return folder


def _is_foreign(folder: Path) -> bool:
    """Whether a folder, or file, is not what a batch that ended early could have left."""
    try:
        return any(path.name not in OWN and not is_remnant(path) for path in folder.iterdir())
    except OSError:
        return True


def write_batch(folder: Path, func: Callable[..., Any], plan: Plan, parameters: Mapping[str, Any], **more: Any) -> None:
    """Keep what the batch was asked to do, for whoever opens its results."""
    content = {
        "format": FORMAT,
        "function": function_name(func),
        "parameters": plain_parameters(parameters),
        "random_state": plan.random_state,
        "study": str(plan.study),
        "versions": {"dynome": versions(("dynome",)).get("dynome", ""), **versions()},
        "keys": plan.keys,
        **more,
    }
    try:
        write_json(content, folder / BATCH)
    except OSError as error:
        raise BatchError(f"cannot write in {folder}: {error}; mend that and run again") from error


def batch_of(folder: Path) -> dict[str, Any] | None:
    """What a batch was asked to do; None where there was none.

    Raises
    ------
    StoreError
        If it cannot be read, or is from a newer dynome.
    """
    if not (folder / BATCH).exists():
        return None
    content = read_json(folder / BATCH)
    kinds = {"format": int, "function": str, "parameters": dict, "random_state": int, "study": str, "keys": dict}
    if odd := [name for name, kind in kinds.items() if not isinstance(content.get(name), kind)]:
        raise StoreError(f"{folder / BATCH} is damaged in {listed(odd)}; restore it from a copy, or delete it")
    if content["format"] > FORMAT:
        raise StoreError(f"{folder} was written by a newer dynome; upgrade dynome to read it")
    return content
