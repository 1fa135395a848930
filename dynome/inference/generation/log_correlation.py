"""Correlation matrices as vectors without constraints, and back.

The entries of the logarithm of a correlation matrix off its diagonal determine the matrix: any numbers there belong to
exactly one correlation matrix, which is positive definite. A model of these vectors therefore cannot make an
impossible connectivity. For two nodes the vector is Fisher's z. Unlike a Cholesky factor it treats all nodes alike, and
unlike the logarithm of a covariance it needs no rescaling afterwards that would change what was modelled.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.connectivity.geometry import mapped, symmetric
from dynome.errors import InputError

Array = NDArray[np.float64]

_MAX_ITERATIONS = 200
_TOLERANCE = 1e-9
_MEMORY = 3  # earlier steps that an extrapolation looks at
_SMALLEST = 1e-10  # eigenvalue of what still counts as positive definite


def pair_positions(n_node: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pairs of a symmetric matrix, below its diagonal.

    Parameters
    ----------
    n_node : int

    Examples
    --------
    >>> [v.tolist() for v in pair_positions(3)]
    [[1, 2, 2], [0, 0, 1]]
    """
    rows, columns = np.tril_indices(n_node, k=-1)
    return rows, columns


def matrices_of(vectors: Array, n_node: int, diagonal: float = 0.0) -> Array:
    """Symmetric matrices from their pairs.

    Parameters
    ----------
    vectors : (..., n_pair)
        In the order of `pair_positions`.
    n_node : int
    diagonal : float
        What stands on the diagonal.

    Returns
    -------
    (..., n_node, n_node)
    """
    rows, columns = pair_positions(n_node)
    out = np.zeros((*vectors.shape[:-1], n_node, n_node))
    out[..., rows, columns] = vectors
    out[..., columns, rows] = vectors
    if diagonal:
        out[..., range(n_node), range(n_node)] = diagonal
    return out


def log_vectors(correlations: Array) -> Array:
    """Entries of the logarithm of each correlation matrix, off the diagonal.

    Parameters
    ----------
    correlations : (n, n_node, n_node)
        Positive definite.

    Returns
    -------
    (n, n_pair)
        In the order of `pair_positions`.

    Raises
    ------
    InputError
        If a matrix is not positive definite.

    Examples
    --------
    >>> bool(np.allclose(log_vectors(np.array([[[1, 0.5], [0.5, 1]]])), np.arctanh(0.5)))
    True
    """
    lowest = np.linalg.eigvalsh(correlations)[:, 0]
    if bad := np.flatnonzero(lowest <= _SMALLEST).tolist():
        raise InputError(
            f"{len(bad)} matrices are not positive definite (positions {bad[:5]}, smallest eigenvalue "
            f"{lowest.min():.1e}): fewer samples than nodes, or nodes that copy others; estimate with shrinkage"
        )
    rows, columns = pair_positions(correlations.shape[-1])
    return np.asarray(mapped(np.log, correlations)[:, rows, columns], dtype=np.float64)


def correlations_of(vectors: Array, n_node: int) -> Array:
    r"""The correlation matrix whose logarithm has these entries off the diagonal: the inverse of `log_vectors`.

    Parameters
    ----------
    vectors : (n, n_pair)
        Any finite numbers, in the order of `pair_positions`.
    n_node : int

    Returns
    -------
    (n, n_node, n_node)
        Symmetric positive definite, ones on the diagonal.

    Raises
    ------
    InputError
        If the diagonal is not found, because numbers are far beyond those of connectivity.

    Notes
    -----
    The diagonal d of the logarithm solves :math:`\mathrm{diag}\, e^{A + \mathrm{diag}(d)} = 1`. The step
    :math:`d \leftarrow d - \log \mathrm{diag}\, e^{A + \mathrm{diag}(d)}` is a contraction [1]_, here sped up by
    extrapolation from the last steps (Anderson). What rounding leaves is divided out: the diagonal is 1 exactly.

    References
    ----------
    .. [1] Archakov & Hansen, Econometrica 2021, doi:10.3982/ECTA16910.

    Examples
    --------
    >>> bool(np.allclose(correlations_of(np.array([[np.arctanh(0.5)]]), 2), [[1, 0.5], [0.5, 1]]))
    True
    """
    logs = matrices_of(vectors, n_node)
    at = range(n_node)
    tried: list[Array] = []
    steps: list[Array] = []
    diagonal = np.zeros((len(logs), n_node))
    for _ in range(_MAX_ITERATIONS):
        logs[:, at, at] = diagonal
        values, axes = np.linalg.eigh(logs)
        step = -np.log(np.einsum("nik,nk->ni", axes**2, np.exp(values)))
        if not step.size or np.abs(step).max() <= _TOLERANCE:
            break
        tried, steps = [*tried, diagonal][-_MEMORY - 1 :], [*steps, step][-_MEMORY - 1 :]
        diagonal = diagonal + step - _extrapolation(tried, steps)
    else:
        raise InputError(f"no correlation matrix found after {_MAX_ITERATIONS} steps; these logarithms are too large")
    full = symmetric(mapped(np.exp, logs))
    scale = np.sqrt(full[:, at, at])
    full /= scale[:, :, None] * scale[:, None, :]
    full[:, at, at] = 1.0
    return np.asarray(full, dtype=np.float64)


def _extrapolation(tried: list[Array], steps: list[Array]) -> Array | float:
    """What Anderson's method subtracts from the next point, for each matrix on its own."""
    if len(steps) < 2:
        return 0.0
    change = np.stack([b - a for a, b in pairwise(steps)], axis=-1)
    moved = np.stack([b - a for a, b in pairwise(tried)], axis=-1) + change
    gram = np.einsum("nik,nil->nkl", change, change)
    gram += (1e-12 * np.trace(gram, axis1=1, axis2=2) + 1e-300)[:, None, None] * np.eye(gram.shape[1])
    share = np.linalg.solve(gram, np.einsum("nik,ni->nk", change, steps[-1])[..., None])
    return np.asarray(np.einsum("nik,nkl->ni", moved, share))
