"""Graph layers on one static graph, beside PyTorch Geometric: one training step, one thread, CPU time.

    OMP_NUM_THREADS=1 python benchmarks/graph_layers.py            # layers and kernels, about five minutes
    OMP_NUM_THREADS=1 python benchmarks/graph_layers.py --large    # 140,000 nodes, 5 million edges

Weights are copied from one to the other and outputs compared first. Rounds take turns, and the least time of each is
kept. PyTorch Geometric gets a graph without weights to normalise again (``cached=True``), and where it takes features
``(snapshot, node, feature)`` as well as a batch of copies of the graph, the quicker of both.
"""

from __future__ import annotations

import resource
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv, GCNConv, GINConv

from dynome.connectome import GATv2Layer, GCNLayer, GINLayer, MessageGraph, message_graph, propagate
from dynome.connectome.layers.propagation import prefers_dense

Step = Callable[[], object]


def seconds(cases: dict[str, Step], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(cases, np.inf)
    for case in cases.values():
        case()
    for _ in range(rounds):
        for name, case in cases.items():
            started = time.process_time()
            case()
            best[name] = min(best[name], time.process_time() - started)
    return best


def report(title: str, cases: dict[str, Step], rounds: int = 5) -> None:
    found = seconds(cases, rounds)
    first = next(iter(found.values()))
    print(f"\n{title}\n\n| | CPU ms | ratio |\n|---|---|---|")
    for name, value in found.items():
        print(f"| {name} | {1e3 * value:,.1f} | {first / value:,.1f} |", flush=True)


def random_graph(n: int, n_edges: int, **about) -> MessageGraph:
    rng = np.random.default_rng(0)
    source, target = np.divmod(rng.choice(n * n, n_edges, replace=False), n)
    return message_graph((source, target, rng.integers(1, 9, n_edges)), nodes=n, **about)


def ends(graph: MessageGraph, copies: int = 1) -> Tensor:
    shift = graph.n_nodes * torch.arange(copies).view(1, -1, 1)
    return (torch.stack([graph.source, graph.target]).unsqueeze(1) + shift).reshape(2, -1)


def step(layer: nn.Module, call: Callable[[Tensor], Tensor], x: Tensor) -> Step:
    """Forward and backward, to the parameters and to the features."""
    x = x.detach().clone().requires_grad_()
    pull = torch.ones_like(call(x))

    def once() -> None:
        x.grad = None
        layer.zero_grad()
        call(x).backward(pull)

    return once


def without_gradients(call: Callable[[Tensor], Tensor], x: Tensor) -> Step:
    def once() -> None:
        with torch.no_grad():
            call(x)

    return once


def agree(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def convolution(n_snapshots: int) -> None:
    graph, width = random_graph(300, 6_000), 32
    x = torch.randn(300, n_snapshots, width)
    swapped = x.transpose(0, 1).contiguous()
    reference = GCNConv(width, width, cached=True)
    cases: dict[str, Step] = {}

    def theirs(v: Tensor) -> Tensor:
        return reference(v, ends(graph), graph.weight[:, 0])

    cases["PyG GCNConv, (S, N, F)"] = step(reference, theirs, swapped)
    for name, kernel in (("GCNLayer", "auto"), ("GCNLayer, dense", "dense"), ("GCNLayer, sparse", "sparse")):
        layer = GCNLayer(width, width, kernel=kernel)
        layer.map.weight.data, layer.map.bias.data = reference.lin.weight.data, reference.bias.data
        agree(layer(graph, x[:, :2]), theirs(swapped[:2]).transpose(0, 1))
        cases[name] = step(layer, lambda v, layer=layer: layer(graph, v), x)
    report(f"GCN, 300 nodes, 6,000 edges, F=32, {n_snapshots:,} snapshots, forward + backward", cases, 4)


def whole_batch() -> None:
    graph = random_graph(300, 6_000)
    layer = GCNLayer(32, 32)
    cases = {"GCNLayer": step(layer, lambda v: layer(graph, v), torch.randn(300, 6_400, 32))}
    report("GCN, the same with all 6,400 snapshots (64 windows of 100)", cases, 3)


def first_layer() -> None:
    graph, x = random_graph(300, 6_000), torch.randn(300, 400, 1)
    swapped = x.transpose(0, 1).contiguous()
    reference, layer = GCNConv(1, 32, cached=True), GCNLayer(1, 32)
    layer.map.weight.data, layer.map.bias.data = reference.lin.weight.data, reference.bias.data
    agree(layer(graph, x), reference(swapped, ends(graph), graph.weight[:, 0]).transpose(0, 1))
    weight = graph.weight[:, 0]
    cases = {
        "PyG GCNConv(1, 32), (S, N, F)": without_gradients(lambda v: reference(v, ends(graph), weight), swapped),
        "GCNLayer(1, 32)": without_gradients(lambda v: layer(graph, v), x),
        "its sum over inputs alone": without_gradients(lambda v: propagate(graph, v), x),
    }
    report("First layer, one input channel, 400 snapshots, forward", cases)


def attention() -> None:
    graph, x, width = random_graph(300, 6_000), torch.randn(300, 100, 32), 32
    layer = GATv2Layer(width, width, heads=4, n_edge_features=1)
    reference = GATv2Conv(width, 8, heads=4, edge_dim=1, add_self_loops=False, residual=True)
    reference.lin_l.load_state_dict(layer.from_source.state_dict())
    reference.lin_r.load_state_dict(layer.from_target.state_dict())
    reference.lin_edge.load_state_dict(layer.from_edge.state_dict())
    reference.res.load_state_dict(layer.own.state_dict())
    reference.att.data = layer.attention.data[None]
    batch, feature = ends(graph, 100), graph.feature.repeat(100, 1)
    flat = x.transpose(0, 1).reshape(-1, width)

    def theirs(v: Tensor) -> Tensor:
        return reference(v, batch, feature)

    agree(layer(graph, x).transpose(0, 1).reshape(-1, width), theirs(flat))
    cases = {
        "PyG GATv2Conv, block diagonal": step(reference, theirs, flat),
        "GATv2Layer": step(layer, lambda v: layer(graph, v), x),
    }
    report("GATv2, 4 heads of 8, an edge feature, 300 nodes, 6,000 edges, 100 snapshots, forward + backward", cases)


def isomorphism(n_edges: int) -> None:
    graph, width, n_snapshots = random_graph(400, n_edges, weight="binary"), 64, 16
    x = torch.randn(400, n_snapshots, width)
    swapped = x.transpose(0, 1).contiguous()
    convolutions = nn.ModuleList()
    for _ in range(4):
        network = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        convolutions.append(GINConv(network, train_eps=True))
    static, batch = ends(graph), ends(graph, n_snapshots)

    def through(edges: Tensor) -> Callable[[Tensor], Tensor]:
        def call(v: Tensor) -> Tensor:
            for layer in convolutions:
                v = layer(v, edges)
            return v

        return call

    cases: dict[str, Step] = {}
    candidates = {
        "PyG GINConv, (S, N, F)": step(convolutions, through(static), swapped),
        "PyG GINConv, block diagonal": step(convolutions, through(batch), swapped.reshape(-1, width)),
    }
    quick = seconds(candidates, 2)
    for name in sorted(quick, key=quick.__getitem__):
        cases[name] = candidates[name]
    for name, kernel in (("GINLayer", "auto"), ("GINLayer, dense", "dense"), ("GINLayer, sparse", "sparse")):
        layers = nn.ModuleList([GINLayer(width, width, kernel=kernel) for _ in range(4)])

        def ours(v: Tensor, layers: nn.ModuleList = layers) -> Tensor:
            for layer in layers:
                v = layer(graph, v)
            return v

        cases[name] = step(layers, ours, x)
    share = n_edges / 400**2
    report(f"GIN x4, hidden 64, 400 nodes, density {share:.0%}, 16 snapshots, forward + backward", cases)


def kernels() -> None:
    print("\nOne sum over inputs, forward, CPU ms: which kernel where\n")
    print("| nodes | density | numbers per node | dense | sparse | torch CSR | auto |\n|---|---|---|---|---|---|---|")
    for n, m in ((100, 1_024), (300, 1_024), (300, 12_800), (1_000, 1_024)):
        for share in (0.02, 0.1, 0.3, 0.6):
            graph, x = random_graph(n, int(share * n * n)), torch.randn(n, m)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                matrix = torch.sparse_csr_tensor(graph.pointer, graph.source, graph.weight[:, 0], (n, n))
            found = seconds(
                {
                    "dense": lambda graph=graph, x=x: propagate(graph, x, kernel="dense"),
                    "sparse": lambda graph=graph, x=x: propagate(graph, x, kernel="sparse"),
                    "csr": lambda matrix=matrix, x=x: matrix @ x,
                },
                5,
            )
            told = " | ".join(f"{1e3 * value:.2f}" for value in found.values())
            print(
                f"| {n:,} | {share:.0%} | {m:,} | {told} | {'dense' if prefers_dense(graph) else 'sparse'} |",
                flush=True,
            )


def large() -> None:
    n, n_edges, width = 140_000, 5_000_000, 64
    rng = np.random.default_rng(0)
    pair = np.unique(rng.integers(0, n * n, n_edges + 10_000))
    source, target = np.divmod(rng.permutation(pair)[:n_edges], n)
    started = time.process_time()
    graph = message_graph((source, target), nodes=n)
    print(f"\n140,000 nodes, 5,000,000 edges, F=64; the graph is made in {time.process_time() - started:.1f} s")
    layer, x = GCNLayer(width, width), torch.randn(n, 1, width)
    flat = x[:, 0].contiguous()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        csr = torch.sparse_csr_tensor(graph.pointer, graph.source, graph.weight[:, 0], (n, n))
    big = np.ones(1 << 27, dtype=np.float32)
    there = np.empty_like(big)
    rows = torch.randperm(n)
    taken = torch.empty_like(flat)
    cases: dict[str, Step] = {
        "one layer, forward + backward": step(layer, lambda v: layer(graph, v), x),
        "sum over inputs, forward": lambda: propagate(graph, flat, kernel="sparse"),
        "the same by torch's CSR": lambda: csr @ flat,
        "copy of 0.5 GB": lambda: np.copyto(there, big),
        "rows in random order (36 MB)": lambda: torch.index_select(flat, 0, rows, out=taken),
    }
    found = seconds(cases, 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    for name, value in found.items():
        print(f"| {name} | {1e3 * value:,.0f} ms |")
    copied = 2 * big.nbytes / found["copy of 0.5 GB"] / 1e9
    gathered = flat.nbytes / found["rows in random order (36 MB)"] / 1e9
    read = n_edges * width * 4 / 1e9
    ours = read / found["sum over inputs, forward"]
    print(f"peak memory {peak:.1f} GB, of which 1.1 GB are the arrays of the copy")
    print(f"copy: {copied:.1f} GB/s read and written; rows in random order: {gathered:.1f} GB/s read")
    parts = f"{ours / gathered:.0%} of the second, {2 * ours / copied:.0%} of the first"
    print(f"the sum reads {read:.2f} GB of rows at {ours:.1f} GB/s: {parts}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if "--large" in sys.argv:
        large()
    else:
        convolution(400)
        whole_batch()
        first_layer()
        attention()
        isomorphism(48_000)
        isomorphism(8_000)
        kernels()
