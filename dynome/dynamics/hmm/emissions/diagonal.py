"""Gaussian observations of nodes that are independent given the state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.hmm.emissions.contract import Observed, chunks

Array = NDArray[np.float64]

_LEAST = 1e-9  # of the pooled variance: a state of one bin has no smaller one even without a prior
_LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class DiagonalGaussian:
    r"""A mean and a variance for every state and node.

    Attributes
    ----------
    mean, variance : (n_state, n_node)
    prior_bins : float
        The prior counts as so many bins with `prior_variance`, an inverse Gamma prior.
    prior_variance : (n_node,)
    centred : bool
        Means are 0 and stay 0.

    Notes
    -----
    :math:`v_{sn} = (\sum_t w_{ts} (y_{tn} - \mu_{sn})^2 + b\,v_n) / (\sum_t w_{ts} + b)`; the
    prior of the means is flat.
    """

    mean: Array
    variance: Array
    prior_bins: float
    prior_variance: Array
    centred: bool

    def log_likelihood(self, data: Observed) -> Array:
        """As `Emission.log_likelihood`."""
        mean = self.mean - data.offset
        precision = 1.0 / self.variance
        linear, square = (mean * precision).T, (-0.5 * precision).T
        fixed = -0.5 * (mean**2 * precision + np.log(self.variance) + _LOG_2PI)
        out = data.y @ linear
        for part in chunks(data.y.shape[0]):
            out[part] += data.y[part] ** 2 @ square
        out += fixed.sum(axis=1) if data.seen is None else data.seen @ fixed.T
        return np.asarray(out)

    def updated(self, data: Observed, weight: Array) -> Self:
        """As `Emission.updated`."""
        bins = data.counted(weight) * np.ones(self.mean.shape)
        square = np.zeros(self.mean.shape)
        for part in chunks(data.y.shape[0]):
            square += weight[part].T @ data.y[part] ** 2
        mean = np.zeros(self.mean.shape)
        if not self.centred:
            np.divide(weight.T @ data.y, bins, out=mean, where=bins > 0)
        scatter = np.maximum(square - bins * mean**2, 0.0)
        total = bins + self.prior_bins
        variance = np.tile(self.prior_variance, (self.mean.shape[0], 1))
        np.divide(scatter + self.prior_bins * self.prior_variance, total, out=variance, where=total > 0)
        variance = np.maximum(variance, _LEAST * self.prior_variance)
        return replace(self, mean=mean + data.offset, variance=variance)

    def log_prior(self) -> float:
        """As `Emission.log_prior`."""
        return -0.5 * self.prior_bins * float((np.log(self.variance) + self.prior_variance / self.variance).sum())

    def expected(self) -> Array:
        """As `Emission.expected`."""
        return self.mean

    def drawn(self, state: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """As `Emission.drawn`."""
        noise = rng.standard_normal((state.size, self.mean.shape[1]))
        return np.asarray(self.mean[state] + np.sqrt(self.variance[state]) * noise)

    def taken(self, states: NDArray[np.int64]) -> Self:
        """As `Emission.taken`."""
        return replace(self, mean=self.mean[states], variance=self.variance[states])


def pooled_diagonal(data: Observed, n_states: int, prior_bins: float, *, centred: bool) -> DiagonalGaussian:
    """All states with the means and variances of the whole recording.

    Parameters
    ----------
    data : Observed
        Less the means of the nodes, unless `centred`.
    n_states : int
    prior_bins : float
    centred : bool
        Means are 0.
    """
    bins = data.counted(np.ones((data.y.shape[0], 1)))[0]
    variance = (data.y**2).sum(axis=0) / bins
    mean = np.tile(data.offset, (n_states, 1))
    return DiagonalGaussian(mean, np.tile(variance, (n_states, 1)), prior_bins, variance, centred)
