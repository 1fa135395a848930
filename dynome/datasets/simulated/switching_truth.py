"""Parameters of a switching GLM, drawn as in the study."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.datasets.simulated.switching_arguments import Initial, Link

Floats = NDArray[np.float64]

_concentration = 2.0  # of the Dirichlet distribution of class probabilities
_radius = 0.7  # largest spectral radius of a coupling matrix where the link has no upper limit
_excitation = 0.25  # largest sum of excitation onto a node where the link is exponential


class Truth(NamedTuple):
    """Parameters as arrays; S states, N nodes, L lags."""

    probability: Floats  # (N, N, 3), target and source first
    sign: NDArray[np.int64]  # (S, N, N)
    coupling: Floats  # (S, N, N)
    history: Floats  # (L,)
    bias: Floats  # (S, N)
    drive: Floats  # (S, N)
    tilt: Floats  # (S,)
    transition: Floats  # (S, S)
    initial: Floats  # (S,)


def draw_truth(
    rng: np.random.Generator,
    n_states: int,
    n_nodes: int,
    class_probability: tuple[float, float, float],
    n_lags: int,
    decay: float,
    bias: tuple[float, float],
    state_bias: float,
    stay: float,
    initial: Initial,
) -> Truth:
    """Parameters as in the study, before strengths are scaled; without effects of a stimulus."""
    probability = rng.dirichlet(_concentration * np.array(class_probability), (n_nodes, n_nodes))
    below = np.cumsum(probability, axis=-1)[..., :2]
    sign = (rng.random((n_states, n_nodes, n_nodes, 1)) >= below).sum(axis=-1) - 1
    coupling = sign * np.log1p(3 * rng.random(sign.shape))
    history = np.exp(-decay * np.arange(1, n_lags + 1))
    transition = np.full((n_states, n_states), (1 - stay) / max(n_states - 1, 1))
    np.fill_diagonal(transition, stay if n_states > 1 else 1.0)
    return Truth(
        probability=probability,
        sign=sign,
        coupling=coupling,
        history=history / history.sum(),
        bias=rng.uniform(*bias, n_nodes) + rng.uniform(-state_bias, state_bias, (n_states, n_nodes)),
        drive=np.zeros((n_states, n_nodes)),
        tilt=np.zeros(n_states),
        transition=transition,
        initial=transition[0] if initial == "first" else np.full(n_states, 1 / n_states),
    )


def calming(coupling: Floats, link: Link) -> float:
    """A factor, at most 1, at which activity cannot run away."""
    if link == "sigmoid":
        return 1.0
    if link == "exp":
        return float(min(1.0, _excitation / max(coupling.clip(0).sum(axis=-1).max(), 1e-12)))
    return float(min(1.0, _radius / max(np.abs(np.linalg.eigvals(coupling)).max(), 1e-12)))
