"""Resting BOLD before and after placebo and psilocybin (Carhart-Harris et al. 2012)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome import schema, study
from dynome.datasets.registry import dataset_info
from dynome.datasets.sources import content
from dynome.errors import FormatError
from dynome.schema import NODE, SESSION

_name = "human_psilocybin"
_conditions = ("pre_1", "pre_2", "placebo", "psilocybin")
_repetition_time = 3.0


def fetch_human_psilocybin() -> xr.DataTree:
    """Resting-state BOLD of nine people in four conditions each.

    =============== ======================================================================================
    species         *Homo sapiens*, healthy volunteers
    recordings      9 people x 4 conditions; 100 volumes, 90 regions (AAL)
    repetition time 3 s
    licence         MIT
    paper           Kringelbach, Cruzat et al., PNAS 2020, 10.1073/pnas.1921475117; experiment:
                    Carhart-Harris et al., PNAS 2012, 10.1073/pnas.1119598109
    =============== ======================================================================================

    Returns
    -------
    DataTree
        ``/subject_1/placebo`` and so on hold recordings: ``activity (time, node)``, BOLD in arbitrary units.
        Conditions: ``placebo`` and ``psilocybin`` (after the injection), ``pre_1`` and ``pre_2`` (before it; the
        publishers do not say which of them belongs to which injection). Regions are numbered in the order of the
        atlas (``AAL_01`` to ``AAL_90``); coordinate ``hemisphere`` is L for odd, R for even numbers.
        ``/phenotype`` holds ``condition (session)``.

    Raises
    ------
    FetchError
        If the file is missing and cannot be downloaded.
    FormatError
        If the file is not in the expected layout.

    Notes
    -----
    That left and right alternate was checked in the data: neighbours 2k-1, 2k correlate 0.69 on average, all pairs
    0.17.
    """
    import h5py

    info = dataset_info(_name)
    with h5py.File(content(_name, "psilotc.mat")) as stored:
        table = stored.get("tc_aal")
        if table is None or table.shape[0] != len(_conditions) or table.dtype != h5py.ref_dtype:
            raise FormatError(f"psilotc.mat: expected a cell array tc_aal (people, {len(_conditions)})")
        recordings = {
            f"subject_{person + 1}/{condition}": _recording(stored[table[row, person]][:], person, condition)
            for person in range(table.shape[1])
            for row, condition in enumerate(_conditions)
        }
    about = {"name": _name, "species": info.species, "paper": list(info.paper), "licence": info.licence}
    condition = [path.split("/")[1] for path in recordings]
    known = xr.Dataset({"condition": (SESSION, condition)}, coords={SESSION: list(recordings)})
    return study.build(recordings, phenotype=known, attrs=about)


def _recording(series: np.ndarray, person: int, condition: str) -> xr.Dataset:
    n_time, n_node = series.shape
    recording = schema.recording(
        series,
        time=np.arange(n_time) * _repetition_time,
        node=[f"AAL_{k + 1:02d}" for k in range(n_node)],
        units="1",
        node_kind="parcel",
        attrs={"animal": f"subject_{person + 1}", "session": condition, "repetition_time": _repetition_time},
    )
    recording["activity"].attrs["long_name"] = "BOLD"
    return recording.assign_coords(hemisphere=(NODE, np.where(np.arange(n_node) % 2, "R", "L")))
