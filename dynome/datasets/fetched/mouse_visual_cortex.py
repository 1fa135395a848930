"""Spikes of mouse visual cortex during a visual discrimination task (Steinmetz et al. 2019)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome import schema, study
from dynome.datasets.fetched.r_objects import r_value
from dynome.datasets.registry import dataset_info
from dynome.datasets.sources import content
from dynome.errors import FormatError
from dynome.schema import TIME, TRIAL

_name = "mouse_visual_cortex"
_fields = ("contrast_left", "contrast_right", "feedback_type", "mouse_name", "date_exp", "spks", "time")
_bin = 0.01  # seconds


def fetch_mouse_visual_cortex() -> xr.DataTree:
    """Spike counts of visual cortex in three sessions of a visual discrimination task.

    ====================== ======================================================================================
    species                *Mus musculus*, two animals, Neuropixels probes
    Cori/2016-12-14        214 trials, 178 neurons
    Cori/2016-12-18        228 trials, 228 neurons
    Forssmann/2017-11-01   249 trials, 120 neurons
    trials                 39 bins of 10 ms from stimulus onset; mean rates 2.2 to 4.2 Hz
    licence                none stated by the repository; the full data set is public as DANDI:000017
    paper                  Steinmetz et al., Nature 2019, 10.1038/s41586-019-1787-x
    ====================== ======================================================================================

    Returns
    -------
    DataTree
        ``/{mouse}/{date}`` holds a recording: ``spike_count (time, node)``, and for every bin the
        ``contrast_left`` and ``contrast_right`` of its trial (0, 0.25, 0.5 or 1) and its ``feedback`` (1 reward,
        -1 white noise: the outcome, which comes after the bins). Coordinates of ``time``: ``trial`` (0, 1, ...)
        and ``time_in_trial`` (seconds since stimulus onset). Neurons of different sessions are different neurons,
        so that every label holds its session (``Cori_2016-12-14_001``).

    Raises
    ------
    FetchError
        If files are missing and cannot be downloaded.
    FormatError
        If a file is not in the expected layout.

    Notes
    -----
    The clock is that of the experiment: trials of 0.39 s with gaps of 2.5 to 15 s between them. Work trial by
    trial (`dynome.dynamics.to_trials`, or group by ``trial``); a filter over the whole clock would mix trials.
    """
    info = dataset_info(_name)
    recordings = dict(_session(file.name) for file in info.files)
    about = {"name": _name, "species": info.species, "paper": info.paper[0], "licence": info.licence}
    return study.build(recordings, attrs=about)


def _session(file: str) -> tuple[str, xr.Dataset]:
    stored = r_value(content(_name, file).getvalue())
    if not isinstance(stored, dict) or (absent := sorted(set(_fields) - set(stored))):
        raise FormatError(f"{file}: expected an R list with {', '.join(_fields)}, missing {absent}")
    mouse, date = stored["mouse_name"][0], stored["date_exp"][0]
    spikes = np.stack(stored["spks"]).astype(np.int16)  # (trial, node, bin)
    clock = np.stack(stored["time"])
    n_trial, n_node, n_bin = spikes.shape
    if clock.shape != (n_trial, n_bin):
        raise FormatError(f"{file}: expected a clock of {n_trial} trials and {n_bin} bins, found {clock.shape}")

    def repeated(field: str, dtype: str) -> np.ndarray:
        return np.repeat(np.ravel(stored[field]).astype(dtype), n_bin)

    recording = schema.recording(
        spike_count=spikes.transpose(0, 2, 1).reshape(n_trial * n_bin, n_node),
        time=clock.ravel(),
        node=[f"{mouse}_{date}_{k + 1:03d}" for k in range(n_node)],
        covariates={
            "contrast_left": (
                TIME,
                repeated("contrast_left", "f8"),
                {"units": "1", "long_name": "contrast on the left"},
            ),
            "contrast_right": (
                TIME,
                repeated("contrast_right", "f8"),
                {"units": "1", "long_name": "contrast on the right"},
            ),
            "feedback": (
                TIME,
                repeated("feedback_type", "i1"),
                {"units": "1", "long_name": "feedback, 1 reward, -1 noise"},
            ),
        },
        attrs={"animal": mouse, "session": date, "bin_width": _bin},
    )
    within = np.tile(np.arange(n_bin) * _bin, n_trial)
    coords = {
        TRIAL: (TIME, np.repeat(np.arange(n_trial), n_bin)),
        "time_in_trial": (TIME, within, {"units": "s", "long_name": "time since stimulus onset"}),
    }
    return f"{mouse}/{date}", recording.assign_coords(coords)
