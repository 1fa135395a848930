"""A store of 140,000 nodes and 5,000,000 edges, and one of 200 sessions: seconds and peak memory of each step.

Every step runs in a process of its own: its input is made first, then the peak of memory is reset, then the step is
timed once. The memory told is that of the whole process during the step, input included. Linux only.

    python benchmarks/store_scale.py    # writes benchmarks/results/store_scale.md
"""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

N_NODE, N_EDGE = 140_000, 5_000_000
N_SESSION, N_TIME, N_CELL = 200, 2_000, 150
RESULT = Path(__file__).parent / "results" / "store_scale.md"


def wiring() -> Any:
    """A connectome as the schema has it, made with plain numpy and xarray."""
    import numpy as np
    import xarray as xr

    rng = np.random.default_rng(0)
    node = (rng.choice(10**8, N_NODE, replace=False) + 720575940600000000).astype("<U18")
    key = np.unique(rng.integers(0, N_NODE**2, N_EDGE + N_EDGE // 100))[:N_EDGE]
    return xr.Dataset(
        {
            "source": ("edge", node[key // N_NODE]),
            "target": ("edge", node[key % N_NODE]),
            "weight": ("edge", rng.integers(1, 30, N_EDGE), {"units": "synapses"}),
            "edge_type": ("edge", np.full(N_EDGE, "chemical")),
        },
        coords={"node": node},
        attrs={"directed": 1},
    )


def sessions() -> Any:
    """A study of recordings with behaviour."""
    import numpy as np

    from dynome import schema, study

    rng = np.random.default_rng(0)
    node = [f"N{k:03d}" for k in range(N_CELL)]

    def recording() -> Any:
        return schema.recording(
            rng.standard_normal((N_TIME, N_CELL)),
            time=np.arange(N_TIME) / 2,
            node=node,
            units="dF/F",
            covariates={"velocity": ("time", rng.standard_normal(N_TIME), {"units": "mm/s"})},
        )

    return study.build({f"worm{k:03d}/s1": recording() for k in range(N_SESSION)})


def steps(folder: Path) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """Name of each step to what it needs and what it does; later steps read what earlier ones wrote."""
    from dynome import schema, store

    large, many = folder / "connectome.zarr", folder / "study.zarr"
    return {
        "connectome: schema.validate": (wiring, schema.validate),
        "connectome: store.save": (wiring, lambda obj: store.save(obj, large)),
        "connectome: store.open": (lambda: None, lambda _: store.open(large)),
        "connectome: store.open(...).load()": (lambda: None, lambda _: store.open(large).load()),
        "connectome: validate what was opened, lazy=True": (
            lambda: store.open(large),
            lambda obj: schema.validate(obj, lazy=True),
        ),
        "connectome: store.verify": (lambda: None, lambda _: store.verify(large)),
        "connectome: save what was opened again": (
            lambda: store.open(large),
            lambda obj: store.save(obj, folder / "again.zarr"),
        ),
        "study: store.save": (sessions, lambda obj: store.save(obj, many)),
        "study: store.open": (lambda: None, lambda _: store.open(many)),
        "study: store.open(...).load()": (lambda: None, lambda _: store.open(many).load()),
        "study: store.verify": (lambda: None, lambda _: store.verify(many)),
    }


def peak() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9


def measured(name: str, folder: Path) -> dict[str, float]:
    import dask.array  # noqa: F401 (imports are not what is timed)
    import zarr  # noqa: F401

    make, do = steps(folder)[name]
    obj = make()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    started, before = time.perf_counter(), time.process_time()
    kept = do(obj)
    told = {"seconds": time.perf_counter() - started, "processor": time.process_time() - before, "peak": peak()}
    del kept
    return told


def main() -> None:
    lines = ["| step | seconds | processor seconds | peak of the process, GB |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for step in steps(folder):
            command = [sys.executable, __file__, step, name]
            done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            if done.returncode:
                raise SystemExit(done.stderr)
            told = json.loads(done.stdout)
            lines.append(f"| {step} | {told['seconds']:.1f} | {told['processor']:.1f} | {told['peak']:.2f} |")
            print(lines[-1])
        sizes = {
            store.stem: sum(f.stat().st_size for f in store.rglob("*") if f.is_file()) / 1e6
            for store in folder.iterdir()
        }
    RESULT.write_text(report(lines, sizes))


def report(lines: list[str], sizes: dict[str, float]) -> str:
    versions = ", ".join(f"{p} {version(p)}" for p in ("dynome", "numpy", "xarray", "dask", "zarr"))
    return f"""# Stores at scale

{date.today()}, 2-core virtual machine, Python {platform.python_version()}, {versions}.
One BLAS thread; each step once, in a process of its own. Made by `python benchmarks/store_scale.py`.

The connectome has {N_NODE:,} nodes with 18-digit labels and {N_EDGE:,} edges: {sizes["connectome"]:.0f} MB on disk,
0.93 GB in memory, most of it the labels at both ends of every edge. The study has {N_SESSION} sessions of {N_TIME:,}
samples of {N_CELL} nodes: {sizes["study"]:.0f} MB on disk. The peak is that of the whole process: interpreter,
libraries, input, result and whatever lies between. Other work may run on the machine, so the processor time is given
beside the time on the clock.

{chr(10).join(lines)}

Labels at the ends of edges are stored as codes into a table of distinct labels. As variable-length strings, on the same
machine, the same connectome took 23 s to save (2.2 GB) and 13 s to load.
"""


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]))))
    else:
        main()
