"""What an analysis wrote, opened again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from dynome import batch, store
from dynome.batch import BatchResults, Record
from dynome.batch.plans import BATCH
from dynome.pipelines import group_results
from dynome.pipelines.provenance import read_provenance


class Analysis(NamedTuple):
    """What an analysis wrote.

    Attributes
    ----------
    path : Path
        Its folder.
    results : dict
        Method to `dynome.batch.BatchResults`: session to result, and records.
    groups : dict
        Method to what `dynome.inference.match_sessions` made of its sessions.
    provenance : dict
        What was asked for, on which data, with what software, how long it took, what went wrong.
    """

    path: Path
    results: dict[str, BatchResults]
    groups: dict[str, xr.Dataset]
    provenance: dict[str, Any]

    def __repr__(self) -> str:
        """What is there, in a line for each method."""
        told = "".join(f"\n  {name}: {len(r)} done, {len(r.failed)} failed" for name, r in self.results.items())
        return f"<Analysis at {self.path}>{told}"

    @property
    def failed(self) -> dict[str, dict[str, Record]]:
        """Method to the records of its sessions that failed; ``record.error`` has type, message and traceback."""
        return {name: results.failed for name, results in self.results.items() if results.failed}

    @property
    def broken(self) -> dict[str, str]:
        """Method that could not begin, to the reason."""
        told = {name: str(about.get("error", "")) for name, about in self.provenance["methods"].items()}
        return {name: error for name, error in told.items() if error}


def open_analysis(path: str | os.PathLike[str]) -> Analysis:
    """Open what `run_analysis` wrote, also while it is written, or after it was interrupted.

    Parameters
    ----------
    path : path
        Its ``out``.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If nothing was analysed there.
    StoreError
        If it is damaged.
    """
    folder = Path(path).absolute()
    provenance = read_provenance(folder)
    names = [name for name in provenance["methods"] if (folder / name / BATCH).is_file()]
    results = {name: batch.open_results(folder / name) for name in names}
    groups = {
        name: store.open(folder / group_results.FOLDER / f"{name}.zarr")
        for name, about in provenance["methods"].items()
        if about.get("group") and not about["group"]["left_out"]
    }
    return Analysis(folder, results, groups, provenance)
