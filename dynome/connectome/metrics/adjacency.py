"""The matrices that measures are computed on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
import xarray as xr
from numpy.typing import NDArray

from dynome.connectome import edge_table, node_table
from dynome.connectome.weight_matrix import weight_matrix_of
from dynome.errors import InputError
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

EdgeType = str | Sequence[str] | None
Matrix = scipy.sparse.csr_array[Any, tuple[int, int]]
Ints = NDArray[np.int64]


def joined(connectome: xr.Dataset, edge_type: EdgeType) -> Matrix:
    """A matrix of ones where an edge leads from row to column, self-loops left out."""
    table = edge_table.table_of(connectome, edge_type)
    rows = table.source != table.target
    n = connectome.sizes[NODE]
    ones = np.ones(int(rows.sum()), dtype=np.int8)
    there = scipy.sparse.csr_array((ones, (table.source[rows], table.target[rows])), shape=(n, n))
    there.data[:] = 1
    return there


def weighted(connectome: xr.Dataset, edge_type: EdgeType) -> Matrix:
    """Summed weights between different nodes, refused where one is negative.

    Raises
    ------
    InputError
        If a weight is negative.
    UnitsError
        If the edge types have different units.
    """
    weight = weight_matrix_of(connectome, edge_type).weight
    if (bad := int((weight.data < 0).sum())) > 0:
        raise InputError(f"this measure needs weights >= 0, found {bad} negative; take their absolute values")
    return weight


def rows_of(matrix: Matrix) -> tuple[Ints, Ints]:
    """Where each row begins, and its columns in order: what the kernels take."""
    matrix.sort_indices()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)


def at_nodes(connectome: xr.Dataset, values: NDArray[Any], name: str, long_name: str, **attrs: Any) -> xr.DataArray:
    """Dimensionless values of nodes with their labels and coordinates."""
    coords = node_table.nodes_of(connectome).coords
    about = {"units": DIMENSIONLESS, "long_name": long_name, **attrs}
    return xr.DataArray(values, dims=NODE, coords=coords, name=name, attrs=about)
