"""Recovery of simulated clusters and states by `Biclustering`, from starts that the data suggest and from the truth.

The simulation: three clusters of ten neurons, two states, 500 bins. Processor time is that of all chains together. Run
``python benchmarks/biclustering_recovery.py --seeds 10 > benchmarks/results/biclustering_recovery.md``.
"""

# ruff: noqa: E402 -- the number of threads is read when the libraries are imported

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import platform
import resource
import time
import warnings

import numpy as np
from sklearn.metrics import adjusted_rand_score

import dynome as dy
from dynome.inference.biclustering.diagnostics import agreements


def accuracy(state: np.ndarray, true: np.ndarray) -> float:
    """Share of bins whose state is that of most bins of its true state, states matched one to one."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((state.max() + 1, true.max() + 1))
    np.add.at(table, (state, true), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / true.size)


def seconds() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--draws", type=int, default=250)
    parser.add_argument("--tune", type=int, default=150)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--scheduler", default="processes")
    options = parser.parse_args()
    print("# Recovery of clusters and states\n")
    print(f"{platform.machine()}, Python {platform.python_version()}, dynome {dy.__version__}.")
    print(f"{options.chains} chains, {options.tune} + {options.draws} sweeps.\n")
    print(
        "| seed | ARI neurons | accuracy states | ARI states | chains: neurons | chains: states "
        "| between (neurons, states) | CPU s | wall s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    warnings.simplefilter("ignore")
    for seed in range(options.first, options.first + options.seeds):
        data = dy.datasets.make_biclusters(random_state=seed)
        cluster, state = data.true_cluster.to_numpy(), data.true_state.to_numpy()
        begun, clock = seconds(), time.perf_counter()
        model = dy.inference.Biclustering(
            n_draws=options.draws,
            n_tune=options.tune,
            n_chains=options.chains,
            scheduler=options.scheduler,
            random_state=seed,
        ).fit(data.spike_count)
        cost, wall = seconds() - begun, time.perf_counter() - clock
        found = model.results_["clustering"].to_dataset()
        draws = model.results_["posterior"].to_dataset()
        each = [dy.inference.point_partition(draws.cluster.isel(chain=k), over="node") for k in range(options.chains)]
        bins = [dy.inference.point_partition(draws.state.isel(chain=k), over="time") for k in range(options.chains)]
        between = agreements(model.results_)
        print(
            f"| {seed} | {adjusted_rand_score(cluster, found.cluster_maxpear):.2f} | "
            f"{accuracy(found.state_maxpear.to_numpy(), state):.3f} | "
            f"{adjusted_rand_score(state, found.state_maxpear):.2f} | "
            f"{' '.join(f'{adjusted_rand_score(cluster, p):.2f}' for p in each)} | "
            f"{' '.join(f'{accuracy(p.to_numpy(), state):.2f}' for p in bins)} | "
            f"{between['cluster_agreement_between_chains']:.2f}, {between['state_agreement_between_chains']:.2f} | "
            f"{cost:.0f} | {wall:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
