"""Multiplicative updates, direct optimisation and sparse tensors beside their plain forms.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side/losses.py

CPU seconds of interleaved rounds in one process and one thread, least of the rounds; every pair begins from the same
factors. "Until" is the CPU time until the divergence of the peer's last iteration is reached (or bettered).
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import tensorly
from tensorly.cp_tensor import CPTensor
from tensorly.decomposition import non_negative_parafac

from dynome.dynamics.tensor import hals, lbfgs, multiplicative
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.dynamics.tensor.operands.sparse import SparseOperand
from dynome.dynamics.tensor.starts import random_factors

ROUNDS = 3


def counts(shape, rank, mean, seed=0):
    rng = np.random.default_rng(seed)
    factors = [rng.random((n, rank)) * (rng.random((n, rank)) < 0.5) for n in shape]
    rate = np.einsum("ar,br,cr->abc", *factors, optimize=True)
    return rng.poisson(rate * mean / rate.mean()).astype(float)


def begin(x, rank, n):
    return random_factors(x.shape, rank, float(np.linalg.norm(x)), [np.random.default_rng(k) for k in range(n)])


def plain_kullback_leibler(x, start, n_iter):
    """Textbook updates with whole unfoldings."""
    factors = [f.copy() for f in start]
    for _ in range(n_iter):
        for mode in range(3):
            first, second = (factors[m] for m in range(3) if m != mode)
            others = (first[:, None] * second[None]).reshape(-1, first.shape[1])
            unfolded = np.moveaxis(x, mode, 0).reshape(x.shape[mode], -1)
            model = factors[mode] @ others.T
            factors[mode] *= ((unfolded / np.maximum(model, 1e-300)) @ others) / others.sum(0)
    return factors


def kullback_leibler(x, factors):
    model = np.einsum("ar,br,cr->abc", *factors, optimize=True)
    return float((model - x + np.where(x > 0, x * np.log(np.where(x > 0, x, 1) / np.maximum(model, 1e-300)), 0)).sum())


def clocked(run):
    began = time.process_time()
    result = run()
    return time.process_time() - began, result


def reached(error, target):
    """Iterations until the first error at or below the target."""
    below = np.flatnonzero(error <= target * (1 + 1e-9))
    return int(below[0]) + 1 if below.size else None


def counts_under_kullback_leibler(shape=(100, 60, 200), rank=8, n_iter=20):
    x = counts(shape, rank, 1.0)
    one, many = begin(x, rank, 1), begin(x, rank, 8)
    mean = kullback_leibler(x, [np.full((n, 1), x.mean() ** (1 / 3)) for n in shape])
    times = {"plain": [], "ours": [], "batch": []}
    for _ in range(ROUNDS):
        seconds, factors = clocked(lambda: plain_kullback_leibler(x, [f[0] for f in one], n_iter))
        times["plain"].append(seconds / n_iter)
        seconds, fit = clocked(lambda: multiplicative.factorize(DenseOperand(x), one, max_iter=n_iter, tol=0.0))
        times["ours"].append(seconds / n_iter)
        seconds, _ = clocked(lambda: multiplicative.factorize(DenseOperand(x), many, max_iter=4, tol=0.0))
        times["batch"].append(seconds / 4 / 8)
    target = kullback_leibler(x, factors) / mean
    plain, ours, batch = (min(times[k]) for k in times)
    steps = reached(fit.error[:, 0], target)
    print(f"\nKullback-Leibler, {shape}, rank {rank}, mean count 1; CPU ms an iteration and start")
    print(
        f"  plain numpy updates     {1e3 * plain:8.1f}   {n_iter} iterations to {target:.6f} of the mean's divergence"
    )
    print(
        f"  dynome, 1 start         {1e3 * ours:8.1f}   {plain / ours:.1f} x; reaches it in {steps} iterations: "
        f"{plain * n_iter / (ours * steps) if steps else 0:.1f} x; then {np.nanmin(fit.error):.6f}"
    )
    print(f"  dynome, 8 starts        {1e3 * batch:8.1f}   {plain / batch:.1f} x")


def squared_error(shape=(150, 150, 200), rank=10, n_iter=40):
    rng = np.random.default_rng(0)
    x = np.einsum("ar,br,cr->abc", *(rng.random((n, rank)) for n in shape), optimize=True)
    x = np.maximum(x + 0.3 * x.std() * rng.standard_normal(shape), 0)
    one, many = begin(x, rank, 1), begin(x, rank, 8)
    operand, times = DenseOperand(x), {"tensorly": [], "ours": [], "batch": [], "lbfgs": [], "hals": []}
    for _ in range(ROUNDS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            init = CPTensor((None, [f[0].copy() for f in one]))
            seconds, (_, errors) = clocked(
                lambda init=init: non_negative_parafac(
                    x, rank, n_iter_max=n_iter, init=init, tol=1e-300, return_errors=True
                )
            )
        times["tensorly"].append(seconds)
        for name, start, run in (
            ("ours", one, lambda s: multiplicative.factorize(operand, s, beta=2.0, max_iter=n_iter, tol=0.0)),
            ("batch", many, lambda s: multiplicative.factorize(operand, s, beta=2.0, max_iter=n_iter, tol=0.0)),
            ("lbfgs", one, lambda s: lbfgs.factorize(operand, s, max_iter=n_iter, tol=0.0)),
            ("hals", one, lambda s: hals.factorize(operand, s, max_iter=n_iter, tol=0.0)),
        ):
            seconds, fit = clocked(lambda start=start, run=run: run(start))
            times[name].append(seconds)
            if name == "ours":
                multiplied = fit
            if name == "lbfgs":
                direct = fit
            if name == "hals":
                swept = fit
    least = {k: min(v) / n_iter for k, v in times.items()}
    target = float(errors[-1]) ** 2
    print(f"\nsquared error, {shape}, rank {rank}; CPU ms an iteration; {n_iter} iterations")
    print(f"  tensorly MU             {1e3 * least['tensorly']:8.1f}   error {target:.6f}")
    for name, label, fit in (
        ("ours", "dynome mu", multiplied),
        ("lbfgs", "dynome lbfgs", direct),
        ("hals", "dynome hals", swept),
    ):
        steps = reached(fit.error[:, 0], target)
        gain = f"{n_iter * least['tensorly'] / (steps * least[name]):.1f} x" if steps else "not reached"
        print(
            f"  {label:22s}  {1e3 * least[name]:8.1f}   error {np.nanmin(fit.error):.6f}; tensorly's in {steps}: {gain}"
        )
    many_starts = 1e3 * least["batch"] / 8
    print(f"  dynome mu, 8 starts     {many_starts:8.1f}   {1e3 * least['tensorly'] / many_starts:.1f} x a start")


def sparse_against_dense(shape=(400, 30, 500), rank=10, density=0.01, n_iter=3):
    rng = np.random.default_rng(0)
    x = counts(shape, rank, 1.0)
    x *= rng.random(shape) < density / (x > 0).mean()
    operand = SparseOperand(np.argwhere(x > 0), x[x > 0], shape)
    dense = DenseOperand(x)
    print(f"\nsparse, {shape}, rank {rank}, {100 * (x > 0).mean():.2f} % of entries; CPU ms an iteration and start")
    for n in (1, 8):
        start = begin(x, rank, n)
        for label, run in (
            ("squared error, hals", lambda o, s: hals.factorize(o, s, max_iter=n_iter, tol=0.0)),
            ("Kullback-Leibler, mu", lambda o, s: multiplicative.factorize(o, s, max_iter=n_iter, tol=0.0)),
        ):
            run(operand, start)  # compiles
            pairs = [
                [clocked(lambda o=o, run=run, start=start: run(o, start)) for o in (operand, dense)]
                for _ in range(ROUNDS)
            ]
            few, all_cells = (min(p[k][0] for p in pairs) / n_iter / n for k in (0, 1))
            same = np.allclose(pairs[0][0][1].error, pairs[0][1][1].error, rtol=1e-6)
            print(
                f"  {label:21s} {n} starts: sparse {1e3 * few:7.2f}, dense {1e3 * all_cells:7.2f}   "
                f"{all_cells / few:.0f} x; errors agree: {same}"
            )


if __name__ == "__main__":
    print(f"python {sys.version.split()[0]}, numpy {np.__version__}, tensorly {tensorly.__version__}")
    counts_under_kullback_leibler()
    squared_error()
    sparse_against_dense()
