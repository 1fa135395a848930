"""From traces to motifs, end to end: planted communities, and what each method finds of them.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side/dynamic_connectome.py [methods | noise | animals | missing] ...

`make_dynamic_communities` plants groups of nodes that change together in bouts, in some animals. Signal-to-noise 1
means `noise=1.0`: the variance of a shared signal, before the loadings of nodes (.5 to 1) and animals (.5 to 1.5),
equals that of the private signal of every node; bouts last a tenth of the recording. Every method is told the number
of motifs.

* cosine: of the matched time course, animal loadings and pair loadings with the planted ones (the square root of the
  product of two memberships, which is what the affinity grows with); means over motifs.
* F1: of the samples at which motifs are active, by the Otsu threshold of the found time course, against planted bouts.
* AMI: adjusted mutual information of nodes' motifs (or none) with the planted communities, all nodes counted.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score

import dynome as dy
from dynome.dynamics.atlas.intervals import otsu_threshold

Array = NDArray[np.float64]
WINDOW = 4.0  # seconds over which affinities are averaged
RESTARTS = 6
SWEEP = range(1)  # seeds of a row where noise, animals or missing nodes vary


class Found(NamedTuple):
    """What a method found: factors with the time on `clock`, and the motif of each node (-1 for none)."""

    clock: Array
    factors: list[Array] | None
    label: NDArray[np.int64]


def study(
    noise: float = 1.0, n_animals: int = 20, missing: float = 0.0, seed: int = 0
) -> tuple[xr.Dataset, xr.Dataset]:
    """Aligned recordings and the truth; of each animal a random share of the nodes is missing."""
    tree = dy.datasets.make_dynamic_communities(n_animals=n_animals, noise=noise, random_state=seed)
    aligned = dy.dynamics.align_animals(tree, rate=2.0)
    lost = np.random.default_rng(seed).random((n_animals, aligned.sizes["node"])) < missing
    seen = xr.DataArray(~lost, dims=("animal", "node"))
    aligned = aligned.assign(activity=aligned["activity"].where(seen).assign_attrs(aligned["activity"].attrs))
    return aligned, tree["truth"].to_dataset()


def net_tensor(aligned: xr.Dataset) -> xr.DataArray:
    """Affinity of changes in one direction less that of changes in opposite ones, averaged and thinned."""
    described = dy.dynamics.affinity(aligned, signed=True)
    parts = []
    for k in range(aligned.sizes["animal"]):
        both = dy.dynamics.affinity_tensor(described.isel(animal=[k]))
        net = both.sel(sign="co", drop=True) - both.sel(sign="anti", drop=True)
        parts.append(averaged(net))
    return xr.concat(parts, dim="animal").transpose("time", "animal", "pair")


def averaged(x: xr.DataArray) -> xr.DataArray:
    step = float(np.median(np.diff(x["time"])))
    smooth = gaussian_filter1d(x.to_numpy(), WINDOW / step, axis=x.dims.index("time"), mode="nearest")
    return x.copy(data=smooth).isel(time=slice(2, None, round(WINDOW / 2 / step)))


def plain_tensor(aligned: xr.Dataset) -> xr.DataArray:
    """The usual affinity, averaged and thinned in the same way."""
    described = dy.dynamics.affinity(aligned)
    parts = [averaged(dy.dynamics.affinity_tensor(described.isel(animal=[k]))) for k in range(aligned.sizes["animal"])]
    return xr.concat(parts, dim="animal").transpose("time", "animal", "pair")


def strengths(pair_factor: Array, nodes: Array) -> Array:
    i, j = np.triu_indices(nodes.size, 1)
    out = np.zeros((nodes.size, pair_factor.shape[1]))
    np.add.at(out, i, pair_factor)
    np.add.at(out, j, pair_factor)
    return out


def by_strength(pair_factor: Array, nodes: Array) -> NDArray[np.int64]:
    """Motif in which a node is strongest, of those in which it takes part (upper Otsu class); -1 for none."""
    s = strengths(pair_factor, nodes)
    s /= np.maximum(s.max(0), 1e-300)
    part = np.stack([column > otsu_threshold(column) for column in s.T], axis=1)
    return np.where(part.any(1), np.where(part, s, -1).argmax(1), -1)


def by_modularity(pair_factor: Array, nodes: Array) -> NDArray[np.int64]:
    """The strongest Louvain community of each component claims its nodes."""
    s = strengths(pair_factor, nodes)
    i, j = np.triu_indices(nodes.size, 1)
    claim = np.full(s.shape, -1.0)
    for k in range(s.shape[1]):
        matrix = np.zeros((nodes.size, nodes.size))
        matrix[i, j] = matrix[j, i] = pair_factor[:, k]
        graph = xr.DataArray(matrix, dims=("source", "target"), coords={"source": nodes, "target": nodes})
        community = dy.connectome.find_communities(graph, random_state=0).to_numpy()
        top = np.argmax([s[community == c, k].mean() for c in range(community.max() + 1)])
        claim[community == top, k] = s[community == top, k] / max(s[:, k].max(), 1e-300)
    return np.where((claim >= 0).any(1), claim.argmax(1), -1)


def cp(tensor: xr.DataArray, rank: int, **options: object) -> list[Array]:
    model = dy.dynamics.NonnegativeCP(rank, n_restarts=RESTARTS, tol=1e-6, random_state=0, **options)
    found = model.fit(tensor).results_
    return [found[f"{d}_factor"].to_numpy() for d in ("time", "animal", "pair")]


def dynome_net(aligned: xr.Dataset, rank: int) -> Found:
    tensor = net_tensor(aligned)
    f = cp(tensor, rank, negative="fit", sparsity={"pair": 2.0})
    return Found(tensor["time"].to_numpy(), f, by_strength(f[2], aligned["node"].to_numpy()))


def dynome_atlas(aligned: xr.Dataset, rank: int) -> Found:
    model = dy.dynamics.DynamicConnectome(rank=rank, n_null=0, n_restarts=RESTARTS, min_animals=1, random_state=0)
    found = model.fit(aligned).results_
    f = [found[f"{d}_factor"].to_numpy() for d in ("time", "animal", "pair")]
    order = found["node"].to_numpy().tolist()
    place = [order.index(n) for n in aligned["node"].to_numpy()]
    s = found["node_strength"].transpose("node", "component").to_numpy()[place]
    part = found["community"].transpose("node", "component").to_numpy()[place] >= 0
    s = s / np.maximum(s.max(0), 1e-300)
    return Found(found["time"].to_numpy(), f, np.where(part.any(1), np.where(part, s, -1).argmax(1), -1))


def tensorly_hals(aligned: xr.Dataset, rank: int) -> Found:
    from tensorly.decomposition import non_negative_parafac_hals

    tensor = plain_tensor(aligned)
    fits = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(3):
            fits.append(
                non_negative_parafac_hals(
                    tensor.to_numpy(), rank, n_iter_max=100, init="random", tol=1e-6, random_state=k, return_errors=True
                )
            )
    (_, f), _ = min(fits, key=lambda fit: float(fit[1][-1]))
    f = [np.asarray(x) for x in f]
    return Found(tensor["time"].to_numpy(), f, by_modularity(f[2], aligned["node"].to_numpy()))


def tensortools_hals(aligned: xr.Dataset, rank: int) -> Found:
    import tensortools

    tensor = plain_tensor(aligned)
    fits = [
        tensortools.ncp_hals(tensor.to_numpy(), rank, random_state=k, max_iter=100, tol=1e-6, verbose=False)
        for k in range(3)
    ]
    f = [np.asarray(x) for x in min(fits, key=lambda fit: fit.obj).factors.factors]
    return Found(tensor["time"].to_numpy(), f, by_modularity(f[2], aligned["node"].to_numpy()))


def sliding_windows(aligned: xr.Dataset, rank: int) -> Found:
    """Correlations in windows of 30 s, k-means into one state a motif and one more, modularity of each state."""
    x = aligned["activity"].transpose("animal", "time", "node").to_numpy()
    width, step = 60, 8
    starts = np.arange(0, x.shape[1] - width + 1, step)
    i, j = np.triu_indices(x.shape[2], 1)
    r = np.stack([[np.nan_to_num(np.corrcoef(one[s : s + width].T)[i, j]) for one in x] for s in starts])
    states = KMeans(rank + 1, n_init=5, random_state=0).fit(r.reshape(-1, i.size))
    label = states.labels_.reshape(r.shape[:2])
    rest = np.argmin(np.linalg.norm(states.cluster_centers_, axis=1))
    kept = [k for k in range(rank + 1) if k != rest]
    hit = np.stack([label == k for k in kept], axis=2).astype(float)
    pattern = np.maximum(states.cluster_centers_[kept] - states.cluster_centers_[rest], 0).T
    clock = aligned["time"].to_numpy()[starts + width // 2]
    return Found(clock, [hit.mean(1), hit.mean(0), pattern], by_modularity(pattern, aligned["node"].to_numpy()))


def raw_traces(aligned: xr.Dataset, rank: int) -> Found:
    """k-means of nodes by their standardised traces of all animals, one cluster a motif and one for the rest."""
    x = aligned["activity"].transpose("node", "animal", "time").to_numpy()
    x = np.nan_to_num((x - x.mean(2, keepdims=True)) / x.std(2, keepdims=True)).reshape(x.shape[0], -1)
    return Found(np.empty(0), None, KMeans(rank + 1, n_init=10, random_state=0).fit(x).labels_)


def scores(found: Found, truth: xr.Dataset) -> dict[str, float]:
    planted = truth["community"].to_numpy()
    out = {"AMI": float(adjusted_mutual_info_score(planted, found.label))}
    if found.factors is None:
        return out
    membership = truth["membership"].transpose("node", "component").to_numpy()
    i, j = np.triu_indices(membership.shape[0], 1)
    planted_courses = truth["time_course"].transpose("component", "time").to_numpy()
    course = np.stack([np.interp(found.clock, truth["time"], c) for c in planted_courses], axis=1)
    loading = truth["loading"].transpose("animal", "component").to_numpy()
    right = [course, loading, np.sqrt(membership[i] * membership[j])]
    order = dy.align.match(dy.align.cp_similarity(right, found.factors)).order
    for name, a, b in zip(("time", "animal", "pair"), right, found.factors, strict=True):
        out[name] = float(np.mean([dy.align.cosine(a, b)[k, o] for k, o in enumerate(order) if o >= 0]))
    f1 = []
    for k, o in enumerate(order):
        up, seen = course[:, k] > 0.5, found.factors[0][:, o] > otsu_threshold(found.factors[0][:, o])
        f1.append(2 * (up & seen).sum() / max(up.sum() + seen.sum(), 1))
    return {**out, "F1": float(np.mean(f1))}


METHODS: dict[str, Callable[[xr.Dataset, int], Found]] = {
    "dynome, net affinity, sparse pairs": dynome_net,
    "dynome, DynamicConnectome as it comes": dynome_atlas,
    "tensorly HALS + modularity": tensorly_hals,
    "tensorly HALS, one component more": lambda a, r: tensorly_hals(a, r + 1),
    "tensortools HALS + modularity": tensortools_hals,
    "windowed correlation + modularity": sliding_windows,
    "k-means of traces": raw_traces,
}
OURS = list(METHODS)[:2]


def row(name: str, methods: Iterable[str], seeds: Iterable[int], **setting: float) -> None:
    for method in methods:
        results, seconds = [], []
        for seed in seeds:
            aligned, truth = study(seed=seed, **setting)
            began = time.process_time()
            found = METHODS[method](aligned, truth.sizes["component"])
            seconds.append(time.process_time() - began)
            results.append(scores(found, truth))
        mean = {k: np.mean([r[k] for r in results]) for k in results[0]}
        cells = [f"{mean[k]:.2f}" if k in mean else "–" for k in ("time", "animal", "pair", "F1", "AMI")]
        print(f"| {name} | {method} | {' | '.join(cells)} | {np.median(seconds):.1f} |", flush=True)


def main(parts: list[str]) -> None:
    print("| setting | method | time | animal | pair | F1 | AMI | CPU s |\n|---|---|---|---|---|---|---|---|")
    if "methods" in parts:
        row("noise 1, 20 animals", METHODS, range(2))
    if "noise" in parts:
        for noise in (0.5, 1.5, 2.0):
            row(f"noise {noise:g}, 20 animals", OURS, SWEEP, noise=noise)
    if "animals" in parts:
        for n in (4, 8, 12):
            row(f"noise 1, {n} animals", OURS, SWEEP, n_animals=n)
    if "missing" in parts:
        for share in (0.2, 0.4):
            row(f"noise 1, 20 animals, {100 * share:.0f} % of nodes missing", OURS, SWEEP, missing=share)


if __name__ == "__main__":
    main(sys.argv[1:] or ["methods", "noise", "animals", "missing"])
