"""Gaussian observations whose nodes vary together: a covariance for every state, or one for all.

Missing values are treated exactly: a bin is scored by the marginal density of the nodes that it has, and counts in the
update with the conditional mean and covariance of those that it lacks (Dempster, Laird & Rubin 1977). That costs one
factorisation a pattern of missing nodes and state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from dynome.dynamics.hmm.emissions.contract import Observed, chunks
from dynome.errors import InputError

Array = NDArray[np.float64]

_ABSENT = 1e-12  # bins that belong to a state less than this do not count in its covariance
_BLOCK = 1 << 17  # whitened numbers at a time: they stay in cache
_LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class FullGaussian:
    r"""A mean for every state; a covariance for every state, or one for all.

    Attributes
    ----------
    mean : (n_state, n_node)
    covariance : (n_state or 1, n_node, n_node)
        One if it is tied.
    prior_bins : float
        The prior counts as so many bins with `prior_covariance`, an inverse Wishart prior.
    prior_covariance : (n_node, n_node)
    centred : bool
        Means are 0 and stay 0.

    Notes
    -----
    :math:`\Sigma_s = (\sum_t w_{ts} (y_t - \mu_s)(y_t - \mu_s)^\top + b\,\Sigma_0) / (\sum_t w_{ts} + b)`; the prior of
    the means is flat.
    """

    mean: Array
    covariance: Array
    prior_bins: float
    prior_covariance: Array
    centred: bool

    def log_likelihood(self, data: Observed) -> Array:
        """As `Emission.log_likelihood`."""
        mean = self.mean - data.offset
        out = np.zeros((data.y.shape[0], mean.shape[0]))
        for bins, nodes in data.patterns:
            whiten, fixed = _whiteners(self.covariance, nodes)
            y = data.y[bins]
            out[bins] = _densities(y if data.seen is None else y[:, nodes], mean[:, nodes], whiten, fixed)
        return out

    def updated(self, data: Observed, weight: Array) -> Self:
        """As `Emission.updated`."""
        sums = _complete_sums(data, weight) if data.seen is None else _incomplete_sums(self, data, weight)
        mean = np.zeros(self.mean.shape)
        if not self.centred:
            np.divide(sums.first, sums.bins[:, None], out=mean, where=sums.bins[:, None] > 0)
        bins, scatter = sums.bins, sums.second
        if not self.centred:
            scatter = scatter - np.einsum("s,si,sj->sij", bins, mean, mean)
        if self.covariance.shape[0] < self.mean.shape[0]:
            bins, scatter = bins.sum(keepdims=True), scatter.sum(axis=0, keepdims=True)
        total = (bins + self.prior_bins)[:, None, None]
        covariance = np.tile(self.prior_covariance, (bins.size, 1, 1))
        np.divide(scatter + self.prior_bins * self.prior_covariance, total, out=covariance, where=total > 0)
        return replace(self, mean=mean + data.offset, covariance=covariance)

    def log_prior(self) -> float:
        """As `Emission.log_prior`."""
        if self.prior_bins == 0:
            return 0.0
        out = 0.0
        for covariance in self.covariance:
            factor = factorized(covariance)
            solved = scipy.linalg.cho_solve((factor, True), self.prior_covariance, check_finite=False)
            out += 2.0 * float(np.log(np.diag(factor)).sum()) + float(np.trace(solved))
        return -0.5 * self.prior_bins * out

    def expected(self) -> Array:
        """As `Emission.expected`."""
        return self.mean

    def drawn(self, state: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """As `Emission.drawn`."""
        factors = np.stack([factorized(c) for c in self.covariance])
        out = rng.standard_normal((state.size, self.mean.shape[1]))
        which = np.minimum(state, factors.shape[0] - 1)
        for k in range(factors.shape[0]):
            out[which == k] = out[which == k] @ factors[k].T
        return np.asarray(out + self.mean[state])

    def taken(self, states: NDArray[np.int64]) -> Self:
        """As `Emission.taken`."""
        tied = self.covariance.shape[0] == 1 and self.mean.shape[0] > 1
        return replace(self, mean=self.mean[states], covariance=self.covariance if tied else self.covariance[states])


def pooled_full(data: Observed, n_states: int, prior_bins: float, *, centred: bool, tied: bool) -> FullGaussian:
    """All states with the means and the covariance of the whole recording.

    The covariance is moved towards its diagonal by the share ``n_node / (n_node + n_bin)``, so that it has an inverse
    however short the recording is. With missing values its correlations are those of the values that are there.

    Parameters
    ----------
    data : Observed
        Less the means of the nodes, unless `centred`.
    n_states : int
    prior_bins : float
    centred : bool
        Means are 0.
    tied : bool
        One covariance for all states.
    """
    n_bin, n_node = data.y.shape
    bins = np.broadcast_to(data.counted(np.ones((n_bin, 1)))[0], n_node)
    product = _symmetric_product(data.y)
    scale = np.sqrt(np.diag(product))
    variance = scale**2 / bins
    correlation = product / np.outer(scale, scale)
    share = n_node / (n_node + n_bin)
    covariance = ((1 - share) * correlation + share * np.eye(n_node)) * np.sqrt(np.outer(variance, variance))
    mean = np.tile(data.offset, (n_states, 1))
    return FullGaussian(mean, np.tile(covariance, (1 if tied else n_states, 1, 1)), prior_bins, covariance, centred)


def factorized(covariance: Array) -> Array:
    """Lower Cholesky factor, or an error that says what to do."""
    try:
        return np.asarray(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        raise InputError(
            "the covariance of a state is not positive definite: it has fewer bins than nodes, or nodes that follow "
            "from others; raise prior_bins, drop redundant nodes, or take fewer states"
        ) from None


def _whiteners(covariance: Array, nodes: NDArray[np.int64]) -> tuple[Array, Array]:
    """Matrices that whiten the nodes of each covariance, and half its log determinant with the constant."""
    own = covariance[:, nodes][:, :, nodes]
    factors = [factorized(c) for c in own]
    identity = np.eye(own.shape[1])
    whiten = [scipy.linalg.solve_triangular(f, identity, lower=True, check_finite=False).T for f in factors]
    half = [np.log(np.diag(f)).sum() + 0.5 * own.shape[1] * _LOG_2PI for f in factors]
    return np.stack(whiten), np.array(half)


def _densities(y: Array, mean: Array, whiten: Array, half: Array) -> Array:
    """Log density of every bin in every state: one product whitens a block of bins for all covariances."""
    n_state, n_node = mean.shape
    n_whiten = whiten.shape[0]
    side = np.ascontiguousarray(whiten.transpose(1, 0, 2).reshape(n_node, -1))
    centre = (mean[:, None, :] @ whiten)[:, 0]
    out = np.empty((y.shape[0], n_state))
    for part in chunks(y.shape[0], max(32, _BLOCK // (n_whiten * n_node))):
        z = (y[part] @ side).reshape(-1, n_whiten, n_node) - centre
        out[part] = np.einsum("tsn,tsn->ts", z, z)
    out *= -0.5
    out -= half
    return out


class _Sums(NamedTuple):
    """Weighted sums over bins: weight (n_state,), values (n_state, n_node), products (n_state, n_node, n_node)."""

    bins: Array
    first: Array
    second: Array


def _complete_sums(data: Observed, weight: Array) -> _Sums:
    second = np.empty((weight.shape[1], data.y.shape[1], data.y.shape[1]))
    for s, w in enumerate(weight.T):
        second[s] = _products(data.y, w)
    return _Sums(weight.sum(axis=0), weight.T @ data.y, second)


def _products(y: Array, weight: Array) -> Array:
    """Sum of ``weight * y y^T`` over the bins that count."""
    out = np.zeros((y.shape[1], y.shape[1]))
    rows = np.flatnonzero(weight > _ABSENT)
    for part in chunks(rows.size):
        out += _symmetric_product(y[rows[part]] * np.sqrt(weight[rows[part], None]))
    return out


def _symmetric_product(y: Array) -> Array:
    """``y.T @ y``, half of which is computed."""
    upper = scipy.linalg.blas.dsyrk(1.0, y.T)
    return np.asarray(upper + np.triu(upper, 1).T)


def _incomplete_sums(emission: FullGaussian, data: Observed, weight: Array) -> _Sums:
    """The sums, with what is expected of missing values given the others of the bin."""
    n_state, n_node = emission.mean.shape
    mean = emission.mean - data.offset
    sums = _Sums(np.zeros(n_state), np.zeros((n_state, n_node)), np.zeros((n_state, n_node, n_node)))
    for bins, nodes in data.patterns:
        lacking = np.setdiff1d(np.arange(n_node), nodes)
        for s in range(n_state):
            w = weight[bins, s]
            y = data.y[bins]
            covariance = emission.covariance[min(s, emission.covariance.shape[0] - 1)]
            if lacking.size:
                across = covariance[np.ix_(nodes, lacking)]
                factor = (factorized(covariance[np.ix_(nodes, nodes)]), True)
                slope = scipy.linalg.cho_solve(factor, across, check_finite=False)
                y[:, lacking] = mean[s, lacking] + (y[:, nodes] - mean[s, nodes]) @ slope
                left = covariance[np.ix_(lacking, lacking)] - across.T @ slope
                sums.second[s][np.ix_(lacking, lacking)] += w.sum() * left
            sums.bins[s] += w.sum()
            sums.first[s] += w @ y
            sums.second[s] += _products(y, w)
    return sums
