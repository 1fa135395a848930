"""Results of one method over sessions: what is common to animals, and the numbers of each session side by side."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import xarray as xr

from dynome import batch, inference, store
from dynome.batch import BatchResults
from dynome.batch.remnants import is_whole
from dynome.errors import InputError, SchemaError
from dynome.pipelines.methods import Method

FOLDER = "group"
_n_null = 100  # draws of the test against chance


def matched(method: Method, results: BatchResults, folder: Path, *, former: Any, random_state: int) -> dict[str, str]:
    """Match the components, states or clusters of all sessions, and keep that beside the results.

    Parameters
    ----------
    method : Method
        What the sessions were analysed by.
    results : BatchResults
        Its results.
    folder : Path
        The output of the analysis; ``group/{method}.zarr`` is written.
    former : dict or None
        What this function told of an earlier run. If it was of the same results, they are not matched again.
    random_state : int
        Seed of the test against chance.

    Returns
    -------
    dict
        ``kind``, ``key`` (a checksum of the results that were matched) and ``left_out``: why there is nothing, or "".
    """
    told = {"kind": method.group, "key": _key(results, random_state), "left_out": ""}
    path = folder / FOLDER / f"{method.name}.zarr"
    if not method.group:
        return {**told, "left_out": "its results have nothing that could be matched"}
    if len(results) < 2:
        return {**told, "left_out": f"{len(results)} sessions have results, and two are needed"}
    if isinstance(former, dict) and former.get("key") == told["key"] and (former.get("left_out") or is_whole(path)):
        return {**told, "left_out": str(former.get("left_out", ""))}
    animals = {session.split("/")[0] for session in results}
    try:
        found = inference.match_sessions(
            {session: results[session] for session in results},
            kind=method.group,
            n_null=_n_null,
            block="animal" if len(animals) > 1 else "session",
            random_state=random_state,
        )
    except (InputError, SchemaError) as error:
        return {**told, "left_out": str(error)}
    path.parent.mkdir(exist_ok=True)
    if path.exists() and not is_whole(path):
        shutil.rmtree(path, ignore_errors=True)
    store.save(found, path, overwrite=True)
    return told


def _key(results: BatchResults, random_state: int) -> str:
    done = {session: results.records[session].key for session in results}
    return hashlib.sha256(json.dumps([done, random_state]).encode()).hexdigest()


def numbers_of(method: Method, results: BatchResults) -> xr.Dataset | None:
    """The numbers by which sessions are compared, and which of them stand out; None where there are no results.

    Parameters
    ----------
    method : Method
        What the sessions were analysed by.
    results : BatchResults
        Its results.
    """
    if not len(results):
        return None
    found = batch.summarize(results)
    known = [name for name in method.summary if name in found["quantity"]]
    return found.sel(quantity=known) if known else None
