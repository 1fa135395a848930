"""Restarts of the search, the choice of the scale of weights, and what communities are worth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.connectome.communities.assortative.weighted_edges import Edges, edges_of, undirected
from dynome.connectome.communities.partitions import Attribute, Partition, Search, Weights

Ints = NDArray[np.int64]

POWERS = (0.0, 0.25, 0.5, 1.0)
_FIRST_POWERS = (0.25, 0.5)
_FIRST_GROUPS = (2, 3, 5, 8)
_SPARE = 2  # places beyond the communities of the start
_SWEEPS, _REFINING, _GREEDY = 150, 50, 20
_ROUNDS = 200
_LARGE = 6  # nodes of a community that is tried in halves
_KEPT = 3  # fits that are tried at the other powers


class Explained(NamedTuple):
    """What communities have to explain: the wiring, the weights, or both."""

    wiring: bool
    weights: bool


class Fit(NamedTuple):
    """Communities and their description length.

    Attributes
    ----------
    community : (n_node,)
        Codes from 0.
    power : float
        Scale of the weights.
    length : float
        Sum of the parts, in nats; only differences mean something.
    parts : dict
        Nats of ``partition``, ``wiring`` and ``weights``.
    """

    community: Ints
    power: float
    length: float
    parts: dict[str, float]


def assortative_partition(weight: Weights, search: Search) -> Partition:
    """Communities that tell most about wiring and weights together, by description length; one if none pay.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights >= 0 without self-loops; of one that is not symmetric, both directions are added up.
    search : Search
        Restarts and seed.
    """
    scales = scales_of(weight)
    nothing = no_communities(scales)
    fits = fits_of(scales, Explained(True, True), search)
    return as_partition(min([nothing, *fits], key=lambda fit: fit.length), nothing, fits)


def scales_of(weight: Weights) -> dict[float, Edges]:
    """The edges at every power of the weights."""
    total = undirected(weight)
    return {power: edges_of(total, power) for power in POWERS}


def no_communities(scales: dict[float, Edges]) -> Fit:
    """The shortest description without communities."""
    n_node = scales[0.0].start.size - 1
    one = np.zeros(n_node, dtype=np.int64)
    return min((described(scales, power, one, Explained(True, True)) for power in scales), key=lambda fit: fit.length)


def described(scales: dict[float, Edges], power: float, community: Ints, explained: Explained) -> Fit:
    """Description length of wiring and weights, of which communities explain what they should.

    Parameters
    ----------
    scales : dict
        Of `scales_of`.
    power : float
        Which of them.
    community : (n_node,)
        Codes from 0.
    explained : Explained
        The rest is described as if there were one community.
    """
    from dynome.connectome.communities.assortative.description import partition_length, wiring_length
    from dynome.connectome.communities.assortative.node_effects import new_effects, weights_length

    edges = scales[power]
    parts = {"partition": partition_length(community), "wiring": 0.0, "weights": 0.0}
    if explained.wiring:
        parts["wiring"] = wiring_length(edges.start, edges.neighbour, community)
    if _informative(edges):
        used = community if explained.weights else np.zeros_like(community)
        effects = new_effects(used.size, edges.value)
        fitted = weights_length(edges.start, edges.neighbour, edges.value, used, effects, _ROUNDS)
        parts["weights"] = fitted + edges.constant
    parts = {name: float(nats) for name, nats in parts.items()}
    return Fit(community, power, sum(parts.values()), parts)


def fits_of(
    scales: dict[float, Edges], explained: Explained, search: Search, starts: tuple[Ints, ...] = ()
) -> list[Fit]:
    """Fits from random starts and given ones, the best of them also split, and at the other powers of the weights.

    Parameters
    ----------
    scales : dict
        Of `scales_of`.
    explained : Explained
        What communities have to explain.
    search : Search
        Restarts and seed.
    starts : tuple of (n_node,)
        Partitions to start from, besides.
    """
    n_node = scales[0.0].start.size - 1
    searched = explained.weights and _informative(scales[0.0])
    powers: tuple[float, ...] = _FIRST_POWERS if searched else (no_communities(scales).power,)
    fits: list[Fit] = []
    with progress.task("looking for communities", search.n_restarts) as advance:
        for k in range(search.n_restarts):
            rng = seeds.generator(search.seed, "assortative", k)
            n_group = min(_FIRST_GROUPS[k // len(powers) % len(_FIRST_GROUPS)], n_node)
            start = rng.integers(n_group, size=n_node)
            fits.append(_searched(scales, powers[k % len(powers)], start, explained, _SWEEPS, rng))
            advance(1)
    for k, start in enumerate(starts):
        for power in powers:
            rng = seeds.generator(search.seed, "assortative", "given", k)
            fits.append(_searched(scales, power, start, explained, _REFINING, rng))
    best = min(fits, key=lambda fit: fit.length)
    for k in np.flatnonzero(np.bincount(best.community) >= _LARGE).tolist():
        rng = seeds.generator(search.seed, "assortative", "split", k)
        halves = np.where((best.community == k) & (rng.random(n_node) < 0.5), best.community.max() + 1, best.community)
        fits.append(_searched(scales, best.power, halves, explained, _REFINING, rng))
    if searched:
        for fit in sorted(fits, key=lambda fit: fit.length)[:_KEPT]:
            for k, power in enumerate(scales):
                if power != fit.power:
                    rng = seeds.generator(search.seed, "assortative", "power", k)
                    fits.append(_searched(scales, power, fit.community, explained, _REFINING, rng))
    return fits


def as_partition(best: Fit, nothing: Fit, fits: list[Fit]) -> Partition:
    """The result of a method, with the nats that communities save and where."""
    attrs: dict[str, Attribute] = {
        "saving": nothing.length - best.length,
        "saving_wiring": nothing.parts["wiring"] - best.parts["wiring"],
        "saving_weights": nothing.parts["weights"] - best.parts["weights"],
        "cost_partition": best.parts["partition"] - nothing.parts["partition"],
        "weight_power": best.power,
        "restart_saving": [nothing.length - fit.length for fit in fits],
    }
    return Partition(best.community, attrs)


def _searched(
    scales: dict[float, Edges],
    power: float,
    start: Ints,
    explained: Explained,
    n_sweeps: int,
    rng: np.random.Generator,
) -> Fit:
    """Sweeps by chance, then to the best place, from one start."""
    from dynome.connectome.communities.assortative.node_effects import new_effects
    from dynome.connectome.communities.assortative.node_moves import search as moves
    from dynome.connectome.communities.blockmodel.random_bits import state_from

    edges, state = scales[power], state_from(rng)
    community = start.astype(np.int64)
    weights = explained.weights and _informative(edges)
    effects = new_effects(community.size, edges.value)
    for sweeps, greedy in ((n_sweeps, False), (_GREEDY, True)):
        n_slot = int(community.max()) + 1 + _SPARE
        moves(
            edges.start,
            edges.neighbour,
            edges.value,
            community,
            effects,
            n_slot,
            sweeps,
            explained.wiring,
            weights,
            greedy,
            state,
        )
        community = np.unique(community, return_inverse=True)[1].astype(np.int64)
    return described(scales, power, community, explained)


def _informative(edges: Edges) -> bool:
    """Whether weights differ at all."""
    return bool(np.ptp(edges.value) > 1e-9)
