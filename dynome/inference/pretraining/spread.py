"""Whether embeddings still say anything: how many directions they use, and how much of them changes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Spread(NamedTuple):
    """How embeddings differ.

    Attributes
    ----------
    effective_rank : float
        Directions in which the embeddings of a node differ between windows and scans: the exponential of the entropy
        of the shares of variance [1]_, from 1 to the number of features; 0 if nothing varies.
    changing : float
        Share of all variance that is within nodes. 0 means that an embedding only says which node it is of.

    References
    ----------
    .. [1] Roy & Vetterli (2007), EUSIPCO.
    """

    effective_rank: float
    changing: float


def spread_of(embedding: Tensor) -> Spread:
    """How embeddings of nodes differ.

    Parameters
    ----------
    embedding : (G, N, d)
        Windows of whichever scans, nodes, features.

    Examples
    --------
    >>> x = torch.randn(200, 5, 4, generator=torch.Generator().manual_seed(0))
    >>> [round(v, 1) for v in spread_of(x)], spread_of(x[:1].expand(9, 5, 4)).changing
    ([4.0, 1.0], 0.0)
    """
    x = embedding.double()
    within = (x - x.mean(0)).flatten(0, 1)
    variance = torch.linalg.eigvalsh(within.T @ within).clamp(min=0)
    around = (x - x.mean((0, 1))).square().sum()
    if not float(variance.sum()) > 1e-12 * float(around):
        return Spread(0.0, 0.0)
    share = variance / variance.sum()
    entropy = -torch.xlogy(share, share).sum()
    return Spread(float(entropy.exp()), float(variance.sum() / around))
