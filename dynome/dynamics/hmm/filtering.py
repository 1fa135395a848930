"""The past of a sequence says which state comes next, and how probable the next bin is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.hmm.arguments import checked, refuse_impossible

Array = NDArray[np.float64]


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
    """
    a = checked(log_likelihood, transition, initial, starts)
    probability = np.empty_like(a.log_likelihood)
    evidence = np.empty(a.log_likelihood.shape[0])
    _forward(a.log_likelihood, a.moves, a.first, a.starts, probability, evidence)
    refuse_impossible(a, np.add.reduceat(evidence, a.starts[:-1]))
    return Prediction(probability, evidence)


@njit(cache=True, error_model="numpy")
def _forward(log_likelihood, moves, first, starts, probability, evidence):  # type: ignore[no-untyped-def]
    n_state = log_likelihood.shape[1]
    varying = moves.shape[0] > 1
    before = np.empty(n_state)
    after = np.empty(n_state)
    for s in range(starts.size - 1):
        for t in range(starts[s], starts[s + 1]):
            p = moves[t if varying else 0]
            top = log_likelihood[t].max()
            c = 0.0
            for j in range(n_state):
                v = first[s, j]
                if t > starts[s]:
                    v = 0.0
                    for i in range(n_state):
                        v += before[i] * p[i, j]
                probability[t, j] = v
                after[j] = v * np.exp(log_likelihood[t, j] - top)
                c += after[j]
            evidence[t] = top + np.log(c)
            for j in range(n_state):
                before[j] = after[j] / c
