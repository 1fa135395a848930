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
    """Cholesky factor of a path's precision.

    Attributes
    ----------
    upper : (n_bin, n_group, width, width)
        Transposed factor of the diagonal block.
    link : (n_bin, n_group, width, width)
        Block between the bin before and this one; not set in the first bin of a window.
    half : (n_bin, n_group, width)
        Solution of the forward substitution.
    log_determinant : float
    """

    upper: Array
    link: Array
    half: Array
    log_determinant: float


def factor(
    precision: Array,
    linear: Array,
    latent: Array,
    state: Labels,
    first: NDArray[np.bool_],
    windows: Labels,
    terms: Terms,
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
        First bin, and one past the last; none touches the next within a sequence.
    terms : Terms

    Returns
    -------
    Factor
        Not set outside the windows.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a block is not positive definite in double precision.
    """
    n_bin, (_, n_group, width) = state.size, terms.push.shape
    upper, link = (np.empty((n_bin, n_group, width, width)) for _ in range(2))
    half = np.empty((n_bin, n_group, width))
    unit = (0.0,) * width if width <= _UNROLLED else ()
    total = _forward(precision, linear, latent, state, first, windows, *terms[:5], upper, link, half, unit)
    if not np.isfinite(total):
        raise np.linalg.LinAlgError("the precision of the latents is not positive definite in double precision")
    return Factor(upper, link, half, total)


def solved(of: Factor, half: Array, windows: Labels, out: Array) -> None:
    """Solve back from `half` (n_bin, n_group, width) into the windows of `out`."""
    width = half.shape[2]
    _backward(of.upper, of.link, half, windows, out, (0.0,) * width if width <= _UNROLLED else ())


@njit(**_OPTIONS)
def _forward(
    precision, linear, latent, state, first, windows, inside, tie, before, push, pull, upper, link, half, unit
):  # type: ignore[no-untyped-def]
    n_bin, n_group = half.shape[:2]
    width = len(unit) if len(unit) > 0 else half.shape[2]
    q = precision.shape[2]
    n_block = width // q
    total = 0.0
    for v in range(windows.shape[0]):
        begin, end = windows[v, 0], windows[v, 1]
        for t in range(begin, end):
            enters, leaves = not first[t], t + 1 < n_bin and not first[t + 1]
            s, ahead = state[t], state[t + 1] if leaves else 0
            for g in range(n_group):
                u, h = upper[t, g], half[t, g]
                _load(u, h, enters, leaves, s, ahead, g, inside, before, push, pull, width)
                for b in range(n_block):
                    for i in range(q):
                        h[b * q + i] += linear[t, g * n_block + b, i]
                        for j in range(i, q):
                            u[b * q + i, b * q + j] += precision[t, g * n_block + b, i, j]
                if t > begin:
                    _eliminate(u, h, upper[t - 1, g], half[t - 1, g], tie[s, g], link[t, g], width)
                elif enters:
                    for i in range(width):
                        for j in range(width):
                            h[i] += tie[s, g, i, j] * latent[t - 1, g, j]
                if t + 1 == end and leaves:
                    for i in range(width):
                        for j in range(width):
                            h[j] += tie[ahead, g, i, j] * latent[t + 1, g, i]
                total += _factorise(u, h, width)
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
def _eliminate(u, h, upper, half, tie, link, width):  # type: ignore[no-untyped-def]
    """Subtract what the bin before explains."""
    for i in range(width):
        for j in range(width):
            link[i, j] = tie[j, i]
        for k in range(i):
            for j in range(width):
                link[i, j] -= upper[k, i] * link[k, j]
        scale = 1.0 / upper[i, i]
        for j in range(width):
            link[i, j] *= scale
        for j in range(width):
            h[j] += link[i, j] * half[i]
    for k in range(width):
        for i in range(width):
            for j in range(i, width):
                u[i, j] -= link[k, i] * link[k, j]


@njit(inline="always", **_OPTIONS)
def _factorise(u, h, width):  # type: ignore[no-untyped-def]
    """Cholesky in place and forward substitution; returns the log determinant (NaN where there is none)."""
    total = 0.0
    for k in range(width):
        total += np.log(u[k, k])
        root = np.sqrt(u[k, k])
        scale = 1.0 / root
        u[k, k] = root
        for j in range(k + 1, width):
            u[k, j] *= scale
        h[k] *= scale
        for i in range(k + 1, width):
            h[i] -= u[k, i] * h[k]
            for j in range(i, width):
                u[i, j] -= u[k, i] * u[k, j]
    return total


@njit(**_OPTIONS)
def _backward(upper, link, half, windows, out, unit):  # type: ignore[no-untyped-def]
    n_group = half.shape[1]
    width = len(unit) if len(unit) > 0 else half.shape[2]
    for v in range(windows.shape[0]):
        begin, end = windows[v, 0], windows[v, 1]
        for t in range(end - 1, begin - 1, -1):
            for g in range(n_group):
                x, u = out[t, g], upper[t, g]
                for i in range(width - 1, -1, -1):
                    value = half[t, g, i]
                    if t + 1 < end:
                        for j in range(width):
                            value += link[t + 1, g, i, j] * out[t + 1, g, j]
                    for j in range(i + 1, width):
                        value -= u[i, j] * x[j]
                    x[i] = value / u[i, i]
