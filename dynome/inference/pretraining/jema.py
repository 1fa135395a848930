"""ST-JEMA: the embeddings of hidden nodes, and hidden edges, told from what is seen here and at other times.

A context encoder sees the graphs with parts hidden; a target encoder, a slow average of it, sees them whole. Decoders
tell the target's embeddings of the hidden nodes, and the edges of the hidden blocks, from the context of the same
window (spatial terms), and with the help of a window before and one after it (temporal terms).

References
----------
.. [1] Choi, Kim, Bae & Lee (2024), arXiv:2403.06432.
.. [2] Assran et al. (2023), CVPR, arXiv:2301.08243: targets that are embeddings.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor, nn

from dynome.connectome.layers.linear_maps import linear
from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.pretraining.averaging import follow, frozen_copy
from dynome.inference.pretraining.decoders import Canvas, make_decoder
from dynome.inference.pretraining.edge_losses import block_edges, both, edge_loss, mean_edge_loss, pair_logits
from dynome.inference.pretraining.masks import (
    Masks,
    Slots,
    drawn_masks,
    slots_of,
    visible_edges,
    visible_nodes,
)
from dynome.inference.pretraining.neighbours import Neighbours, drawn_neighbours, least_gap
from dynome.inference.pretraining.objective import Objective
from dynome.inference.pretraining.settings import ObjectiveSettings


class JEMA(Objective):
    """Joint-embedding masked autoencoder of dynamic graphs.

    Parameters
    ----------
    encoder : GraphEncoder
        The context encoder; the target encoder starts as its copy.
    settings : ObjectiveSettings
    generator : Generator
        Of the first weights of the decoders.
    network : (N,) int64 or None
        Number of each node's network, where masks are networks.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        settings: ObjectiveSettings,
        generator: torch.Generator,
        network: Tensor | None = None,
    ) -> None:
        super().__init__(encoder, settings, network)
        n_nodes, d = encoder.identity.shape
        self.target = frozen_copy(encoder)
        self.node_decoder, self.edge_decoder = (
            make_decoder(settings.decoder, n_nodes, d, d, token_hidden=settings.token_hidden, generator=generator)
            for _ in range(2)
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

    def train(self, mode: bool = True) -> Self:
        """As for every module; the target always takes the statistics of the batch it sees, and keeps none."""
        super().train(mode)
        self.target.train()
        return self

    def terms(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of a batch, each a scalar.

        Parameters
        ----------
        batch : Batch
        generator : Generator
            Of masks and neighbours, on the device of the batch.

        Returns
        -------
        dict of str to Tensor
            Terms whose weights are positive, and their weighted sum, "total".
        """
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
        masks = Masks(*(part.flatten(1, 2) for part in masks))
        visible, edges = visible.flatten(0, 1), edges.flatten(0, 1)
        near = None
        if how.temporal_weight > 0:
            near = drawn_neighbours(batch.last, least_gap(batch.last, batch.width, how.gap), generator)
        found: dict[str, Tensor] = {}
        if how.node_weight > 0:
            with torch.no_grad():
                goal = self.target(batch)[-1].flatten(0, 1)
            found |= self._node_terms(seen, visible, edges, masks, near, goal)
        if how.edge_weight > 0:
            found |= self._edge_terms(seen, visible, edges, masks, near, batch.adjacency.flatten(0, 1))
        return found | {"total": weighted_sum(found, how)}

    def after_step(self, share: float) -> None:
        """Move the target towards the context.

        Parameters
        ----------
        share : float
            Of training that is done, by which momentum goes from its first to its last value along a cosine.
        """
        first, last = self.settings.momentum
        momentum = last - (last - first) * 0.5 * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0)))
        follow(self.target, self.encoder, momentum)

    def _node_terms(
        self, seen: Tensor, visible: Tensor, edges: Tensor, masks: Masks, near: Neighbours | None, goal: Tensor
    ) -> dict[str, Tensor]:
        found, decoder = {}, self.node_decoder
        if self.settings.spatial_weight > 0:
            slots = slots_of(masks.nodes)
            told = decoder(Canvas(seen, visible, masks.nodes, self.node_token, edges), slots)
            found["spatial_node"] = embedding_loss(told, goal, slots)
        if near is not None:
            mask, middle = masks.nodes[:, near.middle], near.middle
            slots = slots_of(mask)
            fill = self.bridge(torch.cat([seen[near.before], seen[near.after]], -1))
            told = decoder(Canvas(seen[middle], visible[middle], mask, fill, edges[middle]), slots)
            found["temporal_node"] = embedding_loss(told, goal[middle], slots)
        return found

    def _edge_terms(
        self, seen: Tensor, visible: Tensor, edges: Tensor, masks: Masks, near: Neighbours | None, whole: Tensor
    ) -> dict[str, Tensor]:
        found, decoder = {}, self.edge_decoder
        canvas = Canvas(seen, visible, masks.nodes, self.edge_token, edges)
        mixed = decoder.mix(canvas)
        if self.settings.spatial_weight > 0:
            rows, columns = slots_of(masks.rows), slots_of(masks.columns)
            told = decoder.at(canvas, mixed, both(rows, columns))
            of_rows, of_columns = _halves(told, rows)
            found["spatial_edge"] = edge_loss(pair_logits(of_rows, of_columns), *block_edges(whole, rows, columns))
        if near is not None:
            rows, columns = slots_of(masks.rows[:, near.middle]), slots_of(masks.columns[:, near.middle])
            wanted = both(rows, columns)
            before, after = (
                _halves(decoder.at(canvas, mixed, wanted, there), rows) for there in (near.before, near.after)
            )
            one, other = pair_logits(before[0], after[1]), pair_logits(after[0], before[1])
            found["temporal_edge"] = mean_edge_loss(one, other, *block_edges(whole[near.middle], rows, columns))
        return found


def embedding_loss(told: Tensor, goal: Tensor, slots: Slots) -> Tensor:
    """Mean squared difference from the embeddings of the target.

    Parameters
    ----------
    told : (K, P, m, d)
    goal : (P, N, d)
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


def _halves(told: Tensor, rows: Slots) -> tuple[Tensor, Tensor]:
    """Outcomes of the rows, and of the columns after them."""
    n = rows.place.shape[-1]
    return told[..., :n, :], told[..., n:, :]
