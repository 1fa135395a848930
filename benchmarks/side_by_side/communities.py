"""Communities of weighted LFR graphs: dynome beside modularity, its own parts beside each other.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side/communities.py           # nine settings, ten graphs each
    OMP_NUM_THREADS=1 python benchmarks/side_by_side/communities.py 3 2       # three graphs each, two processes

No method is told the truth, a number of communities or a level (but for spectral clustering, which cannot do without
and gets the true number). Ten restarts each; five of the parts and two of the weighted SBM (each takes long). Scores
are chance-adjusted mutual information (AMI), adjusted Rand index (ARI) and normalised mutual information (NMI) with
the planted communities. Seconds are CPU time of one fit, compiled beforehand.
"""

from __future__ import annotations

import datetime
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata

import numpy as np
import sklearn.metrics as scores
import xarray as xr
from sklearn.cluster import SpectralClustering

from dynome.connectome import find_communities, to_dense
from dynome.connectome.communities.assortative.fitting import Explained, fits_of, scales_of
from dynome.connectome.communities.partitions import Search
from dynome.connectome.weight_matrix import weight_matrix_of
from dynome.datasets import make_weighted_lfr

SETTINGS = {
    "0: beta .5": {"beta": 0.5},
    "1: beta 1": {"beta": 1.0},
    "2: beta 2": {"beta": 2.0},
    "3: mut .25": {"mixing_topology": 0.25},
    "4: mut .5, other seeds": {"mixing_topology": 0.5},
    "5: mut .75": {"mixing_topology": 0.75},
    "6: k 10": {"mean_degree": 10.0},
    "7: muw .25": {"mixing_weight": 0.25},
    "8: muw .75": {"mixing_weight": 0.75},
}
SEEDS = {name: 23 if name.startswith("4") else 13 for name in SETTINGS}
MEASURES = {
    "AMI": scores.adjusted_mutual_info_score,
    "ARI": scores.adjusted_rand_score,
    "NMI": scores.normalized_mutual_info_score,
}


def named(method, n_restarts=10):
    return lambda graph: find_communities(graph, method=method, n_restarts=n_restarts, random_state=0).values


def bare(graph):
    return graph.assign(weight=xr.ones_like(graph.weight))


def spectral(graph):
    model = SpectralClustering(graph.attrs["n_communities"], affinity="precomputed", random_state=0)
    return model.fit_predict(to_dense(graph).values)


def part(explained):
    def fit(graph):
        fits = fits_of(scales_of(weight_matrix_of(graph).weight), explained, Search(1.0, 5, 0))
        return min(fits, key=lambda f: f.length).community

    return fit


METHODS = {
    "Leiden modularity, wiring": lambda graph: named("leiden")(bare(graph)),
    "Leiden modularity, weights": named("leiden"),
    "Louvain modularity, weights (networkx)": named("louvain"),
    "spectral, weights, told K (scikit-learn)": spectral,
    "weighted SBM": named("sbm", 2),
    "assortative, wiring only": part(Explained(True, False)),
    "assortative, weights only": part(Explained(False, True)),
    "assortative": named("assortative"),
    "auto": named("auto"),
}


def scored(graph):
    """Of every method: the three scores and CPU seconds."""
    truth = graph.community.values
    rows = []
    for fit in METHODS.values():
        start = time.process_time()
        community = fit(graph)
        seconds = time.process_time() - start
        rows.append([*(score(truth, community) for score in MEASURES.values()), seconds])
    print(".", end="", file=sys.stderr, flush=True)
    return rows


def warmed():
    graph = make_weighted_lfr(mean_degree=10.0, random_state=0)
    for fit in METHODS.values():
        fit(graph)


def main(n_graphs, n_processes):
    graphs = {
        name: [make_weighted_lfr(**options, random_state=SEEDS[name] + k) for k in range(n_graphs)]
        for name, options in SETTINGS.items()
    }
    with ProcessPoolExecutor(n_processes, initializer=warmed) as pool:
        rows = list(pool.map(scored, [graph for row in graphs.values() for graph in row]))
    table = np.array(rows).reshape(len(SETTINGS), n_graphs, len(METHODS), -1).transpose(3, 2, 0, 1)
    tell(graphs, dict(zip(MEASURES, table, strict=False)), table[-1])


def tell(graphs, found, seconds):
    names = ("dynome", "numpy", "numba", "networkx", "igraph", "leidenalg", "scikit-learn")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    print(f"{datetime.date.today()}, python {platform.python_version()}, {versions}\n")
    counts = [[graph.attrs["n_communities"] for graph in rows] for rows in graphs.values()]
    print("settings: " + "; ".join(SETTINGS))
    print("communities planted, by setting: " + "; ".join(" ".join(map(str, row)) for row in counts))
    two = np.array(counts) == 2
    print(f"graphs with two communities: {two.sum()} of {two.size}\n")
    for measure, values in found.items():
        print(
            f"{measure}, mean over graphs" + " " * 24 + "".join(f"{k:>6d}" for k in range(len(SETTINGS))) + "    mean"
        )
        for m, name in enumerate(METHODS):
            row = "".join(f"{v:6.2f}" for v in values[m].mean(axis=1))
            print(f"  {name:<42s}{row}   {values[m].mean():5.3f}")
        print()
    print("AMI, standard deviation over graphs")
    for m, name in enumerate(METHODS):
        print(f"  {name:<42s}" + "".join(f"{v:6.2f}" for v in found["AMI"][m].std(axis=1, ddof=1)))
    print("\nAMI, mean over graphs of two communities and of more")
    for m, name in enumerate(METHODS):
        print(f"  {name:<42s}{found['AMI'][m][two].mean():6.2f}{found['AMI'][m][~two].mean():6.2f}")
    print("\nCPU seconds a fit, median and maximum")
    for m, name in enumerate(METHODS):
        print(f"  {name:<42s}{np.median(seconds[m]):6.2f}{seconds[m].max():6.2f}")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [10, 1][len(given) :]))
