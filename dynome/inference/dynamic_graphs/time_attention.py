"""From a vector a window to a vector a scan: windows attend to each other, then count together.

One transformer block as in STAGIN [1]_, without a shortcut around the attention.

References
----------
.. [1] Kim, Ye & Kim (2021), NeurIPS, arXiv:2105.13495.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from dynome.training.noise import Dropout

Summary = Literal["mean", "sum", "token"]


class TimeAttention(nn.Module):
    """Attention over the windows of a scan.

    Parameters
    ----------
    d, heads : int
        Features, and attentions, which divide them.
    dropout : float
        Share of the state that is left out in a step.
    summary : {"mean", "sum", "token"}
        How windows count together: their mean; their sum, which grows with the length of a scan; what a learnt token
        beside them attends to.
    """

    def __init__(self, d: int, heads: int, dropout: float, summary: Summary) -> None:
        super().__init__()
        self.heads, self.summary = heads, summary
        self.attend, self.join = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.first_norm, self.second_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.mix = nn.Sequential(nn.Linear(d, 2 * d), nn.ReLU(), Dropout(dropout), nn.Linear(2 * d, d))
        self.dropout = Dropout(dropout)
        self.token = nn.Parameter(torch.zeros(1, 1, d)) if summary == "token" else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """A vector a scan, and how much each window was attended to.

        Parameters
        ----------
        x : (B, T, d)

        Returns
        -------
        (B, d), (B, T)
            Attention is the mean over heads, and over those windows whose vectors count: it sums to 1 over the windows
            (less what a token pays to itself).
        """
        if self.token is not None:
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        batch, length, d = x.shape
        query, key, value = self.attend(x).reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weight = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1)
        attended = self.join((weight @ value).transpose(1, 2).reshape(batch, length, d))
        h = self.first_norm(self.dropout(attended))
        h = self.second_norm(h + self.dropout(self.mix(h)))
        if self.token is not None:
            return h[:, 0], weight[:, :, 0, 1:].mean(1)
        return h.mean(1) if self.summary == "mean" else h.sum(1), weight.mean((1, 2))
