"""A chain as plain data: what a process needs to run it, and to go on with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dynome import seeds
from dynome.inference.biclustering.chains import ChainRun, run_chain
from dynome.inference.biclustering.dynamics import draw_dynamics
from dynome.inference.biclustering.grouping import signals, similar_nodes
from dynome.inference.biclustering.model import Data, Hyper, State
from dynome.inference.biclustering.prior_draws import prior_start
from dynome.inference.biclustering.starting import started
from dynome.inference.biclustering.storage import MemoryRecorder, Stats, ZarrRecorder
from dynome.inference.biclustering.sweeps import Schedule, sweep
from dynome.inference.biclustering.tempering import ladder, tempered_sweep

_SHORT = 30  # sweeps of tuning, up to which a brief search for the start does; draws may be added later
_WIDTH = 10  # bins over which signals are smoothed where nodes are put into a given number of clusters


class Plan(NamedTuple):
    """Everything that chains share.

    Attributes
    ----------
    data : Data
    hyper : Hyper
    schedule : Schedule
    n_clusters : int or None
        Fixed number of clusters.
    start : {"data", "prior"}
    n_temperatures : int
    coldest : float
        Smallest power of the likelihood.
    settling : int
        First sweeps, in which bins and clusters keep their places.
    n_tune, n_draws, thin, latent_every, checkpoint_every : int
    out : str or None
        Folder of draws and checkpoints.
    random_state : int
    """

    data: Data
    hyper: Hyper
    schedule: Schedule
    n_clusters: int | None
    start: str
    n_temperatures: int
    coldest: float
    settling: int
    n_tune: int
    n_draws: int
    thin: int
    latent_every: int
    checkpoint_every: int
    out: str | None
    random_state: int


def chain_run(k: int, plan: Plan, former: ChainRun | None = None) -> ChainRun:
    """Run a chain from its start, from its checkpoint on disk, or from where an earlier run ended.

    Parameters
    ----------
    k : int
        Which chain.
    plan : Plan
    former : ChainRun or None
        An earlier run, in memory.

    Returns
    -------
    ChainRun
    """
    recorder: Any = MemoryRecorder(former.recorded) if former is not None else MemoryRecorder()
    checkpoint = None
    if plan.out is not None:
        folder = Path(plan.out)
        folder.mkdir(parents=True, exist_ok=True)
        recorder, checkpoint = ZarrRecorder(folder / f"chain_{k}.zarr"), folder / f"chain_{k}.npz"
    tempered = plan.n_temperatures > 1
    with threads(plan.schedule.n_threads):
        return _run(k, plan, former, recorder, checkpoint, tempered)


@contextmanager
def threads(most: int) -> Iterator[None]:
    """So many of numba's threads: with more than there are idle cores, short loops take many times as long."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(min(most, before))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _run(
    k: int, plan: Plan, former: ChainRun | None, recorder: Any, checkpoint: Path | None, tempered: bool
) -> ChainRun:
    return run_chain(
        partial(tempered_step, plan=plan) if tempered else partial(step, plan=plan),
        former.end if former is not None else partial(first_point, plan=plan),
        seeds.generator(plan.random_state, "chain", k) if former is None else None,
        plan.n_draws,
        n_tune=plan.n_tune,
        thin=plan.thin,
        latent_every=plan.latent_every,
        recorder=recorder,
        checkpoint_path=checkpoint,
        checkpoint_every=plan.checkpoint_every,
        fingerprint=f"{fingerprint(plan)}-{k}",
        point=partial(recorded_point, plan=plan),
    )


def step(state: State, rng: np.random.Generator, number: int, *, plan: Plan) -> tuple[State, Stats]:
    """One sweep, as `run_chain` wants it."""
    state, moves = sweep(state, plan.data, *_settled(plan, number, rng))
    return state, moves._asdict()


def tempered_step(
    states: tuple[State, ...], rng: np.random.Generator, number: int, *, plan: Plan
) -> tuple[tuple[State, ...], Stats]:
    """One sweep of tempered chains."""
    hyper, rng, schedule = _settled(plan, number, rng)
    powers = ladder(plan.n_temperatures, plan.coldest)
    states, moves, exchanged = tempered_sweep(tuple(states), plan.data, hyper, rng, powers, schedule)
    return states, moves._asdict() | {"exchanged": exchanged}


def first_point(rng: np.random.Generator, *, plan: Plan) -> Any:
    """Where a chain starts; every rung of a tempered one starts there."""
    if plan.start == "prior":
        point = prior_start(plan.data, plan.hyper, rng)
    else:
        point = started(plan.data, plan.hyper, rng, n_clusters=plan.n_clusters, brief=plan.n_tune <= _SHORT)
    if plan.n_clusters is not None and point.latent.shape[1] != plan.n_clusters:
        point = regrouped(point, plan, rng)
    return (point,) * plan.n_temperatures if plan.n_temperatures > 1 else point


def regrouped(point: State, plan: Plan, rng: np.random.Generator) -> State:
    """The point with the number of clusters that is asked for: nodes that look alike, on the path that most have."""
    label = similar_nodes(signals(plan.data, _WIDTH).deviation, plan.n_clusters or 1)
    label = np.unique(label, return_inverse=True)[1].astype(np.int64)
    path = [int(np.bincount(point.cluster[label == j]).argmax()) for j in range(label.max() + 1)]
    latent, active = np.ascontiguousarray(point.latent[:, path]), point.active[path]
    read = np.column_stack([np.ones(label.size, dtype=bool), active[label]])
    return point._replace(
        cluster=label,
        coefficient=np.where(read, point.coefficient, 0.0),
        latent=latent,
        active=active,
        dynamics=draw_dynamics(latent, point.state, plan.data.starts, plan.hyper, rng, plan.hyper.n_states),
    )


def fingerprint(plan: Plan) -> str:
    """Of everything that a sweep depends on."""
    schedule = plan.schedule._replace(n_threads=1)
    told = plan._replace(data=None, schedule=schedule, n_draws=0, checkpoint_every=0, out=None)  # type: ignore[arg-type]
    text = hashlib.sha256(repr(told).encode())
    text.update(plan.data.y.tobytes())
    text.update(plan.data.starts.tobytes())
    text.update(plan.data.law.encode())
    return text.hexdigest()[:16]


def _settled(plan: Plan, number: int, rng: np.random.Generator) -> tuple[Hyper, np.random.Generator, Schedule]:
    """Hyper-parameters and moves of a sweep; a start first settles, with the number of clusters and states it has."""
    if number >= plan.settling or plan.start == "prior":
        return plan.hyper, rng, plan.schedule
    return plan.hyper._replace(n_auxiliary=0), rng, plan.schedule._replace(states=False)


def recorded_point(chain: Any, *, plan: Plan) -> State:
    """The state that is recorded: of tempered chains the first; first bins have the state of the second.

    A first bin is not entered by any dynamics, and its state says nothing but which transition follows.
    """
    point: State = chain[0] if plan.n_temperatures > 1 else chain
    first = plan.data.starts[:-1][np.diff(plan.data.starts) > 1]
    state = point.state.copy()
    state[first] = state[first + 1]
    return point._replace(state=state)
