"""Counts and events of nodes that are independent given the state: Poisson and Bernoulli."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.hmm.emissions.contract import Observed

Array = NDArray[np.float64]

_TINY = 1e-300  # keeps a log finite where neither data nor prior hold a single event


@dataclass(frozen=True)
class Poisson:
    r"""Counts with a rate for every state and node.

    Attributes
    ----------
    rate : (n_state, n_node)
        Expected count a bin.
    prior_bins : float
        The prior counts as so many bins with `prior_rate`, a Gamma prior.
    prior_rate : (n_node,)

    Notes
    -----
    :math:`\lambda_{sn} = (\sum_t w_{ts} y_{tn} + b\,r_n) / (\sum_t w_{ts} + b)`.
    """

    rate: Array
    prior_bins: float
    prior_rate: Array

    def log_likelihood(self, data: Observed) -> Array:
        """As `Emission.log_likelihood`."""
        out = data.y @ np.log(self.rate).T
        out -= self.rate.sum(axis=1) if data.seen is None else data.seen @ self.rate.T
        out += data.constant[:, None]
        return np.asarray(out)

    def updated(self, data: Observed, weight: Array) -> Self:
        """As `Emission.updated`."""
        return replace(self, rate=_shrunken(data, weight, self.prior_bins, self.prior_rate))

    def log_prior(self) -> float:
        """As `Emission.log_prior`."""
        return self.prior_bins * float((self.prior_rate * np.log(self.rate) - self.rate).sum())

    def expected(self) -> Array:
        """As `Emission.expected`."""
        return self.rate

    def drawn(self, state: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """As `Emission.drawn`."""
        return rng.poisson(self.rate[state]).astype(np.float64)

    def taken(self, states: NDArray[np.int64]) -> Self:
        """As `Emission.taken`."""
        return replace(self, rate=self.rate[states])


@dataclass(frozen=True)
class Bernoulli:
    r"""Events, 0 or 1, with a probability for every state and node.

    Attributes
    ----------
    probability : (n_state, n_node)
    prior_bins : float
        The prior counts as so many bins with `prior_probability`, a Beta prior.
    prior_probability : (n_node,)
    """

    probability: Array
    prior_bins: float
    prior_probability: Array

    def log_likelihood(self, data: Observed) -> Array:
        """As `Emission.log_likelihood`."""
        yes, no = _logs(self.probability)
        out = data.y @ (yes - no).T
        out += no.sum(axis=1) if data.seen is None else data.seen @ no.T
        return np.asarray(out)

    def updated(self, data: Observed, weight: Array) -> Self:
        """As `Emission.updated`."""
        return replace(self, probability=_shrunken(data, weight, self.prior_bins, self.prior_probability))

    def log_prior(self) -> float:
        """As `Emission.log_prior`."""
        yes, no = _logs(self.probability)
        return self.prior_bins * float((self.prior_probability * yes + (1.0 - self.prior_probability) * no).sum())

    def expected(self) -> Array:
        """As `Emission.expected`."""
        return self.probability

    def drawn(self, state: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """As `Emission.drawn`."""
        return (rng.random((state.size, self.probability.shape[1])) < self.probability[state]).astype(np.float64)

    def taken(self, states: NDArray[np.int64]) -> Self:
        """As `Emission.taken`."""
        return replace(self, probability=self.probability[states])


def pooled_poisson(data: Observed, n_states: int, prior_bins: float) -> Poisson:
    """All states with the rates of the whole recording; a silent node has that of half a count.

    Parameters
    ----------
    data : Observed
    n_states : int
    prior_bins : float
    """
    bins = data.counted(np.ones((data.y.shape[0], 1)))[0]
    rate = (data.y.sum(axis=0) + 0.5) / (bins + 1.0)
    return Poisson(np.tile(rate, (n_states, 1)), prior_bins, rate)


def pooled_bernoulli(data: Observed, n_states: int, prior_bins: float) -> Bernoulli:
    """All states with the probabilities of the whole recording, never 0 or 1.

    Parameters
    ----------
    data : Observed
    n_states : int
    prior_bins : float
    """
    bins = data.counted(np.ones((data.y.shape[0], 1)))[0]
    probability = (data.y.sum(axis=0) + 0.5) / (bins + 1.0)
    return Bernoulli(np.tile(probability, (n_states, 1)), prior_bins, probability)


def _shrunken(data: Observed, weight: Array, prior_bins: float, prior: Array) -> Array:
    bins = data.counted(weight) + prior_bins
    events = weight.T @ data.y + prior_bins * prior
    found = np.divide(events, bins, out=np.tile(prior, (weight.shape[1], 1)), where=bins > 0)
    return np.maximum(found, _TINY)


def _logs(probability: Array) -> tuple[Array, Array]:
    return np.log(np.maximum(probability, _TINY)), np.log(np.maximum(1.0 - probability, _TINY))
