"""What the draws say of who belongs together: similarities, point partitions, uncertainty, agreement of chains."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.hmm.sequences import Sequences
from dynome.inference.biclustering.partitions import (
    PointPartition,
    agreement,
    extended,
    least_variation,
    maxpear,
    similarity,
    uncertainty,
)
from dynome.inference.biclustering.placing import input_coords, placed
from dynome.inference.biclustering.relabelling import matched_labels
from dynome.schema import BIN, CHAIN, NODE, TIME

_PEAR = "maximises the posterior expected adjusted Rand index"
_VARIATION = "least expected variation of information"
_MAX_ITEMS = 5_000
_ENTRIES = 10_000_000  # draws times items that are looked at


class Consensus(NamedTuple):
    """What draws of partitions have in common.

    Attributes
    ----------
    matrix : (n, n) or None
        Similarity, where it was asked for.
    pear, variation : PointPartition
        Labels of the second are matched to those of the first.
    uncertainty : (n,)
        Of each item, against the first.
    agreement : (n_chain, n_chain)
    """

    matrix: NDArray[np.float32] | None
    pear: PointPartition
    variation: PointPartition
    uncertainty: NDArray[np.float64]
    agreement: NDArray[np.float64]


def consensus(draws: NDArray[np.integer]) -> Consensus:
    """What draws of partitions have in common.

    Parameters
    ----------
    draws : (n_chain, n_draw, n)
        Of many items (bins of time), draws are thinned to a budget.

    Notes
    -----
    Similarities take memory with the number of items squared. Of more than 5,000 items, evenly spaced ones are
    partitioned, and the others join the cluster where they raise the expected variation of information least.
    """
    flat = draws.reshape(-1, draws.shape[-1])
    flat = flat[:: max(1, flat.size // _ENTRIES)]
    n = flat.shape[1]
    if n <= _MAX_ITEMS:
        matrix: NDArray[np.float32] | None = similarity(flat)
        best = maxpear(flat, matrix)
    else:
        matrix, some = None, np.arange(0, n, -(-n // _MAX_ITEMS))
        partial = maxpear(np.ascontiguousarray(flat[:, some]))
        start = np.full(n, -1)
        start[some] = partial.labels
        best = partial._replace(labels=extended(flat, start))
    least = least_variation(flat, (best.labels,))
    n_labels = int(max(least.labels.max(), best.labels.max())) + 1
    renamed = matched_labels(least.labels[None], best.labels, n_labels)[0][least.labels]
    return Consensus(matrix, best, least._replace(labels=renamed), uncertainty(flat, best.labels), agreement(draws))


def clusterings(
    cluster: NDArray[np.integer], state: NDArray[np.integer], sequences: Sequences, max_similarity_bins: int
) -> xr.Dataset:
    """Point partitions of nodes and bins, with what supports them.

    Parameters
    ----------
    cluster : (n_chain, n_draw, n_node)
    state : (n_chain, n_draw, n_bin)
    sequences : Sequences
    max_similarity_bins : int
        With more bins, their similarity is not kept.

    Returns
    -------
    Dataset
        ``node_similarity (node, other_node)``; ``state_similarity (time, other_time)``, or ``(bin, other_bin)`` where
        the recording has leading dims; ``cluster_maxpear``, ``cluster_vi``, ``node_uncertainty (node)``;
        ``state_maxpear``, ``state_vi``, ``time_uncertainty (..., time)``; ``cluster_agreement``, ``state_agreement
        (chain, other_chain)``: adjusted Rand index between draws.
    """
    nodes, bins = consensus(cluster), consensus(state)
    frame_dims = tuple(map(str, sequences.layout.frame.dims))
    other = f"other_{NODE}"
    variables: dict[str, Any] = {}
    if nodes.matrix is not None:
        variables["node_similarity"] = ((NODE, other), nodes.matrix, _about("share of draws that join two nodes"))
    coords = input_coords(sequences, (NODE, *frame_dims)) | {other: sequences.nodes}
    for name, item, found in (("cluster", "node", nodes), ("state", "time", bins)):
        variables[f"{name}_maxpear"] = _put(found.pear.labels, name, f"{name} that {_PEAR}", sequences)
        variables[f"{name}_maxpear"].attrs["expected_adjusted_rand"] = found.pear.value
        variables[f"{name}_vi"] = _put(found.variation.labels, name, f"{name} of {_VARIATION}", sequences)
        variables[f"{name}_vi"].attrs["expected_variation_bits"] = found.variation.value
        told = f"change of the company in its {name} from draw to draw"
        variables[f"{item}_uncertainty"] = _put(found.uncertainty, name, told, sequences)
        variables[f"{name}_agreement"] = (
            (CHAIN, f"other_{CHAIN}"),
            found.agreement,
            _about(f"adjusted Rand index of {name}s within and between chains"),
        )
    if bins.matrix is not None and state.shape[-1] <= max_similarity_bins:
        dims = (TIME, f"other_{TIME}") if frame_dims == (TIME,) and _whole(sequences) else (BIN, f"other_{BIN}")
        variables["state_similarity"] = (dims, bins.matrix, _about("share of draws that join two bins"))
        if dims[0] == TIME and TIME in coords:
            coords[dims[1]] = (dims[1], coords[TIME].values)
    chains = np.arange(cluster.shape[0])
    return xr.Dataset(variables, coords | {CHAIN: chains, f"other_{CHAIN}": chains})


def _whole(sequences: Sequences) -> bool:
    return sequences.layout.position.size == sequences.layout.frame.size


def _about(name: str) -> dict[str, Any]:
    return {"units": "1", "long_name": name}


def _put(values: NDArray[Any], name: str, told: str, sequences: Sequences) -> xr.Variable:
    found = xr.Variable(NODE, values) if name == "cluster" else placed(values, sequences, ())
    found.attrs.update(_about(told))
    return found
