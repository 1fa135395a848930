"""Pairs of nodes as one dimension, and back to matrices.

A symmetric matrix over nodes is kept once: ``pair`` runs over its upper triangle, row by row, and carries the labels
``source (pair)`` and ``target (pair)``.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import InputError


def pair_coords(
    node: labels.StrArray, i: NDArray[np.int64] | None = None, j: NDArray[np.int64] | None = None
) -> dict[str, tuple[str, labels.StrArray]]:
    """Labels of unordered pairs of distinct nodes.

    Parameters
    ----------
    node : (node,)
        Unique labels.
    i, j : (pair,) or None
        Positions of the two nodes of each pair; None takes every pair, row by row of the upper triangle.

    Returns
    -------
    dict
        ``pair`` (``"a|b"``), ``source`` and ``target``, each over ``pair``.

    Examples
    --------
    >>> pair_coords(np.array(["a", "b", "c"]))["pair"][1].tolist()
    ['a|b', 'a|c', 'b|c']
    """
    if i is None or j is None:
        i, j = np.triu_indices(node.size, 1)
    source, target = node[i], node[j]
    pair = np.strings.add(np.strings.add(source, "|"), target)
    return {"pair": ("pair", pair), "source": ("pair", source), "target": ("pair", target)}


def fold(values: xr.DataArray, *, fill: float = np.nan) -> xr.DataArray:
    """Symmetric matrices from values over pairs.

    Parameters
    ----------
    values : (..., pair)
        With coordinates ``source (pair)`` and ``target (pair)``.
    fill : float
        Value of the diagonal and of pairs that do not occur.

    Returns
    -------
    (..., source, target)
        Nodes in order of first appearance.

    Raises
    ------
    InputError
        If the coordinates are missing or a pair occurs twice.

    Examples
    --------
    >>> x = xr.DataArray([1.0, 2.0, 3.0], dims="pair", coords=pair_coords(np.array(["a", "b", "c"])))
    >>> float(fold(x).sel(source="c", target="b"))
    3.0
    """
    if missing := {"source", "target"} - set(values.coords):
        raise InputError(f"values over pairs need the coordinates source and target, missing {sorted(missing)}")
    source, target = values["source"].to_numpy(), values["target"].to_numpy()
    node = np.array(list(dict.fromkeys([*source.tolist(), *target.tolist()])), dtype=np.str_)
    i, j = labels.positions(source, node), labels.positions(target, node)
    if np.unique(np.minimum(i, j) * node.size + np.maximum(i, j)).size < i.size:
        raise InputError("a pair occurs more than once; keep one value a pair before folding")
    flat = values.transpose(..., "pair")
    matrix = np.full((*flat.shape[:-1], node.size, node.size), float(fill))
    matrix[..., i, j] = matrix[..., j, i] = flat.to_numpy()
    leading = {n: c for n, c in flat.coords.items() if "pair" not in c.dims}
    return xr.DataArray(
        matrix,
        dims=(*flat.dims[:-1], "source", "target"),
        coords={**leading, "source": node, "target": node},
        name=values.name,
        attrs={**values.attrs, "directed": 0},
    )


def unfold(matrix: xr.DataArray) -> xr.DataArray:
    """Values over pairs from symmetric matrices; the diagonal is dropped.

    Parameters
    ----------
    matrix : (..., source, target)
        Symmetric, with the same labels on both.

    Returns
    -------
    (..., pair)

    Raises
    ------
    InputError
        If the labels differ or the matrix is not symmetric.

    Examples
    --------
    >>> x = xr.DataArray([1.0, 2.0, 3.0], dims="pair", coords=pair_coords(np.array(["a", "b", "c"])))
    >>> bool((unfold(fold(x)) == x).all())
    True
    """
    flat = matrix.transpose(..., "source", "target")
    node = flat["source"].to_numpy()
    values = flat.to_numpy()
    if not np.array_equal(node, flat["target"].to_numpy()):
        raise InputError("source and target must carry the same labels in the same order to be unfolded")
    if not np.allclose(values, np.swapaxes(values, -1, -2), equal_nan=True):
        raise InputError("only symmetric matrices can be unfolded into pairs; this one is directed")
    i, j = np.triu_indices(node.size, 1)
    leading = {n: c for n, c in flat.coords.items() if not {"source", "target"} & set(c.dims)}
    return xr.DataArray(
        values[..., i, j],
        dims=(*flat.dims[:-2], "pair"),
        coords={**leading, **pair_coords(node)},
        name=matrix.name,
        attrs={k: v for k, v in matrix.attrs.items() if k != "directed"},
    )
