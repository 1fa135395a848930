"""Evidence for dwell times: the negative binomial law, the plain chain as a case, recovery by EM, the errors."""

import numpy as np
import pytest
from hidden_chains import drawn
from scipy.stats import nbinom

from dynome.dynamics.hmm.durations import collapse, expand, updated_durations
from dynome.dynamics.hmm.sampling import sample_chain
from dynome.dynamics.hmm.smoothing import smooth
from dynome.errors import InputError

THREE = np.array([[0.0, 0.7, 0.3], [0.4, 0.0, 0.6], [0.9, 0.1, 0.0]])
ADVANCE, PHASES = np.array([0.5, 0.3, 0.1]), np.array([4, 2, 1])


def dwells(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States and lengths of the whole dwells; the last one is cut off by the end."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(state)) + 1])
    return state[edges[:-1]], np.diff(edges)


def test_dwell_times_are_negative_binomial():
    chain = expand(THREE, np.ones(3) / 3, ADVANCE, PHASES)
    phase = sample_chain(chain.transition, chain.initial, np.array([0, 300_000]), np.random.default_rng(0))
    which, length = dwells(chain.state[phase])
    for s, (p, r) in enumerate(zip(ADVANCE, PHASES, strict=True)):
        own = length[which == s]
        assert own.min() >= r
        assert own.mean() == pytest.approx(r / p, rel=0.02)
        assert own.var() == pytest.approx(r * (1 - p) / p**2, rel=0.06)
        longest = int(2 * r / p)
        found = np.bincount(own, minlength=longest + 1)[r : longest + 1] / own.size
        np.testing.assert_allclose(found, nbinom.pmf(np.arange(longest + 1 - r), r, p), atol=0.01)


def test_the_law_of_a_dwell_is_exact():
    chain = expand(THREE, np.array([1.0, 0, 0]), ADVANCE, PHASES)
    inside = chain.transition[:4, :4]
    left = [np.linalg.matrix_power(inside, d - 1)[0] @ (1 - inside.sum(1)) for d in range(1, 30)]
    np.testing.assert_allclose(left, nbinom.pmf(np.arange(1, 30) - 4, 4, 0.5), atol=1e-14)


def test_one_phase_is_the_plain_chain():
    case = drawn(1, 300, 3, stay=0.9)
    leave = 1 - np.diag(case.transition)
    onward = case.transition / leave[:, None]
    np.fill_diagonal(onward, 0.0)
    chain = expand(onward, case.initial, leave, 1)
    np.testing.assert_allclose(chain.transition, case.transition, atol=1e-15)
    np.testing.assert_array_equal(chain.initial, case.initial)
    np.testing.assert_array_equal(chain.state, [0, 1, 2])


def test_phases_conserve_probability():
    case = drawn(2, 200, 3)
    chain = expand(THREE, case.initial, ADVANCE, PHASES)
    np.testing.assert_allclose(chain.transition.sum(1), 1.0, atol=1e-15)
    found = smooth(case.log_likelihood[:, chain.state], chain.transition, chain.initial, case.starts)
    states = collapse(found.probability, chain.state)
    assert states.shape == (200, 3)
    np.testing.assert_allclose(states.sum(1), 1.0, atol=1e-12)
    np.testing.assert_allclose(states[:, 0], found.probability[:, :4].sum(1), atol=1e-15)


def test_em_finds_the_durations_and_the_next_states():
    rng = np.random.default_rng(3)
    truth = expand(THREE, np.ones(3) / 3, ADVANCE, PHASES)
    starts = np.arange(0, 40_001, 2_000)
    state = truth.state[sample_chain(truth.transition, truth.initial, starts, rng)]
    log_likelihood = -0.5 * (rng.normal(state * 2.0)[:, None] - np.arange(3) * 2.0) ** 2
    transition, advance, evidence = (1 - np.eye(3)) / 2, np.full(3, 0.5), []
    for _ in range(40):
        chain = expand(transition, np.ones(3) / 3, advance, PHASES)
        found = smooth(log_likelihood[:, chain.state], chain.transition, chain.initial, starts)
        evidence.append(found.evidence.sum())
        transition, advance = updated_durations(found.transitions, chain.state)
    assert (np.diff(evidence) > -1e-6).all()
    np.testing.assert_allclose(advance, ADVANCE, rtol=0.06)
    np.testing.assert_allclose(transition, THREE, atol=0.04)


def test_states_without_evidence_are_left_open():
    state = np.array([0, 0, 1, 2])
    counts = np.zeros((4, 4))
    counts[0, 0], counts[0, 1], counts[1, 1], counts[1, 2] = 6.0, 2.0, 6.0, 2.0
    counts[2, 2] = 5.0
    found = updated_durations(counts, state)
    np.testing.assert_allclose(found.advance, [0.25, 0.0, np.nan])
    np.testing.assert_allclose(found.transition, [[0, 1, 0], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    prior = updated_durations(counts, state, concentration=2.0)
    np.testing.assert_allclose(prior.transition[0], [0, 0.75, 0.25])


def test_a_single_state_stays():
    chain = expand(np.ones((1, 1)), np.ones(1), 0.2, 3)
    np.testing.assert_allclose(chain.transition.sum(1), 1.0)
    found = updated_durations(chain.transition * 10, chain.state)
    np.testing.assert_allclose(found.advance, 0.2)
    np.testing.assert_array_equal(found.transition, [[1.0]])


def test_bad_parameters_are_told_at_once():
    with pytest.raises(
        InputError, match=r"advance must be above 0.*\n.*n_phases must be whole.*\n.*cannot follow itself"
    ):
        expand(np.full((2, 2), 0.5), np.ones(2) / 2, [0.0, 0.5], [1, 0])
    with pytest.raises(InputError, match=r"transition must be \(2, 2\), got \(3, 3\)"):
        expand(THREE, np.ones(2) / 2, 0.5, 1)
