"""How a graph network sees a series: windows in which the same nodes were observed share one graph.

A node that was not observed in a context sends no messages, unless asked. What others receive then does not depend on
it, so that training leaves it out altogether, and forecasting computes it from its neighbours.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.dynamics.forecasting.series import Series
from dynome.inference.networks.fitting import Batch, in_chunks
from dynome.inference.networks.graph_network import GraphView
from dynome.inference.networks.subgraphs import restricted
from dynome.inference.networks.tables import Table, groups, mixed, observed

Integers = NDArray[np.int64]

_STRETCH = 32  # neighbouring windows of a batch


class GraphViews:
    """Views of a series through a graph.

    Parameters
    ----------
    series : Series
    table : Table
        Of the series, on the device of the graph.
    graph : MessageGraph
        On the nodes of the series.
    known : (N,) bool
        Nodes that have an embedding of their own.
    batch_size : int
        Windows.
    hidden_nodes : bool
        Whether nodes send messages when they are not observed.
    """

    def __init__(
        self,
        series: Series,
        table: Table,
        graph: MessageGraph,
        known: NDArray[np.bool_],
        *,
        batch_size: int,
        hidden_nodes: bool,
    ) -> None:
        self.series, self.table, self.graph = series, table, graph
        self.identity = np.where(known, np.arange(known.size) + 1, 0)
        self.batch_size, self.hidden_nodes = batch_size, hidden_nodes
        self.seen = observed(series)
        self._graphs: dict[bytes, MessageGraph] = {}

    def batches(self, origin: Integers, rng: np.random.Generator | None) -> list[Batch]:
        """Mini-batches of windows in which the same nodes were observed."""
        everything = np.arange(self.series.nodes.size)
        found = []
        for seen, at in groups(self.seen[origin]):
            sends = np.ones_like(seen) if self.hidden_nodes else seen
            if rng is None:
                parts = in_chunks(origin[at], everything.size)
                found += [Batch(part, everything, sends) for part in parts]
            elif seen.any():
                nodes = everything[sends]
                parts = mixed(origin[at], min(_STRETCH, self.batch_size), self.batch_size, rng)
                found += [Batch(part, nodes, sends) for part in parts]
        return found if rng is None else [found[k] for k in rng.permutation(len(found))]

    def view(self, batch: Batch) -> GraphView:
        """The windows of a batch, and the graph of those who send."""
        device = self.table.value.device
        seen = self.seen[batch.origin[0], batch.nodes]
        inside = np.flatnonzero(seen)
        bins = np.unique(batch.origin[:, None] + np.arange(1 - self.series.context, 1))
        nodes, columns = (torch.from_numpy(a).to(device) for a in (batch.nodes, bins))
        rows = torch.from_numpy(batch.nodes[inside]).to(device)[:, None]
        origin = torch.from_numpy(batch.origin).to(device)
        base = torch.zeros(batch.nodes.size, batch.origin.size, device=device)
        base[torch.from_numpy(inside).to(device)] = self.table.base[rows, origin]
        return GraphView(
            graph=self._graph(batch, nodes),
            identity=torch.from_numpy(self.identity[batch.nodes]).to(device),
            observed=torch.from_numpy(inside).to(device),
            x=torch.stack([self.table.value[rows, columns], self.table.known[rows, columns]], dim=-1),
            covariates=self.table.covariates[columns],
            last=torch.from_numpy(np.searchsorted(bins, batch.origin)).to(device),
            base=base,
        )

    def regraph(self, graph: MessageGraph) -> None:
        """See the series through another graph."""
        self.graph, self._graphs = graph, {}

    def _graph(self, batch: Batch, nodes: torch.Tensor) -> MessageGraph:
        key = np.packbits(batch.sends).tobytes() + batch.nodes.tobytes()
        if key not in self._graphs:
            sends = torch.from_numpy(batch.sends).to(nodes.device)
            self._graphs[key] = restricted(self.graph, nodes, sends)
        return self._graphs[key]
