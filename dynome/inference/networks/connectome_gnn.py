"""A graph network on a measured connectome that forecasts activity."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import xarray as xr

from dynome.dynamics.forecasting.series import Series
from dynome.errors import Problems
from dynome.inference.networks.network_forecaster import NetworkForecaster, add_share, add_size, known_of, table_of
from dynome.inference.networks.wirings import WIRING, chosen_wiring, wiring_of_edges
from dynome.schema import HORIZON, NODE

if TYPE_CHECKING:
    import torch
    from torch import nn

    from dynome.connectome.layers.making import LayerName
    from dynome.connectome.layers.message_graphs import MessageGraph
    from dynome.inference.networks.encoders import Temporal
    from dynome.inference.networks.graph_views import GraphViews
    from dynome.inference.networks.heads import HeadName


class ConnectomeGNN(NetworkForecaster):
    r"""Forecasts of every node from its own past and from those of its inputs in the connectome.

    Parameters
    ----------
    layer : {"signed", "gat", "gcn", "gin", "sage", "relation", "none"}
        How messages are passed. "signed" keeps excitation, inhibition and connections of unknown sign apart; "gat"
        weighs inputs by attention; see `dynome.connectome.make_layer`. "none" passes none: the same network of each
        node alone, to compare with.
    temporal : {"tcn", "gru", "attention"}
        How a node's context is read, by weights that all nodes share. "tcn" costs least.
    hidden : int
        Features of a node.
    n_layers : int
        Graph layers: how many connections a message can travel.
    heads : int
        Attentions of "gat"; must divide `hidden`.
    node_embedding : int
        Numbers that are learnt of each node that was recorded in training; 0 for none. Other nodes share one set.
    head : {"point", "gaussian", "poisson"}
        What is forecast: a value; a normal law, whose spread is recalibrated on the validation part; counts.
    residual : bool
        Forecast the change from the last observed value.
    edge_types : list of str or None
        Edge types that carry messages; None takes all. With ``layer="relation"`` each has weights of its own.
    weight : {"log", "count", "binary"}
        Weight of a connection.
    hidden_nodes : bool
        Let nodes that were not observed pass on what they receive. They are part of every step then, and cost time.
    connectome : Dataset or None
        None takes that of the part.
    n_epochs, patience : int
        Largest number of passes through the windows; passes without a better validation loss after which to stop.
    batch_size : int
        Windows of a step.
    learning_rate, weight_decay, dropout : float
        Of AdamW; share of the hidden features that are left out in a step.
    device : str
        "auto", "cpu", "cuda", ...
    checkpoint : path or None
        File to continue from where it exists, and to write to every few epochs.
    random_state : int or None
        Seed of the first weights and of the order of windows.

    Attributes
    ----------
    results_ : DataTree
        ``history validation (iteration)``, ``calibration (horizon)``, ``known (node)``: which nodes have an embedding
        of their own; ``/weights``, ``/wiring``.

    Notes
    -----
    With the context :math:`x_{i, t-L+1..t}` (and a mask of what is missing), the embedding :math:`e_i` and covariates
    u,

    .. math:: h_i^0 = g(\mathrm{time}(x_i) + E e_i + \mathrm{time}'(u)), \quad
              h_i^{l+1} = h_i^l + g(\mathrm{layer}(\mathrm{norm}(h^l))_i), \quad
              \hat x_{i, t+k} = x_{i,t} + w_k \cdot h_i^n + a_k \cdot x_i

    where g is the Gaussian error linear unit and the last term is linear in the context. Edges never join two windows.
    A node that has no value in a context sends no messages and is forecast from its embedding and its inputs. NaN among
    targets counts for nothing.

    Examples
    --------
    >>> from dynome.datasets import make_rate_network
    >>> from dynome.inference import forecasting_task
    >>> study = make_rate_network(n_animals=2, n_times=120, n_nodes=12, random_state=0)
    >>> task = forecasting_task(study, context=4, horizons=(1, 2), split="by_time")
    >>> model = ConnectomeGNN("gcn", hidden=8, n_epochs=2, random_state=0).fit(task.train, task.validation)
    >>> dict(model.predict(task.test).forecast.sizes)["node"]
    12
    """

    def __init__(
        self,
        layer: LayerName = "signed",
        temporal: Temporal = "tcn",
        *,
        hidden: int = 32,
        n_layers: int = 2,
        heads: int = 4,
        node_embedding: int = 8,
        head: HeadName = "point",
        residual: bool = True,
        edge_types: Sequence[str] | None = None,
        weight: Literal["log", "count", "binary"] = "log",
        hidden_nodes: bool = False,
        connectome: xr.Dataset | None = None,
        n_epochs: int = 40,
        patience: int = 6,
        batch_size: int = 128,
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-3,
        dropout: float = 0.1,
        device: str = "auto",
        checkpoint: str | os.PathLike[str] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.layer = layer
        self.temporal = temporal
        self.hidden = hidden
        self.n_layers = n_layers
        self.heads = heads
        self.node_embedding = node_embedding
        self.head = head
        self.residual = residual
        self.edge_types = edge_types
        self.weight = weight
        self.hidden_nodes = hidden_nodes
        self.connectome = connectome
        self.n_epochs = n_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.device = device
        self.checkpoint = checkpoint
        self.random_state = random_state

    @property
    def uses_wiring(self) -> bool:
        """Whether messages are passed."""
        return self.layer != "none"

    def _wiring(self, of_part: xr.Dataset | None) -> xr.Dataset | None:
        if not self.uses_wiring:
            return None
        return chosen_wiring(self.connectome, of_part, type(self).__name__)

    def _graph(self, about: xr.DataTree) -> MessageGraph:
        from dynome.connectome.layers.message_graphs import message_graph

        nodes = about[NODE].to_numpy()
        if WIRING in about.children:
            wiring = wiring_of_edges(about[WIRING].to_dataset(), nodes)
            graph = message_graph(wiring, nodes, edge_type=self.edge_types, weight=self.weight)
            if graph.relations:
                return graph
        return message_graph(([], []), nodes)  # no edge: one relation, as layers expect

    def _network(self, about: xr.DataTree, generator: torch.Generator) -> nn.Module:
        from dynome.inference.networks.graph_network import GraphNetwork, GraphSizes

        graph = self._graph(about)
        sizes = GraphSizes(
            n_nodes=graph.n_nodes,
            n_covariates=about["covariate_scale"].size,
            n_relations=max(1, graph.weight.shape[1]),
            n_edge_features=graph.feature.shape[1],
            context=int(about.attrs["context"]),
            n_horizons=about.sizes[HORIZON],
        )
        return GraphNetwork(
            sizes,
            layer=self.layer,
            temporal=self.temporal,
            hidden=self.hidden,
            n_layers=self.n_layers,
            heads=self.heads,
            node_embedding=self.node_embedding,
            head=self.head,
            residual=self.residual,
            dropout=self.dropout,
            generator=generator,
        )

    def _views(self, about: xr.DataTree, series: Series, device: str) -> GraphViews:
        from dynome.connectome.layers.message_graphs import moved
        from dynome.inference.networks.graph_views import GraphViews

        return GraphViews(
            series,
            table_of(about, series, device, self.head),
            moved(self._graph(about), device),
            known_of(about),
            batch_size=self.batch_size,
            hidden_nodes=self.hidden_nodes,
        )

    def _add_problems(self, problems: Problems) -> None:
        for name, least in (("hidden", 1), ("n_layers", 0), ("heads", 1), ("node_embedding", 0)):
            add_size(problems, name, getattr(self, name), least)
        add_share(problems, "dropout", self.dropout)
