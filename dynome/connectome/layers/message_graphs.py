"""What graph layers see of a connectome: edges as tensors, sorted by target, and where each source's edges are.

Edge types become *relations*: columns of one table of weights, whose rows are the ordered pairs of nodes that any edge
type connects. Two nodes that share no edge have no row, which is not the same as a row whose weight is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from dynome import labels
from dynome.connectome import edge_table
from dynome.errors import InputError, Problems, listed
from dynome.schema import NODE

WeightKind: TypeAlias = Literal["count", "log", "binary"]
EdgeArrays: TypeAlias = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]


class MessageGraph(NamedTuple):
    """A static graph as graph layers want it. Messages go from source to target.

    Attributes
    ----------
    source, target : (E,) int64
        Positions of the ends of each connected pair, sorted by target, then source.
    pointer : (N + 1,) int64
        Rows ``pointer[i]`` to ``pointer[i + 1]`` are the inputs of node i.
    by_source : (E,) int64
        Row numbers sorted by source, then target: the same edges from the other end, for gradients.
    source_pointer : (N + 1,) int64
        ``by_source[source_pointer[j]]`` and following are the outputs of node j.
    weight : (E, R) float32
        One column per relation; zero where the pair is not connected by it.
    sign : (E, R) int8
        1 excitatory, -1 inhibitory, 0 unknown or not connected.
    feature : (E, D) float32
        What attention sees of an edge: ``log(1 + weight)`` of each relation, then its sign where any sign is known.
    nodes : (N,) str
        Labels, in the order of the rows of features.
    relations : tuple of str
        Edge types, one per column of `weight`.
    parts : tuple of MessageGraph
        The edges of each relation alone, on the same nodes; empty where there is one relation.
    gate : (E,) or None
        Factors of what edges carry; degrees and sums of weights do not feel them. None where all carry all. Attention
        does not look at it.
    """

    source: Tensor
    target: Tensor
    pointer: Tensor
    by_source: Tensor
    source_pointer: Tensor
    weight: Tensor
    sign: Tensor
    feature: Tensor
    nodes: NDArray[np.str_]
    relations: tuple[str, ...]
    parts: tuple[MessageGraph, ...] = ()
    gate: Tensor | None = None

    @property
    def n_nodes(self) -> int:
        """Number of nodes, isolated ones included."""
        return self.pointer.numel() - 1


class Edges(NamedTuple):
    """Edges of all relations as arrays, one row per edge and relation."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    weight: NDArray[np.float64]
    sign: NDArray[np.int8]
    relation: NDArray[np.int64]
    names: tuple[str, ...]


def message_graph(
    edges: xr.Dataset | EdgeArrays | Any,
    nodes: ArrayLike | int | None = None,
    *,
    edge_type: str | Sequence[str] | None = None,
    weight: WeightKind = "count",
    signed: bool = False,
    self_loops: bool = False,
) -> MessageGraph:
    """The edges of a connectome as tensors that every graph layer takes.

    Parameters
    ----------
    edges : Dataset, torch_geometric Data or HeteroData, or tuple of arrays
        A connectome; or a graph of PyTorch Geometric (see `to_pyg`), whose edge types become relations; or positions
        ``(source, target)`` or ``(source, target, weight)``, one relation.
    nodes : (N,) labels, int or None
        Which nodes the features will have, and in which order; None takes those of the connectome. Edges to nodes that
        are not named are left out; nodes that the connectome does not know are isolated. With arrays: the number of
        nodes, or one label each.
    edge_type : str, list of str or None
        Edge types to take, one relation each; None takes all.
    weight : {"count", "log", "binary"}
        Weights as they are; ``log(1 + abs(weight))`` with the sign of the weight; or 1 for every edge.
    signed : bool
        Multiply weights by ``sign`` (excitatory 1, inhibitory -1).
    self_loops : bool
        Join every node to itself, with weight 1, in every relation in which it is not.

    Returns
    -------
    MessageGraph
        On the CPU; see `moved`.

    Raises
    ------
    InputError
        If no node is shared with the connectome, labels repeat, positions are outside, an edge repeats, a weight is not
        finite, or `signed` is asked for and a sign is not known.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> wiring = from_edges({"source": ["ASHR", "AVAL"], "target": ["AVAL", "VA8"]})
    >>> graph = message_graph(wiring, nodes=["VA8", "AVAL", "ASHR"])
    >>> graph.source.tolist(), graph.target.tolist(), graph.relations
    ([1, 2], [0, 1], ('chemical',))
    """
    edge_table.check_choice("weight", weight, WeightKind)
    if isinstance(edges, xr.Dataset):
        found, names = _of_connectome(edges, nodes, edge_type)
    elif isinstance(edges, tuple):
        found, names = _of_arrays(edges, nodes)
    else:
        from dynome.connectome.layers.pyg_graphs import edges_of

        found, names = edges_of(edges, nodes, edge_type)
    if signed:
        found = found._replace(weight=found.weight * _known(found.sign))
    if self_loops:
        found = _with_loops(found, len(names))
    size = np.abs(found.weight)
    value = {"count": size, "log": np.log1p(size), "binary": np.ones_like(size)}[weight]
    whole = found._replace(weight=np.copysign(value, found.weight))
    return _assembled(whole, names, with_sign=bool(whole.sign.any()))


def moved(graph: MessageGraph, device: str | torch.device) -> MessageGraph:
    """The same graph on another device.

    Parameters
    ----------
    graph : MessageGraph
    device : str or torch device
        E.g. ``"cuda"``; see `dynome.device.resolve`.
    """
    there: dict[str, Any] = {
        name: value.to(device) for name, value in graph._asdict().items() if isinstance(value, Tensor)
    }
    return graph._replace(**there, parts=tuple(moved(part, device) for part in graph.parts))


def _of_connectome(
    connectome: xr.Dataset, nodes: ArrayLike | int | None, edge_type: str | Sequence[str] | None
) -> tuple[Edges, NDArray[np.str_]]:
    table = edge_table.table_of(connectome, edge_type)
    own = labels.as_labels(connectome[NODE].to_numpy())
    weight = np.asarray(table.weight, dtype=np.float64)
    sign = np.asarray(table.extra.get("sign", sign_of(weight)), dtype=np.int8)
    edges = Edges(table.source, table.target, weight, sign, table.layer, tuple(table.layers))
    if nodes is None:
        return edges, own
    if isinstance(nodes, int | np.integer):
        raise InputError(f"a connectome has labels: nodes must be labels or None, got {nodes}")
    wanted = labels.as_labels(nodes)
    check_labels(wanted)
    place = labels.positions(own, wanted)
    if own.size and wanted.size and (place < 0).all():
        told = f"nodes begins {listed(wanted[:3])}, the connectome {listed(own[:3])}"
        raise InputError(f"none of the {wanted.size} nodes is in the connectome: {told}; rename one of them")
    source, target = place[edges.source], place[edges.target]
    keep = (source >= 0) & (target >= 0)
    moved_ends = edges._replace(source=source, target=target)
    return taken(moved_ends, keep, edges.relation[keep], edges.names), wanted


def _of_arrays(edges: EdgeArrays, nodes: ArrayLike | int | None) -> tuple[Edges, NDArray[np.str_]]:
    problems = Problems("cannot make a graph of these edges")
    if len(edges) not in (2, 3):
        raise InputError(f"expected (source, target) or (source, target, weight), got {len(edges)} arrays")
    source, target = np.asarray(edges[0]), np.asarray(edges[1])
    weight = np.asarray(edges[2], dtype=np.float64) if len(edges) == 3 else np.ones(source.shape)
    if source.ndim != 1 or not source.shape == target.shape == weight.shape:
        told = f"{source.shape}, {target.shape} and {weight.shape}"
        raise InputError(f"source, target and weight must be one-dimensional and as long as each other, got {told}")
    for name, ends in (("source", source), ("target", target)):
        if ends.size and ends.dtype.kind not in "iu":
            raise InputError(f"{name} must hold positions (integers), got dtype {ends.dtype}; labels need a connectome")
    if nodes is None:
        raise InputError("edges given as arrays do not tell how many nodes there are: give nodes")
    names = np.arange(nodes).astype(np.str_) if isinstance(nodes, int | np.integer) else labels.as_labels(nodes)
    check_labels(names)
    ends = np.concatenate([source, target])
    if outside := int(((ends < 0) | (ends >= names.size)).sum()):
        problems.add(f"positions must be from 0 to {names.size - 1}, found {outside} outside")
    if odd := int((~np.isfinite(weight)).sum()):
        problems.add(f"weights must be finite, found {odd} that are not")
    problems.raise_if_any(InputError)
    relation = np.zeros(source.size, dtype=np.int64)
    return Edges(source.astype(np.int64), target.astype(np.int64), weight, sign_of(weight), relation, ("edge",)), names


def taken(edges: Edges, rows: NDArray[np.bool_], relation: NDArray[np.int64], names: tuple[str, ...]) -> Edges:
    """Some of the edges, with their relations named anew."""
    return Edges(edges.source[rows], edges.target[rows], edges.weight[rows], edges.sign[rows], relation, names)


def sign_of(weight: NDArray[np.float64]) -> NDArray[np.int8]:
    """Signs as far as weights tell them: all unknown unless some weight is negative."""
    return (np.sign(weight) if (weight < 0).any() else np.zeros(weight.size)).astype(np.int8)


def check_labels(names: NDArray[np.str_]) -> None:
    """Refuse labels that repeat.

    Raises
    ------
    InputError
        With the labels.
    """
    found, count = np.unique(names, return_counts=True)
    if (count > 1).any():
        raise InputError(f"nodes must be unique, found more than once: {listed(found[count > 1])}")


def _known(sign: NDArray[np.int8]) -> NDArray[np.int8]:
    if unknown := int((sign == 0).sum()):
        told = f"the sign of {unknown} of {sign.size} edges is unknown (0 or no variable sign)"
        raise InputError(f"{told}; keep edges of known sign, or use SignedLayer, which treats these apart")
    return sign


def _with_loops(edges: Edges, n_nodes: int) -> Edges:
    n_relations = max(len(edges.names), 1)
    there = np.zeros((n_relations, n_nodes), dtype=bool)
    loop = edges.source == edges.target
    there[edges.relation[loop], edges.source[loop]] = True
    relation, node = np.nonzero(~there)
    return Edges(
        np.concatenate([edges.source, node]),
        np.concatenate([edges.target, node]),
        np.concatenate([edges.weight, np.ones(node.size)]),
        np.concatenate([edges.sign, np.zeros(node.size, dtype=np.int8)]),
        np.concatenate([edges.relation, relation]),
        edges.names or ("loop",),
    )


def _assembled(edges: Edges, names: NDArray[np.str_], *, with_sign: bool) -> MessageGraph:
    n, n_relations = len(names), max(len(edges.names), 1)
    key = (edges.target * n + edges.source) * n_relations + edges.relation
    order = np.argsort(key, kind="stable")
    key = key[order]
    if several := int((np.diff(key) == 0).sum()):
        raise InputError(f"{several} edges are given more than once; add them up first")
    pair = key // n_relations
    first = np.diff(pair, prepend=-1) != 0
    row, column = np.cumsum(first) - 1, edges.relation[order]
    target, source = np.divmod(pair[first], max(n, 1))
    weight = np.zeros((source.size, len(edges.names)), dtype=np.float32)
    sign = np.zeros(weight.shape, dtype=np.int8)
    weight[row, column], sign[row, column] = edges.weight[order], edges.sign[order]
    feature = [np.log1p(np.abs(weight)), *([sign.astype(np.float32)] if with_sign else [])]
    whole = MessageGraph(
        source=torch.from_numpy(source),
        target=torch.from_numpy(target),
        pointer=_pointer(target, n),
        by_source=torch.from_numpy(np.argsort(source, kind="stable")),
        source_pointer=_pointer(source, n),
        weight=torch.from_numpy(weight),
        sign=torch.from_numpy(sign),
        feature=torch.from_numpy(np.concatenate(feature, axis=1)),
        nodes=names,
        relations=edges.names,
    )
    if n_relations == 1:
        return whole
    parts = [_assembled(_only(edges, code), names, with_sign=with_sign) for code in range(n_relations)]
    return whole._replace(parts=tuple(parts))


def _only(edges: Edges, code: int) -> Edges:
    rows = edges.relation == code
    return taken(edges, rows, np.zeros(int(rows.sum()), dtype=np.int64), (edges.names[code],))


def _pointer(ends: NDArray[np.int64], n: int) -> Tensor:
    """Where the edges of each node begin, in edges that are sorted by it."""
    return torch.from_numpy(np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=n))]).astype(np.int64))
