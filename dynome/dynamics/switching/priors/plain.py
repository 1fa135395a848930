"""Priors with nothing to learn: none at all, and a ridge."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.switching.priors.contract import Array, Labelled, Prior, Quadratic, check_positive


class Edges(NamedTuple):
    """The edges that exist in the model.

    Attributes
    ----------
    free : (target, source) of bool
    """

    free: NDArray[np.bool_]


class RidgePrior(Prior):
    """Every coupling is near zero: ``N(0, 1 / precision)``, self-history too.

    Parameters
    ----------
    precision : float
        One over the variance of a coefficient. 1 hardly moves couplings that are well determined.

    Examples
    --------
    >>> prior, coupling = RidgePrior(2.0), np.ones((1, 2, 2, 1))
    >>> belief = prior.start(coupling, np.ones((2, 2), dtype=bool))
    >>> prior.log_density(coupling, belief)
    -4.0
    """

    learns: ClassVar[bool] = False

    def __init__(self, precision: float = 1.0) -> None:
        self.precision = precision

    def check(self) -> None:
        """See `Prior.check`."""
        check_positive(self, "precision")

    def start(self, coupling: Array, free: NDArray[np.bool_], prior_class: Array | None = None) -> Edges:
        """The edges; nothing else is believed."""
        return Edges(free)

    def refined(self, coupling: Array, variance: Array | None, belief: Edges) -> Edges:
        """The same belief."""
        return belief

    def quadratic(self, coupling: Array, belief: Edges) -> Quadratic:
        """The ridge itself."""
        precision = np.zeros_like(coupling)
        precision[:, belief.free] = self.precision
        return Quadratic(np.zeros_like(coupling), precision)

    def log_density(self, coupling: Array, belief: Edges) -> float:
        """Minus half of precision times the sum of squares; its normalisation is constant and left out."""
        return -0.5 * self.precision * float((coupling[:, belief.free] ** 2).sum())

    def labelled(self, belief: Edges) -> Labelled:
        """Nothing was learnt."""
        return {}


class NoPrior(RidgePrior):
    """Nothing is believed: maximum likelihood."""

    def __init__(self) -> None:
        super().__init__(precision=0.0)

    def check(self) -> None:
        """There is nothing to check."""
