"""A study: recordings of one or many animals, and the connectome they share, in one shallow tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from dynome import schema
from dynome.errors import SchemaError


def build(
    recordings: Mapping[str, xr.Dataset],
    connectome: xr.Dataset | None = None,
    *,
    truth: xr.Dataset | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """Put recordings and their connectome into one valid study.

    Parameters
    ----------
    recordings : mapping
        ``"animal"`` or ``"animal/session"`` to a recording.
    connectome : Dataset or None
        The wiring that the animals share; its labels join it to the recordings.
    truth : Dataset or None
        What a simulator planted.
    attrs : mapping or None
        Attributes of the study.

    Raises
    ------
    SchemaError
        With every problem of every part.

    Examples
    --------
    >>> import numpy as np
    >>> rec = schema.recording(np.ones((3, 1)), time=[0.0, 1, 2], node=["a"], units="1")
    >>> list(sessions(build({"worm1": rec, "worm2": rec})))
    ['worm1', 'worm2']
    """
    if reserved := [name for name in recordings if name.split("/")[0] in (schema.CONNECTOME, schema.TRUTH)]:
        raise SchemaError(f"{reserved[0]!r} is a reserved name; rename the animal")
    parts = {f"/{name}": data for name, data in recordings.items()}
    for name, part in ((schema.CONNECTOME, connectome), (schema.TRUTH, truth)):
        if part is not None:
            parts[f"/{name}"] = part
    tree = xr.DataTree.from_dict(parts)
    tree.attrs.update(attrs or {})
    return schema.validate(tree, "study")


def sessions(study: xr.DataTree) -> dict[str, xr.Dataset]:
    """The recordings of a study by path (``"animal"`` or ``"animal/session"``), in the order of the tree."""
    return {
        node.path.strip("/"): node.to_dataset(inherit=True)
        for node in study.subtree
        if node.has_data and node.path != "/" and node.path.split("/")[1] not in (schema.CONNECTOME, schema.TRUTH)
    }


def connectome(study: xr.DataTree) -> xr.Dataset:
    """The connectome of a study.

    Raises
    ------
    SchemaError
        If it has none.
    """
    if schema.CONNECTOME not in study.children:
        raise SchemaError("this study has no /connectome; add one with study.build(recordings, connectome=...)")
    return study[schema.CONNECTOME].to_dataset()
