"""Time series of a BIDS derivatives folder (fMRIPrep, XCP-D, nilearn) as a study.

``sub-01/ses-1/func/sub-01_ses-1_task-rest_atlas-X_timeseries.tsv`` has one column a region; a JSON file of the same
name, or one higher up that names fewer entities (the inheritance principle), says how far apart the samples are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from dynome.datasets.formats import gathering, tables
from dynome.datasets.formats.files import PathLike, existing, reading
from dynome.datasets.formats.gathering import OnError, entities
from dynome.datasets.formats.json_values import json_object
from dynome.datasets.formats.participants import phenotype_of
from dynome.datasets.formats.time_series import recording_of
from dynome.errors import FormatError, InputError, Problems, listed

_SESSION = ("ses", "task", "acq", "dir", "run", "echo")
_NO_REGIONS = ("confounds", "motion", "censoring", "outliers")  # tables of nuisance signals that are called alike


def is_bids(folder: Path) -> bool:
    """Whether a folder looks like BIDS: it says so, or has folders of subjects."""
    return (folder / "dataset_description.json").is_file() or any(p.is_dir() for p in folder.glob("sub-*"))


def read_bids(
    folder: PathLike,
    *,
    select: Mapping[str, str] | None = None,
    rate: float | None = None,
    units: str = "unknown",
    on_error: OnError = "raise",
) -> xr.DataTree:
    r"""Read the regional time series of a BIDS derivatives folder as a study.

    Parameters
    ----------
    folder : path
        The folder that holds ``sub-*``.
    select : mapping or None
        Entities that a file must have, e.g. ``{"atlas": "Schaefer", "task": "rest"}``. Needed where there are several
        parcellations or spaces.
    rate : float or None
        Samples per second where no JSON file gives ``SamplingFrequency`` or ``RepetitionTime``.
    units : str
        Unit of the values where no JSON file gives ``Units``.
    on_error : {"raise", "skip"}
        Raise with all problems of all files, or leave these files out and name them in ``attrs["left_out"]``.

    Returns
    -------
    DataTree
        ``/sub-01``, or ``/sub-01/ses-1_task-rest_run-2`` where any subject has several. Regions are nodes; ``n/a`` is
        NaN; regions that are NaN at all times are left out and named in ``attrs["left_out"]``. Tables of confounds are
        not read. ``/phenotype`` holds the columns of ``participants.tsv`` over ``animal`` and of ``sub-*_sessions.tsv``
        over ``session``, where `folder`, or the data set around ``derivatives/``, has them.

    Raises
    ------
    StoreError
        If the folder is missing.
    FormatError
        If there are no time series, a file cannot be read, or `select` leaves several files for one scan.
    InputError
        If the sampling rate of a file is not known, or `rate` disagrees with it.

    References
    ----------
    .. [1] Gorgolewski et al., Scientific Data 2016, doi:10.1038/sdata.2016.44.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     func = Path(folder, "sub-01", "func")
    ...     func.mkdir(parents=True)
    ...     _ = (func / "sub-01_task-rest_timeseries.tsv").write_text("V1\tV2\n1.0\t2.0\n1.5\tn/a\n")
    ...     _ = (func / "sub-01_task-rest_timeseries.json").write_text('{"RepetitionTime": 2.0}')
    ...     people = read_bids(folder)
    >>> people["sub-01"].time.values.tolist()
    [0.0, 2.0]
    """
    gathering.checked(on_error)
    found = existing(folder, folder=True)
    files = [path for path in sorted(found.rglob("sub-*_timeseries.tsv*")) if _is_regional(path, select or {})]
    if not files:
        wanted = f" with {dict(select)}" if select else ""
        raise FormatError(f"{found} holds no sub-*_timeseries.tsv{wanted}; expected a folder of BIDS derivatives")
    _check_one_kind(files)
    sidecars = _sidecars(found)
    return gathering.gather(
        gathering.paths_of((path, *_name(path)) for path in files),
        lambda path: _read(path, _metadata(path, found, sidecars), rate, units),
        subject=f"cannot read the time series in {found}",
        on_error=on_error,
        phenotype=lambda sources: phenotype_of(found, sources),
    )


def _is_regional(path: Path, select: Mapping[str, str]) -> bool:
    said = entities(path.name)
    nuisance = said.get("desc") in _NO_REGIONS or any(word in path.name for word in _NO_REGIONS)
    return path.is_file() and not nuisance and all(said.get(key) == value for key, value in select.items())


def _name(path: Path) -> tuple[str, str]:
    said = entities(path.name)
    return f"sub-{said['sub']}", "_".join(f"{key}-{said[key]}" for key in _SESSION if key in said)


def _check_one_kind(files: list[Path]) -> None:
    """One parcellation, space, ... for all: what is no session must be the same everywhere."""
    values: dict[str, set[str]] = defaultdict(set)
    for path in files:
        for key, value in entities(path.name).items():
            if key not in ("sub", "suffix", *_SESSION):
                values[key].add(value)
    problems = Problems("there are several kinds of time series; choose one with select=")
    for key, options in values.items():
        if len(options) > 1:
            problems.add(f"{key}: {listed(sorted(options), 20)}")
    problems.raise_if_any(FormatError)


def _sidecars(folder: Path) -> dict[Path, list[Path]]:
    """JSON files about time series or BOLD, by the folder they lie in."""
    found: dict[Path, list[Path]] = defaultdict(list)
    for path in folder.rglob("*.json"):
        if entities(path.name).get("suffix", path.stem) in ("timeseries", "bold"):
            found[path.parent].append(path)
    return found


def _metadata(path: Path, folder: Path, sidecars: Mapping[Path, list[Path]]) -> dict[str, Any]:
    """What the JSON files say that apply to a table: those nearer, and those with more entities, count more."""
    said = entities(path.name)
    merged: dict[str, Any] = {}
    above = [folder, *reversed([p for p in path.parents if folder in p.parents])]
    for place in above:
        applies = [p for p in sidecars.get(place, []) if _entities_but_suffix(p).items() <= said.items()]
        # Of a scan and the table made from it, the table is nearer.
        for sidecar in sorted(applies, key=lambda p: ("timeseries" in p.name, len(entities(p.name)))):
            merged |= json_object(sidecar)
    return merged


def _entities_but_suffix(path: Path) -> dict[str, str]:
    return {key: value for key, value in entities(path.name).items() if key != "suffix"}


def _read(path: Path, said: Mapping[str, Any], rate: float | None, units: str) -> xr.Dataset:
    with reading(path, "a table of regional time series") as found:
        step = _step(said, rate)
        layout = tables.sniff(found, "\t")
        header = any(not tables.is_number(cell) and cell not in tables.MISSING for cell in layout.first)
        if not header:
            raise FormatError(f"{found} needs a first line with the names of the regions")
        frame = tables.read(found, layout, text=[], header=True)
        names = dict(enumerate(layout.first))
        values = tables.numbers(frame[[k for k in names if k in frame]], names).to_numpy()
        stamps = np.arange(len(values), dtype=np.float64) * step
        unit = str(said.get("Units", units))
        return recording_of(values, stamps, layout.first, units=unit, node_kind="parcel")


def _step(said: Mapping[str, Any], rate: float | None) -> float:
    """Seconds from sample to sample, from the JSON files or from the caller."""
    frequency, repetition = said.get("SamplingFrequency"), said.get("RepetitionTime")
    for name, value in (("SamplingFrequency", frequency), ("RepetitionTime", repetition), ("rate", rate)):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and np.isfinite(value) and value > 0):
            error = InputError if name == "rate" else FormatError
            raise error(f"{name} must be a positive number, found {value!r}")
    steps = [float(repetition)] if repetition else []
    steps += [1 / float(value) for value in (frequency, rate) if value]
    if not steps:
        raise InputError("no JSON file says how far apart the samples are; pass rate= in samples per second")
    if not np.allclose(steps, steps[0], rtol=1e-3):
        raise InputError(
            f"RepetitionTime {repetition}, SamplingFrequency {frequency} and rate {rate} disagree; correct the JSON "
            "file or leave rate out"
        )
    return steps[0]
