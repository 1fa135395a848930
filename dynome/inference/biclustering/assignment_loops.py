"""Compiled steps of the assignment of nodes: a cluster and coefficients proposed, and accepted or not."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit

from dynome.inference.biclustering.copies import copy
from dynome.inference.biclustering.evidence_loops import BLOCK, N_BUFFERS, log_likelihood, solve_transposed

DEGREES: Final = 10.0  # of the t distribution that coefficients are proposed from: its tails are the heavier ones
_OPTIONS: Final = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


@njit(**_OPTIONS)
def scan(  # type: ignore[no-untyped-def]
    order, cluster, coefficient, size, added, linear, trials, shift, family, paths, mean, factor, log_evidence,
    uniform, normal, spread, prior_mean, prior_precision,
):  # fmt: skip
    """Moves of the nodes in `order` among clusters that have other nodes, in place. A node alone keeps its cluster."""
    buffer = np.empty((N_BUFFERS, BLOCK))
    weight, trial = np.empty(size.size), np.empty(prior_mean.size)
    accepted = 0
    for i in order:
        here = cluster[i]
        for j in range(size.size):
            others = size[j] - (j == here)
            free = j == here if size[here] == 1 else others > 0
            weight[j] = np.log(max(others, 0.5) + added) + log_evidence[i, j] if free else -np.inf
        there = chosen(weight, uniform[i, 0])
        before = importance(
            linear[i], trials[i], shift[i], family, paths[here], mean[i, here], factor[i, here], log_evidence[i, here],
            coefficient[i], prior_mean, prior_precision, buffer,
        )  # fmt: skip
        propose(mean[i, there], factor[i, there], spread[i], normal[i], trial)
        after = importance(
            linear[i], trials[i], shift[i], family, paths[there], mean[i, there], factor[i, there],
            log_evidence[i, there], trial, prior_mean, prior_precision, buffer,
        )  # fmt: skip
        if np.log(uniform[i, 1]) < after - before:
            accepted += 1
            size[here] -= 1
            size[there] += 1
            cluster[i] = there
            copy(trial, coefficient[i])
    return accepted


@njit(**_OPTIONS)
def propose(mean, factor, spread, normal, out):  # type: ignore[no-untyped-def]
    """Coefficients drawn from the t distribution around Laplace's approximation."""
    for f in range(out.size):
        out[f] = spread * normal[f]
    solve_transposed(factor, out)
    for f in range(out.size):
        out[f] += mean[f]


@njit(**_OPTIONS)
def chosen(log_weight, uniform):  # type: ignore[no-untyped-def]
    """Position drawn in proportion to weights."""
    top, total = log_weight.max(), 0.0
    for j in range(log_weight.size):
        total += np.exp(log_weight[j] - top)
    left, last = uniform * total, 0
    for j in range(log_weight.size):
        if log_weight[j] > -np.inf:
            last = j
            left -= np.exp(log_weight[j] - top)
            if left < 0:
                break
    return last


@njit(**_OPTIONS)
def importance(  # type: ignore[no-untyped-def]
    linear, trials, shift, family, path, mean, factor, log_evidence, coefficient, prior_mean, prior_precision, buffer
):
    """Log of the joint density over the proposal's, with constants that depend on the number of components alone."""
    value = log_likelihood(linear, trials, path, coefficient, shift, family, buffer) - log_evidence
    q, square = mean.size, 0.0
    for f in range(q):
        gap = coefficient[f] - prior_mean[f]
        value += 0.5 * (np.log(prior_precision[f]) - prior_precision[f] * gap * gap) - np.log(factor[f, f])
        turned = 0.0
        for g in range(f, q):
            turned += factor[g, f] * (coefficient[g] - mean[g])
        square += turned * turned
    degrees = 0.5 * (DEGREES + q)
    constant = math.lgamma(degrees) - math.lgamma(0.5 * DEGREES) - 0.5 * q * np.log(0.5 * DEGREES)
    return value - constant + degrees * np.log1p(square / DEGREES)
