"""One training step of the graph encoder beside PyTorch Geometric and STAGIN's sparse matrices: one thread, CPU time.

    OMP_NUM_THREADS=1 python benchmarks/graph_encoder.py

Four GIN layers, hidden 64, on 16 graphs of 400 nodes, each graph another one. All cases use the weights of one encoder,
batch norm included, and start from the same embeddings; their outputs are compared before anything is timed. Rounds
take turns, and the least time of each is kept.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch_geometric.nn import GINConv

from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch, Clip, batch_of
from dynome.inference.dynamic_graphs.penalty import orthogonality
from dynome.inference.dynamic_graphs.predictor import ScanPredictor
from dynome.inference.dynamic_graphs.scans import scans_of
from dynome.inference.dynamic_graphs.settings import EncoderSettings, GraphSettings
from dynome.training.noise import seed_noise, seeded

GRAPHS, NODES, HIDDEN, LAYERS = 16, 400, 64, 4
Case = Callable[[], object]


def seconds(cases: dict[str, Case], rounds: int = 6) -> dict[str, float]:
    best = dict.fromkeys(cases, np.inf)
    for case in cases.values():
        case()
    for _ in range(rounds):
        for name, case in cases.items():
            started = time.process_time()
            case()
            best[name] = min(best[name], time.process_time() - started)
    return best


def bold(n_scans: int, n_time: int) -> dict[str, xr.DataArray]:
    rng = np.random.default_rng(0)
    clock = ("time", 2.0 * np.arange(n_time), {"units": "s"})
    coords = {"time": clock, "node": [f"r{k:03d}" for k in range(NODES)]}
    return {
        f"p{k:02d}": xr.DataArray(
            rng.standard_normal((n_time, 20)) @ rng.standard_normal((20, NODES)) + rng.standard_normal((n_time, NODES)),
            coords,
            ("time", "node"),
        )
        for k in range(n_scans)
    }


def graphs(density: float) -> Batch:
    """Four windows of each of four scans."""
    scans = scans_of(bold(4, 200), GraphSettings(100, 66, density=density))
    return batch_of(scans, Clip(np.arange(4), np.tile(np.arange(4), (4, 1))))


def pyg(encoder: GraphEncoder, edges: Tensor) -> Tensor:
    h = encoder.identity.repeat(GRAPHS, 1)
    for layer in encoder.layers:
        h = layer.mix(GINConv(nn.Identity())(h, edges))
    return h


def sparse(encoder: GraphEncoder, matrix: Tensor) -> Tensor:
    h = encoder.identity.repeat(GRAPHS, 1)
    for layer in encoder.layers:
        h = layer.mix(torch.sparse.mm(matrix, h) + layer.eps * h)
    return h


def block_diagonal(a: Tensor) -> Tensor:
    """As STAGIN does in each forward pass: positions of all edges, shifted graph by graph."""
    graph, row, column = a.flatten(0, 1).nonzero().T
    place = torch.stack([row, column]) + NODES * graph
    return torch.sparse_coo_tensor(place, torch.ones(graph.numel()), (GRAPHS * NODES, GRAPHS * NODES)).coalesce()


def step(encoder: GraphEncoder, forward: Callable[[], Tensor]) -> Case:
    def once() -> Tensor:
        encoder.zero_grad()
        h = forward()
        h.square().mean().backward()
        return h.detach()

    return once


def encoders(density: float) -> None:
    batch = graphs(density)
    with seeded(np.random.default_rng(0)) as generator:
        encoder = GraphEncoder(NODES, EncoderSettings(HIDDEN, LAYERS), generator)
        visible = torch.rand(1, 1, NODES).expand(4, 4, -1) > 0.2
    coo = block_diagonal(batch.adjacency)
    csr = coo.to_sparse_csr()
    off = coo.indices()[:, coo.indices()[0] != coo.indices()[1]]
    cases = {
        "PyG GINConv, edges ready": step(encoder, lambda: pyg(encoder, off)),
        "torch.sparse COO, matrix ready": step(encoder, lambda: sparse(encoder, coo)),
        "torch.sparse COO, made in each step (STAGIN)": step(
            encoder, lambda: sparse(encoder, block_diagonal(batch.adjacency))
        ),
        "torch.sparse CSR, matrix ready": step(encoder, lambda: sparse(encoder, csr)),
        "GraphEncoder": step(encoder, lambda: encoder(batch)[-1].flatten(0, 2)),
        "GraphEncoder, a fifth of the nodes hidden": step(encoder, lambda: encoder(batch, visible=visible)[-1]),
    }
    first = cases["PyG GINConv, edges ready"]()
    for name, case in cases.items():
        if "hidden" not in name:
            torch.testing.assert_close(case(), first, atol=2e-3, rtol=2e-3)
    found = seconds(cases)
    print(f"\nDensity {density:.0%}, {off.shape[1] // GRAPHS:,} edges a graph besides self loops\n")
    print("| | CPU ms | ratio |\n|---|---|---|")
    for name, value in found.items():
        print(f"| {name} | {1e3 * value:,.1f} | {found['PyG GINConv, edges ready'] / value:,.1f} |", flush=True)
    x, y = torch.randn(1024, 1024), torch.randn(1024, 1024)
    rate = 2 * 1024**3 / seconds({"": lambda: x @ y}, 20)[""]
    flop = GRAPHS * LAYERS * (2 * 2 * NODES**2 * HIDDEN + 3 * 4 * NODES * HIDDEN**2)
    # The first layer's product with A is one for all graphs, and of the same size.
    print(f"\n{flop / 1e9:.2f} GFLOP; sgemm {rate / 1e9:.0f} GFLOP/s in this run: at least {1e3 * flop / rate:.1f} ms")


def whole_step() -> None:
    """Where the time of a step of GraphClassifier goes: 4 scans x 28 windows x 400 regions, hidden 128."""
    scans = scans_of(bold(4, 500), GraphSettings(100, 32))
    clip = Clip(np.arange(4), np.tile(np.arange(min(s.starts.size for s in scans.scans)), (4, 1))[:, :28])
    batch = batch_of(scans, clip, activity=True)
    with seeded(np.random.default_rng(0)) as generator:
        network = ScanPredictor(GraphEncoder(NODES, EncoderSettings(128, LAYERS, "gru"), generator), NODES, 2)
    seed_noise(network, np.random.default_rng(0), "cpu")
    encoder = network.encoder

    def once(penalty: bool) -> Case:
        def run() -> None:
            network.zero_grad()
            seen = network.windows(batch)
            value = network.answer(seen.vectors).output.square().mean()
            if penalty:
                value = value + 1e-5 * torch.stack([orthogonality(h) for h in seen.nodes]).sum()
            value.backward()

        return run

    cases = {
        "graphs: read, correlate, cut": lambda: batch_of(scans, clip, activity=True),
        "recurrent timestamp": step(encoder, lambda: encoder.stamps(batch)),
        "encoder, timestamp included": step(encoder, lambda: torch.stack(encoder(batch))),
        "encoder, readouts, attention over time": once(False),
        "the same with the penalty on orthogonality": once(True),
    }
    shape = f"{clip.window.shape[0]} scans x {clip.window.shape[1]} windows x {NODES} regions"
    print(f"\nOne step of GraphClassifier, {shape}, hidden 128, 4 layers, forward and backward\n")
    print("| | CPU ms |\n|---|---|")
    for name, value in seconds(cases, 3).items():
        print(f"| {name} | {1e3 * value:,.0f} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Sparse")
    for density in (0.3, 0.05):
        encoders(density)
    whole_step()
