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
import xarray as xr
from sklearn.metrics import adjusted_rand_score

import dynome as dy
from dynome.inference.biclustering.diagnostics import agreements
from dynome.inference.biclustering.dynamics import draw_dynamics
from dynome.inference.biclustering.laplace import evidence
from dynome.inference.biclustering.model import Concentrations, Data, Hyper, State
from dynome.inference.biclustering.sweeps import sweep


def accuracy(state: np.ndarray, true: np.ndarray) -> float:
    """Share of bins whose state is that of most bins of its true state, states matched one to one."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((state.max() + 1, true.max() + 1))
    np.add.at(table, (state, true), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / true.size)


def seconds() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def from_the_truth(seed: int, n_sweeps: int) -> None:
    """Sweeps from true clusters, states and latents."""
    data = dy.datasets.make_biclusters(random_state=seed)
    y = np.ascontiguousarray(data.spike_count.to_numpy().T.astype(float))
    given, hyper = Data(y, np.array([0, y.shape[1]]), "negative_binomial"), Hyper(coupled=False)
    cluster, state = (data[n].to_numpy().astype(np.int64) for n in ("true_cluster", "true_state"))
    for learnt in (False, True):
        hyper = hyper._replace(resample_concentrations=learnt)
        rng = np.random.default_rng(seed)
        latent = np.ascontiguousarray(data.true_latent.to_numpy())
        r = np.full(cluster.size, 10.0)
        fit = evidence(given, latent, r, hyper)
        flat = np.full(hyper.n_states, 1 / hyper.n_states)
        point = State(
            cluster=cluster,
            coefficient=fit.mean[np.arange(cluster.size), cluster],
            latent=latent,
            dispersion=r,
            state=state,
            dynamics=draw_dynamics(latent, state, given.starts, hyper, rng, hyper.n_states),
            weight=flat,
            transition=np.tile(flat, (hyper.n_states, 1)),
            concentrations=Concentrations(),
            active=np.ones((latent.shape[1], latent.shape[2] - 1), bool),
        )
        nodes, bins, sweeps = [], [], []
        begun = time.process_time()
        for _ in range(n_sweeps):
            point, _ = sweep(point, given, hyper, rng)
            nodes.append(adjusted_rand_score(cluster, point.cluster))
            bins.append(adjusted_rand_score(state, point.state))
            sweeps.append(point.state)
        spent = (time.process_time() - begun) / n_sweeps
        kept = xr.DataArray(np.array(sweeps[n_sweeps // 5 :]), dims=("draw", "time"))
        partition = dy.inference.point_partition(kept, over="draw").label
        scores = f"{np.mean(nodes):.3f} | {np.mean(bins):.3f} | {np.mean(bins[-100:]):.3f}"
        found = f"{adjusted_rand_score(state, partition):.2f} | {accuracy(np.asarray(partition), state):.3f}"
        kind = "learnt" if learnt else "fixed"
        print(f"| {seed} | {kind} | {scores} | {found} | {1e3 * spent:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--draws", type=int, default=250)
    parser.add_argument("--tune", type=int, default=150)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--scheduler", default="processes")
    parser.add_argument("--truth", type=int, default=0, help="sweeps from the truth, instead of fits")
    options = parser.parse_args()
    if options.truth:
        print(
            "| seed | concentrations | ARI neurons | ARI states | last 100 | of the partition | accuracy | ms a sweep |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
        for seed in range(options.first, options.first + options.seeds):
            from_the_truth(seed, options.truth)
        return
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
        each = [
            dy.inference.point_partition(draws.cluster.isel(chain=k), over="draw").label for k in range(options.chains)
        ]
        bins = [
            dy.inference.point_partition(draws.state.isel(chain=k), over="draw").label for k in range(options.chains)
        ]
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
