"""A sampler that is none, but looks like one: random states that depend on everything a chain has."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome.inference.biclustering.chains import run_chain
from dynome.inference.biclustering.model import Concentrations, Dynamics, State

N_NODE, N_BIN, WIDTH, N_STATE = 6, 40, 3, 4


class Killed(Exception):
    """What happens to a chain on a cluster."""


def start(rng):
    return drawn(rng, N_BIN)


def drawn(rng, n_bin=N_BIN, n_clusters=2):
    labels = rng.permutation(np.concatenate([np.arange(n_clusters), rng.integers(0, n_clusters, N_NODE - n_clusters)]))
    wide = n_clusters * WIDTH
    return State(
        cluster=labels,
        coefficient=rng.normal(size=(N_NODE, WIDTH)),
        latent=rng.normal(size=(n_bin, n_clusters, WIDTH)),
        dispersion=rng.gamma(2.0, size=N_NODE),
        state=rng.integers(0, N_STATE, n_bin),
        dynamics=Dynamics(
            rng.normal(size=(N_STATE, 1, wide, wide)),
            rng.normal(size=(N_STATE, 1, wide)),
            rng.normal(size=(N_STATE, 1, wide, wide)),
        ),
        weight=np.full(N_STATE, 1 / N_STATE),
        transition=np.full((N_STATE, N_STATE), 1 / N_STATE),
        concentrations=Concentrations(),
        active=np.ones((n_clusters, WIDTH - 1), dtype=bool),
    )


def step(state, rng, sweep):
    """Depends on the state, on the generator, on streams spawned from it and on the number of the sweep."""
    child = rng.spawn(1)[0]
    made = drawn(rng, state.state.size, int(child.integers(1, 5)))
    made = made._replace(coefficient=made.coefficient + 0.5 * state.coefficient + 0.01 * sweep)
    return made, {"log_likelihood": rng.normal(size=N_NODE), "acceptance": rng.random()}


def dying(at):
    def step_or_die(state, rng, sweep):
        if sweep == at:
            raise Killed
        return step(state, rng, sweep)

    return step_or_die


def run(recorder, n_draws=15, *, seed=0, step=step, start=start, **options):
    options = {"n_tune": 13, "thin": 2, "latent_every": 3, "checkpoint_every": 10} | options
    return run_chain(step, start, np.random.default_rng(seed), n_draws, recorder=recorder, **options)


def recording(seed=0, n_time=N_BIN):
    counts = np.random.default_rng(seed).poisson(1.0, (n_time, N_NODE)).astype(float)
    return xr.DataArray(
        counts,
        dims=("time", "node"),
        coords={
            "time": np.arange(n_time) * 0.1,
            "node": list("abcdef"),
            "region": ("node", list("xxyyzz")),
            "state": ("time", np.arange(n_time) % 2),
        },
        attrs={"units": "count"},
    )


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        assert x.keys() == y.keys()
        for name in x:
            np.testing.assert_array_equal(np.asarray(x[name]), np.asarray(y[name]), err_msg=name)
            assert x[name].dtype == y[name].dtype
