"""Variances of coefficients, from what likelihood and prior know of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DAMPING = 1e-12  # of a unit diagonal


def summed_variance(information: Array, precision: Array, free: NDArray[np.bool_], sums: Array | None = None) -> Array:
    r"""Diagonal of :math:`S (I + \mathrm{diag}(\tau))^{-1} S^T` of every (state, target).

    Parameters
    ----------
    information : (n_state, n_target, n_feature, n_feature)
        As `curvature` gives it.
    precision : (n_state, n_target, n_feature)
        Of the prior.
    free : (n_target, n_feature)
        Which coefficients exist; the others are known to be 0.
    sums : (n_sum, n_feature) or None
        Linear combinations; None takes each coefficient by itself.

    Returns
    -------
    (n_state, n_target, n_sum)
        Infinite where a combination has a part that data and prior say nothing about.
    """
    both = free[:, :, None] & free[:, None, :]
    out = []
    for own, prior in zip(information, precision, strict=True):
        matrix = np.where(both, own, 0.0)
        np.einsum("npp->np", matrix)[...] += np.where(free, prior, 0.0)
        diagonal = np.einsum("npp->np", matrix)
        known = diagonal > 0
        scale = np.where(known, 1 / np.sqrt(np.where(known, diagonal, 1.0)), 0.0)
        matrix *= scale[:, :, None] * scale[:, None, :]
        np.einsum("npp->np", matrix)[...] = 1.0 + _DAMPING
        inverse = np.linalg.inv(matrix) * (scale[:, :, None] * scale[:, None, :])
        found = np.einsum("npp->np", inverse) if sums is None else np.einsum("kp,npq,kq->nk", sums, inverse, sums)
        blind = free & ~known
        lost = (found < 0) | (blind if sums is None else blind @ (sums.T != 0))  # below 0 by rounding alone
        out.append(np.where(lost, np.inf, found))
    return np.stack(out)


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
