"""Bi-clusterings of real recordings: clusters against what neurons are, states against behaviour.

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 DYNOME_DATA_DIR=... python benchmarks/biclustering_real.py mouse|worm
        [--recording 0] [--neurons 40] [--trials 30] [--tune 60] [--draws 90] [--chains 2] [--figure FILE]

**mouse**: the most active neurons of a session, 20 ms bins, negative binomial, each trial a sequence. The data carry no
brain area (all is visual cortex), so that clusters are compared with what the *other* trials say of the same neurons:
rate, lean towards right or left contrast, time course, and whether neurons of one cluster covary from trial to trial
once the mean of their stimulus is taken off. States against time in trial (null: states of each trial turned in a
circle), contrast and feedback (`state_covariates`, whole trials).

**worm**: left and right homologues that both have a name, the surest ones, standardized traces, Gaussian. Clusters
against cell type; whether homologues share a cluster more than chance. States against velocity and reversals
(`state_covariates`).

p-values of clusters permute neurons; those of cell types, pairs of homologues, which have one type.
"""

from __future__ import annotations

import argparse
import re
import resource
import time
import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

import dynome as dy

N_NULL = 2000
STATES_SHOWN = 4
Floats = NDArray[np.float64]
Order = NDArray[np.intp]


def cpu() -> float:
    """Seconds of this process and of the chains that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def fitted(
    y: xr.DataArray, law: Literal["negative_binomial", "gaussian"], options: argparse.Namespace
) -> dy.inference.Biclustering:
    """Fit, and tell what was found and whether chains agree."""
    began = cpu()
    model = dy.inference.Biclustering(
        n_factors=options.factors, observation=law, n_states=options.states, n_tune=options.tune,
        n_draws=options.draws, n_chains=options.chains, scheduler="processes", random_state=options.seed,
    ).fit(y)  # fmt: skip
    print(f"{dict(y.sizes)}, CPU s {cpu() - began:.0f}")
    print(model.summary()[["mean", "q05", "q95", "r_hat", "ess_bulk"]].round(2).to_string())
    results = model.results_
    for chain in results["posterior"].chain.to_numpy():
        post = results["posterior"].to_dataset().sel(chain=chain)
        share = np.sort([float((post.state == s).mean()) for s in np.unique(post.state)])[::-1].round(2)
        share = share[share >= 0.01]
        value = float(results["sample_stats"].to_dataset().sel(chain=chain)["log_likelihood"].mean())
        sizes = np.bincount(post.cluster.isel(draw=-1))
        print(
            f"chain {chain}: log likelihood {value:.0f}, sizes of clusters {np.sort(sizes[sizes > 0])[::-1]}, "
            f"occupancy of states {share}"
        )
    return model


def similarities(results: xr.DataTree) -> list[tuple[str, Floats]]:
    """Share of draws that join two nodes: all chains, and each alone."""
    cluster = results["posterior"]["cluster"].transpose("chain", "draw", "node").to_numpy()
    alone = [(c[:, :, None] == c[:, None, :]).mean(axis=0) for c in cluster]
    return [("all", np.mean(alone, axis=0)), *((f"chain {k}", m) for k, m in enumerate(alone))]


def told(seen: float, null: Floats) -> str:
    """A statistic, its mean by chance, and how often chance reaches it."""
    return f"{seen:.3f} (chance {null.mean():.3f}, p {(1 + (null >= seen).sum()) / (1 + null.size):.4f})"


def permuted(statistic: Callable[[Order], float], n: int, pairs: Order | None = None) -> str:
    """A statistic of an order of the nodes, against random orders; with pairs, of pairs that stay together."""
    rng = np.random.default_rng(0)
    null = np.empty(N_NULL)
    for k in range(N_NULL):
        order = rng.permutation(n)
        if pairs is not None:
            order[pairs] = pairs[rng.permutation(len(pairs))]
        null[k] = statistic(order)
    return told(statistic(np.arange(n)), null)


def against_classes(results: xr.DataTree, classes: NDArray[np.str_], pairs: Order) -> None:
    """Adjusted Rand index and contingency of the point partition and the classes."""
    label = results["clustering"]["cluster_maxpear"].to_numpy()
    print(pd.crosstab(pd.Series(classes, name="class"), pd.Series(label, name="cluster")).to_string())
    rand = permuted(lambda o: float(adjusted_rand_score(label[o], classes)), label.size, pairs)
    rows = (label == np.unique(label)[:, None]).astype(float)
    columns = (classes == np.unique(classes)[:, None]).astype(float)
    expected = rows.sum(1)[:, None] * columns.sum(1) / label.size
    square = permuted(lambda o: float(((rows[:, o] @ columns.T - expected) ** 2 / expected).sum()), label.size, pairs)
    print(f"  adjusted Rand index {rand}; chi-squared {square}")


def explained(label: NDArray[np.integer], values: Floats) -> float:
    """Share of the variance of values, all columns together, that is between clusters."""
    centred = (values - values.mean(0)) / values.std(0)
    within = sum(((centred[label == k] - centred[label == k].mean(0)) ** 2).sum() for k in np.unique(label))
    return float(1 - within / (centred**2).sum())


def pairs_test(what: str, results: xr.DataTree, pairs: Order, together: Order | None = None) -> None:
    """Probability of sharing a cluster in certain pairs, against other orders of the nodes."""
    first, second = pairs.T
    for name, matrix in similarities(results):
        found = permuted(lambda o, m=matrix: float(m[o[first], o[second]].mean()), len(matrix), together)
        print(f"  {what}, {name}: {found}")


def state_shares(results: xr.DataTree) -> list[tuple[str, xr.DataArray]]:
    """Probability of the states of each bin, most occupied first: all chains, and each alone."""
    state = results["posterior"]["state"]
    busiest = np.argsort(-np.bincount(state.to_numpy()[state.to_numpy() >= 0]))[:STATES_SHOWN]
    each = xr.concat([(state == k).mean("draw") for k in busiest], "state").assign_coords(state=busiest)
    rest = [d for d in each.dims if d not in ("chain", "state")]
    each = each.transpose("chain", *rest, "state")
    return [
        ("all", each.mean("chain")),
        *((f"chain {k}", each.isel(chain=k, drop=True)) for k in range(each.sizes["chain"])),
    ]


def against_covariate(results: xr.DataTree, covariate: xr.DataArray) -> None:
    for name, shares in state_shares(results):
        found = dy.inference.state_covariates(shares, covariate, random_state=0)
        occupancy = shares.mean([d for d in shares.dims if d != "state"])
        each = ", ".join(
            f"{float(m):+.3f} (occupancy {float(o):.2f}, q {float(q):.3f})"
            for m, q, o in zip(found["mean"], found.q_value, occupancy, strict=True) if float(o) > 0.02
        )  # fmt: skip
        print(f"  mean {covariate.name}, {name}: overall {found.attrs['overall_mean']:+.3f}; by state {each}")


def against_time_in_trial(results: xr.DataTree) -> None:
    """Share of the variance of states that their mean over trials makes, against trials each turned in a circle."""
    rng = np.random.default_rng(0)
    for name, shares in state_shares(results):
        # The state of a first bin has nothing to explain but the transition out of it: it is nearly uniform.
        p = shares.transpose("trial", "time", "state").to_numpy()[:, 1:]
        total = ((p - p.mean((0, 1))) ** 2).mean()
        bins, trials = np.arange(p.shape[1]), np.arange(p.shape[0])[:, None]

        def value(q: Floats, total: float = total) -> float:
            return float(((q.mean(0) - q.mean((0, 1))) ** 2).mean() / max(total, 1e-12))

        null = np.array(
            [value(p[trials, (bins + rng.integers(bins.size, size=trials.shape)) % bins.size]) for _ in range(N_NULL)]
        )
        seen = value(p)
        print(f"  time in trial, {name}: share of the variance of states {told(seen, null)}")


def mouse(options: argparse.Namespace) -> xr.DataTree:
    session = list(dy.study.sessions(dy.datasets.fetch_mouse_visual_cortex()).values())[options.recording]
    n_bins = int((session.trial == session.trial[0]).sum())
    counts = session.spike_count.to_numpy().reshape(-1, n_bins, session.sizes["node"])[:, : n_bins // 2 * 2]
    counts = counts.reshape(len(counts), n_bins // 2, 2, -1).sum(axis=2).astype(np.float64)
    used = np.linspace(0, len(counts) - 1, options.trials).round().astype(int)
    top = np.sort(np.argsort(-counts[used].mean((0, 1)), kind="stable")[: options.neurons])
    trial = {
        name: session[name].to_numpy()[::n_bins].astype(float)
        for name in ("contrast_left", "contrast_right", "feedback")
    }
    trial["contrast"] = np.maximum(trial["contrast_left"], trial["contrast_right"])
    trial["right_minus_left"] = trial["contrast_right"] - trial["contrast_left"]
    y = xr.DataArray(
        counts[used][:, :, top],
        dims=("trial", "time", "node"),
        coords={"trial": used, "time": np.arange(n_bins // 2) * 0.02, "node": session.node.to_numpy()[top]},
        attrs={"units": "1", "long_name": "spike count"},
    )
    print(f"## {session.attrs['animal']} {session.attrs['session']}")
    results = fitted(y, "negative_binomial", options).results_

    other = np.setdiff1d(np.arange(len(counts)), used)
    unseen, lean = counts[other][:, :, top], trial["right_minus_left"][other]
    label = results["clustering"]["cluster_maxpear"].to_numpy()
    total = unseen.sum(1)
    score = total - total.mean(0)
    course = unseen.mean(0).reshape(-1, len(top))[:18].reshape(6, 3, -1).mean(1)
    if np.unique(label).size == 1:
        print("One cluster: nothing to compare")
    tuning = {
        "log rate": np.log(total.mean(0) + 0.01)[:, None],
        "lean to right or left": np.array([np.corrcoef(t, lean)[0, 1] for t in score.T])[:, None],
        "effect of contrast": np.array([np.corrcoef(t, trial["contrast"][other])[0, 1] for t in score.T])[:, None],
        "time course": (course / course.mean(0)).T,
    }
    print("Share of variance between clusters of the point partition, in trials that were not fitted:")
    for name, values in tuning.items():
        print(f"  {name}: {permuted(lambda o, v=values: explained(label[o], v), label.size)}")
    stimulus = np.unique(np.c_[trial["contrast_left"], trial["contrast_right"]][other], axis=0, return_inverse=True)[
        1
    ].ravel()
    noise = total - np.stack([total[stimulus == s].mean(0) for s in stimulus])
    covary = np.corrcoef(noise.T)
    i, j = np.triu_indices(len(top), 1)
    usable = np.isfinite(covary[i, j])
    pairs = np.c_[i, j][usable]
    same = label[pairs[:, 0]] == label[pairs[:, 1]]
    values = covary[pairs[:, 0], pairs[:, 1]]
    if same.all():
        print(f"Noise correlation in trials that were not fitted: {values.mean():.3f}")
    else:
        within, between = values[same].mean(), values[~same].mean()
        print(f"Noise correlation in trials that were not fitted: {within:.3f} within clusters, {between:.3f} between")
    print(
        "  mean within",
        permuted(lambda o: float(values[label[o][pairs[:, 0]] == label[o][pairs[:, 1]]].mean()), label.size),
    )
    print("States:")
    against_time_in_trial(results)
    for name in ("contrast", "right_minus_left", "feedback"):
        against_covariate(results, xr.DataArray(trial[name][used], dims="trial", coords={"trial": used}, name=name))
    return results


def homologues(names: NDArray[np.str_]) -> Order:
    """Pairs of names that differ in a last L or R only."""
    position = {str(n): k for k, n in enumerate(names)}
    both = [(k, position.get(re.sub("L$", "R", n))) for n, k in position.items() if n.endswith("L")]
    return np.array([(k, other) for k, other in both if other is not None])


def worm(options: argparse.Namespace) -> xr.DataTree:
    path, animal = list(dy.study.sessions(dy.datasets.fetch_celegans_calcium()).items())[options.recording]
    both = homologues(animal.node.to_numpy())
    surest = np.argsort(-animal.confidence.to_numpy()[both].min(axis=1), kind="stable")[: options.neurons // 2]
    animal = dy.dynamics.standardize(animal.isel(node=np.sort(both[surest].ravel())))
    print(f"## worm {path}")
    results = fitted(animal.activity, "gaussian", options).results_
    types = animal.cell_type.to_numpy()
    pairs = homologues(animal.node.to_numpy())
    print("Clusters and cell types:")
    against_classes(results, types, pairs)
    print(f"{len(pairs)} pairs of left and right homologues: probability of sharing a cluster")
    pairs_test("homologues", results, pairs)
    i, j = np.triu_indices(types.size, 1)
    partner = np.zeros((types.size, types.size), dtype=bool)
    partner[pairs[:, 0], pairs[:, 1]] = partner[pairs[:, 1], pairs[:, 0]] = True
    kin = (types[i] == types[j]) & ~partner[i, j]
    pairs_test("same cell type, not homologues", results, np.c_[i, j][kin], pairs)
    correlation = np.corrcoef(animal.activity.to_numpy().T)
    both, usual = correlation[tuple(pairs.T)].mean(), correlation[i, j].mean()
    print(f"  correlation of traces: homologues {both:.2f}, all pairs {usual:.2f}")
    label = results["clustering"]["cluster_maxpear"].to_numpy()
    for k in np.unique(label):
        print(f"  cluster {k}: {' '.join(animal.node.to_numpy()[label == k])}")
    print("States:")
    for name in ("velocity", "reversal"):
        against_covariate(results, animal[name].astype(float).rename(name))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("mouse", "worm"))
    for name, usual in (
        ("recording", 0), ("neurons", 40), ("trials", 30), ("tune", 60), ("draws", 90), ("chains", 2), ("factors", 2),
        ("states", 6), ("seed", 0),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--figure")
    options = parser.parse_args()
    warnings.simplefilter("default")
    results = {"mouse": mouse, "worm": worm}[options.what](options)
    if options.figure:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(13, 10))
        dy.viz.plot_biclustering(results, ax=figure.subplots())
        figure.savefig(options.figure, dpi=80)


if __name__ == "__main__":
    main()
