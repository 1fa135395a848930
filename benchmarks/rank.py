"""How often is the planted number of components found, by `rank_curve`'s rule and by others?

    OMP_NUM_THREADS=1 python benchmarks/rank.py

Planted CP tensors (60, 10, 60) of rank 2 to 5 with Gaussian noise whose variance is 1 or 4 times that of the signal,
from uniform or cubed uniform (sparse) factors; and the net affinity of `make_dynamic_communities` with 30 nodes. Rules
that do not test on hidden data are those of the field: the elbow of the error (farthest from its chord), the largest
rank with a core consistency of at least 50, the largest rank at which most starts agree (.9), and the rank at which
the effective dimension stops rising (its smoothed step falls below half of the largest).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d
from side_by_side.dynamic_connectome import net_tensor

import dynome as dy
from dynome.dynamics.tensor.rank_choice import choose_rank

RANKS = range(1, 8)


def planted_tensor(rank: int, noise: float, power: float, seed: int) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    x = np.einsum("tr,ar,pr->tap", *(rng.random((n, rank)) ** power for n in (60, 10, 60)))
    x += noise * x.std() * rng.standard_normal(x.shape)
    return xr.DataArray(x, dims=("time", "animal", "pair"))


def planted_motifs(rank: int, noise: float, n_animals: int, seed: int) -> xr.DataArray:
    tree = dy.datasets.make_dynamic_communities(
        n_nodes=30, n_animals=n_animals, n_communities=rank, noise=noise, random_state=seed
    )
    return net_tensor(dy.dynamics.align_animals(tree, rate=2.0))


def elbow(curve: xr.Dataset) -> int:
    error = curve["error"].min("restart").to_numpy()
    fall = (error - error.min()) / (error.max() - error.min())
    return int(curve["rank"][np.argmin(fall + np.linspace(0, 1, error.size))])


def consistent(curve: xr.Dataset) -> int:
    return int(curve["rank"].where(curve["core_consistency"] >= 50).max())


def agreed(curve: xr.Dataset) -> int:
    return int(curve["rank"].where(curve["similarity"].median("restart") >= 0.9).max())


def saturated(curve: xr.Dataset) -> int:
    step = gaussian_filter1d(np.diff(curve["effective_dimension"].mean("fold")), 1.5)
    low = np.flatnonzero((step < step.max() / 2) & (np.arange(step.size) > step.argmax()))
    return int(curve["rank"][low[0] if low.size else -1])


def lowest(name: str) -> Callable[[xr.Dataset], int]:
    return lambda curve: int(curve[name].mean([d for d in curve[name].dims if d != "rank"]).idxmin("rank"))


RULES: dict[str, Callable[[xr.Dataset], int]] = {
    "choose_rank": choose_rank,
    "least error, hidden": lowest("held_out_error"),
    "least error, new animals": lowest("held_out_error_animal"),
    "elbow": elbow,
    "core consistency": consistent,
    "starts agree": agreed,
    "effective dimension": saturated,
}


def row(name: str, pattern: str, cases: list[tuple[int, xr.DataArray]]) -> None:
    model = dy.dynamics.NonnegativeCP(n_restarts=6, negative="fit", tol=1e-5, max_iter=150)
    found: dict[str, list[int]] = {rule: [] for rule in RULES}
    seconds = []
    for truth, tensor in cases:
        began = time.process_time()
        curve = dy.inference.rank_curve(model, tensor, RANKS, pattern=pattern, random_state=0)
        seconds.append(time.process_time() - began)
        for rule, choose in RULES.items():
            found[rule].append(choose(curve) - truth)
    cells = [f"{sum(d == 0 for d in f)}/{len(f)} ({np.mean(f):+.1f})" for f in found.values()]
    print(f"| {name} | {pattern} | {' | '.join(cells)} | {np.median(seconds):.0f} |", flush=True)


def main() -> None:
    print(f"| data | hidden | {' | '.join(RULES)} | CPU s |\n|{'---|' * (len(RULES) + 3)}")
    for noise, power in ((1.0, 1), (2.0, 1), (2.0, 3)):
        cases = [(2 + k % 4, planted_tensor(2 + k % 4, noise, power, k)) for k in range(4)]
        for pattern in ("blocks", "entries"):
            row(f"CP, noise {noise:g}, power {power:g}", pattern, cases)
    for noise, n_animals in ((0.5, 8), (0.5, 16), (0.75, 16), (1.0, 16)):
        cases = [(3 + k % 3, planted_motifs(3 + k % 3, noise, n_animals, 10 + k)) for k in range(3)]
        row(f"motifs, noise {noise:g}, {n_animals} animals", "blocks", cases)
        if (noise, n_animals) == (0.5, 16):
            row(f"motifs, noise {noise:g}, {n_animals} animals", "entries", cases)


if __name__ == "__main__":
    main()
