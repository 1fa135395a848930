"""Evidence for the processes: driven chains and dwell times recover what was simulated, and agree with plain chains."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from dynome.dynamics import NoHistory, SwitchingGLM
from dynome.dynamics.hmm.chain import Chain, sticky
from dynome.dynamics.switching.driven import DrivenProcess
from dynome.dynamics.switching.dwelling import DwellProcess
from dynome.dynamics.switching.processes import PlainProcess

RATES = np.array([[0.2, 2.0, 1.0], [1.5, 0.3, 1.0]])


def likelihoods(seed=0, n_bin=60, n_state=2):
    return 2 * np.random.default_rng(seed).standard_normal((n_bin, n_state))


def recording(state, seed=0, **variables):
    counts = np.random.default_rng(seed).poisson(RATES[state])
    return xr.Dataset({"spike_count": (("time", "node"), counts), **variables}, {"node": list("abc")})


def agreement(model, data, state):
    share = float(np.mean(model.decode(data) == state))
    return max(share, 1 - share)


@pytest.mark.parametrize("verb", ["smooth", "predict", "decode"])
def test_one_phase_and_no_drive_are_a_plain_chain(verb):
    chain = Chain(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0.3, 0.7]))
    starts = np.array([0, 25, 60])
    plain = PlainProcess(chain)
    leave = 1 - np.diag(chain.transition)
    dwell = DwellProcess(Chain(sticky(2, 0.0), chain.initial), advance=leave, n_phases=1)
    driven = DrivenProcess(chain, drive=np.zeros((2, 1)), inputs=np.ones((60, 1)))
    expected = getattr(plain, verb)(likelihoods(), starts)
    for other in (dwell, driven):
        found = getattr(other, verb)(likelihoods(), starts)
        if verb == "decode":
            np.testing.assert_array_equal(found, expected)
        else:
            np.testing.assert_allclose(found.probability, expected.probability, atol=1e-10)
            np.testing.assert_allclose(found.evidence, expected.evidence, atol=1e-10)


def test_sampled_dwell_times_are_negative_binomial():
    process = DwellProcess(Chain(sticky(2, 0.0), np.array([1.0, 0.0])), advance=np.array([0.3, 0.1]), n_phases=3)
    path = process.sample(np.array([0, 200_000]), np.random.default_rng(0))
    change = np.flatnonzero(np.diff(path)) + 1
    lengths, of = np.diff(change), path[change[:-1]]
    for state, advance in enumerate((0.3, 0.1)):
        mean, variance = 3 / advance, 3 * (1 - advance) / advance**2
        assert lengths[of == state].mean() == pytest.approx(mean, rel=0.03)
        assert lengths[of == state].var() == pytest.approx(variance, rel=0.1)


def test_dwell_times_are_learnt_and_beat_a_geometric_law():
    truth = DwellProcess(Chain(sticky(2, 0.0), np.array([1.0, 0.0])), advance=np.array([0.4, 0.2]), n_phases=4)
    state = truth.sample(np.array([0, 4000]), np.random.default_rng(1))
    data = recording(state)
    options = {"history": NoHistory(), "n_restarts": 2, "random_state": 0}
    semi = SwitchingGLM(2, dwell_phases=4, **options).fit(data)
    plain = SwitchingGLM(2, **options).fit(data)
    np.testing.assert_allclose(np.sort(semi.results_.dwell_time), [10, 20], rtol=0.1)
    assert semi.score(data) > plain.score(data)
    assert agreement(semi, data, state) > 0.95


def test_inputs_that_drive_the_transitions_are_found():
    rng = np.random.default_rng(0)
    stimulus = rng.standard_normal(6000)
    chain = Chain(sticky(2, 0.95), np.array([0.5, 0.5]))
    truth = DrivenProcess(chain, drive=np.array([[-1.0], [1.0]]), inputs=stimulus[:, None])
    state = truth.sample(np.array([0, 6000]), rng)
    data = recording(state, stimulus=("time", stimulus))
    options = {"history": NoHistory(), "n_restarts": 2, "random_state": 0}
    model = SwitchingGLM(2, transition_covariates=["stimulus"], **options).fit(data)
    assert agreement(model, data, state) > 0.95
    np.testing.assert_allclose(np.sort(model.results_.transition_weight[:, 0]), [-1, 1], atol=0.15)
    np.testing.assert_allclose(np.diag(model.results_.transition), 0.95, atol=0.02)
    assert model.score(data) > SwitchingGLM(2, **options).fit(data).score(data)


def test_missing_inputs_of_transitions_are_refused():
    data = recording(np.zeros(100, int), stimulus=("time", np.where(np.arange(100) == 50, np.nan, 1.0)))
    with pytest.raises(ValueError, match="transition_covariates must have no NaN"):
        SwitchingGLM(2, transition_covariates=["stimulus"], random_state=0).fit(data)


@pytest.mark.parametrize(
    "process",
    [
        PlainProcess(Chain(sticky(3, 0.9), np.array([0.5, 0.5, 0.0]))),
        DwellProcess(Chain(sticky(3, 0.0), np.array([0.5, 0.5, 0.0])), advance=np.array([0.1, 0.2, 1.0]), n_phases=2),
    ],
    ids=lambda p: type(p).__name__,
)
def test_an_empty_state_is_entered_again(process):
    again = process.restarted(np.array([False, False, True]))
    assert again.chain.initial[2] > 0.2
    assert (again.chain.transition[:2, 2] > 0).all()
    moves, first = again.arrays()
    np.testing.assert_allclose(moves.sum(axis=1), 1)
    assert first.sum() == pytest.approx(1)


def test_posterior_paths_have_the_posterior_frequencies():
    process = DwellProcess(Chain(sticky(2, 0.0), np.array([0.5, 0.5])), advance=np.array([0.3, 0.3]), n_phases=2)
    starts = np.array([0, 60])
    paths = process.sample_posterior(likelihoods(), starts, 3000, np.random.default_rng(0))
    expected = process.smooth(likelihoods(), starts).probability[:, 1]
    np.testing.assert_allclose((paths == 1).mean(axis=0), expected, atol=0.05)
