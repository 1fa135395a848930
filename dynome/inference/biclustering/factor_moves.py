r"""Which factors the nodes of a cluster read, with the loadings integrated out.

Given the auxiliary variables, the log likelihood is quadratic in a node's bias and loadings :math:`c`, so that a set of
factors has the evidence

.. math:: \int p(y_i, \omega_i \mid c)\, N(c)\, dc \propto |P|^{1/2}\, |B_i|^{-1/2}
          \exp\left(\tfrac12 h_i^\top B_i^{-1} h_i\right)

with :math:`P` the prior precision, :math:`B_i = P + D^\top \Omega_i D`, :math:`h_i = P \mu + D^\top (\lambda_i -
\Omega_i m)` and :math:`D` the constant and the factors that are read. A factor is switched on or off in proportion to
its prior probability times the evidence of all nodes of the cluster; their coefficients are then drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from dynome.inference.biclustering.augmentation import Working
from dynome.inference.biclustering.laplace import coefficient_prior
from dynome.inference.biclustering.model import Array, Data, Hyper, State
from dynome.inference.biclustering.observations import predictor
from dynome.inference.biclustering.poisson import poisson_log_ratio, stand_in


def updated_active(
    current: State,
    data: Data,
    work: Working,
    hyper: Hyper,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
) -> State:
    """Switch factors of clusters on and off, with the coefficients of their nodes.

    Parameters
    ----------
    current : State
    data : Data
        Read for Poisson counts, for which the stand-in is corrected cluster by cluster.
    work : Working
        Drawn given the predictor of `current`.
    hyper : Hyper
        A factor is active with ``factor_probability``.
    rng : numpy.random.Generator
    temperature : float
        Power of the likelihood, as in `work`.

    Returns
    -------
    State
        Other ``active`` and ``coefficient``, if `hyper` says ``adapt_factors``. The posterior given `work` stays.
    """
    if not hyper.adapt_factors:
        return current
    information, score = _moments(current, work, hyper)
    for f in range(hyper.n_factors):
        active = _switched(current, f, information, score, hyper, rng)
        coefficient = _drawn(active[current.cluster], information, score, rng)
        moved = current._replace(active=active, coefficient=coefficient)
        current = _corrected(current, moved, data, temperature, rng) if data.law == "poisson" else moved
    return current


def _moments(current: State, work: Working, hyper: Hyper) -> tuple[Array, Array]:
    """B (n_node, q, q) and h (n_node, q) with all factors."""
    n, q = current.coefficient.shape
    mean, precision = coefficient_prior(hyper, q)
    information, score = np.empty((n, q, q)), np.empty((n, q))
    for j in range(current.latent.shape[1]):
        nodes = np.flatnonzero(current.cluster == j)
        read = current.latent[:, j].copy()
        read[:, 0] = 1.0
        products = (read[:, :, None] * read[:, None, :]).reshape(len(read), q * q)
        weight = work.precision[nodes]
        information[nodes] = (weight @ products).reshape(nodes.size, q, q) + np.diag(precision)
        score[nodes] = (work.linear[nodes] - weight * current.latent[:, j, 0]) @ read + precision * mean
    return information, score


def _switched(
    current: State, f: int, information: Array, score: Array, hyper: Hyper, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Factor `f` of every cluster drawn given the others."""
    log_odds = np.full(len(current.active), logit(hyper.factor_probability))
    for on in (True, False):
        active = current.active.copy()
        active[:, f] = on
        gain = _log_evidence(active[current.cluster], information, score, hyper)
        log_odds += np.bincount(current.cluster, gain if on else -gain, minlength=len(active))
    active = current.active.copy()
    active[:, f] = rng.logistic(size=len(active)) < log_odds
    return active


def _read(active: NDArray[np.bool_], information: Array, score: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Cholesky factor of B and h with what is not read cut off: ones on the diagonal, and zeros."""
    read = np.c_[np.ones(len(active), bool), active]
    both = read[:, :, None] & read[:, None, :]
    return np.linalg.cholesky(np.where(both, information, np.eye(read.shape[1]))), np.where(read, score, 0.0), read


def _log_evidence(active: NDArray[np.bool_], information: Array, score: Array, hyper: Hyper) -> Array:
    """Of every node, up to what does not depend on `active`."""
    factor, score, _ = _read(active, information, score)
    white = np.linalg.solve(factor, score[..., None])[..., 0]
    half = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(1)
    value: Array = 0.5 * (white**2).sum(1) - half - active.sum(1) * np.log(hyper.loading_sd)
    return value


def _drawn(active: NDArray[np.bool_], information: Array, score: Array, rng: np.random.Generator) -> Array:
    """Bias and loadings of every node; 0 where a factor is not read."""
    factor, score, read = _read(active, information, score)
    white = np.linalg.solve(factor, score[..., None]) + rng.standard_normal((*score.shape, 1))
    return np.where(read, np.linalg.solve(factor.swapaxes(1, 2), white)[..., 0], 0.0)


def _corrected(current: State, moved: State, data: Data, temperature: float, rng: np.random.Generator) -> State:
    """The move in those clusters that accept it."""
    before = predictor(current.coefficient, current.latent, current.cluster)
    after = predictor(moved.coefficient, current.latent, current.cluster)
    gain = temperature * poisson_log_ratio(data.y, after, before, stand_in(data.y)).sum(1)
    total = np.bincount(current.cluster, gain, minlength=len(current.active))
    accepted = np.log(rng.random(total.size)) < total
    return current._replace(
        active=np.where(accepted[:, None], moved.active, current.active),
        coefficient=np.where(accepted[current.cluster, None], moved.coefficient, current.coefficient),
    )
