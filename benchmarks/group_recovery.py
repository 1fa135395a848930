"""Planted motifs and states in sessions that are fitted one by one: are they found under one number in all of them?

    OMP_NUM_THREADS=1 python benchmarks/group_recovery.py [--sessions 24] [--null 100]

Every session is a simulation of its own (`make_dynamic_communities`, `make_switching_glm`), with a quarter of the
nodes missing in the first; `match_sessions` knows nothing of the truth. "by number" takes every session's own numbers.
The last table is of sets without anything in common: how often is a component called shared, a session alike?
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import xarray as xr

from dynome import align, study
from dynome.datasets import make_dynamic_communities, make_switching_glm
from dynome.dynamics import DynamicConnectome, SwitchingGLM
from dynome.inference import match_sessions

N_UNITS = 3


def motifs(n: int, noise: float) -> tuple[dict[str, xr.Dataset], np.ndarray]:
    """Atlases of sessions of eight animals, and the true motif of each component."""
    simulated = make_dynamic_communities(
        n_nodes=30, n_communities=N_UNITS, n_animals=n, n_times=300, noise=noise, random_state=0
    )
    truth = simulated["truth"].to_dataset()["membership"].transpose("component", "node")
    rng, results, true = np.random.default_rng(0), {}, []
    for k, recording in enumerate(study.sessions(simulated).values()):
        keep = np.sort(rng.choice(30, 23, replace=False))
        model = DynamicConnectome(N_UNITS, n_null=0, n_restarts=3, random_state=k).fit(recording.isel(node=keep))
        found = model.results_
        results[f"animal_{k % 8}/session_{k}"] = found
        own = truth.sel(node=found["node"])
        similarity = align.cosine(found["node_strength"].to_numpy().T, own.to_numpy().T)
        true.append(nearest(similarity))
    return results, np.array(true)


def states(n: int) -> tuple[dict[str, SwitchingGLM], np.ndarray]:
    """Switching GLMs of sessions, and the true state of each state."""
    simulated = make_switching_glm(
        n_sessions=n, n_nodes=8, n_states=N_UNITS, n_time=6000, stay=0.99, state_bias=1.0, random_state=0
    )
    results, true = {}, []
    for k in range(n):
        model = SwitchingGLM(N_UNITS, link="sigmoid", prior="gaussian", n_restarts=2, random_state=k).fit(
            simulated["spike_count"].isel(session=[k])
        )
        results[f"animal_{k % 8}/session_{k}"] = model
        a, b = (d["coupling"].transpose("state", "target", "source").to_numpy() for d in (model.results_, simulated))
        a, b = ((c - c.mean(0)).reshape(N_UNITS, -1) for c in (a, b))
        true.append(nearest(align.cosine(a.T, b.T)))
    return results, np.array(true)


def nearest(similarity: np.ndarray) -> np.ndarray:
    """The true unit that each unit stands for; -1 where the assignment is worse than 0.5."""
    found = align.match(similarity)
    out = np.full(similarity.shape[0], -1)
    good = found.similarity > 0.5
    out[good] = found.order[good]
    return out


def agreement(order: np.ndarray, true: np.ndarray) -> tuple[float, int]:
    """Share of units that stand for the truth under the number that most have, and how many stand for any."""
    named = np.take_along_axis(true, order, axis=1)
    counts = np.array([[(named[:, k] == t).sum() for t in range(N_UNITS)] for k in range(N_UNITS)])
    return float(align.match(counts.astype(float)).similarity.sum() / (true >= 0).sum()), int((true >= 0).sum())


def recovery(name: str, results: dict, true: np.ndarray, kind: str) -> None:
    began = time.process_time()
    found = match_sessions(results, kind=kind, n_null=100, random_state=0)
    seconds = time.process_time() - began
    share, known = agreement(found["original"].to_numpy(), true)
    plain, _ = agreement(np.tile(np.arange(N_UNITS), (len(results), 1)), true)
    named = np.take_along_axis(true, found["original"].to_numpy(), axis=1)
    doubt, lost = found["match_p_value"].to_numpy() > 0.05, named < 0
    print(f"| {name} | {len(results)} | {known} of {true.size} | {share:.3f} | {plain:.3f} | "
          f"{float(found['shared_p_value'].max()):.3f} | {int((doubt & lost).sum())} of {int(lost.sum())} | "
          f"{int((doubt & ~lost).sum())} of {known} | {seconds:.1f} |", flush=True)  # fmt: skip


def nothing_shared(n_sets: int) -> None:
    nodes = [f"n{k}" for k in range(24)]
    for sizes in ([1] * 8, [1, 4, 2, 6], [5, 5, 5]):
        shared, alike, alone = [], [], []
        for seed in range(n_sets):
            rng, results = np.random.default_rng(seed), {}
            for animal, size in enumerate(sizes):
                own = rng.gamma(0.5, size=(3, 24))
                for k in range(size):
                    data = (own + 0.3 * rng.gamma(0.5, size=own.shape))[rng.permutation(3)]
                    results[f"a{animal}/s{k}"] = xr.Dataset(
                        {"node_strength": (("component", "node"), data)}, {"node": nodes}
                    )
            found = match_sessions(results, n_null=39, random_state=seed)
            shared.append(float(found["shared_p_value"].min()) <= 0.05)
            alike.append(float((found["session_p_value"] <= 0.05).mean()))
            if max(sizes) > 1:
                plain = match_sessions(results, n_null=39, random_state=seed, block="session")
                alone.append(float(plain["shared_p_value"].min()) <= 0.05)
        told = f"{np.mean(alone):.3f}" if alone else ""
        print(
            f"| {', '.join(map(str, sizes))} | {n_sets} | {np.mean(shared):.3f} | {np.mean(alike):.3f} | {told} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=24)
    parser.add_argument("--null", type=int, default=100)
    arguments = parser.parse_args()
    print("| fitted | sessions | found by the fits | under one number | by number | largest shared p | "
          "not found, p > .05 | found, p > .05 | CPU s |")  # fmt: skip
    print("|" + "---|" * 9)
    for noise in (0.3, 0.5):
        recovery(f"DynamicConnectome, noise {noise}", *motifs(arguments.sessions, noise), "components")
    recovery("SwitchingGLM", *states(arguments.sessions), "states")
    print("\n| sessions of each | sets | a component called shared | sessions called alike | with block='session' |")
    print("|" + "---|" * 5)
    nothing_shared(arguments.null)
