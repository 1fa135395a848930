"""Held-out scores of a bi-clustering, its special cases and simpler models, on the simulation and on mouse cortex.

    OMP_NUM_THREADS=1 python benchmarks/biclustering_comparison.py [simulation] [mouse] [--sweeps 600] [--models ...]

*simulation*: `make_biclusters` at its defaults (3 clusters of 10 neurons, 2 states, 500 bins of negative binomial
counts). The row `truth` is the log probability under the true means and dispersions: nobody can do better on average.
*mouse*: one session of visual cortex (Steinmetz et al. 2019), the most active neurons in bins of 40 ms, trials as
sequences; needs DYNOME_DATA_DIR.

A tenth of the counts is hidden, once speckled over bins and neurons, once in stretches of ten bins of all neurons. What
is printed is a table in Markdown.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import nbinom

import dynome as dy

N_BINS = 39  # of a trial, 10 ms each
SIMPLE = ["poisson", "negative_binomial", "spectral_coclustering", "factor_analysis", "gpfa"]
SAMPLED = ["one_state", "one_cluster", "slds", "biclustering"]


def simulation(seed: int) -> xr.Dataset:
    return dy.datasets.make_biclusters(random_state=seed)


def mouse(width: int, most: int, trials: int | None) -> xr.Dataset:
    """The most active neurons of the first session, `width` bins of a trial together, the rest of a trial left out."""
    recording = next(iter(dy.study.sessions(dy.datasets.fetch_mouse_visual_cortex()).values()))
    rank = np.argsort(-recording.spike_count.mean("time").to_numpy(), kind="stable")
    recording = recording.isel(node=np.sort(rank[:most]))
    bins = np.arange(recording.sizes["time"]).reshape(-1, N_BINS)[:trials, : N_BINS // width * width]
    groups = bins.reshape(-1, width)
    found = recording.isel(time=groups[:, 0])[["spike_count"]]
    return found.assign(spike_count=found.spike_count.copy(data=recording.spike_count.to_numpy()[groups].sum(axis=1)))


def true_score(data: xr.Dataset, hidden: xr.DataArray) -> float:
    """Mean log probability of what was hidden under the truth, in nats."""
    mean = data.true_mean.to_numpy()
    score = data.true_mean.copy(data=nbinom(10.0, 10.0 / (10.0 + mean)).logpmf(data.spike_count.to_numpy()))
    return float(score.where(hidden).mean())


def printed(table: xr.Dataset, title: str, truth: float | None) -> None:
    print(f"\n### {title}\n")
    print(f"{table.attrs['n_held_out']:,} hidden counts, {table.attrs['n_held_out_spikes']:,.0f} spikes\n")
    print(
        "| model | log score (nat) | bits over Poisson | to the bi-clustering (nat) | CPU seconds |\n"
        "|---|---|---|---|---|"
    )
    if truth is not None:
        print(f"| truth | {truth:.4f} | | | |")
    for name in table.model.to_numpy():
        row = table.sel(model=name)
        gap = "" if name == "biclustering" else f"{float(row.difference):+.4f} ± {float(row.difference_error):.4f}"
        score, bits = float(row.log_score.mean()), float(row.bits_over_poisson)
        print(f"| {name} | {score:.4f} | {bits:+.3f} | {gap} | {float(row.seconds.sum()):.0f} |", flush=True)


def model_of(sweeps: int, chains: int) -> Any:
    return dy.inference.Biclustering(
        n_factors=2, n_states=8, n_tune=sweeps // 3, n_draws=sweeps - sweeps // 3, n_chains=chains, latent_every=2
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="*", default=["simulation", "mouse"])
    parser.add_argument("--sweeps", type=int, default=600)
    parser.add_argument("--chains", type=int, default=2)
    parser.add_argument("--held-out", nargs="+", default=["speckled", "stretches"])
    parser.add_argument("--trials", type=int, default=None)
    parser.add_argument("--models", nargs="+", default=SIMPLE + SAMPLED)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--neurons", type=int, default=60)
    options = parser.parse_args()
    warnings.simplefilter("default")
    given = model_of(options.sweeps, options.chains) if set(options.models) & set(SAMPLED) else None
    for name in options.data:
        data = simulation(options.seed) if name == "simulation" else mouse(4, options.neurons, options.trials)
        for held_out in options.held_out:
            table = dy.inference.compare_biclustering(
                data, given, models=options.models, held_out=held_out, random_state=options.seed
            )
            truth = true_score(data, table.hidden) if "true_mean" in data else None
            printed(table, f"{name}, {held_out}", truth)


if __name__ == "__main__":
    main()
