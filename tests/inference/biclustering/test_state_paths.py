"""Evidence for draws of state paths: enumeration, sequences, and what underflow must not do."""

from itertools import product

import numpy as np
from scipy.stats import chisquare

from dynome.inference.biclustering.hdp import log_states
from dynome.inference.biclustering.state_paths import draw_states

STARTS = np.array([0, 2, 5])
TRANSITION = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.1, 0.1, 0.8]])


def test_paths_are_drawn_as_often_as_their_posterior_says():
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((5, 3))
    steps[STARTS[:-1]] = 0
    paths = np.array(list(product(range(3), repeat=5)))
    log_p = np.array([log_states(path, TRANSITION, STARTS) + steps[np.arange(5), path].sum() for path in paths])
    seen = np.zeros(len(paths))
    for _ in range(20_000):
        seen[draw_states(steps, TRANSITION, STARTS, rng) @ (3 ** np.arange(4, -1, -1))] += 1
    p = np.exp(log_p)
    rare = p / p.sum() < 5e-4
    expected = np.append(p[~rare], p[rare].sum()) / p.sum()
    assert chisquare(np.append(seen[~rare], seen[rare].sum()), seen.sum() * expected).pvalue > 0.01


def test_a_path_follows_overwhelming_densities_through_forbidden_transitions():
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    steps = np.zeros((6, 2))
    steps[3, 0] = -1e6
    steps[4, 0] = -1e6
    state = draw_states(steps, swap, np.array([0, 6]), np.random.default_rng(0))
    np.testing.assert_array_equal(state[3:5], [1, 1])


def test_the_same_seed_draws_the_same_path():
    steps = np.random.default_rng(1).standard_normal((5, 3))
    a, b = (draw_states(steps, TRANSITION, STARTS, np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
