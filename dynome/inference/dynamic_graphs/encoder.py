"""The graph encoder: what each region is, seen through the graph of each window.

Graph isomorphism layers [1]_ on dense adjacency. At the densities of functional connectivity (5 % of all pairs and
more) a batched matrix product is the fastest way on CPUs and GPUs alike (`benchmarks/graph_encoder.py`), and it keeps
every window by itself: no edge can cross windows.

References
----------
.. [1] Xu, Hu, Leskovec & Jegelka (2019), ICLR, arXiv:1810.00826.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from dynome.errors import InputError
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.dynamic_graphs.settings import EncoderSettings

_SHORTEST, _LONGEST = 4.0, 4e4  # seconds: periods of the sinusoidal timestamp


class GraphEncoder(nn.Module):
    """Node embeddings of every window, layer by layer.

    Parameters
    ----------
    n_nodes : int
        Regions; each has an embedding of its own, so that an encoder belongs to one atlas.
    settings : EncoderSettings
    generator : Generator
        Of the first embeddings; the rest is drawn from torch's default generator (`dynome.training.noise.seeded`).
    """

    def __init__(self, n_nodes: int, settings: EncoderSettings, generator: torch.Generator) -> None:
        super().__init__()
        d = settings.hidden
        self.settings = settings
        self.identity = nn.Parameter(torch.empty(n_nodes, d).normal_(generator=generator))
        self.reader = nn.GRU(n_nodes, d, batch_first=True) if settings.timestamp == "gru" else None
        self.timestamp = nn.Linear(d, d) if settings.timestamp != "none" else None
        self.layers = nn.ModuleList(GraphIsomorphism(d) for _ in range(settings.n_layers))

    def forward(self, batch: Batch, *, adjacency: Tensor | None = None, visible: Tensor | None = None) -> list[Tensor]:
        """Embeddings of the nodes.

        Parameters
        ----------
        batch : Batch
            With activity if the timestamp is "gru".
        adjacency : (B, T, N, N) or None
            Takes the place of that of the batch.
        visible : (B, T, N) bool or None
            Hidden nodes get no input, send and receive nothing, count in no statistics and are 0 in the result. With
            the timestamp "gru" the activity of a hidden node is not read either; its nodes must then be the same for
            all windows of a clip.

        Returns
        -------
        list of (B, T, N, d)
            One for each layer.

        Raises
        ------
        InputError
            If hidden nodes change from window to window and the timestamp is "gru".
        """
        a = batch.adjacency if adjacency is None else adjacency
        stamp = self.stamps(batch, visible)
        if visible is None:
            return self._encode(a, stamp)
        flat = visible.reshape(-1)
        rows = flat.nonzero().squeeze(1)
        h = (self.identity if stamp is None else self.identity + stamp[:, :, None]).expand(*a.shape[:3], -1)
        h = h * visible[..., None]
        found = []
        for layer in self._layers():
            seen = layer.gathered(a, h).flatten(0, 2).index_select(0, rows)
            mixed = layer.mix(seen)
            h = mixed.new_zeros(flat.numel(), mixed.shape[1]).index_copy(0, rows, mixed).reshape(h.shape)
            found.append(h)
        return found

    def stamps(self, batch: Batch, visible: Tensor | None = None) -> Tensor | None:
        """What every node is told about the time of its window, (B, T, d), or None.

        Parameters
        ----------
        batch : Batch
        visible : (B, T, N) bool or None
        """
        if self.timestamp is None:
            return None
        if self.reader is None:
            told: Tensor = self.timestamp(waves(batch.seconds, self.settings.hidden))
            return told
        x = batch.activity
        if x is None:
            raise InputError("timestamp='gru' reads the activity; make the batch with activity=True")
        if visible is not None:
            if not bool((visible == visible[:, :1]).all()):
                raise InputError(
                    "with timestamp='gru' the same nodes must be hidden in all windows of a clip: the recurrent "
                    "network reads the activity of every node that is visible in any of them"
                )
            x = x * visible[:, :1]
        states = self.reader(x)[0]
        at = batch.last[..., None].expand(-1, -1, states.shape[-1])
        told = self.timestamp(states.gather(1, at))
        return told

    def _layers(self) -> list[GraphIsomorphism]:
        return [cast("GraphIsomorphism", layer) for layer in self.layers]

    def _encode(self, a: Tensor, stamp: Tensor | None) -> list[Tensor]:
        """All nodes visible: the first layer needs one product for all windows, as they share the embeddings."""
        found: list[Tensor] = []
        layers = self._layers()
        first = layers[0]
        gathered = a @ self.identity + first.eps * self.identity
        if stamp is not None:
            gathered = gathered + (a.sum(-1, keepdim=True) + first.eps) * stamp[:, :, None]
        for layer in layers:
            h = layer.mix((gathered if not found else layer.gathered(a, found[-1])).flatten(0, 2))
            found.append(h.reshape(*a.shape[:3], -1))
        return found


class GraphIsomorphism(nn.Module):
    r"""One layer: :math:`h \leftarrow \mathrm{MLP}(A h + \epsilon h)`, with self loops in A.

    Parameters
    ----------
    d : int
        Features.
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(()))
        self.mix = nn.Sequential(
            nn.Linear(d, d), nn.BatchNorm1d(d), nn.ReLU(), nn.Linear(d, d), nn.BatchNorm1d(d), nn.ReLU()
        )

    def gathered(self, a: Tensor, h: Tensor) -> Tensor:
        """What reaches each node from its neighbours and itself, (B, T, N, d)."""
        return torch.matmul(a, h) + self.eps * h


def waves(seconds: Tensor, d: int) -> Tensor:
    """Sines and cosines of time with periods from seconds to hours.

    Parameters
    ----------
    seconds : (...)
    d : int
        Features of the result.

    Returns
    -------
    (..., d)

    Examples
    --------
    >>> waves(torch.tensor([0.0]), 4).tolist()
    [[0.0, 0.0, 1.0, 1.0]]
    """
    n = (d + 1) // 2
    ratio = math.log(_LONGEST / _SHORTEST) / max(n - 1, 1)
    periods = _SHORTEST * torch.exp(ratio * torch.arange(n, device=seconds.device))
    phase = 2 * math.pi * seconds[..., None] / periods
    return torch.cat([phase.sin(), phase.cos()], -1)[..., :d]
