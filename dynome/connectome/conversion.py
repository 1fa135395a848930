"""Connectomes as matrices and tables: rows are sources (presynaptic), columns are targets (postsynaptic).

Rows and columns follow ``connectome.node``. Where several edge types are taken together their weights are added,
which needs one unit. Graph libraries are served in `dynome.connectome.graphs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import xarray as xr
from numpy.typing import NDArray

from dynome.connectome import edge_table
from dynome.connectome.edge_table import EdgeTable
from dynome.errors import InputError
from dynome.schema import EDGE, NODE, SOURCE, TARGET

_dense_limit = 2**34  # bytes; a larger matrix is almost surely a mistake


def to_scipy(
    connectome: xr.Dataset, edge_type: str | Sequence[str] | None = None, *, sign: bool = False
) -> scipy.sparse.csr_array[Any, tuple[int, int]]:
    """The weights as a sparse matrix.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Edge types to add up; None takes all.
    sign : bool
        Multiply each weight by its ``sign``.

    Returns
    -------
    csr_array (source, target)
        Row and column k belong to ``connectome.node[k]``; the dtype is that of the weights.

    Raises
    ------
    UnitsError
        If the edge types have different units.
    InputError
        If `edge_type` is unknown, or `sign` is asked for and not known of every edge.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> to_scipy(from_edges({"source": ["ASHR"], "target": ["AVAL"]})).toarray().tolist()
    [[0, 1], [0, 0]]
    """
    table = edge_table.table_of(connectome, edge_type)
    edge_table.weight_units(connectome, table.layers)
    n = connectome.sizes[NODE]
    return scipy.sparse.csr_array((_weights(table, sign), (table.source, table.target)), shape=(n, n))


def to_dense(
    connectome: xr.Dataset,
    edge_type: str | Sequence[str] | None = None,
    *,
    fill: float = 0.0,
    sign: bool = False,
) -> xr.DataArray:
    """The weights as a labelled matrix.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Edge types to add up; None takes all.
    fill : float
        Value where there is no edge; NaN keeps an absent edge apart from an edge of weight zero.
    sign : bool
        Multiply each weight by its ``sign``.

    Returns
    -------
    (source, target), unit of the weights
        float64.

    Raises
    ------
    UnitsError
        If the edge types have different units.
    InputError
        If `edge_type` is unknown, a sign is not known, or the matrix would not fit in memory.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> weight = to_dense(from_edges({"source": ["ASHR"], "target": ["AVAL"]}))
    >>> float(weight.sel(source="ASHR", target="AVAL")), float(weight.sel(source="AVAL", target="ASHR"))
    (1.0, 0.0)
    """
    n = edge_table.checked(connectome).sizes[NODE]
    if 8 * n * n > _dense_limit:
        size = f"{8e-9 * n * n:.0f} GB"
        raise InputError(f"a dense matrix of {n} nodes needs {size}; use to_scipy, subgraph or group_nodes")
    table = edge_table.table_of(connectome, edge_type)
    unit = edge_table.weight_units(connectome, table.layers)
    values = np.full((n, n), float(fill))
    values[table.source, table.target] = 0
    np.add.at(values, (table.source, table.target), _weights(table, sign))
    return xr.DataArray(
        values,
        dims=(SOURCE, TARGET),
        coords={end: connectome[NODE].to_numpy() for end in (SOURCE, TARGET)},
        name="weight",
        attrs={"units": unit, "long_name": "weight", "directed": int(connectome.attrs["directed"])},
    )


def to_edges(connectome: xr.Dataset) -> pd.DataFrame:
    """The edges as a table, the way back through `from_edges`.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.

    Returns
    -------
    DataFrame
        One row per stored edge (edges without direction in both): ``source``, ``target``, ``weight``, ``edge_type``
        and further columns.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> to_edges(from_edges({"source": ["ASHR"], "target": ["AVAL"]})).shape
    (1, 4)
    """
    columns = {
        str(name): v.to_numpy() for name, v in edge_table.checked(connectome).data_vars.items() if v.dims == (EDGE,)
    }
    return pd.DataFrame(columns)


def _weights(table: EdgeTable, sign: bool) -> NDArray[Any]:
    if not sign:
        return table.weight
    signs = table.extra.get("sign")
    if signs is None:
        raise InputError('the connectome has no variable "sign"; add one (edge) with -1 and 1, or leave sign=False')
    if unknown := int((signs == 0).sum()):
        raise InputError(f"the sign of {unknown} of {signs.size} edges is unknown (0); keep edges of known sign first")
    return np.asarray(table.weight * signs)
