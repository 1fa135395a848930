"""What an answer owes to the edges of a graph, or to the presence of a region: kernels of `attribution`.

A scan comes as the list of its `Batch` chunks (B = 1), all windows in order. `pick` makes one number of an output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.dynamic_graphs.predictor import ScanPredictor

Pick = Callable[[Tensor], Tensor]


class Influence(NamedTuple):
    """What a scan's answer owes to its parts.

    Attributes
    ----------
    parts : (T, ...)
        Of each window.
    answer, reference : float
        Of the scan as it is, and of the reference graph in all its windows (or without any region, NaN).
    """

    parts: Tensor
    answer: float
    reference: float


def mean_graph(batches: Sequence[Batch]) -> Tensor:
    """Share of the windows in which there is an edge, (N, N)."""
    total = sum(batch.adjacency.sum((0, 1)) for batch in batches)
    return torch.as_tensor(total) / sum(batch.adjacency.shape[1] for batch in batches)


def along_path(
    network: ScanPredictor,
    chunks: Sequence[Batch],
    reference: Tensor,
    pick: Pick,
    summarize: Callable[[Tensor], Tensor],
    n_steps: int,
) -> Influence:
    """Integrated gradients of an answer along the straight path from a reference graph to the graphs of a scan.

    Parameters
    ----------
    network : ScanPredictor
        In evaluation mode.
    chunks : sequence of Batch
    reference : (N, N)
    pick : callable
        From (B, n_outputs) to (B,).
    summarize : callable
        From what is due to edges (T, N, N), the same in both directions, to (T, ...).
    n_steps : int
        Points of the path, at the middles of equal steps.

    Returns
    -------
    Influence
        What is due to all edges adds up to answer less reference, but for the finite number of points.
    """
    slopes = [torch.zeros_like(chunk.adjacency) for chunk in chunks]
    for k in range(n_steps):
        share = (k + 0.5) / n_steps
        here = [c._replace(adjacency=torch.lerp(reference.expand_as(c.adjacency), c.adjacency, share)) for c in chunks]
        of_vectors = _vector_slopes(network, here, pick)
        start = 0
        for slope, chunk in zip(slopes, here, strict=True):
            stop = start + chunk.adjacency.shape[1]
            graph = chunk.adjacency.requires_grad_()
            vectors = network.windows(chunk).vectors
            (found,) = torch.autograd.grad(vectors, graph, [v[:, start:stop] for v in of_vectors])
            slope += found / n_steps
            start = stop
    parts = []
    for slope, chunk in zip(slopes, chunks, strict=True):
        due = ((chunk.adjacency - reference) * slope)[0]
        parts.append(summarize((due + due.mT) / 2))
    return Influence(
        torch.cat(parts),
        said(network, chunks, pick),
        said(network, [c._replace(adjacency=reference.expand_as(c.adjacency)) for c in chunks], pick),
    )


def without_regions(network: ScanPredictor, chunks: Sequence[Batch], pick: Pick) -> Influence:
    """How much an answer falls when a region is not there in one window.

    Parameters
    ----------
    network : ScanPredictor
        In evaluation mode.
    chunks : sequence of Batch
    pick : callable
        From (B, n_outputs) to (B,).

    Returns
    -------
    Influence
        Parts are (T, N): the answer less that without the region.
    """
    whole = _vectors(network, chunks)
    n_windows, n_nodes = whole[0].shape[1], chunks[0].adjacency.shape[-1]
    answer = said(network, chunks, pick)
    here = torch.eye(n_windows, dtype=torch.bool, device=whole[0].device)[..., None]
    fall = []
    for node in range(n_nodes):
        lacking = _vectors(network, chunks, node)
        swapped = [torch.where(here, less, full) for less, full in zip(lacking, whole, strict=True)]
        with torch.no_grad():
            fall.append(answer - pick(network.answer(swapped).output))
    return Influence(torch.stack(fall, 1), answer, float("nan"))


def said(network: ScanPredictor, chunks: Sequence[Batch], pick: Pick) -> float:
    """The picked number of one scan.

    Parameters
    ----------
    network : ScanPredictor
        In evaluation mode.
    chunks : sequence of Batch
    pick : callable
        From (B, n_outputs) to (B,).
    """
    with torch.no_grad():
        return float(pick(network.answer(_vectors(network, chunks)).output))


def _vectors(network: ScanPredictor, chunks: Sequence[Batch], lacking: int | None = None) -> list[Tensor]:
    """Vectors of all windows, one (1, T, d) a layer, with all regions or without one."""
    found = []
    with torch.no_grad():
        for chunk in chunks:
            visible = torch.ones(chunk.adjacency.shape[:3], dtype=torch.bool, device=chunk.adjacency.device)
            if lacking is not None:
                visible[..., lacking] = False
            nodes = network.encoder(chunk, visible=None if lacking is None else visible)
            found.append([readout(h)[0] for readout, h in zip(network.readouts, nodes, strict=True)])
    return [torch.cat(layer, 1) for layer in zip(*found, strict=True)]


def _vector_slopes(network: ScanPredictor, chunks: Sequence[Batch], pick: Pick) -> list[Tensor]:
    vectors = [v.requires_grad_() for v in _vectors(network, chunks)]
    return list(torch.autograd.grad(pick(network.answer(vectors).output).sum(), vectors))
