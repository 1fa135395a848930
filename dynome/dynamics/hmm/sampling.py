"""Draws of hidden chains: from the model alone, and from the posterior given observations."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.hmm.arguments import chain, checked, refuse_impossible
from dynome.errors import InputError, Problems

Array = NDArray[np.float64]


def sample_chain(
    transition: Array, initial: Array, starts: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the states of every sequence from the chain alone.

    Parameters
    ----------
    transition, initial, starts
        As in `dynome.dynamics.hmm.smoothing.smooth`.
    rng : numpy Generator

    Returns
    -------
    (n_bin,)
    """
    problems = Problems("cannot draw from a hidden Markov chain")
    moves, first, starts = chain(transition, initial, starts, problems)
    problems.raise_if_any(InputError)
    return _walk(np.cumsum(moves, -1), np.cumsum(first, -1), starts, rng.random(starts[-1]))


def sample_paths(
    log_likelihood: NDArray[np.floating],
    transition: Array,
    initial: Array,
    starts: NDArray[np.int64],
    n_draws: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw whole paths from the posterior: forward filtering, backward sampling.

    Parameters
    ----------
    log_likelihood, transition, initial, starts
        As in `dynome.dynamics.hmm.smoothing.smooth`.
    n_draws : int
    rng : numpy Generator

    Returns
    -------
    (n_draws, n_bin)
    """
    a = checked(log_likelihood, transition, initial, starts)
    from dynome.dynamics.hmm.filtering import predict

    seen = predict(log_likelihood, transition, initial, starts)
    refuse_impossible(a, np.add.reduceat(seen.evidence, a.starts[:-1]))
    filtered = seen.probability * np.exp(a.log_likelihood - a.log_likelihood.max(1, keepdims=True))
    return np.stack([_back(filtered, a.moves, a.starts, rng.random(a.starts[-1])) for _ in range(n_draws)])


@njit(cache=True)
def _walk(moves, first, starts, uniform):  # type: ignore[no-untyped-def]
    """Inverse of the cumulative probabilities."""
    state = np.empty(starts[-1], dtype=np.int64)
    varying = moves.shape[0] > 1
    n_state = first.shape[1]
    for s in range(starts.size - 1):
        for t in range(starts[s], starts[s + 1]):
            row = first[s] if t == starts[s] else moves[t if varying else 0, state[t - 1]]
            threshold = uniform[t] * row[-1]
            j = 0
            while j < n_state - 1 and row[j] <= threshold:
                j += 1
            state[t] = j
    return state


@njit(cache=True)
def _back(filtered, moves, starts, uniform):  # type: ignore[no-untyped-def]
    n_state = filtered.shape[1]
    state = np.empty(starts[-1], dtype=np.int64)
    weight = np.empty(n_state)
    varying = moves.shape[0] > 1
    for s in range(starts.size - 1):
        for t in range(starts[s + 1] - 1, starts[s] - 1, -1):
            total = 0.0
            for i in range(n_state):
                v = np.float64(filtered[t, i])
                if t + 1 < starts[s + 1]:
                    v *= moves[t + 1 if varying else 0, i, state[t + 1]]
                total += v
                weight[i] = total
            threshold = uniform[t] * total
            j = 0
            while j < n_state - 1 and weight[j] <= threshold:
                j += 1
            state[t] = j
    return state
