r"""How the density of a path, its dynamics integrated out, changes when its latents are scaled, shifted or sheared.

The transitions into a state have, up to a constant, the density
:math:`|K|^{-w/2}\, |S|^{-\nu/2}` with :math:`K = \kappa I + \sum z z^\top` of the regressors
:math:`z = (X_{t-1}, 1)` and :math:`S = \sigma I + \sum d d^\top - V K V^\top` of the increments
:math:`d = X_t - X_{t-1}`, :math:`V` their regression. A change :math:`z' = B z`, :math:`d' = D d` gives

.. math::
    |K'| = |B|^2\, |K + \kappa U C U^\top|, \qquad |S'| = |D|^2\, |S + \sigma U C_d U^\top + V U E U^\top V^\top|

with :math:`U` two unit vectors, :math:`C = B^{-1} B^{-\top} - I` on them and
:math:`E = \kappa C (I + \kappa P C)^{-1}`, :math:`P` the block of :math:`K^{-1}`. So a value costs one small
determinant a state, and the inverses are kept up to date as they change by a matrix of rank four.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.inference.biclustering.model import Array

_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc"}}
_WIDTH = 0.5  # first guess of the length of a slice
_LEAST = 1e-12  # a slice that has shrunk to this holds the present point only


class Evidence(NamedTuple):
    """What the transitions into every state say, for one group; `walk` keeps it up to date in place.

    Attributes
    ----------
    inverse : (n_state, width + 1, width + 1)
        Of K.
    slope : (n_state, width, width + 1)
        V.
    inverse_scale : (n_state, width, width)
        Of S.
    """

    inverse: Array
    slope: Array
    inverse_scale: Array


class Steps(NamedTuple):
    """Moves of one cluster, in their order.

    Attributes
    ----------
    into : (n_step,)
        The latent that changes: 0 is the common rate.
    source : (n_step,)
        What is added to it: 0 is the constant, else a factor; -1: none, the latent is scaled.
    mean, sd : (n_step,)
        Prior of the coefficients that give way.
    """

    into: NDArray[np.int64]
    source: NDArray[np.int64]
    mean: Array
    sd: Array


@njit(**_OPTIONS)
def walk(evidence, degrees, steps, offset, coefficient, first, n_bin, turn, prior, rng):  # type: ignore[no-untyped-def]
    """Make all steps of one cluster, in place.

    Parameters
    ----------
    evidence : Evidence
    degrees : (n_state,)
    steps : Steps
    offset : int
        Position of the cluster's common rate in the group.
    coefficient : (n_member, q)
        Of its nodes.
    first : (n_sequence, q)
        Its latents in the first bins.
    n_bin : int
    turn : (q, q + 1)
        What has been done to the latents: matrix, then shift.
    prior : (float, float)
        Precision of the columns of [A b], scale of the noise.
    rng : numpy Generator
    """
    n_state, width = evidence.slope.shape[:2]
    block, inner = np.empty((n_state, 2, 2)), np.empty((n_state, 4, 4))
    spare = np.empty((4, width))
    for k in range(steps.into.size):
        i, j = steps.into[k], steps.source[k]
        row, column = offset + i, offset + j
        if j <= 0:
            column = width if j == 0 else row
        _inner_products(evidence, row, column, block, inner, spare)
        line = _line(coefficient, first, i, j, n_bin, steps.mean[k], steps.sd[k])
        value = _slice(j < 0, column < width, block, inner, degrees, width, line, prior, rng)
        _apply(value, i, j, coefficient, first, turn)
        for s in range(n_state):
            _follow(evidence, s, value, j < 0, row, column, block[s], inner[s], prior, spare)


@njit(**_OPTIONS)
def _inner_products(evidence, row, column, block, inner, spare):  # type: ignore[no-untyped-def]
    """Blocks of K^-1, and W' S^-1 W with W the two unit vectors and the slopes on them."""
    n_state, width = evidence.slope.shape[:2]
    for s in range(n_state):
        inverse, slope, scale = evidence.inverse[s], evidence.slope[s], evidence.inverse_scale[s]
        block[s, 0, 0], block[s, 1, 1] = inverse[row, row], inverse[column, column]
        block[s, 0, 1] = block[s, 1, 0] = inverse[row, column]
        _columns(scale, slope, row, column, spare)
        for a in range(4):
            inner[s, 0, a] = spare[a, row]
            inner[s, 1, a] = spare[a, column] if column < width else 0.0
            for b in range(2):
                inner[s, 2 + b, a] = 0.0
                at = row if b == 0 else column
                for c in range(width):
                    inner[s, 2 + b, a] += slope[c, at] * spare[a, c]


@njit(**_OPTIONS)
def _columns(scale, slope, row, column, spare):  # type: ignore[no-untyped-def]
    """S^-1 W, transposed. There is no increment of the constant."""
    width = scale.shape[0]
    for c in range(width):
        spare[0, c] = scale[c, row]
        spare[1, c] = scale[c, column] if column < width else 0.0
        left, right = 0.0, 0.0
        for d in range(width):
            left += scale[c, d] * slope[d, row]
            right += scale[c, d] * slope[d, column]
        spare[2, c], spare[3, c] = left, right


@njit(**_OPTIONS)
def _line(coefficient, first, i, j, n_bin, mean, sd):  # type: ignore[no-untyped-def]
    """What the other priors are along the step: four numbers, see `_log_density`."""
    linear, square, powers, inverse_square = 0.0, 0.0, 0.0, 0.0
    for t in range(first.shape[0]):
        if j < 0:
            square += first[t, i] ** 2
        else:
            source = first[t, j] if j > 0 else 1.0
            linear -= source * first[t, i]
            square += source**2
    if j < 0:
        powers = n_bin - coefficient.shape[0]
    for n in range(coefficient.shape[0]):
        if j < 0:
            inverse_square += (coefficient[n, i] / sd) ** 2
        else:
            loading = coefficient[n, i] if i > 0 else 1.0
            linear += loading * (coefficient[n, j] - mean) / sd**2
            square += (loading / sd) ** 2
    return linear, square, powers, inverse_square


@njit(**_OPTIONS)
def _log_density(value, scales, moves, block, inner, degrees, width, line, prior):  # type: ignore[no-untyped-def]
    """Log density along a step, zero at zero; infinitely small where arithmetic ends."""
    linear, square, powers, inverse_square = line
    if scales:
        total = powers * value - 0.5 * np.expm1(2 * value) * square - 0.5 * np.expm1(-2 * value) * inverse_square
        corner, side = np.expm1(-2 * value), 0.0
    else:
        total = linear * value - 0.5 * square * value**2
        corner, side = value**2, -value
    work = np.empty((4, 4))
    for s in range(degrees.size):
        log_det, e = _small(corner, side, block[s], prior[0])
        _fill(work, inner[s], prior[1] * corner if moves else 0.0, prior[1] * side if moves else 0.0, e)
        log_rest = _log_determinant(work)
        if scales:
            log_det += 2 * value
            log_rest += 2 * value
        total -= 0.5 * width * log_det + 0.5 * degrees[s] * log_rest
    return total if np.isfinite(total) else -np.inf


@njit(**_OPTIONS)
def _small(corner, side, block, kappa):  # type: ignore[no-untyped-def]
    """Log determinant of I + kappa P C, and E, of C = [[corner, side], [side, 0]]."""
    a = 1.0 + kappa * (block[0, 0] * corner + block[0, 1] * side)
    b = kappa * block[0, 0] * side
    c = kappa * (block[0, 1] * corner + block[1, 1] * side)
    d = 1.0 + kappa * block[0, 1] * side
    det = a * d - b * c
    scale = kappa / det
    return np.log(det), (scale * (corner * d - side * c), scale * side * d, -scale * side * b)


@njit(**_OPTIONS)
def _fill(work, inner, corner, side, e):  # type: ignore[no-untyped-def]
    """I + H F with F the blocks [[corner, side], [side, 0]] and E."""
    for a in range(4):
        work[a, 0] = inner[a, 0] * corner + inner[a, 1] * side
        work[a, 1] = inner[a, 0] * side
        work[a, 2] = inner[a, 2] * e[0] + inner[a, 3] * e[1]
        work[a, 3] = inner[a, 2] * e[1] + inner[a, 3] * e[2]
        work[a, a] += 1.0


@njit(**_OPTIONS)
def _log_determinant(work):  # type: ignore[no-untyped-def]
    """Of a positive determinant, by elimination with pivots; destroys its argument."""
    size, det = work.shape[0], 1.0
    for k in range(size):
        best = k
        for i in range(k + 1, size):
            if abs(work[i, k]) > abs(work[best, k]):
                best = i
        if best != k:
            det = -det
            for j in range(k, size):
                work[k, j], work[best, j] = work[best, j], work[k, j]
        det *= work[k, k]
        for i in range(k + 1, size):
            share = work[i, k] / work[k, k]
            for j in range(k + 1, size):
                work[i, j] -= share * work[k, j]
    return np.log(det)


@njit(**_OPTIONS)
def _slice(scales, moves, block, inner, degrees, width, line, prior, rng):  # type: ignore[no-untyped-def]
    """One draw by stepping out and shrinking; the present point is zero."""
    level = np.log(1.0 - rng.random())
    low = -_WIDTH * rng.random()
    high = low + _WIDTH
    while _log_density(low, scales, moves, block, inner, degrees, width, line, prior) > level:
        low -= _WIDTH
    while _log_density(high, scales, moves, block, inner, degrees, width, line, prior) > level:
        high += _WIDTH
    while high - low > _LEAST:
        value = low + (high - low) * rng.random()
        if _log_density(value, scales, moves, block, inner, degrees, width, line, prior) >= level:
            return value
        if value < 0:
            low = value
        else:
            high = value
    return 0.0


@njit(**_OPTIONS)
def _apply(value, i, j, coefficient, first, turn):  # type: ignore[no-untyped-def]
    """Change latents and coefficients so that no predictor changes."""
    if j < 0:
        scale = np.exp(value)
        _scale_row(coefficient.T, i, 1.0 / scale)
        _scale_row(first.T, i, scale)
        _scale_row(turn, i, scale)
        return
    for n in range(coefficient.shape[0]):
        coefficient[n, j] -= value * (coefficient[n, i] if i > 0 else 1.0)
    if j > 0:
        _add_row(first.T, i, j, value)
        _add_row(turn, i, j, value)
    else:
        for t in range(first.shape[0]):
            first[t, i] += value
        turn[i, turn.shape[0]] += value


@njit(**_OPTIONS)
def _follow(evidence, s, value, scales, row, column, block, inner, prior, spare):  # type: ignore[no-untyped-def]
    """Bring the evidence of one state up to date."""
    inverse, slope, scale = evidence.inverse[s], evidence.slope[s], evidence.inverse_scale[s]
    width = scale.shape[0]
    moves = column < width
    corner, side = (np.expm1(-2 * value), 0.0) if scales else (value**2, -value)
    _, e = _small(corner, side, block, prior[0])
    change = np.zeros((4, 4))
    if moves:
        change[0, 0], change[0, 1], change[1, 0] = prior[1] * corner, prior[1] * side, prior[1] * side
    change[2, 2], change[2, 3], change[3, 2], change[3, 3] = e[0], e[1], e[1], e[2]
    weight = _solved(np.eye(4) + change @ inner, change)
    _columns(scale, slope, row, column, spare)
    scale -= spare.T @ (weight @ spare)
    left, right = inverse[row].copy(), inverse[column].copy()
    on_row, on_column = slope[:, row].copy(), slope[:, column].copy()
    for c in range(width + 1):
        to_row, to_column = e[0] * left[c] + e[1] * right[c], e[1] * left[c] + e[2] * right[c]
        for d in range(width + 1):
            inverse[d, c] -= left[d] * to_row + right[d] * to_column
        for d in range(width):
            slope[d, c] -= on_row[d] * to_row + on_column[d] * to_column
    if scales:
        factor = np.exp(value)
        _scale_row(inverse, row, 1.0 / factor)
        _scale_row(inverse.T, row, 1.0 / factor)
        _scale_row(slope.T, row, 1.0 / factor)
        _scale_row(slope, row, factor)
        _scale_row(scale, row, 1.0 / factor)
        _scale_row(scale.T, row, 1.0 / factor)
        return
    _add_row(inverse, column, row, -value)
    _add_row(inverse.T, column, row, -value)
    _add_row(slope.T, column, row, -value)
    if moves:
        _add_row(slope, row, column, value)
        _add_row(scale, column, row, -value)
        _add_row(scale.T, column, row, -value)


@njit(**_OPTIONS)
def _solved(matrix, right):  # type: ignore[no-untyped-def]
    """Solve a small system by elimination with pivots, in place; compiled ten times as fast as a call of LAPACK."""
    size = matrix.shape[0]
    for k in range(size):
        best = k
        for i in range(k + 1, size):
            if abs(matrix[i, k]) > abs(matrix[best, k]):
                best = i
        for c in range(size):
            matrix[k, c], matrix[best, c] = matrix[best, c], matrix[k, c]
            right[k, c], right[best, c] = right[best, c], right[k, c]
        _scale_row(right, k, 1.0 / matrix[k, k])
        _scale_row(matrix, k, 1.0 / matrix[k, k])
        for i in range(size):
            if i != k:
                _add_row(right, i, k, -matrix[i, k])
                _add_row(matrix, i, k, -matrix[i, k])
    return right


@njit(**_OPTIONS)
def _scale_row(matrix, row, factor):  # type: ignore[no-untyped-def]
    for c in range(matrix.shape[1]):
        matrix[row, c] *= factor


@njit(**_OPTIONS)
def _add_row(matrix, into, source, share):  # type: ignore[no-untyped-def]
    for c in range(matrix.shape[1]):
        matrix[into, c] += share * matrix[source, c]
