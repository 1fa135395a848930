"""Draws of hidden chains: from the model alone, and from the posterior given observations."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.hmm.arguments import among, batches, chain, checked
from dynome.dynamics.hmm.smoothing import smooth
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
        Position of the state.

    Raises
    ------
    InputError
        If shapes disagree or probabilities do not sum to 1.

    Examples
    --------
    >>> swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> sample_chain(swap, np.array([1.0, 0.0]), np.array([0, 3, 5]), np.random.default_rng(0)).tolist()
    [0, 1, 0, 0, 1]
    """
    problems = Problems("cannot draw from a hidden Markov chain")
    moves, first, starts = chain(transition, initial, starts, problems)
    problems.raise_if_any(InputError)
    return np.asarray(_walk(np.cumsum(moves, -1), np.cumsum(first, -1), starts, rng.random(starts[-1])))


def sample_paths(
    log_likelihood: NDArray[np.floating],
    transition: Array,
    initial: Array,
    starts: NDArray[np.int64],
    n_draws: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw whole paths from the posterior.

    Parameters
    ----------
    log_likelihood, transition, initial, starts
        As in `dynome.dynamics.hmm.smoothing.smooth`.
    n_draws : int
    rng : numpy Generator

    Returns
    -------
    (n_draws, n_bin)

    Raises
    ------
    InputError
        As `smooth` does, or if `n_draws` is less than 1.

    Notes
    -----
    Given the observations the states are again a Markov chain, whose transitions into each bin are the expected ones
    divided by their row sums: that chain is walked. It takes ``n_bin * n_state**2`` numbers of memory.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> seen = np.log([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
    >>> sticky = np.array([[0.99, 0.01], [0.01, 0.99]])
    >>> sample_paths(seen, sticky, np.array([1.0, 0.0]), np.array([0, 3]), 3, rng).shape
    (3, 3)
    """
    if n_draws < 1:
        raise InputError(f"n_draws must be at least 1, got {n_draws}")
    a = checked(log_likelihood, transition, initial, starts)
    out = np.empty((n_draws, a.starts[-1]), dtype=np.int64)
    for some in batches(a.starts):
        part = among(a, some)
        seen = smooth(*part, each_transition=True)
        moves = np.cumsum(seen.transitions, -1, out=seen.transitions)
        first = np.cumsum(seen.probability[part.starts[:-1]], -1, dtype=np.float64)
        for draw in out[:, a.starts[some.start] : a.starts[some.stop]]:
            draw[:] = _walk(moves, first, part.starts, rng.random(draw.size))
    return out


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
