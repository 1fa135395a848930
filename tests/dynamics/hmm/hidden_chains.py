"""Chains to test kernels on, and what they should say: all paths one by one, and extended precision."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np

SEEDS = st.integers(0, 2**32 - 1)


class Truth(NamedTuple):
    probability: np.ndarray
    transitions: np.ndarray  # (n_bin, n_state, n_state)
    evidence: float
    best: tuple[int, ...]
    best_log_probability: float


class Case(NamedTuple):
    log_likelihood: np.ndarray
    transition: np.ndarray
    initial: np.ndarray
    starts: np.ndarray


def drawn(
    seed: int, n_bin: int, n_state: int, *, n_sequence: int = 1, spread: float = 2.0, offset: float = -300.0, stay=None
) -> Case:
    """Random log likelihoods hundreds of nats below zero, a random or a sticky chain, ragged sequences."""
    rng = np.random.default_rng(seed)
    log_likelihood = spread * rng.standard_normal((n_bin, n_state)) + offset
    transition = rng.dirichlet(np.ones(n_state), n_state)
    if stay is not None:
        transition = np.full((n_state, n_state), (1 - stay) / max(n_state - 1, 1))
        np.fill_diagonal(transition, stay if n_state > 1 else 1.0)
    cuts = np.sort(rng.choice(np.arange(1, n_bin), n_sequence - 1, replace=False))
    return Case(log_likelihood, transition, rng.dirichlet(np.ones(n_state)), np.array([0, *cuts, n_bin]))


def enumerated(log_likelihood: np.ndarray, transition: np.ndarray, initial: np.ndarray) -> Truth:
    """One sequence by the sum over all its paths; `transition` may vary, entry t leads into bin t."""
    n_bin, n_state = log_likelihood.shape
    moves = np.broadcast_to(transition, (n_bin, n_state, n_state))
    paths = list(itertools.product(range(n_state), repeat=n_bin))
    with np.errstate(divide="ignore"):
        log_p = np.array(
            [
                np.log(initial[z[0]])
                + sum(log_likelihood[t, z[t]] for t in range(n_bin))
                + sum(np.log(moves[t, z[t - 1], z[t]]) for t in range(1, n_bin))
                for z in paths
            ]
        )
    top = log_p.max()
    weight = np.exp(log_p - top)
    evidence = top + np.log(weight.sum())
    probability, transitions = np.zeros((n_bin, n_state)), np.zeros((n_bin, n_state, n_state))
    for z, w in zip(paths, weight / weight.sum(), strict=True):
        probability[range(n_bin), z] += w
        transitions[range(1, n_bin), z[:-1], z[1:]] += w
    return Truth(probability, transitions, evidence, paths[int(log_p.argmax())], top)


def extended(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Posterior, summed transitions and evidence in long double, one bin after another."""
    values = case.log_likelihood.astype(np.longdouble)
    top = values.max(1, keepdims=True)
    e, p = np.exp(values - top), case.transition.astype(np.longdouble)
    probability, transitions, evidence = np.empty_like(e), np.zeros_like(p), []
    for a, b in itertools.pairwise(case.starts):
        total = np.empty(b - a, dtype=np.longdouble)
        for t in range(a, b):
            v = (case.initial.astype(np.longdouble) if t == a else probability[t - 1] @ p) * e[t]
            total[t - a] = v.sum()
            probability[t] = v / v.sum()
        message = np.ones_like(v)
        for t in range(b - 1, a, -1):
            step = message * e[t] / total[t - a]
            transitions += probability[t - 1][:, None] * p * step
            probability[t] *= message
            message = p @ step
        probability[a] *= message
        evidence.append(np.log(total).sum() + top[a:b].sum())
    return probability, transitions, np.array(evidence)
