"""Forward-backward one bin after another: for transitions that vary or are wanted bin by bin, and slow chains.

Scaled as in `dynome.dynamics.hmm.abreast`. Probabilities below the range of float64 are lost, which matters only where
a hard zero of the chain lets a state come back that had become so improbable. The backward messages tell (they exceed
`_LARGEST` there), and such a sequence is done again with logarithms, which is slow and has no range.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LARGEST = 1e250


def smooth_one_by_one(
    log_likelihood: NDArray[np.floating],
    moves: Array,
    first: Array,
    starts: NDArray[np.int64],
    probability: NDArray[np.floating],
    transitions: Array,
    evidence: Array,
) -> None:
    """Posterior, sequence by sequence, written into `probability`, `transitions` (added) and `evidence`.

    Parameters
    ----------
    log_likelihood, probability : (n_bin, n_state)
    moves : (1 or n_bin, n_state, n_state)
    first : (n_sequence, n_state)
    starts : (n_sequence + 1,)
    transitions : (1 or n_bin, n_state, n_state)
        The sum, or those into each bin.
    evidence : (n_sequence,)
        Minus infinity or NaN where a sequence is impossible.
    """
    log_moves = np.empty((0, 0, 0))
    for s in range(starts.size - 1):
        bins = slice(starts[s], starts[s + 1])
        p = moves[bins] if moves.shape[0] > 1 else moves
        into = transitions[bins] if transitions.shape[0] > 1 else transitions
        evidence[s], counted = _scaled(log_likelihood[bins], p, first[s], probability[bins], transitions.shape[0] > 1)
        if not np.isfinite(evidence[s]):
            with np.errstate(divide="ignore"):
                log_moves = np.log(p) if moves.shape[0] > 1 or not log_moves.size else log_moves
                log_first = np.log(first[s])
            evidence[s], counted = _logarithmic(
                log_likelihood[bins], log_moves, log_first, probability[bins], transitions.shape[0] > 1
            )
        into += counted


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _scaled(log_likelihood, moves, first, probability, each):  # type: ignore[no-untyped-def]
    """Evidence (NaN if it cannot be trusted) and expected transitions."""
    n_bin, n_state = log_likelihood.shape
    varying = moves.shape[0] > 1
    forward, likelihood, scale = np.empty((n_bin, n_state)), np.empty((n_bin, n_state)), np.empty(n_bin)
    evidence = 0.0
    for t in range(n_bin):
        p = moves[t if varying else 0]
        top = np.float64(log_likelihood[t, 0])
        for j in range(1, n_state):
            top = max(top, np.float64(log_likelihood[t, j]))
        total = 0.0
        for j in range(n_state):
            likelihood[t, j] = np.exp(log_likelihood[t, j] - top)
            v = first[j]
            if t > 0:
                v = 0.0
                for i in range(n_state):
                    v += forward[t - 1, i] * p[i, j]
                v *= scale[t - 1]
            forward[t, j] = v * likelihood[t, j]
            total += forward[t, j]
        scale[t] = 1.0 / total
        evidence += top + np.log(total)
    counted = np.zeros((n_bin if each else 1, n_state, n_state))
    message = np.full(n_state, scale[n_bin - 1])
    weighted = np.empty(n_state)
    peak = 0.0
    for t in range(n_bin - 1, -1, -1):
        for j in range(n_state):
            probability[t, j] = forward[t, j] * message[j]
            peak += message[j]
        if t == 0:
            break
        p = moves[t if varying else 0]
        count = counted[t if each else 0]
        for j in range(n_state):
            weighted[j] = likelihood[t, j] * scale[t - 1] * message[j]
        for i in range(n_state):
            v = 0.0
            for j in range(n_state):
                step = p[i, j] * weighted[j]
                v += step
                count[i, j] += forward[t - 1, i] * step
            message[i] = v
    return evidence if peak < _LARGEST else np.nan, counted


@njit(cache=True)
def log_sum(x):  # type: ignore[no-untyped-def]
    """Logarithm of a sum of exponentials; minus infinity if there is nothing."""
    top = x.max()
    return top + np.log(np.exp(x - top).sum()) if np.isfinite(top) else top


@njit(cache=True)
def _logarithmic(log_likelihood, log_moves, log_first, probability, each):  # type: ignore[no-untyped-def]
    """The same in logarithms throughout."""
    n_bin, n_state = log_likelihood.shape
    varying = log_moves.shape[0] > 1
    forward = np.empty((n_bin, n_state))
    counted = np.zeros((n_bin if each else 1, n_state, n_state))
    for j in range(n_state):
        forward[0, j] = log_first[j] + log_likelihood[0, j]
    for t in range(1, n_bin):
        p = log_moves[t if varying else 0]
        for j in range(n_state):
            forward[t, j] = log_sum(forward[t - 1] + p[:, j]) + log_likelihood[t, j]
    evidence = log_sum(forward[n_bin - 1])
    message, weighted = np.zeros(n_state), np.empty(n_state)
    for t in range(n_bin - 1, -1, -1):
        for j in range(n_state):
            probability[t, j] = np.exp(forward[t, j] + message[j] - evidence)
            weighted[j] = message[j] + log_likelihood[t, j]
        if t == 0:
            break
        p = log_moves[t if varying else 0]
        count = counted[t if each else 0]
        for i in range(n_state):
            for j in range(n_state):
                count[i, j] += np.exp(forward[t - 1, i] + p[i, j] + weighted[j] - evidence)
            message[i] = log_sum(p[i] + weighted)
    return evidence, counted
