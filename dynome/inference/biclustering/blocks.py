"""Gaussian paths whose precision is block tridiagonal: compiled passes over bins, forward and back.

A path of latents is Markov: given the auxiliary variables its precision has one diagonal block a bin and one block
below it that couples the bin to its predecessor. The forward pass factorises (Cholesky, the factor is upper: what is
stored is contiguous where it is read), the backward pass solves. Windows are independent of each other given what lies
between them: a window that does not begin a sequence is tied to the fixed bin before it, and so behind it.

The width of a block comes as the length of a tuple, so that small widths are compiled with their loops unrolled; an
empty tuple stands for any width.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Flags = NDArray[np.bool_]

_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc", "nsz"}}
_UNROLLED = 4  # widest block that is compiled for its width


class Terms(NamedTuple):
    """What the dynamics of every state add to the precision of a path and to its linear term.

    Attributes
    ----------
    inside : (n_state, n_group, width, width)
        Inverse noise: of a bin that is entered in the state.
    link : (n_state, n_group, width, width)
        Inverse noise times matrix: minus the block between a bin and the one before it.
    before : (n_state, n_group, width, width)
        Of the bin from which the state is entered.
    push, pull : (n_state, n_group, width)
        Linear terms of the bin entered, and (to be subtracted) of the bin before.
    constant : (n_state, n_group)
        Log density of a transition at zero, without the power of two pi.
    """

    inside: Array
    link: Array
    before: Array
    push: Array
    pull: Array
    constant: Array


class Factor(NamedTuple):
    """Cholesky factor of a path's precision, and the forward substitution.

    Attributes
    ----------
    upper : (n_bin, n_group, width, width)
        Transposed factor of the diagonal block; what is below the diagonal is not set.
    half : (n_bin, n_group, width)
        Solution of the forward substitution.
    log_determinant : float
    """

    upper: Array
    half: Array
    log_determinant: float


def factor(
    precision: Array, linear: Array, latent: Array, state: Labels, first: Flags, windows: Labels, terms: Terms
) -> Factor:
    """Factorise the precision of the bins in `windows` given the others.

    Parameters
    ----------
    precision : (n_bin, n_block, q, q)
        Of the latents given what is observed; several blocks may share a group.
    linear : (n_bin, n_block, q)
    latent : (n_bin, n_group, width)
        Read outside the windows only.
    state : (n_bin,)
    first : (n_bin,)
        Whether the bin begins a sequence.
    windows : (n_window, 2)
        First bin, and one past the last; none touches the next, unless a sequence begins there.
    terms : Terms

    Returns
    -------
    Factor
        Zero outside the windows.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a block is not positive definite in double precision.
    """
    upper, half = np.empty((state.size, *terms.link.shape[1:])), np.zeros((state.size, *terms.push.shape[1:]))
    precision, linear = np.ascontiguousarray(precision), np.ascontiguousarray(linear)
    total = _forward(precision, linear, latent, state, first, windows, *terms[:5], upper, half, _unit(half))
    if not np.isfinite(total):
        raise np.linalg.LinAlgError("the precision of the latents is not positive definite in double precision")
    return Factor(upper, half, total)


def solve(of: Factor, half: Array, state: Labels, first: Flags, windows: Labels, terms: Terms, out: Array) -> None:
    """Solve back from `half` (n_bin, n_group, width) into the windows of `out`."""
    _backward(of.upper, half, state, first, windows, terms.link, out, _unit(half))


def _unit(half: Array) -> tuple[float, ...]:
    return (0.0,) * half.shape[2] if half.shape[2] <= _UNROLLED else ()


@njit(**_OPTIONS)
def _forward(precision, linear, latent, state, first, windows, inside, link, before, push, pull, upper, half, unit):  # type: ignore[no-untyped-def]
    n_bin, n_group = half.shape[:2]
    width = len(unit) if len(unit) > 0 else half.shape[2]
    q = precision.shape[2]
    tied, explained = np.empty((width, width)), np.empty((width, width))
    total = 0.0
    for v in range(windows.shape[0]):
        begin, end = windows[v, 0], windows[v, 1]
        for t in range(begin, end):
            enters, leaves = not first[t], t + 1 < n_bin and not first[t + 1]
            s, ahead = state[t], state[t + 1] if leaves else 0
            for g in range(n_group):
                u, h = upper[t, g], half[t, g]
                _load(u, h, enters, leaves, s, ahead, g, inside, before, push, pull, width)
                _observe(u, h, precision[t], linear[t], g * (width // q))
                if t > begin and enters:
                    if len(unit) > 0:
                        _eliminate(u, h, upper[t - 1, g], half[t - 1, g], link[s, g], tied, width)
                    else:
                        _eliminate_wide(u, h, upper[t - 1, g], half[t - 1, g], link[s, g], tied, explained, width)
                elif enters:
                    _tie_to_last(h, link[s, g], latent[t - 1, g], width)
                if t + 1 == end and leaves:
                    _tie_to_next(h, link[ahead, g], latent[t + 1, g], width)
                if len(unit) > 0:
                    total += _factorise(u, h, width)
                else:
                    total += _factorise_wide(u, h, width)
    return total


@njit(inline="always", **_OPTIONS)
def _load(u, h, enters, leaves, s, ahead, g, inside, before, push, pull, width):  # type: ignore[no-untyped-def]
    """Diagonal block and linear term of the prior; only what is on and above the diagonal."""
    for i in range(width):
        h[i] = push[s, g, i] if enters else 0.0
        if enters:
            for j in range(i, width):
                u[i, j] = inside[s, g, i, j]
        else:
            for j in range(i, width):
                u[i, j] = 0.0
            u[i, i] = 1.0
        if leaves:
            h[i] -= pull[ahead, g, i]
            for j in range(i, width):
                u[i, j] += before[ahead, g, i, j]


@njit(inline="always", **_OPTIONS)
def _observe(u, h, precision, linear, begin):  # type: ignore[no-untyped-def]
    """Add what is observed, from the block `begin` on."""
    q = precision.shape[1]
    for b in range(h.size // q):
        for i in range(q):
            h[b * q + i] += linear[begin + b, i]
            for j in range(i, q):
                u[b * q + i, b * q + j] += precision[begin + b, i, j]


@njit(inline="always", **_OPTIONS)
def _tie_to_last(h, link, latent, width):  # type: ignore[no-untyped-def]
    """The bin before is fixed."""
    for i in range(width):
        for j in range(width):
            h[i] += link[i, j] * latent[j]


@njit(inline="always", **_OPTIONS)
def _tie_to_next(h, link, latent, width):  # type: ignore[no-untyped-def]
    """The bin after is fixed."""
    for i in range(width):
        for j in range(width):
            h[j] += link[i, j] * latent[i]


@njit(inline="always", **_OPTIONS)
def _eliminate(u, h, upper, half, link, tied, width):  # type: ignore[no-untyped-def]
    """Subtract what the bin before explains."""
    for i in range(width):
        scale = 1.0 / upper[i, i]
        for j in range(width):
            value = link[j, i]
            for k in range(i):
                value -= upper[k, i] * tied[k, j]
            tied[i, j] = value * scale
            h[j] += tied[i, j] * half[i]
    for i in range(width):
        for j in range(i, width):
            value = u[i, j]
            for k in range(width):
                value -= tied[k, i] * tied[k, j]
            u[i, j] = value


@njit(inline="always", **_OPTIONS)
def _factorise(u, h, width):  # type: ignore[no-untyped-def]
    """Cholesky in place and forward substitution; returns the log determinant (NaN where there is none)."""
    product = 1.0
    for k in range(width):
        for j in range(k, width):
            value = u[k, j]
            for i in range(k):
                value -= u[i, k] * u[i, j]
            u[k, j] = value
        product *= u[k, k]
        if u[k, k] <= 0.0:
            product = np.nan
        u[k, k] = np.sqrt(u[k, k])
        scale = 1.0 / u[k, k]
        value = h[k]
        for i in range(k):
            value -= u[i, k] * h[i]
        h[k] = value * scale
        for j in range(k + 1, width):
            u[k, j] *= scale
    return np.log(product)


@njit(inline="always", **_OPTIONS)
def _subtract_rows(row, weights, i, rows, begin, end, j0):  # type: ignore[no-untyped-def]
    """``row[j0:] -= weights[begin:end, i] @ rows[begin:end, j0:]``, eight rows at once as far as they go."""
    width, whole = row.size, begin + (end - begin) // 8 * 8
    for k in range(begin, whole, 8):
        a, b, c, d = weights[k, i], weights[k + 1, i], weights[k + 2, i], weights[k + 3, i]
        e, f, g, h = weights[k + 4, i], weights[k + 5, i], weights[k + 6, i], weights[k + 7, i]
        for j in range(j0, width):
            row[j] -= (a * rows[k, j] + b * rows[k + 1, j] + c * rows[k + 2, j] + d * rows[k + 3, j]) + (
                e * rows[k + 4, j] + f * rows[k + 5, j] + g * rows[k + 6, j] + h * rows[k + 7, j]
            )
    for k in range(whole, end):
        a = weights[k, i]
        for j in range(j0, width):
            row[j] -= a * rows[k, j]


@njit(inline="always", **_OPTIONS)
def _eliminate_wide(u, h, upper, half, link, tied, explained, width):  # type: ignore[no-untyped-def]
    """As `_eliminate`, for blocks that are worth a matrix product."""
    for i in range(width):
        row = tied[i]
        for j in range(width):
            row[j] = link[j, i]
        _subtract_rows(row, upper, i, tied, 0, i, 0)
        scale = 1.0 / upper[i, i]
        for j in range(width):
            row[j] *= scale
            h[j] += row[j] * half[i]
    np.dot(tied.T, tied, explained)
    for i in range(width):
        for j in range(i, width):
            u[i, j] -= explained[i, j]


@njit(inline="always", **_OPTIONS)
def _factorise_wide(u, h, width):  # type: ignore[no-untyped-def]
    """As `_factorise`, by rows."""
    total = 0.0
    for k in range(width):
        row = u[k]
        _subtract_rows(row, u, k, u, 0, k, k)
        total += np.log(row[k])
        scale = 1.0 / np.sqrt(row[k])
        for j in range(k, width):
            row[j] *= scale
        value = h[k]
        for i in range(k):
            value -= u[i, k] * h[i]
        h[k] = value * scale
    return total


@njit(**_OPTIONS)
def _backward(upper, half, state, first, windows, link, out, unit):  # type: ignore[no-untyped-def]
    """In each bin what the next one pulls is brought through the factor, added to `half`, and solved."""
    n_group = half.shape[1]
    width = len(unit) if len(unit) > 0 else half.shape[2]
    pulled = np.zeros(width)
    for v in range(windows.shape[0]):
        begin, end = windows[v, 0], windows[v, 1]
        for t in range(end - 1, begin - 1, -1):
            for g in range(n_group):
                x, u = out[t, g], upper[t, g]
                pulled[:] = 0.0
                if t + 1 < end and not first[t + 1]:
                    for i in range(width):
                        for j in range(width):
                            pulled[j] += link[state[t + 1], g, i, j] * out[t + 1, g, i]
                for i in range(width):
                    pulled[i] /= u[i, i]
                    for j in range(i + 1, width):
                        pulled[j] -= u[i, j] * pulled[i]
                for i in range(width - 1, -1, -1):
                    value = half[t, g, i] + pulled[i]
                    for j in range(i + 1, width):
                        value -= u[i, j] * x[j]
                    x[i] = value / u[i, i]
