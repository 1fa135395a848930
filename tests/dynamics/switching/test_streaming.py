"""Evidence for stochastic EM: it reads lazily, ends near the exact fit, and says what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from dynome.datasets import make_switching_glm
from dynome.dynamics import SwitchingGLM
from dynome.dynamics.switching.streaming import batches
from dynome.errors import InputError

OPTIONS = {"link": "sigmoid", "n_restarts": 2, "random_state": 0}


@pytest.fixture(scope="module")
def counts():
    data = make_switching_glm(n_states=2, n_nodes=6, n_sessions=16, n_time=500, strength=1.5, random_state=0)
    return data.spike_count


@pytest.mark.filterwarnings("ignore:no convergence")
@pytest.mark.parametrize(("prior", "loss"), [("none", 5e-4), ("one_hot", 2e-3)])
def test_batches_end_near_the_exact_fit(counts, prior, loss):
    exact = SwitchingGLM(2, prior=prior, **OPTIONS).fit(counts)
    batched = SwitchingGLM(2, prior=prior, batch_size=4, max_iter=12, **OPTIONS).fit(counts)
    assert exact.score(counts) - batched.score(counts) < loss
    assert np.mean(exact.decode(counts) == batched.decode(counts)) > 0.96
    assert np.corrcoef(exact.results_.coupling.to_numpy().ravel(), batched.results_.coupling.to_numpy().ravel())[
        0, 1
    ] == pytest.approx(1, abs=0.02)
    assert "state_probability" not in batched.results_
    assert batched.results_.evidence.sizes == {"sequence": 16}


@pytest.mark.filterwarnings("ignore:no convergence")
def test_lazy_and_listed_sessions_give_the_same_numbers(counts):
    model = SwitchingGLM(2, batch_size=4, max_iter=2, **OPTIONS)
    whole = model.fit(counts).results_.coupling
    xr.testing.assert_equal(model.fit(counts.chunk(session=1)).results_.coupling, whole)
    listed = [counts.isel(session=k, drop=True) for k in range(16)]
    np.testing.assert_allclose(model.fit(listed).results_.coupling, whole)


def test_parts_hold_every_session_once(counts):
    parts = batches(counts, 5)
    assert [part.sizes["session"] for part in parts] == [5, 5, 5, 1]
    assert batches({"a": counts, "b": counts, "c": counts}, 2)[1].keys() == {"c"}


def test_one_recording_cannot_be_divided(counts):
    with pytest.raises(InputError, match="batch_size divides sessions or trials"):
        SwitchingGLM(2, batch_size=2, **OPTIONS).fit(counts.isel(session=0))


def test_problems_in_any_batch_are_told_before_the_fit(counts):
    spoilt = counts.astype(float).copy(deep=True)
    spoilt[15, 3, 2] = 0.5
    with pytest.raises(InputError, match="counts must be whole numbers"):
        SwitchingGLM(2, batch_size=4, **OPTIONS).fit(spoilt)
