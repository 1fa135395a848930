"""Evidence that a result does not depend on where it was computed."""

import numpy as np
import pytest
import tiny_sessions
import xarray as xr

from dynome import batch, store
from dynome.batch.schedulers import local_cluster

SCHEDULERS = ("threads", "processes", "distributed")


def component(recording, random_state):
    """Power iterations from a random start: what would differ if seeds hung on order or place, or sums on threads."""
    rng, x = np.random.default_rng(random_state), recording.activity.to_numpy()
    vector = rng.normal(size=x.shape[1])
    for _ in range(3):
        vector = x.T @ (x @ vector)
    return xr.Dataset({"component": ("node", vector)}, attrs={"random_state": random_state})


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
        xr.testing.assert_identical(result.load(), reference[session].load())


def test_sessions_differ_from_one_another(reference):
    assert len({result.attrs["random_state"] for result in reference.values()}) == len(reference)
