"""The blocked scan on a graphics card: a million bins, against the CPU kernel and what the card's memory allows.

    python benchmarks/side_by_side/forward_backward_gpu.py             # on a CUDA card
    python benchmarks/side_by_side/forward_backward_gpu.py --rehearse  # few bins on the CPU: shows only that it runs

Wall-clock medians with the device synchronised, arrays of numpy in and out, so the transfers count. The copy of an
array is measured on the same card in the same run; the least traffic is the log likelihood read and the posterior
written once.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from dynome.dynamics.hmm.accelerated import smooth_accelerated
from dynome.dynamics.hmm.smoothing import smooth

ROUNDS = 7


def median(run: Callable[[], object], device: str) -> float:
    seconds = []
    run()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def bandwidth(device: str) -> float:
    """Bytes a second that a large copy reads and writes."""
    x = torch.ones(1 << (20 if device == "cpu" else 28), device=device)
    y = torch.empty_like(x)
    return 2 * x.nbytes / median(lambda: y.copy_(x), device)


def compare(n_bin: int, n_state: int, n_sequence: int, dtype: type, device: str, copied: float) -> None:
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((n_bin, n_state)) * 2).astype(dtype)
    transition = np.full((n_state, n_state), 0.02 / (n_state - 1))
    np.fill_diagonal(transition, 0.98)
    case = values, transition, np.full(n_state, 1 / n_state), np.linspace(0, n_bin, n_sequence + 1).astype(np.int64)
    here = median(lambda: smooth(*case), "cpu")
    there = median(lambda: smooth_accelerated(*case, device), device)
    apart = np.abs(smooth(*case).probability - smooth_accelerated(*case, device).probability).max()
    least = 2 * values.nbytes / copied
    print(
        f"  {n_bin:,} bins, {n_state} states, {n_sequence} sequences, {np.dtype(dtype).name}: {1e3 * there:.1f} ms; "
        f"CPU kernel {1e3 * here:.1f} ms, {here / there:.1f} x; least traffic {1e3 * least:.2f} ms; "
        f"largest difference {apart:.0e}"
    )


def main() -> None:
    rehearsal = "--rehearse" in sys.argv
    if not (torch.cuda.is_available() or rehearsal):
        print("no CUDA card here: nothing is measured; --rehearse runs few bins on the CPU")
        return
    device = "cpu" if rehearsal else "cuda"
    copied = bandwidth(device)
    name = "rehearsal on the CPU" if rehearsal else torch.cuda.get_device_name()
    print(f"{name}, torch {torch.__version__}, copies at {copied / 1e9:.0f} GB/s")
    for n_state in (5, 20):
        for n_sequence in (1, 100):
            for dtype in (np.float32, np.float64):
                compare(5_000 if rehearsal else 1_000_000, n_state, n_sequence, dtype, device, copied)


if __name__ == "__main__":
    main()
