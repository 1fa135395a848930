"""What is hidden from an encoder: nodes, and blocks of edges.

Every window has K masks. Each hides a set of nodes and the edges between a set of rows and a set of columns, in both
directions. The encoder sees what no mask hides; a decoder is asked for what one mask hides.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from dynome.errors import Problems

MaskBy = Literal["runs", "network", "random"]


class MaskSettings(NamedTuple):
    """How masks are drawn.

    Attributes
    ----------
    by : {"runs", "network", "random"}
        Nodes that follow each other in the order of the atlas; all nodes of a network; any nodes.
    n_masks : int
        Masks of a window.
    node_ratio, edge_ratio : (float, float)
        Smallest and largest share of the nodes that a mask hides, and that the rows and the columns of a block are.
        Where `by` is "network" the networks' sizes decide.
    """

    by: MaskBy = "runs"
    n_masks: int = 4
    node_ratio: tuple[float, float] = (0.1, 0.3)
    edge_ratio: tuple[float, float] = (0.1, 0.3)


class Masks(NamedTuple):
    """What is hidden: True where it is.

    Attributes
    ----------
    nodes : (K, B, T, N) bool
    rows, columns : (K, B, T, N) bool
        Edges between a row and a column of the same mask are hidden, in both directions; self loops never are.
    """

    nodes: Tensor
    rows: Tensor
    columns: Tensor


class Slots(NamedTuple):
    """Places of the nodes of a mask.

    Attributes
    ----------
    place : (..., m) int64
        Places in ascending order, then zeros.
    valid : (..., m) bool
        False for the zeros that fill up.
    """

    place: Tensor
    valid: Tensor


def drawn_masks(
    shape: tuple[int, int],
    n_nodes: int,
    settings: MaskSettings,
    generator: torch.Generator,
    *,
    network: Tensor | None = None,
    shared: bool = False,
) -> Masks:
    """Masks of a batch.

    Parameters
    ----------
    shape : (B, T)
    n_nodes : int
    settings : MaskSettings
        One share of nodes and one of rows and columns is drawn for the whole batch, so that masks are equally large.
    generator : Generator
        On the device where the masks are to be.
    network : (N,) int64 or None
        Number of each node's network, from 0 without gaps, where masks are networks.
    shared : bool
        Hide the same in all windows of a clip.

    Returns
    -------
    Masks
        Of nodes, a mask is left empty where it would leave nothing visible in its window.

    Examples
    --------
    >>> masks = drawn_masks((2, 3), 10, MaskSettings(node_ratio=(0.2, 0.2)), torch.Generator().manual_seed(0))
    >>> masks.nodes.shape, masks.nodes.sum(-1).unique().tolist()
    (torch.Size([4, 2, 3, 10]), [2])
    """
    n_times = 1 if shared else shape[1]
    size = (settings.n_masks, shape[0], n_times)
    sets = []
    for ratio in (settings.node_ratio, settings.edge_ratio):
        share = float(torch.rand((), generator=generator, device=generator.device))
        length = min(max(1, round(n_nodes * (ratio[0] + share * (ratio[1] - ratio[0])))), n_nodes)
        sets.append(length)
    nodes, rows, columns = (
        _sets(settings.by, size, n_nodes, length, generator, network) for length in (sets[0], sets[1], sets[1])
    )
    nodes = nodes & ~(nodes.cumsum(0) > 0).all(-1, keepdim=True)
    return Masks(*(part.expand(-1, -1, shape[1], -1) for part in (nodes, rows, columns)))


def visible_nodes(masks: Masks) -> Tensor:
    """Nodes that no mask hides, (B, T, N) bool.

    Parameters
    ----------
    masks : Masks
    """
    return ~masks.nodes.any(0)


def visible_edges(adjacency: Tensor, masks: Masks) -> Tensor:
    """Adjacency without the edges that any mask hides.

    Parameters
    ----------
    adjacency : (B, T, N, N)
    masks : Masks

    Returns
    -------
    (B, T, N, N)
        Self loops stay.

    Examples
    --------
    >>> rows = torch.tensor([True, False, False]).view(1, 1, 1, 3)
    >>> masks = Masks(rows & False, rows, rows.roll(1, -1))
    >>> visible_edges(torch.ones(1, 1, 3, 3), masks)[0, 0].tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    rows, columns = (part.to(adjacency.dtype).permute(1, 2, 3, 0) for part in (masks.rows, masks.columns))
    hidden = rows @ columns.mT
    kept = hidden.add_(hidden.mT.clone()) == 0
    kept.diagonal(dim1=-2, dim2=-1).fill_(True)
    return adjacency * kept


def slots_of(mask: Tensor) -> Slots:
    """Places of the nodes of each mask.

    Parameters
    ----------
    mask : (..., N) bool

    Returns
    -------
    Slots
        As wide as the largest mask, at least 1.

    Examples
    --------
    >>> slots_of(torch.tensor([[False, True, True], [False, False, True]]))
    Slots(place=tensor([[1, 2],
            [2, 0]]), valid=tensor([[ True,  True],
            [ True, False]]))
    """
    count = mask.sum(-1)
    width = max(int(count.max()), 1) if count.numel() else 1
    place = torch.where(mask, mask.cumsum(-1) - 1, width)
    places = torch.arange(mask.shape[-1], device=mask.device).expand(mask.shape)
    index = torch.zeros((*mask.shape[:-1], width + 1), dtype=torch.int64, device=mask.device)
    index.scatter_(-1, place, places)
    valid = torch.arange(width, device=mask.device) < count[..., None]
    return Slots(torch.where(valid, index[..., :width], 0), valid)


def add_mask_problems(settings: MaskSettings, problems: Problems) -> None:
    """Note everything that is wrong with settings of masks."""
    if settings.by not in get_args(MaskBy):
        problems.add(f"mask_by must be one of {', '.join(map(repr, get_args(MaskBy)))}, got {settings.by!r}")
    n = settings.n_masks
    if isinstance(n, bool) or not hasattr(n, "__index__") or n < 1:
        problems.add(f"n_masks must be an integer of at least 1, got {n!r}")
    for name in ("node_ratio", "edge_ratio"):
        ratio = getattr(settings, name)
        try:
            low, high = map(float, ratio)
        except (TypeError, ValueError):
            low, high = 1.0, 0.0
        if not 0 < low <= high < 1:
            problems.add(f"{name} must be two shares between 0 and 1, the smaller first, got {ratio!r}")


def _sets(
    by: MaskBy, size: tuple[int, int, int], n: int, length: int, generator: torch.Generator, network: Tensor | None
) -> Tensor:
    device = generator.device
    if by == "network" and network is not None:
        drawn = torch.randint(int(network.max()) + 1, (*size, 1), generator=generator, device=device)
        return network == drawn
    if by == "random":
        order = torch.rand((*size, n), generator=generator, device=device)
        threshold: Tensor = order.kthvalue(length, dim=-1, keepdim=True).values
        return order <= threshold
    start = torch.randint(n - length + 1, (*size, 1), generator=generator, device=device)
    place = torch.arange(n, device=device)
    return (place >= start) & (place < start + length)
