"""Dwell times that are not geometric: each state as a row of phases, so that the kernels of plain chains serve.

A state of ``r`` phases, each left with probability ``p``, is dwelt in for a negative binomial number of bins: mean
``r / p``, variance ``r (1 - p) / p**2``, at least ``r`` bins. One phase is the plain chain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dynome.errors import InputError, Problems

Array = NDArray[np.float64]


class Expanded(NamedTuple):
    """A semi-Markov chain of states as a Markov chain of phases.

    Attributes
    ----------
    transition : (n_phase, n_phase)
    initial : (n_phase,)
    state : (n_phase,)
        Which state each phase is of; the phases of a state follow one another.
    """

    transition: Array
    initial: Array
    state: NDArray[np.int64]


class Durations(NamedTuple):
    """What expected transitions between phases say about a semi-Markov chain.

    Attributes
    ----------
    transition : (n_state, n_state)
        Probability of the next state once a state is left.
    advance : (n_state,)
        Probability to leave a phase.
    """

    transition: Array
    advance: Array


def expand(transition: Array, initial: Array, advance: ArrayLike, n_phases: ArrayLike) -> Expanded:
    r"""Chain of phases whose states last a negative binomial number of bins.

    Parameters
    ----------
    transition : (n_state, n_state)
        Probability of the next state once a state is left: zero on the diagonal, where there is more than one state.
    initial : (n_state,)
        Probability of the first state; it is entered at its first phase, so that a recording opens with an onset.
    advance : (n_state,)
        Probability to leave a phase, above 0 and at most 1.
    n_phases : (n_state,) or int
        Phases of each state, at least 1.

    Raises
    ------
    InputError
        If a state follows itself, or a parameter is out of its range.

    Notes
    -----
    Dwell times :math:`d \ge r` have :math:`P(d) = \binom{d-1}{r-1} p^r (1-p)^{d-r}` [1]_.

    References
    ----------
    .. [1] Russell & Cook 1987, doi:10.1109/ICASSP.1987.1169598.

    Examples
    --------
    >>> swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> chain = expand(swap, np.array([1.0, 0.0]), advance=[0.5, 0.1], n_phases=[2, 1])
    >>> chain.state.tolist(), chain.transition.tolist()
    ([0, 0, 1], [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.1, 0.0, 0.9]])
    """
    transition, initial = np.asarray(transition, dtype=np.float64), np.asarray(initial, dtype=np.float64)
    n_state = initial.size
    p, r = np.broadcast_to(np.asarray(advance, np.float64), n_state), np.broadcast_to(np.asarray(n_phases), n_state)
    problems = Problems("cannot expand states into phases")
    if not ((p > 0) & (p <= 1)).all():
        problems.add(f"advance must be above 0 and at most 1, got {p.tolist()}")
    if (r < 1).any() or (r != np.floor(r)).any():
        problems.add(f"n_phases must be whole numbers of at least 1, got {r.tolist()}")
    if transition.shape != (n_state, n_state):
        problems.add(f"transition must be ({n_state}, {n_state}), got {transition.shape}")
    elif n_state > 1 and np.diag(transition).any():
        problems.add("a state cannot follow itself: set the diagonal of transition to 0 and let advance say how long")
    problems.raise_if_any(InputError)
    state = np.repeat(np.arange(n_state), r.astype(np.int64))
    opens, closes = _ends(state)
    moves = np.diag(1 - p[state])
    inside = np.flatnonzero(np.diff(state) == 0)
    moves[inside, inside + 1] = p[state[inside]]
    moves[np.ix_(closes, opens)] += p[:, None] * transition
    first = np.zeros(state.size)
    first[opens] = initial
    return Expanded(moves, first, state)


def collapse(probability: NDArray[np.floating], state: NDArray[np.int64]) -> NDArray[np.floating]:
    """Probability of each state: the sum over its phases.

    Parameters
    ----------
    probability : (n_bin, n_phase)
    state : (n_phase,)
        As in `Expanded`.

    Returns
    -------
    (n_bin, n_state)
    """
    return np.add.reduceat(probability, _ends(state)[0], axis=1)


def updated_durations(transitions: Array, state: NDArray[np.int64], *, concentration: float = 1.0) -> Durations:
    """The semi-Markov chain that makes expected transitions between phases most probable.

    Parameters
    ----------
    transitions : (n_phase, n_phase)
        Expected number of transitions, summed over bins.
    state : (n_phase,)
        As in `Expanded`.
    concentration : float
        Of the Dirichlet prior on the next state, at least 1.

    Returns
    -------
    Durations
        Closed form: phases left over phases occupied, and onsets of the next state over departures. A state that was
        never occupied keeps no information: its `advance` is NaN; one that was never left goes anywhere else.
    """
    opens, closes = _ends(state)
    n_state = opens.size
    occupied = np.add.reduceat(transitions.sum(1), opens)
    stayed = np.add.reduceat(np.diag(transitions).copy(), opens)
    onward = transitions[np.ix_(closes, opens)].astype(np.float64)
    if n_state == 1:
        return Durations(np.ones((1, 1)), _ratio(occupied - stayed, occupied))
    onward += concentration - 1
    np.fill_diagonal(onward, 0.0)
    left = onward.sum(1, keepdims=True)
    elsewhere = (1 - np.eye(n_state)) / (n_state - 1)
    return Durations(
        np.where(left > 0, onward / np.where(left > 0, left, 1), elsewhere), _ratio(occupied - stayed, occupied)
    )


def _ends(state: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last phase of each state."""
    change = np.flatnonzero(np.diff(state))
    return np.concatenate([[0], change + 1]), np.concatenate([change, [state.size - 1]])


def _ratio(part: Array, whole: Array) -> Array:
    """NaN where there is nothing to divide by; rounding cannot take it out of [0, 1]."""
    return np.where(whole > 0, np.clip(part / np.where(whole > 0, whole, 1), 0, 1), np.nan)
