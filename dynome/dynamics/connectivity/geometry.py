"""Symmetric positive definite matrices as a curved space: roots, logarithms, the geometric mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dynome.dynamics.connectivity.moments import Array
from dynome.errors import InputError

_MAX_ITERATIONS = 200
_TOLERANCE = 1e-10


class Roots(NamedTuple):
    """Square root of a matrix, and its inverse."""

    root: Array
    inverse: Array


def roots(matrix: Array) -> Roots:
    """Square root of a symmetric positive definite matrix, and its inverse."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] <= 0:
        raise InputError("the reference must be positive definite; take it from tangent_connectivity")
    root = np.sqrt(values)
    return Roots((vectors * root) @ vectors.T, (vectors / root) @ vectors.T)


def symmetric(matrices: Array) -> Array:
    """Matrices without the asymmetry of rounding."""
    return (matrices + np.swapaxes(matrices, -1, -2)) / 2


def mapped(function: Callable[[Array], Array], matrices: Array) -> Array:
    """A function of symmetric matrices, by their eigenvalues."""
    values, vectors = np.linalg.eigh(matrices)
    result: Array = (vectors * function(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return result


def whitened_logs(covariances: Array, whitening: Array) -> Array:
    """Logarithm of each covariance between two whitening matrices, (session, node, node)."""
    return symmetric(mapped(_log, symmetric(whitening @ covariances @ whitening)))


def _log(values: Array) -> Array:
    if values.min() <= 0:
        raise InputError("a covariance is not positive definite; drop nodes that copy others, or take more samples")
    return np.log(values)


def geometric_mean(covariances: Array) -> Array:
    r"""Geometric mean of symmetric positive definite matrices.

    Parameters
    ----------
    covariances : (n_session, n_node, n_node)

    Returns
    -------
    (n_node, n_node)
        The matrix from which the logarithms of all add up to zero.

    Raises
    ------
    InputError
        If a matrix is not positive definite, or so nearly singular that the mean is not found.

    Notes
    -----
    Gradient descent along geodesics. Seen from the present mean, the curvature of half the squared distance to a matrix
    lies between 1 and :math:`h = \tfrac{s}{2} \coth \tfrac{s}{2}`, where s is the spread of the eigenvalues of its
    logarithm; the step :math:`2 / (1 + \bar h)` therefore converges, where a step of 1 circles around the mean of
    matrices with very different directions [1]_.

    References
    ----------
    .. [1] Bini & Iannazzo, Linear Algebra and its Applications 2013, doi:10.1016/j.laa.2011.08.052.
    """
    mean: Array = covariances.mean(axis=0)
    for _ in range(_MAX_ITERATIONS):
        here = roots(mean)
        logs = whitened_logs(covariances, here.inverse)
        gradient = logs.mean(axis=0)
        norm = float(np.linalg.norm(gradient))
        if norm <= _TOLERANCE * len(mean):
            return mean
        half = np.maximum(np.ptp(np.linalg.eigvalsh(logs), axis=-1) / 2, 1e-8)
        step = 2 / (1 + float((half / np.tanh(half)).mean()))
        mean = symmetric(here.root @ mapped(np.exp, step * gradient) @ here.root)
    raise InputError(
        f"no geometric mean after {_MAX_ITERATIONS} steps (gradient {norm:.1e}): some covariances are nearly singular; "
        "drop nodes that copy others, or standardize them"
    )
