"""Whether the recordings of a study can be forecast together: one variable, one clock, labels that join the wiring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from dynome import labels
from dynome.dynamics.preprocessing.clock import sampling_interval
from dynome.errors import InputError, Problems, listed
from dynome.schema import ACTIVITY, NODE, SPIKE_COUNT, TIME

MIN_SHARED = 0.25  # of the recorded labels: below it, a model on the connectome would see almost nothing

_SUBJECT = "cannot make a forecasting task"
_SAME = 0.01  # of an interval


def described(obj: object) -> str:
    """What was given where a study was expected."""
    if isinstance(obj, xr.Dataset):
        return 'a Dataset; put it into a study with dynome.study.build({"animal": recording})'
    return f"a {type(obj).__name__}; dynome.study.build makes a study of recordings"


def variable_of(recordings: Mapping[str, xr.Dataset], variable: str | None, covariates: Sequence[str]) -> str:
    """The variable that all recordings have, checked together with the covariates."""
    problems = Problems(_SUBJECT)
    common = [name for name in (ACTIVITY, SPIKE_COUNT) if all(name in rec for rec in recordings.values())]
    if variable is None and not common:
        problems.add("recordings share neither activity nor spike_count; name the variable that all of them have")
    name = variable or (common or [ACTIVITY])[0]
    for path, rec in recordings.items() if variable or common else ():
        if name not in rec.data_vars or rec[name].dims != (TIME, NODE):
            problems.add(f"{path}: expected a variable {name!r} (time, node), found {listed(rec.data_vars)}")
        for covariate in covariates:
            if covariate not in rec.variables:
                problems.add(f"{path}: expected a covariate {covariate!r}, found {listed(rec.variables, 12)}")
            elif TIME not in rec[covariate].dims or len(rec[covariate].dims) > 2 or NODE in rec[covariate].dims:
                problems.add(
                    f"{path}: covariate {covariate!r} must have time and at most one dim of features, found dims "
                    f"{tuple(map(str, rec[covariate].dims))}"
                )
            elif rec[covariate].dtype.kind not in "biuf":
                problems.add(f"{path}: covariate {covariate!r} must be numbers, found dtype {rec[covariate].dtype}")
    problems.raise_if_any(InputError)
    return name


def common_interval(recordings: Mapping[str, xr.Dataset]) -> float:
    """Seconds between the bins of all recordings; refuses unequal ones."""
    found = {path: sampling_interval(rec) for path, rec in recordings.items()}
    typical = float(np.median(list(found.values())))
    if odd := {path: step for path, step in found.items() if abs(step - typical) > _SAME * typical}:
        told = ", ".join(f"{path} {step:.4g} s" for path, step in list(odd.items())[:5])
        raise InputError(
            f"{_SUBJECT}:\n  - horizons are counted in bins, so recordings need one sampling interval; most have "
            f"{typical:.4g} s, but {told}; bring all to one rate with dynome.dynamics.resample(rec, rate=...)"
        )
    return typical


def check_labels(recordings: Mapping[str, xr.Dataset], wiring: xr.Dataset | None) -> list[str]:
    """Refuse recordings without labelled nodes, and labels most of which the connectome does not know.

    Returns
    -------
    list of str
        The labels that it does not know; none where there is no connectome.
    """
    problems = Problems(_SUBJECT)
    recorded = {path: rec[NODE].to_numpy() for path, rec in recordings.items()}
    if empty := [path for path, names in recorded.items() if not names.size]:
        problems.add(
            f"no labelled node in {listed(empty)}; name the nodes (coordinate labelled = True), or drop the recording"
        )
    problems.raise_if_any(InputError)
    if wiring is None:
        return []
    known = wiring[NODE].to_numpy()
    names = np.unique(np.concatenate(list(recorded.values())))
    there = labels.positions(names, known) >= 0
    if there.mean() < MIN_SHARED:
        problems.add(
            f"expected at least {MIN_SHARED:.0%} of the recorded labels in the connectome, found {int(there.sum())} of "
            f"{there.size}; only recorded: {listed(names[~there].tolist(), 4)}; connectome: "
            f"{listed(known.tolist(), 4)}; bring the names to one convention "
            "(dynome.connectome.normalize_worm_names), or mark nodes without an "
            "identity with the coordinate labelled = False"
        )
    problems.raise_if_any(InputError)
    return [str(name) for name in names[~there]]
