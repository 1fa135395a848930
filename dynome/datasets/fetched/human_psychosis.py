"""Resting BOLD of people with first-episode psychosis, and how they fared (Pope et al. 2025)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from dynome import schema, study
from dynome.datasets.registry import dataset_info
from dynome.datasets.sources import content, local_file
from dynome.errors import FormatError
from dynome.schema import ANIMAL

_name = "human_psychosis"
_repetition_time = 2.0
_months = {4: 6, 5: 12}  # the trial's time points in months


def fetch_human_psychosis() -> xr.DataTree:
    """Resting-state BOLD of 20 patients with first-episode psychosis, two of them scanned twice.

    =============== ======================================================================================
    species         *Homo sapiens*, patients of the STAGES trial at baseline (ses-1) and 3 months (ses-2)
    recordings      20 x ses-1, 2 x ses-2; 234 volumes, 419 regions
    repetition time 2 s (recalled, not stated by the repository; the spectrum ends at 0.081 Hz as their
                    0.008 to 0.08 Hz filter should then)
    preprocessing   ICA-AROMA, physiological and grey-matter regression, band-pass, mean kept
    licence         Apache-2.0
    paper           Pope et al., Biol Psychiatry Global Open Sci 2025, 10.1016/j.bpsgos.2025.100589
    =============== ======================================================================================

    Returns
    -------
    DataTree
        ``/sub-001/ses-1`` and so on hold recordings: ``activity (time, node)``, BOLD in arbitrary units. Regions are
        numbered (``region_001``) as in the files. ``/phenotype`` holds the outcomes over ``animal``:
        ``bprs_change_6_months``, ``bprs_change_12_months``, ``bprs_slope`` (symptoms) and the same for ``sofas``
        (functioning), each z-scored by the publishers, NaN where unknown; those that are known stand in ``attrs`` of
        the patient's recordings, too. They come from four tables filtered to these patients that have no address; where
        no data folder holds the tables, there is no ``/phenotype``.

    Raises
    ------
    FetchError
        If files are missing and cannot be downloaded.
    FormatError
        If a file is not in the expected layout.

    Notes
    -----
    There are no healthy controls, no ages and no sexes. The paper reports that the outcomes could *not* be
    predicted from functional connectivity.
    """
    info = dataset_info(_name)
    outcomes = _outcomes()
    recordings = {}
    for file in (f.name for f in info.files if f.name.startswith("ts_")):
        _, patient, session = file.removesuffix(".txt").split("_")
        recordings[f"{patient}/{session}"] = _recording(file, patient, session, outcomes.get(patient, {}))
    about = {"name": _name, "species": info.species, "paper": info.paper[0], "licence": info.licence}
    patients = list(dict.fromkeys(path.split("/")[0] for path in sorted(recordings)))
    return study.build(dict(sorted(recordings.items())), phenotype=_phenotype(patients, outcomes), attrs=about)


def _phenotype(patients: list[str], outcomes: dict[str, dict[str, float]]) -> xr.Dataset | None:
    variables = {}
    for name in sorted({name for known in outcomes.values() for name in known}):
        scale, _, what = name.partition("_")
        values = [outcomes.get(patient, {}).get(name, np.nan) for patient in patients]
        attrs = {"units": "1", "long_name": f"{what.replace('_', ' ')} of {scale.upper()}, z-scored"}
        variables[name] = (ANIMAL, values, attrs)
    return xr.Dataset(variables, coords={ANIMAL: patients}) if variables else None


def _recording(file: str, patient: str, session: str, outcomes: dict[str, float]) -> xr.Dataset:
    lines = content(_name, file).getvalue().splitlines()
    try:
        series = np.array([line.split() for line in lines], dtype=np.float64)
    except ValueError as error:
        raise FormatError(f"{file}: expected one row of numbers a region ({error})") from error
    recording = schema.recording(
        series.T,
        time=np.arange(series.shape[1]) * _repetition_time,
        node=[f"region_{k + 1:03d}" for k in range(series.shape[0])],
        units="1",
        node_kind="parcel",
        attrs={"animal": patient, "session": session, "repetition_time": _repetition_time, **outcomes},
    )
    recording["activity"].attrs["long_name"] = "BOLD"
    return recording


def _outcomes() -> dict[str, dict[str, float]]:
    """Known outcomes by patient."""
    here = {f.name for f in dataset_info(_name).files if not f.addresses and local_file(_name, f)}
    found: dict[str, dict[str, float]] = {}
    for scale in ("bprs", "sofas"):
        if (file := f"{scale}_change_scores.txt") in here:
            table = pd.read_csv(content(_name, file), sep="\t")
            for patient, point, outcome in zip(table["BIDS_ID"], table["timepoint"], table["outcome"], strict=True):
                found.setdefault(patient, {})[f"{scale}_change_{_months[point]}_months"] = float(outcome)
        if (file := f"{scale}_lm_slopes.txt") in here:
            table = pd.read_csv(content(_name, file), sep="\t")
            for patient, outcome in zip(table["BIDS_ID"], table["outcome"], strict=True):
                found.setdefault(patient, {})[f"{scale}_slope"] = float(outcome)
    return found
