"""A study: recordings of one or many animals, and the connectome they share, in one shallow tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from dynome import schema
from dynome.errors import Problems, SchemaError


def build(
    recordings: Mapping[str, xr.Dataset] | xr.DataTree,
    connectome: xr.Dataset | None = None,
    *,
    truth: xr.Dataset | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """Put recordings and their connectome into one valid study.

    Parameters
    ----------
    recordings : mapping or DataTree
        ``"animal"`` or ``"animal/session"`` to a recording; or a study, to give it a connectome.
    connectome : Dataset or None
        The wiring that the animals share; its labels join it to the recordings.
    truth : Dataset or None
        What a simulator planted.
    attrs : mapping or None
        Attributes of the study.

    Raises
    ------
    SchemaError
        With every problem of every part, or if `recordings` are not named.

    Examples
    --------
    >>> import numpy as np
    >>> rec = schema.recording(np.ones((3, 1)), time=[0.0, 1, 2], node=["a"], units="1")
    >>> list(sessions(build({"worm1": rec, "worm2": rec})))
    ['worm1', 'worm2']
    """
    problems = Problems("study is not valid")
    _refuse_bare(recordings, connectome, problems)
    if isinstance(recordings, xr.DataTree):
        attrs = {**{str(name): value for name, value in recordings.attrs.items()}, **(attrs or {})}
        recordings = sessions(recordings)
    reserved = (schema.CONNECTOME, schema.TRUTH)
    parts: dict[str, Any] = dict(recordings) | {
        n: p for n, p in zip(reserved, (connectome, truth), strict=True) if p is not None
    }
    for name in recordings:
        if not isinstance(name, str) or not all(piece not in ("", ".", "..") for piece in name.split("/")):
            problems.add(f'recordings are named "animal" or "animal/session", found {name!r}; rename it')
        elif name.split("/")[0] in reserved:
            problems.add(f"{name!r} begins with a reserved name; rename the animal")
    for name, part in parts.items():
        if not isinstance(part, xr.Dataset):
            problems.add(f"{name} must be a Dataset, found {type(part).__name__}")
    problems.raise_if_any(SchemaError)
    try:
        tree = xr.DataTree.from_dict({f"/{name}": part for name, part in parts.items()})
    except ValueError as error:
        told = str(error).partition(":")[0]
        problems.add(f"an animal with sessions has no other recording of its own, found: {told}; make it a session")
        problems.fail(SchemaError)
    tree.attrs.update(attrs or {})
    return schema.validate(tree, "study")


def _refuse_bare(recordings: object, connectome: object, problems: Problems) -> None:
    """Recordings come with their names, and before the connectome."""
    if isinstance(recordings, Mapping | xr.DataTree) and not isinstance(recordings, xr.Dataset):
        return
    found = f"a {type(recordings).__name__}"
    if isinstance(recordings, xr.Dataset) and schema.EDGE in recordings.dims:
        found += ", a connectome, which is the second argument"
    elif connectome is not None and not isinstance(connectome, xr.Dataset):
        found += f" before a {type(connectome).__name__}; the connectome is the second argument"
    problems.add(f'recordings must be named, found {found}; pass {{"animal": recording}}')
    problems.fail(SchemaError)


def sessions(study: xr.DataTree) -> dict[str, xr.Dataset]:
    """The recordings of a study by path (``"animal"`` or ``"animal/session"``), in the order of the tree.

    Parameters
    ----------
    study : DataTree
        As `build` makes it.
    """
    return {
        key: node.to_dataset(inherit=True)
        for key, node in study.subtree_with_keys
        if node.has_data and key != "." and key.split("/")[0] not in (schema.CONNECTOME, schema.TRUTH)
    }


def connectome(study: xr.DataTree) -> xr.Dataset:
    """The connectome of a study.

    Parameters
    ----------
    study : DataTree
        As `build` makes it.

    Raises
    ------
    SchemaError
        If it has none.
    """
    if schema.CONNECTOME not in study.children:
        raise SchemaError("this study has no /connectome; add one with study.build(recordings, connectome=...)")
    return study[schema.CONNECTOME].to_dataset()
