"""Wirings with the same degrees that keep something else too: lengths in space, or who is wired to which cell type."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dynome.connectome.edge_table import EdgeTable, Integers, stacked, taken
from dynome.connectome.nulls.rewiring import rewired
from dynome.errors import InputError, listed
from dynome.schema import NODE

SPACE = ("x", "y", "z")
_neighbours = 5


def rewired_by_length(
    part: EdgeTable,
    _n_node: int,
    two_way: bool,
    rng: np.random.Generator,
    place: NDArray[np.float64],
    n_bins: int = 10,
    n_swaps_per_edge: float = 5,
    n_tries: int = 400,
) -> EdgeTable:
    """The rule of the null model "distance": swaps that leave the number of edges in each bin of lengths.

    Parameters
    ----------
    part, n_node, two_way, rng
        As in `dynome.connectome.nulls.edge_rules.null_edges`.
    place : (node, axis)
        Where the nodes are.
    n_bins : int
        Bins of length, limited by quantiles of the lengths that occur.
    n_swaps_per_edge : float
        Swaps per edge that are carried out, refused ones excluded.
    n_tries : int
        Proposals for each of them before it is left at that: with ten bins about one in a hundred is accepted.

    Returns
    -------
    EdgeTable
        Weight, sign and further columns stay with the source of a directed edge: its longest edge has those that its
        longest edge had, and so on. Edges without direction have them in the order of length over all edges.
    """
    from dynome.connectome.nulls import length_kernels

    if part.source.size < 2:
        return part
    length = _lengths(part.source, part.target, place)
    limits = np.quantile(length, np.linspace(0, 1, n_bins + 1))
    # A quantile may be a length that occurs: rounding must not put that edge below its own limit.
    bounds = np.unique(np.concatenate([[0.0], limits[1:-1] * (1 - 1e-9), [limits[-1] * (1 + 1e-9)]]))
    wanted = round(n_swaps_per_edge * part.source.size)
    seed = rng.integers(0, 2**64, dtype=np.uint64)
    source, target, _ = length_kernels.swap_within_bins(
        part.source, part.target, place, _near(place), bounds, two_way, wanted, n_tries * wanted, seed
    )
    before, after = (np.zeros_like(source),) * 2 if two_way else (part.source, source)
    old = np.lexsort((length, before))
    new = np.lexsort((rng.random(length.size), _lengths(source, target, place), after))
    out_source, out_target = np.empty_like(source), np.empty_like(target)
    out_source[old], out_target[old] = source[new], target[new]
    return part._replace(source=out_source, target=out_target)


def rewired_by_type(
    part: EdgeTable,
    n_node: int,
    two_way: bool,
    rng: np.random.Generator,
    code: Integers,
    n_swaps_per_edge: float = 10,
) -> EdgeTable:
    """The rule of the null model "type": the edges between each pair of cell types are rewired by themselves.

    Parameters
    ----------
    part, n_node, two_way, rng, n_swaps_per_edge
        As in `dynome.connectome.nulls.rewiring.rewired`.
    code : (node,)
        The type of each node, as an integer.

    Returns
    -------
    EdgeTable
        Every node keeps how many edges it has to and from each type; columns are dealt as in `rewired`, within the
        pairs of types.
    """
    a, b = code[part.source], code[part.target]
    if two_way:  # an edge between two types leads from the lower type, which makes a bipartite graph of each pair
        turned = a > b
        source, target = np.where(turned, part.target, part.source), np.where(turned, part.source, part.target)
        part, a, b = part._replace(source=source, target=target), np.minimum(a, b), np.maximum(a, b)
    block = a * (int(code.max(initial=0)) + 1) + b
    order = np.argsort(block, kind="stable")
    starts = np.flatnonzero(np.diff(block[order], prepend=-1))
    parts = [taken(part, slice(0, 0))]
    for rows in np.split(order, starts[1:]):
        within = two_way and bool((a[rows] == b[rows]).all())
        parts.append(rewired(taken(part, rows), n_node, within, rng, n_swaps_per_edge))
    return stacked(parts)


def places_of(connectome: xr.Dataset) -> NDArray[np.float64]:
    """Where the nodes are (node, axis).

    Raises
    ------
    InputError
        If the connectome has no coordinates x, y or z on its nodes, or a node has no place.
    """
    axes = [name for name in SPACE if name in connectome.variables and connectome[name].dims == (NODE,)]
    if not axes:
        raise InputError("lengths need the places of the nodes: expected coordinates x, y, z on node, found none")
    place = np.stack([connectome[name].to_numpy().astype(np.float64) for name in axes], axis=1)
    if (lost := ~np.isfinite(place).all(axis=1)).any():
        told = listed(connectome[NODE].to_numpy()[lost].tolist())
        raise InputError(f"{told} have no place; give them {', '.join(axes)}, or drop them with subgraph first")
    return place


def _lengths(source: Integers, target: Integers, place: NDArray[np.float64]) -> NDArray[np.float64]:
    square: NDArray[np.float64] = ((place[source] - place[target]) ** 2).sum(axis=1)
    return np.sqrt(square)


def _near(place: NDArray[np.float64]) -> Integers:
    """A few neighbours in space of each node (node, neighbour)."""
    found = cKDTree(place).query(place, min(_neighbours + 1, place.shape[0]))[1]
    return np.ascontiguousarray(found.reshape(place.shape[0], -1), dtype=np.int64)
