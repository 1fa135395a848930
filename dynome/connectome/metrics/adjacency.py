"""The matrices that measures are computed on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
import xarray as xr

from dynome.connectome import edge_table
from dynome.schema import NODE

EdgeType = str | Sequence[str] | None


def joined(connectome: xr.Dataset, edge_type: EdgeType) -> scipy.sparse.csr_array[Any, tuple[int, int]]:
    """A matrix of ones where an edge leads from row to column, self-loops left out."""
    table = edge_table.table_of(connectome, edge_type)
    rows = table.source != table.target
    n = connectome.sizes[NODE]
    ones = np.ones(int(rows.sum()), dtype=np.int8)
    there = scipy.sparse.csr_array((ones, (table.source[rows], table.target[rows])), shape=(n, n))
    there.data[:] = 1
    return there
