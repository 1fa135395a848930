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
    """Geometric mean of symmetric positive definite matrices.

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
        If it is not found, which takes covariances that are nearly singular.
    """
    mean: Array = covariances.mean(axis=0)
    step, before = 1.0, np.inf
    for _ in range(_MAX_ITERATIONS):
        here = roots(mean)
        gradient = whitened_logs(covariances, here.inverse).mean(axis=0)
        norm = float(np.linalg.norm(gradient))
        if norm <= _TOLERANCE * len(mean):
            return mean
        if norm > before:
            step /= 2
        before = min(norm, before)
        mean = symmetric(here.root @ mapped(np.exp, step * gradient) @ here.root)
    raise InputError(
        f"no geometric mean after {_MAX_ITERATIONS} steps (gradient {norm:.1e}): some covariances are nearly singular; "
        "drop nodes that copy others, or standardize them"
    )
