"""Conditions of people or sessions, such as age, sex and site, as columns of a regression.

A number becomes a natural cubic spline with few knots (a straight line where it has few values), a category one column
for each of its values but the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed

Array = NDArray[np.float64]

_QUANTILES = (0.05, 0.35, 0.65, 0.95)  # knots of a spline
_FEW = 8  # values of a number for which a straight line must do


class Condition(NamedTuple):
    """One condition and how it becomes columns.

    Attributes
    ----------
    name : str
    categories : tuple of str
        Sorted; empty for a number.
    knots : tuple of float
        Of the spline; empty for a straight line and for a category.
    low, high : float
        Range of a number among those fitted.
    """

    name: str
    categories: tuple[str, ...] = ()
    knots: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0


def conditions_of(names: Sequence[str], source: Any, n: int | None, subject: str) -> dict[str, NDArray[Any]]:
    """Values of every condition, one for each person or session.

    Parameters
    ----------
    names : sequence of str
    source : DataArray, Dataset, DataFrame or mapping
        Coordinates of a DataArray's first dim, variables or columns by name; scalars of a mapping are repeated. Arrays
        and tables may hold more than is asked for; all that a mapping names must be known.
    n : int or None
        How many are expected; None takes the number of the longest.
    subject : str
        What cannot be done, for the message.

    Raises
    ------
    InputError
        If one is missing or unknown, has missing values or another length.

    Examples
    --------
    >>> {k: v.tolist() for k, v in conditions_of(["age", "sex"], {"age": [4, 9], "sex": "F"}, None, "").items()}
    {'age': [4, 9], 'sex': ['F', 'F']}
    """
    problems = Problems(subject)
    told = source.coords if isinstance(source, xr.DataArray) else source
    if not isinstance(told, Mapping | xr.Dataset | pd.DataFrame):
        raise InputError(f"{subject}:\n  - conditions must be a mapping, a table or connectivity with coordinates, "
                         f"found {type(source).__name__}")  # fmt: skip
    found: dict[str, NDArray[Any]] = {}
    if not isinstance(told, xr.Dataset | xr.Coordinates | pd.DataFrame):
        for problem in unknown(names, told):
            problems.add(problem)
    for name in names:
        if name not in told:
            problems.add(f"the condition {name!r} is missing, found {listed(list(told))}; give it as a coordinate")
        else:
            found[name] = np.asarray(told[name])
    problems.raise_if_any(InputError)
    size = n if n is not None else max((v.size for v in found.values()), default=1)
    for name, values in found.items():
        if values.ndim == 0:
            found[name] = values = np.repeat(values[None], size)
        if values.shape != (size,):
            problems.add(f"the condition {name!r} has shape {values.shape}, expected one value for each of {size}")
        elif missing := int(_missing(values).sum()):
            problems.add(f"the condition {name!r} is missing for {missing} of {size}; leave these out or fill it in")
    problems.raise_if_any(InputError)
    return found


def unknown(names: Sequence[str], told: Mapping[Any, Any]) -> list[str]:
    """What is wrong with conditions that a model does not know; empty when it knows all.

    Parameters
    ----------
    names : sequence of str
        Conditions of the model.
    told : mapping
        Conditions asked for, by name.

    Examples
    --------
    >>> unknown(["age"], {"Age": 30})
    ["the condition 'Age' is unknown, the model has 'age'; did you mean 'age'?"]
    """
    has = listed(names) if names else "none"
    problems = []
    for name in told:
        if name not in names:
            near = get_close_matches(str(name).lower(), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "leave it out, or fit a model with it in conditions="
            problems.append(f"the condition {str(name)!r} is unknown, the model has {has}; {hint}")
    return problems


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    empty = np.asarray(values == "") if values.dtype.kind in "UOT" else np.zeros(values.shape, dtype=bool)
    infinite = np.isinf(values) if values.dtype.kind == "f" else False
    return np.asarray(pd.isna(values) | empty | infinite)


def described(values: Mapping[str, NDArray[Any]]) -> tuple[Condition, ...]:
    """How each condition becomes columns, from the people that a model is fitted to.

    Parameters
    ----------
    values : mapping
        As `conditions_of` gives them.

    Raises
    ------
    InputError
        If a condition does not vary, or a category has one member.
    """
    problems, out = Problems("these conditions cannot be used"), []
    for name, v in values.items():
        if v.dtype.kind in "iuf":
            x = v.astype(np.float64)
            distinct = np.unique(x)
            if distinct.size < 2:
                problems.add(f"{name!r} is {distinct[0]:g} for everybody; leave it out")
                continue
            knots = np.unique(np.quantile(x, _QUANTILES)) if distinct.size >= _FEW else np.empty(0)
            kept = tuple(knots.tolist()) if knots.size >= 3 else ()
            out.append(Condition(name, (), kept, float(distinct[0]), float(distinct[-1])))
            continue
        names, counts = np.unique(v.astype(np.str_), return_counts=True)
        if names.size < 2:
            problems.add(f"{name!r} is {str(names[0])!r} for everybody; leave it out")
        elif rare := names[counts < 2].tolist():
            problems.add(f"{name!r} has one member only in {listed(rare)}; merge or drop these")
        out.append(Condition(name, tuple(names.tolist())))
    problems.raise_if_any(InputError)
    return tuple(out)


def column_names(conditions: Sequence[Condition]) -> list[str]:
    """Names of the columns of `columns`.

    Examples
    --------
    >>> column_names([Condition("age", knots=(1.0, 2.0, 3.0, 4.0)), Condition("sex", ("F", "M"))])
    ['age', 'age_bend1', 'age_bend2', 'sex_M']
    """
    return [
        name
        for c in conditions
        for name in (
            [f"{c.name}_{k}" for k in c.categories[1:]]
            if c.categories
            else [c.name, *(f"{c.name}_bend{k + 1}" for k in range(max(len(c.knots) - 2, 0)))]
        )
    ]


def columns(conditions: Sequence[Condition], values: Mapping[str, NDArray[Any]], n: int) -> Array:
    """One row for each person or session; a spline goes on as a straight line beyond its knots.

    Parameters
    ----------
    conditions : sequence of Condition
    values : mapping
        As `conditions_of` gives them.
    n : int
        Rows.

    Returns
    -------
    (n, n_column)

    Raises
    ------
    InputError
        If a category is unknown, or a number expected and no number found.
    """
    problems, parts = Problems("these conditions do not fit the model"), [np.empty((n, 0))]
    for c in conditions:
        v = values[c.name]
        if c.categories:
            words = v.astype(np.str_)
            if new := sorted(set(words.tolist()) - set(c.categories)):
                problems.add(f"{c.name!r} is {listed(new)}, the model knows {listed(c.categories)}")
            parts.append((words[:, None] == np.array(c.categories[1:])).astype(np.float64))
        elif v.dtype.kind not in "iuf":
            problems.add(f"{c.name!r} must be a number, found {v.dtype}")
        else:
            parts.append(_spline(v.astype(np.float64), c))
    problems.raise_if_any(InputError)
    return np.concatenate(parts, axis=1)


def _spline(x: Array, c: Condition) -> Array:
    """Truncated powers that are straight beyond the outer knots, scaled to the range."""
    span = c.high - c.low
    t, knots = (x - c.low) / span, (np.array(c.knots) - c.low) / span
    cube = np.maximum(t[:, None] - knots, 0) ** 3
    bends = [
        cube[:, j]
        - cube[:, -2] * (knots[-1] - knots[j]) / (knots[-1] - knots[-2])
        + cube[:, -1] * (knots[-2] - knots[j]) / (knots[-1] - knots[-2])
        for j in range(max(knots.size - 2, 0))
    ]
    return np.column_stack([t, *bends])


def outside(conditions: Sequence[Condition], values: Mapping[str, NDArray[Any]]) -> list[str]:
    """What is wrong with numbers beyond those that a model was fitted to; empty when all are within.

    Parameters
    ----------
    conditions : sequence of Condition
    values : mapping
        As `conditions_of` gives them.
    """
    return [
        f"{c.name!r} must be from {c.low:g} to {c.high:g}, as among those fitted, got {float(v.min()):g} to "
        f"{float(v.max()):g}"
        for c in conditions
        if not c.categories and (v := np.asarray(values[c.name], dtype=np.float64)).size
        if v.min() < c.low or v.max() > c.high
    ]


def to_text(conditions: Sequence[Condition]) -> str:
    """Conditions as JSON, to be kept with a model."""
    return json.dumps([c._asdict() for c in conditions])


def from_text(text: str) -> tuple[Condition, ...]:
    """The inverse of `to_text`.

    Examples
    --------
    >>> from_text(to_text([Condition("sex", ("F", "M"))]))[0].categories
    ('F', 'M')
    """
    return tuple(
        Condition(c["name"], tuple(c["categories"]), tuple(c["knots"]), c["low"], c["high"]) for c in json.loads(text)
    )
