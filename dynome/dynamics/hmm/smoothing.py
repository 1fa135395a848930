"""Forward-backward on a chain of hidden states: posterior probabilities and the evidence, exactly.

Probabilities are scaled, not logarithms: the largest log likelihood of every bin is taken out first, so that nothing
underflows however many nodes were recorded, and each bin is normalised. That is faster than log space, and more exact
in single precision. Expected transitions are summed on the way back and never stored bin by bin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.hmm.arguments import checked, refuse_impossible

Array = NDArray[np.float64]


class Posterior(NamedTuple):
    """What the observations say about the hidden states.

    Attributes
    ----------
    probability : (n_bin, n_state)
        Of each state given the whole sequence, in the dtype of the log likelihood.
    transitions : (n_state, n_state) or (n_bin, n_state, n_state)
        Expected number of transitions, summed over bins and sequences; or those into each bin, zero at the first bin
        of a sequence.
    evidence : (n_sequence,)
        Log probability of each sequence, in nats.
    """

    probability: NDArray[np.floating]
    transitions: Array
    evidence: Array


def smooth(
    log_likelihood: NDArray[np.floating],
    transition: Array,
    initial: Array,
    starts: NDArray[np.int64],
    *,
    each_transition: bool = False,
) -> Posterior:
    """Posterior of the states, and expected transitions.

    Parameters
    ----------
    log_likelihood : (n_bin, n_state)
        Log probability of each bin's observation in each state, in float32 or float64; a missing bin is a row of
        zeros. Sequences follow one another.
    transition : (n_state, n_state) or (n_bin, n_state, n_state)
        Probability of the next state (column) after each state (row); one a bin where it varies: entry ``t`` leads
        into bin ``t``.
    initial : (n_state,) or (n_sequence, n_state)
        Probability of the first state of a sequence.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.
    each_transition : bool
        Return the expected transitions into every bin and not their sum.

    Returns
    -------
    Posterior
    """
    a = checked(log_likelihood, transition, initial, starts)
    scaled, top = _scaled(a.log_likelihood)
    n_bin, n_state = scaled.shape
    probability = np.empty_like(scaled)
    evidence = np.empty(a.starts.size - 1)
    transitions = np.zeros((n_bin if each_transition else 1, n_state, n_state))
    _pass(scaled, a.moves, a.first, a.starts, probability, evidence, transitions)
    evidence += np.add.reduceat(top, a.starts[:-1])
    refuse_impossible(a, evidence)
    return Posterior(probability, transitions if each_transition else transitions[0], evidence)


@njit(cache=True)
def _scaled(log_likelihood):  # type: ignore[no-untyped-def]
    """Likelihood of every bin relative to its best state, and the log likelihood of that."""
    n_bin, n_state = log_likelihood.shape
    scaled = np.empty_like(log_likelihood)
    top = np.empty(n_bin)
    for t in range(n_bin):
        best = log_likelihood[t, 0]
        for j in range(1, n_state):
            best = max(best, log_likelihood[t, j])
        top[t] = best
        for j in range(n_state):
            scaled[t, j] = np.exp(log_likelihood[t, j] - best)
    return scaled, top


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _pass(scaled, moves, first, starts, probability, evidence, total):  # type: ignore[no-untyped-def]
    n_state = scaled.shape[1]
    before = np.empty(n_state)
    beta = np.empty(n_state)
    weighted = np.empty(n_state)
    varying = moves.shape[0] > 1
    each = total.shape[0] > 1
    for s in range(starts.size - 1):
        a, b = starts[s], starts[s + 1]
        log_c = 0.0
        scale = np.empty(b - a)
        for t in range(a, b):
            p = moves[t if varying else 0]
            c = 0.0
            for j in range(n_state):
                if t == a:
                    v = first[s, j]
                else:
                    v = 0.0
                    for i in range(n_state):
                        v += before[i] * p[i, j]
                v *= scaled[t, j]
                weighted[j] = v
                c += v
            scale[t - a] = c
            log_c += np.log(c)
            for j in range(n_state):
                before[j] = weighted[j] / c
                probability[t, j] = before[j]
        evidence[s] = log_c
        for j in range(n_state):
            beta[j] = 1.0
        for t in range(b - 1, a, -1):
            p = moves[t if varying else 0]
            out = total[t if each else 0]
            for j in range(n_state):
                weighted[j] = beta[j] * scaled[t, j] / scale[t - a]
            for i in range(n_state):
                alpha = probability[t - 1, i]
                v = 0.0
                for j in range(n_state):
                    step = p[i, j] * weighted[j]
                    v += step
                    out[i, j] += alpha * step
                beta[i] = v
                probability[t - 1, i] = alpha * v
