"""What batch costs besides the computing: overhead for each session, speed-up with workers, and where the limit is.

    python benchmarks/batch_scaling.py real [--sessions 200] [--seconds 2] [--work wait|compute] [--workers 1 2]
    python benchmarks/batch_scaling.py simulated [--workers 8 16 32 64] [--latency 0 0.01 0.1]

`real` runs synthetic sessions through `map_sessions` in worker processes of this machine. Waiting takes no processor,
so that what is measured is the batch alone; computing (matrix products for so many CPU seconds) shows what is left of
the speed-up on this machine. Overhead is the time of the whole call, without the start of the workers, less the work.

`simulated` has dask's own scheduler, and two worker processes with many threads that wait, with a delay before each
session that stands for the way there and back: it measures what client and scheduler, which share the process whose CPU
time is shown, can hand out, not the disks. Workers with a process each would mostly measure what 64 idle processes cost
a machine of two cores.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import dynome as dy
from dynome.batch import schedulers
from dynome.batch.records import Record
from dynome.batch.tasks import Task


def waits(recording: xr.Dataset, seconds: float) -> xr.Dataset:
    began = time.perf_counter()
    mean = recording.activity.mean("time").load()
    time.sleep(max(0.0, seconds - (time.perf_counter() - began)))
    return xr.Dataset({"mean": mean})


def computes(recording: xr.Dataset, seconds: float) -> xr.Dataset:
    """Until the thread itself, not the wall clock, has computed for so long."""
    began, x = time.thread_time(), recording.activity.to_numpy()
    while time.thread_time() - began < seconds:
        product = x.T @ x
    return xr.Dataset({"product": (("source", "target"), product)})


def study_of(n_sessions: int, folder: Path, n_time: int = 2000, n_nodes: int = 100) -> Path:
    rng = np.random.default_rng(0)
    nodes = [f"n{k}" for k in range(n_nodes)]
    recordings = {
        f"animal{k // 4:03d}/s{k % 4}": dy.schema.recording(
            rng.normal(size=(n_time, n_nodes)).astype(np.float32), time=np.arange(n_time) * 0.5, node=nodes, units="1"
        )
        for k in range(n_sessions)
    }
    return dy.store.save(dy.study.build(recordings), folder / "study.zarr")


def real(n_sessions: int, seconds: float, work: str, workers: list[int]) -> None:
    func = {"wait": waits, "compute": computes}[work]
    walls = {}
    print("| workers | sessions | work of a session | wall | overhead a session | share of the work | sessions/s |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        study = study_of(n_sessions, Path(name))
        for n in workers:
            with schedulers.local_cluster(n) as client:
                client.wait_for_workers(n)
                client.run(_warm)
                began = time.perf_counter()
                results = dy.batch.map_sessions(
                    func, study, out=Path(name, f"out{n}.zarr"), parameters={"seconds": seconds}, client=client
                )
                walls[n] = time.perf_counter() - began
            inside = sum(record.seconds for record in results.records.values())
            ideal = n_sessions * seconds / n
            over = (walls[n] - ideal) * n / n_sessions
            print(f"| {n} | {n_sessions} | {seconds:g} s, {work} | {walls[n]:.1f} s | {1e3 * over:.0f} ms | "
                  f"{100 * over / seconds:.1f} % | {n_sessions / walls[n]:.2f} |", flush=True)  # fmt: skip
            print(f"<!-- inside the sessions {inside:.1f} s -->", flush=True)
        print(f"\nplain loop over the opened study, no batch: {plain(func, study, seconds, 10):.3f} s a session")
    first = min(walls)
    for n in walls:
        print(f"speed-up of {n} workers over {first}: {walls[first] / walls[n]:.2f}")


def _warm() -> None:
    import dynome.batch.tasks  # noqa: F401


def plain(func: Any, study: Path, seconds: float, n: int) -> float:
    sessions = dy.study.sessions(dy.store.open(study))
    began = time.perf_counter()
    for session in list(sessions)[:n]:
        func(sessions[session], seconds)
    return (time.perf_counter() - began) / n


class Distant:
    """A client whose workers wait instead of computing, after the time that a message takes there and back."""

    def __init__(self, client: Any, seconds: float, latency: float) -> None:
        self.client, self.work = client, functools.partial(_stand_in, seconds=seconds, latency=latency)

    def submit(self, _: Any, task: Task, attempt: int, **options: Any) -> Any:
        return self.client.submit(self.work, task.session, attempt, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


def _stand_in(session: str, attempt: int, *, seconds: float, latency: float) -> Record:
    time.sleep(latency + seconds)
    return Record(session, "done", "key", "store", seconds, attempt)


def simulated(workers: list[int], latencies: list[float], seconds: float, rounds: int) -> None:
    import dask
    from distributed import Client, LocalCluster

    print("| workers | delay | sessions | wall | speed-up | of the ideal | lost a session | CPU a session |")
    print("|---|---|---|---|---|---|---|---|")
    for n in workers:
        with (
            dask.config.set({"distributed.worker.profile.enabled": False}),
            LocalCluster(n_workers=2, threads_per_worker=n // 2, dashboard_address="127.0.0.1:0",
                         silence_logs=50) as cluster,
            Client(cluster) as client,
        ):  # fmt: skip
            client.wait_for_workers(2)
            for latency in latencies:
                tasks = [Task(f"s{k}", "key", waits, "", {}, (), "/nowhere", 0, 1, None) for k in range(rounds * n)]
                began, cpu = time.perf_counter(), time.process_time()
                ended = list(schedulers.records_of(tasks, Distant(client, seconds, latency), n_workers=None, retries=0))
                wall, cpu = time.perf_counter() - began, time.process_time() - cpu
                speed = len(ended) * seconds / wall
                lost = wall * n / len(ended) - seconds
                print(f"| {n} | {1e3 * latency:.0f} ms | {len(ended)} | {wall:.1f} s | {speed:.1f} "
                      f"| {100 * speed / n:.1f} % | {1e3 * lost:.0f} ms | {1e3 * cpu / len(ended):.1f} ms |",
                      flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["real", "simulated"])
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--work", choices=["wait", "compute"], default="wait")
    parser.add_argument("--workers", type=int, nargs="+")
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.01, 0.1])
    parser.add_argument("--rounds", type=int, default=10, help="sessions for each simulated worker")
    given = parser.parse_args()
    if given.what == "real":
        real(given.sessions, given.seconds, given.work, given.workers or [1, 2])
    else:
        simulated(given.workers or [8, 16, 32, 64], given.latency, given.seconds, given.rounds)


if __name__ == "__main__":
    main()
