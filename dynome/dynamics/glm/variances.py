"""Variances of coefficients, from what likelihood and prior know of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def summed_variance(information: Array, precision: Array, free: NDArray[np.bool_], sums: Array) -> Array:
    r"""Diagonal of :math:`S (I + \mathrm{diag}(\tau))^{-1} S^T` of every (state, target).

    Parameters
    ----------
    information : (n_state, n_target, n_feature, n_feature)
        As `curvature` gives it.
    precision : (n_state, n_target, n_feature)
        Of the prior.
    free : (n_target, n_feature)
        Which coefficients exist; the others are known to be 0.
    sums : (n_sum, n_feature)
        Linear combinations.

    Returns
    -------
    (n_state, n_target, n_sum)
        Infinite where a combination has a part that data and prior say nothing about.
    """
    n_state, n_target, _ = precision.shape
    out = np.zeros((n_state, n_target, sums.shape[0]))
    for s in range(n_state):
        for n in range(n_target):
            use = np.flatnonzero(free[n])
            block = information[s, n][np.ix_(use, use)] + np.diag(precision[s, n, use])
            scale = np.sqrt(np.diag(block))
            blind = ~(scale > 0)
            scale[blind] = 1.0
            block = block / np.outer(scale, scale)
            block[np.diag_indices_from(block)] = 1.0 + 1e-12
            part = sums[:, use] / scale
            solved = np.linalg.solve(block, part.T) if use.size else part.T
            out[s, n] = np.einsum("kp,pk->k", part, solved)
            out[s, n][(np.abs(sums[:, use[blind]]) > 0).any(axis=1)] = np.inf
    return out
