"""Decoders: from the embeddings of visible nodes to what is in the slots of a mask.

A decoder works in two steps. `mix` lets the nodes of a window talk to each other, once for every mask; `at` gives the
outcome for some slots only, because what is not scored is not computed. In the Mixer the product over visible nodes is
the same for all masks of a window and is made once.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from dynome.connectome.layers.linear_maps import linear
from dynome.inference.pretraining.masks import Slots, slots_of

DecoderName = Literal["mixer", "mlp", "gin"]


class Canvas(NamedTuple):
    """What a decoder is given: G windows, K masks each.

    Attributes
    ----------
    seen : (G, N, d)
        Embeddings of the context.
    visible : (G, N) bool
        Nodes whose embeddings count; slots that only other masks hide stay empty.
    mask : (K, G, N) bool
        Slots to be filled.
    fill : (d,) or (G, N, d)
        What stands in them: one vector, or one for each node.
    adjacency : (G, N, N)
        Edges that no mask hides, with those of hidden nodes; only the "gin" decoder looks at them.
    """

    seen: Tensor
    visible: Tensor
    mask: Tensor
    fill: Tensor
    adjacency: Tensor


class Decoder(nn.Module):
    """Base of the decoders."""

    def mix(self, canvas: Canvas) -> Tensor:
        """What nodes tell each other, (K, G, ...)."""
        raise TypeError(f"{type(self).__name__} must define mix")

    def at(self, canvas: Canvas, mixed: Tensor, wanted: Slots, windows: Tensor | None = None) -> Tensor:
        """The outcome in some slots.

        Parameters
        ----------
        canvas : Canvas
        mixed : (K, G, ...)
            As `mix` gives it for this canvas.
        wanted : Slots (K, P, w)
        windows : (P,) int64 or None
            Which windows of the canvas; None takes all, and P is G.

        Returns
        -------
        (K, P, w, n_out)
            Meaningless where a slot is not valid.
        """
        raise TypeError(f"{type(self).__name__} must define at")

    def forward(self, canvas: Canvas, wanted: Slots) -> Tensor:
        """`mix` and `at` for all windows."""
        return self.at(canvas, self.mix(canvas), wanted)


class MixerDecoder(Decoder):
    r"""One Mixer layer [1]_: a network over nodes, then one over features.

    Parameters
    ----------
    n_nodes, width, n_out : int
        Nodes; features of an embedding; features of an outcome.
    token_hidden : int
        Units between nodes and nodes. Between features and features there are twice as many as features.
    generator : Generator
        Of the first weights.

    Notes
    -----
    With X the slots of one mask, :math:`Y = X + W_2\,\mathrm{gelu}(W_1 \mathrm{norm}(X))` over nodes and
    :math:`Z = Y + \mathrm{gelu}(\mathrm{norm}(Y) W_3) W_4` over features, then a linear map to `n_out`.

    References
    ----------
    .. [1] Tolstikhin et al. (2021), NeurIPS, arXiv:2105.01601.

    Examples
    --------
    >>> decoder = MixerDecoder(5, 8, 3, token_hidden=16, generator=torch.Generator().manual_seed(0))
    >>> mask = torch.zeros(2, 4, 5, dtype=torch.bool)
    >>> mask[..., :2] = True
    >>> canvas = Canvas(torch.ones(4, 5, 8), ~mask.any(0), mask, torch.zeros(8), torch.ones(4, 5, 5))
    >>> decoder(canvas, slots_of(mask)).shape
    torch.Size([2, 4, 2, 3])
    """

    def __init__(self, n_nodes: int, width: int, n_out: int, *, token_hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.token_norm = nn.LayerNorm(width)
        self.tokens_in = linear(n_nodes, token_hidden, generator)
        self.tokens_out = linear(token_hidden, n_nodes, generator)
        self.channels = Channels(width, n_out, generator)

    def mix(self, canvas: Canvas) -> Tensor:
        """Hidden units over nodes, (K, G, token_hidden, d)."""
        seen = self.tokens_in.weight @ (self.token_norm(canvas.seen) * canvas.visible[..., None])
        fill = self.token_norm(canvas.fill)
        if canvas.fill.ndim == 1:
            weights = canvas.mask.to(fill.dtype) @ self.tokens_in.weight.T
            filled = weights[..., None] * fill
        else:
            slots = slots_of(canvas.mask)
            weights = _rows(self.tokens_in.weight.T, slots.place)
            filled = (weights * slots.valid[..., None]).mT @ _picked(fill, slots.place, None)
        mixed: Tensor = gelu(seen + filled + self.tokens_in.bias[:, None])
        return mixed

    def at(self, canvas: Canvas, mixed: Tensor, wanted: Slots, windows: Tensor | None = None) -> Tensor:
        """The outcome in some slots; see `Decoder.at`."""
        mixed = mixed if windows is None else mixed.index_select(1, windows)
        token = _rows(self.tokens_out.weight, wanted.place) @ mixed
        token = token + _rows(self.tokens_out.bias[:, None], wanted.place)
        found: Tensor = self.channels(_content(canvas, wanted, windows) + token)
        return found


class MLPDecoder(Decoder):
    """Each slot by itself: what is hidden can only be told from the vector that fills its slot.

    Parameters
    ----------
    width, n_out : int
    generator : Generator
    """

    def __init__(self, width: int, n_out: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.channels = Channels(width, n_out, generator)

    def mix(self, canvas: Canvas) -> Tensor:
        """Nothing, (K, G, 0)."""
        return canvas.seen.new_empty((*canvas.mask.shape[:2], 0))

    def at(self, canvas: Canvas, mixed: Tensor, wanted: Slots, windows: Tensor | None = None) -> Tensor:
        """The outcome in some slots; see `Decoder.at`."""
        found: Tensor = self.channels(_content(canvas, wanted, windows))
        return found


class GINDecoder(Decoder):
    """One sum over neighbours, along edges that no mask hides.

    Parameters
    ----------
    width, n_out : int
    generator : Generator
    """

    def __init__(self, width: int, n_out: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.zeros(()))
        self.channels = Channels(width, n_out, generator)

    def mix(self, canvas: Canvas) -> Tensor:
        """Mean over neighbours, (K, G, N, d)."""
        degree = canvas.adjacency.sum(-1, keepdim=True).clamp(min=1)
        fill = canvas.mask[..., None] * canvas.fill
        return (canvas.adjacency @ (canvas.seen * canvas.visible[..., None] + fill)) / degree

    def at(self, canvas: Canvas, mixed: Tensor, wanted: Slots, windows: Tensor | None = None) -> Tensor:
        """The outcome in some slots; see `Decoder.at`."""
        mixed = mixed if windows is None else mixed.index_select(1, windows)
        about = mixed.gather(2, wanted.place[..., None].expand(-1, -1, -1, mixed.shape[-1]))
        found: Tensor = self.channels(about + self.own * _content(canvas, wanted, windows))
        return found


class Channels(nn.Module):
    """A network over the features of each slot, with a residual, then a linear map.

    Parameters
    ----------
    width, n_out : int
    generator : Generator
    """

    def __init__(self, width: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.wide = linear(width, 2 * width, generator)
        self.narrow = linear(2 * width, width, generator)
        self.out = linear(width, n_out, generator)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., n_out)."""
        found: Tensor = self.out(x + self.narrow(gelu(self.wide(self.norm(x)))))
        return found


def make_decoder(
    name: DecoderName, n_nodes: int, width: int, n_out: int, *, token_hidden: int, generator: torch.Generator
) -> Decoder:
    """A decoder by name.

    Parameters
    ----------
    name : {"mixer", "mlp", "gin"}
    n_nodes, width, n_out, token_hidden : int
        As of `MixerDecoder`; the others use what they need.
    generator : Generator
    """
    if name == "mixer":
        return MixerDecoder(n_nodes, width, n_out, token_hidden=token_hidden, generator=generator)
    kind = MLPDecoder if name == "mlp" else GINDecoder
    return kind(width, n_out, generator=generator)


def _content(canvas: Canvas, wanted: Slots, windows: Tensor | None) -> Tensor:
    """What stands in some slots before decoding, (K, P, w, d)."""
    seen = _picked(canvas.seen * canvas.visible[..., None], wanted.place, windows)
    mask = canvas.mask if windows is None else canvas.mask.index_select(1, windows)
    filled = mask.gather(-1, wanted.place)[..., None]
    fill = canvas.fill if canvas.fill.ndim == 1 else _picked(canvas.fill, wanted.place, windows)
    return seen + filled * fill


def _picked(x: Tensor, index: Tensor, windows: Tensor | None) -> Tensor:
    """Rows of (G, N, d) for (K, P, w) places, as (K, P, w, d)."""
    n_windows, n_nodes, width = x.shape
    windows = torch.arange(n_windows, device=x.device) if windows is None else windows
    place = windows[:, None] * n_nodes + index
    return _rows(x.reshape(n_windows * n_nodes, width), place)


def _rows(x: Tensor, index: Tensor) -> Tensor:
    return x.index_select(0, index.reshape(-1)).view(*index.shape, x.shape[1])
