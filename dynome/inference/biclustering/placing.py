"""Arrays over bins as arrays over the dims of the recording, whichever axis the bins are on; dask stays lazy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.hmm.sequences import Sequences
from dynome.schema import NODE


def placed(values: Any, sequences: Sequences, before: Sequence[str], after: Sequence[str] = ()) -> xr.Variable:
    """Bins put back where they were recorded.

    Parameters
    ----------
    values : (*before, n_bin, *after), numpy or dask
    sequences : Sequences
        Where the bins come from.
    before, after : sequence of str
        Names of the other axes.

    Returns
    -------
    Variable (*before, ..., time, *after)
        Padding is NaN, -1 for integers, False for booleans.
    """
    frame, position = sequences.layout
    axis = len(before)
    if position.size < frame.size:
        source = np.full(frame.size, -1, dtype=np.int64)
        source[position] = np.arange(position.size)
        fill: Any = {"f": np.nan, "i": -1, "b": False}[values.dtype.kind]
        inside = (source >= 0).reshape(-1, *(1 for _ in after))
        values = _where(
            inside, values.take(source, axis=axis) if _is_numpy(values) else _take(values, source, axis), fill
        )
    shape = (*values.shape[:axis], *frame.shape, *values.shape[axis + 1 :])
    return xr.Variable((*before, *map(str, frame.dims), *after), values.reshape(shape))


def unplaced(values: xr.DataArray, before: Sequence[str], after: Sequence[str], position: NDArray[np.int64]) -> Any:
    """Undo `placed`.

    Parameters
    ----------
    values : (*before, ..., time, *after)
    before, after : sequence of str
    position : (n_bin,)
        Bins of the flattened dims in between.

    Returns
    -------
    (*before, n_bin, *after)
    """
    inner = [d for d in values.dims if d not in before and d not in after]
    data = values.transpose(*before, *inner, *after).data
    k = len(before)
    data = data.reshape((*data.shape[:k], -1, *data.shape[k + len(inner) :]))
    return data[(slice(None),) * k + (position,)]


def input_coords(sequences: Sequences, dims: Sequence[str], taken: Sequence[str] = ()) -> dict[str, Any]:
    """Coordinates of the input that lie on some of `dims`, and labels of the nodes.

    Parameters
    ----------
    sequences : Sequences
    dims : sequence of str
    taken : sequence of str
        Names of results; a coordinate of the input with such a name becomes ``input_{name}``.
    """
    known: Mapping[Any, Any] = {n: c.variable for n, c in sequences.layout.frame.coords.items()}
    nodes = {NODE: xr.Variable(NODE, sequences.nodes), **sequences.node_coords}
    return {
        f"input_{name}" if name in taken else str(name): variable
        for name, variable in {**known, **nodes}.items()
        if set(variable.dims) <= set(dims)
    }


def _is_numpy(values: Any) -> bool:
    return isinstance(values, np.ndarray)


def _take(values: Any, source: NDArray[np.int64], axis: int) -> Any:
    import dask.array as lazily

    lazy: Any = lazily
    return lazy.take(values, source, axis=axis)


def _where(inside: NDArray[np.bool_], values: Any, fill: Any) -> Any:
    if _is_numpy(values):
        np.copyto(values, np.asarray(fill, dtype=values.dtype), where=~inside)
        return values
    import dask.array as lazily

    lazy: Any = lazily
    return lazy.where(inside, values, np.asarray(fill, dtype=values.dtype))
