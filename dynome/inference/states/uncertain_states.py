r"""What is not known of the coefficients because the states are not seen (Louis' missing information), exactly.

The score of a coefficient, had the states been seen, is a sum over bins :math:`u = \sum_t f_t(z_t)`. The information
that the hidden states take away is its variance over paths :math:`z` given the observations (Louis 1982,
doi:10.1111/j.2517-6161.1982.tb01203.x). Given the observations the states are a Markov chain, so with what is still to
come after a bin, :math:`B_t(i) = E[\sum_{t' > t} f_{t'}(z_{t'}) \mid z_t = i]`,

.. math::
    \operatorname{Var}(u) = \sum_t \operatorname{Var}(f_t) + \operatorname{Cov}(f_t, B_t) + \operatorname{Cov}(B_t, f_t)

which one pass backwards in time gives for all coefficients of a target. No path is drawn, and there is no Monte Carlo
error. Bins whose state is certain vary with nothing and are passed over; where a chain goes through one, what comes
before and after it is independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

CERTAIN = 1e-5  # a bin whose most probable state lacks less than this is certain
_BYTES = 2**26  # of what is still to come, for a chunk of bins


class Paths(NamedTuple):
    """The posterior of the chain in the bins whose state is not certain.

    Attributes
    ----------
    bins : (n_kept,)
        Which bins.
    probability : (n_kept, n_phase)
        Of each hidden state; where states have phases, of each phase.
    moves : (n_kept, n_phase, n_phase)
        Probability of the next bin's state (column) given this bin's (row), and all observations.
    linked : (n_kept,) bool
        Whether the next bin is the next that is kept, in the same sequence.
    state : (n_phase,)
        Which state a phase belongs to.
    """

    bins: NDArray[np.int64]
    probability: Array
    moves: Array
    linked: NDArray[np.bool_]
    state: NDArray[np.int64]


def uncertain_paths(
    probability: Array, transitions: Array, starts: NDArray[np.int64], state: NDArray[np.int64]
) -> Paths:
    """The bins that tell something of the missing information.

    Parameters
    ----------
    probability : (n_bin, n_phase)
        Posterior.
    transitions : (n_bin, n_phase, n_phase)
        Joint posterior of the bin before (row) and the bin (column), as `smooth` gives it with ``each_transition``.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.
    state : (n_phase,)
        State of each phase.
    """
    bins = np.flatnonzero(probability.max(axis=1) < 1 - CERTAIN)
    last = np.zeros(probability.shape[0], dtype=bool)
    last[starts[1:] - 1] = True
    linked = np.zeros(bins.size, dtype=bool)
    linked[:-1] = (np.diff(bins) == 1) & ~last[bins[:-1]]
    kept = probability[bins].astype(np.float64)
    moves = np.zeros((bins.size, state.size, state.size))
    at = np.flatnonzero(linked)
    joint = transitions[bins[at] + 1]
    total = joint.sum(axis=2, keepdims=True)
    moves[at] = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    return Paths(bins, kept, moves, linked, state)


def missing_information(x: Array, score: Array, paths: Paths) -> Array:
    """Variance over paths of the complete-data score of one target.

    Parameters
    ----------
    x : (n_kept, n_feature)
        Features of the bins of `paths`.
    score : (n_kept, n_state)
        Derivative of the log likelihood of the target by its predictor, in each state; 0 where it is missing.
    paths : Paths
        As `uncertain_paths` gives it.

    Returns
    -------
    (n_state * n_feature, n_state * n_feature)
        Symmetric, positive semidefinite; states in the outer place.
    """
    n_state, n_feature = score.shape[1], x.shape[1]
    member = (paths.state[:, None] == np.arange(n_state)).astype(np.float64)
    out = np.zeros((n_state, n_feature, n_state * n_feature))
    to_come = np.zeros((paths.state.size, n_state, n_feature))
    for a, b in _chunks(paths, n_state * n_feature):
        ahead = np.empty((b - a, paths.state.size, n_state, n_feature))
        _foresee(
            x[a:b], score[a:b], paths.probability[a:b], paths.moves[a:b], paths.linked[a:b], paths.state, to_come, ahead
        )
        weighted = ahead.reshape(b - a, paths.state.size, -1) * paths.probability[a:b, :, None]
        for s in range(n_state):
            own = weighted[:, s] if paths.state.size == n_state else np.einsum("r,arq->aq", member[:, s], weighted)
            out[s] += (x[a:b] * score[a:b, s, None]).T @ own
    probability = paths.probability @ member
    variance = np.zeros_like(out).reshape(n_state, n_feature, n_state, n_feature)
    for s in range(n_state):
        for other in range(s, n_state):
            weight = (float(s == other) - probability[:, other]) * probability[:, s] * score[:, s] * score[:, other]
            variance[s, :, other] = (x * weight[:, None]).T @ x
            variance[other, :, s] = variance[s, :, other].T
    size = n_state * n_feature
    between = out.reshape(size, size)
    return np.asarray(variance.reshape(size, size) + between + between.T)


def _chunks(paths: Paths, width: int) -> Iterator[tuple[int, int]]:
    """Spans of kept bins, the last first."""
    rows = max(1, _BYTES // (8 * width * paths.state.size))
    for b in range(paths.bins.size, 0, -rows):
        yield max(b - rows, 0), b


@njit(cache=True)
def _foresee(x, score, probability, moves, linked, state, to_come, ahead):  # type: ignore[no-untyped-def]
    """Write the expected score still to come after each bin, about its mean; carry `to_come` to the chunk before."""
    n_phase, n_feature = state.size, x.shape[1]
    n_state = score.shape[1]
    for a in range(x.shape[0] - 1, -1, -1):
        own = ahead[a]
        own[:] = 0.0
        if linked[a]:
            for i in range(n_phase):
                for j in range(n_phase):
                    p = moves[a, i, j]
                    if p > 0:
                        for s in range(n_state):
                            for k in range(n_feature):
                                own[i, s, k] += p * to_come[j, s, k]
        to_come[:] = own
        for j in range(n_phase):
            for k in range(n_feature):
                to_come[j, state[j], k] += score[a, state[j]] * x[a, k]
        for s in range(n_state):
            for k in range(n_feature):
                mean = 0.0
                for i in range(n_phase):
                    mean += probability[a, i] * own[i, s, k]
                for i in range(n_phase):
                    own[i, s, k] -= mean
