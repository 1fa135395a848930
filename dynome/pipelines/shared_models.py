"""Models that a method learns once, from the whole study, before it looks at sessions."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynome import store
from dynome._version import __version__
from dynome.batch.content import checksum_of_parameters, checksum_of_path
from dynome.batch.records import read_json, write_json
from dynome.batch.remnants import is_whole
from dynome.errors import BatchError, StoreError
from dynome.pipelines.methods import Method

FOLDER = "models"


def fitting_model(
    method: Method, study: Path, folder: Path, parameters: Mapping[str, Any], random_state: int
) -> Path | None:
    """Where the model of a method lies, if there is one that was made of this study in this way.

    Parameters
    ----------
    method : Method
        One that has `prepare`.
    study, folder : Path
        The stored study, and the output of the analysis.
    parameters : mapping
        All parameters of the method.
    random_state : int
        Seed.
    """
    path = folder / FOLDER / f"{method.name}.zarr"
    try:
        kept = read_json(path.with_suffix(".json"))["key"]
    except (StoreError, KeyError):
        return None
    return path if kept == _key(method, study, parameters, random_state) and is_whole(path) else None


def made_model(
    method: Method, study: Path, folder: Path, parameters: Mapping[str, Any], random_state: int
) -> Path | None:
    """Make the model of a method from the whole study, and keep it; one that fits is taken as it is.

    Parameters
    ----------
    method, study, folder, parameters, random_state
        As in `fitting_model`.

    Returns
    -------
    Path or None
        None for a method that learns nothing from the whole study.

    Raises
    ------
    BatchError
        If the output cannot be written.
    StoreError
        If the study changed meanwhile.
    """
    if method.prepare is None:
        return None
    if (fitting := fitting_model(method, study, folder, parameters, random_state)) is not None:
        return fitting
    path = folder / FOLDER / f"{method.name}.zarr"
    key = _key(method, study, parameters, random_state)
    model = method.prepare(str(study), parameters, random_state)
    if _key(method, study, parameters, random_state) != key:
        raise StoreError(f"{study} changed while {method.name} learnt from it; run again when nobody writes there")
    try:
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)  # killed from here on, no model goes by the key of another
        if path.exists() and not is_whole(path):
            shutil.rmtree(path, ignore_errors=True)
        store.save(model, path, overwrite=True)
        write_json({"key": key}, path.with_suffix(".json"))
    except OSError as error:
        raise BatchError(f"cannot write in {path.parent}: {error}; mend that and run again") from error
    return path


def _key(method: Method, study: Path, parameters: Mapping[str, Any], random_state: int) -> str:
    parts = [method.name, __version__, checksum_of_path(study), checksum_of_parameters(parameters), random_state]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
