"""How well embeddings of rows and columns tell which of their pairs are edges."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from dynome.inference.pretraining.masks import Slots


def pair_logits(rows: Tensor, columns: Tensor) -> Tensor:
    """Log odds of an edge for every row and column: inner products, divided by the root of their length.

    Parameters
    ----------
    rows : (..., m, d)
    columns : (..., n, d)

    Returns
    -------
    (..., m, n)
    """
    return (rows @ columns.mT).float() / math.sqrt(rows.shape[-1])


def block_edges(adjacency: Tensor, rows: Slots, columns: Slots) -> tuple[Tensor, Tensor]:
    """Edges of blocks, and which of their entries count.

    Parameters
    ----------
    adjacency : (P, N, N)
    rows, columns : Slots (K, P, m), (K, P, n)

    Returns
    -------
    edges : (K, P, m, n) float
    counted : (K, P, m, n) bool
        False for slots that are not valid, and for self loops, which are always there.
    """
    window = torch.arange(adjacency.shape[0], device=adjacency.device)[:, None, None]
    i, j = rows.place[..., :, None], columns.place[..., None, :]
    counted = rows.valid[..., :, None] & columns.valid[..., None, :] & (i != j)
    return adjacency[window, i, j], counted


def edge_loss(logits: Tensor, edges: Tensor, counted: Tensor) -> Tensor:
    """Mean cross-entropy of the entries that count.

    Parameters
    ----------
    logits, edges : (...)
    counted : (...) bool
    """
    loss = binary_cross_entropy_with_logits(logits, edges, reduction="none")
    return (loss * counted).sum() / counted.sum().clamp(min=1)


def mean_edge_loss(one: Tensor, other: Tensor, edges: Tensor, counted: Tensor) -> Tensor:
    """Mean cross-entropy where the probability of an edge is the mean of two.

    Parameters
    ----------
    one, other : (...)
        Log odds.
    edges : (...)
    counted : (...) bool

    Examples
    --------
    >>> x, yes = torch.tensor([0.3, -2.0]), torch.ones(2)
    >>> torch.allclose(mean_edge_loss(x, x, yes, yes > 0), edge_loss(x, yes, yes > 0))
    True
    """
    present = torch.logaddexp(logsigmoid(one), logsigmoid(other))
    absent = torch.logaddexp(logsigmoid(-one), logsigmoid(-other))
    loss = math.log(2) - torch.where(edges > 0, present, absent)
    return (loss * counted).sum() / counted.sum().clamp(min=1)


def both(rows: Slots, columns: Slots) -> Slots:
    """Slots of rows, then of columns, as one.

    Parameters
    ----------
    rows, columns : Slots (K, P, m), (K, P, n)
    """
    return Slots(torch.cat([rows.place, columns.place], -1), torch.cat([rows.valid, columns.valid], -1))
