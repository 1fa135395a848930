"""Expectation maximisation of a hidden Markov model: starts, iterations, states that empty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome import seeds
from dynome.dynamics.hmm.chain import Chain, log_prior, updated_chain
from dynome.dynamics.hmm.clustering import clusters, products, smoothed
from dynome.dynamics.hmm.emissions.contract import Emission, Observed
from dynome.dynamics.hmm.smoothing import Posterior, smooth

Array = NDArray[np.float64]

_WIDTHS = (1, 5, 15, 45)  # bins that the starts look at together
_EMPTY = 1.0  # a state that has fewer bins than this is empty
_RESEEDS = 3
_SURE = 0.9  # how much a bin belongs to the state that a start gives it


class Options(NamedTuple):
    """How to fit; fields as in `HMM`."""

    n_states: int
    n_restarts: int
    max_iter: int
    tol: float
    concentration: float
    stickiness: float


class Fit(NamedTuple):
    """One start, followed to its end.

    Attributes
    ----------
    emission : Emission
    chain : Chain
    posterior : Posterior
        Of the states, under these parameters.
    history : (n_iteration,)
        Evidence plus log priors; never falls.
    converged : bool
    n_iter : int
        Iterations in all, with those that a reseeded state did not gain from.
    reseeded : int
        How often empty states began anew.
    """

    emission: Emission
    chain: Chain
    posterior: Posterior
    history: Array
    converged: bool
    n_iter: int
    reseeded: int

    @property
    def empty(self) -> NDArray[np.bool_]:
        """States that are left without a bin, (n_state,)."""
        return np.asarray(self.posterior.probability.sum(axis=0) < _EMPTY)


def started(
    data: Observed, starts: NDArray[np.int64], emission: Emission, options: Options, *, centred: bool, seed: int, k: int
) -> tuple[Emission, Chain]:
    """Parameters where start `k` begins: those of clusters of smoothed bins.

    Parameters
    ----------
    data : Observed
    starts : (n_sequence + 1,)
    emission : Emission
        Pooled, all states alike.
    options : Options
    centred : bool
        States differ by their covariance alone: look at products of nodes.
    seed, k : int
        Each start has a stream of its own.
    """
    rng = seeds.generator(seed, "restart", k)
    if centred:
        features, widths = products(data.y), (15, 45, 5, 90)
    else:
        scale = np.sqrt((data.y**2).mean(axis=0))
        features, widths = data.y / np.where(scale > 0, scale, 1.0), _WIDTHS
    label = clusters(smoothed(features, starts, widths[k % len(widths)]), options.n_states, rng)
    belongs = (label[:, None] == np.arange(options.n_states)).astype(np.float64)
    weight = _SURE * belongs + (1.0 - _SURE) / options.n_states
    return emission.updated(data, weight), chain_of(weight, starts, options)


def chain_of(weight: Array, starts: NDArray[np.int64], options: Options) -> Chain:
    """The chain that bins make if each belongs to states independently, with a count added everywhere.

    Parameters
    ----------
    weight : (n_bin, n_state)
    starts : (n_sequence + 1,)
    options : Options
    """
    inside = np.ones(weight.shape[0], dtype=bool)
    inside[starts[:-1]] = False
    after = np.flatnonzero(inside)
    transitions = weight[after - 1].T @ weight[after] + 1.0
    first = weight[starts[:-1]].sum(axis=0) + 1.0
    return updated_chain(transitions, first, concentration=options.concentration, stickiness=options.stickiness)


def fitted(data: Observed, starts: NDArray[np.int64], emission: Emission, chain: Chain, options: Options) -> Fit:
    """Follow one start to its end; states that come out empty begin anew, as long as that gains.

    Parameters
    ----------
    data : Observed
    starts : (n_sequence + 1,)
    emission, chain
        Where to begin.
    options : Options
    """
    fit = climbed(data, starts, emission, chain, options)
    for _ in range(_RESEEDS):
        if not fit.empty.any():
            break
        weight = _shared_out(fit, data)
        again = climbed(data, starts, fit.emission.updated(data, weight), chain_of(weight, starts, options), options)
        n_iter, reseeded = fit.n_iter + again.n_iter, fit.reseeded + 1
        better = again if again.history[-1] > fit.history[-1] else fit
        fit = better._replace(n_iter=n_iter, reseeded=reseeded)
    return fit


def climbed(data: Observed, starts: NDArray[np.int64], emission: Emission, chain: Chain, options: Options) -> Fit:
    """Iterate until an iteration gains less than ``tol`` nats an observed entry.

    Parameters
    ----------
    data : Observed
    starts : (n_sequence + 1,)
    emission, chain
        Where to begin.
    options : Options
    """
    prior = {"concentration": options.concentration, "stickiness": options.stickiness}
    history: list[float] = []
    while True:
        posterior = smooth(emission.log_likelihood(data), chain.transition, chain.initial, starts)
        history.append(float(posterior.evidence.sum()) + log_prior(chain, **prior) + emission.log_prior())
        converged = len(history) > 1 and history[-1] - history[-2] < options.tol * data.n_seen
        if converged or len(history) >= options.max_iter:
            return Fit(emission, chain, posterior, np.array(history), converged, len(history), 0)
        first = posterior.probability[starts[:-1]].sum(axis=0)
        chain = updated_chain(posterior.transitions, first, **prior)
        emission = emission.updated(data, np.asarray(posterior.probability, dtype=np.float64))


def _shared_out(fit: Fit, data: Observed) -> Array:
    """Give each empty state the half of the largest state's bins that it explains worst."""
    weight = np.array(fit.posterior.probability, dtype=np.float64)
    explained = fit.emission.log_likelihood(data)
    for s in np.flatnonzero(fit.empty):
        largest = int(weight.sum(axis=0).argmax())
        own = np.flatnonzero(weight.argmax(axis=1) == largest)
        worst = own[explained[own, largest] <= np.median(explained[own, largest])]
        weight[worst, s] = _SURE * weight[worst, largest]
        weight[worst, largest] -= weight[worst, s]
    return weight
