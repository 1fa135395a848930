"""Graph measures beside networkx and igraph, triads against null connectomes, and matching of the two sides.

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 DYNOME_DATA_DIR=... python benchmarks/graph_metrics.py [times|triads|matching]

Writes benchmarks/results/graph_metrics.md, a section for each part; the other sections stay. The fly and the two worms
of Witvliet et al. need their files below DYNOME_DATA_DIR.
"""

from __future__ import annotations

import platform
import re
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import dynome as dy

RESULT = Path(__file__).parent / "results" / "graph_metrics.md"
dc = dy.connectome


def worm(neurons_only: bool = False) -> Any:
    made = dy.datasets.load_celegans_connectome()
    known = set(dc.worm_neurons().tolist())
    return dc.subgraph(made, node=[n for n in made.node.values.tolist() if n in known]) if neurons_only else made


def seconds(run: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    """Processor seconds, best of some rounds."""
    best, found = np.inf, None
    for _ in range(rounds):
        start = time.process_time()
        found = run()
        best = min(best, time.process_time() - start)
        if best > 20:
            break
    return best, found


def peers(made: Any) -> dict[str, tuple[Callable[[], Any], dict[str, Callable[[], Any]]]]:
    """What is measured: ours, and others on a graph that they hold ready."""
    import igraph
    import networkx as nx

    chemical = dc.subgraph(made, edge_type=made.edge_type.values[0])
    matrix = dc.to_scipy(chemical).tocoo()
    keep = matrix.coords[0] != matrix.coords[1]
    ends = list(zip(matrix.coords[0][keep].tolist(), matrix.coords[1][keep].tolist(), strict=True))
    n = chemical.sizes["node"]
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(ends)
    other = igraph.Graph(n=n, edges=ends, directed=True)
    small = n < 1000

    def lengths(sizes: Any) -> float:
        bins = np.array([b[2] for b in sizes.bins()])
        return float((bins * np.arange(1, bins.size + 1)).sum() / bins.sum())

    def walks() -> float:
        steps = [d for a, far in nx.all_pairs_shortest_path_length(graph) for b, d in far.items() if a != b]
        return float(np.mean(steps))

    every = (n - 1) * (n - 2)
    cases: dict[str, tuple[Callable[[], Any], dict[str, Callable[[], Any]]]] = {
        "triad census (030T)": (
            lambda: int(dc.triad_census(chemical).sel(triad="030T")),
            {"networkx": lambda: nx.triadic_census(graph)["030T"], "igraph": lambda: other.triad_census()["030T"]},
        ),
        "betweenness (largest)": (
            lambda: float(dc.centrality(chemical, "betweenness").betweenness.max()),
            {"networkx": lambda: max(nx.betweenness_centrality(graph).values()) if small else None,
             "igraph": lambda: max(other.betweenness()) / every},
        ),
        "closeness (largest)": (
            lambda: float(dc.centrality(chemical, "closeness").closeness.max()),
            {"networkx": lambda: max(nx.closeness_centrality(graph).values())},
        ),
        "PageRank (largest)": (
            lambda: float(dc.centrality(chemical, "pagerank").pagerank.max()),
            {"networkx": lambda: max(nx.pagerank(graph, tol=1e-12, max_iter=1000).values()),
             "igraph": lambda: max(other.pagerank())},
        ),
        "mean path length": (
            lambda: float(dc.path_lengths(chemical)["mean"]),
            {"networkx": walks, "igraph": lambda: lengths(other.path_length_hist(directed=True))},
        ),
        "clustering (mean)": (
            lambda: float(dc.clustering(chemical).mean()),
            {"networkx": lambda: float(np.mean(list(nx.clustering(graph).values())))},
        ),
        "reciprocity": (
            lambda: dc.reciprocity(chemical),
            {"networkx": lambda: nx.overall_reciprocity(graph), "igraph": other.reciprocity},
        ),
        "local efficiency (mean)": (lambda: float(dc.local_efficiency(chemical).mean()), {}),
        "null connectome, degrees": (lambda: dc.null_connectome(chemical, "degree", random_state=0) is None, {}),
        "null connectome, degrees and mutual edges": (
            lambda: dc.null_connectome(chemical, "reciprocity", random_state=0) is None, {},
        ),
        "null connectome, cell types": (
            lambda: dc.null_connectome(chemical, "type", by=types, random_state=0) is None, {},
        ),
    }  # fmt: skip
    types = [t or "unknown" for t in chemical.cell_type.values.tolist()]
    return cases


def times() -> list[str]:
    lines = ["| graph | measure | value | dynome, s | networkx, s | igraph, s |", "|---|---|---|---|---|---|"]
    graphs = {"worm": worm(), "larval fly": dy.datasets.fetch_fly_larva()}
    for name, made in graphs.items():
        for measure, (ours, theirs) in peers(made).items():
            ours()
            mine, value = seconds(ours)
            cells = []
            for peer in ("networkx", "igraph"):
                cost, told = seconds(theirs[peer], 1 if name != "worm" else 3) if peer in theirs else (np.nan, None)
                if told is not None and not np.isclose(float(told), float(value), rtol=1e-6):
                    cells.append(f"{cost:.3g} (other value: {told:.6g})")
                else:
                    cells.append("" if told is None else f"{cost:.3g}")
            shown = "" if isinstance(value, bool) else f"{value:.6g}"
            lines.append(f"| {name} | {measure} | {shown} | {mine:.3g} | {cells[0]} | {cells[1]} |")
            print(lines[-1], flush=True)
    return [
        "Processor seconds, one thread, best of three (peers on the fly: one). The peers hold their graph ready; our",
        "time includes reading the labelled edges. Values agree to six digits unless told otherwise; the worm is the",
        "473 cells and chemical synapses of Cook et al. 2019, the fly the 3,554 neurons of Winding et al. 2023.",
        "",
        *lines,
    ]


def triads() -> list[str]:
    lines = []
    for name, made in (("worm, neurons, chemical", worm(True)), ("larval fly", dy.datasets.fetch_fly_larva())):
        kind = "chemical" if name.startswith("worm") else None
        n_null = 200 if kind else 20
        scores = {
            null: dc.null_scores(made, "triads", null=null, n_null=n_null, edge_type=kind, random_state=0)
            for null in ("degree", "reciprocity")
        }
        lines += ["", f"{name}, {n_null} null connectomes of each kind", ""]
        lines += ["| triad | count | z (degrees) | z (degrees and mutual edges) |", "|---|---|---|---|"]
        for label in scores["degree"].metric.values.tolist():
            a, b = (scores[null].sel(metric=label) for null in scores)
            lines.append(f"| {label[7:]} | {int(a.observed):,} | {float(a.z_score):.1f} | {float(b.z_score):.1f} |")
        print("\n".join(lines[-15:]), flush=True)
    lines += [
        "",
        "Milo et al. (Science 2002) report feed-forward triangles (030T) in excess in the worm's wiring; so do null",
        "connectomes that keep mutual edges (z = 23). Those that keep degrees only lose the mutual edges, of which the",
        "worm has many, and then the same triangle seems rare.",
    ]
    club = dc.rich_club(worm(True), n_null=100, edge_type="chemical", random_state=0)
    top = club.sel(degree=[30, 45, 60, 75])
    lines += ["", "Rich club of the worm (neurons, chemical), 100 degree-preserving null connectomes:", ""]
    lines += ["| degree above | neurons | density | over chance | z |", "|---|---|---|---|---|"]
    for k in range(top.sizes["degree"]):
        row = top.isel(degree=k)
        lines.append(
            f"| {int(row.degree)} | {int(row.n_nodes)} | {float(row.rich_club):.2f} | {float(row.normalized):.2f} | "
            f"{float(row.z_score):.1f} |"
        )
    return lines[1:]


def interval(values: Any) -> str:
    low, high = np.quantile(values, [0.025, 0.975])
    return f"{np.mean(values):.2f} ({low:.2f} to {high:.2f})"


def folded(found: Any, other: dict[str, str]) -> Any:
    """A matching in which whoever was matched to the homologue of its partner gets its partner."""
    names = found.node.values
    mirror = np.array([other.get(n) or "-" for n in names.tolist()])
    return found.assign(match_by_start=found.match_by_start.where(found.match_by_start != mirror, names))


def matching() -> list[str]:
    rows = []

    def told(what: str, found: Any, truth: Any, cost: float, given: Any = None) -> None:
        right = dc.match_accuracy(found, truth, seeds=given)
        rows.append(
            f"| {what} | {int(right.n_known)} | {float(right.accuracy):.2f} | {interval(right.accuracy_by_start)} | "
            f"{float(right.chance):.3f} | {float(found.objective[0]):.2f} | {cost / found.sizes['start']:.2f} |"
        )
        print(rows[-1], flush=True)

    made = worm(True)
    side = dc.worm_side(made.node)
    for what, options in (
        ("worm left/right, chemical", {"edge_type": "chemical"}),
        ("worm left/right, gap junctions", {"edge_type": "gap_junction"}),
        ("worm left/right, both", {}),
        ("worm left/right, both, without crossing edges", {"crossing": False}),
        ("worm left/right, both, counts", {"weight": "count"}),
        ("worm left/right, both, binary", {"weight": "binary"}),
    ):
        cost, found = seconds(lambda o=options: dc.match_sides(made, side, n_starts=20, random_state=0, **o), 1)
        told(what, found, dc.homologue(found.node), cost)
    adults = []
    for k in (7, 8):
        layers = [
            dy.datasets.fetch_celegans_connectomes(f"{kind}_WitvlietA_0{k}") for kind in ("chemical", "electrical")
        ]
        adults.append(dc.merge(*layers))
    cost, found = seconds(lambda: dc.match_nodes(*adults, n_starts=20, random_state=0), 1)
    shared = {n: n for n in adults[0].node.values.tolist() if n in set(adults[1].node.values.tolist())}
    told("two adult worms (Witvliet 7 and 8)", found, shared, cost)
    other = dict(zip(shared, dc.homologue(list(shared)).tolist(), strict=True))
    told("the same, the homologue counted as right", folded(found, other), shared, cost)
    given = {n: n for n in list(shared)[::10]}
    cost, found = seconds(lambda: dc.match_nodes(*adults, seeds=given, n_starts=20, random_state=0), 1)
    told("two adult worms, every tenth neuron known", found, shared, cost, given)
    fly = dy.datasets.fetch_fly_larva()
    fly = dc.subgraph(fly, node=fly.node.values[fly.analysed.values.astype(bool)])
    where = np.select([fly.hemisphere == "L", fly.hemisphere == "R"], ["left", "right"], "")
    cost, found = seconds(lambda: dc.match_sides(fly, where, n_starts=2, max_iter=30, random_state=0), 1)
    told("larval fly left/right, 2 searches", found, fly.partner.sel(node=found.node).values, cost)
    return [
        "Accuracy is the share of known partners that the best of 20 searches finds; beside it the mean over searches",
        "and where 95 % of them lie. Weights count by the logarithm unless told otherwise; names are never looked at.",
        "",
        "| graphs | known pairs | best search | all searches | chance | objective | s a search |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]


PARTS = {"times": ("Times", times), "triads": ("Triads and rich club", triads), "matching": ("Matching", matching)}


def main() -> None:
    known: dict[str, str] = {}
    if RESULT.exists():
        known = dict(re.findall(r"(?ms)^## (.*?)\n\n(.*?)(?=^## |\Z)", RESULT.read_text(encoding="utf-8") + "\n"))
    for name in sys.argv[1:] or list(PARTS):
        title, run = PARTS[name]
        known[title] = "\n".join(run()) + "\n\n"
        packages = ("dynome", "numpy", "scipy", "networkx", "igraph", "numba")
        head = [
            "# Graph measures, null models, matching",
            "",
            f"{date.today().isoformat()}, 2-core virtual machine with other work, Python {platform.python_version()}, "
            + ", ".join(f"{p} {version(p)}" for p in packages) + ".",
            "Made by `python benchmarks/graph_metrics.py`.",
            "",
        ]  # fmt: skip
        order = [t for t, _ in PARTS.values() if t in known]
        text = "\n".join(head) + "\n" + "".join(f"## {t}\n\n{known[t]}" for t in order)
        RESULT.write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
