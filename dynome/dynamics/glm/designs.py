"""The design of a population GLM: bias, filtered past of every node, covariates; made block by block.

A design of many nodes over a long recording does not fit in memory, so blocks of bins are made when they are asked
for. A design below a budget is made once and kept.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dynome.dynamics.glm.histories import filtered

BUDGET = 256 * 2**20  # bytes of a design that is kept whole

Floats = NDArray[np.floating]


class Design:
    """Features of every bin, shared by all targets and states.

    Parameters
    ----------
    y : (n_bin, n_node)
        Activity whose past is filtered. NaN is a missing value.
    kernels : (n_kernel, n_lag)
        Filters of the past, lag 1 first.
    covariates : (n_bin, n_covariate)
        Features that do not come from the past. NaN is a missing value.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins. Before a sequence the past is zero.
    dtype : dtype
        float64 or float32, of features and of the arithmetic on them.
    budget : int
        Bytes up to which the whole design is kept.

    Attributes
    ----------
    n_feature : int
        ``1 + n_node * n_kernel + n_covariate``: bias, couplings (source by source, kernels of a source together),
        covariates.
    usable : (n_bin,) bool
        Whether all features of the bin are known. A bin that is not has no features (zeros besides the bias), and
        its activity counts as missing for every target.

    Examples
    --------
    >>> y = np.array([[1.0], [2.0], [4.0]])
    >>> design = Design(y, np.array([[1.0]]), np.zeros((3, 0)), np.array([0, 3]))
    >>> design.block(0, 3).tolist()
    [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]
    """

    def __init__(
        self,
        y: Floats,
        kernels: NDArray[np.float64],
        covariates: Floats,
        starts: NDArray[np.int64],
        dtype: DTypeLike = np.float64,
        *,
        budget: int = BUDGET,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.kernels, self.starts = np.asarray(kernels, float), np.asarray(starts, np.int64)
        missing, lost = np.isnan(y), np.isnan(covariates)
        self.past = np.where(missing, 0, y).astype(self.dtype) if missing.any() else np.ascontiguousarray(y, self.dtype)
        self.covariates = np.where(lost, 0, covariates).astype(self.dtype)
        self.usable = ~(
            _reached(np.asarray(missing.any(axis=1)), self.kernels.shape[1], self.starts) | lost.any(axis=1)
        )
        self.n_bin, self.n_node = y.shape
        self.n_feature = 1 + self.n_node * self.kernels.shape[0] + covariates.shape[1]
        self._kept = self.n_bin * self.n_feature * self.dtype.itemsize <= budget

    def block(self, a: int, b: int) -> Floats:
        """Features of the bins from `a` to before `b`: ``(b - a, n_feature)``. Not to be written into."""
        return self._whole[a:b] if self._kept else self._made(a, b)

    def refiltered(self, kernels: NDArray[np.float64]) -> Design:
        """The same past through other kernels over as many lags."""
        other = copy(self)
        other.__dict__.pop("_whole", None)
        other.kernels = np.asarray(kernels, float)
        return other

    @cached_property
    def _whole(self) -> Floats:
        return self._made(0, self.n_bin)

    def _made(self, a: int, b: int) -> Floats:
        out = np.empty((b - a, self.n_feature), self.dtype)
        out[:, 0] = 1
        end = self.n_feature - self.covariates.shape[1]
        out[:, end:] = self.covariates[a:b]
        if end > 1:
            filtered(self.past, self.kernels, self.starts, a, b, out[:, 1:end])
        out[~self.usable[a:b], 1:] = 0
        return out


def _reached(missing: NDArray[np.bool_], n_lag: int, starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Bins that have a missing bin among the `n_lag` before them, in their own sequence."""
    out = np.zeros_like(missing)
    if not missing.any():
        return out
    since = np.arange(missing.size) - np.repeat(starts[:-1], np.diff(starts))
    for lag in range(1, min(n_lag, missing.size - 1) + 1):
        out[lag:] |= missing[:-lag] & (since[lag:] >= lag)
    return out
