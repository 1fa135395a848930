"""The dense kernels of NonnegativeCP beside tensorly and tensortools: same tensor, same starts, one thread.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side/tensors.py

CPU seconds in interleaved rounds, medians; quote the ratios. Writes benchmarks/results/tensors.md.
"""

from __future__ import annotations

import platform
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tensortools
import xarray as xr
from tensorly.cp_tensor import CPTensor
from tensorly.decomposition import non_negative_parafac, non_negative_parafac_hals

from dynome import device
from dynome.dynamics import NonnegativeCP
from dynome.dynamics.tensor.hals import factorize
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.starts import random_factors

RESULT = Path(__file__).parents[1] / "results" / "tensors.md"
SHAPE, RANK, N_RESTARTS, ROUNDS = (150, 150, 600), 10, 30, 5
N_TIMED = 4  # iterations of a timed run

Factors = list[np.ndarray]


def noisy_tensor(shape: tuple[int, ...] = SHAPE, rank: int = RANK, noise: float = 0.3) -> np.ndarray:
    """Uniform factors, Gaussian noise of `noise` times the root mean square, clipped at 0."""
    rng = np.random.default_rng(0)
    x = model([rng.random((n, rank)) for n in shape])
    if noise:
        x += noise * np.sqrt(np.mean(x**2)) * rng.standard_normal(shape)
    return np.maximum(x, 0)


def model(factors: Factors) -> np.ndarray:
    return np.einsum("ar,br,cr->abc", *factors, optimize=True)


def starts_of(x: np.ndarray, rank: int = RANK, n: int = 1) -> Factors:
    return random_factors(x.shape, rank, float(np.linalg.norm(x)), [np.random.default_rng(k) for k in range(n)])


def single(starts: Factors, dtype: type = np.float64) -> Factors:
    return [f[0].astype(dtype) for f in starts]


def relative_error(x: np.ndarray, factors: Factors, seen: np.ndarray | None = None) -> float:
    """Norm of the residual over the norm of the data, in float64, over the entries in `seen`."""
    difference = x - model([np.asarray(f, np.float64) for f in factors])
    if seen is not None:
        difference, x = difference[seen], x[seen]
    return float(np.linalg.norm(difference) / np.linalg.norm(x))


def dynome_hals(x: np.ndarray, starts: Factors, n_iter: int, mask: np.ndarray | None = None) -> Factors:
    return [f[0] for f in factorize(DenseOperand(x, mask), starts, max_iter=n_iter, tol=0.0).factors]


def tensorly_hals(x: np.ndarray, starts: Factors, n_iter: int) -> Factors:
    init = CPTensor((None, single(starts, x.dtype)))
    return _quiet(lambda: non_negative_parafac_hals(x, RANK, n_iter_max=n_iter, init=init, tol=1e-300)).factors


def tensorly_mu(x: np.ndarray, starts: Factors, n_iter: int, mask: np.ndarray | None = None) -> Factors:
    init = CPTensor((None, single(starts, x.dtype)))
    return _quiet(lambda: non_negative_parafac(x, RANK, n_iter_max=n_iter, init=init, tol=1e-300, mask=mask)).factors


def tensortools_hals(x: np.ndarray, starts: Factors, n_iter: int, mask: np.ndarray | None = None) -> Factors:
    init = tensortools.KTensor(single(starts, x.dtype))
    options = {"max_iter": n_iter - 1, "tol": -np.inf, "verbose": False}  # it makes one iteration more than asked for
    return list(_quiet(lambda: tensortools.ncp_hals(x, RANK, mask=mask, init=init, **options)).factors.factors)


def _quiet(run: Callable[[], object]):  # type: ignore[no-untyped-def]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run()


def medians(runs: dict[str, tuple[Callable[[], object], float]], rounds: int = ROUNDS) -> dict[str, float]:
    """CPU milliseconds a unit of work, of runs that take turns."""
    took: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (run, units) in runs.items():
            began = time.process_time()
            run()
            took[name].append(1e3 * (time.process_time() - began) / units)
    return {name: statistics.median(times) for name, times in took.items()}


def bound(dtype: type) -> tuple[float, float]:
    """Milliseconds that the arithmetic, and the reading, of an iteration take at the measured peaks of one core."""
    x, square = np.ones(SHAPE, dtype).ravel(), np.random.default_rng(0).random((2000, 2000)).astype(dtype)
    found = medians({"read": (lambda: np.vdot(x, x), 1), "product": (lambda: square @ square, 1)})
    flops = 4 * x.size * RANK
    return found["product"] * flops / (2 * 2000**3), 2 * found["read"]


def speed() -> list[str]:
    lines = [
        "| tensor | method | CPU ms an iteration and start | dynome, one start, is faster by |",
        "|---|---|---|---|",
    ]
    for dtype in (np.float64, np.float32):
        x, name = noisy_tensor().astype(dtype), np.dtype(dtype).name
        many = starts_of(x, n=N_RESTARTS)
        one = [f[:1] for f in many]
        runs = {
            "tensorly HALS": (lambda x=x, s=one: tensorly_hals(x, s, N_TIMED), N_TIMED),
            "tensorly MU": (lambda x=x, s=one: tensorly_mu(x, s, N_TIMED), N_TIMED),
            "tensortools ncp_hals": (lambda x=x, s=one: tensortools_hals(x, s, N_TIMED), N_TIMED),
            "dynome, one start": (lambda x=x, s=one: dynome_hals(x, s, N_TIMED), N_TIMED),
            f"dynome, {N_RESTARTS} starts": (lambda x=x, s=many: dynome_hals(x, s, 2), 2 * N_RESTARTS),
        }
        for run, _ in runs.values():
            run()  # compiles
        found = medians(runs)
        own, many_own = found["dynome, one start"], found[f"dynome, {N_RESTARTS} starts"]
        for method, took in found.items():
            ratio = "" if method.startswith("dynome") else f"{took / own:.1f}"
            lines.append(f"| {name} | {method} | {took:.1f} | {ratio} |")
        arithmetic, reading = bound(dtype)
        limit = max(arithmetic, reading)
        lines.append(
            f"| {name} | limit of this core: arithmetic {arithmetic:.1f}, reading {reading:.1f} | {limit:.1f} | |"
        )
        print(
            f"{name}: {found['tensorly HALS'] / own:.1f} x tensorly HALS, batched "
            f"{found['tensorly HALS'] / many_own:.1f} x, {own / limit:.2f} x the limit",
            flush=True,
        )
        lines.append(f"| {name} | batched starts against tensorly HALS | | {found['tensorly HALS'] / many_own:.1f} |")
    return lines


def same_error(n_iter: int = 40) -> list[str]:
    """CPU seconds until the error that tensorly's HALS has after `n_iter` iterations."""
    x = noisy_tensor()
    starts = starts_of(x)
    lines = ["| method | iterations | CPU s | relative error |", "|---|---|---|---|"]
    target = relative_error(x, tensorly_hals(x, starts, n_iter))
    path = np.sqrt(factorize(DenseOperand(x), starts, max_iter=n_iter, tol=0.0).error[:, 0])
    enough = next((k + 1 for k, e in enumerate(path) if e <= target * (1 + 1e-6)), n_iter)
    peers = {"tensorly HALS": tensorly_hals, "tensorly MU": tensorly_mu, "tensortools ncp_hals": tensortools_hals}
    for name, run, n in [(k, f, n_iter) for k, f in peers.items()] + [("dynome", dynome_hals, enough)]:
        began = time.process_time()
        factors = run(x, starts, n)
        lines.append(f"| {name} | {n} | {time.process_time() - began:.2f} | {relative_error(x, factors):.6f} |")
        print(lines[-1], flush=True)
    return lines


def masks(n_iter: int = 20) -> list[str]:
    """A fifth of the (animal, pair) combinations of a (time, animal, pair) tensor is missing."""
    x = noisy_tensor()
    block = np.random.default_rng(1).random((1, *SHAPE[1:])) > 0.2
    full = np.ascontiguousarray(np.broadcast_to(block, SHAPE))
    entries = np.random.default_rng(2).random(SHAPE) > 0.2
    starts, lines = (
        starts_of(x),
        ["| mask | method | CPU ms an iteration | extra memory / tensor | error of what is missing |"],
    )
    lines.append("|---|---|---|---|---|")
    for name, ours, theirs in (("(animal, pair)", block, full), ("single entries", entries, entries)):
        gaps = np.where(theirs, x, 0.0)
        runs = {
            "dynome": lambda n, x=gaps, m=ours: dynome_hals(x, starts, n, m),
            "tensortools ncp_hals": lambda n, x=gaps, m=theirs: tensortools_hals(x, starts, n, m),
        }
        if ours is block:  # the slowest by far; once is enough
            runs["tensorly MU"] = lambda n, x=gaps, m=theirs: tensorly_mu(x, starts, n, m)
        extra = {method: peak(lambda run=run: run(1)) / x.nbytes for method, run in runs.items()}
        length = {method: n_iter if method == "dynome" else 2 for method in runs}
        found = medians({k: (lambda n=length[k], run=run: run(n), length[k]) for k, run in runs.items()}, rounds=3)
        for method, run in runs.items():
            hidden = relative_error(x, run(n_iter), ~theirs)
            lines.append(f"| {name} | {method} | {found[method]:.0f} | {extra[method]:.2f} | {hidden:.5f} |")
            print(lines[-1], flush=True)
        ratio = found["tensortools ncp_hals"] / found["dynome"]
        lines.append(f"| {name} | tensortools / dynome | {ratio:.0f} | | |")
    labelled = xr.DataArray(np.where(full, x, np.nan), dims=("time", "animal", "pair"))
    extra = peak(lambda: NonnegativeCP(RANK, n_restarts=1, max_iter=2, random_state=0).fit(labelled)) / x.nbytes
    return [*lines, f"| (animal, pair) | `NonnegativeCP.fit`, from NaN | | {extra:.2f} | |"]


def peak(run: Callable[[], object]) -> int:
    """Bytes that numpy held at most beyond what it held before."""
    tracemalloc.start()
    run()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def single_precision() -> list[str]:
    lines = ["| data | method | relative error, float64 | float32 | ratio |", "|---|---|---|---|---|"]
    for what, noise, n_iter in (("30 % noise", 0.3, 300), ("exact", 0.0, 1000)):
        x = noisy_tensor((40, 40, 60), noise=noise)
        starts = starts_of(x)
        for method, run in (("tensorly HALS", tensorly_hals), ("dynome", dynome_hals)):
            wide, narrow = (relative_error(x, run(x.astype(d), starts, n_iter)) for d in (np.float64, np.float32))
            lines.append(f"| {what} | {method} | {wide:.2e} | {narrow:.2e} | {narrow / wide:.4g} |")
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    packages = ("dynome", "numpy", "numba", "tensorly", "tensortools")
    with device.threads(1):
        text = "\n".join([
            "# Nonnegative CP on dense tensors",
            "",
            f"{date.today().isoformat()}, 2-core virtual machine (x86_64, shared and noisy: read the ratios), "
            f"Python {platform.python_version()}, " + ", ".join(f"{p} {version(p)}" for p in packages) + ".",
            "One thread, one process, rounds that take turns, medians of CPU time, the same starts for all. Made by",
            "`python benchmarks/side_by_side/tensors.py`.",
            "",
            f"## Speed: {' x '.join(map(str, SHAPE))}, rank {RANK}, 30 % noise",
            "",
            *speed(),
            "",
            "The limit is what two readings of the tensor, or the arithmetic of its two products, take at the measured",
            "peaks of the same core; the greater of both counts. Matrices with ten rows do not reach that peak.",
            "",
            "## Until tensorly's HALS has made 40 iterations",
            "",
            *same_error(),
            "",
            "## A fifth is missing",
            "",
            *masks(),
            "",
            "Twenty iterations each, from the same start. Peers impute what is missing and fit that too; dynome leaves",
            "it out of the sum. Memory is what numpy held at most beyond its inputs (tracemalloc), the tensor being 1.",
            "`NonnegativeCP.fit` makes one copy of a tensor with NaN, because a matrix product cannot pass over NaN.",
            "",
            "## Single precision: 40 x 40 x 60, rank 10",
            "",
            *single_precision(),
            "",
            "Norm of the residual over the norm of the data. dynome stores and multiplies float32, and keeps factors,",
            "Gram matrices and errors in float64.",
            "",
            "## Graphics cards",
            "",
            "Not measured yet: `benchmarks/side_by_side/tensors_gpu.py` does so where there is a CUDA card.",
            "",
        ])  # fmt: skip
    RESULT.write_text(text)


if __name__ == "__main__":
    main()
