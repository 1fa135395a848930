"""A connectome of 140,000 nodes and 5,000,000 edges: seconds and peak memory of each step.

Every step runs in a process of its own: its input is made first, then the peak of memory is reset, then the step is
timed (best of three). The memory told is that of the whole process during the step, input included. Linux only.

    python benchmarks/connectome_scale.py            # all, written to benchmarks/results/connectome_scale.md
    python benchmarks/connectome_scale.py to_scipy   # one step, as JSON
"""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

N_NODE, N_EDGE = 140_000, 5_000_000
RESULT = Path(__file__).parent / "results" / "connectome_scale.md"


def edge_table(n_node: int = N_NODE, n_edge: int = N_EDGE, text: bool = False) -> Any:
    """A random edge list with 18-digit ids, as a DataFrame."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    ids = rng.choice(10**8, n_node, replace=False) + 720575940600000000
    ends = {end: ids[rng.integers(0, n_node, n_edge)] for end in ("source", "target")}
    table = pd.DataFrame({**ends, "weight": rng.integers(1, 30, n_edge)})
    return table.astype({"source": "str", "target": "str"}) if text else table


def connectome() -> Any:
    from dynome.connectome import from_edges

    return from_edges(edge_table(), units="synapses")


def steps() -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """Name of each step: what makes its input, and what is timed."""
    from dynome import connectome as dc
    from dynome import schema

    return {
        "from_edges (integer ids)": (edge_table, lambda t: dc.from_edges(t, units="synapses")),
        "from_edges (text ids)": (lambda: edge_table(text=True), lambda t: dc.from_edges(t, units="synapses")),
        "schema.validate": (connectome, schema.validate),
        "to_scipy": (connectome, dc.to_scipy),
        "to_pyg": (connectome, dc.to_pyg),
        "degree": (connectome, dc.degree),
        "components": (connectome, dc.components),
        "subgraph of 1,000 nodes": (connectome, lambda c: dc.subgraph(c, node=c.node[:1000])),
        "rewire, 1 proposal per edge": (connectome, lambda c: dc.rewire(c, n_swaps_per_edge=1, random_state=0)),
    }


def peak_gb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


def measure(name: str, repeats: int = 3) -> dict[str, Any]:
    make, run = steps()[name]
    given = make()
    if name in ("to_pyg", "rewire, 1 proposal per edge"):
        from dynome.connectome import from_edges, rewire, to_pyg

        small = from_edges({"source": ["a", "b"], "target": ["b", "c"]})  # imports and compiles
        to_pyg(small)
        rewire(small, random_state=0)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    wall, cpu = [], []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        result = run(given)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
        del result
    return {"step": name, "seconds": min(wall), "cpu": min(cpu), "peak_gb": peak_gb()}


def in_process(name: str) -> dict[str, Any]:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, __file__, name], env=env, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def against_networkx(n_node: int, n_edge: int) -> list[str]:
    """The same work by pandas and networkx, row by row."""
    import networkx as nx

    from dynome.connectome import degree, from_edges, to_scipy

    table = edge_table(n_node, n_edge)
    unique = table.drop_duplicates(["source", "target"])
    rows = []

    def best(run: Callable[[], Any]) -> tuple[float, Any]:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            result = run()
            times.append(time.perf_counter() - start)
        return min(times), result

    ours, made = best(lambda: from_edges(table, units="synapses"))
    theirs, graph = best(lambda: nx.from_pandas_edgelist(unique, edge_attr="weight", create_using=nx.DiGraph))
    rows.append(("build from a DataFrame", theirs, ours))
    ours, _ = best(lambda: to_scipy(made))
    theirs, _ = best(lambda: nx.to_scipy_sparse_array(graph))
    rows.append(("to scipy", theirs, ours))
    ours, _ = best(lambda: degree(made))
    theirs, _ = best(lambda: (dict(graph.in_degree), dict(graph.out_degree)))
    rows.append(("degrees", theirs, ours))
    size = f"{n_node:,} nodes, {n_edge:,} edges"
    return [f"| {size} | {what} | {a * 1e3:,.1f} | {b * 1e3:,.1f} | {a / b:.2g} |" for what, a, b in rows]


def rewiring_against_networkx() -> list[str]:
    """Time per proposed swap on a graph of the size of the worm's chemical connectome."""
    import networkx as nx
    import numpy as np

    from dynome.connectome.nulls.swap_kernels import swap_directed, swap_undirected

    rng = np.random.default_rng(0)
    graph = nx.gnm_random_graph(302, 3709, seed=0, directed=True)
    plain = nx.gnm_random_graph(302, 1100, seed=0)
    rows = []
    for name, g, kernel, swap, n_swap in (
        ("directed, 302 nodes, 3,709 edges", graph, swap_directed, nx.directed_edge_swap, 1000),
        ("undirected, 302 nodes, 1,100 edges", plain, swap_undirected, nx.double_edge_swap, 5000),
    ):
        source, target = np.array(g.edges).T.copy()
        kernel(source, target, 302, 10, np.uint64(0))
        ours, theirs = [], []
        for _ in range(5):
            start = time.perf_counter()
            *_, accepted = kernel(source, target, 302, 200_000, np.uint64(rng.integers(2**63)))
            ours.append((time.perf_counter() - start) / accepted)
            start = time.perf_counter()
            swap(g.copy(), nswap=n_swap, max_tries=10**6, seed=1)
            theirs.append((time.perf_counter() - start) / n_swap)
        a, b = min(theirs), min(ours)
        rows.append(f"| {name} | `{swap.__name__}` {a * 1e6:,.1f} | {b * 1e6:,.3f} | {a / b:,.0f} |")
    return rows


def report() -> str:
    packages = ("dynome", "numpy", "scipy", "pandas", "xarray", "networkx", "numba", "torch", "torch-geometric")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    lines = [
        "# Connectomes at scale",
        "",
        f"{date.today().isoformat()}, 2-core virtual machine, Python {platform.python_version()}, {versions}.",
        "One thread; best of three. Made by `python benchmarks/connectome_scale.py`.",
        "",
        f"## {N_NODE:,} nodes with 18-digit labels, {N_EDGE:,} edges",
        "",
        "The connectome itself takes 0.93 GB, most of it the labels at both ends of every edge. The peak is that of",
        "the whole process: interpreter, libraries, input, result and whatever lies between. Other work may run on the",
        "machine, so the processor time is given beside the time on the clock.",
        "",
        "| step | seconds | processor seconds | peak of the process, GB |",
        "|---|---|---|---|",
    ]
    for name in steps():
        found = in_process(name)
        lines.append(f"| {name} | {found['seconds']:.1f} | {found['cpu']:.1f} | {found['peak_gb']:.2f} |")
        print(lines[-1], flush=True)
    lines += ["", "## Beside pandas and networkx", "", "| graph | work | networkx, ms | dynome, ms | times faster |"]
    lines += ["|---|---|---|---|---|", *against_networkx(3_000, 100_000), *against_networkx(20_000, 500_000), ""]
    lines += [
        "networkx reads a table without repeated edges and makes no checks; `from_edges` sums repeats, sorts and",
        "validates. Degrees are where networkx is quicker: it has them ready, while a connectome looks up its labels.",
        "",
        "Degree-preserving rewiring, microseconds per swap that was carried out:",
        "",
        "| graph | networkx | dynome | times faster |",
        "|---|---|---|---|",
        *rewiring_against_networkx(),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    text = report()
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
