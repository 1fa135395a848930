"""Dynamic functional connectivity beside numpy, torch and STAGIN's way: 8 subjects, 400 regions, one thread, CPU time.

    OMP_NUM_THREADS=1 python benchmarks/dynamic_connectivity.py

8 subjects of 1,200 samples, windows of 50 samples every 3 (the exclusive end of STAGIN: 384 windows a subject, 3,072
matrices, 1.97 GB in float32). Rounds take turns, and the least CPU time of each is kept; both sides are checked to give
the same numbers first. Correlations are those of all windows, written chunk by chunk into one room that is used again.
STAGIN's way is its published arithmetic (egyptdj/stagin cedb566: util/bold.py, model.py): a loop of torch products,
then for each window the percentile by a full sort in float64 with linear interpolation; it is timed on 96 windows, ours
on all and on the same 96. Peak memory is that of a process of its own. A GPU is timed where there is one.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np

N_SUBJECT, N_TIME, N_NODE, WIDTH, STRIDE, DENSITY = 8, 1200, 400, 50, 3, 0.3
CHUNK = 96
ROUNDS = int(os.environ.get("ROUNDS", "5"))
Case = Callable[[], object]


def subjects() -> list[np.ndarray]:
    """Networks whose coupling waxes and wanes, as float32."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(N_SUBJECT):
        shared = rng.standard_normal((N_TIME, 7)) @ (rng.random((7, N_NODE)) < 0.3)
        swell = 1 + np.sin(np.arange(N_TIME) / rng.uniform(20, 60))[:, None]
        found.append((rng.standard_normal((N_TIME, N_NODE)) + 0.4 * swell * shared).astype(np.float32))
    return found


def least(cases: dict[str, Case]) -> dict[str, float]:
    """Least CPU milliseconds of each case, in rounds that take turns."""
    best = dict.fromkeys(cases, np.inf)
    for _ in range(ROUNDS):
        for name, case in cases.items():
            began = time.process_time()
            case()
            best[name] = min(best[name], 1e3 * (time.process_time() - began))
    return best


def table(title: str, best: dict[str, float], windows: dict[str, int]) -> None:
    print(f"\n{title}: CPU ms, windows, microseconds a window, times faster than the first")
    each = {name: 1e3 * ms / windows[name] for name, ms in best.items()}
    first = next(iter(each.values()))
    for name, ms in best.items():
        print(f"  {name:58s} {ms:8.0f} {windows[name]:5d} {each[name]:8.0f} {first / each[name]:7.1f} x")


def chunks(starts: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, starts.size, CHUNK):
        yield starts[first : first + CHUNK]


def torch_correlation(x):  # (n_node, n_time), the arithmetic of STAGIN
    import torch

    d = x - x.mean(1, keepdim=True)
    c = d @ d.T / (x.shape[1] - 1)
    s = c.diagonal().sqrt()
    return torch.clamp(c / s / s[:, None], -1, 1)


def torch_percentile(t, q):  # a full sort in float64, interpolated linearly
    ordered = t.double().flatten().sort().values
    place = (ordered.numel() - 1) * q / 100
    low = int(place)
    return ordered[low] + (ordered[min(low + 1, ordered.numel() - 1)] - ordered[low]) * (place - low)


def correlations(data: list[np.ndarray], starts: np.ndarray) -> None:
    import torch

    from dynome.dynamics.connectivity.window_tensors import correlation_tensors
    from dynome.dynamics.connectivity.windowed_correlation import correlation_windows

    room = np.empty((CHUNK, N_NODE, N_NODE), np.float32)
    tensors = [torch.from_numpy(x) for x in data]

    def numpy_loop() -> None:
        for x in data:
            for k, s in enumerate(starts):
                room[k % CHUNK] = np.corrcoef(x[s : s + WIDTH].T)

    def torch_loop() -> None:
        out = torch.from_numpy(room)
        for x in tensors:
            for k, s in enumerate(starts):
                out[k % CHUNK] = torch_correlation(x[s : s + WIDTH].T)

    def batched() -> None:
        for x in tensors:
            for part in chunks(starts):
                correlation_tensors(x, torch.from_numpy(part), WIDTH)

    def ours() -> None:
        for x in data:
            for part in chunks(starts):
                correlation_windows(x, part, WIDTH, out=room[: part.size])

    expected = [np.corrcoef(data[0][s : s + WIDTH].T) for s in starts[:5]]
    for found in (
        correlation_windows(data[0], starts[:5], WIDTH),
        torch.stack([torch_correlation(tensors[0][s : s + WIDTH].T) for s in starts[:5]]),
        correlation_tensors(tensors[0], torch.from_numpy(starts[:5]), WIDTH),
    ):
        np.testing.assert_allclose(np.asarray(found), expected, atol=2e-6)
    cases = {
        "loop of numpy corrcoef": numpy_loop,
        "torch, loop, STAGIN's arithmetic": torch_loop,
        f"torch, batched ({CHUNK} windows), correlation_tensors": batched,
        "ours, correlation_windows": ours,
    }
    table("correlation", least(cases), dict.fromkeys(cases, len(data) * starts.size))


def graphs(data: list[np.ndarray], starts: np.ndarray) -> None:
    import torch

    from dynome.dynamics.connectivity.density import correlation_graphs, density_cuts, density_graphs
    from dynome.dynamics.connectivity.window_tensors import correlation_tensors, density_tensors
    from dynome.dynamics.connectivity.windowed_correlation import correlation_windows

    few = starts[:CHUNK]
    x, tensor, some = data[0], torch.from_numpy(data[0]), torch.from_numpy(starts[:CHUNK])
    fc = correlation_windows(x, few, WIDTH)
    room, kept = np.empty((CHUNK, N_NODE, N_NODE), np.bool_), np.empty(fc.shape, np.float32)

    def stagin() -> list[torch.Tensor]:
        found = (torch_correlation(tensor[s : s + WIDTH].T) for s in few)
        return [r > torch_percentile(r, 100 * (1 - DENSITY)) for r in found]

    def in_two_steps() -> np.ndarray:
        return density_graphs(correlation_windows(x, few, WIDTH, out=kept), DENSITY, out=room)

    def everything() -> None:
        for each in data:
            for part in chunks(starts):
                correlation_graphs(each, part, WIDTH, DENSITY, out=room[: part.size])

    def batched() -> torch.Tensor:
        return density_tensors(correlation_tensors(tensor, some, WIDTH), DENSITY)

    theirs = torch.stack(stagin()).numpy()
    for found in (in_two_steps(), batched().numpy(), correlation_graphs(x, few, WIDTH, DENSITY)):
        # Rounding of the correlations moves a few entries across the cut.
        np.testing.assert_array_less((found != theirs).mean(), 1e-4)
    exact = np.array([np.percentile(m.astype(np.float64), 100 * (1 - DENSITY)) for m in fc])
    np.testing.assert_array_equal(density_cuts(fc, DENSITY), exact)
    cases: dict[str, Case] = {
        "STAGIN's way": stagin,
        "torch, batched, density_tensors": batched,
        "ours, correlation_windows then density_graphs": in_two_steps,
        "ours, correlation_graphs, the same 96 windows": lambda: correlation_graphs(x, few, WIDTH, DENSITY, out=room),
        "ours, correlation_graphs, all subjects": everything,
    }
    windows = dict.fromkeys(cases, CHUNK) | {"ours, correlation_graphs, all subjects": len(data) * starts.size}
    table("correlation and top 30 %", least(cases), windows)
    flat = fc.reshape(CHUNK, -1)
    upper = np.flatnonzero(np.triu(np.ones((N_NODE, N_NODE), dtype=bool), 1))
    place = 0.7 * (N_NODE**2 - 1)
    low = int(place)
    cuts: dict[str, Case] = {
        "numpy.percentile": lambda: [np.percentile(m, 70) for m in flat],
        "torch, full sort in float64, as STAGIN": lambda: [torch_percentile(torch.from_numpy(m), 70) for m in flat],
        "numpy.partition, all entries": lambda: [np.partition(m, (low, low + 1)) for m in flat],
        "numpy.partition, upper triangle": lambda: [np.partition(m[upper], (low // 2, (low + 1) // 2)) for m in flat],
        "ours, density_cuts": lambda: density_cuts(fc, DENSITY),
    }
    table("the cut alone", least(cuts), dict.fromkeys(cuts, CHUNK))


def peak() -> float:
    """Most memory that this process has held, in MB; getrusage would count that of its parent too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def memory(what: str) -> None:
    """Stream all windows of all subjects through dask, one block at a time; print the peak of this process in MB."""
    import dask

    from dynome import schema
    from dynome.dynamics import dynamic_connectivity

    before = peak()
    total = 0.0
    began = time.process_time()
    with dask.config.set(scheduler="synchronous"):
        for x in subjects():
            nodes = [f"R{k:03d}" for k in range(N_NODE)]
            activity = schema.recording(x, time=np.arange(N_TIME) * 0.72, node=nodes, units="1").activity
            fc = dynamic_connectivity(
                activity,
                window=WIDTH,
                stride=STRIDE,
                unit="samples",
                closed="stagin",
                density=DENSITY if what == "graphs" else None,
                output="upper" if what == "upper" else "dense",
            )
            for first in range(0, fc.sizes["window"], 48):
                total += float(fc.isel(window=slice(first, first + 48)).data.sum().compute())
    seconds = time.process_time() - began
    print(
        f"  {what:10s} {peak():6.0f} MB at the peak, {before:4.0f} MB before, {seconds:5.1f} s CPU, labels and sums too"
    )


def gpu(data: list[np.ndarray], starts: np.ndarray) -> None:
    import torch

    from dynome.dynamics.connectivity.window_tensors import correlation_tensors, density_tensors

    if not torch.cuda.is_available():
        print("\nno CUDA device in this run")
        return
    tensors = [torch.from_numpy(x).cuda() for x in data]
    where = torch.from_numpy(starts).cuda()
    for name, step in {
        "correlation": lambda x: correlation_tensors(x, where, WIDTH),
        "correlation and top 30 %": lambda x: density_tensors(correlation_tensors(x, where, WIDTH), DENSITY),
    }.items():
        best = np.inf
        for _ in range(ROUNDS + 1):
            torch.cuda.synchronize()
            began = time.perf_counter()
            for x in tensors:
                step(x)
            torch.cuda.synchronize()
            best = min(best, 1e3 * (time.perf_counter() - began))
        print(f"\n{torch.cuda.get_device_name()}, {name}, all subjects: {best:.1f} ms of wall-clock time")


def main() -> None:
    if len(sys.argv) > 1:
        memory(sys.argv[1])
        return
    import torch

    import dynome
    from dynome import device
    from dynome.dynamics.connectivity.window_starts import starts_of_windows

    torch.set_num_threads(1)
    print(
        f"{date.today()}, python {platform.python_version()}, dynome {dynome.__version__}, numpy {np.__version__}, "
        f"torch {torch.__version__}; load {os.getloadavg()[0]:.1f}"
    )
    data, starts = subjects(), starts_of_windows(N_TIME, WIDTH, STRIDE, closed="stagin")
    with device.threads(1):
        correlations(data, starts)
        graphs(data, starts)
    print("\npeak memory of a process that streams all 3,072 windows (1.97 GB as float32)", flush=True)
    for what in ("dense", "upper", "graphs"):
        subprocess.run([sys.executable, __file__, what], check=True)
    gpu(data, starts)


if __name__ == "__main__":
    main()
