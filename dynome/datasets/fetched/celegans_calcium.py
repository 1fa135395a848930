"""Whole-brain calcium of freely moving worms with NeuroPAL identities (Dag et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import schema, study
from dynome.connectome.worm_names import normalize_worm_names, worm_neurons
from dynome.datasets.carried.celegans_connectome import cells
from dynome.datasets.fetched.julia import julia_value
from dynome.datasets.registry import dataset_info, suggestion
from dynome.datasets.sources import content
from dynome.errors import FormatError, InputError
from dynome.schema import NODE, TIME

Trace = Literal["original", "zscore", "relative"]

_name = "celegans_calcium"
_labels = "NeuroPAL_labels_dict.jld2"
_traces = {
    "original": ("trace_array_original", "ratio of GCaMP to red fluorescence"),
    "zscore": ("trace_array", "ratio of GCaMP to red fluorescence, z-scored over the recording"),
    "relative": ("traces_array_F_F20", "ratio of GCaMP to red fluorescence over its mean"),
}
_behaviour = {
    "velocity": ("mm/s", "velocity, forward positive"),
    "head_angle": ("rad", "head angle"),
    "pumping": ("Hz", "rate of pharyngeal pumping"),
}


class Identity(NamedTuple):
    """What annotators said about one trace."""

    label: str
    confidence: float
    ambiguous: bool
    comment: str


def fetch_celegans_calcium(*, trace: Trace = "original") -> xr.DataTree:
    """Whole-brain calcium of four freely moving worms, with identities and behaviour.

    =============== ======================================================================================
    species         *Caenorhabditis elegans*, strain SWF702 (NeuroPAL), young adult hermaphrodites
    animals         2022-07-26-31, 2022-07-27-31, 2022-07-27-45, 2022-08-02-31
    recordings      800 samples in 480 s (median step 0.6 s, 0.54 to 0.67 s), 146, 145, 140, 130 traces
    identities      99, 100, 107, 101 neurons named with certainty
    behaviour       velocity, head angle, reversals; pumping where it was measured (in none of these four)
    licence         none stated by the repository: cite the paper, do not redistribute
    paper           Dag, Nwabudike, Kang et al., Cell 2023, 10.1016/j.cell.2023.04.023
    =============== ======================================================================================

    Parameters
    ----------
    trace : {"original", "zscore", "relative"}
        ``activity`` is the ratio of green to red fluorescence as measured, or z-scored over the whole recording (a
        test half then leaks into a training half: prefer `dynome.dynamics.standardize` with ``fit_time``), or
        divided by its mean.

    Returns
    -------
    DataTree
        ``/{animal}`` holds a recording: ``activity (time, node)``, dimensionless; ``velocity`` in mm/s, forward
        positive; ``head_angle`` in rad; ``reversal``, True while the worm reverses. ``time`` starts at 0. A trace
        whose neuron is known carries its name (``VB2``, no padding zero); others are called ``trace_017`` after
        their column in the file, counted from 1. Coordinates of ``node``: ``labelled`` (False: never join on this
        name), ``confidence`` (1 to 5, NaN without annotation), ``annotation`` and ``comment`` (as written by the
        annotators), ``cell_class``, ``cell_type`` (empty where unlabelled).

    Raises
    ------
    FetchError
        If files are missing and cannot be downloaded.
    FormatError
        If a file is not in the expected layout.
    InputError
        If `trace` is not one of the three.

    Notes
    -----
    A label is not used if it is ambiguous (``AIM?``, side missing) or no neuron of the worm. If one label was
    given to several traces of a worm, the most confident keeps it; with equal confidence none does. The variable
    that the file calls ``traces_array_F_F20`` is the ratio over its mean, not over its 20th percentile, so it is
    called ``relative`` here. Left and right homologues correlate 0.57 on average, all named pairs 0.09.
    """
    if trace not in get_args(Trace):
        raise InputError(f"no trace is called {trace!r}; {suggestion(str(trace), list(get_args(Trace)))}")
    info = dataset_info(_name)
    recordings = {}
    for file in (f.name for f in info.files if f.name.endswith(".h5")):
        animal = file.removesuffix("-data.h5")
        recordings[animal] = _recording(animal, file, trace)
    about = {"name": _name, "species": info.species, "paper": info.paper[0], "licence": info.licence}
    return study.build(recordings, attrs=about)


@cache
def identities(animal: str) -> Mapping[int, Identity]:
    """The annotation of each trace of one animal, by column counted from 1; decoded once in a process.

    Raises
    ------
    FormatError
        If the animal has no annotations or they are not in the expected layout.
    """
    import h5py

    with h5py.File(content(_name, _labels)) as file:
        table = julia_value(file, "NeuroPAL_labels", "dict_match_dict", animal, "1")
    try:
        found = {
            int(column): Identity(
                label=entry["label"],
                confidence=float(entry["confidence"]),
                ambiguous="?" in entry["label"] or entry["LR"] == "missing",
                comment=entry["region"] or "",
            )
            for column, entry in table.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{_labels}: the annotations of {animal} are not in the expected layout ({error})") from error
    return MappingProxyType(found)


def name_traces(n_traces: int, found: Mapping[int, Identity]) -> dict[str, NDArray[Any]]:
    """A unique name for every trace, and what is known of it.

    Parameters
    ----------
    n_traces : int
        Columns of the recording.
    found : mapping
        Column, counted from 1, to its annotation.

    Returns
    -------
    dict
        ``node``, ``labelled``, ``confidence``, ``annotation``, ``comment``, ``cell_class``, ``cell_type``, each
        ``(n_traces,)``.

    Raises
    ------
    FormatError
        If an annotation names a column that does not exist.
    """
    if beyond := [column for column in found if not 1 <= column <= n_traces]:
        raise FormatError(f"annotations name the columns {beyond} of a recording with {n_traces} traces")
    blank = Identity(label="", confidence=np.nan, ambiguous=True, comment="")
    table = pd.DataFrame([found.get(column, blank) for column in range(1, n_traces + 1)])
    table["name"] = [normalize_worm_names([label])[0] for label in table["label"]]
    claims = table[~table["ambiguous"] & table["name"].isin(worm_neurons())]
    best = claims[claims["confidence"] == claims.groupby("name")["confidence"].transform("max")]
    kept = best[~best["name"].duplicated(keep=False)].index
    labelled = table.index.isin(kept)
    facts = cells().reindex(table["name"].where(labelled)).fillna("")
    return {
        NODE: np.where(labelled, table["name"], [f"trace_{k + 1:03d}" for k in table.index]).astype(np.str_),
        "labelled": labelled,
        "confidence": table["confidence"].to_numpy(dtype=np.float64),
        "annotation": table["label"].to_numpy().astype(np.str_),
        "comment": table["comment"].to_numpy().astype(np.str_),
        "cell_class": facts["cell_class"].to_numpy().astype(np.str_),
        "cell_type": facts["cell_type"].to_numpy().astype(np.str_),
    }


def _recording(animal: str, file: str, trace: Trace) -> xr.Dataset:
    import h5py

    variable, meaning = _traces[trace]
    with h5py.File(content(_name, file)) as stored:
        try:
            activity = stored[f"gcamp/{variable}"][:]
            stamps = stored["timing/timestamp_confocal"][:]
            behaviour = {name: stored[f"behavior/{name}"][:] for name in _behaviour}
            reversal = stored["behavior/reversal_vec"][:] > 0
        except KeyError as error:
            raise FormatError(f"{file}: {error.args[0]}; expected the layout of {_name}") from error
    node = name_traces(activity.shape[1], identities(animal))
    covariates = {
        name: (TIME, values, {"units": _behaviour[name][0], "long_name": _behaviour[name][1]})
        for name, values in behaviour.items()
        if np.isfinite(values).any()
    }
    recording = schema.recording(
        activity,
        time=stamps - stamps[0],
        node=node.pop(NODE),
        units="1",
        covariates={**covariates, "reversal": (TIME, reversal, {"long_name": "reversal"})},
        attrs={"animal": animal, "trace": trace, "time_origin": float(stamps[0])},
    )
    recording["activity"].attrs["long_name"] = meaning
    return recording.assign_coords({name: (NODE, values) for name, values in node.items()})
