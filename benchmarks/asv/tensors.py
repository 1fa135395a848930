"""Kernels of the tensor factorisations: time and peak memory of one call."""

from __future__ import annotations

import numpy as np

from dynome.dynamics.tensor.hals import factorize
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.starts import random_factors

SHAPE, RANK = (120, 60, 300), 8


class Dense:
    """One iteration, from one start and from many, in both precisions."""

    params = ([1, 10], ["float64", "float32"])
    param_names = ("n_restarts", "dtype")

    def setup(self, n_restarts: int, dtype: str) -> None:
        x = np.random.default_rng(0).random(SHAPE)
        self.x = x.astype(dtype)
        self.operand = DenseOperand(self.x)
        generators = [np.random.default_rng(k) for k in range(n_restarts)]
        self.factors = random_factors(SHAPE, RANK, float(np.linalg.norm(x)), generators)
        factorize(self.operand, self.factors, max_iter=1, tol=0.0)  # compiles

    def time_iteration(self, n_restarts: int, dtype: str) -> None:
        factorize(self.operand, self.factors, max_iter=1, tol=0.0)

    def time_numerators(self, n_restarts: int, dtype: str) -> None:
        list(self.operand.numerators(self.factors, range(3)))

    def time_squared_residual(self, n_restarts: int, dtype: str) -> None:
        self.operand.squared_residual(self.factors)

    def peakmem_iteration(self, n_restarts: int, dtype: str) -> None:
        factorize(self.operand, self.factors, max_iter=1, tol=0.0)


class Masked:
    """Gram matrices over observed entries."""

    params = ("block", "entries", "weights")
    param_names = ("mask",)

    def setup(self, mask: str) -> None:
        rng = np.random.default_rng(0)
        shape = (1, *SHAPE[1:]) if mask == "block" else SHAPE
        self.mask = rng.random(shape) if mask == "weights" else rng.random(shape) > 0.2
        self.x = rng.random(SHAPE)
        self.operand = DenseOperand(self.x, self.mask)
        self.factors = [rng.random((1, n, RANK)) for n in SHAPE]
        factorize(self.operand, self.factors, max_iter=1, tol=0.0)

    def time_prepare(self, mask: str) -> None:
        DenseOperand(self.x, self.mask)

    def time_grams(self, mask: str) -> None:
        for mode in range(3):
            self.operand.gram(self.factors, mode)

    def time_iteration(self, mask: str) -> None:
        factorize(self.operand, self.factors, max_iter=1, tol=0.0)

    def peakmem_iteration(self, mask: str) -> None:
        factorize(self.operand, self.factors, max_iter=1, tol=0.0)
