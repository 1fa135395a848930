"""What lies behind `make_biclusters`: paths of states, linear dynamics, trajectories, observations."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Observation = Literal["negative_binomial", "poisson", "bernoulli", "gaussian"]

_turn = np.pi / 20  # of the first rotation, radians a bin
_growth = 1.01
_decay = 0.97  # of further rotations
_dwell_shape = 100.0


class Linear(NamedTuple):
    """Dynamics of every state; S states, L latents."""

    matrix: Floats  # (S, L, L)
    offset: Floats  # (S, L)
    noise: Floats  # (S, L, L)


def draw_dynamics(rng: np.random.Generator, n_states: int, n_clusters: int, width: int, noise: float) -> Linear:
    """White noise, slowly growing rotations, and rotations that are faster and faster and decay."""
    size = n_clusters * width
    radii = [_growth, *[_decay] * n_states]
    matrix = np.zeros((n_states, size, size))
    if n_states == 1:
        matrix[0] = _rotations(rng, n_clusters, width, _turn, _decay)
    else:
        matrix[0] = 0.01 * np.eye(size)
        for k in range(n_states - 1):
            matrix[k + 1] = _rotations(rng, n_clusters, width, (2 * k + 1) * _turn, radii[k])
    return Linear(matrix, np.zeros((n_states, size)), np.broadcast_to(noise * np.eye(size), matrix.shape).copy())


def _rotations(rng: np.random.Generator, n_clusters: int, width: int, angle: float, radius: float) -> Floats:
    """One rotation a cluster, in a random plane."""
    out = np.zeros((n_clusters * width, n_clusters * width))
    turn = np.eye(width)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    for j in range(n_clusters):
        axes, _ = np.linalg.qr(rng.standard_normal((width, width)))
        own = slice(j * width, (j + 1) * width)
        out[own, own] = radius * axes @ turn @ axes.T
    return out


def draw_states(rng: np.random.Generator, n_bins: int, dwell: Floats) -> Integers:
    """A path whose stretches last Poisson times, and whose next state is any other with the same probability."""
    n_states, pieces, length = dwell.size, [], 0
    state = int(rng.integers(n_states))
    while length < n_bins:
        stretch = max(int(rng.poisson(dwell[state])), 1)
        pieces.append(np.full(stretch, state, dtype=np.int64))
        length += stretch
        if n_states > 1:
            state = (state + int(rng.integers(1, n_states))) % n_states
    return np.concatenate(pieces)[:n_bins]


def draw_dwell(rng: np.random.Generator, n_states: int, mean: float) -> Floats:
    """Mean durations of the states in bins."""
    return rng.gamma(_dwell_shape, mean / _dwell_shape, n_states)


def draw_latent(rng: np.random.Generator, state: Integers, linear: Linear) -> Floats:
    """A path of the latents, (n_bin, n_latent)."""
    size = linear.offset.shape[1]
    spread = np.linalg.cholesky(linear.noise)
    luck = rng.standard_normal((state.size, size))
    out = np.empty((state.size, size))
    out[0] = luck[0]
    for t in range(1, state.size):
        k = state[t]
        out[t] = linear.matrix[k] @ out[t - 1] + linear.offset[k] + spread[k] @ luck[t]
    return out


def centred_and_turned(
    latent: Floats, loading: Floats, cluster: Integers, linear: Linear
) -> tuple[Floats, Floats, Linear]:
    """Latents of mean zero whose factors are orthogonal within a cluster; loadings and dynamics to match.

    Parameters
    ----------
    latent : (n_bin, n_cluster, 1 + n_factor)
    loading : (n_node, n_factor)
    cluster : (n_node,)
    linear : Linear
        Of the latents of all clusters end to end.

    Notes
    -----
    The products of loadings and factors, and so the observations, differ from those before by their means alone.
    """
    n_clusters, width = latent.shape[1:]
    mean = latent.mean(axis=0)
    out, turned = latent - mean, loading.copy()
    turn = np.eye(n_clusters * width)
    for j in range(n_clusters):
        axes = np.linalg.eigh(out[:, j, 1:].T @ out[:, j, 1:])[1].T[::-1].copy()
        axes *= np.sign(axes[np.arange(axes.shape[0]), np.abs(axes).argmax(axis=1)])[:, None]
        out[:, j, 1:] = out[:, j, 1:] @ axes.T
        turned[cluster == j] = loading[cluster == j] @ axes.T
        own = slice(j * width + 1, (j + 1) * width)
        turn[own, own] = axes
    level = mean.ravel()
    offset = linear.offset + linear.matrix @ level - level
    moved = Linear(turn @ linear.matrix @ turn.T, offset @ turn.T, turn @ linear.noise @ turn.T)
    return out, turned, moved


def mean_of(predictor: Floats, observation: Observation) -> Floats:
    """Expected observation: exp of the predictor for counts, its logistic for Bernoulli, itself for Gaussian."""
    if observation == "gaussian":
        return predictor
    return np.asarray(1 / (1 + np.exp(-predictor)) if observation == "bernoulli" else np.exp(predictor))


def draw_observations(rng: np.random.Generator, mean: Floats, observation: Observation, dispersion: float) -> Floats:
    """Observations of the given means; dispersion is r of the negative binomial, or the variance of the Gaussian."""
    if observation == "gaussian":
        return np.asarray(mean + np.sqrt(dispersion) * rng.standard_normal(mean.shape))
    if observation == "bernoulli":
        return (rng.random(mean.shape) < mean).astype(np.float64)
    varied: Floats = rng.gamma(dispersion, mean / dispersion) if observation == "negative_binomial" else mean
    return np.asarray(rng.poisson(varied), dtype=np.float64)


def with_gaps(rng: np.random.Generator, y: Floats, missing: float) -> Floats:
    """Each bin of each node is missing with this probability."""
    return np.where(rng.random(y.shape) < missing, np.nan, y) if missing else y
