"""What objectives share that tell hidden nodes and hidden edges, here and from other times."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynome.connectome.layers.linear_maps import linear
from dynome.errors import InputError
from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.pretraining.decoders import Canvas, make_decoder
from dynome.inference.pretraining.edge_losses import (
    block_edges,
    both,
    edge_loss,
    mean_edge_loss,
    pair_logits,
)
from dynome.inference.pretraining.masks import (
    Masks,
    Slots,
    drawn_masks,
    slots_of,
    visible_edges,
    visible_nodes,
)
from dynome.inference.pretraining.neighbours import Neighbours, drawn_neighbours, least_gap, nearest_neighbours
from dynome.inference.pretraining.objective import Objective
from dynome.inference.pretraining.settings import ObjectiveSettings


class Reconstruction(Objective):
    """Base of objectives with spatial and temporal terms of nodes and of edges.

    Parameters
    ----------
    encoder : GraphEncoder
    settings : ObjectiveSettings
    generator : Generator
        Of the first weights of the decoders.
    network : (N,) int64 or None
    n_goals : int or None
        Numbers to be told of a hidden node; None for as many as features.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        settings: ObjectiveSettings,
        generator: torch.Generator,
        network: Tensor | None = None,
        *,
        n_goals: int | None = None,
    ) -> None:
        super().__init__(encoder, settings, network)
        n_nodes, d = encoder.identity.shape
        self.node_decoder, self.edge_decoder = (
            make_decoder(settings.decoder, n_nodes, d, n_out, token_hidden=settings.token_hidden, generator=generator)
            for n_out in (n_goals or d, d)
        )
        self.node_token, self.edge_token = (nn.Parameter(torch.empty(d).normal_(generator=generator)) for _ in range(2))
        self.bridge = linear(2 * d, d, generator)

    @property
    def names(self) -> tuple[str, ...]:
        """Terms with a weight."""
        how = self.settings
        places = [p for p, w in (("spatial", how.spatial_weight), ("temporal", how.temporal_weight)) if w > 0]
        whats = [what for what, w in (("node", how.node_weight), ("edge", how.edge_weight)) if w > 0]
        return tuple(f"{place}_{what}" for what in whats for place in places)

    def scored(self, masks: Masks) -> Masks:
        """What is asked for, (K, G, N): what each mask hides."""
        return masks

    def goals(self, batch: Batch) -> Tensor:
        """What is to be told of hidden nodes, (B, T, N, n_goals)."""
        raise TypeError(f"{type(self).__name__} must define goals")

    def terms(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of a batch; see `Objective.terms`."""
        how = self.settings
        n_scans, n_times, n_nodes, _ = batch.adjacency.shape
        masks = drawn_masks(
            (n_scans, n_times),
            n_nodes,
            how.masks,
            generator,
            network=self.network,
            shared=self.encoder.settings.timestamp == "gru",
        )
        visible, edges = visible_nodes(masks), visible_edges(batch.adjacency, masks)
        seen = self.encoder(batch, adjacency=edges, visible=visible)[-1].flatten(0, 1)
        visible, edges = visible.flatten(0, 1), edges.flatten(0, 1)
        asked = self.scored(Masks(*(part.flatten(1, 2) for part in masks)))
        near = None
        if how.temporal_weight > 0:
            near = drawn_neighbours(batch.last, least_gap(batch.last, batch.width, how.gap), generator)
            if not near.middle.numel():  # its loss would be 0, as if all were told
                raise InputError("no window of a clip has neighbours in time; set n_windows higher, or gap='pair'")
        found: dict[str, Tensor] = {}
        if how.node_weight > 0:
            found |= self._node_terms(seen, visible, edges, asked, near, self.goals(batch).flatten(0, 1))
        if how.edge_weight > 0:
            found |= self._edge_terms(seen, visible, edges, asked, near, batch.adjacency.flatten(0, 1))
        return found | {"total": weighted_sum(found, how)}

    def complete(self, batch: Batch, hidden: Tensor) -> Tensor:
        """Probabilities of edges, those of hidden nodes and windows among them.

        Parameters
        ----------
        batch : Batch
            What it holds of hidden nodes is not looked at.
        hidden : (B, T, N) bool
            A window in which all nodes are hidden is told from the nearest windows before and after it that are not,
            from one of them where there is one.

        Returns
        -------
        (B, T, N, N)
            Symmetric; 1 on the diagonal.

        Raises
        ------
        InputError
            If all windows of a scan are hidden, or the objective has no edge terms.
        """
        if self.settings.edge_weight == 0:
            raise InputError("edge_weight is 0: this model has learnt nothing of edges; pretrain with edge_weight > 0")
        visible = ~hidden
        if not bool(visible.any(-1).any(-1).all()):
            raise InputError("every scan must have a window in which a node is not hidden")
        edges = batch.adjacency * (visible[..., :, None] & visible[..., None, :])
        seen = self.encoder(batch, adjacency=edges, visible=visible)[-1].flatten(0, 1)
        mask = hidden.flatten(0, 1)[None]
        canvas = Canvas(seen, ~mask[0], mask, self.edge_token, edges.flatten(0, 1))
        whole = slots_of(torch.ones_like(mask))
        told = self.edge_decoder(canvas, whole)[0]
        near = nearest_neighbours(batch.last, visible.any(-1))
        one = pair_logits(told[near.before], told[near.after])
        found = 0.5 * (one.sigmoid() + one.mT.sigmoid())
        found.diagonal(dim1=-2, dim2=-1).fill_(1.0)
        return found.view(batch.adjacency.shape)

    def _node_terms(
        self, seen: Tensor, visible: Tensor, edges: Tensor, masks: Masks, near: Neighbours | None, goal: Tensor
    ) -> dict[str, Tensor]:
        found, decoder = {}, self.node_decoder
        if self.settings.spatial_weight > 0:
            slots = slots_of(masks.nodes)
            told = decoder(Canvas(seen, visible, masks.nodes, self.node_token, edges), slots)
            found["spatial_node"] = square_loss(told, goal, slots)
        if near is not None:
            mask, middle = masks.nodes[:, near.middle], near.middle
            slots = slots_of(mask)
            fill = self.bridge(torch.cat([seen[near.before], seen[near.after]], -1))
            told = decoder(Canvas(seen[middle], visible[middle], mask, fill, edges[middle]), slots)
            found["temporal_node"] = square_loss(told, goal[middle], slots)
        return found

    def _edge_terms(
        self, seen: Tensor, visible: Tensor, edges: Tensor, masks: Masks, near: Neighbours | None, whole: Tensor
    ) -> dict[str, Tensor]:
        found, decoder = {}, self.edge_decoder
        canvas = Canvas(seen, visible, masks.nodes, self.edge_token, edges)
        mixed = decoder.mix(canvas)

        def ends(asked: Masks, windows: Tensor | None) -> tuple[Tensor, Tensor]:
            """Embeddings of rows and columns of the asked blocks, in windows of the canvas."""
            if asked.rows is asked.columns:
                told = decoder.at(canvas, mixed, slots_of(asked.rows), windows)
                return told, told
            rows = slots_of(asked.rows)
            told = decoder.at(canvas, mixed, both(rows, slots_of(asked.columns)), windows)
            n = rows.place.shape[-1]
            return told[..., :n, :], told[..., n:, :]

        if self.settings.spatial_weight > 0:
            rows, columns = ends(masks, None)
            blocks = block_edges(whole, slots_of(masks.rows), slots_of(masks.columns))
            found["spatial_edge"] = edge_loss(pair_logits(rows, columns), *blocks)
        if near is not None:
            here = _of_windows(masks, near.middle)
            before, after = (ends(here, windows) for windows in (near.before, near.after))
            one, other = pair_logits(before[0], after[1]), pair_logits(after[0], before[1])
            blocks = block_edges(whole[near.middle], slots_of(here.rows), slots_of(here.columns))
            found["temporal_edge"] = mean_edge_loss(one, other, *blocks)
        return found


def square_loss(told: Tensor, goal: Tensor, slots: Slots) -> Tensor:
    """Mean squared difference over the slots of masks.

    Parameters
    ----------
    told : (K, P, m, n)
    goal : (P, N, n)
    slots : Slots (K, P, m)
    """
    window = torch.arange(goal.shape[0], device=goal.device)[:, None]
    square = (told - goal[window, slots.place]).square().mean(-1)
    return (square * slots.valid).sum() / slots.valid.sum().clamp(min=1)


def weighted_sum(terms: dict[str, Tensor], settings: ObjectiveSettings) -> Tensor:
    """Sum of the terms with their weights.

    Parameters
    ----------
    terms : dict of str to Tensor
        Named ``{spatial|temporal}_{node|edge}``.
    settings : ObjectiveSettings
    """
    weights = settings._asdict()
    total = torch.zeros((), device=next(iter(terms.values())).device)
    for name, value in terms.items():
        where, what = name.split("_")
        total = total + weights[f"{where}_weight"] * weights[f"{what}_weight"] * value
    return total


def _of_windows(masks: Masks, windows: Tensor) -> Masks:
    rows = masks.rows[:, windows]
    return Masks(masks.nodes[:, windows], rows, rows if masks.columns is masks.rows else masks.columns[:, windows])
