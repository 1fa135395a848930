"""A simulated population with two states, and models that were fitted to it."""

from __future__ import annotations

import pytest
import xarray as xr

from dynome.datasets import make_switching_glm
from dynome.dynamics import GLM, HMM, SwitchingGLM


@pytest.fixture(scope="session")
def population() -> xr.Dataset:
    """Ten nodes whose couplings and offsets depend on one of two states; 8 sessions."""
    return make_switching_glm(
        n_states=2, n_nodes=10, n_sessions=8, n_time=600, state_bias=0.8, stay=0.97, random_state=0
    )


@pytest.fixture(scope="session")
def switching(population) -> SwitchingGLM:
    return SwitchingGLM(2, link="sigmoid", n_restarts=2, tol=1e-8, random_state=0).fit(population.spike_count)


@pytest.fixture(scope="session")
def glm(population) -> GLM:
    return GLM(link="sigmoid").fit(population.spike_count)


@pytest.fixture(scope="session")
def hmm(population) -> HMM:
    return HMM(2, n_restarts=2, random_state=0).fit(population.spike_count)
