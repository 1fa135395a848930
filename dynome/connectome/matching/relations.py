"""Connectomes as the relations that a search compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from dynome import labels, schema
from dynome.connectome import edge_table
from dynome.connectome.grouping import group_labels
from dynome.connectome.matching.assignment import Relation
from dynome.connectome.metrics.adjacency import EdgeType
from dynome.connectome.weight_matrix import weight_matrix_of
from dynome.errors import InputError, Problems, listed
from dynome.labels import StrArray
from dynome.schema import NODE

Floats = NDArray[np.float64]
WeightScale = Literal["log", "count", "binary"]
_sparse = 0.1  # density below which sparse products are quicker


def edge_types_of(connectome: xr.Dataset, edge_type: EdgeType) -> list[str]:
    """The edge types of a connectome, or those of them that are asked for."""
    types = schema.edge_types(edge_table.checked(connectome))[0]
    return types if edge_type is None else [t for t in types if t in edge_table.checked_edge_types(edge_type)]


def weights_of(connectome: xr.Dataset, name: str, scale: WeightScale) -> Floats:
    """One edge type as a matrix (node, node), scaled."""
    dense = weight_matrix_of(connectome, name).weight.toarray()
    if (bad := int((dense < 0).sum())) > 0:
        raise InputError(f'matching needs weights >= 0, found {bad} negative; use weight="binary" on absolute values')
    if scale == "count":
        return dense
    scaled: Floats = np.log1p(dense) if scale == "log" else (dense > 0).astype(np.float64)
    return scaled


def padded(matrix: Floats, n: int) -> Floats:
    """A matrix with zeros at the right and below, (n, n)."""
    out = np.zeros((n, n))
    out[: matrix.shape[0], : matrix.shape[1]] = matrix
    return out


def relation_of(one: Floats, other: Floats, *, crossing: bool) -> Relation | None:
    """Scaled such that identical graphs have an objective of 1; None where there is nothing to compare."""
    size = float(np.sqrt(np.linalg.norm(one) * np.linalg.norm(other)))
    if not size:
        return None
    sparse = max(np.count_nonzero(one), np.count_nonzero(other)) < _sparse * one.size
    if sparse:
        return Relation(csr_array(one / size), csr_array(other / size), crossing)
    return Relation(one / size, other / size, crossing)


def known_partners(
    pairs: Mapping[str, str], one: StrArray, other: StrArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the seeds in both graphs.

    Raises
    ------
    InputError
        If a seed or its partner is unknown or repeated.
    """
    problems = Problems("cannot use these seeds")
    ends = []
    for what, given, names in (("seeds", list(pairs), one), ("partners of seeds", list(pairs.values()), other)):
        place = labels.positions(labels.as_labels(given), names) if given else np.zeros(0, dtype=np.int64)
        if (place < 0).any():
            problems.add(f"{what} must name nodes, found unknown {listed(np.array(given)[place < 0].tolist())}")
        if np.unique(place).size < place.size:
            problems.add(f"{what} must name each node once, found {listed(labels.duplicates(labels.as_labels(given)))}")
        ends.append(place)
    problems.raise_if_any(InputError)
    return ends[0], ends[1]


def sides_of(connectome: xr.Dataset, side: str | ArrayLike | xr.DataArray) -> StrArray:
    """Which of "left", "right" or something else each node is."""
    if not isinstance(side, str) and not isinstance(side, xr.DataArray):
        values = np.asarray(side)
        if values.shape == (connectome.sizes[NODE],):  # nodes in the middle have no side
            return values.astype(np.str_)
    if isinstance(side, str) and side in connectome.coords:
        return connectome[side].to_numpy().astype(np.str_)
    if isinstance(side, str):
        there = [str(name) for name, v in connectome.coords.items() if v.dims == (NODE,) and name != NODE]
        raise InputError(
            f"side must name a node coordinate, got {side!r}; there are {listed(there) or 'none'}; "
            "or give the side of each node, of a worm match_sides(connectome, worm_side(connectome.node))"
        )
    return group_labels(connectome, side)
