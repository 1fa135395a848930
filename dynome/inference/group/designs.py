"""What sessions differ in, by which the test asks: a phenotype, a condition, or nothing but zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, study
from dynome.errors import InputError, listed
from dynome.inference.probing.outcomes import animals_of
from dynome.schema import ANIMAL, SESSION

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Factor: TypeAlias = str | xr.DataArray | pd.Series | Mapping[str, Any] | None
Phenotype: TypeAlias = xr.Dataset | xr.DataTree | pd.DataFrame | None
Varies = Literal["not", "between", "within"]


class Design(NamedTuple):
    """One number for each session that is used.

    Attributes
    ----------
    x : (n,)
        Ones where there is nothing but zero to compare with.
    rows : (n,)
        Positions of the sessions that have a value.
    block : (n,)
        Number of the animal of each, from 0.
    blocks : (n_block,)
        Names of animals.
    varies : {"not", "between", "within"}
        Whether `x` is 1 throughout, the same in all sessions of every animal, or not.
    name, told : str
        Of the factor, and what its effect is.
    """

    x: Floats
    rows: Ints
    block: Ints
    blocks: labels.StrArray
    varies: Varies
    name: str
    told: str


def design_of(values: xr.DataArray, factor: Factor, phenotype: Phenotype, block: str) -> Design:
    """The factor of every session that has one.

    Parameters
    ----------
    values : (session, ...)
    factor : str, DataArray, Series, mapping or None
    phenotype : Dataset, DataTree, DataFrame or None
        Where a factor that is a str is looked up; None takes the coordinates of `values`.
    block : str
        Coordinate of sessions; "animal" is also read from their names.

    Raises
    ------
    InputError
        If the factor is unknown, has one value or more than two classes, or is known for too few.
    """
    names = blocks_of(values, block)
    sessions = labels.as_labels(values[SESSION].to_numpy()).tolist()
    if factor is None:
        column: NDArray[Any] = np.ones(len(sessions))
    else:
        column = _column(values, factor, phenotype, sessions, names)
    known = column != "" if column.dtype.kind == "U" else ~np.isnan(column)
    rows = np.flatnonzero(known)
    name = str(factor if isinstance(factor, str) else getattr(factor, "name", None) or "factor")
    x, told = _numbers(column[rows], name) if factor is not None else (np.ones(rows.size), "mean")
    blocks, number = np.unique(names[rows], return_inverse=True)
    return Design(x, rows, number.astype(np.int64), blocks, _varies(x, number, factor), name, told)


def blocks_of(values: xr.DataArray | xr.Dataset, block: str) -> labels.StrArray:
    """The animal (or another block) of every session.

    Parameters
    ----------
    values : (session, ...)
    block : str

    Raises
    ------
    InputError
        If there are no sessions, or no such coordinate.
    """
    if SESSION not in values.dims or SESSION not in values.coords:
        raise InputError(
            f"values need a dim {SESSION} with names of sessions, found dims {listed(map(str, values.dims))}"
        )
    sessions = labels.as_labels(values[SESSION].to_numpy())
    if twice := labels.duplicates(sessions):
        raise InputError(f"sessions must have different names, {listed(twice)} occur more than once")
    if block in values.coords and values[block].dims == (SESSION,):
        return labels.as_labels(values[block].to_numpy())
    if block == ANIMAL:
        return animals_of(sessions.tolist())
    raise InputError(f"sessions have no coordinate {block!r}, found {listed(map(str, values.coords))}")


def _column(
    values: xr.DataArray, factor: Any, phenotype: Phenotype, sessions: list[str], animals: labels.StrArray
) -> NDArray[Any]:
    """The factor of each session: numbers with NaN, or texts with ""."""
    if isinstance(factor, str):
        if phenotype is None:
            if factor not in values.coords or values[factor].dims != (SESSION,):
                raise InputError(
                    f"sessions have no coordinate {factor!r}, found {listed(map(str, values.coords))}; for a variable "
                    "of a phenotype give phenotype= too"
                )
            return _plain(values[factor].to_numpy(), factor)
        if isinstance(phenotype, pd.DataFrame):
            phenotype = study.phenotype_table(phenotype, sessions)
        return _plain(study.session_values(phenotype, factor, sessions), factor)
    if isinstance(factor, xr.DataArray):
        if factor.ndim != 1 or factor.dims[0] not in factor.coords:
            raise InputError(f"the design must be one value for each labelled session or animal, got {factor.dims}")
        factor = pd.Series(factor.to_numpy(), index=labels.as_labels(factor[factor.dims[0]].to_numpy()))
    if not isinstance(factor, pd.Series | Mapping):
        raise InputError(f"the design must be a name, a DataArray, a Series or a mapping, got {type(factor).__name__}")
    table = {str(label): value for label, value in factor.items()}
    missing: Any = "" if any(isinstance(v, str) for v in table.values()) else np.nan
    found = [table.get(s, table.get(str(a), missing)) for s, a in zip(sessions, animals, strict=True)]
    if not {*sessions, *map(str, animals)} & {*table}:
        raise InputError(f"the design names none of the sessions {listed(sessions, 3)}, it has {listed(table, 3)}")
    return _plain(np.array(["" if missing == "" and pd.isna(v) else v for v in found]), "the design")


def _plain(column: NDArray[Any], name: str) -> NDArray[Any]:
    if column.dtype.kind in "UTO" and all(isinstance(v, str) for v in column.tolist()):
        return column.astype(np.str_)
    if column.dtype.kind not in "iufb":
        raise InputError(f"{name} must hold numbers or texts, found dtype {column.dtype}")
    numbers = column.astype(np.float64)
    if np.isinf(numbers).any():
        raise InputError(f"{name} has infinite values; mark what is missing as NaN")
    return numbers


def _numbers(column: NDArray[Any], name: str) -> tuple[Floats, str]:
    """Numbers as they are; two classes as 0 and 1."""
    distinct = np.unique(column)
    if distinct.size < 2:
        found = f"is {distinct[0]} in all {column.size} sessions" if column.size else "is known for no session"
        raise InputError(f"{name!r} {found}; there is nothing to compare")
    if column.dtype.kind != "U":
        return column.astype(np.float64), f"slope on {name}"
    if distinct.size > 2:
        raise InputError(
            f"{name!r} has {distinct.size} classes ({listed(distinct.tolist())}); compare two at a time: select "
            "sessions of two classes, or give numbers"
        )
    return (column == distinct[1]).astype(np.float64), f"{distinct[1]} less {distinct[0]}"


def _varies(x: Floats, block: Ints, factor: Factor) -> Varies:
    if factor is None:
        return "not"
    spread = [np.ptp(x[block == k]) for k in np.unique(block)]
    return "within" if max(spread, default=0.0) > 0 else "between"


def shortage(x: Floats, block: Ints, exchange: str) -> str:
    """What is missing for a test, or nothing.

    Parameters
    ----------
    x : (n,)
    block : (n,)
        Number of the animal, from 0.
    exchange : {"animals", "flips", "sessions"}
    """
    n = int(block.max(initial=-1)) + 1
    moving = sum(np.ptp(x[block == k]) > 0 for k in range(n))
    if exchange == "animals":
        classes, size = np.unique(x[np.unique(block, return_index=True)[1]], return_counts=True)
        if n < 4 or classes.size < 2 or (classes.size == 2 and size.min() < 2):
            return f"at least 4 animals are needed, 2 in each class, found {n}, {listed(size.tolist())} of each value"
    elif exchange == "flips" and (n if np.ptp(x) == 0 else moving) < 3:
        return (
            f"at least 3 animals are needed in which it varies, found {moving if np.ptp(x) else n} of {n}; with "
            "exchange='sessions' the question is about these animals only"
        )
    elif exchange == "sessions" and (x.size - n < 2 or not moving):
        return f"{x.size} sessions of {n} animals leave nothing to shuffle within animals"
    return ""
