r"""Classes that an edge takes in several states, drawn from a table of its own that is integrated out.

Each edge has a table of class probabilities :math:`A_0 \sim \mathrm{Dirichlet}(\alpha b)` with base :math:`b` and
concentration :math:`\alpha`, and each state draws its class from it. The classes of an edge are then a Pólya urn: a
draw comes from the base with odds :math:`\alpha`, or copies one of the draws before. Only the counts of the classes
matter, and there are few of them, so that the posterior is summed exactly over all :math:`3^S` assignments:
:math:`O(S^3)` for each edge.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Classes(NamedTuple):
    """The posterior of the classes of each edge.

    Attributes
    ----------
    probability : (edge, state, 3)
        Of each class in each state.
    counts : (edge, 3, state + 1)
        Probability that so many states have a class.
    relative : (edge,)
        Expected log ratio of prior to posterior of all classes: minus a Kullback-Leibler divergence.
    """

    probability: Array
    counts: Array
    relative: Array


def urn(base: Array, concentration: float, n_state: int) -> Array:
    """Log weight of each count of each class; their sum over the classes is the log probability of an assignment.

    Parameters
    ----------
    base : (edge, 3)
        Positive, each row sums to 1.
    concentration : float
        Large: states draw independently from the base. Small: all states of an edge have one class.
    n_state : int

    Returns
    -------
    (edge, 3, n_state + 1)
        A third of the common normalisation is in the weights of each class.

    Examples
    --------
    >>> weight = urn(np.array([[0.1, 0.8, 0.1]]), 2.0, 1)
    >>> np.exp(weight[0, 0, 1] + weight[0, 1, 0] + weight[0, 2, 0]).round(3)  # one state, and it is inhibitory
    np.float64(0.1)
    """
    before = np.arange(n_state)
    rising = np.log(concentration * base[:, :, None] + before).cumsum(2)
    out = np.concatenate([np.zeros((*base.shape, 1)), rising], axis=2)
    return np.asarray(out - np.log(concentration + before).sum() / 3)


def expected_draws(counts: Array, base: Array, concentration: float) -> Array:
    """How many of the draws of each class came from the base: (edge, 3)."""
    n_state = counts.shape[2] - 1
    at_least = counts[:, :, ::-1].cumsum(2)[:, :, ::-1][:, :, 1:]  # probability of more than j draws, j = 0, 1, ...
    mass = concentration * base[:, :, None]
    return np.asarray((at_least * (mass / (mass + np.arange(n_state)))).sum(2))


def class_posterior(log_likelihood: Array, weight: Array) -> Classes:
    """Probability of the class of each edge in each state, given the table's urn.

    Parameters
    ----------
    log_likelihood : (edge, state, 3)
        Of each class, up to a constant for each edge and state.
    weight : (edge, 3, state + 1)
        From `urn`.
    """
    n_edge = len(log_likelihood)
    largest = log_likelihood.max(2, keepdims=True)
    likelihood = np.exp(log_likelihood - largest)
    top = weight.max(2, keepdims=True)
    probability, counts, total = np.empty_like(likelihood), np.zeros_like(weight), np.empty(n_edge)
    _sum_over_counts(likelihood, np.exp(weight - top), probability, counts, total)
    evidence = np.log(total) + top.sum((1, 2)) + largest.sum((1, 2))
    told = np.where(probability > 0, probability * np.where(probability > 0, log_likelihood, 0.0), 0.0)
    return Classes(probability, counts, evidence - told.sum((1, 2)))


@njit(cache=True)
def _sum_over_counts(likelihood: Any, weight: Any, probability: Any, counts: Any, total: Any) -> None:
    """For each edge: forwards over states by how many had class 0 and class 2 so far, and back again."""
    n_edge, n_state = likelihood.shape[:2]
    forward = np.zeros((n_state + 1, n_state + 1, n_state + 1))
    backward = np.zeros((n_state + 1, n_state + 1))
    for e in range(n_edge):
        _go_forward(likelihood[e], forward)
        whole = 0.0
        for i in range(n_state + 1):
            for j in range(n_state + 1 - i):
                backward[i, j] = weight[e, 0, i] * weight[e, 1, n_state - i - j] * weight[e, 2, j]
                whole += forward[n_state, i, j] * backward[i, j]
        total[e] = whole
        for i in range(n_state + 1):
            for j in range(n_state + 1 - i):
                share = forward[n_state, i, j] * backward[i, j] / whole
                counts[e, 0, i] += share
                counts[e, 1, n_state - i - j] += share
                counts[e, 2, j] += share
        _go_backward(likelihood[e], forward, backward, probability[e])


@njit(cache=True)
def _go_forward(likelihood: Any, forward: Any) -> None:
    """``forward[s, i, j]``: likelihood of the first s states, summed over assignments with counts i and j."""
    forward[0, 0, 0] = 1.0
    for s in range(len(likelihood)):
        first, none, last = likelihood[s]
        for i in range(s + 2):
            for j in range(s + 2 - i):
                value = none * forward[s, i, j] if i + j <= s else 0.0
                if i > 0:
                    value += first * forward[s, i - 1, j]
                if j > 0:
                    value += last * forward[s, i, j - 1]
                forward[s + 1, i, j] = value


@njit(cache=True)
def _go_backward(likelihood: Any, forward: Any, backward: Any, probability: Any) -> None:
    """Probability of each state's class; `backward` is what the counts after it are worth, and is used up."""
    for s in range(len(likelihood) - 1, -1, -1):
        first, none, last = likelihood[s]
        of_first, of_none, of_last = 0.0, 0.0, 0.0
        for i in range(s + 1):
            for j in range(s + 1 - i):
                so_far = forward[s, i, j]
                of_first += first * so_far * backward[i + 1, j]
                of_none += none * so_far * backward[i, j]
                of_last += last * so_far * backward[i, j + 1]
                backward[i, j] = first * backward[i + 1, j] + none * backward[i, j] + last * backward[i, j + 1]
        whole = of_first + of_none + of_last
        probability[s, 0] = of_first / whole
        probability[s, 1] = of_none / whole
        probability[s, 2] = of_last / whole
