"""Chains: sweeps one after the other, recorded, with checkpoints; several chains side by side."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from dynome import progress
from dynome.errors import InputError, Problems, StoreError
from dynome.inference.biclustering.checkpoints import Checkpoint, Counts, read_checkpoint, write_checkpoint
from dynome.inference.biclustering.storage import Block, Recorded, Recorder, Stats, noted

S = TypeVar("S")
R = TypeVar("R")
Scheduler = Literal["processes", "threads", "synchronous"]


class ChainRun(NamedTuple):
    """What a chain leaves.

    Attributes
    ----------
    end : Checkpoint
        Where it stands; `run_chain` goes on from it.
    recorded : Recorded
        All draws so far.
    """

    end: Checkpoint
    recorded: Recorded


def run_chain(
    step: Callable[[Any, np.random.Generator, int], tuple[Any, Stats]],
    start: Any,
    rng: np.random.Generator | None,
    n_draws: int,
    *,
    n_tune: int = 0,
    thin: int = 1,
    latent_every: int = 10,
    recorder: Recorder,
    checkpoint_path: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 100,
    fingerprint: str = "",
    point: Callable[[Any], Any] | None = None,
) -> ChainRun:
    """Run one chain, or go on with it.

    Parameters
    ----------
    step : callable
        ``step(state, rng, sweep) -> (state, stats)``: one sweep, a function of nothing but its arguments. `sweep`
        counts from 0, tuning included; `stats` holds ``log_likelihood (n_node)`` in nats and any scalars.
    start : State, callable or Checkpoint
        Where to start; a function of the generator that makes it; or where an earlier run ended, with the recorder
        that has its draws.
    rng : Generator or None
        The chain's own; advanced. None with a Checkpoint, which has one.
    n_draws : int
        Draws in all, with those of earlier runs.
    n_tune : int
        Sweeps before the first draw.
    thin : int
        Sweeps a draw.
    latent_every : int
        One draw in so many is recorded with its latents.
    recorder : Recorder
        Where draws go.
    checkpoint_path : path or None
        File of the checkpoint. If it is there, the chain goes on from it and `start` is not looked at.
    checkpoint_every : int
        Sweeps between writings: what a killed chain can lose.
    fingerprint : str
        Of everything that a sweep depends on; a checkpoint with another one is refused.
    point : callable or None
        The `State` to be recorded, where the state of the chain is something larger (tempered chains).

    Returns
    -------
    ChainRun
        Its draws are those of an uninterrupted run.

    Raises
    ------
    InputError
        If a number is out of range.
    StoreError
        If the checkpoint is damaged, is of another chain, or its draws are not there.
    """
    _check(n_draws, n_tune, thin, latent_every, checkpoint_every)
    begun = _begun(start, rng, checkpoint_path, fingerprint)
    recorder.truncate(begun.counts)
    state, rng, done = begun.state, begun.rng, begun.counts
    if callable(state):
        state = state(rng)
    total = n_tune + n_draws * thin
    if done.sweeps > total:
        raise InputError(f"the chain has {done.sweeps} sweeps already, more than the {total} that are asked for")
    block = Block([], [], [])
    with progress.task("sweeps", total - done.sweeps) as advance:
        for sweep in range(done.sweeps, total):
            state, stats = step(state, rng, sweep)
            after = sweep + 1 - n_tune
            draw = after // thin - 1 if after > 0 and after % thin == 0 else None
            noted(block, state if point is None else point(state), stats, draw, latent_every)
            if (sweep + 1) % checkpoint_every == 0 or sweep + 1 == total:
                done = Counts(*(n + len(part) for n, part in zip(done, block, strict=True)))
                recorder.write(block)
                block = Block([], [], [])
                if checkpoint_path is not None:
                    write_checkpoint(checkpoint_path, Checkpoint(state, rng, done, fingerprint))
            advance(1)
    return ChainRun(Checkpoint(state, rng, done, fingerprint), recorder.read())


def run_chains(
    run: Callable[[int], R], n_chains: int, *, scheduler: Scheduler = "processes", client: Any = None
) -> list[R]:
    """Run several chains side by side.

    Parameters
    ----------
    run : callable
        ``run(k)`` runs chain k whole, usually by `run_chain`, with a generator of its own.
    n_chains : int
    scheduler : {"processes", "threads", "synchronous"}
        How, on this machine; a single chain runs where it is called. Each process takes its share of the cores.
    client : distributed.Client or None
        A cluster that runs them instead.

    Returns
    -------
    list
        Results in the order of the chains; they do not depend on where the chains ran.
    """
    if client is not None:
        return list(client.gather(client.map(_alone, [run] * n_chains, range(n_chains), [1] * n_chains, pure=False)))
    if n_chains == 1 or scheduler == "synchronous":
        return [run(k) for k in range(n_chains)]
    from dask import base
    from dask.delayed import delayed

    compute: Any = base.compute
    cores = os.cpu_count() or 1
    workers = min(n_chains, cores)
    if scheduler == "threads":
        return list(compute(*(delayed(run)(k) for k in range(n_chains)), scheduler="threads", num_workers=workers))
    from joblib.externals.loky import ProcessPoolExecutor

    share = max(1, cores // workers)
    tasks = [delayed(_alone)(run, k, share) for k in range(n_chains)]
    # Processes of loky do not run the user's script again, so that it needs no `if __name__ == "__main__"`.
    with ProcessPoolExecutor(max_workers=workers) as pool:
        return list(compute(*tasks, scheduler="processes", pool=pool, chunksize=1))


def _alone(run: Callable[[int], R], k: int, n_threads: int) -> R:
    """One chain in its process, with its share of the threads."""
    import numba
    from threadpoolctl import threadpool_limits

    before = numba.get_num_threads()
    numba.set_num_threads(min(n_threads, before))
    try:
        with threadpool_limits(n_threads):
            return run(k)
    finally:
        numba.set_num_threads(before)


def _check(n_draws: int, n_tune: int, thin: int, latent_every: int, checkpoint_every: int) -> None:
    problems = Problems("cannot run a chain")
    least = {"n_draws": (n_draws, 1), "n_tune": (n_tune, 0), "thin": (thin, 1)}
    least |= {"latent_every": (latent_every, 1), "checkpoint_every": (checkpoint_every, 1)}
    for name, (value, bound) in least.items():
        if value < bound:
            problems.add(f"{name} must be at least {bound}, got {value}")
    problems.raise_if_any(InputError)


def _begun(start: Any, rng: Any, path: str | os.PathLike[str] | None, fingerprint: str) -> Checkpoint:
    """Where the chain begins: its checkpoint on disk, the one it was given, or its start."""
    begun = None
    if path is not None and Path(path).exists():
        begun = read_checkpoint(path)
    elif isinstance(start, Checkpoint):
        begun = start
    if begun is None:
        if rng is None:
            raise InputError("a chain needs a generator; pass rng, or go on from a Checkpoint")
        return Checkpoint(start, rng, Counts(), fingerprint)
    if begun.fingerprint != fingerprint:
        raise StoreError(
            f"the checkpoint{f' {path}' if path is not None else ''} is of a chain on other data or with other "
            "settings; choose another folder, or delete it to begin anew"
        )
    return begun
