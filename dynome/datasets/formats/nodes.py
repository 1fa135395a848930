"""Labels of nodes as files give them: some missing, some twice, some not identities at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema
from dynome.errors import FormatError, InputError, listed
from dynome.labels import StrArray

Repeated = Literal["raise", "unlabel"]

_NOTHING = frozenset({"", "nan", "none", "n/a", "<na>", "null"})
MAX_LABEL = 1000  # characters


class Nodes(NamedTuple):
    """Labels that are unique, and which of them are identities.

    Attributes
    ----------
    label : (node,)
        Unique labels; ``{prefix}_{k}`` where the file gives none.
    labelled : (node,) bool
        False where the label only numbers a trace and must not join animals.
    """

    label: StrArray
    labelled: NDArray[np.bool_]


def as_text(values: Iterable[str]) -> StrArray:
    """Labels as an array; one that is very long would make the array as wide for all of them.

    Raises
    ------
    FormatError
        If a label has more than `MAX_LABEL` characters.
    """
    known = list(values)
    if (longest := max(map(len, known), default=0)) > MAX_LABEL:
        raise FormatError(f"a label has {longest:,} characters, at most {MAX_LABEL:,} are read; is it a label?")
    return np.array(known, dtype=np.str_)


def resolve(given: Iterable[Any], *, prefix: str, repeated: Repeated = "raise") -> Nodes:
    """Unique labels from what a file gives.

    Parameters
    ----------
    given : (node,)
        Strings, integers or missing values (None, NaN, ``""``, ``"nan"``, ``"None"``, ``"n/a"``).
    prefix : str
        Word for nodes without a label, e.g. ``"roi"``.
    repeated : {"raise", "unlabel"}
        Labels that occur twice are an error, or lose their label: which of the two is meant cannot be known.

    Raises
    ------
    FormatError
        If labels repeat and ``repeated="raise"``.
    InputError
        If `repeated` is neither choice.

    Examples
    --------
    >>> resolve(["AVAL", "", "AVAR"], prefix="roi")
    Nodes(label=array(['AVAL', 'roi_1', 'AVAR'], dtype='<U5'), labelled=array([ True, False,  True]))
    """
    if repeated not in ("raise", "unlabel"):
        raise InputError(f'repeated must be "raise" or "unlabel", got {repeated!r}')
    texts = as_text(_text(value) for value in given)
    labelled = texts != ""
    if twice := [label for label in labels.duplicates(texts) if label]:
        if repeated == "raise":
            raise FormatError(
                f"labels occur more than once: {listed(twice)}; correct the file, or pass repeated='unlabel' to keep "
                "these traces without a label"
            )
        labelled &= ~np.isin(texts, twice)
    width = len(str(max(0, texts.size - 1)))
    numbered = np.array([f"{prefix}_{k:0{width}d}" for k in range(texts.size)], dtype=np.str_)
    label = np.where(labelled, texts, numbered).astype(np.str_)
    if clash := labels.duplicates(label):
        raise FormatError(
            f"labels {listed(clash)} are also the numbers of nodes without a label; rename them in the file"
        )
    return Nodes(label, labelled)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or value is pd.NA:
        return ""
    if isinstance(value, float | np.floating):
        number = float(value)
        value = int(number) if number.is_integer() and abs(number) < 2**53 else number
    text = str(value).strip()
    return "" if text.lower() in _NOTHING else text


def choose(name: str, among: Sequence[str], what: str) -> str:
    """The one of `among` that is called `name`, or an error that says which there are.

    Raises
    ------
    InputError
        If there is none; similar names are proposed.

    Examples
    --------
    >>> choose("velocty", ["velocity", "time"], "column")
    Traceback (most recent call last):
    dynome.errors.InputError: no column 'velocty'; did you mean 'velocity'? There are: 'velocity', 'time'
    """
    if name in among:
        return name
    near = get_close_matches(name, among, n=1)
    hint = f"; did you mean {near[0]!r}? There are: " if near else "; there are: "
    raise InputError(f"no {what} {name!r}{hint}{listed(among, 20) or 'none'}")


def without_silent(recording: xr.Dataset) -> xr.Dataset:
    """Without the nodes that have no value at any time; their labels are kept in the attributes."""
    silent = np.ones(recording.sizes[schema.NODE], dtype=bool)
    for name in {schema.ACTIVITY, schema.SPIKE_COUNT} & set(recording.data_vars):
        silent &= recording[name].isnull().all(schema.TIME).to_numpy()
    if not silent.any() or silent.all():
        return recording
    left_out = recording[schema.NODE].to_numpy()[silent].tolist()
    return recording.isel({schema.NODE: ~silent}).assign_attrs(left_out=left_out)
