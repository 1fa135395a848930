"""Covariance of the coefficients of one target, with what hidden states take away from the information."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag, solve_triangular

Array = NDArray[np.float64]

MOST_MISSING = 0.99  # share of the information that may be missing in any direction
_RIDGE = 1e-12


class Covariance(NamedTuple):
    """What is known of the coefficients of one target in all states.

    Attributes
    ----------
    matrix : (n_state * n_feature, n_state * n_feature)
        0 for what is not free; infinite variance, 0 covariance, for what neither data nor prior tell.
    n_floored : int
        Directions in which more than 99 % of the information was missing, and 99 % were taken.
    """

    matrix: Array
    n_floored: int


def covariance(
    information: Array, precision: Array, missing: Array | None, free: NDArray[np.bool_], *, shared_bias: bool
) -> Covariance:
    """Inverse of complete information plus prior precision minus missing information.

    Parameters
    ----------
    information : (n_state, n_feature, n_feature)
        Had the states been seen.
    precision : (n_state, n_feature)
        Of the prior.
    missing : (n_state * n_feature, n_state * n_feature) or None
        What the hidden states take away; None takes nothing.
    free : (n_feature,)
        Coefficients that were fitted.
    shared_bias : bool
        Whether the first coefficient is one for all states.

    Returns
    -------
    Covariance
    """
    n_state = precision.shape[0]
    complete = block_diag(*(i + np.diag(p) for i, p in zip(information, precision, strict=True)))
    spread = _spread(free, n_state, shared_bias)
    complete = spread.T @ complete @ spread
    size = np.diag(complete)
    told = size > 0
    scale = np.where(told, 1 / np.sqrt(np.where(told, size, 1.0)), 0.0)[told]
    unit = complete[np.ix_(told, told)] * np.outer(scale, scale)
    unit[np.diag_indices_from(unit)] = 1 + _RIDGE
    inverse = solve_triangular(np.linalg.cholesky(unit), np.eye(scale.size), lower=True) if scale.size else unit
    n_floored = 0
    if missing is not None and scale.size:
        lost = (spread.T @ missing @ spread)[np.ix_(told, told)] * np.outer(scale, scale)
        share, vectors = np.linalg.eigh(inverse @ lost @ inverse.T)
        n_floored = int((share > MOST_MISSING).sum())
        kept = 1 - np.clip(share, 0.0, MOST_MISSING)
        inverse = (vectors / np.sqrt(kept)).T @ inverse
    known = inverse.T @ inverse * np.outer(scale, scale)
    small = np.diag(np.where(told, 0.0, np.inf)) if not told.all() else np.zeros((told.size, told.size))
    small[np.ix_(told, told)] = known
    return Covariance(_widened(small, spread), n_floored)


def _spread(free: NDArray[np.bool_], n_state: int, shared_bias: bool) -> Array:
    """(n_state * n_feature, n_parameter): which coefficients a free parameter is."""
    columns = np.eye(n_state * free.size)[:, np.tile(free, n_state)]
    if not (shared_bias and free[0]):
        return columns
    biases = np.arange(n_state) * int(free.sum())
    rest = np.delete(columns, biases, axis=1)
    return np.concatenate([columns[:, biases].sum(axis=1, keepdims=True), rest], axis=1)


def _widened(small: Array, spread: Array) -> Array:
    """Covariance of all coefficients from that of the parameters: every coefficient is one parameter or none."""
    of = np.where(spread.any(axis=1), spread.argmax(axis=1), -1)
    out = np.zeros((of.size, of.size))
    there = np.flatnonzero(of >= 0)
    out[np.ix_(there, there)] = small[np.ix_(of[there], of[there])]
    return out
