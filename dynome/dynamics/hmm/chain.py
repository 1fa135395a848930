"""The chain of hidden states: its prior, its update from expected transitions, and what it says about durations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FLOOR = 1e-300  # keeps log finite where a maximum-likelihood probability is 0


class Chain(NamedTuple):
    """A Markov chain.

    Attributes
    ----------
    transition : (n_state, n_state)
        Probability of the next state (column) after each state (row).
    initial : (n_state,)
        Probability of the first state of a sequence.
    """

    transition: Array
    initial: Array


def updated_chain(transitions: Array, first: Array, *, concentration: float = 1.0, stickiness: float = 0.0) -> Chain:
    r"""The most probable chain given expected transitions and first states.

    Parameters
    ----------
    transitions : (n_state, n_state)
        Expected number of transitions from each state (row) to each (column).
    first : (n_state,)
        Expected number of sequences that begin in each state.
    concentration : float
        Of the Dirichlet prior on each row and on the first state, at least 1. At 1 the prior is flat, and the result
        the maximum of the likelihood.
    stickiness : float
        Self-transitions that are added to each state, at least 0.

    Returns
    -------
    Chain
        Rows sum to 1. Where neither data nor prior say anything (a state without transitions, flat prior), a row is
        uniform, which no objective can tell from any other.

    Notes
    -----
    :math:`A_{ij} \propto n_{ij} + \alpha - 1 + \kappa\,\delta_{ij}`, the mode of the Dirichlet posterior.
    """
    n_state = first.size
    counts = transitions + (concentration - 1.0) + stickiness * np.eye(n_state)
    return Chain(_normalized(counts), _normalized((first + (concentration - 1.0))[None])[0])


def _normalized(counts: Array) -> Array:
    total = counts.sum(axis=1, keepdims=True)
    uniform = np.full_like(counts, 1.0 / counts.shape[1])
    return np.asarray(np.divide(counts, total, out=uniform, where=total > 0))


def log_prior(chain: Chain, *, concentration: float = 1.0, stickiness: float = 0.0) -> float:
    """Log density of a chain under the prior of `updated_chain`, up to a constant of the prior.

    The log likelihood plus this is what EM with `updated_chain` increases; it is 0 for a flat prior.

    Parameters
    ----------
    chain : Chain
    concentration, stickiness : float
        As in `updated_chain`.
    """
    out = 0.0
    if concentration > 1.0:
        out += (concentration - 1.0) * float(_log(chain.transition).sum() + _log(chain.initial).sum())
    if stickiness > 0.0:
        out += stickiness * float(_log(np.diag(chain.transition)).sum())
    return out


def _log(probability: Array) -> Array:
    return np.asarray(np.log(np.maximum(probability, _FLOOR)))


def sticky(n_state: int, stay: float) -> Array:
    """A transition matrix that stays with one probability and moves to all other states alike, (n_state, n_state).

    Parameters
    ----------
    n_state : int
    stay : float
        Probability to stay, 0 to 1. With one state it is 1.

    Examples
    --------
    >>> sticky(3, 0.5)
    array([[0.5 , 0.25, 0.25],
           [0.25, 0.5 , 0.25],
           [0.25, 0.25, 0.5 ]])
    """
    if n_state == 1:
        return np.ones((1, 1))
    out = np.full((n_state, n_state), (1.0 - stay) / (n_state - 1))
    np.fill_diagonal(out, stay)
    return out


def expected_dwell(transition: Array) -> Array:
    """Mean number of bins that the chain stays once it has come to a state, (n_state,); inf where it never leaves.

    Parameters
    ----------
    transition : (n_state, n_state)

    Examples
    --------
    >>> expected_dwell(sticky(3, 0.5))
    array([2., 2., 2.])
    """
    leave = 1.0 - np.diag(transition)
    return np.asarray(np.divide(1.0, leave, out=np.full_like(leave, np.inf), where=leave > 0))


def stationary(transition: Array) -> Array:
    """Share of bins in each state in the long run, (n_state,).

    Parameters
    ----------
    transition : (n_state, n_state)
        With several closed sets of states, one of the possible answers.

    Examples
    --------
    >>> stationary(np.array([[0.9, 0.1], [0.3, 0.7]])).round(3)
    array([0.75, 0.25])
    """
    n_state = transition.shape[0]
    equations = np.vstack([transition.T - np.eye(n_state), np.ones(n_state)])
    found = np.linalg.lstsq(equations, np.append(np.zeros(n_state), 1.0), rcond=None)[0]
    positive = np.maximum(found, 0.0)
    return np.asarray(positive / positive.sum())


def by_occupancy(probability: NDArray[np.floating]) -> NDArray[np.int64]:
    """The order of states from the most to the least occupied, (n_state,): the canonical order of every chain model.

    Parameters
    ----------
    probability : (n_bin, n_state)
        Posterior of the states; or (n_state,), their occupancy.
    """
    occupancy = probability.sum(axis=0) if probability.ndim == 2 else probability
    return np.argsort(-occupancy, kind="stable").astype(np.int64)
