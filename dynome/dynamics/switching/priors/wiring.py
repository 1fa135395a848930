"""Classes of edges from a measured connectome: what anatomy says of each edge before activity is seen."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels, schema, units
from dynome.connectome import edge_table
from dynome.connectome.edge_table import EdgeTable
from dynome.errors import InputError, listed
from dynome.schema import NODE

Array = NDArray[np.float64]
Unknown = Literal["raise", "frequency"]

_MISSED = 0.02  # probability of an edge that was not seen, and of the other sign where the sign is known
_HALF = 1.0  # contacts for which presence is half certain
_INHIBITORY = ("gaba", "glycine")
_EXCITATORY = ("acetylcholine",)


def connectome_classes(connectome: xr.Dataset, nodes: ArrayLike, *, unknown: Unknown = "raise") -> Array:
    r"""Probability that each edge is inhibitory, absent or excitatory, by a measured connectome.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome. All its edge types count; take some with ``connectome.subgraph`` first if you mean fewer.
    nodes : (n_node,)
        Labels of the recording. The connectome may have more.
    unknown : {"raise", "frequency"}
        Nodes that the connectome does not have: an error, or their edges are not told, so that a prior takes the
        frequencies of all edges for them.

    Returns
    -------
    (target, source, 3)
        In the order inhibitory, none, excitatory; sums to 1, nothing is impossible. The diagonal is no edge. NaN for
        edges that are not told.

    Raises
    ------
    InputError
        If the connectome does not have a node of the recording, or none of them with ``unknown="frequency"``.
    SchemaError
        If `connectome` is not valid.

    Notes
    -----
    * **Presence** grows with the count n of contacts: :math:`n / (n + 1)`, and 0.02 where there is none. Weights that
      are no counts are first divided by their median in that edge type. Several edge types and repeated edges add up.
    * **Signs** are those of ``sign`` where it is there and not 0, or of negative weights. Of other chemical edges the
      transmitter decides, that of the edge (``neurotransmitter``) or of the presynaptic node (a coordinate
      ``neurotransmitter`` or ``transmitter``): GABA and glycine inhibit, acetylcholine excites. For glutamate,
      monoamines and peptides the receptor decides, so they have no sign: half and half. Gap junctions count as
      excitatory, because current flows towards the less active cell. Contacts of both signs share by count, and no
      sign is ever certain (0.02).

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> edges = {"source": ["a", "a"], "target": ["b", "c"], "weight": [3, 1], "sign": [-1, 1]}
    >>> connectome_classes(from_edges(edges, units="synapses"), ["a", "b", "c"])[:, 0].round(2).tolist()
    [[0.0, 1.0, 0.0], [0.74, 0.24, 0.02], [0.01, 0.49, 0.5]]
    """
    names = labels.as_labels(nodes)
    table = edge_table.table_of(connectome)
    place = labels.positions(connectome[NODE].to_numpy(), names)
    known = set(place.tolist())
    absent = [k for k in range(names.size) if k not in known]
    check_unknown(unknown)
    if absent and (unknown == "raise" or len(absent) == names.size):
        raise InputError(
            f"the connectome has no {listed(names[absent].tolist())} ({len(absent)} of the {names.size} recorded "
            "nodes); bring the names together with connectome.rename_nodes, leave them out of the data (neurons "
            "without an identity by `rec.sel(node=rec.labelled)`), keep some that it does not have by "
            'OneHotPrior(unknown="frequency"), or use no connectome'
        )
    contacts, sign = _contacts(connectome, table), _signs(connectome, table)
    source, target = place[table.source], place[table.target]
    within = (source >= 0) & (target >= 0) & (source != target)
    seen = np.zeros((names.size, names.size, 3))
    for column, value in enumerate((-1, 0, 1)):
        of = within & (sign == value)
        np.add.at(seen[:, :, column], (target[of], source[of]), contacts[of])
    out = _probabilities(seen)
    edge = ~np.eye(names.size, dtype=bool)
    out[absent] = np.where(edge[absent][..., None], np.nan, out[absent])
    out[:, absent] = np.where(edge[:, absent][..., None], np.nan, out[:, absent])
    return out


def check_unknown(unknown: str) -> None:
    """Refuse what is no way to treat nodes that the connectome does not have."""
    if unknown not in get_args(Unknown):
        raise InputError(f"unknown must be one of {listed(get_args(Unknown))}, got {unknown!r}")


def _probabilities(seen: Array) -> Array:
    """From contacts that inhibit, have no sign, and excite: (target, source, 3)."""
    count = seen.sum(2)
    present = _MISSED + (1 - _MISSED) * count / (count + _HALF)
    signed = (seen[:, :, [0, 2]] + 0.5 * seen[:, :, [1]]) / np.where(count > 0, count, 1.0)[..., None]
    share = np.where(count[..., None] > 0, _MISSED + (1 - 2 * _MISSED) * signed, 0.5)
    out = np.stack([present * share[..., 0], 1 - present, present * share[..., 1]], axis=2)
    out[np.eye(len(out), dtype=bool)] = (0.0, 1.0, 0.0)
    return np.asarray(out)


def _contacts(connectome: xr.Dataset, table: EdgeTable) -> Array:
    """Size of every edge, in contacts or in medians of its edge type."""
    out = np.abs(table.weight.astype(np.float64))
    for code, name in enumerate(table.layers):
        of = table.layer == code
        sizes = out[of & (out > 0)]
        if schema.weight_unit(connectome, name) not in units.COUNTS and sizes.size:
            out[of] /= np.median(sizes)
    return out


def _signs(connectome: xr.Dataset, table: EdgeTable) -> NDArray[np.int64]:
    """Of every edge: -1, 0 where it is not known, or 1."""
    sign = np.zeros(table.source.size, dtype=np.int64)
    electrical = np.isin(table.layer, [k for k, name in enumerate(table.layers) if name == "gap_junction"])
    chemical = np.isin(table.layer, [k for k, name in enumerate(table.layers) if name == "chemical"])
    for found in (connectome.coords.get("transmitter"), connectome.coords.get("neurotransmitter")):
        if found is not None and found.dims == (NODE,):
            by_node = _signs_of_transmitters(found.to_numpy())[table.source]
            sign = np.where(chemical & (by_node != 0), by_node, sign)
    if "neurotransmitter" in table.extra:
        by_edge = _signs_of_transmitters(table.extra["neurotransmitter"])
        sign = np.where(chemical & (by_edge != 0), by_edge, sign)
    sign[electrical] = 1
    sign[table.weight < 0] = -1
    if "sign" in table.extra:
        told = np.nan_to_num(table.extra["sign"]).astype(np.int64)
        sign = np.where(told != 0, told, sign)
    return sign


def _signs_of_transmitters(names: NDArray[Any]) -> NDArray[np.int64]:
    """-1 or 1 where the transmitter alone decides, else 0."""
    codes, distinct = labels.factorize(np.asarray(names).astype(np.str_))
    lower = [name.lower() for name in distinct.tolist()]
    inhibits = np.array([any(word in name for word in _INHIBITORY) for name in lower], dtype=np.int64)
    excites = np.array([any(word in name for word in _EXCITATORY) for name in lower], dtype=np.int64)
    return np.asarray((excites - inhibits)[codes])
