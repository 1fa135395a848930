"""Which operand carries which input: the one place that knows all of them.

A sibling adds one branch to `operand_of`, and the solvers never hear of it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from dynome import device as devices
from dynome.dynamics.tensor.operands.contract import Operand
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.operands.entries import observed
from dynome.errors import InputError

Precision = Literal["float64", "float32"]


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
    X: xr.DataArray,
    *,
    weights: xr.DataArray | None = None,
    dtype: Precision = "float64",
    device: str = "cpu",
    samples_only: bool = False,
) -> Tensor:
    """The operand that suits an input.

    Parameters
    ----------
    X : DataArray
        A nonnegative tensor with at least two dims; NaN is missing.
    weights : DataArray or None
        How much each entry counts, over some or all of the dims.
    dtype : {"float64", "float32"}
        How the entries are stored; factors, Gram matrices and errors are float64 either way.
    device : str
        ``"cpu"``, ``"cuda"``, ``"auto"``, as in `dynome.device.resolve`.
    samples_only : bool
        Whether labels of other dims than the first may be without any observed entry.

    Returns
    -------
    Tensor

    Raises
    ------
    InputError
        With everything that is wrong with the input.
    """
    if not isinstance(X, xr.DataArray):
        raise InputError(f"expected a DataArray, got {type(X).__name__}; name its dims first")
    x, mask = observed(X, weights, dtype=np.dtype(dtype), samples_only=samples_only)
    coords = {n: c for n, c in X.coords.items() if len(c.dims) <= 1}
    dims = tuple(str(d) for d in X.dims)
    return Tensor(
        DenseOperand(x, mask), dims, coords, X.attrs.get("units", "1"), str(X.name or "tensor"), devices.resolve(device)
    )
