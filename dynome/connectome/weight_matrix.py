"""One reading of what may stand for a weighted graph: a connectome, or a labelled (source, target) matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import xarray as xr

from dynome.connectome import node_table
from dynome.connectome.conversion import to_scipy
from dynome.errors import InputError
from dynome.schema import NODE, SOURCE, TARGET


class WeightMatrix(NamedTuple):
    """Weights without self-loops (source, target), and the nodes with their coordinates."""

    weight: scipy.sparse.csr_array[Any, tuple[int, int]]
    nodes: xr.Dataset


def weight_matrix_of(graph: xr.Dataset | xr.DataArray, edge_type: str | Sequence[str] | None = None) -> WeightMatrix:
    """The weights between different nodes as float64.

    Parameters
    ----------
    graph : connectome or DataArray (source, target)
        Of a matrix, NaN and zero mean no edge, and the diagonal is left out, as are self-loops of a connectome.
    edge_type : str, list of str or None
        Edge types of a connectome to add up.

    Raises
    ------
    InputError
        If `graph` is neither, or its rows and columns differ.
    """
    if isinstance(graph, xr.Dataset):
        matrix, nodes = to_scipy(graph, edge_type).astype(np.float64), node_table.nodes_of(graph)
    else:
        matrix, nodes = _read(graph)
    coo = matrix.tocoo()
    keep = (coo.coords[0] != coo.coords[1]) & (coo.data != 0)
    ends = (coo.coords[0][keep], coo.coords[1][keep])
    return WeightMatrix(scipy.sparse.csr_array((coo.data[keep], ends), shape=coo.shape), nodes)


def is_symmetric(weight: scipy.sparse.csr_array[Any, tuple[int, int]]) -> bool:
    """Whether the graph is undirected, up to rounding."""
    scale = np.abs(weight.data).max(initial=0.0)
    return bool(np.abs((weight - weight.T).data).max(initial=0.0) <= 1e-12 * scale)


def _read(matrix: xr.DataArray) -> tuple[scipy.sparse.csr_array[Any, tuple[int, int]], xr.Dataset]:
    if not isinstance(matrix, xr.DataArray) or set(matrix.dims) != {SOURCE, TARGET}:
        found = f"dims {matrix.dims}" if isinstance(matrix, xr.DataArray) else type(matrix).__name__
        raise InputError(f"expected a connectome or a DataArray (source, target), found {found}")
    if matrix.sizes[SOURCE] != matrix.sizes[TARGET] or not {SOURCE, TARGET} <= set(matrix.coords):
        raise InputError(
            f"rows and columns must have the same labels, found shape {matrix.shape}; select the shared nodes"
        )
    names = matrix[SOURCE].to_numpy()
    if not np.array_equal(names, matrix[TARGET].to_numpy()):
        raise InputError(
            "rows and columns must have the same labels in the same order; use matrix.sel(target=matrix.source)"
        )
    values = matrix.transpose(SOURCE, TARGET).to_numpy().astype(np.float64)
    if np.isinf(values).any():
        raise InputError(f"weights must be finite, found {int(np.isinf(values).sum())} infinite values")
    return scipy.sparse.csr_array(np.nan_to_num(values)), xr.Dataset(coords={NODE: names})
