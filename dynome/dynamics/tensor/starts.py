"""Where a nonnegative CP fit begins: at random, or from the components of a smaller fit.

Starts from singular vectors (a randomised NNDSVD of every unfolding) were measured and left out: on dense, sparse and
noisy tensors they took as many iterations as random ones and reached the same error, and to make them costs as much as
to fit one to three restarts of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.rows import gram_of

Array = NDArray[np.float64]


def random_factors(
    shape: Sequence[int], rank: int, norm: float, generators: Sequence[np.random.Generator]
) -> list[Array]:
    """Uniform random starts, scaled so that each model has the norm of the data.

    Parameters
    ----------
    shape : sequence of int
        Sizes of the modes.
    rank : int
        Number of components.
    norm : float
        Euclidean norm of the observed entries.
    generators : sequence of Generator
        One a restart.

    Returns
    -------
    list of (n_restart, n_row, rank)
    """
    starts = [[g.random((n, rank)) for n in shape] for g in generators]
    factors = [np.stack(mode) for mode in zip(*starts, strict=True)]
    size = np.sqrt(np.prod([gram_of(f) for f in factors], axis=0).sum((1, 2)))
    scale = (norm / size) ** (1 / len(shape))
    return [f * scale[:, None, None] for f in factors]


def extended(known: Sequence[Array], starts: Sequence[Array], silent: int | None) -> list[Array]:
    """Known components first, random ones for the rest.

    Parameters
    ----------
    known : sequence of (n_row, n_known)
        Components of a smaller fit, one array a mode; their product holds the size.
    starts : sequence of (n_restart, n_row, rank)
        As `random_factors` makes them.
    silent : int or None
        The mode in which the new components begin at 0, so that the start is exactly as good as the smaller fit and
        the first update fills them from what that leaves unexplained. None begins them small in every mode.

    Returns
    -------
    list of (n_restart, n_row, rank)
    """
    n = known[0].shape[1]
    size = np.prod([np.linalg.norm(k, axis=0) for k in known], axis=0) ** (1 / len(known))
    out = []
    for mode, (k, start) in enumerate(zip(known, starts, strict=True)):
        f = start.copy()
        norms = np.linalg.norm(k, axis=0)
        f[:, :, :n] = np.divide(k, norms, out=np.zeros_like(k), where=norms > 0) * size
        if mode == silent:
            f[:, :, n:] = 0.0
        elif silent is None:
            f[:, :, n:] *= 0.1
        out.append(f)
    return out


def constrained(starts: Sequence[Array], fixed: Mapping[int, Array], shared: Sequence[tuple[int, int]]) -> list[Array]:
    """Starts that hold the given factors, and one factor for modes that share it."""
    out = [f.copy() for f in starts]
    for mode, factor in fixed.items():
        out[mode] = np.repeat(factor[None], len(out[mode]), axis=0)
    for first, second in shared:
        out[second] = out[first].copy()
    return out
