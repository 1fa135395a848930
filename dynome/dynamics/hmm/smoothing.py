"""Forward-backward on a chain of hidden states: posterior probabilities and the evidence, exactly.

Probabilities are scaled, not logarithms: the largest log likelihood of every bin is taken out first, so that nothing
underflows however many nodes were recorded, and each bin is normalised. That is faster than log space, and more exact
in single precision. Expected transitions are summed on the way back and never stored bin by bin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.hmm.abreast import smooth_abreast
from dynome.dynamics.hmm.arguments import Arguments, among, batches, checked, refuse_impossible
from dynome.dynamics.hmm.one_by_one import smooth_one_by_one
from dynome.dynamics.hmm.segments import cut

Array = NDArray[np.float64]

_WORTHWHILE = 4  # segments: with fewer, most lanes would be empty


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
    n_bin, n_state = a.log_likelihood.shape
    probability = np.empty_like(a.log_likelihood)
    evidence = np.empty(a.starts.size - 1)
    transitions = np.zeros((n_bin if each_transition else 1, n_state, n_state))
    for some in batches(a.starts):
        bins = slice(a.starts[some.start], a.starts[some.stop])
        into = transitions[bins] if each_transition else transitions
        _smooth(among(a, some), probability[bins], into, evidence[some])
    refuse_impossible(a, evidence)
    return Posterior(probability, transitions if each_transition else transitions[0], evidence)


def _smooth(a: Arguments, probability: NDArray[np.floating], transitions: Array, evidence: Array) -> None:
    if a.moves.shape[0] == 1 and transitions.shape[0] == 1:
        segments = cut(a.starts)
        if segments.begin.size >= _WORTHWHILE and smooth_abreast(
            a.log_likelihood, a.moves[0], a.first, segments, probability, transitions[0], evidence
        ):
            return
    smooth_one_by_one(a.log_likelihood, a.moves, a.first, a.starts, probability, transitions, evidence)
