"""What a node did in a context, as features: networks over time that all nodes share.

An encoder reads bins end to end, ``(node, bin, channel)``, and gives the features of the windows that end at some of
them. A window's features depend on the bins of its context and on nothing else, so that overlapping windows can share
what they have in common, and windows of different recordings can lie side by side.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from dynome.connectome.layers.linear_maps import linear
from dynome.errors import InputError, listed

_TAPS = 4  # bins that a convolution joins

Temporal: TypeAlias = Literal["tcn", "gru", "attention"]


def make_encoder(name: Temporal, n_in: int, n_out: int, context: int, generator: torch.Generator) -> nn.Module:
    """An encoder by its name.

    Parameters
    ----------
    name : {"tcn", "gru", "attention"}
        Causal convolutions, which cost least; a recurrent network; attention of the last bin to those before.
    n_in, n_out : int
        Channels and features.
    context : int
        Bins of a window.
    generator : Generator
        Source of the first weights.

    Returns
    -------
    Module
        ``encoder(x (P, T, n_in), last (W,)) -> (P, W, n_out)``: features of the windows whose last bins are
        ``last``, each at least ``context - 1``.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    kinds = {"tcn": ConvolutionEncoder, "gru": RecurrentEncoder, "attention": AttentionEncoder}
    if name not in kinds:
        raise InputError(f"temporal must be one of {listed(get_args(Temporal))}, got {name!r}")
    encoder: nn.Module = kinds[name](n_in, n_out, context, generator)
    return encoder


class ConvolutionEncoder(nn.Module):
    """Dilated causal convolutions that reach exactly as far back as the context, the first ones once over all bins."""

    def __init__(self, n_in: int, n_out: int, context: int, generator: torch.Generator) -> None:
        super().__init__()
        self.context, self.taps = context, taps(context)
        widths = [n_in, *[n_out] * (len(self.taps) - 1)]
        self.maps = nn.ModuleList(
            linear(len(offsets) * width, n_out, generator) for offsets, width in zip(self.taps, widths, strict=True)
        )

    def forward(self, x: Tensor, last: Tensor) -> Tensor:
        """Features of windows."""
        h, reach = x, 1
        for k, (offsets, mix) in enumerate(zip(self.taps, self.maps, strict=True)):
            if k == len(self.taps) - 1:  # here windows no longer share anything
                parts = [h.index_select(1, last - (reach - 1) - offset) for offset in offsets]
            else:
                size = h.shape[1] - offsets[-1]
                parts = [h[:, offsets[-1] - offset :][:, :size] for offset in offsets]
            mixed = nn.functional.gelu(mix(torch.cat(parts, dim=-1)))
            h, reach = parts[0] + mixed if k else mixed, reach + offsets[-1]
        return h


class RecurrentEncoder(nn.Module):
    """A gated recurrent network that starts anew with each window."""

    def __init__(self, n_in: int, n_out: int, context: int, generator: torch.Generator) -> None:
        super().__init__()
        self.context = context
        self.entry = linear(n_in, n_out, generator)
        self.cell = nn.GRU(n_out, n_out)

    def forward(self, x: Tensor, last: Tensor) -> Tensor:
        """Features of windows."""
        h = nn.functional.gelu(self.entry(x))
        steps = torch.arange(1 - self.context, 1, device=x.device)[:, None] + last  # (context, W)
        windows = h.index_select(1, steps.reshape(-1)).reshape(x.shape[0], *steps.shape, -1)
        _, state = self.cell(windows.transpose(0, 1).reshape(self.context, -1, h.shape[-1]))
        out: Tensor = state[0].reshape(x.shape[0], last.numel(), -1)
        return out


class AttentionEncoder(nn.Module):
    """Attention of the last bin of a window to all of its bins, by what they hold and how long ago they were."""

    def __init__(self, n_in: int, n_out: int, context: int, generator: torch.Generator, heads: int = 4) -> None:
        super().__init__()
        if n_out % heads:
            raise InputError(f"temporal='attention' has {heads} heads, which must divide hidden, got {n_out}")
        self.context, self.heads = context, heads
        self.entry = linear(n_in, n_out, generator)
        self.query, self.key, self.value = (linear(n_out, n_out, generator) for _ in range(3))
        self.distance = nn.Parameter(torch.zeros(context, heads))
        self.position = nn.Parameter(torch.empty(context, heads, n_out // heads))
        nn.init.normal_(self.position, std=0.1, generator=generator)
        self.out = linear(n_out, n_out, generator)

    def forward(self, x: Tensor, last: Tensor) -> Tensor:
        """Features of windows."""
        h = nn.functional.gelu(self.entry(x))
        n, split = x.shape[0], (self.heads, h.shape[-1] // self.heads)
        steps = torch.arange(1 - self.context, 1, device=x.device)[:, None] + last
        own = h.index_select(1, last)
        query = self.query(own).reshape(n, last.numel(), *split)
        key, value = (self._windows(part(h), steps).reshape(n, *steps.shape, *split) for part in (self.key, self.value))
        score = torch.einsum("pwhd,plwhd->plwh", query, key) / math.sqrt(split[1]) + self.distance[:, None]
        found = torch.einsum("plwh,plwhd->pwhd", score.softmax(1), value * (1 + self.position[:, None]))
        out: Tensor = own + self.out(found.reshape(*own.shape))
        return out

    @staticmethod
    def _windows(h: Tensor, steps: Tensor) -> Tensor:
        return h.index_select(1, steps.reshape(-1))


def taps(context: int) -> tuple[tuple[int, ...], ...]:
    """How far back the bins lie that each convolution joins, so that together they span the context exactly.

    Parameters
    ----------
    context : int
        At least 1.

    Examples
    --------
    >>> taps(16)
    ((0, 1, 2, 3), (0, 4, 8, 12))
    >>> taps(6), taps(1)
    (((0, 1, 2, 3), (0, 2)), ((0,),))
    """
    found, reach = [], 1
    while reach < context:
        found.append(tuple(sorted({min(k * reach, context - reach) for k in range(_TAPS)})))
        reach += found[-1][-1]
    return tuple(found) or ((0,),)
