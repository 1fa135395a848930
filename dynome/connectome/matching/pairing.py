"""Nodes of two connectomes, or of the two sides of one, paired by their wiring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import progress
from dynome import seeds as streams
from dynome.connectome import edge_table, node_table
from dynome.connectome.matching.assignment import Assignment, Relation, assigned, random_start
from dynome.connectome.matching.relations import (
    WeightScale,
    edge_types_of,
    known_partners,
    padded,
    relation_of,
    sides_of,
    weights_of,
)
from dynome.connectome.metrics.adjacency import EdgeType
from dynome.errors import InputError, listed
from dynome.labels import StrArray
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

Floats = NDArray[np.float64]


def match_nodes(
    one: xr.Dataset,
    other: xr.Dataset,
    *,
    edge_type: EdgeType = None,
    weight: WeightScale = "log",
    seeds: Mapping[str, str] | None = None,
    n_starts: int = 20,
    max_iter: int = 100,
    random_state: int | None = None,
) -> xr.Dataset:
    """Which node of one connectome is which of another, told by the wiring alone.

    Parameters
    ----------
    one, other : Dataset
        Valid connectomes. They may differ in size; of the larger one some nodes stay without a partner. Names are not
        looked at. Time and memory are those of dense matrices of all nodes.
    edge_type : str, list of str or None
        Edge types to compare, each as a relation of its own that counts equally; None takes those that both have.
    weight : {"log", "count", "binary"}
        How edges count: by the logarithm of one plus their weight, by their weight, or 1 each.
    seeds : mapping or None
        Partners that are known, by label of `one`.
    n_starts : int
        Searches: the first from all matchings alike, the others from random ones. The best is kept.
    max_iter : int
        Steps of a search at most.
    random_state : int or None
        Seed; None draws a fresh one.

    Returns
    -------
    Dataset (node: those of `one`)
        ``match``, the label of the partner in `other`, empty for none; ``share``, the part of the searches that agree;
        ``match_by_start (start, node)`` and ``objective (start)``, the best search first. The objective is the mean
        over relations of the weight that coincides, between 0 and 1 for identical graphs.

    Raises
    ------
    InputError
        If the connectomes share no edge type, a weight is negative, or a seed is unknown or repeated.

    Notes
    -----
    Graph matching has no fast exact solution: searches end in different places, and agreement among them says more than
    one objective. Nodes are shuffled before each search, so that their order cannot help.

    References
    ----------
    .. [1] Vogelstein et al., PLoS ONE 2015, doi:10.1371/journal.pone.0121002.

    Examples
    --------
    >>> from dynome.connectome import from_edges, rename_nodes
    >>> made = from_edges({"source": ["a", "b", "c", "a"], "target": ["b", "c", "d", "d"]})
    >>> again = rename_nodes(made, node=["w", "x", "y", "z"])
    >>> match_nodes(made, again, n_starts=5, random_state=0).match.values.tolist()
    ['w', 'x', 'y', 'z']
    """
    _check(weight, n_starts, max_iter)
    types = [edge_types_of(c, edge_type) for c in (one, other)]
    shared = [name for name in types[0] if name in types[1]]
    n = max(one.sizes[NODE], other.sizes[NODE])
    relations = [
        relation_of(*(padded(weights_of(c, name, weight), n) for c in (one, other)), crossing=False) for name in shared
    ]
    known = known_partners(seeds or {}, one[NODE].to_numpy(), other[NODE].to_numpy())
    kept = [r for r in relations if r is not None]
    if not kept:
        raise InputError(f"the connectomes share no edge type: {listed(types[0])} and {listed(types[1])}")
    return _searched(kept, known, node_table.nodes_of(one), other[NODE].to_numpy(), n_starts, max_iter, random_state)


def match_sides(
    connectome: xr.Dataset,
    side: str | ArrayLike | xr.DataArray = "side",
    *,
    edge_type: EdgeType = None,
    weight: WeightScale = "log",
    seeds: Mapping[str, str] | None = None,
    crossing: bool = True,
    n_starts: int = 20,
    max_iter: int = 100,
    random_state: int | None = None,
) -> xr.Dataset:
    """Which node of the left side is which of the right, told by the wiring alone.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    side : str, (node,) or DataArray (node)
        Name of a node coordinate, or the side of each node (of a worm, ``worm_side(connectome.node)``; the carried
        connectomes have no such coordinate): ``"left"``, ``"right"`` or anything else, which leaves the node out.
    edge_type, weight, seeds, n_starts, max_iter, random_state
        As in `match_nodes`; `seeds` are partners on the right by label of the left.
    crossing : bool
        Whether edges from one side to the other are compared too [1]_.

    Returns
    -------
    Dataset (node: those of the left)
        As in `match_nodes`.

    Raises
    ------
    InputError
        If a side has no nodes, there is no edge to compare, or as in `match_nodes`.

    References
    ----------
    .. [1] Pedigo et al., Network Neuroscience 2023, doi:10.1162/netn_a_00287.

    Examples
    --------
    >>> from dynome.connectome import from_edges, worm_side
    >>> made = from_edges({"source": ["AVAL", "AVAR", "AVBL", "AVBR"], "target": ["AVBL", "AVBR", "AVDL", "AVDR"]})
    >>> match_sides(made, worm_side(made.node), random_state=0).match.values.tolist()
    ['AVAR', 'AVBR', 'AVDR']
    """
    _check(weight, n_starts, max_iter)
    where = sides_of(edge_table.checked(connectome), side)
    left, right = np.flatnonzero(where == "left"), np.flatnonzero(where == "right")
    if not left.size or not right.size:
        found = listed(sorted(set(where.tolist())))
        raise InputError(f'side must say "left" or "right" of some nodes each, found {found}')
    n = max(left.size, right.size)
    kept: list[Relation] = []
    for name in edge_types_of(connectome, edge_type):
        w = weights_of(connectome, name, weight)
        pairs = [(w[np.ix_(left, left)], w[np.ix_(right, right)], False)]
        pairs += [(w[np.ix_(left, right)], w[np.ix_(right, left)], True)] if crossing else []
        found_relations = [relation_of(padded(a, n), padded(b, n), crossing=c) for a, b, c in pairs]
        kept += [r for r in found_relations if r is not None]
    if not kept:
        raise InputError("no edge type has edges on both sides; choose others with edge_type=...")
    names = connectome[NODE].to_numpy()
    known = known_partners(seeds or {}, names[left], names[right])
    nodes = node_table.nodes_of(connectome).isel({NODE: left})
    return _searched(kept, known, nodes, names[right], n_starts, max_iter, random_state)


def _searched(
    relations: Sequence[Relation],
    known: tuple[NDArray[np.int64], NDArray[np.int64]],
    nodes: xr.Dataset,
    others: StrArray,
    n_starts: int,
    max_iter: int,
    random_state: int | None,
) -> xr.Dataset:
    seed = streams.resolve(random_state)
    n, n_free = relations[0].one.shape[0], relations[0].one.shape[0] - known[0].size
    found: list[Assignment] = []
    with progress.task("matching", total=n_starts) as advance:
        for k in range(n_starts):
            rng = streams.generator(seed, "matching", k)
            start = random_start(n_free, rng) if k else np.full((n_free, n_free), 1 / max(n_free, 1))
            found.append(_shuffled(relations, known, start, rng.permutation(n), max_iter))
            advance(1)
    found.sort(key=lambda a: -a.objective)
    padded = np.append(others, [""] * (n - others.size)).astype(others.dtype if others.size else np.str_)
    partner = np.stack([padded[a.partner[: nodes.sizes[NODE]]] for a in found])
    objective = np.array([a.objective for a in found]) / len(relations)
    one = {"units": DIMENSIONLESS}
    return nodes.assign(
        match=(NODE, partner[0], {"long_name": "partner"}),
        share=(NODE, (partner == partner[0]).mean(axis=0), {**one, "long_name": "share of searches that agree"}),
        match_by_start=(("start", NODE), partner, {"long_name": "partner"}),
        objective=("start", objective, {**one, "long_name": "weight that coincides"}),
    ).assign_attrs(n_seeds=int(known[0].size), n_relations=len(relations), random_state=seed)


def _shuffled(
    relations: Sequence[Relation],
    known: tuple[NDArray[np.int64], NDArray[np.int64]],
    start: Floats,
    order: NDArray[np.int64],
    max_iter: int,
) -> Assignment:
    """A search with the nodes of the second graph in another order: where scores tie, the first would win."""
    back = np.argsort(order)
    turned = [
        Relation(a[:, order], b[order], True) if crossing else Relation(a, b[order][:, order], False)
        for a, b, crossing in relations
    ]
    found = assigned(turned, (known[0], back[known[1]]), start, max_iter)
    return found._replace(partner=order[found.partner])


def _check(weight: WeightScale, n_starts: int, max_iter: int) -> None:
    edge_table.check_choice("weight", weight, WeightScale)
    if n_starts < 1 or max_iter < 1:
        raise InputError(f"n_starts and max_iter must be at least 1, got {n_starts} and {max_iter}")
