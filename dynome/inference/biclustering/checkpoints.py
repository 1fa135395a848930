"""Checkpoints: where a chain stands, so that it goes on as if it had never stopped.

A checkpoint holds the state of the chain, the state of its random generator (with its seed sequence, so that streams
spawned later are the same too) and how much was recorded. On disk it is one ``.npz`` without pickle, written beside
its final name and renamed: it is whole or absent.
"""

from __future__ import annotations

import json
import os
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.errors import InputError, StoreError
from dynome.inference.biclustering.model import Concentrations, Dynamics, State
from dynome.store.numpy_files import read_npz

FORMAT = 1
_TEXT = "checkpoint"
_KNOWN: dict[str, Any] = {kind.__name__: kind for kind in (State, Dynamics, Concentrations)}
_GENERATORS = {kind.__name__: kind for kind in (np.random.PCG64, np.random.PCG64DXSM)}


class Counts(NamedTuple):
    """How much a chain has done and recorded.

    Attributes
    ----------
    sweeps, draws, latents : int
        Sweeps done, tuning included; draws recorded; draws recorded with their latents.
    """

    sweeps: int = 0
    draws: int = 0
    latents: int = 0


class Checkpoint(NamedTuple):
    """Where a chain stands.

    Attributes
    ----------
    state : object
        State of the chain: `State`, or tuples, lists and dicts of them (as of tempered chains).
    rng : Generator
        As it was after the last sweep.
    counts : Counts
    fingerprint : str
        Of what the chain runs on; a chain only goes on with the same.
    """

    state: Any
    rng: np.random.Generator
    counts: Counts
    fingerprint: str = ""


class Packed(NamedTuple):
    """A checkpoint as text and arrays, which any store can hold.

    Attributes
    ----------
    text : str
        JSON.
    arrays : dict of str to array
    """

    text: str
    arrays: dict[str, NDArray[Any]]


def packed(checkpoint: Checkpoint) -> Packed:
    """A checkpoint as text and arrays.

    Parameters
    ----------
    checkpoint : Checkpoint
        Its state consists of arrays, numbers, None, tuples, lists, dicts and the named tuples of the model.

    Raises
    ------
    InputError
        If the state holds something else, or the generator is not a PCG64.
    """
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(
        {
            "format": FORMAT,
            "state": _structure(checkpoint.state, arrays, ""),
            "rng": _generator_text(checkpoint.rng),
            "counts": list(checkpoint.counts),
            "fingerprint": checkpoint.fingerprint,
        }
    )
    return Packed(text, arrays)


def unpacked(stored: Packed) -> Checkpoint:
    """Undo `packed`.

    Raises
    ------
    StoreError
        If this is no checkpoint, or one of a newer dynome.
    """
    try:
        told = json.loads(stored.text)
        if told["format"] > FORMAT:
            raise StoreError("the checkpoint was written by a newer dynome; upgrade dynome to go on")
        return Checkpoint(
            _object(told["state"], stored.arrays),
            _generator(told["rng"]),
            Counts(*map(int, told["counts"])),
            str(told["fingerprint"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"this is no checkpoint of a chain ({type(error).__name__}: {error}); begin anew") from error


def write_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically, over the one before.

    Parameters
    ----------
    path : path
        File, by custom ``checkpoint.npz``; its folder is there.
    checkpoint : Checkpoint
    """
    final = Path(path)
    text, arrays = packed(checkpoint)
    beside = final.with_name(f".{final.name}.{uuid.uuid4().hex}.partial")
    try:
        with beside.open("wb") as file:
            contents: dict[str, Any] = {_TEXT: np.array(text), **arrays}
            np.savez(file, **contents)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(final)
    finally:
        beside.unlink(missing_ok=True)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises
    ------
    StoreError
        If the file is missing, damaged or something else.
    """
    try:
        arrays = read_npz(path)
        text = str(arrays.pop(_TEXT))
    except FileNotFoundError:
        raise StoreError(f"no checkpoint at {path}") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path} is damaged or no checkpoint ({error}); delete it to begin anew") from error
    return unpacked(Packed(text, arrays))


def _structure(value: Any, arrays: dict[str, NDArray[Any]], name: str) -> Any:
    """JSON of a nested value; arrays go into `arrays` under the path to them, and leave it."""
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        arrays[name or "value"] = np.asarray(value)
        return {"array": name or "value"}
    parts: Any = None
    if _KNOWN.get(type(value).__name__) is type(value):
        parts, kind = value._asdict(), type(value).__name__
    elif isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        parts, kind = value, "dict"
    elif type(value) in (tuple, list):
        kind = type(value).__name__
        return {kind: [_structure(v, arrays, f"{name}.{k}" if name else str(k)) for k, v in enumerate(value)]}
    if parts is None:
        raise InputError(
            f"the state of a chain holds a {type(value).__name__}, which a checkpoint cannot keep; use arrays, "
            "numbers, tuples, lists, dicts and the named tuples of the model"
        )
    return {kind: {k: _structure(v, arrays, f"{name}.{k}" if name else k) for k, v in parts.items()}}


def _object(told: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    ((kind, content),) = told.items()
    if kind == "value":
        return content
    if kind == "array":
        return arrays[content]
    if kind in ("tuple", "list"):
        items = [_object(v, arrays) for v in content]
        return tuple(items) if kind == "tuple" else items
    parts = {k: _object(v, arrays) for k, v in content.items()}
    return parts if kind == "dict" else _KNOWN[kind](**parts)


def _generator_text(rng: np.random.Generator) -> dict[str, Any]:
    source: Any = rng.bit_generator
    name = type(source).__name__
    if name not in _GENERATORS:
        raise InputError(f"a chain takes a PCG64 generator, as numpy.random.default_rng makes it, got {name}")
    seeds = source.seed_seq
    entropy = seeds.entropy
    return {
        "name": name,
        "state": source.state,
        "entropy": [int(v) for v in entropy] if isinstance(entropy, list | tuple | np.ndarray) else int(entropy),
        "spawn_key": [int(v) for v in seeds.spawn_key],
        "pool_size": int(seeds.pool_size),
        "n_children_spawned": int(seeds.n_children_spawned),
    }


def _generator(told: Mapping[str, Any]) -> np.random.Generator:
    seeds = np.random.SeedSequence(
        told["entropy"],
        spawn_key=tuple(told["spawn_key"]),
        pool_size=told["pool_size"],
        n_children_spawned=told["n_children_spawned"],
    )
    source: Any = _GENERATORS[told["name"]](seeds)
    source.state = told["state"]
    return np.random.Generator(source)
