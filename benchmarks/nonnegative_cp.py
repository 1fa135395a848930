"""NonnegativeCP's kernel beside tensorly's HALS: same tensor, same starts, one thread, in one process.

    OMP_NUM_THREADS=1 python benchmarks/nonnegative_cp.py

Two questions: how long does one outer iteration take, and how long until the error of tensorly's last iteration is
reached? CPU seconds, medians of interleaved rounds; quote the ratios.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings

import numpy as np
import tensorly
from tensorly.cp_tensor import CPTensor
from tensorly.decomposition import non_negative_parafac_hals

from dynome.dynamics.tensor.hals import factorize, random_factors
from dynome.dynamics.tensor.operands.dense import DenseOperand

ROUNDS = 3


def noisy_tensor(shape: tuple[int, ...], rank: int, seed: int = 0) -> np.ndarray:
    """Uniform factors, 30 % Gaussian noise, clipped at 0."""
    rng = np.random.default_rng(seed)
    a, b, c = (rng.random((n, rank)) for n in shape)
    x = np.einsum("ar,br,cr->abc", a, b, c)
    return np.maximum(x + 0.3 * x.std() * rng.standard_normal(shape), 0)


def tensorly_hals(x: np.ndarray, start: list[np.ndarray], n_iter: int) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        init = CPTensor((None, [f.copy() for f in start]))
        _, errors = non_negative_parafac_hals(
            x, start[0].shape[1], n_iter_max=n_iter, init=init, tol=1e-300, return_errors=True
        )
    return [float(e) ** 2 for e in errors]


def clocked(run):
    began = time.process_time()
    result = run()
    return time.process_time() - began, result


def compare(shape: tuple[int, ...], rank: int, n_iter: int, n_restarts: int) -> None:
    x = noisy_tensor(shape, rank)
    generators = [np.random.default_rng(k) for k in range(n_restarts)]
    starts = random_factors(shape, rank, float(np.linalg.norm(x)), generators)
    one = [f[:1] for f in starts]
    factorize(DenseOperand(x), one, max_iter=1, tol=0.0)  # compiles
    peer, ours, ours_many, errors = [], [], [], {}
    for _ in range(ROUNDS):
        seconds, errors["peer"] = clocked(lambda: tensorly_hals(x, [f[0] for f in one], n_iter))
        peer.append(seconds / n_iter)
        seconds, fit = clocked(lambda: factorize(DenseOperand(x), one, max_iter=n_iter, tol=0.0))
        ours.append(seconds / n_iter)
        errors["ours"] = fit.error[:, 0].tolist()
        seconds, _ = clocked(lambda: factorize(DenseOperand(x), starts, max_iter=n_iter, tol=0.0))
        ours_many.append(seconds / n_iter / n_restarts)
    p, o, m = (statistics.median(v) for v in (peer, ours, ours_many))
    reached = next((k + 1 for k, e in enumerate(errors["ours"]) if e <= errors["peer"][-1] * (1 + 1e-6)), None)
    print(f"\n{shape}, rank {rank}, {x.nbytes / 1e6:.0f} MB, {n_iter} iterations, CPU ms an iteration and start")
    print(f"  tensorly HALS (numpy)         {1e3 * p:8.2f}")
    print(f"  dynome, 1 start               {1e3 * o:8.2f}   {p / o:5.1f} x faster")
    print(f"  dynome, {n_restarts:2d} starts at once     {1e3 * m:8.2f}   {p / m:5.1f} x faster")
    print(f"  relative squared error: tensorly {errors['peer'][-1]:.6f}, dynome {errors['ours'][-1]:.6f};")
    print(f"  dynome reaches tensorly's last error at iteration {reached} of {n_iter}")


if __name__ == "__main__":
    print(f"python {sys.version.split()[0]}, numpy {np.__version__}, tensorly {tensorly.__version__}")
    compare((60, 40, 200), 6, 60, 10)
    compare((150, 150, 600), 10, 40, 10)
    compare((960, 4, 3000), 8, 20, 10)
