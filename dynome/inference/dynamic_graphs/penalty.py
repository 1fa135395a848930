"""A penalty that keeps the embeddings of regions apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Products of regions that are held at a time: what stays in the cache of a CPU, what fills a GPU.
_HELD = {"cpu": 1 << 18, "cuda": 1 << 26}


def orthogonality(h: Tensor) -> Tensor:
    r"""How far the embeddings of the regions of a window are from being orthogonal.

    Parameters
    ----------
    h : (B, T, N, d)

    Returns
    -------
    scalar
        Mean over windows of :math:`\| \mathrm{triu}(G - I) \|_F`, where G is :math:`H H^\top` with each row divided by
        its largest entry [1]_. Regions whose embedding is 0 count as orthogonal to all.

    References
    ----------
    .. [1] Kim, Ye & Kim (2021), NeurIPS, arXiv:2105.13495.

    Examples
    --------
    >>> orthogonality(2 * torch.eye(3)[None, None]).item()
    0.0
    """
    flat = h.flatten(0, 1)
    with torch.autocast(h.device.type, enabled=False):
        total: Tensor = _Sum.apply(flat.to(torch.promote_types(h.dtype, torch.float32)))  # type: ignore[no-untyped-call]
    return total / flat.shape[0]


class _Sum(torch.autograd.Function):
    """Sum over windows; slopes are found a few windows at a time and at once, while their products are in cache."""

    @staticmethod
    def forward(ctx: Any, h: Tensor) -> Tensor:
        size = max(1, _HELD.get(h.device.type, 1 << 18) // h.shape[1] ** 2)
        found = [_distances(part, slopes=ctx.needs_input_grad[0]) for part in torch.split(h, size)]
        ctx.slopes = torch.cat([slope for _, slope in found]) if ctx.needs_input_grad[0] else None
        return torch.cat([value for value, _ in found]).sum()

    @staticmethod
    def backward(ctx: Any, *pulls: Tensor) -> Any:
        return pulls[0] * ctx.slopes


def _distances(h: Tensor, *, slopes: bool) -> tuple[Tensor, Tensor]:
    """Of each window by itself, (W,), and what they change by with its embeddings (W, N, d), or nothing."""
    products = h @ h.mT
    largest = products.amax(-1)
    zero = largest <= 0
    scale = largest.masked_fill(zero, 1.0)
    own = (products.diagonal(0, 1, 2) / scale - 1).masked_fill(zero, 0.0)
    above = products.triu(1)
    others = above.square().sum(-1) / scale.square()
    value = (own.square() + others).sum(-1).sqrt()
    if not slopes:
        return value, h[:0]
    # Half the slopes of the squared distance: of entries above the diagonal, on it, and the largest of each row.
    by_product = above.mul_(scale.pow(-2)[..., None])
    by_product.diagonal(0, 1, 2).add_(own / scale)
    by_largest = -(own * (own + 1) + others) / scale
    most = products == largest[..., None]
    share = (by_largest / most.sum(-1)).masked_fill(zero, 0.0)
    by_product.addcmul_(most.to(h.dtype), share[..., None])
    # The root has no slope at 0, where nothing is left to gain.
    outer = value.reciprocal().masked_fill(value == 0, 0.0)[:, None, None]
    return value, outer * (by_product @ h + by_product.mT @ h)
