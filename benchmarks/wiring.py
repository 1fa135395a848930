"""How well is a known wiring found again, on simulated BOLD and on simulated spikes?

    DYNOME_DATA_DIR=... OMP_NUM_THREADS=1 python benchmarks/wiring.py [netsim|spikes|hard|speed ...]

NetSim: 30 subjects of simulation 3 (15 nodes, 200 volumes, one graph), scored subject by subject; intervals by
bootstrap over subjects. Spikes: `make_spikes` with 50 neurons and 60 s, three networks for each setting, all neurons
recorded or 30 % of them hidden; the scores are means over the networks. Seconds are processor time of one thread.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import xarray as xr

import dynome as dy

NETSIM = {
    "correlation": {},
    "partial_correlation": {},
    "lagged_correlation": {"n_lags": 1},
    "granger": {"n_lags": 1},
    "granger, pairwise": {"method": "granger", "n_lags": 1, "conditional": False},
    "var": {"n_lags": 1},
    "transfer_entropy": {"n_lags": 1},
    "glm": {"n_lags": 1},
    "learnt_graph": {"n_lags": 1, "n_steps": 100},
    "attention": {"n_lags": 1, "n_steps": 100},
    "patel": {},
    "patel, threshold .75": {"method": "patel", "threshold": 0.75},
    "likelihood_ratio, tanh": {"method": "likelihood_ratio", "nonlinearity": "tanh"},
    "likelihood_ratio, skew": {"method": "likelihood_ratio", "nonlinearity": "skew"},
}
SPIKES = {
    "correlation": {},
    "partial_correlation": {},
    "lagged_correlation": {},
    "granger": {},
    "var": {},
    "transfer_entropy": {},
    "transfer_entropy, gaussian": {"method": "transfer_entropy", "law": "gaussian"},
    "glm": {"max_iter": 15},
    "learnt_graph": {},
    "attention": {},
}
SETTINGS = [(model, hidden) for model in ("lif", "poisson", "logistic") for hidden in (0.0, 0.3)]
N_NETWORKS = 3


def shown(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}".replace("0.", ".", 1)


def with_interval(row: xr.Dataset, name: str) -> str:
    low, high = (shown(float(row[f"{name}_{end}"])) for end in ("low", "high"))
    return f"{shown(float(row[f'{name}_mean']))} ({low} to {high})" if low else "tells none"


def netsim() -> None:
    table = dy.inference.compare_connectivity(dy.datasets.fetch_netsim(), methods=NETSIM)
    print("\n| method | AUROC, undirected | AUPRC, undirected | AUROC, directed | direction accuracy | s |")
    print("|---|---|---|---|---|---|")
    for name in table.estimator.to_numpy():
        row = table.sel(estimator=name)
        cells = [with_interval(row.sel(edges="undirected"), k) for k in ("auroc", "auprc")]
        cells += [with_interval(row.sel(edges="directed"), "auroc"), with_interval(row, "direction_accuracy")]
        print("|", " | ".join([name, *cells, f"{float(row.seconds):.2f}"]), "|", flush=True)


def spikes() -> None:
    for model, hidden in SETTINGS:
        tables = []
        for seed in range(N_NETWORKS):
            data = dy.datasets.make_spikes(model=model, hidden=hidden, random_state=seed)
            tables.append(dy.inference.compare_connectivity(data, methods=SPIKES, n_bootstrap=1).isel(animal=0))
        mean = sum(tables[1:], tables[0]) / len(tables)
        directed = mean.sel(edges="directed")
        print(f"\n{model}, hidden {hidden:g}, AUPRC by chance {shown(float(directed.auprc_chance[0]))}\n")
        print("| method | AUROC | AUPRC | direction | sign | s |\n|---|---|---|---|---|---|")
        for name in mean.estimator.to_numpy():
            row = directed.sel(estimator=name)
            names = ("auroc", "auprc", "direction_accuracy", "sign_accuracy")
            print(
                "|",
                " | ".join([name, *(shown(float(row[k])) for k in names), f"{float(row.seconds):.1f}"]),
                "|",
                flush=True,
            )


def hard() -> None:
    """Ten seconds instead of sixty; and four hidden hubs, each of which drives half of the 46 recorded neurons."""
    fewer = {name: options for name, options in SPIKES.items() if name not in ("learnt_graph", "attention")}
    for what in ("ten seconds", "hidden hubs", "the same hubs, recorded"):
        tables = []
        for seed in range(N_NETWORKS):
            if what == "ten seconds":
                data = dy.datasets.make_spikes(n_time=2000, random_state=seed)
            else:
                data = dy.datasets.make_spikes(wiring=with_hubs(seed), random_state=seed)
                if what == "hidden hubs":
                    seen = data["animal_1"].to_dataset().isel(node=slice(4, None))
                    data = dy.study.build({"animal_1": seen}, dy.study.connectome(data))
            tables.append(dy.inference.compare_connectivity(data, methods=fewer, n_bootstrap=1).isel(animal=0))
        mean = (sum(tables[1:], tables[0]) / len(tables)).sel(edges="directed")
        print(f"\n{what}, AUPRC by chance {shown(float(mean.auprc_chance[0]))}\n")
        print("| method | AUROC | AUPRC | direction | sign |\n|---|---|---|---|---|")
        for name in mean.estimator.to_numpy():
            row = mean.sel(estimator=name)
            cells = [shown(float(row[k])) for k in ("auroc", "auprc", "direction_accuracy", "sign_accuracy")]
            print("|", " | ".join([name, *cells]), "|", flush=True)


def with_hubs(seed: int) -> xr.Dataset:
    """50 neurons with a tenth of all pairs connected, of which the first four excite half of the others."""
    rng = np.random.default_rng(seed)
    weight = (rng.random((50, 50)) < 0.1) * rng.uniform(0.5, 1.5, (50, 50))
    weight[:4] = 0.0
    weight[:4, 4:] = (rng.random((4, 46)) < 0.5) * 1.5
    np.fill_diagonal(weight, 0.0)
    source, target = np.nonzero(weight)
    sign = np.where(np.arange(50) < 40, 1, -1)[source]
    names = np.array([f"n{k:02d}" for k in range(50)])
    edges = {"source": names[source], "target": names[target], "weight": weight[source, target], "sign": sign}
    return dy.connectome.from_edges(edges, node=names, units="1")


def speed() -> None:
    """All pairs of 100 nodes over 2,000 bins, 3 lags: the least of 3 rounds."""
    rng = np.random.default_rng(0)
    x = xr.DataArray(rng.standard_normal((2000, 100)), dims=("time", "node"), coords={"node": np.arange(100)})
    print()
    for name, options in {
        "granger, conditional": {"method": "granger"},
        "granger, pairwise": {"method": "granger", "conditional": False},
        "transfer_entropy, gaussian": {"method": "transfer_entropy"},
        "transfer_entropy, discrete": {"method": "transfer_entropy", "law": "discrete"},
    }.items():
        took = []
        for _ in range(3):
            began = time.process_time()
            dy.inference.infer_connectivity(x, **options)
            took.append(time.process_time() - began)
        print(f"{name}: {min(took):.2f} s")
    began = time.process_time()
    y = x.to_numpy()
    past = np.column_stack([y[3 - lag : -lag] for lag in (1, 2, 3)] + [np.ones(1997)])
    for source in range(2):
        kept = np.ones(past.shape[1], dtype=bool)
        kept[[source, source + 100, source + 200]] = False
        np.linalg.lstsq(past[:, kept], y[3:], rcond=None)
    took_two = time.process_time() - began
    print(f"one regression for each left-out source (estimated from 2 of 100): {50 * took_two:.0f} s")


if __name__ == "__main__":
    for part in sys.argv[1:] or ("netsim", "spikes", "hard", "speed"):
        {"netsim": netsim, "spikes": spikes, "hard": hard, "speed": speed}[part]()
