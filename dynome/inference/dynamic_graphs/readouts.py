"""Readouts: from the regions of a window to one vector, and how much each region counted.

Attention over regions is that of STAGIN [1]_: squeeze-and-excitation of the mean (SERO), and scaled dot products with
the mean (GARO). A readout that knows regions by their position (SERO) belongs to one atlas.

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

ReadoutName = Literal["mean", "sero", "garo", "garo_stagin"]


class MeanReadout(nn.Module):
    """All regions alike."""

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and attention.

        Parameters
        ----------
        h : (B, T, N, d)

        Returns
        -------
        (B, T, d), (B, T, N)
        """
        return h.mean(2), torch.ones_like(h[..., 0])


class SeroReadout(nn.Module):
    """Each region weighted between 0 and 1 by what the mean of all says.

    Parameters
    ----------
    n_nodes, d : int
        Regions and features.
    dropout : float
        Share of the weights that is left out in a step.
    """

    def __init__(self, n_nodes: int, d: int, dropout: float) -> None:
        super().__init__()
        self.squeeze, self.norm, self.excite = nn.Linear(d, d), nn.BatchNorm1d(d), nn.Linear(d, n_nodes)
        self.dropout = Dropout(dropout)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and attention, as `MeanReadout.forward`."""
        squeezed = self.norm(self.squeeze(h.mean(2).flatten(0, 1))).reshape(*h.shape[:2], -1)
        weight = torch.sigmoid(self.excite(nn.functional.gelu(squeezed)))
        return _weighted(h, self.dropout(weight)), weight


class GaroReadout(nn.Module):
    """Each region weighted between 0 and 1 by its likeness to the mean of all.

    Parameters
    ----------
    d : int
        Features.
    dropout : float
        Share of the weights that is left out in a step.
    outside : bool
        Divide by the root of `d` after the sigmoid, as the published code does, instead of before it; weights are then
        at most one over that root.
    """

    def __init__(self, d: int, dropout: float, *, outside: bool = False) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(d, d), nn.Linear(d, d)
        self.dropout = Dropout(dropout)
        self.outside = outside

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and attention, as `MeanReadout.forward`."""
        likeness = (self.key(h) @ self.query(h.mean(2))[..., None]).squeeze(-1)
        scale = math.sqrt(h.shape[-1])
        weight = torch.sigmoid(likeness) / scale if self.outside else torch.sigmoid(likeness / scale)
        return _weighted(h, self.dropout(weight)), weight


def readout_of(name: ReadoutName, n_nodes: int, d: int, dropout: float) -> nn.Module:
    """A readout by its name.

    Parameters
    ----------
    name : {"mean", "sero", "garo", "garo_stagin"}
    n_nodes, d : int
        Regions and features.
    dropout : float
    """
    if name == "mean":
        return MeanReadout()
    return SeroReadout(n_nodes, d, dropout) if name == "sero" else GaroReadout(d, dropout, outside=name != "garo")


def _weighted(h: Tensor, weight: Tensor) -> Tensor:
    return (weight[:, :, None] @ h).squeeze(2) / h.shape[2]
