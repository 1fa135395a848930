"""Windowed correlations and their graphs on torch tensors, all windows of a recording at once: for a GPU.

The kernels on arrays (`windowed_correlation`, `density`) are the faster ones on a CPU. Import where used: importing
this module imports torch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dynome.errors import InputError


def correlation_tensors(x: Tensor, starts: Tensor, width: int, *, weights: Tensor | None = None) -> Tensor:
    """Pearson correlation of the columns of `x` in each window.

    Parameters
    ----------
    x : (n_time, n_node)
        float32 or float64.
    starts : (n_window,)
        First sample of each window, on the device of `x`.
    width : int
        Samples in a window.
    weights : (width,) or None
        Weight of each sample of a window, positive.

    Returns
    -------
    (n_window, n_node, n_node)
        As `correlation_windows` gives it, to rounding: symmetric, within [-1, 1], 1 on the diagonal; NaN in the row and
        column of a node that is constant in a window or has NaN there.

    Examples
    --------
    >>> x = torch.tensor([[0.0, 0, 5], [1, -1, 5], [2, -2, 5]])
    >>> correlation_tensors(x, torch.tensor([0]), 3)[0, 0].numpy().round(3).tolist()
    [1.0, -1.0, nan]
    """
    windows = x[starts[:, None] + torch.arange(width, device=x.device)]
    d = windows - windows[:, :1]
    w = torch.ones(width, dtype=x.dtype, device=x.device) if weights is None else weights.to(x)
    d = (d - torch.einsum("t,wti->wi", w, d)[:, None] / w.sum()) * w.sqrt()[:, None]
    square = (d * d).sum(1, keepdim=True)
    d = d * torch.where(square > 0, square, torch.nan).rsqrt()
    r = torch.bmm(d.transpose(1, 2), d).clamp_(-1, 1)
    diagonal = r.diagonal(dim1=1, dim2=2)
    diagonal.copy_(torch.where(diagonal.isnan(), diagonal, 1.0))
    return r


def density_tensors(fc: Tensor, density: float) -> Tensor:
    """The strongest share of the entries of each matrix.

    Parameters
    ----------
    fc : (n_window, n_node, n_node)
        float32 or float64; NaN where missing.
    density : float
        Share of the entries to keep, above 0 and below 1.

    Returns
    -------
    (n_window, n_node, n_node)
        The same graphs as `density_graphs`.

    Raises
    ------
    InputError
        If `density` is out of range.

    Notes
    -----
    The two order statistics that the cut lies between are found by bisection of the bits of floating-point numbers,
    which are ordered as integers are: one count of all windows a bit, no sort.

    Examples
    --------
    >>> fc = torch.tensor([[[1, 0.5, 0.1], [0.5, 1, 0.3], [0.1, 0.3, 1]]])
    >>> density_tensors(fc, 0.6).int()[0].tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    if not 0 < density < 1:
        raise InputError(f"density must be above 0 and below 1, got {density}")
    flat = fc.reshape(fc.shape[0], -1)
    keys = _ordered_bits(flat)
    n = (~flat.isnan()).sum(1)
    place = (n - 1).clamp_min(0).double() * (100 * (1 - density) / 100)
    first = place.floor().long()
    low = _key_of_rank(keys, first)
    # The next order statistic is the same value where it repeats, else the smallest above it.
    upto = (keys <= low[:, None]).sum(1)
    above = torch.where(keys > low[:, None], keys, torch.iinfo(keys.dtype).max).amin(1)
    high = torch.where((upto > first + 1) | (first + 1 >= n), low, above)
    a, b = _from_bits(low, fc.dtype).double(), _from_bits(high, fc.dtype).double()
    t = place - first
    cut = torch.where(t >= 0.5, b - (b - a) * (1 - t), a + (b - a) * t)
    at = cut.to(fc.dtype)
    at = torch.where(at.double() > cut, torch.nextafter(at, torch.full_like(at, -torch.inf)), at)
    graphs = fc > at[:, None, None]
    diagonal = graphs.diagonal(dim1=1, dim2=2)
    diagonal |= fc.diagonal(dim1=1, dim2=2).isnan()
    return graphs


def _ordered_bits(x: Tensor) -> Tensor:
    """Integers in the order of the numbers; NaN is the largest."""
    whole = torch.int32 if x.dtype == torch.float32 else torch.int64
    bits = torch.where(x == 0, torch.zeros_like(x), x).view(whole)
    ordered = torch.where(bits >= 0, bits, bits ^ torch.iinfo(whole).max)
    return torch.where(x.isnan(), torch.iinfo(whole).max, ordered)


def _from_bits(keys: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.where(keys >= 0, keys, keys ^ torch.iinfo(keys.dtype).max).view(dtype)


def _key_of_rank(keys: Tensor, rank: Tensor) -> Tensor:
    """The key of `rank` (from 0) in each row."""
    limits = np.iinfo(np.int32 if keys.dtype == torch.int32 else np.int64)
    low = torch.full_like(keys[:, 0], limits.min)
    high = torch.full_like(keys[:, 0], limits.max)
    for _ in range(limits.bits):
        # Halfway without overflow.
        middle = (low & high) + ((low ^ high) >> 1)
        enough = (keys <= middle[:, None]).sum(1) > rank
        high = torch.where(enough, middle, high)
        low = torch.where(enough, low, middle + (middle < high))
    return high
