"""Memory of a bi-clustering with 10,000 draws at N = 200, T = 5,000, ten clusters, twenty states, two factors.

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/biclustering_memory.py [--draws 10000] [--chains 4]

Memory does not depend on what draws say, only on their shapes, so that what an hour of sweeps would leave is measured
in a minute: stand-ins for draws (the truth of the simulation, a twentieth of its states drawn anew, latents with noise,
which compresses badly) go through the same loop, recorders and results as draws do; further chains have copies of
them. What a sweep itself needs is measured with real ones. Each case is a process of its own; peak resident memory, the
interpreter and imports included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from biclustering_parts import Size, simulated

from dynome.dynamics.hmm.sequences import stacked
from dynome.inference.biclustering.chains import ChainRun, run_chain
from dynome.inference.biclustering.model import Data, Hyper, State
from dynome.inference.biclustering.results import results_tree
from dynome.inference.biclustering.storage import MemoryRecorder, Recorded, ZarrRecorder
from dynome.inference.biclustering.sweeps import sweep

SIZE = Size(200, 5000, 10, 20)
N_SWEEPS = 30
FILE = "chain_0.zarr"
CASES = ("imports", "sweeps", "memory", "out")


def peak() -> float:
    """GB of this process at its largest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def stand_in(state: State, rng: np.random.Generator) -> tuple[State, dict[str, Any]]:
    """Another state of the same shapes, in place of a sweep."""
    states = state.state.copy()
    some = rng.integers(states.size, size=states.size // 20)
    states[some] = rng.integers(SIZE.n_states, size=some.size)
    latent = state.latent + 0.1 * rng.standard_normal(state.latent.shape)
    score = rng.standard_normal(state.cluster.size) - 1000.0
    point = state._replace(state=states, latent=latent)
    return point, {"log_likelihood": score, "born": 0, "split": 0, "merged": 0, "moved": 0}


def recorded(start: State, n_draws: int, folder: Path | None) -> ChainRun:
    """A chain of stand-ins."""

    def step(_: State, rng: np.random.Generator, _number: int) -> tuple[State, dict[str, Any]]:
        return stand_in(start, rng)

    recorder = MemoryRecorder() if folder is None else ZarrRecorder(folder / FILE)
    return run_chain(step, start, np.random.default_rng(0), n_draws, recorder=recorder)


def again(run: ChainRun, folder: Path | None) -> ChainRun:
    """Another chain with draws of its own in memory: the same ones."""
    if folder is not None:
        return run._replace(recorded=ZarrRecorder(folder / FILE).read())
    parts = ({name: values.copy() for name, values in part.items()} for part in run.recorded)
    return run._replace(recorded=Recorded(*parts))


def of_sweeps(start: State, data: Data, hyper: Hyper) -> None:
    """Sweeps as they are."""

    def step(state: State, rng: np.random.Generator, _number: int) -> tuple[State, dict[str, Any]]:
        state, moves = sweep(state, data, hyper, rng)
        return state, moves._asdict()

    run_chain(step, start, np.random.default_rng(0), N_SWEEPS, recorder=MemoryRecorder())


def of_draws(start: State, data: Data, n_draws: int, n_chains: int, folder: Path | None) -> dict[str, float]:
    """Chains, then the tree of results."""
    runs = [recorded(start, n_draws, folder)]
    first = peak()
    runs += [again(runs[0], folder) for _ in range(1, n_chains)]
    sequences = stacked(xr.DataArray(data.y.T, dims=("time", "node")), subject="cannot measure")
    before, begun = peak(), time.process_time()
    tree = results_tree(runs, sequences, law="negative_binomial")
    disk = 0 if folder is None else sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    return {
        "one chain": first, "all chains": before, "tree": tree.nbytes / 1e9, "disk": disk / 1e9,
        "seconds of results": time.process_time() - begun,
    }  # fmt: skip


def measured(case: str, coupled: bool, n_draws: int, n_chains: int) -> dict[str, Any]:
    """One case, in this process."""
    found: dict[str, Any] = {"case": case, "setting": "coupled" if coupled else "block", "chains": n_chains}
    if case != "imports":
        start, data, hyper = simulated(SIZE, coupled)
        found["simulation"] = peak()
        if case == "sweeps":
            of_sweeps(start, data, hyper)
        else:
            with tempfile.TemporaryDirectory() as folder:
                found |= of_draws(start, data, n_draws, n_chains, Path(folder) if case == "out" else None)
    return found | {"peak": peak()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--case", choices=CASES, help="one case, in this process")
    parser.add_argument("--coupled", action="store_true")
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measured(options.case, options.coupled, options.draws, options.chains)), flush=True)
        return
    plans = [("imports", 1, []), ("sweeps", 1, []), ("sweeps", 1, ["--coupled"])]
    plans += [(case, n, []) for n in sorted({1, options.chains}) for case in ("out", "memory")]
    for case, n_chains, more in plans:
        call = [sys.executable, __file__, "--case", case, "--chains", str(n_chains), "--draws", str(options.draws)]
        subprocess.run([*call, *more], check=True, env=os.environ)


if __name__ == "__main__":
    main()
