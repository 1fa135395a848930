"""How states follow one another: the verbs of every process, and the plain chain.

All share the verbs of `Process`, so that the EM does not know which it has. A new one is one class, as in `driven` and
`dwelling`: it says what its transition probabilities are and how it learns from expected transitions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.hmm import chain as chains
from dynome.dynamics.hmm.chain import Chain
from dynome.dynamics.hmm.decoding import most_likely_path
from dynome.dynamics.hmm.filtering import Prediction, predict
from dynome.dynamics.hmm.sampling import sample_chain, sample_paths
from dynome.dynamics.hmm.smoothing import smooth

Array = NDArray[np.float64]
Starts = NDArray[np.int64]


class Smoothed(NamedTuple):
    """What the observations say about the states.

    Attributes
    ----------
    probability : (n_bin, n_state)
        Of each state given its whole sequence.
    evidence : (n_sequence,)
        Log probability of each sequence, in nats.
    transitions : (n_phase, n_phase) or (n_bin, n_phase, n_phase)
        Expected transitions, between the phases of the states where a process has them.
    first : (n_phase,)
        Posterior of the first bin, summed over sequences.
    """

    probability: Array
    evidence: Array
    transitions: Array
    first: Array


@dataclass(frozen=True)
class Process(ABC):
    """States in time.

    Attributes
    ----------
    chain : Chain
        Probabilities of the next state and of the first.
    concentration, stickiness : float
        Of the Dirichlet prior on them.
    """

    chain: Chain
    concentration: float = 1.0
    stickiness: float = 0.0

    varying = False  # whether transitions differ from bin to bin

    @property
    def state(self) -> NDArray[np.int64]:
        """State of every phase."""
        return np.arange(self.chain.initial.size)

    @abstractmethod
    def arrays(self) -> tuple[Array, Array]:
        """Transition and initial probabilities of the phases."""

    @abstractmethod
    def updated(self, smoothed: Smoothed) -> Self:
        """The process that suits the expected transitions best."""

    @abstractmethod
    def log_prior(self) -> float:
        """Log density of the prior, in nats, up to a constant."""

    def restarted(self, empty: NDArray[np.bool_]) -> Self:
        """Empty states are entered and left as often as others.

        Parameters
        ----------
        empty : (n_state,)
            Which states begin anew.
        """
        n = empty.size
        transition, initial = self.chain.transition.copy(), self.chain.initial.copy()
        usual = chains.sticky(n, float(np.diag(transition)[~empty].mean())) if (~empty).any() else chains.sticky(n, 0.9)
        transition[empty] = usual[empty]
        transition[:, empty] = np.maximum(transition[:, empty], usual[:, empty])
        initial[empty] = max(1 / n, initial[empty].max(initial=0))
        transition /= transition.sum(axis=1, keepdims=True)
        return replace(self, chain=Chain(transition, initial / initial.sum()))

    def smooth(self, log_likelihood: Array, starts: Starts) -> Smoothed:
        """Posterior of the states.

        Parameters
        ----------
        log_likelihood : (n_bin, n_state)
            Log probability of every bin in every state.
        starts : (n_sequence + 1,)
            First bins.
        """
        found = smooth(self.of_phases(log_likelihood), *self.arrays(), starts, each_transition=self.varying)
        first = found.probability[starts[:-1]].sum(axis=0)
        return Smoothed(self.of_states(found.probability), found.evidence, found.transitions, first)

    def predict(self, log_likelihood: Array, starts: Starts) -> Prediction:
        """Probability of every state before its bin is seen, and of the bin given the past."""
        found = predict(self.of_phases(log_likelihood), *self.arrays(), starts)
        return found._replace(probability=self.of_states(found.probability))

    def decode(self, log_likelihood: Array, starts: Starts) -> NDArray[np.int64]:
        """The most probable path of states."""
        return self.state[most_likely_path(self.of_phases(log_likelihood), *self.arrays(), starts).state]

    def sample(self, starts: Starts, rng: np.random.Generator) -> NDArray[np.int64]:
        """A path of states that nothing was observed of."""
        return self.state[sample_chain(*self.arrays(), starts, rng)]

    def sample_posterior(
        self, log_likelihood: Array, starts: Starts, n_draws: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Paths of states given the observations, (n_draws, n_bin)."""
        return self.state[sample_paths(self.of_phases(log_likelihood), *self.arrays(), starts, n_draws, rng)]

    def of_phases(self, log_likelihood: Array) -> Array:
        """Columns of states as columns of phases."""
        return log_likelihood

    def of_states(self, probability: NDArray[np.floating]) -> Array:
        """Columns of phases as columns of states."""
        return np.asarray(probability, np.float64)


@dataclass(frozen=True)
class PlainProcess(Process):
    """A Markov chain: dwell times are geometric."""

    def arrays(self) -> tuple[Array, Array]:
        """Transition and initial probabilities."""
        return self.chain.transition, self.chain.initial

    def updated(self, smoothed: Smoothed) -> Self:
        """Expected transitions, normalised, with the prior's."""
        found = chains.updated_chain(
            smoothed.transitions, smoothed.first, concentration=self.concentration, stickiness=self.stickiness
        )
        return replace(self, chain=found)

    def log_prior(self) -> float:
        """Dirichlet."""
        return chains.log_prior(self.chain, concentration=self.concentration, stickiness=self.stickiness)
