"""Evidence that a result does not depend on where it was computed."""

import numpy as np
import pytest
import tiny_sessions
import xarray as xr

from dynome import batch, dynamics, store
from dynome.batch.schedulers import local_cluster

SCHEDULERS = ("threads", "processes", "distributed")


def component(recording, random_state):
    """A fit that draws its starts: what would differ if seeds depended on order or place."""
    rates = recording.activity - recording.activity.min()
    return dynamics.NonnegativeCP(rank=2, n_restarts=2, max_iter=20, random_state=random_state).fit(
        (rates + 0.1).expand_dims(animal=["a"]).compute()
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    tree = tiny_sessions.make_study(n_animals=2, n_sessions=2, n_nodes=4)
    return store.save(tree, tmp_path_factory.mktemp("study") / "study.zarr")


@pytest.fixture(scope="module")
def reference(stored, tmp_path_factory):
    return batch.map_sessions(component, stored, out=tmp_path_factory.mktemp("one") / "out", random_state=3)


@pytest.fixture(scope="module")
def others(stored, tmp_path_factory):
    folder = tmp_path_factory.mktemp("others")
    given = {"random_state": 3, "threads": 1}
    found = {"threads": batch.map_sessions(component, stored, out=folder / "t", client="threads", n_workers=3, **given)}
    with local_cluster(2) as client:
        found["distributed"] = batch.map_sessions(component, stored, out=folder / "d", client=client, **given)
    found["processes"] = batch.map_sessions(
        component, stored, out=folder / "p", client="processes", n_workers=1, only="animal1/*", **given
    )
    return found


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_gives_the_same_numbers(reference, others, scheduler):
    assert len(others[scheduler])
    for session, result in others[scheduler].items():
        ours, theirs = result.results_, reference[session].results_
        xr.testing.assert_equal(ours.load(), theirs.load())
        assert ours.attrs["random_state"] == theirs.attrs["random_state"]


def test_sessions_differ_from_one_another(reference):
    seeds = {model.results_.attrs["random_state"] for model in reference.values()}
    assert len(seeds) == len(reference)
    assert all(np.isfinite(model.results_.attrs["seconds"]) for model in reference.values())
