"""Evidence for scaling.py and orbits.py: densities along the moves, Geweke's test, what may not change, mixing."""

import numpy as np
import pytest
from geweke import verdict
from joint import observed_data, predictor_of, prior_state, small

from dynome.inference.biclustering.dynamics import conjugate, draw_dynamics, log_path_prior, path_statistics
from dynome.inference.biclustering.model import Hyper
from dynome.inference.biclustering.orbits import Evidence, Steps, _inner_products, _line, _log_density, walk
from dynome.inference.biclustering.scaling import _evidence, rescaled

MOVES = {
    "scale": (1, -1),
    "shift of the rate": (0, 0),
    "shift of a factor": (2, 0),
    "shear of the rate": (0, 2),
    "shear of a factor": (1, 2),
}


def problem(coupled, seed=0):
    """Three clusters of two factors, three states of which one is empty, two sequences; the second cluster is moved."""
    rng = np.random.default_rng(seed)
    hyper = Hyper(coupled=coupled, n_states=3, noise_scale=0.4, matrix_precision=3.0, loading_sd=0.7, bias_sd=0.8)
    latent = 0.3 * np.cumsum(rng.standard_normal((30, 3, 3)), 0)
    return hyper, latent, 2 * rng.integers(2, size=30), np.array([0, 12, 30]), rng.standard_normal((4, 3))


def evidence_of(latent, state, starts, hyper):
    found = conjugate(path_statistics(latent, state, starts, hyper, 3), hyper)
    group = 0 if hyper.coupled else 1
    parts = (np.ascontiguousarray(part[[0, 2], group]) for part in found[:3])
    return _evidence(*parts), found.degrees[[0, 2]]


def log_joint(latent, coefficient, state, starts, hyper):
    bias = np.sum((coefficient[:, 0] - hyper.bias_mean) ** 2) / hyper.bias_sd**2
    loading = np.sum(coefficient[:, 1:] ** 2) / hyper.loading_sd**2
    return log_path_prior(latent, state, starts, hyper) - 0.5 * (bias + loading)


def moved(latent, coefficient, into, source, value):
    latent, coefficient = latent.copy(), coefficient.copy()
    if source < 0:
        latent[:, 1, into] *= np.exp(value)
        coefficient[:, into] /= np.exp(value)
        return latent, coefficient, value * (len(latent) - len(coefficient))
    latent[:, 1, into] += value * (latent[:, 1, source] if source else 1.0)
    coefficient[:, source] -= value * (coefficient[:, into] if into else 1.0)
    return latent, coefficient, 0.0


def predictors(latent, coefficient):
    return latent[:, 1, 0] + coefficient[:, :1] + coefficient[:, 1:] @ latent[:, 1, 1:].T


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("move", MOVES)
def test_the_density_along_a_move_is_that_of_the_moved_path(coupled, move):
    into, source = MOVES[move]
    hyper, latent, state, starts, coefficient = problem(coupled)
    evidence, degrees = evidence_of(latent, state, starts, hyper)
    width, offset = evidence.inverse_scale.shape[1], 3 if coupled else 0
    row = offset + into
    column = {-1: row, 0: width}.get(source, offset + source)
    block, inner = np.empty((2, 2, 2)), np.empty((2, 4, 4))
    _inner_products(evidence, row, column, block, inner, np.empty((4, width)))
    sd = hyper.bias_sd if source == 0 else hyper.loading_sd
    line = _line(coefficient, np.ascontiguousarray(latent[starts[:-1], 1]), into, source, 30, 0.0, sd)
    prior = (hyper.matrix_precision, hyper.noise_scale)
    before = log_joint(latent, coefficient, state, starts, hyper)
    for value in (-0.7, 0.2, 1.3):
        *after, jacobian = moved(latent, coefficient, into, source, value)
        expected = log_joint(*after, state, starts, hyper) + jacobian - before
        found = _log_density(value, source < 0, column < width, block, inner, degrees, width, line, prior)
        assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("coupled", [True, False])
def test_evidence_is_kept_up_to_date(coupled):
    hyper, latent, state, starts, coefficient = problem(coupled, 1)
    evidence, degrees = evidence_of(latent, state, starts, hyper)
    into, source = np.array(list(MOVES.values()) * 3).T
    steps = Steps(into.copy(), source.copy(), np.zeros(into.size), np.full(into.size, 0.7))
    turn, first = np.eye(3, 4), np.ascontiguousarray(latent[starts[:-1], 1])
    rng, before = np.random.default_rng(0), coefficient.copy()
    walk(evidence, degrees, steps, 3 if coupled else 0, coefficient, first, 30, turn, (3.0, 0.4), rng)
    after = latent.copy()
    after[:, 1] = latent[:, 1] @ turn[:, :3].T + turn[:, 3]
    assert np.abs(turn - np.eye(3, 4)).max() > 0.1
    np.testing.assert_allclose(first, after[starts[:-1], 1])
    expected, _ = evidence_of(after, state, starts, hyper)
    assert isinstance(evidence, Evidence)
    for ours, theirs in zip(evidence, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(predictors(after, coefficient), predictors(latent, before))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"coupled": True}, id="coupled"),
        pytest.param({"coupled": False}, id="block"),
        pytest.param({"coupled": True, "n_factors": 2, "adapt_factors": True}, id="factors that come and go"),
    ],
)
def test_moves_keep_the_joint_distribution(changes):
    setting = small(**changes)
    found = verdict(lambda state, data, rng: rescaled(state, data, setting.hyper, rng), setting, n_chains=120)
    assert found.p_value > 1e-3, found


@pytest.mark.parametrize("coupled", [True, False])
def test_no_predictor_changes(coupled):
    setting = small(coupled=coupled, n_nodes=7, n_factors=2, adapt_factors=True)
    rng = np.random.default_rng(0)
    for _ in range(5):
        state = prior_state(setting, rng)
        after = rescaled(state, observed_data(state, setting, rng), setting.hyper, rng)
        np.testing.assert_allclose(predictor_of(after), predictor_of(state), rtol=1e-9, atol=1e-9)
        assert not after.coefficient[:, 1:][~state.active[state.cluster]].any()
        assert np.abs(after.latent - state.latent).max() > 0.01


def test_a_wrong_scale_is_forgotten_at_once():
    """Loadings fifty times too small, and the factor fifty times too large, come back within a few sweeps."""
    setting = small("gaussian", coupled=False, n_nodes=12, starts=(0, 200), zeta=0.9, loading_sd=1.0)
    rng = np.random.default_rng(4)
    state = prior_state(setting, rng)
    state.coefficient[:, 1] /= 50
    state.latent[..., 1] *= 50
    data = observed_data(state, setting, rng)
    for _ in range(3):
        state = rescaled(state, data, setting.hyper, rng)
    assert 0.3 < np.sqrt(np.mean(state.coefficient[:, 1] ** 2)) < 3


def test_dynamics_follow_the_latents():
    """The dynamics returned are a draw given the new path: its noise, not that of the old one."""
    setting = small(coupled=False, n_nodes=12, starts=(0, 400), zeta=0.9)
    rng = np.random.default_rng(1)
    state = prior_state(setting, rng)
    after = rescaled(state, observed_data(state, setting, rng), setting.hyper, rng)
    again = draw_dynamics(after.latent, after.state, setting.starts, setting.hyper, rng, 2)
    often = np.bincount(after.state, minlength=2).argmax()
    ratio = np.linalg.slogdet(after.dynamics.noise[often])[1] - np.linalg.slogdet(again.noise[often])[1]
    assert np.abs(ratio).max() < 1.5
