"""Phenotypes: what is known about animals and sessions, and what is checked of it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome import labels
from dynome.errors import Problems, listed
from dynome.schema.names import ANIMAL, SESSION
from dynome.schema.parts import check_attrs, check_labels, check_units


def check_phenotype(obj: xr.Dataset, sessions: list[str], problems: Problems) -> None:
    """Note everything that is wrong with a phenotype.

    Parameters
    ----------
    obj : Dataset
        Variables over ``animal`` or ``session``.
    sessions : list of str
        Paths of the recordings that it is about.
    problems : Problems
        Gathers what is wrong.
    """
    known = {ANIMAL: list(dict.fromkeys(path.split("/")[0] for path in sessions)), SESSION: sessions}
    check_attrs(obj, "the phenotype", problems)
    check_units(obj, problems)
    for name, variable in obj.data_vars.items():
        if variable.dims not in ((ANIMAL,), (SESSION,)):
            problems.add(f"{name} must have the single dim animal or session, found {tuple(map(str, variable.dims))}")
        elif variable.dtype.kind not in "iufbUT":
            problems.add(f"{name} must hold numbers or strings, found dtype {variable.dtype}; convert it")
    for dim in {ANIMAL, SESSION} & set(obj.dims):
        if not check_labels(obj, str(dim), problems):
            continue
        found = labels.positions(obj[dim].to_numpy(), np.array(known[str(dim)], dtype=np.str_))
        if strangers := obj[dim].to_numpy()[found < 0].tolist():
            problems.add(f"{dim} {listed(strangers)} has no recording in this study; drop it from the phenotype")
