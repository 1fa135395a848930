"""Evidence for the sticky hierarchical Dirichlet process: all paths of a tiny chain enumerated, and Geweke's test."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare, ks_2samp

from dynome.inference.biclustering.hdp import (
    log_states,
    log_states_integrated,
    prior_transitions,
    transition_counts,
    updated_concentrations,
    updated_transitions,
)
from dynome.inference.biclustering.model import Concentrations, Hyper
from dynome.inference.biclustering.state_paths import draw_states

STARTS = np.array([0, 3, 5])
CONCENTRATIONS = Concentrations(row=1.5, top=2.0, stickiness=1.0)
SWEEPS = 15_000


def every_path(n_bins: int, n_states: int) -> np.ndarray:
    return np.array(list(product(range(n_states), repeat=n_bins)))


def log_prior_of(path: np.ndarray) -> float:
    """With the weights of two states integrated out on a grid."""
    grid = (np.arange(400) + 0.5) / 400
    density = grid ** (CONCENTRATIONS.top / 2 - 1) * (1 - grid) ** (CONCENTRATIONS.top / 2 - 1)
    p = [np.exp(log_states_integrated(path, STARTS, np.array([b, 1 - b]), CONCENTRATIONS)) for b in grid]
    return float(np.log(np.average(p, weights=density)))


def test_transitions_are_counted_within_sequences_only():
    counts = transition_counts(np.array([0, 1, 1, 0, 0]), STARTS, 3)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 1, 0], [0, 0, 0]])


def test_integrating_the_matrix_out_is_averaging_over_it():
    rng = np.random.default_rng(0)
    path, weight = np.array([0, 0, 1, 1, 0]), np.array([0.3, 0.7])
    prior = CONCENTRATIONS.row * weight + CONCENTRATIONS.stickiness * np.eye(2)
    drawn = np.stack([rng.dirichlet(row, 40_000) for row in prior], axis=1)
    p = np.exp([log_states(path, matrix, STARTS) for matrix in drawn[:4000]])
    expected = np.exp(log_states_integrated(path, STARTS, weight, CONCENTRATIONS))
    assert p.mean() == pytest.approx(expected, abs=4 * p.std() / np.sqrt(p.size))


def test_paths_of_all_lengths_have_total_probability_one():
    weight = np.array([0.3, 0.7])
    total = sum(np.exp(log_states_integrated(path, STARTS, weight, CONCENTRATIONS)) for path in every_path(5, 2))
    assert total == pytest.approx(1)


def test_a_path_visits_as_often_as_its_enumerated_posterior_says():
    rng, hyper = np.random.default_rng(1), Hyper(n_states=2)
    steps = rng.standard_normal((5, 2))
    steps[STARTS[:-1]] = 0
    paths = every_path(5, 2)
    log_p = np.array([log_prior_of(path) + steps[np.arange(5), path].sum() for path in paths])
    p = np.exp(log_p - log_p.max())
    weight, transition = prior_transitions(hyper, CONCENTRATIONS, rng)
    seen = np.zeros(len(paths))
    for sweep in range(SWEEPS):
        state = draw_states(steps, transition, STARTS, rng)
        weight, transition = updated_transitions(state, STARTS, weight, CONCENTRATIONS, hyper, rng)
        if sweep % 5 == 0:
            seen[state @ (2 ** np.arange(4, -1, -1))] += 1
    assert chisquare(seen, seen.sum() * p / p.sum()).pvalue > 0.01


def test_concentrations_pass_the_joint_distribution_test():
    """Geweke (2004): alternating draws of data and parameters leave the prior as it is."""
    rng, starts, flat = np.random.default_rng(2), np.array([0, 8, 14]), np.zeros((14, 3))
    hyper = Hyper(n_states=3, concentration_shape=4.0, concentration_rate=1.0)
    weight, transition = prior_transitions(hyper, CONCENTRATIONS, rng)
    now, drawn = CONCENTRATIONS, []
    for sweep in range(SWEEPS):
        state = draw_states(flat, transition, starts, rng)
        now, weight = updated_concentrations(state, starts, weight, now, hyper, rng)
        weight, transition = updated_transitions(state, starts, weight, now, hyper, rng)
        if sweep % 15 == 0:
            total = now.row + now.stickiness
            drawn.append((total, now.stickiness / total, now.top, weight.max(), transition[1, 1]))
    expected = []
    for _ in range(1000):
        total, top, rho = *rng.gamma(4.0, size=2), rng.random()
        prior = Concentrations(row=total * (1 - rho), top=top, stickiness=total * rho)
        weight, transition = prior_transitions(hyper, prior, rng)
        expected.append((total, rho, top, weight.max(), transition[1, 1]))
    for name, a, b in zip(
        ("total", "rho", "top", "weight", "stay"), np.transpose(drawn), np.transpose(expected), strict=True
    ):
        assert ks_2samp(a, b).pvalue > 0.01, name


def test_weights_of_many_idle_states_stay_positive():
    rng, hyper = np.random.default_rng(3), Hyper(n_states=200)
    small = Concentrations(row=0.01, top=0.01, stickiness=1.0)
    weight, transition = prior_transitions(hyper, small, rng)
    assert np.all(weight > 0)
    assert np.all(transition > 0)
    np.testing.assert_allclose(transition.sum(1), 1)
