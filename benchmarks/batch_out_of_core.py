"""A study that is larger than the memory, through `map_sessions`: peak memory of each session and of the whole.

    python benchmarks/batch_out_of_core.py --folder DIR [--gigabytes 50] [--sessions 10] [--nodes 100] [--workers 1 2]

The numbers compress well, so that 50 GB of recordings take a few GB of disk; what is opened has its full size. DIR must
have that room; what is written is removed at the end.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr

import dynome as dy
from dynome.batch.limits import status

RATE = 20.0
CHUNK = 20_000


def block(block_info: dict | None = None) -> np.ndarray:
    """One chunk of time: 64 samples over and over, other ones for each chunk."""
    place = block_info[None]
    (start, stop), (_, n_nodes) = place["array-location"][0], place["shape"]
    few = np.random.default_rng(start).integers(-8, 8, size=(64, n_nodes)).astype(np.float32)
    return np.tile(few, (-(-(stop - start) // 64), 1))[: stop - start]


def write_study(path: Path, gigabytes: float, n_sessions: int, n_nodes: int) -> None:
    n_time = int(gigabytes * 1e9 / n_sessions / n_nodes / 4)
    sizes = [CHUNK] * (n_time // CHUNK) + ([n_time % CHUNK] if n_time % CHUNK else [])
    recordings = {}
    for k in range(n_sessions):
        activity = da.map_blocks(
            block, chunks=(tuple(sizes), (n_nodes,)), dtype=np.float32, meta=np.zeros((0, 0), np.float32)
        )
        recordings[f"animal{k}"] = dy.schema.recording(
            activity, time=np.arange(n_time) / RATE, node=[f"n{i}" for i in range(n_nodes)], units="1"
        )
    dy.store.save(dy.study.build(recordings), path, overwrite=True)


def window_connectivity(recording: xr.Dataset, window: float) -> xr.Dataset:
    """Mean and standard deviation over windows of the correlation of each pair; windows come and go."""
    windows = dy.dynamics.dynamic_connectivity(recording.activity, window=window, stride=window)
    both = xr.Dataset({"mean": windows.mean("window"), "sd": windows.std("window")})
    return both.compute(scheduler="synchronous")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=50.0)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    study = given.folder / "out_of_core_study.zarr"
    if given.only:  # in a process of its own, so that its peak is its own
        n = int(given.only)
        began = time.perf_counter()
        where = {"client": "processes", "n_workers": n} if n > 1 else {}
        results = dy.batch.map_sessions(
            window_connectivity, study, out=given.folder / f"out_of_core_{n}.zarr", parameters={"window": 60.0}, **where
        )
        wall = time.perf_counter() - began
        peaks = [record.peak_memory / 1e6 for record in results.records.values()]
        own = status("VmHWM") / 1e6  # what getrusage tells begins with the peak of the process that started this one
        print(
            f"| {n} | {len(results)} | {wall:.0f} s | {given.gigabytes * 1e3 / wall:.0f} MB/s "
            f"| {max(peaks):.0f} MB | {own:.0f} MB |"
        )
        return
    try:
        began, cpu = time.perf_counter(), time.process_time()
        write_study(study, given.gigabytes, given.sessions, given.nodes)
        disk = sum(p.stat().st_size for p in study.rglob("*") if p.is_file()) / 1e9
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(f"written: {given.gigabytes:g} GB in {given.sessions} sessions, {disk:.2f} GB on disk")
        print(f"{time.perf_counter() - began:.0f} s ({time.process_time() - cpu:.0f} s CPU), peak {peak:.0f} MB\n")
        print("| workers | sessions | wall | of recordings | peak of a session's process | peak of the caller |")
        print("|---|---|---|---|---|---|", flush=True)
        for n in given.workers:
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--only", str(n)], check=True)
    finally:
        for left in given.folder.glob("out_of_core_*"):
            shutil.rmtree(left)


if __name__ == "__main__":
    main()
