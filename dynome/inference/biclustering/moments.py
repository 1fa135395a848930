r"""What segments of a path say about linear dynamics, with the dynamics integrated out.

A transition is the row :math:`(X_{t-1}, 1, X_t - X_{t-1})`; Gram matrices of rows add up over segments. With the prior
added, the Cholesky factor of a Gram matrix holds both determinants of the evidence (a matrix-t): that of the precision
of the columns in its first pivots, that of the scale of the noise (a Schur complement) in the others. One
factorisation of width :math:`2w + 1` is thus the price of asking how well a segment fits a state.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import multigammaln

from dynome.inference.biclustering.dynamics import n_groups
from dynome.inference.biclustering.model import Array, Hyper, Labels
from dynome.inference.biclustering.sequences import firsts


class SegmentMoments(NamedTuple):
    """Sums over the transitions into the bins of each segment.

    Attributes
    ----------
    n : (n_segment,)
        Transitions.
    gram : (n_segment, n_group, 2 * width + 1, 2 * width + 1)
    """

    n: Labels
    gram: Array


class Evidence(NamedTuple):
    """Prior of the dynamics of a state, as the evidence needs it.

    Attributes
    ----------
    precision : float
        Added to the diagonal of the past.
    scale : float
        Added to the diagonal of the increments.
    degrees : float
    constant : (n_transition + 1,)
        What depends on the number of transitions alone, for one group.
    """

    precision: float
    scale: float
    degrees: float
    constant: Array


def segment_moments(latent: Array, edge: Labels, starts: Labels, hyper: Hyper) -> SegmentMoments:
    """Moments of every segment.

    Parameters
    ----------
    latent : (n_bin, n_cluster, q)
    edge : (n_segment + 1,)
        First bin of each segment, and the number of bins. No segment holds bins of two sequences.
    starts : (n_sequence + 1,)
    hyper : Hyper
    """
    x = latent.reshape(len(latent), n_groups(latent.shape[1], hyper), -1).swapaxes(0, 1)
    rows = np.concatenate([x[:, :-1], np.ones((*x[:, 1:].shape[:2], 1)), x[:, 1:] - x[:, :-1]], -1)
    first = edge[:-1] + firsts(starts)[edge[:-1]]
    gram = np.empty((first.size, len(x), rows.shape[-1], rows.shape[-1]))
    for m, (begin, end) in enumerate(zip(first - 1, edge[1:] - 1, strict=True)):
        np.matmul(rows[:, begin:end].swapaxes(1, 2), rows[:, begin:end], out=gram[m])
    return SegmentMoments(edge[1:] - first, gram)


def evidence_prior(width: int, n_transitions: int, hyper: Hyper) -> Evidence:
    """Constants of the evidence for groups of one width and up to `n_transitions` transitions."""
    n = np.arange(n_transitions + 1.0)
    degrees = width + hyper.extra_degrees
    constant = (
        multigammaln((degrees + n) / 2, width)
        - multigammaln(degrees / 2, width)
        + degrees / 2 * width * np.log(hyper.noise_scale)
        + width / 2 * (width + 1) * np.log(hyper.matrix_precision)
        - n * width / 2 * np.log(np.pi)
    )
    return Evidence(hyper.matrix_precision, hyper.noise_scale, degrees, constant)


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def log_evidence(prior, count, gram, other, share, work):  # type: ignore[no-untyped-def]
    """Log density of the transitions of `gram + share * other`, each (n_group, size, size).

    `work` (size, size) is overwritten.
    """
    if count == 0:
        return 0.0
    size = work.shape[0]
    width = size // 2
    total = gram.shape[0] * prior.constant[count]
    for g in range(gram.shape[0]):
        for i in range(size):
            for j in range(i, size):
                work[i, j] = gram[g, i, j] + share * other[g, i, j]
            work[i, i] += prior.precision if i <= width else prior.scale
        for k in range(size):
            pivot = work[k, k]
            if k > width:
                pivot = max(pivot, prior.scale)  # no path takes it below; rounding may
            total -= 0.5 * math.log(pivot) * (width if k <= width else prior.degrees + count)
            for i in range(k + 1, size):
                scaled = work[k, i] / pivot
                for j in range(i, size):
                    work[i, j] -= scaled * work[k, j]
    return total
