"""The past of a sequence says which state comes next, and how probable the next bin is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.hmm.arguments import checked, refuse_impossible
from dynome.dynamics.hmm.one_by_one import log_sum

Array = NDArray[np.float64]

_SMALL = 1e-150  # a belief that a few more bins of the same may carry out of the range of float64
_FORBIDDEN = 1e-100  # a transition of less cannot bring a lost state back


class Prediction(NamedTuple):
    """What the past of each sequence says about each bin before the bin is seen.

    Attributes
    ----------
    probability : (n_bin, n_state)
        Of each state given the earlier bins of the sequence, in the dtype of the log likelihood.
    evidence : (n_bin,)
        Log probability of each bin given the earlier bins of its sequence, in nats; they sum to the evidence of the
        sequence that `dynome.dynamics.hmm.smoothing.smooth` returns.
    """

    probability: NDArray[np.floating]
    evidence: Array


def predict(
    log_likelihood: NDArray[np.floating], transition: Array, initial: Array, starts: NDArray[np.int64]
) -> Prediction:
    """State of every bin given the bins before it, and the probability of the bin.

    Parameters
    ----------
    log_likelihood, transition, initial, starts
        As in `dynome.dynamics.hmm.smoothing.smooth`.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        As `smooth` does.

    Examples
    --------
    >>> seen = np.log([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    >>> sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> found = predict(seen, sticky, np.array([0.5, 0.5]), np.array([0, 3]))
    >>> found.probability.round(2).tolist()
    [[0.5, 0.5], [0.82, 0.18], [0.76, 0.24]]
    """
    a = checked(log_likelihood, transition, initial, starts)
    probability = np.empty_like(a.log_likelihood)
    evidence = np.empty(a.log_likelihood.shape[0])
    varying = a.moves.shape[0] > 1
    for s in range(a.starts.size - 1):
        bins = slice(a.starts[s], a.starts[s + 1])
        moves = a.moves[bins] if varying else a.moves
        small, lost = _scaled(a.log_likelihood[bins], moves, a.first[s], probability[bins], evidence[bins])
        if not small > _SMALL or (lost and moves[1 if varying else 0 :].min(initial=1.0) < _FORBIDDEN):
            with np.errstate(divide="ignore"):
                logs = np.log(moves), np.log(a.first[s])
            _logarithmic(a.log_likelihood[bins], *logs, probability[bins], evidence[bins])
    refuse_impossible(a, np.add.reduceat(evidence, a.starts[:-1]))
    return Prediction(probability, evidence)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _scaled(log_likelihood, moves, first, probability, evidence):  # type: ignore[no-untyped-def]
    """The least sum of a bin, and whether a state that is possible became so improbable that it may be lost."""
    n_bin, n_state = log_likelihood.shape
    varying = moves.shape[0] > 1
    before, after = np.empty(n_state), np.empty(n_state)
    small, lost = np.inf, False
    for t in range(n_bin):
        p = moves[t if varying else 0]
        top = np.float64(log_likelihood[t, 0])
        for j in range(1, n_state):
            top = max(top, np.float64(log_likelihood[t, j]))
        total = 0.0
        for j in range(n_state):
            v = first[j]
            if t > 0:
                v = 0.0
                for i in range(n_state):
                    v += before[i] * p[i, j]
            probability[t, j] = v
            after[j] = v * np.exp(np.float64(log_likelihood[t, j]) - top)
            lost |= v > 0.0 and after[j] < _SMALL and log_likelihood[t, j] > -np.inf
            total += after[j]
        evidence[t] = top + np.log(total)
        small = total if not total >= small else small
        for j in range(n_state):
            before[j] = after[j] / total
    return small, lost


@njit(cache=True)
def _logarithmic(log_likelihood, log_moves, log_first, probability, evidence):  # type: ignore[no-untyped-def]
    """The same in logarithms throughout."""
    n_bin, n_state = log_likelihood.shape
    varying = log_moves.shape[0] > 1
    before, after = np.zeros(n_state), np.empty(n_state)
    for t in range(n_bin):
        p = log_moves[t if varying else 0]
        for j in range(n_state):
            after[j] = log_first[j] if t == 0 else log_sum(before + p[:, j])
            probability[t, j] = np.exp(after[j])
        for j in range(n_state):
            before[j] = after[j] + log_likelihood[t, j]
        evidence[t] = log_sum(before)
        before -= evidence[t]
