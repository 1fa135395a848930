"""What a folder says about its people and sessions: participants.tsv and sub-*_sessions.tsv as a phenotype."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from dynome import labels
from dynome.datasets.formats import tables
from dynome.datasets.formats.files import reading
from dynome.datasets.formats.gathering import entities
from dynome.datasets.formats.json_values import json_object
from dynome.errors import FormatError, listed
from dynome.schema import ANIMAL, SESSION


def phenotype_of(folder: Path, files: Mapping[str, Path]) -> xr.Dataset | None:
    """The tables of a BIDS folder about the people and sessions of a study.

    Parameters
    ----------
    folder : Path
        Holds ``sub-*``, or recordings by any name. Of a folder ``derivatives/NAME`` without tables, those of the folder
        around it count.
    files : mapping
        ``"sub-01"`` or ``"sub-01/session"`` to the file of the time series, whose name tells the session. People may be
        called without ``sub-``, as in the table.

    Returns
    -------
    Dataset or None
        Columns of ``participants.tsv`` over ``animal``, of ``sub-*_sessions.tsv`` over ``session``; of a column that is
        in both, that over ``session``. ``n/a`` is NaN, or "" in text. People without recordings are dropped.
        Units and long names are those of the JSON files beside. None where there are no tables.

    Raises
    ------
    FormatError
        If a table cannot be read, lacks its index, repeats a label or names none of the people.
    """
    around = folder.resolve()
    roots = [folder, around.parent.parent] if around.parent.name == "derivatives" else [folder]
    people = {path.split("/")[0]: None for path in files}
    known = xr.Dataset()
    if (path := _first(roots, "participants.tsv")) is not None:
        plain = {f"sub-{name}": name for name in people if not name.startswith("sub-")}
        frame = _table(path, "participant_id", "sub-").rename(index=plain)
        if not set(people) & set(frame.index):
            raise FormatError(
                f"{path} names {listed(frame.index.tolist(), 3)}, none of the people with time series, who are "
                f"{listed(list(people), 3)}; bring them to one spelling, or move the table away"
            )
        known = _columns(frame.reindex(list(people)), ANIMAL, _sidecar(path))
    rows: list[pd.DataFrame] = []
    about: dict[str, Any] = {}
    for session, file in files.items():
        name, person = f"ses-{entities(file.name).get('ses', '')}", session.split("/")[0]
        if (path := _first(roots, f"{person}/{person}_sessions.tsv")) is not None:
            about = _sidecar(_first(roots, "sessions.tsv") or roots[-1] / "sessions.tsv") | about | _sidecar(path)
            frame = _table(path, "session_id", "ses-")
            rows.append(frame[frame.index == name].rename(index={name: session}))
    if rows and len(found := pd.concat(rows)):
        sessions = _columns(found.reindex(list(files)), SESSION, about)
        known = known.drop_vars([n for n in sessions.data_vars if n in known]).merge(sessions)
    return known if known.data_vars else None


def _first(roots: list[Path], name: str) -> Path | None:
    return next((root / name for root in roots if (root / name).is_file()), None)


def _table(path: Path, index: str, prefix: str) -> pd.DataFrame:
    """A table by its first column, whose labels get the prefix that some files leave out."""
    with reading(path, "a table of BIDS") as found:
        layout = tables.sniff(found, "\t")
        if layout.first[0] != index:
            raise FormatError(f"{found} must have {index} as its first column, found {layout.first[0]!r}")
        if repeated := labels.duplicates(np.array(layout.first, dtype=np.str_)):
            raise FormatError(f"{found} has several columns {listed(repeated)}; rename them")
        frame = tables.read(found, layout, text=[0], header=True)
        names = [name if name.startswith(prefix) else prefix + name for name in frame[0]]
        frame = frame.drop(columns=0).set_axis(names, axis=0)
        if repeated := labels.duplicates(labels.as_labels(frame.index.to_numpy())):
            raise FormatError(f"{found} has several rows for {listed(repeated)}; keep one of each")
        return frame.rename(columns=dict(enumerate(layout.first)))


def _columns(frame: pd.DataFrame, dim: str, about: Mapping[str, Any]) -> xr.Dataset:
    variables: dict[str, Any] = {}
    for column in frame.columns:
        name = str(column).replace("/", "_")  # a slash would be a path in the tree
        said = about.get(str(column))
        said = said if isinstance(said, dict) else {}
        long_name = said.get("LongName", said.get("Description"))
        attrs = {"long_name": long_name} if isinstance(long_name, str) else {}
        values = frame[column]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            unit = said.get("Units")
            attrs["units"] = unit if isinstance(unit, str) else "1"
            array: Any = values.to_numpy(dtype=np.float64)
        else:
            array = values.astype(str).where(values.notna(), "").to_numpy(dtype=np.str_)
        variables[f"{name}_" if name in (ANIMAL, SESSION) else name] = (dim, array, attrs)
    return xr.Dataset(variables, coords={dim: frame.index.to_numpy(dtype=np.str_)})


def _sidecar(path: Path) -> dict[str, Any]:
    """What the JSON file beside a table says of its columns."""
    beside = path.with_suffix(".json")
    return json_object(beside) if beside.is_file() else {}
