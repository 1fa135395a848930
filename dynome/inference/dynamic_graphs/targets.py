"""What is to be predicted: one value a session, from a phenotype or from the caller, missing values left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema, study
from dynome.errors import InputError, Problems, listed


class Target(NamedTuple):
    """Values of some sessions.

    Attributes
    ----------
    name : str
    values : (session,)
        Numbers (NaN where missing) or strings ("" where missing).
    known : (session,) bool
    """

    name: str
    values: NDArray[Any]
    known: NDArray[np.bool_]


def target_of(data: Any, target: Any, sessions: Sequence[str]) -> Target:
    """One value for each session.

    Parameters
    ----------
    data : DataTree or other
        A study, for its phenotype.
    target : str, mapping, Series, DataFrame, DataArray, sequence or None
        Name of a variable of the phenotype; values by animal or by session (a DataFrame has one column); values in the
        order of the sessions; None is the only variable that the phenotype has.
    sessions : sequence of str
        Paths.

    Returns
    -------
    Target

    Raises
    ------
    InputError
        If the target is unknown or fits no session, or all values are missing.
    """
    values: NDArray[Any]
    if isinstance(target, pd.DataFrame):
        if target.shape[1] != 1:
            told = listed([str(name) for name in target.columns], 5) or "none"
            raise InputError(f"a table as target must have one column, found {told}; take one, table[name]")
        target = target.iloc[:, 0]
    if target is None or isinstance(target, str):
        table = _phenotype(data)
        if target is None and len(table.data_vars) != 1:
            told = listed([str(n) for n in table.data_vars]) or "nothing"
            raise InputError(f"say which variable of the phenotype to predict, target=...; it has {told}")
        name = str(next(iter(table.data_vars))) if target is None else target
        values = study.session_values(table, name, sessions)
    elif isinstance(target, Mapping | pd.Series | xr.DataArray):
        name, values = _by_label(target, sessions)
    else:
        name, values = "target", np.asarray(target)
        if values.shape != (len(sessions),):
            raise InputError(f"expected one value for each of {len(sessions)} sessions, got shape {values.shape}")
    values = _plain(values, name)
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise InputError(f"{name} is infinite for {int(np.isinf(values).sum())} sessions; NaN is the missing value")
    known = values != "" if values.dtype.kind == "U" else ~np.isnan(values)
    if not known.any():
        raise InputError(f"{name} is missing for all {len(sessions)} sessions; nothing can be learnt from it")
    return Target(name, values, np.asarray(known))


def classes_of(target: Target) -> NDArray[Any]:
    """The classes among the known values, sorted.

    Parameters
    ----------
    target : Target

    Raises
    ------
    InputError
        If there are fewer than two, or they are numbers that are not whole.
    """
    found = np.unique(target.values[target.known])
    problems = Problems(f"cannot tell classes of {target.name} apart")
    if found.size < 2:
        problems.add(
            f"expected at least 2 classes among the {int(target.known.sum())} sessions with a value, found one: "
            f"{listed(found.tolist())}; add sessions of another class"
        )
    elif found.dtype.kind == "f" and (found % 1 != 0).any():
        problems.add(
            f"expected classes, found {found.size} different numbers such as {listed(found.tolist(), 3)}; predict "
            "numbers with GraphRegressor"
        )
    problems.raise_if_any(InputError)
    return found


def numbers_of(target: Target) -> NDArray[np.float64]:
    """The values as numbers, NaN where missing.

    Parameters
    ----------
    target : Target

    Raises
    ------
    InputError
        If they are strings, or all known ones are equal.
    """
    known = target.values[target.known]
    if target.values.dtype.kind == "U":
        raise InputError(
            f"{target.name} must be numbers, found strings such as {listed(known.tolist(), 3)}; predict classes with "
            "GraphClassifier"
        )
    if known.size and (known == known[0]).all():
        raise InputError(f"{target.name} is {known[0]:g} for all sessions; there is nothing to predict")
    return np.asarray(target.values, dtype=np.float64)


def _phenotype(data: Any) -> xr.Dataset:
    if not isinstance(data, xr.DataTree) or schema.PHENOTYPE not in data.children:
        found = "a study without one" if isinstance(data, xr.DataTree) else f"a {type(data).__name__}"
        raise InputError(
            f"target names a variable of the study's phenotype, found {found}; use dynome.study.build(study, "
            "phenotype=...), or pass the values themselves by animal or session"
        )
    return study.phenotype(data)


def _by_label(target: Any, sessions: Sequence[str]) -> tuple[str, NDArray[Any]]:
    """Values by session where a label is one, else by animal."""
    if isinstance(target, xr.DataArray):
        if target.ndim != 1 or target.dims[0] not in target.coords:
            raise InputError(f"a target must have one labelled dim, session or animal, found dims {target.dims}")
        target = target.to_series()
    series = target if isinstance(target, pd.Series) else pd.Series(dict(target))
    known = labels.as_labels(series.index.to_numpy())
    if repeated := labels.duplicates(known):
        raise InputError(f"a target has one value a label, found repeated {listed(repeated)}")
    paths = np.array(sessions, dtype=np.str_)
    animals = np.array([path.split("/")[0] for path in sessions], dtype=np.str_)
    place = labels.positions(paths, known)
    place = np.where(place < 0, labels.positions(animals, known), place)
    if (place < 0).all():
        raise InputError(
            f"the target names no session and no animal of the study: it has {listed(known.tolist(), 3)}, the study "
            f"{listed(list(sessions), 3)}"
        )
    values = pd.Series([series.iloc[k] if k >= 0 else None for k in place])
    return str(series.name or "target"), values.to_numpy()


def _plain(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Numbers as float64, text as fixed-width strings; anything missing as NaN or "" ."""
    if values.dtype.kind in "UT":
        return values.astype(np.str_)
    if values.dtype.kind in "iufb":
        return values.astype(np.float64)
    column = pd.Series(values)
    present = column.dropna()
    if len(present) and present.map(lambda v: isinstance(v, str)).all():
        return column.fillna("").to_numpy(dtype=np.str_)
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must hold numbers or strings, one kind of them ({error})") from error
