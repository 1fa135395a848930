"""Networks without a graph: one state for the whole population, read by a recurrent network or by attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynome.connectome.layers.linear_maps import linear
from dynome.inference.networks.graph_network import silent
from dynome.inference.networks.heads import HeadName, Said, n_outputs, said
from dynome.inference.networks.population_views import PopulationView
from dynome.training.noise import Dropout


class PopulationNetwork(nn.Module):
    """Forecasts of all nodes from the state of the population after the context: ``(N, W, n_horizon)``.

    Parameters
    ----------
    core : Module
        ``core(tokens (W, context, hidden)) -> (W, hidden)``.
    """

    def __init__(
        self,
        core: nn.Module,
        *,
        n_nodes: int,
        n_covariates: int,
        n_horizons: int,
        hidden: int,
        head: HeadName,
        residual: bool,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.core, self.head, self.residual = core, head, residual
        self.n_horizons = n_horizons
        self.entry = linear(2 * n_nodes + n_covariates, hidden, generator)
        self.dropout = Dropout(dropout)
        self.readout = silent(hidden, n_nodes * n_horizons * n_outputs(head))

    def forward(self, view: PopulationView) -> Said:
        """Forecasts of the windows of a view."""
        nodes = torch.cat([view.value, view.known]).permute(1, 2, 0)
        state = self.core(self.entry(torch.cat([nodes, view.covariates], dim=-1)))
        raw: Tensor = self.readout(self.dropout(state))
        raw = raw.reshape(raw.shape[0], view.value.shape[0], self.n_horizons, -1).transpose(0, 1)
        base = view.base if self.residual or self.head == "poisson" else torch.zeros_like(view.base)
        return said(self.head, raw, base[..., None])


class RecurrentCore(nn.Module):
    """Gated recurrent layers; the state after the last bin."""

    def __init__(self, hidden: int, n_layers: int) -> None:
        super().__init__()
        self.cell = nn.GRU(hidden, hidden, num_layers=n_layers)

    def forward(self, tokens: Tensor) -> Tensor:
        """(W, context, hidden) to (W, hidden)."""
        _, state = self.cell(tokens.transpose(0, 1).contiguous())
        last: Tensor = state[-1]
        return last


class TransformerCore(nn.Module):
    """Attention among the bins of a context; the state of the last one."""

    def __init__(self, hidden: int, n_layers: int, heads: int, context: int, dropout: float) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.empty(context, hidden))
        nn.init.normal_(self.position, std=0.1)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(2 * n_layers))
        self.attentions = nn.ModuleList(nn.MultiheadAttention(hidden, heads, batch_first=True) for _ in range(n_layers))
        wide = ((nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden)) for _ in range(n_layers))
        self.wide = nn.ModuleList(nn.Sequential(*parts) for parts in wide)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """(W, context, hidden) to (W, hidden)."""
        h = tokens + self.position
        norms = list(self.norms)
        for before, after, attention, wide in zip(norms[::2], norms[1::2], self.attentions, self.wide, strict=True):
            x = before(h)
            h = h + self.dropout(attention(x, x, x, need_weights=False)[0])
            h = h + self.dropout(wide(after(h)))
        return h[:, -1]
