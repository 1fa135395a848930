"""How long a weighted block model takes, and how well it recovers what was planted, from 125 to 5,000 nodes.

    python benchmarks/side_by_side/sbm_scale.py    # writes benchmarks/results/sbm_scale.md

One thread. Processor seconds, because other work may run on the machine; kernels are compiled before.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

import platform
import resource
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
import xarray as xr
from sklearn.metrics import adjusted_mutual_info_score

from dynome.connectome import WeightedSBM, find_communities

RESULT = Path(__file__).parents[1] / "results" / "sbm_scale.md"
CASES = (  # nodes, groups, mean degree, share of edges that stay inside
    (125, 4, 24, 0.6),
    (1_000, 20, 30, 0.6),
    (5_000, 50, 40, 0.6),
)


def planted(n_node: int, n_group: int, degree: float, inside: float, seed: int) -> tuple[xr.DataArray, np.ndarray]:
    """Exponential weights, twice as large inside groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, n_group, n_node)
    same = group[:, None] == group
    chance = np.where(same, inside * degree * n_group / n_node, (1 - inside) * degree / n_node / (1 - 1 / n_group))
    weight = np.triu(rng.exponential(np.where(same, 2.0, 1.0)) * (rng.random(chance.shape) < chance), 1)
    names = [f"n{k:05d}" for k in range(n_node)]
    return xr.DataArray(weight + weight.T, dims=("source", "target"), coords={"source": names, "target": names}), group


def row(n_node: int, n_group: int, degree: float, inside: float) -> str:
    matrix, group = planted(n_node, n_group, degree, inside, 0)
    began = time.process_time()
    found = WeightedSBM(random_state=0).fit(matrix).results_
    seconds = time.process_time() - began
    began = time.process_time()
    louvain = find_communities(matrix, random_state=0)
    other = time.process_time() - began
    scores = [adjusted_mutual_info_score(group, c) for c in (found.community, louvain)]
    runs = found.restart_description_length
    return (
        f"| {n_node:,} | {np.count_nonzero(matrix) // 2:,} | {n_group} | {found.sizes['model']} | {runs.size} "
        f"| {seconds:.1f} | {found.n_communities.values[0]} | {scores[0]:.3f} | {float(runs.max() - runs.min()):.1f} "
        f"| {other:.1f} | {scores[1]:.3f} |"
    )


def main() -> None:
    for directed in (False, True):  # compile
        matrix, _ = planted(450, 3, 10, 0.8, 0)
        WeightedSBM(n_restarts=1, random_state=0).fit(matrix + directed * np.triu(matrix))
    rows = []
    for case in CASES:
        rows.append(row(*case))
        print(rows[-1], flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba", "networkx"))
    RESULT.write_text(
        f"""# Block models at scale

{date.today()}, {os.cpu_count()}-core virtual machine, Python {platform.python_version()}, {packages}.
One thread, processor seconds after compiling. Made by `python benchmarks/side_by_side/sbm_scale.py`.

Planted groups of equal size on average, 60 % of the edges inside, exponential weights of mean 2 inside and 1 between.
`WeightedSBM` searches the plain and the degree-corrected model of exponential weights once, tries log-normal weights on
what it finds, and searches the best again; 5 runs of it in all. Peak memory of the process {peak:.1f} GB.

| nodes | edges | planted | models | runs | seconds | found | AMI | nats between runs | Louvain, s | its AMI |
|---|---|---|---|---|---|---|---|---|---|---|
"""
        + "\n".join(rows)
        + "\n"
    )


if __name__ == "__main__":
    main()
