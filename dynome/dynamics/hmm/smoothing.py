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

    Raises
    ------
    InputError
        If shapes disagree, probabilities do not sum to 1, a log likelihood is NaN or positive infinity, or a sequence
        has probability 0 (a bin that no state can have made, say); every problem is told.

    Notes
    -----
    Exact to the last digits of float64, and for float32 to the digits of the input: 7 in all, so that log likelihoods
    of hundreds of nats should lose a constant a bin before they are rounded (it changes the evidence alone). Nothing
    underflows: sequences whose beliefs leave the range of float64 where it matters are done in logarithms. Time grows
    with ``n_bin * n_state**2``; working memory is twice the log likelihoods in float64, and no more than that of the
    longest sequence or of 262,144 bins.

    References
    ----------
    .. [1] Rabiner 1989, doi:10.1109/5.18626.

    Examples
    --------
    >>> seen = np.log([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    >>> sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> found = smooth(seen, sticky, np.array([0.5, 0.5]), np.array([0, 3]))
    >>> found.probability.round(2).tolist()
    [[0.8, 0.2], [0.62, 0.38], [0.44, 0.56]]
    >>> float(found.transitions.sum().round(6))
    2.0
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
