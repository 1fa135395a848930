"""Evidence for the blocked scan: it agrees with the kernel that goes one bin after another."""

import numpy as np
import pytest
from hidden_chains import SEEDS, drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from dynome.dynamics.hmm import accelerated
from dynome.dynamics.hmm.accelerated import smooth_accelerated
from dynome.dynamics.hmm.smoothing import smooth
from dynome.errors import InputError


@pytest.fixture
def alone(monkeypatch):
    """Without the way out to the kernel that it is compared with."""

    def refuse(*_):
        raise AssertionError("the scan gave up")

    monkeypatch.setattr(accelerated, "smooth", refuse)


def agree(found, truth, tolerance=1e-10):
    np.testing.assert_allclose(found.probability, truth.probability, atol=tolerance)
    np.testing.assert_allclose(found.transitions, truth.transitions, rtol=tolerance * 10, atol=tolerance * 10)
    np.testing.assert_allclose(found.evidence, truth.evidence, rtol=tolerance)


@pytest.mark.parametrize(
    ("n_bin", "n_state", "n_sequence", "stay"),
    [(5_000, 5, 1, 0.98), (3_001, 3, 40, None), (2_000, 20, 3, 0.9), (1, 2, 1, None), (30, 2, 30, None)],
)
@pytest.mark.usefixtures("alone")
def test_the_scan_agrees_with_one_bin_after_another(n_bin, n_state, n_sequence, stay):
    case = drawn(0, n_bin, n_state, n_sequence=n_sequence, stay=stay)
    agree(smooth_accelerated(*case, "cpu"), smooth(*case))


@given(seed=SEEDS, n_bin=st.integers(2, 700), n_sequence=st.integers(1, 2))
@settings(max_examples=10, deadline=None)
def test_transitions_may_vary_and_sequences_have_first_states_of_their_own(seed, n_bin, n_sequence):
    case = drawn(seed, n_bin, 3, n_sequence=n_sequence)
    rng = np.random.default_rng(seed)
    moves, first = rng.dirichlet(np.ones(3), (n_bin, 3)), rng.dirichlet(np.ones(3), n_sequence)
    moves[case.starts[:-1]] = np.nan
    agree(
        smooth_accelerated(case.log_likelihood, moves, first, case.starts, "cpu"),
        smooth(case.log_likelihood, moves, first, case.starts),
    )


@pytest.mark.usefixtures("alone")
def test_single_precision_is_good_to_five_digits():
    case = drawn(1, 20_000, 5, n_sequence=3, stay=0.98, offset=0.0)
    case = case._replace(log_likelihood=case.log_likelihood.astype(np.float32))
    found = smooth_accelerated(*case, "cpu")
    assert found.probability.dtype == np.float32
    agree(found, smooth(*case), 1e-5)


def test_impossible_states_and_missing_bins():
    case = drawn(2, 900, 3, n_sequence=4)
    case.log_likelihood[::3, 1] = -np.inf
    case.log_likelihood[1::7] = 0.0
    agree(smooth_accelerated(*case, "cpu"), smooth(*case))


def test_a_state_that_seemed_lost_is_left_to_the_exact_kernel():
    log_likelihood = np.zeros((6_000, 2))
    log_likelihood[:2_000, 1], log_likelihood[2_000:, 0] = -2.0, -2.0
    case = log_likelihood, np.eye(2), np.array([0.5, 0.5]), np.array([0, 6_000])
    agree(smooth_accelerated(*case, "cpu"), smooth(*case))


def test_read_only_arrays_are_read():
    case = drawn(3, 100, 2)
    for x in case:
        x.flags.writeable = False
    agree(smooth_accelerated(*case, "cpu"), smooth(*case))


def test_impossible_observations_and_devices_are_told():
    case = drawn(4, 100, 2)
    with pytest.raises(InputError, match="device must be 'auto'"):
        smooth_accelerated(*case, "abacus")
    case.log_likelihood[5] = -np.inf
    with pytest.raises(InputError, match="bins 5 have log likelihood -inf in every state"):
        smooth_accelerated(*case, "cpu")
