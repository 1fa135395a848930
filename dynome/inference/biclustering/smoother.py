r"""Moments of the path of one cluster: what expectation needs, where `paths` draws.

Dynamics enter as expectations (`ExpectedTerms`), so that their uncertainty is felt; forward in information form, and
back with covariances (Rauch, Tung and Striebel 1965, in information form).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import digamma

from dynome.inference.biclustering.copies import add, copy
from dynome.inference.biclustering.dynamics import PathStatistics, conjugate
from dynome.inference.biclustering.model import Array, Hyper, Labels

_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc", "nsz"}}


class ExpectedTerms(NamedTuple):
    """Expected terms of the log density of a transition into every state, for one cluster.

    Attributes
    ----------
    inside : (n_state, q, q)
        Inverse noise.
    link : (n_state, q, q)
        Inverse noise times matrix.
    before : (n_state, q, q)
    push, pull : (n_state, q)
        Linear terms of the bin entered and (to be subtracted) of the bin before.
    constant : (n_state,)
        Log density at zero, without the power of two pi.
    """

    inside: Array
    link: Array
    before: Array
    push: Array
    pull: Array
    constant: Array


class Moments(NamedTuple):
    """Gaussian law of a path.

    Attributes
    ----------
    mean : (n_bin, q)
    covariance : (n_bin, q, q)
    cross : (n_bin, q, q)
        Of each bin with the one before it; 0 in first bins.
    log_determinant : float
        Of the precision of the whole path.
    """

    mean: Array
    covariance: Array
    cross: Array
    log_determinant: float


def expected_terms(statistics: PathStatistics, hyper: Hyper) -> ExpectedTerms:
    """Expectation under the posterior of one cluster's dynamics given (expected) statistics of its path.

    Parameters
    ----------
    statistics : PathStatistics
        Of one group.
    hyper : Hyper
        Must not be coupled.
    """
    density = conjugate(statistics, hyper)
    mean, width = density.mean[:, 0], density.scale.shape[-1]
    inside = density.degrees[:, None, None] * np.linalg.inv(density.scale[:, 0])
    whole = mean.swapaxes(-1, -2) @ inside @ mean + width * np.linalg.inv(density.precision[:, 0])
    log_inside = digamma((density.degrees[:, None] - np.arange(width)) / 2).sum(-1) + width * np.log(2)
    log_inside -= np.linalg.slogdet(density.scale[:, 0])[1]
    both = inside @ mean
    return ExpectedTerms(
        inside=inside,
        link=np.ascontiguousarray(both[..., :width]),
        before=np.ascontiguousarray(whole[:, :width, :width]),
        push=np.ascontiguousarray(both[..., width]),
        pull=np.ascontiguousarray(whole[:, :width, width]),
        constant=0.5 * log_inside - 0.5 * whole[:, width, width],
    )


def moments(precision: Array, linear: Array, state: Labels, terms: ExpectedTerms, starts: Labels) -> Moments:
    """Moments of one cluster's path given what its nodes say and the states.

    Parameters
    ----------
    precision : (n_bin, q, q)
    linear : (n_bin, q)
    state : (n_bin,)
    terms : ExpectedTerms
    starts : (n_sequence + 1,)
    """
    n_bin, q = linear.shape
    mean, covariance, cross = np.zeros((n_bin, q)), np.zeros((n_bin, q, q)), np.zeros((n_bin, q, q))
    total = _smoothed(precision, linear, state, starts, *terms[:5], mean, covariance, cross)
    return Moments(mean, covariance, cross, float(total))


def expected_statistics(found: Moments, state: Labels, starts: Labels, n_states: int) -> PathStatistics:
    """Expected count and Gram matrix of the transitions into every state, for one group."""
    size = 2 * found.mean.shape[1] + 1
    count, gram = np.zeros(n_states), np.zeros((n_states, 1, size, size))
    _gathered(found.mean, found.covariance, found.cross, state, starts, count, gram[:, 0])
    return PathStatistics(count, gram)


@njit(**_OPTIONS)
def _smoothed(precision, linear, state, starts, inside, link, before, push, pull, mean, covariance, cross):  # type: ignore[no-untyped-def]
    n_bin, q = linear.shape
    law, half = np.empty((q, q)), np.empty(q)
    inverse = np.empty((n_bin, q, q))
    gain, room = np.empty((q, q)), np.empty((q, q))
    total = 0.0
    for s in range(starts.size - 1):
        first, last = starts[s], starts[s + 1]
        copy(precision[first], law)
        copy(linear[first], half)
        for i in range(q):
            law[i, i] += 1.0
        for t in range(first, last - 1):
            k = state[t + 1]
            add(pull[k], -1.0, half)
            add(before[k], 1.0, law)
            total += inverted(law, inverse[t], room)
            applied(inverse[t], half, mean[t])
            filtered(inverse[t], mean[t], inside[k], link[k], push[k], precision[t + 1], linear[t + 1], law, half, gain)
        total += inverted(law, inverse[last - 1], room)
        applied(inverse[last - 1], half, mean[last - 1])
        copy(inverse[last - 1], covariance[last - 1])
        for t in range(last - 2, first - 1, -1):
            _back(inverse[t], link[state[t + 1]], mean, covariance, cross[t + 1], t, gain)
    return total


@njit(**_OPTIONS)
def filtered(inverse, mean, inside, link, push, precision, linear, law, half, gain):  # type: ignore[no-untyped-def]
    """One bin on: precision and linear term of the next latents, from mean and covariance of the latents before."""
    q = half.size
    product(link, inverse, gain)
    applied(link, mean, half)
    for i in range(q):
        half[i] += push[i] + linear[i]
        for j in range(i, q):
            value = inside[i, j] + precision[i, j]
            for a in range(q):
                value -= gain[i, a] * link[j, a]
            law[i, j] = value
            law[j, i] = value


@njit(**_OPTIONS)
def _back(inverse, link, mean, covariance, cross, t, gain):  # type: ignore[no-untyped-def]
    """One bin back: moments given all bins, and the covariance with the next."""
    q = link.shape[0]
    product(inverse, link.T, gain)
    product(covariance[t + 1], gain.T, cross)
    product(gain, cross, covariance[t])
    add(inverse, 1.0, covariance[t])
    for i in range(q):
        for j in range(q):
            mean[t, i] += gain[i, j] * mean[t + 1, j]


@njit(**_OPTIONS)
def product(left, right, out):  # type: ignore[no-untyped-def]
    """Matrix product of small matrices."""
    for i in range(left.shape[0]):
        for j in range(right.shape[1]):
            value = 0.0
            for a in range(left.shape[1]):
                value += left[i, a] * right[a, j]
            out[i, j] = value


@njit(**_OPTIONS)
def applied(matrix, vector, out):  # type: ignore[no-untyped-def]
    """Product of a small matrix and a vector."""
    for i in range(matrix.shape[0]):
        value = 0.0
        for a in range(matrix.shape[1]):
            value += matrix[i, a] * vector[a]
        out[i] = value


@njit(**_OPTIONS)
def inverted(matrix, out, root):  # type: ignore[no-untyped-def]
    """Inverse of a positive definite matrix into `out`; its log determinant. `root` is room for the factor."""
    q = matrix.shape[0]
    product = 1.0
    for j in range(q):
        value = matrix[j, j]
        for a in range(j):
            value -= root[j, a] * root[j, a]
        product *= value
        root[j, j] = np.sqrt(value)
        for i in range(j + 1, q):
            value = matrix[i, j]
            for a in range(j):
                value -= root[i, a] * root[j, a]
            root[i, j] = value / root[j, j]
    for j in range(q):
        for i in range(j, q):
            value = 1.0 if i == j else 0.0
            for a in range(j, i):
                value -= root[i, a] * out[a, j]
            out[i, j] = value / root[i, i]
        for i in range(q - 1, j - 1, -1):
            value = out[i, j]
            for a in range(i + 1, q):
                value -= root[a, i] * out[a, j]
            out[i, j] = value / root[i, i]
        for i in range(j):
            out[i, j] = out[j, i]
    return np.log(product)


@njit(**_OPTIONS)
def _gathered(mean, covariance, cross, state, starts, count, gram):  # type: ignore[no-untyped-def]
    q = mean.shape[1]
    row = np.empty(2 * q + 1)
    row[q] = 1.0
    for s in range(starts.size - 1):
        for t in range(starts[s] + 1, starts[s + 1]):
            k = state[t]
            count[k] += 1
            copy(mean[t - 1], row[:q])
            copy(mean[t], row[q + 1 :])
            for i in range(2 * q + 1):
                for j in range(2 * q + 1):
                    gram[k, i, j] += row[i] * row[j]
            for i in range(q):
                for j in range(q):
                    gram[k, i, j] += covariance[t - 1, i, j]
                    gram[k, q + 1 + i, q + 1 + j] += covariance[t, i, j]
                    gram[k, q + 1 + i, j] += cross[t, i, j]
                    gram[k, j, q + 1 + i] += cross[t, i, j]
