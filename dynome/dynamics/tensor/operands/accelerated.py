"""A tensor in torch, on the CPU or on an accelerator; the arithmetic of the numpy operand with few, large launches.

Apple's GPU has no float64: there everything is float32, errors included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.operands.masks import masked_gram
from dynome.dynamics.tensor.operands.matrices import blocks
from dynome.dynamics.tensor.operands.rows import full_gram
from dynome.dynamics.tensor.operands.trees import halves, khatri_rao, products
from dynome.extras import require

Array = NDArray[np.float64]

_BLOCK = 1 << 24  # entries that are widened at a time: enough to fill a card


class TorchOperand:
    """A dense tensor with an exact mask or weights, in torch; see `Operand`.

    Parameters
    ----------
    x, mask : ndarray
        As for `DenseOperand`.
    device : str
        A torch device that exists, as `dynome.device.resolve` names it.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    """

    def __init__(self, x: NDArray[Any], mask: NDArray[Any] | None = None, *, device: str = "cpu") -> None:
        self._torch: ModuleType = require("torch", extra="torch")
        self._device = device
        self._dtype = self._torch.float32 if device == "mps" else self._torch.float64
        host = DenseOperand(x.astype(np.float32) if device == "mps" else x, mask)
        self.shape, self.squared_norm, self.resolution = host.shape, host.squared_norm, host.resolution
        self._weights = host.weights
        self._matrix = self._placed(host.x.reshape(host.n_left, -1))
        self._mask = None if host.mask is None else self._placed(host.mask)

    def numerators(self, factors: list[Any], modes: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """See `Operand.numerators`."""
        yield from products(
            self.shape, factors, modes, lambda left, flip: self._times(left, self._matrix, transposed=flip)
        )

    def gram(self, factors: list[Any], mode: int) -> Any:
        """See `Operand.gram`."""
        if self._mask is None:
            return full_gram(factors, mode)
        return masked_gram(self._mask, factors, mode, times=self._times, empty=self._empty)

    def squared_residual(self, factors: list[Any]) -> Array:
        """See `Operand.squared_residual`."""
        first, second = halves(self.shape)
        left = khatri_rao([factors[m] for m in first]).swapaxes(1, 2)
        right = khatri_rao([factors[m] for m in second])
        out = self._torch.zeros(left.shape[0], dtype=self._dtype, device=self._device)
        for rows in blocks(tuple(self._matrix.shape), _BLOCK):
            data = self._matrix[rows].to(self._dtype)
            weight = None if self._weights is None else self._placed(self._weights(rows))
            for k in range(len(out)):
                model = left[k, rows] @ right[k]
                difference = data - (model if weight is None else weight * model)
                scaled = difference if weight is None else difference / self._torch.where(weight > 0, weight, 1)
                out[k] += (difference * scaled).sum()
        return self.to_numpy(out)

    def sweep(self, factor: Any, numerator: Any, gram: Any, sweeps: int) -> None:
        """See `Operand.sweep`.

        One component of all rows and restarts at a time: with the rows of G and n divided by the diagonal of G and the
        diagonal taken off, its update is ``max(n - f G, 0)``: two launches.
        """
        torch = self._torch
        diagonal = gram.diagonal(dim1=2, dim2=3)
        share = torch.where(diagonal > 0, 1 / diagonal, 0.0)
        rest = gram * share[:, :, None] - torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        linear = numerator * share
        for _ in range(sweeps):
            for r in range(factor.shape[2]):
                own = factor[:, :, r : r + 1]
                if gram.shape[1] == 1:
                    new = torch.baddbmm(linear[:, :, r : r + 1], factor, rest[:, 0, :, r : r + 1], alpha=-1)
                else:
                    new = linear[:, :, r : r + 1] - (factor * rest[..., r]).sum(2, keepdim=True)
                torch.clamp(new, min=0, out=own)

    def asarray(self, values: Any) -> Any:
        """See `Operand.asarray`."""
        return self._torch.as_tensor(values, dtype=self._dtype, device=self._device)

    def to_numpy(self, values: Any) -> Array:
        """See `Operand.to_numpy`."""
        return np.asarray(values.cpu().numpy(), dtype=np.float64)

    def _times(self, left: Any, matrix: Any, *, transposed: bool) -> Any:
        """As `times_matrix`."""
        if matrix.dtype != self._torch.bool:
            return (left.to(matrix.dtype) @ (matrix.T if transposed else matrix)).to(self._dtype)
        out = self._torch.zeros((len(left), matrix.shape[0 if transposed else 1]), dtype=left.dtype, device=left.device)
        for rows in blocks(tuple(matrix.shape), _BLOCK):
            wide = matrix[rows].to(left.dtype)
            if transposed:
                out[:, rows] = left @ wide.T
            else:
                out += left[:, rows] @ wide
        return out

    def _empty(self, shape: tuple[int, ...]) -> Any:
        return self._torch.empty(shape, dtype=self._dtype, device=self._device)

    def _placed(self, values: NDArray[Any]) -> Any:
        """On the device, no wider than it can be there."""
        if self._device == "mps" and values.dtype == np.float64:
            values = values.astype(np.float32)
        return self._torch.as_tensor(np.require(values, requirements="W"), device=self._device)
