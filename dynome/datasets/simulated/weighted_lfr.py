"""Weighted graphs with power laws of degrees and community sizes: the benchmark of Lancichinetti and Fortunato."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import schema, seeds
from dynome.errors import InputError, Problems
from dynome.schema import EDGE, NODE

Ints = NDArray[np.int64]

_most_draws = 200  # of whole graphs
_patience = 10  # sweeps without success that end the search for outer partners
_least_size = 3  # of a community


def make_weighted_lfr(
    n_nodes: int = 125,
    *,
    mean_degree: float = 25.0,
    max_degree: int = 100,
    t1: float = 2.0,
    t2: float = 1.0,
    mixing_topology: float = 0.5,
    mixing_weight: float = 0.5,
    beta: float = 2.0,
    min_size: int | None = None,
    max_size: int | None = None,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""A weighted, undirected LFR graph: communities in the wiring, in the weights, or in both.

    Licence BSD-3-Clause; simulated after Lancichinetti & Fortunato 2009 [1]_.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    mean_degree : float
        Wished mean degree; the smallest degree is chosen for it.
    max_degree : int
        Largest degree, less than `n_nodes`.
    t1, t2 : float
        Degrees follow the power law :math:`k^{-t_1}`, community sizes :math:`n^{-t_2}`.
    mixing_topology : float
        Share of a node's edges that leave its community, from 0 to below 1.
    mixing_weight : float
        Share of a node's strength that leaves its community, from 0 to below 1.
    beta : float
        Strength of a node of degree k: :math:`s = k^\beta`.
    min_size, max_size : int or None
        Range of community sizes; None takes the smallest degree (at least 3) and `max_degree`, and makes one
        community large enough for the node of largest inner degree.
    random_state : int or None
        Seed; the same seed gives the same graph.

    Returns
    -------
    Dataset
        A valid connectome, undirected (each edge in both directions), with ``weight`` (dimensionless) and the truth
        ``community`` on ``node``. ``attrs`` tell what came out: ``mixing_topology`` and ``mixing_weight`` (means over
        nodes), ``n_communities`` and ``n_draws``.

    Raises
    ------
    InputError
        If an argument is out of range, or no graph of two or more communities turns up.

    Notes
    -----
    Inner edges are a random graph of the inner degrees in each community; outer edges are one of the outer degrees,
    rewired until ends of one community no longer meet or no rewiring helps (with two communities of different size
    it cannot all help, and the mixing comes out lower than wished). Weights are laid by turns: every node spreads
    what is left of its strength equally over its edges and then balances inner against outer edges. So a weight is
    a share of one end plus a share of the other: *additive* in the two nodes, up to changes that would have made it
    negative.

    Communities too small for a node are merged, and a graph of one community is drawn again (``n_draws`` counts),
    because nobody can be right or wrong about its communities. With 125 nodes and degrees up to 100 about half of
    the graphs have only two communities.

    References
    ----------
    .. [1] Lancichinetti & Fortunato, Physical Review E 2009, doi:10.1103/PhysRevE.80.016118.

    Examples
    --------
    >>> graph = make_weighted_lfr(mixing_topology=0.25, random_state=0)
    >>> graph.sizes["node"], graph.attrs["n_communities"] == len(set(graph.community.values.tolist()))
    (125, True)
    """
    _check(n_nodes, mean_degree, max_degree, mixing_topology, mixing_weight, (t1, t2, beta), (min_size, max_size))
    from dynome.datasets.simulated.lfr_kernels import lay_weights

    least = _least_degree(mean_degree, max_degree, t1)
    smallest = max(least, _least_size) if min_size is None else min_size
    largest = max_degree if max_size is None else max_size
    for draw in range(_most_draws):
        rng = seeds.generator(random_state, "make_weighted_lfr", draw)
        degree = _degrees(n_nodes, least, max_degree, t1, rng)
        drawn = _membership(degree, mixing_topology, smallest, largest, t2, min_size is None and max_size is None, rng)
        if drawn is None:
            continue
        community, inner = drawn
        one, other = _wire(community, inner, degree - inner, rng)
        inside = community[one] == community[other]
        got = np.bincount(one, minlength=n_nodes) + np.bincount(other, minlength=n_nodes)
        weight = lay_weights(one, other, inside, got.astype(np.float64) ** beta, mixing_weight)
        order = rng.permutation(n_nodes)  # so that the order of the nodes tells nothing
        place = np.argsort(order)
        return _labelled(place[one], place[other], weight, community[order], draw + 1)
    raise InputError(
        f"no graph of two or more communities in {_most_draws} draws; allow smaller communities (max_size), or lower "
        "max_degree or the mean degree"
    )


def _check(
    n_nodes: int,
    mean_degree: float,
    max_degree: int,
    mixing_topology: float,
    mixing_weight: float,
    exponents: tuple[float, ...],
    sizes: tuple[int | None, int | None],
) -> None:
    problems = Problems("cannot make a weighted LFR graph")
    if not 2 <= max_degree < n_nodes:
        problems.add(f"max_degree must be at least 2 and below n_nodes = {n_nodes}, got {max_degree}")
    elif not 1 <= mean_degree <= max_degree:
        problems.add(f"mean_degree must be between 1 and max_degree = {max_degree}, got {mean_degree:g}")
    for name, value in (("mixing_topology", mixing_topology), ("mixing_weight", mixing_weight)):
        if not 0 <= value < 1:
            problems.add(f"{name} must be at least 0 and below 1, got {value:g}")
    if not np.isfinite(exponents).all():
        problems.add(f"t1, t2 and beta must be finite, got {exponents}")
    if any(size is not None and not _least_size <= size <= n_nodes for size in sizes):
        problems.add(f"community sizes must be between {_least_size} and n_nodes = {n_nodes}, got {sizes}")
    elif None not in sizes and sizes[0] > sizes[1]:  # type: ignore[operator]
        problems.add(f"min_size must not exceed max_size, got {sizes}")
    problems.raise_if_any(InputError)


def _power_law(least: int, most: int, exponent: float) -> NDArray[np.float64]:
    """Probability of each whole number from `least` to `most`."""
    weight = np.arange(least, most + 1, dtype=np.float64) ** -exponent
    return np.asarray(weight / weight.sum())


def _least_degree(mean_degree: float, max_degree: int, t1: float) -> int:
    """The smallest degree whose power law has the mean nearest to the wished one."""
    means = [_power_law(k, max_degree, t1) @ np.arange(k, max_degree + 1) for k in range(1, max_degree + 1)]
    return 1 + int(np.argmin(np.abs(np.array(means) - mean_degree)))


def _degrees(n_nodes: int, least: int, most: int, t1: float, rng: np.random.Generator) -> Ints:
    """Ascending, with an even sum."""
    degree = np.sort(rng.choice(np.arange(least, most + 1), n_nodes, p=_power_law(least, most, t1)))
    degree[-1] -= degree.sum() % 2
    return degree


def _membership(
    degree: Ints, mixing: float, smallest: int, largest: int, t2: float, room: bool, rng: np.random.Generator
) -> tuple[Ints, Ints] | None:
    """Community and inner degree of each node, or None if only one community could hold the nodes.

    `room` makes the first community just large enough for the node of largest inner degree.
    """
    n_nodes = degree.size
    inner = _rounded((1 - mixing) * degree, rng)
    sizes = [int(inner.max()) + 1] if room and inner.max() + 1 > smallest else []
    chance = _power_law(smallest, largest, t2)
    while (size := int(rng.choice(np.arange(smallest, largest + 1), p=chance))) + sum(sizes) <= n_nodes:
        sizes.append(size)
    if not sizes:
        return None
    sizes[int(np.argmin(sizes))] += n_nodes - sum(sizes)
    while len(sizes) > 1:
        community = _seats(inner, np.array(sizes), rng)
        if community is not None:
            return community, _even(inner, degree, community, np.array(sizes), rng)
        sizes = sorted(sizes)
        sizes = [sizes[0] + sizes[1], *sizes[2:]]
        inner = _rounded((1 - mixing) * degree, rng)
    return None


def _rounded(values: NDArray[np.floating[Any]], rng: np.random.Generator) -> Ints:
    """Up or down at random, right on average."""
    return np.floor(values + rng.random(values.size)).astype(np.int64)


def _seats(inner: Ints, sizes: Ints, rng: np.random.Generator) -> Ints | None:
    """A free seat for every node, from the largest inner degree, in a community with enough others; None if none is."""
    seats = rng.permutation(np.repeat(np.arange(sizes.size), sizes))
    taken = np.zeros(seats.size, dtype=bool)
    community = np.empty(inner.size, dtype=np.int64)
    for node in np.argsort(-inner, kind="stable"):
        free = np.flatnonzero(~taken & (sizes[seats] > inner[node]))
        if not free.size:
            return None
        seat = rng.choice(free)
        taken[seat], community[node] = True, seats[seat]
    return community


def _even(inner: Ints, degree: Ints, community: Ints, sizes: Ints, rng: np.random.Generator) -> Ints:
    """Inner degrees whose sum is even in every community, by turning one inner edge end outward or back."""
    inner = inner.copy()
    for c in np.flatnonzero(np.bincount(community, weights=inner).astype(np.int64) % 2):
        members = rng.permutation(np.flatnonzero(community == c))
        step = 1 if rng.random() < 0.5 else -1
        for change in (step, -step):
            wanted = inner[members] + change
            fits = members[(wanted >= 0) & (wanted < sizes[c]) & (wanted <= degree[members])]
            if fits.size:
                inner[fits[0]] += change
                break
    return inner


def _wire(community: Ints, inner: Ints, outer: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Ends of the edges: a random graph in each community, and one between them."""
    n_nodes = community.size
    ends = []
    for c in range(int(community.max()) + 1):
        members = np.flatnonzero(community == c)
        one, other = _random_graph(inner[members], rng)
        ends.append(members[one] * n_nodes + members[other])
    one, other = _apart(*_random_graph(outer, rng), community, rng)
    ends.append(np.minimum(one, other) * n_nodes + np.maximum(one, other))
    one, other = np.divmod(np.unique(np.concatenate(ends)), n_nodes)
    return one, other


def _random_graph(degree: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """A random simple graph of these degrees (fewer where there is none): Havel & Hakimi, then swaps of ends."""
    from dynome.connectome.nulls.swap_kernels import swap_undirected

    left = degree.copy()
    ends = []
    for _ in range(degree.size):
        node = int(np.argmax(left))
        partners = np.argsort(-left, kind="stable")
        partners = partners[(partners != node) & (left[partners] > 0)][: left[node]]
        left[partners] -= 1
        left[node] = 0
        ends.append((np.full(partners.size, node), partners))
    one, other = (np.concatenate(e).astype(np.int64) for e in zip(*ends, strict=True))
    if one.size < 2:
        return np.minimum(one, other), np.maximum(one, other)
    one, other, _ = swap_undirected(one, other, degree.size, 20 * one.size, np.uint64(rng.integers(2**63)))
    return np.minimum(one, other), np.maximum(one, other)


def _apart(one: Ints, other: Ints, community: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Swap ends until no edge joins two nodes of one community, or no swap helps any more."""
    ends = np.stack([one, other])
    present = set(zip(one.tolist(), other.tolist(), strict=True)) | set(zip(other.tolist(), one.tolist(), strict=True))
    idle = 0
    while idle < _patience and (inside := np.flatnonzero(community[ends[0]] == community[ends[1]])).size:
        for e in inside:
            for f in rng.integers(0, one.size, 50).tolist():
                a, b = ends[:, e].tolist()
                c, d = ends[:: 1 if rng.random() < 0.5 else -1, f].tolist()
                if len({a, b, c, d}) < 4 or community[a] == community[d] or (a, d) in present or (c, b) in present:
                    continue
                present -= {(a, b), (b, a), (c, d), (d, c)}
                present |= {(a, d), (d, a), (c, b), (b, c)}
                ends[:, e], ends[:, f] = (a, d), (c, b)
                break
        now = int((community[ends[0]] == community[ends[1]]).sum())
        idle = 0 if now < inside.size else idle + 1
    return ends[0], ends[1]


def _labelled(one: Ints, other: Ints, weight: NDArray[np.float64], community: Ints, n_draws: int) -> xr.Dataset:
    n_nodes = community.size
    names = np.char.add("n", np.char.zfill(np.arange(n_nodes).astype(np.str_), len(str(n_nodes - 1))))
    sizes = np.bincount(community)
    rank = np.argsort(np.argsort(-sizes, kind="stable"))
    community = rank[community]
    source, target = np.concatenate([one, other]), np.concatenate([other, one])
    order = np.lexsort((target, source))
    both = np.concatenate([weight, weight])
    outside = community[source] != community[target]
    mixing = [
        float(np.mean(_ratio(np.bincount(source, w * outside, n_nodes), np.bincount(source, w, n_nodes))))
        for w in (np.ones(source.size), both)
    ]
    graph = xr.Dataset(
        {
            "source": (EDGE, names[source[order]], {"long_name": "node"}),
            "target": (EDGE, names[target[order]], {"long_name": "node"}),
            "weight": (EDGE, both[order], {"units": "1", "long_name": "weight"}),
            "edge_type": (EDGE, np.full(source.size, "structural")),
        },
        coords={NODE: names, "community": (NODE, community, {"long_name": "planted community"})},
        attrs={
            "name": "make_weighted_lfr",
            "node_kind": "neuron",
            "directed": 0,
            "mixing_topology": mixing[0],
            "mixing_weight": mixing[1],
            "n_communities": int(sizes.size),
            "n_draws": n_draws,
        },
    )
    return schema.validate(graph, "connectome")


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)
    return ratio
