"""The supervised network: encoder, readout, attention over time, and one answer that all layers add up to.

The layout is STAGIN's [1]_, save that what is dropped before an answer is features of a scan and not parts of the
answer. `GraphClassifier` and `GraphRegressor` train it.

References
----------
.. [1] Kim, Ye & Kim (2021), NeurIPS, arXiv:2105.13495.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self, cast

import torch
from torch import Tensor, nn

from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.dynamic_graphs.readouts import ReadoutName, readout_of
from dynome.inference.dynamic_graphs.time_attention import Summary, TimeAttention
from dynome.training.noise import Dropout

_ELSEWHERE = 0.2  # dropout of attention, of that of the answer: 0.1 beside 0.5


class Windows(NamedTuple):
    """What the network makes of windows one by one.

    Attributes
    ----------
    nodes : list of (B, T, N, d)
        Embeddings of each layer.
    vectors : list of (B, T, d)
        Their readouts.
    attention : (layer, B, T, N)
        How much each region counted.
    """

    nodes: list[Tensor]
    vectors: list[Tensor]
    attention: Tensor


class Answer(NamedTuple):
    """What the network says of scans.

    Attributes
    ----------
    output : (B, n_outputs)
        Logits, or standardized values.
    attention : (layer, B, T)
        How much each window was attended to; sums to 1 over the windows.
    """

    output: Tensor
    attention: Tensor


class ScanPredictor(nn.Module):
    """A number or a class for each scan.

    Parameters
    ----------
    encoder : GraphEncoder
    n_nodes, n_outputs : int
        Regions; classes or values.
    readout : str
        As in `readout_of`.
    heads : int
        Of the attention over time.
    summary : {"mean", "sum", "token"}
        As in `TimeAttention`.
    dropout : float
        Of the answer; attention leaves out a fifth of that.
    frozen : bool
        Whether the encoder stays as it is, its statistics included.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        n_nodes: int,
        n_outputs: int,
        *,
        readout: ReadoutName = "sero",
        heads: int = 1,
        summary: Summary = "mean",
        dropout: float = 0.5,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.encoder, self.frozen = encoder, frozen
        d, layers = encoder.settings.hidden, range(encoder.settings.n_layers)
        inside = _ELSEWHERE * dropout
        self.readouts = nn.ModuleList(readout_of(readout, n_nodes, d, inside) for _ in layers)
        self.times = nn.ModuleList(TimeAttention(d, heads, inside, summary) for _ in layers)
        self.heads = nn.ModuleList(nn.Sequential(Dropout(dropout), nn.Linear(d, n_outputs)) for _ in layers)
        if frozen:
            encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """As of every module; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def forward(self, batch: Batch) -> Answer:
        """From clips to an answer each."""
        return self.answer(self.windows(batch).vectors)

    def windows(self, batch: Batch) -> Windows:
        """What is made of each window by itself; in evaluation mode windows may come in any parts."""
        nodes = self.encoder(batch)
        found = [readout(h) for readout, h in zip(self.readouts, nodes, strict=True)]
        return Windows(nodes, [v for v, _ in found], torch.stack([a for _, a in found]))

    def answer(self, vectors: Sequence[Tensor]) -> Answer:
        """From the vectors of all windows of a scan, one ``(B, T, d)`` a layer, to the answer."""
        over = [time(v) for time, v in zip(self.times, vectors, strict=True)]
        outputs = [head(v) for head, (v, _) in zip(self.heads, over, strict=True)]
        return Answer(cast("Tensor", sum(outputs)), torch.stack([a for _, a in over]))
