"""What every law of the observations can do, and the observations as the laws see them.

A new law is one frozen dataclass that keeps `Emission`, a function that makes one from pooled data, and a line in
`dynome.dynamics.hmm.emissions.choice`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pattern = tuple[NDArray[np.int64] | slice, NDArray[np.int64]]

CHUNK = 4096  # bins at a time, so that temporaries stay small


class Observed(NamedTuple):
    """Observations of all bins, ready for products of matrices.

    Attributes
    ----------
    y : (n_bin, n_node)
        Less `offset`; 0 where missing.
    seen : (n_bin, n_node) or None
        1 where observed, 0 where missing; None where nothing is missing.
    offset : (n_node,)
        What was taken off, so that squares keep their digits.
    constant : (n_bin,)
        Terms of the log probability without parameters, in nats.
    patterns : tuple of (bins, nodes)
        Bins that miss the same nodes, and the nodes that they have. Bins that miss all are in none.
    """

    y: Array
    seen: Array | None
    offset: Array
    constant: Array
    patterns: tuple[Pattern, ...]

    @property
    def n_seen(self) -> int:
        """Observed entries."""
        return self.y.size if self.seen is None else int(self.seen.sum())

    def counted(self, weight: Array) -> Array:
        """Weight of the observed bins, (n_state, n_node or 1)."""
        return np.asarray(weight.sum(axis=0)[:, None] if self.seen is None else weight.T @ self.seen)


class Emission(Protocol):
    """Parameters of all states; an update gives new ones and changes nothing."""

    def log_likelihood(self, data: Observed) -> Array:
        """Log probability of every bin in every state, (n_bin, n_state); 0 where all is missing."""

    def updated(self, data: Observed, weight: Array) -> Self:
        """The most probable parameters given how much each bin (row) belongs to each state (column)."""

    def log_prior(self) -> float:
        """Log density of the parameters, up to a constant."""

    def expected(self) -> Array:
        """Mean of every node in every state, (n_state, n_node)."""

    def drawn(self, state: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """Observations of given states, (n_bin, n_node)."""

    def taken(self, states: NDArray[np.int64]) -> Self:
        """Some states in some order, or one of them several times."""


def observed(y: Array, *, offset: Array | None = None, constant: Array | None = None) -> Observed:
    """Observations as the laws see them.

    Parameters
    ----------
    y : (n_bin, n_node)
        NaN is missing.
    offset : (n_node,) or None
        To be taken off.
    constant : (n_bin,) or None
        Terms of the log probability without parameters.
    """
    missing = np.isnan(y)
    if offset is not None:
        y = y - offset
    some = bool(missing.any())
    if some:
        y = np.where(missing, 0.0, y)
    return Observed(
        np.ascontiguousarray(y),
        (~missing).astype(np.float64) if some else None,
        np.zeros(y.shape[1]) if offset is None else offset,
        np.zeros(y.shape[0]) if constant is None else constant,
        _patterns(missing) if some else ((slice(None), np.arange(y.shape[1])),),
    )


def _patterns(missing: NDArray[np.bool_]) -> tuple[Pattern, ...]:
    packed, which = np.unique(np.packbits(missing, axis=1), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(which.ravel(), minlength=packed.shape[0]))
    groups = np.split(order, ends[:-1])
    found = ((bins, np.flatnonzero(~missing[bins[0]])) for bins in groups)
    return tuple((bins, nodes) for bins, nodes in found if nodes.size)


def chunks(n_bin: int, size: int = CHUNK) -> Iterator[slice]:
    """Slices that cover all bins in order."""
    return (slice(a, min(a + size, n_bin)) for a in range(0, n_bin, size))
