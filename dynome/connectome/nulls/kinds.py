"""One entry to all null models of the wiring."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from dynome import labels, seeds
from dynome.connectome import edge_table
from dynome.connectome.edge_table import EdgeTable
from dynome.connectome.grouping import group_labels
from dynome.connectome.nulls import extremes
from dynome.connectome.nulls.constrained import places_of, rewired_by_length, rewired_by_type
from dynome.connectome.nulls.edge_rules import Rule, assembled, null_edges
from dynome.connectome.nulls.random_graphs import anywhere, dealt_weights
from dynome.connectome.nulls.rewiring import rewired, rewired_with_mutual
from dynome.errors import InputError
from dynome.schema import NODE

NullKind = Literal["degree", "reciprocity", "distance", "type", "weights", "labels", "erdos_renyi", "empty", "complete"]


_rules: dict[str, Rule] = {
    "degree": rewired,
    "reciprocity": rewired_with_mutual,
    "weights": dealt_weights,
    "erdos_renyi": anywhere,
}


def null_connectome(
    connectome: xr.Dataset,
    kind: NullKind = "degree",
    *,
    by: str | ArrayLike | xr.DataArray = "cell_type",
    n_bins: int = 10,
    random_state: int | None = None,
) -> xr.Dataset:
    """A connectome that might have been: random but for what the kind keeps.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    kind : str
        What is kept, in each edge type by itself:

        - ``"degree"``: how many edges enter and leave each node (`rewire`).
        - ``"reciprocity"``: that, and how many of the edges of each node lead both ways; the usual one for triads [3]_.
        - ``"distance"``: degrees, and how many edges there are in each of `n_bins` bins of length; needs the places
          ``x``, ``y`` or ``z`` of the nodes.
        - ``"type"``: degrees, and how many edges each node has to and from each cell type (`by`).
        - ``"weights"``: the edges; their weights are dealt at random (`shuffle_weights`).
        - ``"labels"``: the whole graph; who sits where in it is random.
        - ``"erdos_renyi"``: the number of edges (`erdos_renyi`).
        - ``"empty"``: nothing; there are no edges.
        - ``"complete"``: the summed weight, spread evenly over all ordered pairs of different nodes. Not random.
    by : str, (node,) or DataArray (node)
        For ``"type"``: name of a node coordinate, or the type of each node.
    n_bins : int
        For ``"distance"``: bins of length, limited by quantiles of the lengths that occur.
    random_state : int or None
        Seed; None draws a fresh one. The seed is kept in ``attrs["random_state"]``.

    Returns
    -------
    Dataset
        A valid connectome of the same nodes. Edges without direction stay symmetric, self-loops stay (with
        ``"labels"`` they move, with ``"empty"`` and ``"complete"`` there are none). Weight, sign and further columns of
        a directed edge stay with its *source*: dealt at random to its new targets (``"degree"``, ``"reciprocity"``;
        within cell types ``"type"``) or in the order of length (``"distance"``); so each node keeps its out-strength
        and its sign. On edges without direction they are dealt to all new edges (of the same two types; in the order of
        length). With ``"labels"`` they stay with the edge, with ``"erdos_renyi"`` they go anywhere, with ``"weights"``
        all but the weight stay. ``"complete"`` keeps ``sign`` and ``neurotransmitter`` where those of a source agree.
        ``attrs["null_model"]`` is the kind.

    Raises
    ------
    InputError
        If `kind` is unknown, places or cell types are missing, or a complete connectome would be too large.

    Notes
    -----
    Each pair of cell types is a graph of its own, which swaps sample evenly [1]_; many types with few nodes leave
    little to swap. Lengths are kept to the width of a bin: a swap must leave both bins as full as they were [2]_, which
    most do not, so that "distance" takes several times as long as "degree". Where wires are short or graphs are small
    or dense, many swaps are refused: compare the edges with the real ones if it matters how much is forgotten.

    References
    ----------
    .. [1] Maslov & Sneppen, Science 2002, doi:10.1126/science.1065103.
    .. [2] Betzel & Bassett, PNAS 2018, doi:10.1073/pnas.1720186115 (lengths).
    .. [3] Milo et al., Science 2002, doi:10.1126/science.298.5594.824.

    Examples
    --------
    >>> from dynome.connectome import degree, from_edges
    >>> wiring = from_edges({"source": ["a", "b", "c", "d"], "target": ["b", "c", "d", "a"]})
    >>> degree(null_connectome(wiring, "degree", random_state=0)).in_degree.values.tolist()
    [1, 1, 1, 1]
    >>> null_connectome(wiring, "empty").sizes["edge"]
    0
    """
    edge_table.check_choice("kind", kind, NullKind)
    seed = seeds.resolve(random_state)
    table = edge_table.table_of(connectome)
    whole = null_draw(connectome, table, kind, seeds.generator(seed, "null_connectome", kind), by=by, n_bins=n_bins)
    return assembled(connectome, whole, {"null_model": kind, "random_state": seed})


def null_draw(
    connectome: xr.Dataset,
    table: EdgeTable,
    kind: NullKind,
    rng: np.random.Generator,
    *,
    by: str | ArrayLike | xr.DataArray = "cell_type",
    n_bins: int = 10,
) -> EdgeTable:
    """The edges of one null connectome, by position and in no particular order: see `null_connectome`."""
    n_node, directed = connectome.sizes[NODE], bool(connectome.attrs["directed"])
    if kind == "empty":
        return extremes.without_edges(table)
    if kind == "complete":
        return extremes.with_all_edges(table, n_node, directed)
    if kind == "labels":
        return extremes.with_labels_permuted(table, n_node, rng)
    return null_edges(table, n_node, directed, _rule(connectome, kind, by, n_bins), rng)


def _rule(connectome: xr.Dataset, kind: NullKind, by: str | ArrayLike | xr.DataArray, n_bins: int) -> Rule:
    if kind == "distance":
        if n_bins < 1:
            raise InputError(f"n_bins must be at least 1, got {n_bins}")
        return partial(rewired_by_length, place=places_of(connectome), n_bins=n_bins)
    if kind == "type":
        return partial(rewired_by_type, code=labels.factorize(group_labels(connectome, by))[0])
    return _rules[kind]
