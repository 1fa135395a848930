"""Evidence for paths.py: a dense Gaussian, a Kalman smoother, limits, sequences, windows, invariances."""

from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dynome.inference.biclustering.dynamics import draw_path, prior_dynamics
from dynome.inference.biclustering.model import Dynamics, Hyper
from dynome.inference.biclustering.paths import (
    draw_latent,
    draw_windows,
    latent_mean,
    log_evidence,
    log_latent_density,
    statistics,
)


class Problem(NamedTuple):
    """Latents of a few bins, and what is known about them."""

    precision: np.ndarray
    linear: np.ndarray
    state: np.ndarray
    dynamics: Dynamics
    starts: np.ndarray


class Weights(NamedTuple):
    """Stands for `Working`."""

    precision: np.ndarray
    linear: np.ndarray


def problem(seed=0, coupled=True, n_clusters=2, q=2, starts=(0, 4, 6), n_states=3, missing=()) -> Problem:
    rng = np.random.default_rng(seed)
    hyper = Hyper(n_factors=q - 1, n_states=n_states, coupled=coupled, noise_scale=0.5, extra_degrees=5.0)
    rows = rng.standard_normal((starts[-1], n_clusters, q, q + 1))
    precision = rows @ rows.swapaxes(-1, -2)
    linear = rng.standard_normal(precision.shape[:3])
    precision[list(missing)], linear[list(missing)] = 0.0, 0.0
    dynamics = prior_dynamics(hyper, n_clusters, rng)
    return Problem(precision, linear, rng.integers(n_states, size=starts[-1]), dynamics, np.array(starts))


def dense(given: Problem) -> tuple[np.ndarray, np.ndarray, float]:
    """Precision and linear term of all latents end to end, and the log density of the prior at zero."""
    n_bin, n_cluster, q = given.linear.shape
    k = n_cluster * q
    matrix, offset, noise = wide(given.dynamics)
    big, line, constant = np.zeros((n_bin * k, n_bin * k)), np.zeros(n_bin * k), 0.0
    for t in range(n_bin):
        here = slice(t * k, (t + 1) * k)
        for j in range(n_cluster):
            block = slice(t * k + j * q, t * k + (j + 1) * q)
            big[block, block] += given.precision[t, j]
            line[block] += given.linear[t, j]
        constant -= k / 2 * np.log(2 * np.pi)
        if t in given.starts:
            big[here, here] += np.eye(k)
            continue
        s, past = given.state[t], slice((t - 1) * k, t * k)
        inverse = np.linalg.inv(noise[s])
        step = np.hstack([-matrix[s], np.eye(k)])
        both = slice(past.start, here.stop)
        big[both, both] += step.T @ inverse @ step
        line[both] += step.T @ inverse @ offset[s]
        constant -= 0.5 * (np.linalg.slogdet(noise[s])[1] + offset[s] @ inverse @ offset[s])
    return big, line, constant


def wide(dynamics: Dynamics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups as blocks of one matrix a state."""
    n_state, n_group, width = dynamics.offset.shape
    matrix, noise = (np.zeros((n_state, n_group * width, n_group * width)) for _ in range(2))
    for g in range(n_group):
        block = slice(g * width, (g + 1) * width)
        matrix[:, block, block], noise[:, block, block] = dynamics.matrix[:, g], dynamics.noise[:, g]
    return matrix, dynamics.offset.reshape(n_state, -1), noise


CASES = [
    pytest.param({"coupled": True}, id="coupled"),
    pytest.param({"coupled": False}, id="block"),
    pytest.param({"coupled": False, "q": 6, "n_clusters": 1}, id="wide block"),
    pytest.param({"coupled": True, "missing": (0, 1, 2, 5)}, id="missing bins"),
    pytest.param({"coupled": False, "q": 1, "starts": (0, 1, 2, 6)}, id="sequences of one bin"),
]


@pytest.mark.parametrize("case", CASES)
def test_the_mean_solves_the_dense_equations(case):
    p = problem(**case)
    big, line, _ = dense(p)
    np.testing.assert_allclose(latent_mean(*p).ravel(), np.linalg.solve(big, line), atol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_the_evidence_is_that_of_the_dense_gaussian(case):
    p = problem(**case)
    big, line, constant = dense(p)
    size = line.size / 2 * np.log(2 * np.pi)
    expected = constant + size - np.linalg.slogdet(big)[1] / 2 + line @ np.linalg.solve(big, line) / 2
    assert log_evidence(*p) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_the_density_of_a_draw_is_that_of_the_dense_gaussian(case):
    p = problem(**case)
    big, line, _ = dense(p)
    x = np.random.default_rng(5).standard_normal(p.linear.shape)
    off = x.ravel() - np.linalg.solve(big, line)
    expected = np.linalg.slogdet(big)[1] / 2 - off @ big @ off / 2 - line.size / 2 * np.log(2 * np.pi)
    assert log_latent_density(x, *p) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_draws_have_the_mean_and_covariance_of_the_dense_gaussian(case):
    p = problem(**case)
    big, line, _ = dense(p)
    rng = np.random.default_rng(1)
    draws = np.array([draw_latent(*p, rng).ravel() for _ in range(2000)])
    root = np.linalg.cholesky(big)
    white = (draws - np.linalg.solve(big, line)) @ root
    size = line.size
    assert np.sum(white.mean(0) ** 2) * 2000 < size + 6 * np.sqrt(2 * size)
    np.testing.assert_allclose(np.cov(white.T), np.eye(size), atol=6 * np.sqrt(2 / 2000))


def test_the_mean_is_a_kalman_smoother():
    p = problem(3, starts=(0, 30), missing=range(10, 20))
    matrix, offset, noise = wide(p.dynamics)
    k = offset.shape[1]
    big = np.zeros((30, k, k))
    for j in range(2):
        big[:, 2 * j : 2 * j + 2, 2 * j : 2 * j + 2] = p.precision[:, j]
    line = p.linear.reshape(30, k)
    ahead, filtered = [(np.zeros(k), np.eye(k))], []
    for t in range(30):
        m, v = ahead[-1]
        v_new = np.linalg.solve(np.eye(k) + v @ big[t], v)
        filtered.append((m + v_new @ (line[t] - big[t] @ m), v_new))
        if t < 29:
            m, v = filtered[-1]
            s = p.state[t + 1]
            ahead.append((matrix[s] @ m + offset[s], matrix[s] @ v @ matrix[s].T + noise[s]))
    smooth = [filtered[-1][0]]
    for t in range(28, -1, -1):
        m, v = filtered[t]
        gain = v @ matrix[p.state[t + 1]].T @ np.linalg.inv(ahead[t + 1][1])
        smooth.append(m + gain @ (smooth[-1] - ahead[t + 1][0]))
    np.testing.assert_allclose(latent_mean(*p).reshape(30, k), smooth[::-1], atol=1e-9)


def test_a_switch_acts_on_the_step_into_its_bin():
    """State 1 turns the sign; with next to no noise the path follows the states exactly."""
    state = np.array([1, 0, 0, 1, 0, 1])
    dynamics = Dynamics(np.array([[[[1.0]]], [[[-1.0]]]]), np.zeros((2, 1, 1)), np.full((2, 1, 1, 1), 1e-12))
    precision, linear = np.zeros((6, 1, 1, 1)), np.zeros((6, 1, 1))
    precision[4], linear[4] = 1e8, 3e8  # seen in bin 4 only: 3
    expected = [-3, -3, -3, 3, 3, -3]
    drawn = draw_latent(precision, linear, state, dynamics, np.array([0, 6]), np.random.default_rng(0))
    np.testing.assert_allclose(drawn.ravel(), expected, atol=1e-3)
    np.testing.assert_allclose(
        latent_mean(precision, linear, state, dynamics, np.array([0, 6])).ravel(), expected, atol=1e-3
    )


@pytest.mark.parametrize("coupled", [True, False])
def test_sequences_are_independent(coupled):
    p = problem(2, coupled, starts=(0, 3, 10, 11))
    parts = [
        Problem(p.precision[a:b], p.linear[a:b], p.state[a:b], p.dynamics, np.array([0, b - a]))
        for a, b in zip(p.starts[:-1], p.starts[1:], strict=True)
    ]
    np.testing.assert_allclose(latent_mean(*p), np.concatenate([latent_mean(*part) for part in parts]), atol=1e-12)
    assert log_evidence(*p) == pytest.approx(sum(log_evidence(*part) for part in parts))


@pytest.mark.parametrize("coupled", [True, False])
def test_windows_are_drawn_given_the_other_bins(coupled):
    p = problem(4, coupled, starts=(0, 5, 9))
    windows = np.array([[1, 3], [5, 7], [8, 9]])
    latent = np.random.default_rng(0).standard_normal(p.linear.shape)
    big, line, _ = dense(p)
    free = np.zeros(p.linear.shape, bool)
    for begin, end in windows:
        free[begin:end] = True
    free = free.ravel()
    inner, between = big[np.ix_(free, free)], big[np.ix_(free, ~free)]
    mean = np.linalg.solve(inner, line[free] - between @ latent.ravel()[~free])
    rng = np.random.default_rng(1)
    draws = np.array([draw_windows(windows, latent, *p, rng).ravel() for _ in range(2000)])
    np.testing.assert_array_equal(draws[:, ~free], np.broadcast_to(latent.ravel()[~free], draws[:, ~free].shape))
    white = (draws[:, free] - mean) @ np.linalg.cholesky(inner)
    assert np.sum(white.mean(0) ** 2) * 2000 < free.sum() + 6 * np.sqrt(2 * free.sum())
    np.testing.assert_allclose(np.cov(white.T), np.eye(free.sum()), atol=6 * np.sqrt(2 / 2000))


def test_windows_without_bins_change_nothing():
    p = problem(4)
    latent = np.ones(p.linear.shape)
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(draw_windows(np.zeros((0, 2), int), latent, *p, rng), latent)


def test_statistics_are_sums_over_the_nodes_of_a_cluster():
    rng = np.random.default_rng(0)
    work = Weights(rng.gamma(1.0, size=(7, 5)), rng.standard_normal((7, 5)))
    coefficient, cluster = rng.standard_normal((7, 3)), np.array([0, 2, 2, 0, 1, 2, 0])
    precision, linear = statistics(work, coefficient, cluster, 4)
    read = coefficient.copy()
    read[:, 0] = 1.0
    member = np.eye(4)[cluster]
    np.testing.assert_allclose(
        precision, np.einsum("nt,nj,na,nb->tjab", work.precision, member, read, read), atol=1e-12
    )
    left = work.linear - work.precision * coefficient[:, :1]
    np.testing.assert_allclose(linear, np.einsum("nt,nj,na->tja", left, member, read), atol=1e-12)


@pytest.mark.parametrize("coupled", [True, False])
def test_explosive_states_and_long_gaps_are_drawn(coupled):
    p = problem(0, coupled, starts=(0, 3000))
    n_state, n_group, width = p.dynamics.offset.shape
    grows = Dynamics(
        np.broadcast_to(1.2 * np.eye(width), (n_state, n_group, width, width)).copy(),
        p.dynamics.offset,
        np.broadcast_to(1e-6 * np.eye(width), (n_state, n_group, width, width)).copy(),
    )
    precision, linear = p.precision.copy(), p.linear.copy()
    precision[500:2500], linear[500:2500] = 0.0, 0.0
    drawn = draw_latent(precision, linear, p.state, grows, p.starts, np.random.default_rng(0))
    assert np.isfinite(drawn).all()


def test_a_state_that_is_not_in_use_may_be_singular():
    p = problem(0, n_states=2)
    noise = np.concatenate([p.dynamics.noise, np.zeros_like(p.dynamics.noise[:1])])
    more = Dynamics(np.repeat(p.dynamics.matrix, 2, 0)[:3], np.repeat(p.dynamics.offset, 2, 0)[:3], noise)
    assert np.isfinite(draw_latent(p.precision, p.linear, p.state, more, p.starts, np.random.default_rng(0))).all()


def test_noise_that_is_no_covariance_is_refused():
    p = problem(0)
    with pytest.raises(np.linalg.LinAlgError):
        latent_mean(*p._replace(dynamics=p.dynamics._replace(noise=-p.dynamics.noise)))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(3)), coupled=st.booleans())
def test_clusters_may_be_numbered_in_any_order(seed, order, coupled):
    p = problem(seed, coupled, n_clusters=3)
    matrix, offset, noise = p.dynamics
    if coupled:
        rows = np.concatenate([[2 * j, 2 * j + 1] for j in order])
        moved = Dynamics(matrix[..., rows, :][..., rows], offset[..., rows], noise[..., rows, :][..., rows])
    else:
        moved = Dynamics(matrix[:, order], offset[:, order], noise[:, order])
    other = Problem(p.precision[:, order], p.linear[:, order], p.state, moved, p.starts)
    assert log_evidence(*other) == pytest.approx(log_evidence(*p), rel=1e-9)
    np.testing.assert_allclose(latent_mean(*other), latent_mean(*p)[:, order], rtol=1e-7, atol=1e-9)


def test_draws_without_observations_are_draws_of_the_model():
    p = problem(6, starts=(0, 4))
    nothing = p._replace(precision=np.zeros_like(p.precision), linear=np.zeros_like(p.linear))
    rng = np.random.default_rng(0)
    ours = np.array([draw_latent(*nothing, rng).ravel() for _ in range(3000)])
    theirs = np.array([draw_path(p.state, p.dynamics, p.starts, rng).ravel() for _ in range(3000)])
    spread = np.sqrt((ours.var(0) + theirs.var(0)) / 3000)
    assert np.abs((ours.mean(0) - theirs.mean(0)) / spread).max() < 4.5
    assert np.abs(np.log(ours.var(0) / theirs.var(0))).max() < 0.2
