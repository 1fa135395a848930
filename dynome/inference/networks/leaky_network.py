"""The network of `ConnectomeRNN`: leaky units on measured connections, with few numbers to learn.

Chemical synapses carry a function of the voltage of the source, with the sign that was measured; gap junctions carry
the difference of two voltages. A step is exact for what a unit would do if its inputs stood still, so that no time
constant makes it unstable.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from dynome.connectome.layers.message_graphs import MessageGraph, moved
from dynome.connectome.layers.propagation import propagate
from dynome.inference.networks.heads import HeadName, Said
from dynome.inference.networks.population_views import PopulationView

Synapse: TypeAlias = Literal["sigmoid", "relu"]

_LEAK, _GAIN, _FORCE = -1.5, -0.5, 2.0  # where learning begins, before the functions that keep their range


class Wires(NamedTuple):
    """Connections of one kind.

    Attributes
    ----------
    graph : MessageGraph
        Of that kind alone.
    strength : (E,)
        Counts, divided by the mean total input of a node.
    sign : (E,)
        1, -1, or 0 where it is not known.
    kind : (E,) int64
        Which gain the connection has.
    n_kinds : int
        How many gains there are.
    """

    graph: MessageGraph
    strength: Tensor
    sign: Tensor
    kind: Tensor
    n_kinds: int


class LeakyNetwork(nn.Module):
    """Forecasts of all nodes by simulation: ``(N, W, n_horizon)``."""

    def __init__(
        self,
        chemical: Wires,
        gap: Wires,
        *,
        n_nodes: int,
        n_covariates: int,
        horizons: tuple[int, ...],
        synapse: Synapse,
        head: HeadName,
    ) -> None:
        super().__init__()
        self.chemical, self.gap = chemical, gap
        self.horizons, self.synapse, self.head = horizons, synapse, head
        self.leak = nn.Parameter(torch.full((n_nodes,), _LEAK))
        self.bias = nn.Parameter(torch.zeros(n_nodes))
        self.force = nn.Parameter(torch.full((n_nodes,), _FORCE))
        self.gain = nn.Parameter(torch.full((chemical.n_kinds,), _GAIN))
        self.free_gain = nn.Parameter(torch.zeros(chemical.n_kinds))
        self.gap_gain = nn.Parameter(torch.full((gap.n_kinds,), 2 * _GAIN))
        self.drive = nn.Parameter(torch.zeros(n_nodes, n_covariates))
        if head == "gaussian":
            self.spread = nn.Parameter(torch.zeros(n_nodes, len(horizons)))

    def forward(self, view: PopulationView) -> Said:
        """Simulate through the context, held to what was observed, and on by itself."""
        step = self.stepper()
        v = torch.zeros_like(view.base)
        force = torch.sigmoid(self.force)[:, None]
        for k in range(view.value.shape[2]):
            if k:
                v = step(v, view.covariates[:, k - 1])
            v = v + force * view.known[:, :, k] * (view.value[:, :, k] - v)
        found = []
        for k in range(1, max(self.horizons) + 1):
            v = step(v, view.covariates[:, -1])
            if k in self.horizons:
                found.append(v)
        mean = torch.stack(found, dim=-1)
        if self.head != "gaussian":
            return Said(mean, None)
        return Said(mean, nn.functional.softplus(self.spread)[:, None].expand_as(mean) + 1e-3)

    def stepper(self) -> _Step:
        """One bin of the simulation, as a function of the voltages (N, W) and of covariates (W, C)."""
        weights, conductances = self.weights(), self.conductances()
        graphs = self.chemical.graph, self.gap.graph
        total = torch.zeros_like(self.leak).index_add(0, graphs[1].target, conductances)
        keep = torch.exp(-nn.functional.softplus(self.leak) * (1 + total))
        return _Step(*graphs, weights, conductances, total, keep, self.bias, self.drive, self.synapse)

    def weights(self) -> Tensor:
        """Signed weight of every chemical connection (E,)."""
        wires = self.chemical
        known = wires.sign * self.gain.exp()[wires.kind]
        return wires.strength * torch.where(wires.sign == 0, self.free_gain[wires.kind], known)

    def conductances(self) -> Tensor:
        """Conductance of every gap junction (E,), against that of the leak."""
        return self.gap.strength * self.gap_gain.exp()[self.gap.kind]

    def to(self, *arguments: Any, **options: Any) -> LeakyNetwork:
        """The network on another device, and its connections with it."""
        super().to(*arguments, **options)
        self.chemical, self.gap = (_there(wires, self.leak.device) for wires in (self.chemical, self.gap))
        return self

    def cpu(self) -> LeakyNetwork:
        """The network in main memory."""
        return self.to("cpu")


def _there(wires: Wires, device: torch.device) -> Wires:
    return wires._replace(
        graph=moved(wires.graph, device),
        strength=wires.strength.to(device),
        sign=wires.sign.to(device),
        kind=wires.kind.to(device),
    )


class _Step(NamedTuple):
    """What a step needs; computed once for all steps."""

    chemical: MessageGraph
    gap: MessageGraph
    weights: Tensor
    conductances: Tensor
    total: Tensor
    keep: Tensor
    bias: Tensor
    drive: Tensor
    synapse: Synapse

    def __call__(self, v: Tensor, covariates: Tensor) -> Tensor:
        out = torch.relu(v) if self.synapse == "relu" else torch.sigmoid(2 * v)
        driven = self.bias[:, None] + propagate(self.chemical, out, weight=self.weights)
        if self.conductances.numel():
            driven = driven + propagate(self.gap, v, weight=self.conductances)
        if self.drive.shape[1]:
            driven = driven + self.drive @ covariates.T
        rest = driven / (1 + self.total)[:, None]
        return rest + self.keep[:, None] * (v - rest)
