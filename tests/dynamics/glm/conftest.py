"""Small populations to fit: activity, features, weights of states, and coefficients."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from dynome.dynamics.glm.designs import Design
from dynome.dynamics.glm.passes import Problem

KERNELS = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])


class Population(NamedTuple):
    problem: Problem
    coefficient: np.ndarray
    dispersion: np.ndarray
    weight: np.ndarray


@pytest.fixture(scope="session")
def make_population() -> Callable[..., Population]:
    """A factory of populations with states, any law."""
    return population


def population(
    law: str = "poisson",
    link: str = "softplus",
    *,
    seed: int = 0,
    n_bin: int = 400,
    n_node: int = 3,
    n_state: int = 2,
    kernels: np.ndarray = KERNELS,
    missing: float = 0.0,
    dtype: type = np.float64,
    budget: int = 2**20,
    scale: float = 0.2,
) -> Population:
    rng = np.random.default_rng(seed)
    if law == "gaussian":
        y = rng.standard_normal((n_bin, n_node)) * np.arange(1, n_node + 1)
    elif law == "bernoulli":
        y = (rng.random((n_bin, n_node)) < 0.3).astype(float)
    else:
        y = rng.poisson(rng.gamma(2, 0.4, (n_bin, n_node))).astype(float)
    y[rng.random(y.shape) < missing] = np.nan
    covariates = rng.standard_normal((n_bin, 1))
    starts = np.array([0, n_bin // 3, n_bin])
    design = Design(y, kernels, covariates, starts, dtype, budget=budget)
    free = np.ones((n_node, design.n_feature), bool)
    coefficient = scale * rng.standard_normal((n_state, n_node, design.n_feature))
    if link == "identity" and law == "poisson":
        coefficient = np.abs(coefficient) + 0.01
        coefficient[:, :, -1] = 0
    dispersion = rng.uniform(0.5, 2, (n_state, n_node)) if law in ("gaussian", "negative_binomial") else 1.0
    dispersion = np.broadcast_to(dispersion, (n_state, n_node)).copy()
    weight = rng.dirichlet(np.ones(n_state), n_bin)
    return Population(Problem(design, y, law, link, free), coefficient, dispersion, weight)
