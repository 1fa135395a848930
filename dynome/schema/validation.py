"""The one doorway: what kind an object is, and everything that is wrong with it."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import xarray as xr

from dynome.errors import Problems, SchemaError
from dynome.schema.affinities import check_affinity
from dynome.schema.connectomes import check_connectome
from dynome.schema.matrices import check_functional_connectivity
from dynome.schema.names import ANIMAL, EDGE, NODE, PAIR, SOURCE, TARGET, TIME, Kind
from dynome.schema.recordings import check_recording
from dynome.schema.studies import check_study

Object = TypeVar("Object", xr.Dataset, xr.DataArray, xr.DataTree)


def kind_of(obj: object) -> Kind:
    """Which kind an object means to be, told by its dims.

    Parameters
    ----------
    obj : Dataset, DataArray or DataTree
        What to look at.

    Raises
    ------
    SchemaError
        If it looks like none of the kinds.

    Examples
    --------
    >>> kind_of(xr.DataArray([[1.0]], dims=("source", "target")))
    'functional_connectivity'
    """
    if isinstance(obj, xr.DataTree):
        return "study"
    dims = set(obj.dims) if isinstance(obj, xr.Dataset | xr.DataArray) else set()
    if {SOURCE, TARGET} <= dims:
        return "functional_connectivity"
    if isinstance(obj, xr.Dataset) and EDGE in dims:
        return "connectome"
    if isinstance(obj, xr.Dataset) and {TIME, ANIMAL, NODE, PAIR} <= dims:
        return "affinity"
    if isinstance(obj, xr.Dataset) and {TIME, NODE} <= dims:
        return "recording"
    raise SchemaError(
        f"cannot tell what this object is: expected a recording (dims time, node), a connectome (dims node, edge), "
        f"a functional connectivity (dims source, target), an affinity (dims animal, time, node, pair) or a study "
        f"(DataTree), found {type(obj).__name__} with "
        f"dims {tuple(sorted(map(str, dims)))}"
    )


def validate(obj: Object, kind: Kind | None = None, *, lazy: bool = False) -> Object:
    """Check an object against the schema and return it unchanged.

    Parameters
    ----------
    obj : Dataset, DataArray or DataTree
        What to check.
    kind : {"recording", "connectome", "functional_connectivity", "affinity", "study"} or None
        What it should be; None tells by its dims.
    lazy : bool
        Also check the values of variables that are not in memory, chunk by chunk. Names, dims, labels and units
        are always checked.

    Returns
    -------
    object
        `obj` itself.

    Raises
    ------
    SchemaError
        With every problem found.

    Examples
    --------
    >>> import numpy as np, dynome as dy
    >>> rec = dy.schema.recording(np.zeros((3, 2)), time=[0.0, 0.5, 1.0], node=["AVAL", "AVAR"], units="dF/F")
    >>> validate(rec) is rec
    True
    >>> validate(rec.assign_coords(node=["AVAL", "AVAL"]))
    Traceback (most recent call last):
        ...
    dynome.errors.SchemaError: recording is not valid:
      - node labels must be unique, found repeated 'AVAL'; rename or drop the repeats
    """
    kind = kind or kind_of(obj)
    if kind not in _checks:
        raise SchemaError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")
    expected, check = _checks[kind]
    problems = Problems(f"{kind.replace('_', ' ')} is not valid")
    if isinstance(obj, expected):
        check(obj, problems, lazy)
    else:
        problems.add(f"expected an xarray {expected.__name__}, found {type(obj).__name__}")
    problems.raise_if_any(SchemaError)
    return obj


_checks: dict[str, tuple[type, Any]] = {
    "recording": (xr.Dataset, check_recording),
    "connectome": (xr.Dataset, check_connectome),
    "functional_connectivity": (xr.DataArray, check_functional_connectivity),
    "affinity": (xr.Dataset, check_affinity),
    "study": (xr.DataTree, check_study),
}
