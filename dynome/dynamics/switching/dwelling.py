"""A semi-Markov chain: dwell times are negative binomial, each state being a row of phases."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.hmm.chain import Chain, updated_chain
from dynome.dynamics.hmm.durations import collapse, expand, updated_durations
from dynome.dynamics.switching.processes import Process, Smoothed

Array = NDArray[np.float64]

_LEAST = 1e-9


@dataclass(frozen=True)
class DwellProcess(Process):
    r"""States that are left after a number of phases.

    Attributes
    ----------
    advance : (n_state,)
        Probability a bin to leave a phase.
    n_phases : int
        Phases of every state; the mean dwell time is ``n_phases / advance`` bins.

    Notes
    -----
    A state is entered at its first phase and left from its last, for another state that `chain` draws. The time to get
    through :math:`r` phases is negative binomial: mean :math:`r / p`, variance :math:`r (1 - p) / p^2`.
    """

    advance: Array = field(default_factory=lambda: np.ones(1))
    n_phases: int = 1

    def arrays(self) -> tuple[Array, Array]:
        """Transition and initial probabilities of the phases."""
        found = expand(self.chain.transition, self.chain.initial, self.advance, self.n_phases)
        return found.transition, found.initial

    def updated(self, smoothed: Smoothed) -> Self:
        """Phases left over phases occupied, and onsets of the next state over departures."""
        found = updated_durations(smoothed.transitions, self.state, concentration=self.concentration)
        entered = np.asarray(collapse(smoothed.first[None], self.state)[0], np.float64)
        first = updated_chain(found.transition, entered, concentration=self.concentration)
        known = np.isfinite(found.advance)
        advance = np.where(known, np.clip(found.advance, _LEAST, 1.0), self.advance)
        return replace(self, chain=Chain(found.transition, first.initial), advance=advance)

    def log_prior(self) -> float:
        """Dirichlet on the moves to other states and on the first state."""
        if self.concentration <= 1:
            return 0.0
        off = ~np.eye(self.advance.size, dtype=bool)
        logs = np.log(np.maximum(self.chain.transition[off], 1e-300)).sum()
        return float((self.concentration - 1) * (logs + np.log(np.maximum(self.chain.initial, 1e-300)).sum()))

    @property
    def state(self) -> NDArray[np.int64]:
        """State of every phase."""
        return np.repeat(np.arange(self.advance.size), self.n_phases)

    def of_phases(self, log_likelihood: Array) -> Array:
        """Columns of states as columns of phases."""
        return np.repeat(log_likelihood, self.n_phases, axis=1)

    def of_states(self, probability: NDArray[np.floating]) -> Array:
        """Columns of phases as columns of states."""
        return np.asarray(collapse(probability, self.state), np.float64)

    def restarted(self, empty: NDArray[np.bool_]) -> Self:
        """Empty states are entered as often as others, and left as fast.

        Parameters
        ----------
        empty : (n_state,)
            Which states begin anew.
        """
        fresh = super().restarted(empty).chain
        off = fresh.transition * (1 - np.eye(empty.size))
        usual = float(self.advance[~empty].mean()) if (~empty).any() else 0.1
        transition = off / np.maximum(off.sum(axis=1, keepdims=True), _LEAST)
        return replace(self, chain=Chain(transition, fresh.initial), advance=np.where(empty, usual, self.advance))
