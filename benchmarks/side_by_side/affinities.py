"""Affinities factorised without a tensor, beside the tensor in memory: CPU seconds an iteration and peak memory.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side/affinities.py            # all; the dense form needs 9 GB
    OMP_NUM_THREADS=1 python benchmarks/side_by_side/affinities.py small      # 150 nodes, 300 samples, 6 animals

Each case runs alone in a process with one thread, on the same rates and from the same starts. An iteration is one outer
iteration of the solver: all factors updated once. Seconds are CPU time; quote the ratios.
"""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
import sys
import time

import numpy as np

SIZES = {"full": (20, 1000, 300), "small": (6, 300, 150)}
RANK = 10
ITERATIONS = 2
ROUNDS = 2

CASES = {
    "in memory, float64": {"form": "dense"},
    "implicit, float64": {},
    "implicit, float32": {"dtype": "float32"},
    "implicit, float64, 20 % of nodes missing": {"missing": 0.2},
    "implicit, float64, 10 starts at once": {"starts": 10},
    "implicit, float64, min": {"kernel": "min"},
    "implicit, float64, harmonic": {"kernel": "harmonic"},
    "implicit, float64, gauss": {"kernel": "gauss"},
    "implicit, float64, lag of 3 samples": {"lag": 3},
    "implicit, float64, signed": {"signed": True},
    "small matrix products, float64": {"form": "matrices"},
}
ONCE = {"in memory, float64"}  # too large to repeat


def rates(n_animal: int, n_time: int, n_node: int, missing: float) -> np.ndarray:
    """Three groups of nodes that change together at times, and noise of their own."""
    rng = np.random.default_rng(0)
    courses = rng.standard_normal((n_animal, n_time, 3)) * (rng.random((n_animal, n_time, 3)) < 0.3)
    members = rng.random((3, n_node)) < 0.3
    d = courses @ members + 0.5 * rng.standard_normal((n_animal, n_time, n_node))
    lost = rng.random((n_animal, n_node)) < missing
    return np.where(lost[:, None], np.nan, d)


def operand_for(size: str, form: str, kernel: str, dtype: str, missing: float, lag: int, signed: bool):
    from dynome.dynamics.affinities.forming import tensor_block
    from dynome.dynamics.affinities.kernels import recipe
    from dynome.dynamics.tensor.operands.dense import DenseOperand
    from dynome.dynamics.tensor.operands.implicit import ImplicitOperand

    d = rates(*SIZES[size], missing).astype(dtype)
    i, j = np.triu_indices(d.shape[2], 1)
    made_of = recipe(d, i, j, kernel, lag=lag, signed=signed)
    if form == "dense":
        return DenseOperand(tensor_block(made_of, np.arange(d.shape[1])))
    return SmallMatrices(made_of) if form == "matrices" else ImplicitOperand(made_of)


class SmallMatrices:
    """The other way to do it, for product kernels without missing nodes: products of n_node x n_node matrices.

    Time and animal: ``p' F_r p`` with the folded pair factor, the upper triangle in four strips; pair: ``P' D_r P``.
    """

    def __init__(self, made_of) -> None:
        n_animal, n_time, self.n_node = made_of.rise.shape
        self.sides = (made_of.rise, made_of.fall)
        self.i, self.j = made_of.pairs()
        self.shape = (n_time, n_animal, made_of.n_pair)

    def numerators(self, factors, modes):
        time_factor, animal, pair = (f[0] for f in factors)
        n_time, n_animal, _ = self.shape
        partial = np.zeros((n_animal, n_time, RANK))
        edges = np.linspace(0, self.n_node, 5).astype(int)
        for r in range(RANK):
            folded = np.zeros((self.n_node, self.n_node))
            folded[self.i, self.j] = pair[:, r]
            for side in self.sides:
                for a, b in itertools.pairwise(edges):
                    for w in range(n_animal):
                        products = side[w][:, a:] @ folded[a:b, a:].T
                        partial[w, :, r] += np.einsum("ti,ti->t", products, side[w][:, a:b])
        yield 0, np.einsum("wtr,wr->tr", partial, animal)[None]
        yield 1, np.einsum("wtr,tr->wr", partial, factors[0][0])[None]
        from scipy.linalg.blas import dsyrk

        out = np.zeros((self.shape[2], RANK))
        for r in range(RANK):
            total = np.zeros((self.n_node, self.n_node), order="F")
            for side in self.sides:
                for w in range(n_animal):
                    scaled = side[w] * np.sqrt(time_factor[:, r] * animal[w, r])[:, None]
                    total = dsyrk(1.0, scaled.T, beta=1.0, c=total, overwrite_c=1)
            out[:, r] = total[self.i, self.j]
        yield 2, out[None]


def measure(case: str, size: str) -> dict[str, float]:
    """CPU seconds of an iteration, and peak memory of the process in GB."""
    options = {"form": "implicit", "kernel": "geomean", "dtype": "float64", "missing": 0.0, "lag": 0, "signed": False}
    options |= CASES[case]
    n_start = options.pop("starts", 1)
    from dynome.dynamics.tensor.hals import factorize

    operand = operand_for(size, **options)
    rng = np.random.default_rng(1)
    starts = [rng.random((n_start, n, RANK)) for n in operand.shape]
    if options["form"] == "matrices":
        iterate = lambda n: [dict(operand.numerators(starts, (0, 1, 2))) for _ in range(n)]  # noqa: E731
    else:
        iterate = lambda n: factorize(operand, starts, max_iter=n, tol=0.0)  # noqa: E731
    iterate(1)
    began = time.process_time()
    iterate(ITERATIONS)
    seconds = (time.process_time() - began) / ITERATIONS / n_start
    return {"seconds": seconds, "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}


def main(size: str) -> None:
    found: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
    for k in range(ROUNDS):
        for case in CASES:
            if k and case in ONCE:
                continue
            command = [sys.executable, __file__, size, case]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[case].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"round {k + 1}: {case}: {found[case][-1]}", file=sys.stderr, flush=True)
    seconds = {case: min(f["seconds"] for f in rounds) for case, rounds in found.items()}
    reference = seconds["in memory, float64"]
    n_animal, n_time, n_node = SIZES[size]
    print(f"{n_node} nodes, {n_time} samples, {n_animal} animals, rank {RANK}\n")
    print("| form | CPU s an iteration and start | times faster than in memory | peak memory, GB |")
    print("|---|---|---|---|")
    for case, rounds in found.items():
        peak = max(f["gigabytes"] for f in rounds)
        print(f"| {case} | {seconds[case]:.2f} | {reference / seconds[case]:.2f} | {peak:.2f} |")


if __name__ == "__main__":
    size, *case = sys.argv[1:] or ["full"]
    if case:
        print(json.dumps(measure(case[0], size)))
    else:
        main(size)
