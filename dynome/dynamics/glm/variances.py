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


def shared_variance(gram: Array, share: Array, precision: Array, free: NDArray[np.bool_]) -> Array:
    r"""Diagonal of :math:`(c_{sn} G_s + \mathrm{diag}(\bar\tau_s))^{-1}`: what `summed_variance` is about, cheaply.

    Parameters
    ----------
    gram : (n_state, n_feature, n_feature)
        Mean information of a state's targets, :math:`G`.
    share : (n_state, n_target)
        How much of it a target has, :math:`c`.
    precision : (n_state, n_target, n_feature)
        Of the prior; :math:`\bar\tau` is its mean over targets.
    free : (n_target, n_feature)
        Which coefficients exist.

    Returns
    -------
    (n_state, n_target, n_feature)
        0 for what is not free; infinite where nothing is known.
    """
    out = np.zeros(precision.shape)
    for s in range(gram.shape[0]):
        matrix = gram[s] + np.diag(precision[s].mean(axis=0))
        scale = np.sqrt(np.diag(matrix))
        blind = ~(scale > 0)
        scale[blind] = 1.0
        matrix = matrix / np.outer(scale, scale)
        matrix[np.diag_indices_from(matrix)] = 1.0 + 1e-8
        inverse = np.where(blind, np.inf, np.diag(np.linalg.inv(matrix)) / scale**2)
        out[s] = inverse / np.maximum(share[s], 1e-12)[:, None]
    return np.where(free, out, 0.0)
