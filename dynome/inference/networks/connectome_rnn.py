"""A dynamical network whose connections are those of a connectome, fitted to activity."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.forecasting.series import Series
from dynome.errors import Problems, listed
from dynome.inference.networks.network_forecaster import NetworkForecaster, table_of
from dynome.inference.networks.wirings import WIRING, chosen_wiring, wiring_of_edges
from dynome.schema import EDGE, HORIZON, NODE, SOURCE, TARGET

if TYPE_CHECKING:
    import torch
    from torch import nn

    from dynome.connectome.layers.message_graphs import MessageGraph
    from dynome.inference.networks.leaky_network import Wires
    from dynome.inference.networks.population_views import PopulationViews

_MOST = 256  # windows of an epoch: there are few parameters


class ConnectomeRNN(NetworkForecaster):
    r"""Leaky units on a connectome, with measured signs and counts, and gains that are learnt by type of cell.

    Parameters
    ----------
    gains : {"pair", "source", "one"}
        One gain for each pair of types of cell that is connected, one for each type of source, or one for all; and
        another for each sign. Types are the coordinate ``cell_type (node)`` of the connectome; without it all nodes are
        of one type.
    synapse : {"sigmoid", "relu"}
        What a chemical synapse passes on, of the voltage of its source.
    head : {"point", "gaussian"}
        What is forecast: a value, or a normal law whose spread is recalibrated on the validation part.
    edge_types : list of str or None
        Edge types to use; None takes all. Gap junctions (``"gap_junction"``) are diffusive, all others chemical.
    connectome : Dataset or None
        None takes that of the part.
    n_epochs, patience : int
        Largest number of passes (through at most 256 windows each); passes without a better validation loss after
        which to stop.
    batch_size : int
        Windows of a step.
    learning_rate, weight_decay : float
        Of AdamW.
    device : str
        "auto", "cpu", "cuda", ...
    checkpoint : path or None
        File to continue from where it exists, and to write to every few epochs.
    random_state : int or None
        Seed of the order of windows.

    Attributes
    ----------
    results_ : DataTree
        ``history validation (iteration)``, ``time_constant (node)`` in seconds, ``calibration (horizon)``;
        ``/effective`` with ``source target edge_type weight (edge)``, weights as they act; ``/weights``, ``/wiring``.

    Notes
    -----
    .. math:: \tau_i \dot v_i = -v_i + b_i + \sum_j s_{ij} n_{ij} g_{c(i) c(j)} \phi(v_j)
              + \sum_j n'_{ij} g'_{c(i) c(j)} (v_j - v_i) + d_i \cdot u

    with counts n, signs s, and gains :math:`g > 0` of pairs of types [1]_, one for each sign; where a sign is not
    known, the gain of the pair may have either. Values are standardized activity. The network runs through the context,
    where each node that was observed is drawn towards its value (how much is learnt), and then by itself; nodes that
    were not observed are simulated. A step is exponential Euler, stable for every time constant; the loss is that of
    all horizons.

    References
    ----------
    .. [1] Lappalainen et al., Nature 634 (2024), doi:10.1038/s41586-024-07939-3.

    Examples
    --------
    >>> from dynome.datasets import make_rate_network
    >>> from dynome.inference import forecasting_task
    >>> study = make_rate_network(n_animals=2, n_times=120, n_nodes=12, random_state=0)
    >>> task = forecasting_task(study, context=4, horizons=(1, 2), split="by_time")
    >>> model = ConnectomeRNN(n_epochs=2, random_state=0).fit(task.train)
    >>> model.results_["effective/weight"].dims
    ('edge',)
    """

    _lower = "batch_size"

    def __init__(
        self,
        gains: Literal["pair", "source", "one"] = "pair",
        *,
        synapse: Literal["sigmoid", "relu"] = "sigmoid",
        head: Literal["point", "gaussian"] = "point",
        edge_types: list[str] | None = None,
        connectome: xr.Dataset | None = None,
        n_epochs: int = 60,
        patience: int = 10,
        batch_size: int = 32,
        learning_rate: float = 5e-2,
        weight_decay: float = 0.0,
        device: str = "auto",
        checkpoint: str | os.PathLike[str] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.gains = gains
        self.synapse = synapse
        self.head = head
        self.edge_types = edge_types
        self.connectome = connectome
        self.n_epochs = n_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.device = device
        self.checkpoint = checkpoint
        self.random_state = random_state

    @property
    def uses_wiring(self) -> bool:
        """Always."""
        return True

    def _wiring(self, of_part: xr.Dataset | None) -> xr.Dataset | None:
        return chosen_wiring(self.connectome, of_part, type(self).__name__)

    def _network(self, about: xr.DataTree, generator: torch.Generator) -> nn.Module:
        from dynome.inference.networks.leaky_network import LeakyNetwork

        chemical, gap = self._wires(about)
        return LeakyNetwork(
            chemical,
            gap,
            n_nodes=about.sizes[NODE],
            n_covariates=about["covariate_scale"].size,
            horizons=tuple(about[HORIZON].to_numpy().tolist()),
            synapse=self.synapse,
            head=self.head,
        )

    def _views(self, about: xr.DataTree, series: Series, device: str) -> PopulationViews:
        from dynome.inference.networks.population_views import PopulationViews

        table = table_of(about, series, device, self.head)
        return PopulationViews(series, table, batch_size=self.batch_size, most=_MOST)

    def _learnt(self, network: Any, series: Series) -> dict[str, xr.Dataset]:
        def numbers(tensor: torch.Tensor) -> NDArray[np.float64]:
            return np.asarray(tensor.detach().cpu().double().numpy())

        leak = np.logaddexp(0, numbers(network.leak))
        root = xr.Dataset(
            {"time_constant": (NODE, series.interval / leak, {"units": "s", "long_name": "time constant"})}
        )
        kinds = (
            (network.chemical, network.weights(), "chemical"),
            (network.gap, network.conductances(), "gap_junction"),
        )
        names = network.chemical.graph.nodes
        columns = {
            SOURCE: np.concatenate([names[w.graph.source.cpu().numpy()] for w, _, _ in kinds]),
            TARGET: np.concatenate([names[w.graph.target.cpu().numpy()] for w, _, _ in kinds]),
            "edge_type": np.concatenate([np.full(v.numel(), name) for _, v, name in kinds]),
        }
        weight = np.concatenate([numbers(values) for _, values, _ in kinds])
        edges = xr.Dataset({name: (EDGE, values) for name, values in columns.items()})
        return {"": root, "effective": edges.assign(weight=(EDGE, weight, {"units": "1"}))}

    def _wires(self, about: xr.DataTree) -> tuple[Wires, Wires]:
        """Chemical connections and gap junctions."""
        from dynome import schema

        nodes = about[NODE].to_numpy()
        wiring = wiring_of_edges(about[WIRING].to_dataset(), nodes)
        found, _ = schema.edge_types(wiring)
        wanted = found if self.edge_types is None else [name for name in found if name in self.edge_types]
        types = about["cell_type"].to_numpy() if "cell_type" in about.coords else np.full(nodes.size, "")
        chemical = [name for name in wanted if name != "gap_junction"]
        gap = [name for name in wanted if name == "gap_junction"]
        return self._of_kind(wiring, nodes, types, chemical), self._of_kind(wiring, nodes, types, gap)

    def _of_kind(self, wiring: xr.Dataset, nodes: NDArray[Any], types: NDArray[Any], edge_types: list[str]) -> Wires:
        import torch

        from dynome.connectome.layers.message_graphs import message_graph
        from dynome.inference.networks.leaky_network import Wires

        graph = message_graph(wiring, nodes, edge_type=edge_types) if edge_types else message_graph(([], []), nodes)
        count = graph.weight.abs().sum(1)
        total = torch.zeros(graph.n_nodes).index_add(0, graph.target, count)
        mean = total[total > 0].mean() if bool((total > 0).any()) else torch.ones(())
        sign = torch.sign((graph.weight.abs() * graph.sign).sum(1))
        pairs = np.column_stack([self._pairs(graph, types), sign.numpy().astype(np.int64)])
        _, kind = np.unique(pairs, axis=0, return_inverse=True)
        n_kinds = int(kind.max(initial=-1)) + 1
        return Wires(graph, count / mean, sign, torch.from_numpy(kind.reshape(-1).astype(np.int64)), n_kinds)

    def _pairs(self, graph: MessageGraph, types: NDArray[Any]) -> NDArray[np.int64]:
        _, code = np.unique(types, return_inverse=True)
        ends = np.stack([code[graph.source.numpy()], code[graph.target.numpy()]], axis=1).astype(np.int64)
        if self.gains == "pair":
            return ends
        return ends * np.array([1, 0]) if self.gains == "source" else ends * 0

    def _add_problems(self, problems: Problems) -> None:
        for name, known in (("gains", ("pair", "source", "one")), ("synapse", ("sigmoid", "relu"))):
            if getattr(self, name) not in known:
                problems.add(f"{name} must be one of {listed(known)}, got {getattr(self, name)!r}")
        if self.head == "poisson":
            problems.add("head must be 'point' or 'gaussian' for ConnectomeRNN, got 'poisson'")
