"""A semi-Markov chain: dwell times are negative binomial, each state being a row of phases."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.switching.processes import Process

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DwellProcess(Process):
    """States that are left after a number of phases.

    Attributes
    ----------
    advance : (n_state,)
        Probability a bin to leave a phase.
    n_phases : int
        Phases of every state; the mean dwell time is ``n_phases / advance`` bins.
    """

    advance: Array = field(default_factory=lambda: np.ones(1))
    n_phases: int = 1
