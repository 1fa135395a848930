"""A folder of tables of traces, one file a recording, as a study."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import xarray as xr
from numpy.typing import ArrayLike

from dynome.datasets.formats import gathering
from dynome.datasets.formats.files import PathLike, existing, stem, suffix
from dynome.datasets.formats.gathering import OnError
from dynome.datasets.formats.participants import phenotype_of
from dynome.datasets.formats.roles import Units
from dynome.datasets.formats.time_series import Orientation, read_timeseries
from dynome.datasets.formats.traces import SUFFIXES
from dynome.errors import FormatError


def read_timeseries_folder(
    folder: PathLike,
    *,
    pattern: str = "*",
    rate: float | None = None,
    node: ArrayLike | None = None,
    orientation: Orientation | None = None,
    units: str = "unknown",
    time: str | None = None,
    time_units: str | None = None,
    covariates: Units = (),
    drop: Sequence[str] = (),
    array: str | None = None,
    sep: str | None = None,
    node_kind: str = "neuron",
    on_error: OnError = "raise",
) -> xr.DataTree:
    r"""Read a folder of tables of traces as a study.

    Parameters
    ----------
    folder : path
        Files that `read_timeseries` reads, here or in folders below. ``participants.tsv`` and ``*_sessions.tsv`` are no
        recordings, and what they say of people and sessions with recordings becomes the phenotype, as in `read_bids`.
    pattern : str
        Which files, e.g. ``"*_roi.csv"``; files of other layouts must not match.
    rate, node, orientation, units, time, time_units, covariates, drop, array, sep, node_kind
        As in `read_timeseries`, for all files.
    on_error : {"raise", "skip"}
        Raise with all problems of all files, or leave these files out and name them in ``attrs["left_out"]``.

    Returns
    -------
    DataTree
        ``/{animal}``, or ``/{animal}/{session}`` where any animal has several files. Names such as
        ``sub-01_ses-2_ts.csv`` say both; else the folder below `folder` is the animal and the file the session; else
        the file is the animal. ``/phenotype`` where `folder` has a ``participants.tsv``.

    Raises
    ------
    StoreError
        If the folder is missing.
    FormatError
        If no file matches, a file cannot be read, two files would have one name, or ``participants.tsv`` names none of
        the animals.
    InputError
        If an argument does not fit a file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("worm1.csv", "worm2.csv"):
    ...         _ = Path(folder, name).write_text("AVAL,AVAR\n0.1,0.2\n0.3,0.4\n")
    ...     worms = read_timeseries_folder(folder, rate=2.0, units="dF/F")
    >>> list(worms)
    ['worm1', 'worm2']
    """
    gathering.checked(on_error)
    found = existing(folder, folder=True)
    files = sorted(
        p
        for p in found.rglob(pattern)
        if p.is_file() and suffix(p) in SUFFIXES and not p.name.startswith(".") and not _about_people(p.name)
    )
    if not files:
        raise FormatError(f"{found} has no file {pattern!r} that ends in {', '.join(SUFFIXES)} (or these with .gz)")
    read = partial(
        read_timeseries,
        rate=rate,
        node=node,
        orientation=orientation,
        units=units,
        time=time,
        time_units=time_units,
        covariates=covariates,
        drop=drop,
        array=array,
        sep=sep,
        node_kind=node_kind,
    )
    return gathering.gather(
        gathering.paths_of((path, *_name(path, found)) for path in files),
        read,
        subject=f"cannot read the recordings in {found}; pattern= chooses among the files",
        on_error=on_error,
        phenotype=lambda sources: phenotype_of(found, sources),
    )


def _about_people(name: str) -> bool:
    return name in ("participants.tsv", "sessions.tsv") or name.endswith("_sessions.tsv")


def _name(path: Path, folder: Path) -> tuple[str, str]:
    """Animal and session of a file."""
    said = gathering.entities(path.name)
    if "sub" in said:
        return f"sub-{said['sub']}", "_".join(f"{k}-{v}" for k, v in said.items() if k not in ("sub", "suffix"))
    parts = [*path.relative_to(folder).parts[:-1], stem(path)]
    return (parts[0], "") if len(parts) == 1 else (parts[0], "_".join(parts[1:]))
