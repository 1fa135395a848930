"""Windows before and after a window of the same clip, from which it is to be told."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Gap = Literal["full", "pair"]


class Neighbours(NamedTuple):
    """Windows that have a window on both sides.

    Attributes
    ----------
    middle, before, after : (P,) int64
        Places of windows among all B * T of a batch.
    """

    middle: Tensor
    before: Tensor
    after: Tensor


def least_gap(last: Tensor, width: Tensor, gap: Gap) -> Tensor:
    """Samples from a window to a neighbour, at least.

    Parameters
    ----------
    last : (B, T) int64
        Last sample of each window; windows follow each other at one stride.
    width : (B,) int64
        Samples of a window.
    gap : {"full", "pair"}
        "full": a neighbour shares no sample with the window. "pair": the two neighbours share none with each other, but
        may share some with the window [1]_: (width / stride + 1) / 2 windows, rounded up.

    Returns
    -------
    (B,) int64

    References
    ----------
    .. [1] Choi et al. (2024), arXiv:2403.06432.

    Examples
    --------
    >>> last, width = torch.tensor([[49, 65, 81]]), torch.tensor([50])
    >>> [int(least_gap(last, width, gap)) for gap in ("full", "pair")]
    [50, 48]
    """
    if gap == "full" or last.shape[1] < 2:
        return width
    stride = last[:, 1] - last[:, 0]
    return stride * ((width + stride).float() / (2 * stride)).ceil().long()


def drawn_neighbours(last: Tensor, least: Tensor, generator: torch.Generator) -> Neighbours:
    """One window before and one after each window that has both, all equally likely.

    Parameters
    ----------
    last : (B, T) int64
        Last sample of each window.
    least : (B,) int64
        Smallest distance, in samples.
    generator : Generator
        On the device of `last`.

    Returns
    -------
    Neighbours
        Windows without a neighbour on one side are left out.

    Examples
    --------
    >>> last, least = torch.tensor([[9, 19, 29]]), torch.tensor([10])
    >>> drawn_neighbours(last, least, torch.Generator().manual_seed(0))
    Neighbours(middle=tensor([1]), before=tensor([0]), after=tensor([2]))
    """
    n_scans, n_times = last.shape
    distance = last[:, None, :] - last[:, :, None]
    sides = torch.stack([distance <= -least[:, None, None], distance >= least[:, None, None]])
    order = torch.rand(sides.shape, generator=generator, device=last.device)
    chosen = torch.where(sides, order, -1.0).argmax(-1)
    both = sides.any(-1).all(0)
    offset = n_times * torch.arange(n_scans, device=last.device)[:, None]
    place = offset + torch.arange(n_times, device=last.device)
    before, after = chosen[0] + offset, chosen[1] + offset
    return Neighbours(place[both], before[both], after[both])


def nearest_neighbours(last: Tensor, usable: Tensor) -> Neighbours:
    """The nearest usable windows up to and from each window; the window itself where it is usable.

    Parameters
    ----------
    last : (B, T) int64
        Last sample of each window.
    usable : (B, T) bool
        At least one of each scan.

    Returns
    -------
    Neighbours
        All windows. Where one side has none, that of the other side is taken twice.

    Examples
    --------
    >>> usable = torch.tensor([[False, True, False, True]])
    >>> found = nearest_neighbours(torch.tensor([[9, 19, 29, 39]]), usable)
    >>> found.before.tolist(), found.after.tolist()
    ([1, 1, 1, 3], [1, 1, 3, 3])
    """
    n_scans, n_times = last.shape
    distance = (last[:, None, :] - last[:, :, None]).float()
    far = torch.full_like(distance, torch.inf)
    sides = []
    for ahead in (-distance, distance):
        there = torch.where((ahead >= 0) & usable[:, None, :], ahead, far)
        sides.append((there.min(-1).values.isfinite(), there.argmin(-1)))
    (has_before, before), (has_after, after) = sides
    offset = n_times * torch.arange(n_scans, device=last.device)[:, None]
    place = offset + torch.arange(n_times, device=last.device)
    first, second = torch.where(has_before, before, after), torch.where(has_after, after, before)
    return Neighbours(place.flatten(), (offset + first).flatten(), (offset + second).flatten())
