r"""What past and future say about the latents of one bin, with all other latents integrated out.

Both are Gaussian in information form, :math:`\exp(h^\top x - \tfrac12 x^\top \Lambda x)`. To pass a bin is to
eliminate its latents from a precision of two blocks: a Cholesky factorisation, and the Schur complement that it leaves
in the next block. A stretch of bins can thus be tried under another state without drawing a latent: the past is carried
through it, and meets the future at its end.

Matrices are read and written on and above the diagonal only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from dynome.inference.biclustering.model import Array, Dynamics

_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc", "nsz"}}


class Links(NamedTuple):
    """Log density of a transition under every state, as a quadratic form of the bins before and after it.

    Attributes
    ----------
    after, before : (n_state, n_group, width, width)
        Precision of the bin entered and of the bin left, without the other.
    forth, back : (n_state, n_group, width, width)
        Coupling between them; rows are the bin before, and the bin after.
    push, pull : (n_state, n_group, width)
        Linear terms of the bin entered and of the bin left.
    constant : (n_state,)
        Without the power of two pi.
    """

    after: Array
    before: Array
    forth: Array
    back: Array
    push: Array
    pull: Array
    constant: Array


class Seen(NamedTuple):
    """What is observed, given the auxiliary variables.

    Attributes
    ----------
    precision : (n_bin, n_cluster, q, q)
    linear : (n_bin, n_cluster, q)
    """

    precision: Array
    linear: Array


def links_of(dynamics: Dynamics) -> Links:
    """Quadratic forms of the transitions under every state.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the noise of a state is not positive definite in double precision.
    """
    inverse_root = np.linalg.inv(np.linalg.cholesky(dynamics.noise))
    turned = inverse_root.swapaxes(-1, -2)
    a, b = inverse_root @ dynamics.matrix, inverse_root @ dynamics.offset[..., None]
    after, back = turned @ inverse_root, turned @ a
    before, forth = a.swapaxes(-1, -2) @ a, np.ascontiguousarray(back.swapaxes(-1, -2))
    log_root = np.log(np.diagonal(inverse_root, axis1=-2, axis2=-1)).sum((-2, -1))
    constant = log_root - 0.5 * np.sum(b**2, axis=(-3, -2, -1))
    return Links(after, before, forth, back, (turned @ b)[..., 0], -(a.swapaxes(-1, -2) @ b)[..., 0], constant)


@njit(**_OPTIONS)
def open_sequence(seen, t, matrix, vector):  # type: ignore[no-untyped-def]
    """Set the past of the first bin of a sequence: its standard normal prior and what is seen in it."""
    matrix[:] = 0.0
    vector[:] = 0.0
    for g in range(vector.shape[0]):
        for i in range(vector.shape[1]):
            matrix[g, i, i] = 1.0
        _see(seen, t, g, matrix[g], vector[g])


@njit(**_OPTIONS)
def carry_forth(links, seen, t, label, matrix, vector, work):  # type: ignore[no-untyped-def]
    """Carry the past of bin t - 1 to bin t, what is seen there included, in place; its log density is returned.

    `work` is (3, width, width).
    """
    total = links.constant[label]
    width = vector.shape[1]
    for g in range(vector.shape[0]):
        m, v, left, tie, h = matrix[g], vector[g], work[0], work[1], work[2, 0]
        for i in range(width):
            h[i] = v[i] + links.pull[label, g, i]
            v[i] = links.push[label, g, i]
            for j in range(i, width):
                left[i, j] = m[i, j] + links.before[label, g, i, j]
                m[i, j] = links.after[label, g, i, j]
            for j in range(width):
                tie[i, j] = links.forth[label, g, i, j]
        total += _eliminate(left, h, tie, m, v)
        _see(seen, t, g, m, v)
    return total


@njit(**_OPTIONS)
def carry_back(links, seen, t, label, matrix, vector, work):  # type: ignore[no-untyped-def]
    """Carry the future of bin t, what is seen there added, to bin t - 1, in place; its log density is returned."""
    total = links.constant[label]
    width = vector.shape[1]
    for g in range(vector.shape[0]):
        m, v, left, tie, h = matrix[g], vector[g], work[0], work[1], work[2, 0]
        _see(seen, t, g, m, v)
        for i in range(width):
            h[i] = v[i] + links.push[label, g, i]
            v[i] = links.pull[label, g, i]
            for j in range(i, width):
                left[i, j] = m[i, j] + links.after[label, g, i, j]
                m[i, j] = links.before[label, g, i, j]
            for j in range(width):
                tie[i, j] = links.back[label, g, i, j]
        total += _eliminate(left, h, tie, m, v)
    return total


@njit(**_OPTIONS)
def meet(past_matrix, past_vector, matrix, vector, work):  # type: ignore[no-untyped-def]
    """Log density of all that is seen, where past and future of a bin meet."""
    total = 0.0
    width = vector.shape[1]
    for g in range(vector.shape[0]):
        left, h = work[0], work[2, 0]
        for i in range(width):
            h[i] = past_vector[g, i] + vector[g, i]
            for j in range(i, width):
                left[i, j] = past_matrix[g, i, j] + matrix[g, i, j]
        total += _integral(left, h)
    return total


@njit(inline="always", **_OPTIONS)
def _see(seen, t, g, matrix, vector):  # type: ignore[no-untyped-def]
    """Add what is observed in a bin."""
    q = seen.linear.shape[2]
    n_block = vector.size // q
    for b in range(n_block):
        for i in range(q):
            vector[b * q + i] += seen.linear[t, g * n_block + b, i]
            for j in range(i, q):
                matrix[b * q + i, b * q + j] += seen.precision[t, g * n_block + b, i, j]


@njit(**_OPTIONS)
def _eliminate(left, h, tie, matrix, vector):  # type: ignore[no-untyped-def]
    """Integrate the block `left` out of a precision; `matrix` and `vector` of the other block are updated."""
    width = h.size
    total = 0.0
    for k in range(width):
        pivot = left[k, k]
        if not pivot > 0.0:
            return -np.inf  # lost to rounding
        total -= math.log(pivot)
        scale = 1.0 / math.sqrt(pivot)
        for j in range(k, width):
            left[k, j] *= scale
        for j in range(width):
            tie[k, j] *= scale
        h[k] *= scale
        for i in range(k + 1, width):
            f = left[k, i]
            for j in range(i, width):
                left[i, j] -= f * left[k, j]
            for j in range(width):
                tie[i, j] -= f * tie[k, j]
            h[i] -= f * h[k]
        total += h[k] * h[k]
        for i in range(width):
            f = tie[k, i]
            vector[i] += f * h[k]
            for j in range(i, width):
                matrix[i, j] -= f * tie[k, j]
    return 0.5 * total


@njit(**_OPTIONS)
def _integral(left, h):  # type: ignore[no-untyped-def]
    """Log integral of exp(h x - x left x / 2), without the power of two pi."""
    width = h.size
    total = 0.0
    for k in range(width):
        pivot = left[k, k]
        if not pivot > 0.0:
            return -np.inf
        total += h[k] * h[k] / pivot - math.log(pivot)
        for i in range(k + 1, width):
            f = left[k, i] / pivot
            h[i] -= f * h[k]
            for j in range(i, width):
                left[i, j] -= f * left[k, j]
    return 0.5 * total
