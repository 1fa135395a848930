"""What is to be read from an embedding: one variable of the phenotype, for the sessions where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema, study
from dynome.errors import InputError, Problems, listed
from dynome.schema import ANIMAL, SESSION

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Metric = Literal["auto", "auroc", "correlation"]
Phenotype: TypeAlias = xr.Dataset | xr.DataTree | pd.DataFrame


class Outcome(NamedTuple):
    """One variable, without the sessions where it is missing.

    Attributes
    ----------
    name : str
    values : (n, c)
        One column of numbers; or indicators of classes, one column for two classes (of the second).
    classes : tuple of str
        Empty for numbers.
    rows : (n,)
        Positions among all sessions.
    animal : (n,)
        Position of each row's animal in `animals`.
    animals : tuple of str
    between : bool
        Whether the value is the same in all sessions of every animal.
    units : str
    """

    name: str
    values: Floats
    classes: tuple[str, ...]
    rows: Ints
    animal: Ints
    animals: tuple[str, ...]
    between: bool
    units: str


def animals_of(sessions: Sequence[str], coordinate: xr.DataArray | None = None) -> labels.StrArray:
    """The animal of each session: a coordinate that says so, or what is before the slash of its path.

    Parameters
    ----------
    sessions : (n,)
        Paths ``"animal"`` or ``"animal/session"``.
    coordinate : (session,) or None
        Names of animals.

    Examples
    --------
    >>> animals_of(["ann/ses-1", "ann/ses-2", "bob"]).tolist()
    ['ann', 'ann', 'bob']
    """
    if coordinate is not None:
        return labels.as_labels(coordinate.to_numpy())
    return np.array([path.split("/")[0] for path in sessions], dtype=np.str_)


def outcome_of(
    phenotype: xr.Dataset | xr.DataTree, name: str, sessions: Sequence[str], animals: labels.StrArray, metric: Metric
) -> Outcome:
    """One variable of the phenotype as an outcome.

    Parameters
    ----------
    phenotype : Dataset or DataTree
        A phenotype, or a study that has one.
    name : str
        Variable. Texts are classes; so are numbers with two different values, and all numbers where `metric` is
        "auroc".
    sessions : (n,)
        Sessions of the embedding.
    animals : (n,)
        Their animals.
    metric : {"auto", "auroc", "correlation"}
        What will be measured.

    Raises
    ------
    InputError
        If there is no such variable, no session has a value, or nothing is to be told apart.
    """
    values = study.session_values(phenotype, name, list(sessions))
    text = values.dtype.kind not in "fiub"
    known = (values != "") if text else ~np.isnan(values.astype(np.float64))
    rows = np.flatnonzero(known)
    if not rows.size:
        raise InputError(
            f"{name!r} is known for none of the {len(sessions)} sessions ({listed(list(sessions), 2)}); "
            "embedding and phenotype must name the same animals or sessions"
        )
    found = values[rows]
    distinct = np.unique(found)
    if distinct.size < 2:
        raise InputError(f"{name!r} is {distinct[0]} in all {rows.size} sessions where it is known; nothing to tell")
    if text and metric == "correlation":
        raise InputError(
            f"{name!r} is text ({listed(distinct.tolist(), 3)}) and has no correlation; use metric='auroc'"
        )
    names, animal = np.unique(animals[rows], return_inverse=True)
    if text or metric == "auroc" or (metric == "auto" and distinct.size == 2):
        classes = tuple(str(v) if text else f"{v:g}" for v in distinct)
        codes = np.searchsorted(distinct, found)
        target = (codes[:, None] == np.arange(distinct.size)).astype(np.float64)
        target = target[:, 1:] if distinct.size == 2 else target
    else:
        if not np.isfinite(found.astype(np.float64)).all():
            raise InputError(f"{name!r} has infinite values; mark what is missing as NaN")
        classes, target = (), found.astype(np.float64)[:, None]
    first = target[np.unique(animal, return_index=True)[1]]
    between = bool((target == first[animal]).all())
    return Outcome(
        name, target, classes, rows, animal.astype(np.int64), tuple(names.tolist()), between, _units(phenotype, name)
    )


def phenotype_of(phenotype: Phenotype, sessions: Sequence[str]) -> xr.Dataset | xr.DataTree:
    """A phenotype, or one from a table.

    Parameters
    ----------
    phenotype : Dataset, DataTree or DataFrame
        The index of a DataFrame names animals or sessions.
    sessions : (n,)
        Sessions of the embedding.

    Raises
    ------
    InputError
        If the index of a table names none of them or something twice, or a column is neither numbers nor texts.
    """
    if not isinstance(phenotype, pd.DataFrame):
        return phenotype if isinstance(phenotype, xr.DataTree) else _table(phenotype)
    problems = Problems("cannot use this table as a phenotype")
    table = study.phenotype_table(phenotype, sessions)
    index = next(iter(table.coords.values())).to_numpy()
    if not {*sessions, *animals_of(sessions).tolist()} & set(index.tolist()):
        problems.add(
            f"its index must name animals or sessions ({listed(list(sessions), 2)}), found "
            f"{listed(index.tolist(), 2)}; take table.set_index(...)"
        )
    if twice := labels.duplicates(index):
        problems.add(f"labels must be unique, {listed(twice)} occur more than once")
    for name, variable in table.data_vars.items():
        if variable.dtype.kind not in "fU":
            problems.add(f"{name} must hold numbers or texts, found dtype {variable.dtype}; convert or drop it")
    problems.raise_if_any(InputError)
    return table


def variables_of(phenotype: xr.Dataset | xr.DataTree) -> list[str]:
    """Names of the variables of a phenotype.

    Parameters
    ----------
    phenotype : Dataset or DataTree
        A phenotype, or a study that has one.
    """
    return [str(name) for name in _table(phenotype).data_vars]


def class_codes(outcome: Outcome) -> Ints:
    """Class of each row, (n,); zeros for numbers.

    Parameters
    ----------
    outcome : Outcome
    """
    if not outcome.classes:
        return np.zeros(len(outcome.values), dtype=np.int64)
    two = len(outcome.classes) == 2
    return np.asarray(outcome.values[:, 0] if two else outcome.values.argmax(axis=1), dtype=np.int64)


def _table(phenotype: xr.Dataset | xr.DataTree) -> xr.Dataset:
    if isinstance(phenotype, xr.DataTree):
        phenotype = phenotype.children.get(schema.PHENOTYPE, phenotype).to_dataset(inherit=False)
    if not isinstance(phenotype, xr.Dataset) or not set(map(str, phenotype.dims)) <= {ANIMAL, SESSION}:
        raise InputError(
            f"expected a phenotype, a Dataset of variables over {ANIMAL} or {SESSION}, or a study that has one, found "
            f"{type(phenotype).__name__} with dims {listed(map(str, getattr(phenotype, 'dims', ())))}"
        )
    if not phenotype.data_vars:
        raise InputError("the phenotype is empty; add one with study.build(recordings, phenotype=...)")
    return phenotype


def _units(phenotype: xr.Dataset | xr.DataTree, name: str) -> str:
    return str(_table(phenotype)[name].attrs.get("units", "1"))
