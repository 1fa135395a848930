"""Small tasks whose wiring is known, and one thread."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dynome.datasets import make_rate_network
from dynome.inference import forecasting_task


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def study():
    """Two animals that show different nodes; some values are missing, and one node for a long stretch."""
    tree = make_rate_network(n_animals=2, n_times=120, n_nodes=14, recorded=0.8, random_state=0)
    rng = np.random.default_rng(0)
    activity = tree["animal_1"]["activity"].copy(deep=True)
    values = activity.to_numpy().copy()
    values[rng.random(values.shape) < 0.05] = np.nan
    values[30:60, 2] = np.nan
    tree["animal_1"]["activity"] = activity.copy(data=values)
    return tree


@pytest.fixture(scope="session")
def task(study):
    return forecasting_task(study, context=4, horizons=(1, 3), split="by_time")
