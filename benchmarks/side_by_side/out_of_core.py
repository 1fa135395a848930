"""A tensor of 20 GB in a Zarr store, factorised in less than 4 GB of memory.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side/out_of_core.py FOLDER [gigabytes]

Writes a planted tensor (time, animal, pair) by chunks to a temporary store in FOLDER, without compression, fits
`NonnegativeCP` to it in a process of its own, and deletes it. Printed: peak resident memory of that process as the
system counts it, seconds and CPU seconds of each pass, the relative error beside that of the planted factors, and how
well these were found. Time is read in blocks; a pass is one outer iteration of HALS, one more learns masks and norm.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

ANIMALS, PAIRS, RANK, NOISE = 20, 6216, 6, 0.3  # 6216 pairs are those of 112 nodes
CHUNK = 32  # samples
RESTARTS, ITERATIONS = 3, 4


def planted(n_time: int) -> list[np.ndarray]:
    """Sparse, overlapping factors."""
    rng = np.random.default_rng(0)
    return [rng.random((n, RANK)) * (rng.random((n, RANK)) < 0.5) for n in (n_time, ANIMALS, PAIRS)]


def block(factors: list[np.ndarray], start: int, stop: int, noise: np.ndarray) -> np.ndarray:
    """Some samples: the planted model, noise, and a tenth of the (animal, pair) fibres missing."""
    pattern = (factors[1][:, None] * factors[2][None]).reshape(-1, RANK)
    values = (factors[0][start:stop] @ pattern.T).reshape(-1, ANIMALS, PAIRS)
    shift = int(np.random.default_rng((1, start)).integers(CHUNK))  # another piece of the same noise for each chunk
    np.maximum(values + noise[shift : shift + len(values)], 0.0, out=values)
    values[:, np.random.default_rng(2).random((ANIMALS, PAIRS)) < 0.1] = np.nan
    return values


def write(path: Path, n_time: int) -> float:
    """Write the store by chunks; the relative error of the planted factors, on the first chunks."""
    import zarr

    factors = planted(n_time)
    nothing = np.zeros((2 * CHUNK, ANIMALS, PAIRS))
    scale = NOISE * float(np.nanstd(block(factors, 0, CHUNK, nothing)))
    noise = scale * np.random.default_rng(3).standard_normal(nothing.shape)
    coords = {"time": np.arange(n_time) / 5.0, "animal": np.arange(ANIMALS), "pair": np.arange(PAIRS)}
    xr.Dataset(coords=coords).to_zarr(path, consolidated=False)
    array = zarr.open_group(path).create_array(
        "affinity",
        shape=(n_time, ANIMALS, PAIRS),
        chunks=(CHUNK, ANIMALS, PAIRS),
        dtype="float64",
        compressors=None,
        dimension_names=("time", "animal", "pair"),
    )
    residual = size = 0.0
    for start in range(0, n_time, CHUNK):
        stop = min(start + CHUNK, n_time)
        values = block(factors, start, stop, noise)
        array[start:stop] = values
        if start < 20 * CHUNK:
            residual += float(np.nansum((values - block(factors, start, stop, nothing)) ** 2))
            size += float(np.nansum(values**2))
    return residual / size


def fit(path: Path) -> None:
    """In a process of its own: fit, and print what it took as JSON."""
    from dynome.align import cp_similarity, match
    from dynome.dynamics import NonnegativeCP

    x = xr.open_zarr(path, consolidated=False)["affinity"]
    model = NonnegativeCP(rank=RANK, n_restarts=RESTARTS, max_iter=ITERATIONS, tol=0.0, random_state=0)
    began, cpu = time.perf_counter(), time.process_time()
    results = model.fit(x).results_
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    found = [results[f"{d}_factor"].to_numpy() for d in ("time", "animal", "pair")]
    print(
        json.dumps(
            {
                "gigabytes": x.nbytes / 1e9,
                "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
                "wall_per_pass": wall / (ITERATIONS + 1),
                "cpu_per_pass": cpu / (ITERATIONS + 1),
                "error": float(results.relative_error),
                "history": [round(float(e), 4) for e in results.history],
                "similarity": float(match(cp_similarity(planted(x.shape[0]), found)).similarity.mean()),
            }
        )
    )


def main(folder: str, gigabytes: float) -> None:
    n_time = int(gigabytes * 1e9 / (8 * ANIMALS * PAIRS))
    work = Path(tempfile.mkdtemp(dir=folder))
    try:
        if shutil.disk_usage(work).free < 1.1e9 * gigabytes:
            raise SystemExit(f"{folder} has less than {1.1 * gigabytes:.0f} GB free")
        began = time.perf_counter()
        oracle = write(work / "tensor.zarr", n_time)
        print(f"written in {time.perf_counter() - began:.0f} s", flush=True)
        child = [sys.executable, __file__, "--fit", str(work / "tensor.zarr")]
        told = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
        print(f"tensor ({n_time}, {ANIMALS}, {PAIRS}) float64, {told['gigabytes']:.1f} GB, 10 % of fibres missing")
        print(f"rank {RANK}, {RESTARTS} starts at once, {ITERATIONS} iterations")
        print(f"peak memory of the process   {told['peak_gb']:.2f} GB")
        print(f"one pass                     {told['wall_per_pass']:.0f} s, {told['cpu_per_pass']:.0f} s of CPU")
        print(f"relative squared error       {told['error']:.4f}; of the planted factors {oracle:.4f}")
        print(f"matched cosine with them     {told['similarity']:.3f}")
        print(f"history                      {told['history']}")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    if sys.argv[1] == "--fit":
        fit(Path(sys.argv[2]))
    else:
        main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 20.0)
