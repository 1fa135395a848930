"""TorchOperand against what the card can do, and against tensorly on torch: same tensor, same starts.

    python benchmarks/side_by_side/tensors_gpu.py             # on a CUDA card
    python benchmarks/side_by_side/tensors_gpu.py --rehearse  # a small problem on the CPU: shows only that it runs

The ceilings are measured on the same card in the same run: a large matrix product, and a copy. Wall-clock medians,
because the work is done elsewhere than on the CPU.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import tensorly
import torch
from tensorly.cp_tensor import CPTensor
from tensorly.decomposition import non_negative_parafac_hals

from dynome.dynamics.tensor.hals import factorize
from dynome.dynamics.tensor.operands.accelerated import TorchOperand
from dynome.dynamics.tensor.starts import random_factors

ROUNDS, N_ITER = 5, 10


def main() -> None:
    rehearsal = "--rehearse" in sys.argv
    if not (torch.cuda.is_available() or rehearsal):
        print("no CUDA card here: nothing is measured; --rehearse runs a small problem on the CPU")
        return
    device = "cpu" if rehearsal else "cuda"
    print(f"{'rehearsal on the CPU' if rehearsal else torch.cuda.get_device_name()}, torch {torch.__version__}, "
          f"tensorly {tensorly.__version__}")  # fmt: skip
    for dtype in (np.float64, np.float32):
        for shape, rank, counts in [((30, 20, 40), 4, (1, 3))] if rehearsal else [((300, 300, 1000), 16, (1, 30))]:
            compare(shape, rank, counts, dtype, device)


def compare(shape: tuple[int, ...], rank: int, counts: tuple[int, ...], dtype: type, device: str) -> None:
    x = noisy_tensor(shape, rank).astype(dtype)
    flops, copied = ceilings(dtype, device, 512 if device == "cpu" else 8192)
    print(
        f"\n{shape}, rank {rank}, {np.dtype(dtype).name}: ceilings {flops / 1e12:.2f} TFLOP/s, {copied / 1e9:.0f} GB/s"
    )
    operand = TorchOperand(x, device=device)
    norm = float(np.linalg.norm(x))
    for n in counts:
        starts = random_factors(shape, rank, norm, [np.random.default_rng(k) for k in range(n)])
        took = median(lambda s=starts: factorize(operand, s, max_iter=N_ITER, tol=0.0), device) / N_ITER
        placed = [operand.asarray(f) for f in starts]
        passes = median(lambda p=placed: list(operand.numerators(p, range(3))), device)
        report(f"dynome, {n} starts, iteration", took, x, rank * n, flops, copied)
        report(f"dynome, {n} starts, products alone", passes, x, rank * n, flops, copied)
        if n == 1:
            theirs = median(lambda s=starts: tensorly_hals(x, s, device), device) / N_ITER
            print(f"  tensorly HALS on torch, 1 start: {1e3 * theirs:.3f} ms an iteration, {theirs / took:.1f} x ours")


def report(what: str, seconds: float, x: np.ndarray, columns: int, flops: float, copied: float) -> None:
    """Two readings of the tensor and two products with it an iteration, as shares of the ceilings."""
    work, moved = 4 * x.size * columns / seconds, 2 * x.nbytes / seconds
    print(f"  {what}: {1e3 * seconds:.3f} ms; {work / 1e12:.3f} TFLOP/s ({work / flops:.0%}), "
          f"{moved / 1e9:.0f} GB/s ({moved / copied:.0%})")  # fmt: skip


def ceilings(dtype: type, device: str, n: int) -> tuple[float, float]:
    """Arithmetic and memory traffic a second: a product of square matrices, and a copy (one read, one write)."""
    kind = torch.from_numpy(np.zeros(1, dtype)).dtype
    square = torch.rand((n, n), dtype=kind, device=device)
    target = torch.empty_like(square)
    product = median(lambda: torch.matmul(square, square, out=target), device)
    copy = median(lambda: target.copy_(square), device)
    return 2 * n**3 / product, 2 * square.nbytes / copy


def median(run: Callable[[], object], device: str) -> float:
    run()
    took = []
    for _ in range(ROUNDS):
        wait(device)
        began = time.perf_counter()
        run()
        wait(device)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def tensorly_hals(x: np.ndarray, starts: list[np.ndarray], device: str) -> None:
    with tensorly.backend_context("pytorch"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        placed = torch.as_tensor(x, device=device)
        init = CPTensor((None, [torch.as_tensor(f[0], dtype=placed.dtype, device=device) for f in starts]))
        non_negative_parafac_hals(placed, starts[0].shape[2], n_iter_max=N_ITER, init=init, tol=1e-300)


def noisy_tensor(shape: tuple[int, ...], rank: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = np.einsum("ar,br,cr->abc", *(rng.random((n, rank)) for n in shape), optimize=True)
    return np.maximum(x + 0.3 * np.sqrt(np.mean(x**2)) * rng.standard_normal(shape), 0)


if __name__ == "__main__":
    main()
