"""A penalty that keeps the embeddings of regions apart."""

from __future__ import annotations

import torch
from torch import Tensor


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
    products = h @ h.mT
    largest = products.amax(-1, keepdim=True)
    alike = products / largest.where(largest > 0, 1.0)
    own = (largest > 0) * products.new_ones(products.shape[-1]).diag()
    distance: Tensor = torch.linalg.vector_norm((alike - own).triu(), dim=(-2, -1))
    return distance.mean()
