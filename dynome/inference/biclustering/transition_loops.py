"""Compiled passes over the transitions of a path."""

from __future__ import annotations

import numpy as np
from numba import njit

_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc"}}


@njit(**_OPTIONS)
def add_squares(latent, first, whitening, out):  # type: ignore[no-untyped-def]
    """Subtract half the squared whitened step into each bin, under every state.

    Four bins share a pass over the whitening matrices, and the states of a row lie side by side.

    Parameters
    ----------
    latent : (n_bin, n_group, width)
    first : (n_bin,) bool
        What is added there has no meaning.
    whitening : (n_group, width, 2 * width + 1, n_state)
        Of (before, 1, here); lower triangular in what belongs to the present bin.
    out : (n_bin, n_state)
    """
    n_bin, n_group, width = latent.shape
    n_state = out.shape[1]
    z, white = np.zeros((4, n_group, 2 * width + 1)), np.empty((4, n_state))
    for begin in range(0, n_bin, 4):
        size = min(4, n_bin - begin)
        for r in range(size):
            if not first[begin + r]:
                for g in range(n_group):
                    z[r, g, width] = 1.0
                    for i in range(width):
                        z[r, g, i], z[r, g, width + 1 + i] = latent[begin + r - 1, g, i], latent[begin + r, g, i]
        for g in range(n_group):
            for i in range(width):
                white[:] = 0.0
                for c in range(width + 2 + i):
                    a, b, d, e = z[0, g, c], z[1, g, c], z[2, g, c], z[3, g, c]
                    for s in range(n_state):
                        m = whitening[g, i, c, s]
                        white[0, s] += m * a
                        white[1, s] += m * b
                        white[2, s] += m * d
                        white[3, s] += m * e
                for r in range(size):
                    for s in range(n_state):
                        out[begin + r, s] -= 0.5 * white[r, s] ** 2


@njit(**_OPTIONS)
def walk_path(out, state, first, matrix, offset, root):  # type: ignore[no-untyped-def]
    """Turn standard normal noise (n_bin, n_group, width) into a path, in place.

    Parameters
    ----------
    out : (n_bin, n_group, width)
    state : (n_bin,)
    first : (n_bin,) bool
    matrix, offset : as in `Dynamics`
    root : (n_state, n_group, width, width)
        Cholesky factor of the noise.
    """
    n_bin, n_group, width = out.shape
    for t in range(n_bin):
        if not first[t]:
            s = state[t]
            for g in range(n_group):
                for i in range(width - 1, -1, -1):
                    value = offset[s, g, i]
                    for j in range(width):
                        value += matrix[s, g, i, j] * out[t - 1, g, j]
                    for j in range(i + 1):
                        value += root[s, g, i, j] * out[t, g, j]
                    out[t, g, i] = value
