r"""Evidence of every cluster for every node: the node's bias and loadings integrated out.

Laplace's approximation around the most probable coefficients :math:`\hat c`, exact for Gaussian observations:

.. math:: \log \int p(y_i \mid c, X^{(j)})^\beta\, N(c)\, dc \approx \beta \log p(y_i \mid \hat c, X^{(j)})
          + \log N(\hat c) + \tfrac q2 \log 2\pi - \tfrac12 \log |H|

with :math:`H` the curvature of the log posterior there. The augmentation of counts is not used, so that the answer does
not depend on the cluster a node came from. Moves that propose from it correct its error exactly.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from dynome.inference.biclustering.copies import copy
from dynome.inference.biclustering.evidence_loops import (
    BLOCK,
    GAUSSIAN,
    N_BUFFERS,
    POISSON,
    factorize,
    slopes,
    solve,
)
from dynome.inference.biclustering.model import Array, Data, Hyper
from dynome.inference.biclustering.trials import Trials, as_paths, as_trials

_STRIDE, _COARSE_FROM = 8, 2048  # Newton starts on every 8th bin of long recordings
_PASSES, _HALVINGS = 50, 30
_WORTH_SHARING = 300_000  # numbers of the paths that all nodes read: below, threads cost more than they save
_FAR, _NEAR, _SURE = 1e-1, 1e-3, 1e2  # squared steps, in units of the posterior's spread
_HOPELESS = 40.0  # nats below the best cluster: less than rounding errors
_OPTIONS: Final = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


class Fit(NamedTuple):
    """Laplace's approximation of the coefficients of every node in every cluster.

    Attributes
    ----------
    mean : (n_node, n_cluster, 1 + n_factor)
        Most probable bias and loadings.
    factor : (n_node, n_cluster, 1 + n_factor, 1 + n_factor)
        Lower Cholesky factor of their precision: ``mean + inv(factor.T) @ normal`` is a draw.
    log_evidence : (n_node, n_cluster)
        Nats, up to a constant of the node (of its observations and its dispersion).
    """

    mean: Array
    factor: Array
    log_evidence: Array


def evidence(
    data: Data,
    latent: Array,
    dispersion: Array,
    hyper: Hyper,
    *,
    active: NDArray[np.bool_] | None = None,
    temperature: float = 1.0,
) -> Fit:
    """Laplace's approximation for every pair of a node and a cluster.

    Parameters
    ----------
    data : Data
    latent : (n_bin, n_cluster, 1 + n_factor)
    dispersion : (n_node,)
    hyper : Hyper
        Prior of biases and loadings.
    active : (n_cluster, n_factor), optional
        Factors that are read, all by default. The loading on another one follows its prior in the result.
    temperature : float
        Power of the likelihood.

    Returns
    -------
    Fit
        A function of the arguments only: Newton's method starts afresh, so that proposals from it are independent of
        where a chain has been. Nodes are shared among numba's threads. In long recordings, a cluster more than 40
        nats below the node's best one is left after one step on all bins.

    Examples
    --------
    >>> data = Data(np.array([[1.0, 3.0]]), np.array([0, 2]), "gaussian")
    >>> fit = evidence(data, np.zeros((2, 1, 1)), np.ones(1), Hyper(n_factors=0))
    >>> fit.mean.round(6).tolist()  # 4 / (2 + 1)
    [[[1.333333]]]
    """
    active = np.ones((latent.shape[1], latent.shape[2] - 1), bool) if active is None else active
    return paths_evidence(as_trials(data, dispersion, temperature=temperature), as_paths(latent, active), hyper)


def paths_evidence(trials: Trials, paths: Array, hyper: Hyper) -> Fit:
    """`evidence` of observations and paths that are prepared already.

    Parameters
    ----------
    trials : Trials
    paths : (n_cluster, 1 + n_factor, n_bin)
    hyper : Hyper

    Returns
    -------
    Fit
    """
    n, (n_clusters, q, n_bins) = trials.shift.size, paths.shape
    observed = trials.linear, trials.trials
    few, few_paths = observed, paths
    if n_bins >= _COARSE_FROM:
        few = np.ascontiguousarray(observed[0][:, ::_STRIDE]), np.ascontiguousarray(observed[1][:, ::_STRIDE])
        few_paths = np.ascontiguousarray(paths[..., ::_STRIDE])
    fit = Fit(np.empty((n, n_clusters, q)), np.empty((n, n_clusters, q, q)), np.empty((n, n_clusters)))
    fits = _fits_alone if n * paths.size < _WORTH_SHARING else _fits_shared
    prior = coefficient_prior(hyper, q)
    fits(observed, paths, few, few_paths, trials.shift, trials.family, prior, _levels(paths), tuple(fit))
    return fit


def coefficient_prior(hyper: Hyper, q: int) -> tuple[Array, Array]:
    """Mean and precision, one a component, of the prior of bias and loadings."""
    mean, precision = np.zeros(q), np.full(q, hyper.loading_sd**-2.0)
    mean[0], precision[0] = hyper.bias_mean, hyper.bias_sd**-2.0
    return mean, precision


@njit(parallel=True, **_OPTIONS)
def _fits_shared(trials, paths, coarse_trials, coarse_paths, shift, family, prior, level, fit):  # type: ignore[no-untyped-def]
    for i in prange(shift.size):
        _fit_node(i, trials, paths, coarse_trials, coarse_paths, shift, family, prior, level, fit)


@njit(**_OPTIONS)
def _fits_alone(trials, paths, coarse_trials, coarse_paths, shift, family, prior, level, fit):  # type: ignore[no-untyped-def]
    for i in range(shift.size):
        _fit_node(i, trials, paths, coarse_trials, coarse_paths, shift, family, prior, level, fit)


@njit(**_OPTIONS)
def _fit_node(i, trials, paths, coarse_trials, coarse_paths, shift, family, prior, level, fit):  # type: ignore[no-untyped-def]
    linear, count = trials[0][i], trials[1][i]
    mean, factor, log_evidence = fit[0][i], fit[1][i], fit[2][i]
    share = coarse_trials[0].shape[1] / linear.size
    buffer = np.empty((N_BUFFERS, BLOCK))
    begun = 0.0 if family == GAUSSIAN else _begun(linear, count, family) + shift[i]
    size, least = np.empty(paths.shape[0]), -np.inf
    for j in range(size.size):
        copy(prior[0], mean[j])
        if family != GAUSSIAN:
            mean[j, 0] = begun - level[j]
            few = coarse_trials[0][i], coarse_trials[1][i], coarse_paths[j], shift[i], family
            _climb(*few, prior[0], share * prior[1], False, _FAR, _PASSES, mean[j], factor[j], buffer)
        log_evidence[j], size[j] = _climb(
            linear, count, paths[j], shift[i], family, *prior, True, _NEAR, 1, mean[j], factor[j], buffer
        )
        least = max(least, log_evidence[j] - 0.5 * size[j])
    for j in range(size.size):
        hopeless = share < 1 and size[j] < _SURE and log_evidence[j] < least - _HOPELESS
        if size[j] >= _NEAR and not hopeless and family != GAUSSIAN:
            log_evidence[j], _ = _climb(
                linear, count, paths[j], shift[i], family, *prior, True, _NEAR, _PASSES, mean[j], factor[j], buffer
            )


@njit(**_OPTIONS)
def _levels(paths):  # type: ignore[no-untyped-def]
    """Log mean of the exponential of every common log rate."""
    out = np.empty(paths.shape[0])
    for j in range(out.size):
        top = paths[j, 0].max()
        out[j] = top + np.log(np.exp(paths[j, 0] - top).mean())
    return out


@njit(**_OPTIONS)
def _begun(linear, trials, family):  # type: ignore[no-untyped-def]
    """Predictor, less its shift, that explains the sum of the observations of a node."""
    total, n = linear.sum() + 0.5, trials.sum() + 1.0
    return np.log(total) - np.log(n) if family == POISSON else np.log(total) - np.log(n - total)


@njit(**_OPTIONS)
def _climb(  # type: ignore[no-untyped-def]
    linear, trials, path, shift, family, prior_mean, prior_precision, valued, tolerance, n_passes, coefficient, factor,
    buffer,
):  # fmt: skip
    """Newton's method to the most probable coefficients, in place; Laplace's log evidence, and the last squared step.

    A step is halved until the slope along it does not grow in size. For a concave function this cannot overshoot far,
    and it spares the log likelihood, which counts in the last pass alone.
    """
    q = coefficient.size
    score, information, step, trial = np.empty(q), np.empty((q, q)), np.zeros(q), coefficient.copy()
    before, size, scale, value, half = np.inf, 0.0, 1.0, 0.0, 0.0
    for _ in range(n_passes):
        value = slopes(linear, trials, path, trial, shift, family, valued, buffer, score, information)
        along = 0.0
        for f in range(q):
            gap = trial[f] - prior_mean[f]
            score[f] -= prior_precision[f] * gap
            information[f, f] += prior_precision[f]
            value -= 0.5 * prior_precision[f] * gap * gap
            along += score[f] * step[f]
        if -along > before and scale > 2.0**-_HALVINGS:
            scale *= 0.5
            _go(coefficient, step, scale, trial)
            continue
        copy(trial, coefficient)
        half = factorize(information, factor)
        size = solve(factor, score, step)
        if size < tolerance:
            break
        before, scale = size, 1.0
        _go(coefficient, step, 1.0, trial)
    _go(coefficient, step, 1.0, coefficient)
    return value + 0.5 * size + 0.5 * np.log(prior_precision).sum() - half, size


@njit(**_OPTIONS)
def _go(coefficient, step, scale, out):  # type: ignore[no-untyped-def]
    for f in range(out.size):
        out[f] = coefficient[f] + scale * step[f]
