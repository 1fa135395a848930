"""A chain that inputs drive: what is seen outside makes some next states more probable."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import scipy.special
from numpy.typing import NDArray

from dynome.dynamics.glm.multinomial import TransitionFit, fit_transitions, transition_probability
from dynome.dynamics.hmm.chain import Chain, updated_chain
from dynome.dynamics.switching.processes import Process, Smoothed

Array = NDArray[np.float64]

_NEWTON_STEPS = 3  # an iteration of the EM
_RIDGE = 0.01  # precision of the weights of the inputs: keeps them finite where inputs separate the states


@dataclass(frozen=True)
class DrivenProcess(Process):
    r"""Transitions with logits that are linear in the inputs.

    Attributes
    ----------
    drive : (n_state, n_input)
        What each input adds to the logit of entering each state, whatever the state before; sums to 0 over states.
    inputs : (n_bin, n_input)
        Those of bin ``t`` act on the transition into ``t``.

    Notes
    -----
    :math:`P(z_t = j \mid z_{t-1} = i) \propto \Pi_{ij} \exp(R_j u_t)`: `chain` is that where all inputs are 0.
    """

    drive: Array = field(default_factory=lambda: np.zeros((1, 0)))
    inputs: Array = field(default_factory=lambda: np.zeros((0, 0)))

    varying = True

    def arrays(self) -> tuple[Array, Array]:
        """Transition probabilities into every bin."""
        moves = transition_probability(self.inputs, logits(self.chain.transition), self.drive.T[None])
        return moves, self.chain.initial

    def updated(self, smoothed: Smoothed) -> Self:
        """A few Newton steps of a multinomial regression on expected transitions."""
        found = fit_transitions(
            self.inputs,
            smoothed.transitions,
            ridge=_RIDGE,
            pseudo_counts=self._pseudo_counts(),
            start=TransitionFit(logits(self.chain.transition), self.drive.T[None], 0.0, 0, False),
            max_iter=_NEWTON_STEPS,
        )
        first = updated_chain(self.chain.transition, smoothed.first, concentration=self.concentration)
        transition = np.asarray(scipy.special.softmax(found.base, axis=1))
        return replace(self, chain=Chain(transition, first.initial), drive=found.weight[0].T)

    def log_prior(self) -> float:
        """Dirichlet at inputs of 0, and a weak ridge on the weights."""
        chain = float((self._pseudo_counts() * np.log(np.maximum(self.chain.transition, 1e-300))).sum())
        first = (self.concentration - 1) * float(np.log(np.maximum(self.chain.initial, 1e-300)).sum())
        return chain + first - 0.5 * _RIDGE * float((self.drive**2).sum())

    def _pseudo_counts(self) -> Array:
        n = self.chain.initial.size
        return np.full((n, n), self.concentration - 1.0) + self.stickiness * np.eye(n)


def logits(transition: Array) -> Array:
    """Logits of a transition matrix; rows sum to 0.

    Parameters
    ----------
    transition : (n_state, n_state)
        Probabilities; a 0 counts as 1e-12.
    """
    out = np.log(np.maximum(transition, 1e-12))
    return np.asarray(out - out.mean(axis=1, keepdims=True))
