"""Which operand carries which input: the one place that knows all of them.

A sibling adds one branch to `operand_of`, and the solvers never hear of it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from dynome import device as devices
from dynome.dynamics.tensor.operands.accelerated import TorchOperand
from dynome.dynamics.tensor.operands.contract import Operand
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.operands.described import operand_of_affinity
from dynome.dynamics.tensor.operands.entries import observed
from dynome.dynamics.tensor.operands.on_disk import operand_of_chunks
from dynome.dynamics.tensor.operands.sparse import SparseOperand
from dynome.dynamics.tensor.sparse_tensors import entries_of, is_sparse_tensor
from dynome.errors import InputError

Precision = Literal["float64", "float32"]

_IN_MEMORY = 2e9  # bytes as float64, up to which a dask array is loaded


class Tensor(NamedTuple):
    """A tensor to be factorised, and its labels.

    Attributes
    ----------
    operand : Operand
        The entries, in whatever form.
    dims : tuple of str
        Names of the modes.
    coords : dict
        Coordinates over at most one dim each.
    units, name : str
        Of the tensor.
    device : str
        Where the operand lives.
    """

    operand: Operand
    dims: tuple[str, ...]
    coords: dict[Hashable, Any]
    units: str
    name: str
    device: str


def operand_of(
    X: xr.DataArray | xr.Dataset,
    *,
    weights: xr.DataArray | None = None,
    dtype: Precision = "float64",
    device: str = "cpu",
    samples_only: bool = False,
    negative: bool = False,
) -> Tensor:
    """The operand that suits an input.

    Parameters
    ----------
    X : DataArray or Dataset
        A nonnegative tensor with at least two dims; NaN is missing. More than 2 GB in dask chunks is read block by
        block in every iteration and never loaded whole. Or affinities as `affinity` describes them, which are never
        formed. Or what `sparse_tensor` makes.
    weights : DataArray or None
        How much each entry counts, over some or all of the dims.
    dtype : {"float64", "float32"}
        How the entries are stored; factors, Gram matrices and errors are float64 either way.
    device : str
        ``"cpu"``, ``"cuda"``, ``"auto"``, as in `dynome.device.resolve`.
    samples_only : bool
        Whether labels of other dims than the first may be without any observed entry.
    negative : bool
        Whether entries may be negative.

    Returns
    -------
    Tensor

    Raises
    ------
    InputError
        With everything that is wrong with the input.
    """
    if is_sparse_tensor(X):
        if weights is not None or device not in ("cpu", "auto"):
            raise InputError(
                "a sparse tensor takes no weights and no device: what is absent is 0 and counts like the rest"
            )
        units, name = X["value"].attrs.get("units", "1"), X.attrs.get("name", "tensor")
        coords = {d: X[d] for d in X.attrs["dims"]}
        return Tensor(SparseOperand(*entries_of(X)), tuple(X.attrs["dims"]), coords, units, name, "cpu")
    if isinstance(X, xr.Dataset):
        if weights is not None or device not in ("cpu", "auto"):
            raise InputError("a described affinity takes no weights and no device; form it first with affinity_tensor")
        implicit, template = operand_of_affinity(X, dtype=dtype, samples_only=samples_only)
        return _labelled(implicit, template, "cpu")
    if not isinstance(X, xr.DataArray):
        raise InputError(f"expected a DataArray or what affinity() gives, got {type(X).__name__}; name its dims first")
    where = devices.resolve(device)
    if X.chunks is not None and 8 * X.size > _IN_MEMORY:
        if where != "cpu" and device != "auto":
            raise InputError(f"a tensor that is read in chunks is factorised on the processor, not on {where}")
        return _labelled(operand_of_chunks(X, weights, samples_only=samples_only, negative=negative), X, "cpu")
    x, mask = observed(X, weights, dtype=np.dtype(dtype), samples_only=samples_only, negative=negative)
    return _labelled(DenseOperand(x, mask) if where == "cpu" else TorchOperand(x, mask, device=where), X, where)


def _labelled(operand: Operand, X: xr.DataArray, device: str) -> Tensor:
    coords = {n: c for n, c in X.coords.items() if len(c.dims) <= 1}
    dims = tuple(str(d) for d in X.dims)
    return Tensor(operand, dims, coords, X.attrs.get("units", "1"), str(X.name or "tensor"), device)
