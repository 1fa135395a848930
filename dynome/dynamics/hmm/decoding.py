"""The most probable path through the states (Viterbi), exactly, in log space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.hmm.arguments import checked, refuse_impossible

Array = NDArray[np.float64]


class Path(NamedTuple):
    """The single most probable path of each sequence.

    Attributes
    ----------
    state : (n_bin,)
        Position of the state.
    log_probability : (n_sequence,)
        Joint log probability of the path and the observations, in nats.
    """

    state: NDArray[np.int64]
    log_probability: Array


def most_likely_path(
    log_likelihood: NDArray[np.floating], transition: Array, initial: Array, starts: NDArray[np.int64]
) -> Path:
    """Most probable path through the states, whole and not bin by bin.

    Parameters
    ----------
    log_likelihood, transition, initial, starts
        As in `dynome.dynamics.hmm.smoothing.smooth`.

    Returns
    -------
    Path
        Of equally probable paths, one with the states that come first.

    Raises
    ------
    InputError
        As `dynome.dynamics.hmm.smoothing.smooth` does.

    References
    ----------
    .. [1] Viterbi 1967, doi:10.1109/TIT.1967.1054010.

    Examples
    --------
    >>> seen = np.log([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    >>> sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> most_likely_path(seen, sticky, np.array([0.5, 0.5]), np.array([0, 3])).state.tolist()
    [0, 0, 0]
    """
    a = checked(log_likelihood, transition, initial, starts)
    with np.errstate(divide="ignore"):
        moves, first = np.log(a.moves), np.log(a.first)
    state = np.empty(a.log_likelihood.shape[0], dtype=np.int64)
    log_probability = np.empty(a.starts.size - 1)
    _search(a.log_likelihood, moves, first, a.starts, state, log_probability)
    refuse_impossible(a, log_probability)
    return Path(state, log_probability)


@njit(cache=True)
def _search(log_likelihood, moves, first, starts, state, log_probability):  # type: ignore[no-untyped-def]
    n_bin, n_state = log_likelihood.shape
    varying = moves.shape[0] > 1
    origin = np.empty((n_bin, n_state), dtype=np.int32)
    before = np.empty(n_state)
    after = np.empty(n_state)
    for s in range(starts.size - 1):
        a, b = starts[s], starts[s + 1]
        usable = True
        for j in range(n_state):
            usable &= log_likelihood[a, j] < np.inf  # NaN is not; comparisons below would pass it over
            before[j] = first[s, j] + log_likelihood[a, j]
        for t in range(a + 1, b):
            p = moves[t if varying else 0]
            for j in range(n_state):
                best, from_ = before[0] + p[0, j], 0
                for i in range(1, n_state):
                    v = before[i] + p[i, j]
                    if v > best:
                        best, from_ = v, i
                usable &= log_likelihood[t, j] < np.inf
                after[j] = best + log_likelihood[t, j]
                origin[t, j] = from_
            before, after = after, before
        last = 0
        for j in range(1, n_state):
            if before[j] > before[last]:
                last = j
        log_probability[s] = before[last] if usable else np.nan
        for t in range(b - 1, a - 1, -1):
            state[t] = last
            last = origin[t, last]
