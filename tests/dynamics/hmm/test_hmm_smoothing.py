"""Evidence for forward-backward: every path counted, extended precision, invariances, hostile chains, the errors."""

import numpy as np
import pytest
from hidden_chains import SEEDS, Case, drawn, enumerated, extended
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.dynamics.hmm import smoothing
from dynome.dynamics.hmm.abreast import smooth_abreast
from dynome.dynamics.hmm.segments import cut
from dynome.dynamics.hmm.smoothing import smooth
from dynome.errors import InputError


@given(seed=SEEDS, n_bin=st.integers(1, 6), n_state=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_posterior_transitions_and_evidence_are_sums_over_all_paths(seed, n_bin, n_state):
    case = drawn(seed, n_bin, n_state)
    truth, found = enumerated(*case[:3]), smooth(*case)
    np.testing.assert_allclose(found.probability, truth.probability, atol=1e-11)
    np.testing.assert_allclose(found.transitions, truth.transitions.sum(0), atol=1e-11)
    np.testing.assert_allclose(found.evidence, truth.evidence, rtol=1e-13)


@given(seed=SEEDS, n_bin=st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_transitions_that_vary_lead_into_their_bins(seed, n_bin):
    case = drawn(seed, n_bin, 3)
    moves = np.random.default_rng(seed).dirichlet(np.ones(3), (n_bin, 3))
    moves[0] = np.nan  # leads into the first bin: never read
    truth = enumerated(case.log_likelihood, moves, case.initial)
    found = smooth(case.log_likelihood, moves, *case[2:], each_transition=True)
    np.testing.assert_allclose(found.probability, truth.probability, atol=1e-11)
    np.testing.assert_allclose(found.transitions, truth.transitions, atol=1e-11)


def test_transitions_that_do_not_vary_are_the_same_bin_by_bin_and_once():
    case = drawn(0, 3_000, 4, n_sequence=5)
    once, each = smooth(*case), smooth(*case, each_transition=True)
    often = smooth(case.log_likelihood, np.broadcast_to(case.transition, (3_000, 4, 4)), *case[2:])
    for other in (each.probability, often.probability):
        np.testing.assert_allclose(other, once.probability, atol=1e-12)
    np.testing.assert_allclose(each.transitions.sum(0), once.transitions, rtol=1e-11)
    np.testing.assert_allclose(often.transitions, once.transitions, rtol=1e-11)
    assert not each.transitions[case.starts[:-1]].any()
    inside = np.setdiff1d(np.arange(3_000), case.starts)
    np.testing.assert_allclose(each.transitions[inside].sum(1), once.probability[inside], atol=1e-11)


@pytest.mark.parametrize(
    ("n_bin", "n_state", "n_sequence", "stay", "spread"),
    [
        (20_000, 5, 1, 0.98, 1.0),
        (20_000, 5, 30, 0.98, 1.0),
        (9_000, 7, 1, 0.9, 30.0),
        (8_192, 2, 16, 0.95, 3.0),
        (8_192, 3, 17, 0.95, 3.0),
        (9_000, 3, 1, 0.999999, 0.01),  # forgets nothing
        (5_000, 1, 3, None, 1.0),
    ],
)
def test_rounding_stays_in_the_last_digits(n_bin, n_state, n_sequence, stay, spread):
    case = drawn(1, n_bin, n_state, n_sequence=n_sequence, stay=stay, spread=spread)
    found, (probability, transitions, evidence) = smooth(*case), extended(case)
    np.testing.assert_allclose(found.probability, probability.astype(float), atol=1e-11)
    np.testing.assert_allclose(found.transitions, transitions.astype(float), rtol=1e-10)
    np.testing.assert_allclose(found.evidence, evidence.astype(float), rtol=1e-12)


def abreast(case: Case):
    """The same by segments side by side, whatever `smooth` would choose."""
    n_state = case.initial.size
    probability, transitions = np.empty_like(case.log_likelihood), np.zeros((n_state, n_state))
    evidence = np.empty(case.starts.size - 1)
    first = np.tile(case.initial, (evidence.size, 1))
    done = smooth_abreast(
        case.log_likelihood, case.transition, first, cut(case.starts), probability, transitions, evidence
    )
    return done, probability, transitions, evidence


def test_a_long_session_is_cut_into_pieces_and_comes_out_whole():
    case = drawn(2, 30_000, 4, stay=0.99)
    assert cut(case.starts).begin.size == 16
    done, probability, transitions, evidence = abreast(case)
    truth = extended(case)
    assert done
    np.testing.assert_allclose(probability, truth[0].astype(float), atol=1e-11)
    np.testing.assert_allclose(transitions, truth[1].astype(float), rtol=1e-10)
    np.testing.assert_allclose(evidence, truth[2].astype(float), rtol=1e-12)


def test_a_chain_that_does_not_forget_is_noticed():
    done, *_ = abreast(drawn(3, 20_000, 3, stay=1 - 1e-9, spread=1e-6))
    assert not done


@given(seed=SEEDS, n_bin=st.integers(1, 400), n_sequence=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_ragged_trials_side_by_side_are_the_trials_alone(seed, n_bin, n_sequence):
    case = drawn(seed, n_bin + n_sequence, 3, n_sequence=n_sequence)
    together = smooth(*case)
    transitions = 0.0
    for s in range(n_sequence):
        a, b = case.starts[s : s + 2]
        alone = smooth(case.log_likelihood[a:b], *case[1:3], np.array([0, b - a]))
        np.testing.assert_allclose(together.probability[a:b], alone.probability, atol=1e-11)
        np.testing.assert_allclose(together.evidence[s], alone.evidence[0], rtol=1e-12)
        transitions = transitions + alone.transitions
    np.testing.assert_allclose(together.transitions, transitions, atol=1e-10)


def test_batches_of_many_sequences_change_nothing(monkeypatch):
    case = drawn(4, 6_000, 3, n_sequence=60)
    whole = smooth(*case)
    monkeypatch.setattr("dynome.dynamics.hmm.arguments._BATCH", 1_000)
    parts = smooth(*case)
    np.testing.assert_allclose(parts.probability, whole.probability, atol=1e-12)
    np.testing.assert_allclose(parts.transitions, whole.transitions, rtol=1e-11)
    np.testing.assert_allclose(parts.evidence, whole.evidence, rtol=1e-13)


@given(seed=SEEDS, order=st.permutations(range(4)))
@settings(max_examples=20, deadline=None)
def test_states_have_no_order(seed, order):
    case = drawn(seed, 300, 4, n_sequence=6)
    found = smooth(*case)
    order = np.array(order)
    again = smooth(
        case.log_likelihood[:, order], case.transition[np.ix_(order, order)], case.initial[order], case.starts
    )
    np.testing.assert_allclose(again.probability, found.probability[:, order], atol=1e-11)
    np.testing.assert_allclose(again.transitions, found.transitions[np.ix_(order, order)], rtol=1e-9)
    np.testing.assert_allclose(again.evidence, found.evidence, rtol=1e-12)


@given(seed=SEEDS, shift=st.floats(-1e4, 1e4))
@settings(max_examples=20, deadline=None)
def test_a_constant_on_a_bin_moves_the_evidence_and_nothing_else(seed, shift):
    case = drawn(seed, 200, 3, n_sequence=5, offset=0.0)
    moved = case.log_likelihood.copy()
    moved[77] += shift
    found, other = smooth(*case), smooth(moved, *case[1:])
    np.testing.assert_allclose(other.probability, found.probability, atol=1e-9)
    np.testing.assert_allclose(other.evidence.sum(), found.evidence.sum() + shift, rtol=1e-11)


def test_missing_bins_leave_the_chain_to_itself():
    case = drawn(5, 40, 3)
    silent = np.zeros((40, 3))
    found = smooth(silent, *case[1:])
    expected = np.stack([case.initial @ np.linalg.matrix_power(case.transition, t) for t in range(40)])
    np.testing.assert_allclose(found.probability, expected, atol=1e-12)
    np.testing.assert_allclose(found.evidence, 0.0, atol=1e-12)


def test_impossible_states_have_probability_zero():
    case = drawn(6, 6_000, 3, n_sequence=20)
    case.log_likelihood[::3, 1] = -np.inf
    found = smooth(*case)
    assert not found.probability[::3, 1].any()
    np.testing.assert_allclose(found.probability.sum(1), 1.0, atol=1e-11)
    np.testing.assert_allclose(found.probability, extended(case)[0].astype(float), atol=1e-11)


def test_forbidden_transitions_are_never_taken():
    case = drawn(7, 5, 3)
    forward = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    first = np.array([1.0, 0.0, 0.0])
    truth, found = (
        enumerated(case.log_likelihood, forward, first),
        smooth(case.log_likelihood, forward, first, case.starts),
    )
    np.testing.assert_allclose(found.probability, truth.probability, atol=1e-12)
    assert not np.tril(found.transitions, -1).any()


@pytest.mark.parametrize("each", [False, True])
def test_a_state_that_seemed_lost_comes_back_when_nothing_else_is_possible(each):
    # Two whole sequences of one state each: 4,000 nats for the first state, then 8,000 for the second.
    log_likelihood = np.zeros((6_000, 2))
    log_likelihood[:2_000, 1], log_likelihood[2_000:, 0] = -2.0, -2.0
    found = smooth(log_likelihood, np.eye(2), np.array([0.5, 0.5]), np.array([0, 6_000]), each_transition=each)
    np.testing.assert_allclose(found.probability, np.tile([0.0, 1.0], (6_000, 1)), atol=1e-12)
    np.testing.assert_allclose(found.evidence, np.log(0.5) - 4_000, rtol=1e-12)
    np.testing.assert_allclose(found.transitions.reshape(-1, 2, 2).sum(0), [[0, 0], [0, 5_999]], atol=1e-8)


def test_single_precision_is_good_to_a_hundred_thousand_bins():
    case = drawn(8, 100_000, 5, stay=0.98, offset=0.0)
    single = case._replace(log_likelihood=case.log_likelihood.astype(np.float32))
    found, exact = smooth(*single), smooth(*case)
    assert found.probability.dtype == np.float32
    assert np.abs(found.probability - exact.probability).max() < 1e-5
    np.testing.assert_allclose(found.evidence, exact.evidence, rtol=1e-6)
    np.testing.assert_allclose(found.transitions, exact.transitions, rtol=1e-6)


def test_a_million_bins_of_a_hundred_and_twenty_neurons_keep_the_evidence():
    case = drawn(9, 1_000_000, 2, stay=0.9, offset=0.0, spread=5.0)
    single = case._replace(log_likelihood=case.log_likelihood.astype(np.float32))
    np.testing.assert_allclose(smooth(*single).evidence, smooth(*case).evidence, rtol=1e-6)


def test_nothing_given_is_changed():
    case = drawn(10, 3_000, 3, n_sequence=4)
    before = [x.copy() for x in case]
    smooth(*case)
    for x, y in zip(case, before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ((slice(40, 42),), -np.inf, r"bins 40, 41 have log likelihood -inf in every state.*\(missing\)"),
        ((7, 0), np.nan, r"1 log likelihoods are NaN or \+inf; give a missing bin a row of zeros"),
        ((7, 2), np.inf, r"1 log likelihoods are NaN or \+inf"),
    ],
)
@pytest.mark.parametrize("n_sequence", [1, 30])
def test_impossible_observations_are_told(where, value, message, n_sequence):
    case = drawn(11, 2_000, 3, n_sequence=n_sequence)
    case.log_likelihood[where] = value
    with pytest.raises(InputError, match=message):
        smooth(*case)


def test_an_impossible_path_is_told():
    stuck = np.array([[-1.0, -np.inf], [-np.inf, -1.0]])
    with pytest.raises(InputError, match="sequences 0 have probability 0: every path through them takes a transition"):
        smooth(stuck, np.eye(2), np.array([0.5, 0.5]), np.array([0, 2]))


def test_all_problems_of_the_arguments_are_told_at_once():
    with pytest.raises(
        InputError, match=r"rows of transition.*2 are not.*\n.*rows of initial.*\n.*must end with.* 5, got 4"
    ):
        smooth(np.zeros((5, 2)), np.ones((2, 2)), np.array([1.5, -0.5]), np.array([0, 4]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_likelihood": np.zeros(5)}, r"log_likelihood must be \(n_bin, n_state\), got \(5,\)"),
        ({"log_likelihood": np.zeros((5, 3))}, "log_likelihood has 3 states, the transition matrix has 2"),
        ({"transition": np.ones((2, 3))}, r"transition must be \(n_state, n_state\) or \(5, n_state, n_state\)"),
        ({"initial": np.ones(3) / 3}, r"initial must be \(2,\) or \(1, 2\), got \(3,\)"),
        ({"starts": np.array([0, 3, 3, 5])}, "starts must hold the first bin of each sequence"),
        ({"starts": np.array([1, 5])}, "starts must hold"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, message):
    good = {
        "log_likelihood": np.zeros((5, 2)),
        "transition": np.full((2, 2), 0.5),
        "initial": np.full(2, 0.5),
        "starts": np.array([0, 5]),
    }
    with pytest.raises(InputError, match=message):
        smooth(**good | change)


def test_whole_numbers_are_taken_as_float64():
    assert smoothing.smooth(np.zeros((4, 2), dtype=int), np.eye(2), np.ones(2) / 2, [0, 4]).probability.dtype == float


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", [(0, 0), (700, 2), (1_999, 1)])
@pytest.mark.parametrize("each", [False, True])
def test_no_bad_value_is_passed_over(where, value, each):
    case = drawn(12, 2_000, 3, n_sequence=8)
    case.log_likelihood[where] = value
    with pytest.raises(InputError, match=r"1 log likelihoods are NaN or \+inf"):
        smooth(*case, each_transition=each)
