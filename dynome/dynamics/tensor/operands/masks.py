"""Gram matrices over observed entries: exact, not imputed.

A mask that is constant along a mode has size 1 there, and costs next to nothing.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.rows import gram_of

Array = NDArray[np.float64]

_LETTERS = "abcdefghijklmnopqrstuvw"


def masked_gram(mask: Array, factors: list[Array], mode: int) -> Array:
    """Gram matrices over observed entries, one a row where the mask varies along the mode.

    Parameters
    ----------
    mask : (1 or n_1, ..., 1 or n_N)
        Weight of each entry, 0 where it is missing; size 1 along modes where it does not vary.
    factors : list of (n_restart, n_row, rank)
        One array a mode.
    mode : int
        The mode whose rows are wanted.

    Returns
    -------
    (n_restart, 1 or n_row, rank, rank)
    """
    letters = _LETTERS[: mask.ndim]
    varying = [m for m in range(mask.ndim) if mask.shape[m] > 1]
    squeezed = mask.reshape([mask.shape[m] for m in varying])
    restarts, _, rank = factors[0].shape
    others = [m for m in range(mask.ndim) if m != mode]
    rows = mask.shape[mode]
    out = np.empty((restarts, rows, rank, rank))
    inner = [m for m in others if m in varying]
    terms = ",".join(["".join(letters[m] for m in varying), *(f"{letters[m]}z" for m in inner)])
    result = f"{letters[mode] if mode in varying else ''}z"
    for k in range(restarts):
        constant = reduce(
            np.multiply, [gram_of(factors[m])[k] for m in others if m not in varying], np.ones((rank, rank))
        )
        outer = [(factors[m][k][:, :, None] * factors[m][k][:, None, :]).reshape(-1, rank * rank) for m in inner]
        if inner:
            observed = np.einsum(f"{terms}->{result}", squeezed, *outer, optimize=True).reshape(-1, rank, rank)
        else:
            observed = squeezed.reshape(-1, 1, 1)
        out[k] = observed * constant
    return out
