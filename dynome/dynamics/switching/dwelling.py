"""A semi-Markov chain: dwell times are negative binomial, each state being a row of phases."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.hmm.chain import Chain, updated_chain
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
        """Transition and initial probabilities of the phases; a sequence begins at the first phase of a state."""
        n, r = self.advance.size, self.n_phases
        moves = np.zeros((n, r, n, r))
        for s in range(n):
            moves[s, np.arange(r), s, np.arange(r)] = 1 - self.advance[s]
            moves[s, np.arange(r - 1), s, np.arange(1, r)] = self.advance[s]
            moves[s, r - 1, :, 0] += self.advance[s] * self.chain.transition[s]
        first = np.zeros((n, r))
        first[:, 0] = self.chain.initial
        return moves.reshape(n * r, n * r), first.ravel()

    def updated(self, smoothed: Smoothed) -> Self:
        """Expected advances over expected bins, and expected moves between states."""
        n, r = self.advance.size, self.n_phases
        counts = smoothed.transitions.reshape(n, r, n, r)
        left = counts[:, r - 1, :, 0].copy()
        left[np.arange(n), np.arange(n)] = 0.0
        stayed = np.einsum("srsr->s", counts)
        onward = counts.sum(axis=(1, 2, 3)) - stayed
        total = stayed + onward
        advance = np.where(total > 0, onward / np.maximum(total, _LEAST), self.advance)
        transitions = left + (self.concentration - 1) * (1 - np.eye(n))
        moved = updated_chain(transitions, smoothed.first.reshape(n, r).sum(axis=1), concentration=1.0)
        initial = updated_chain(transitions, smoothed.first.reshape(n, r).sum(axis=1), concentration=self.concentration)
        transition = np.where(transitions.sum(axis=1, keepdims=True) > 0, moved.transition, self.chain.transition)
        return replace(self, chain=Chain(transition, initial.initial), advance=np.clip(advance, _LEAST, 1.0))

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
        phases = np.asarray(probability, np.float64).reshape(-1, self.advance.size, self.n_phases)
        return np.asarray(phases.sum(axis=2))

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
