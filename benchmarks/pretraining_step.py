"""Pretraining: does the demo learn in a minute, and how far is a full-size step from what the machine can do?

    OMP_NUM_THREADS=1 python benchmarks/pretraining_step.py --demo     # 100 regions, hidden 32
    OMP_NUM_THREADS=1 python benchmarks/pretraining_step.py --full     # 400 regions, hidden 128, batch 16, 28 windows

CPU time of one thread, so that a busy machine does not count; the least of some rounds. `--full` counts the operations
of all matrix products (torch.utils.flop_counter), measures a large matrix product in the same process, and uses a CUDA
card where there is one. The published step, without what is shared or left out here, has about 2.7 TFLOP.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from dynome.datasets import make_bold
from dynome.inference import GraphMaskedAutoencoder
from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.dynamic_graphs.settings import EncoderSettings
from dynome.inference.pretraining.jema import JEMA
from dynome.inference.pretraining.masks import MaskSettings
from dynome.inference.pretraining.settings import ObjectiveSettings
from dynome.training.noise import seeded

PUBLISHED = 2.7e12  # operations of a step without sharing: encoders 1.07 GFLOP and decoders 5 GFLOP a graph, 448 graphs
N, D, B, T, WIDTH, STRIDE = 400, 128, 16, 28, 50, 16


def demo() -> None:
    study = make_bold(n_animals=40, n_nodes=100, random_state=0)
    for n_steps in (75,):
        started = time.process_time()
        model = GraphMaskedAutoencoder(hidden=32, n_steps=n_steps, device="cpu", random_state=0).fit(study)
        spent = time.process_time() - started
        found = model.results_
        held = found.validation.to_numpy()
        print(
            f"{n_steps} steps of 8 scans x 20 windows: {spent:.0f} s CPU, reading and looks included; held-out loss "
            f"{held[0]:.3f} after {n_steps // 25} steps, {held[-1]:.3f} at the end; effective rank "
            f"{float(found.effective_rank[0]):.1f} -> {float(found.effective_rank[-1]):.1f}",
            flush=True,
        )


def batch(n_scans: int, device: str) -> Batch:
    rng = torch.Generator().manual_seed(0)
    a = (torch.rand(n_scans, T, N, N, generator=rng) < 0.16).float()
    a = torch.maximum(a, a.mT)
    a.diagonal(dim1=-2, dim2=-1).fill_(1)
    last = (WIDTH - 1 + STRIDE * torch.arange(T)).repeat(n_scans, 1)
    window = np.arange(T)[None].repeat(n_scans, 0)
    width = torch.full((n_scans,), WIDTH)
    return Batch(
        np.arange(n_scans), window, a.to(device), None, None, last.to(device), last.float().to(device), width.to(device)
    )


def network(device: str) -> JEMA:
    settings = ObjectiveSettings(MaskSettings(), "mixer", 256, 0.5, 0.5, 1.0, 1.0, "full", (0.996, 1.0))
    with seeded(np.random.default_rng(0)) as generator:
        net = JEMA(GraphEncoder(N, EncoderSettings(D, 4, "none"), generator), settings, generator)
    return net.to(device)


def least(call: Callable[[], object], rounds: int, device: str) -> float:
    best = np.inf
    for _ in range(rounds):
        clock = time.perf_counter if device == "cuda" else time.process_time
        started = clock()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, clock() - started)
    return best


def product(size: int, device: str, dtype: torch.dtype) -> float:
    """Operations a second of a square product."""
    a = torch.randn(size, size, device=device).to(dtype)
    a @ a
    return 2 * size**3 / least(lambda: a @ a, 5, device)


def full(device: str, n_scans: int, dtype: torch.dtype = torch.float32) -> None:
    net, b = network(device), batch(n_scans, device)
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=1e-3)
    draw = torch.Generator(device=device)

    def step() -> None:
        draw.manual_seed(0)
        optimizer.zero_grad()
        with torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = net.terms(b, draw)["total"]
        loss.backward()
        optimizer.step()
        net.after_step(0.0)

    with FlopCounterMode(display=False) as counter:
        step()
    times = B // n_scans
    seconds, count = times * least(step, 3, device), times * counter.get_total_flops()
    roof = product(8192 if device == "cuda" else 2048, device, dtype)
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 1e9
        name = torch.cuda.get_device_name()
    else:
        peak, name = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, "CPU, one thread"
    print(
        f"{name}, {str(dtype).removeprefix('torch.')}: {seconds:.3g} s a step of {B} x {T} graphs (as {times} of "
        f"{n_scans}), {count / 1e12:.2f} TFLOP ({PUBLISHED / count:.1f} times fewer than published), "
        f"{count / seconds / 1e9:,.0f} GFLOP/s, {count / seconds / roof:.0%} of a large product ({roof / 1e9:,.0f}); "
        f"peak {peak:.1f} GB; 10,000 steps {1e4 * seconds / 3600:.1f} h",
        flush=True,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "--demo" in sys.argv:
        demo()
    if "--full" in sys.argv:
        full("cpu", 2)
        if torch.cuda.is_available():
            for kind in (torch.float32, torch.bfloat16):
                full("cuda", B, kind)
