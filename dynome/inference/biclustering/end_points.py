"""Where chains stand, within the tree of results: their last points, and what it takes to go on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import StoreError
from dynome.inference.biclustering.chains import ChainRun
from dynome.inference.biclustering.checkpoints import Checkpoint, Packed, packed, unpacked
from dynome.inference.biclustering.model import Dynamics, State
from dynome.schema import CHAIN, CLUSTER, COMPONENT, STATE

LAST = "last"
_TEXT = "checkpoint"


def last_points(runs: Sequence[ChainRun]) -> dict[str, xr.Dataset]:
    """A group for each chain with its checkpoint, in full precision.

    Parameters
    ----------
    runs : sequence of ChainRun
    """
    groups = {}
    for k, run in enumerate(runs):
        text, arrays = packed(run.end)
        variables = {n: xr.Variable([f"{n}.axis{i}" for i in range(v.ndim)], v) for n, v in arrays.items()}
        groups[f"/{LAST}/chain_{k}"] = xr.Dataset(variables, attrs={_TEXT: text})
    return groups


def checkpoints_of(results: xr.DataTree) -> list[Checkpoint]:
    """Where the chains of a fit stand, also of one that was saved and loaded.

    Parameters
    ----------
    results : DataTree
        As `results_tree` makes it.

    Returns
    -------
    list of Checkpoint
        One a chain; `run_chain` goes on from it.

    Raises
    ------
    StoreError
        If it is not there.
    """
    if LAST not in results.children:
        raise StoreError("these results do not hold where their chains stand; fit again")
    chains = results[LAST].children
    found = []
    for k in range(len(chains)):
        dataset = chains[f"chain_{k}"].to_dataset(inherit=False)
        arrays = {str(n): v.to_numpy() for n, v in dataset.data_vars.items()}
        found.append(unpacked(Packed(str(dataset.attrs.get(_TEXT, "")), arrays)))
    return found


def last_dynamics(
    points: Sequence[State], cluster_maps: NDArray[np.int64], state_maps: NDArray[np.int64]
) -> dict[str, xr.Variable]:
    """Dynamics of the last draw of each chain, between every pair of clusters.

    Parameters
    ----------
    points : sequence of State
        One a chain.
    cluster_maps, state_maps : (n_chain, n_label)
        New number of each cluster and state; permutations.

    Returns
    -------
    dict
        ``matrix``, ``noise (chain, state, cluster, component, from_cluster, from_component)`` and ``offset (chain,
        state, cluster, component)``; NaN where a chain has no such cluster, 0 between clusters that are independent.
    """
    n_state, n_cluster = state_maps.shape[1], cluster_maps.shape[1]
    width = points[0].latent.shape[2]
    shape = (len(points), n_state, n_cluster, width)
    matrix, noise = (np.full((*shape, n_cluster, width), np.nan) for _ in range(2))
    offset = np.full(shape, np.nan)
    for k, point in enumerate(points):
        n = point.latent.shape[1]
        where = np.ix_(state_maps[k, : point.weight.size], cluster_maps[k, :n])
        pairs = np.ix_(state_maps[k, : point.weight.size], cluster_maps[k, :n], np.arange(width), cluster_maps[k, :n])
        full = _between_clusters(point.dynamics, n, width)
        matrix[k][pairs], noise[k][pairs], offset[k][where] = full.matrix, full.noise, full.offset
    dims = (CHAIN, STATE, CLUSTER, COMPONENT)
    pair_dims = (*dims, f"from_{CLUSTER}", f"from_{COMPONENT}")
    return {
        "matrix": xr.Variable(pair_dims, matrix, _about("transition matrix of the latents (A)")),
        "offset": xr.Variable(dims, offset, _about("offset of the latents (b)")),
        "noise": xr.Variable(pair_dims, noise, _about("covariance of the noise of the latents (Q)")),
    }


def _about(name: str) -> dict[str, str]:
    return {"units": "1", "long_name": f"{name}, last draw"}


def _between_clusters(dynamics: Dynamics, n: int, width: int) -> Dynamics:
    """Matrices as (state, cluster, component, from cluster, from component)."""
    n_state = dynamics.offset.shape[0]
    offset = dynamics.offset.reshape(n_state, n, width)
    if dynamics.matrix.shape[1] == 1:
        return Dynamics(
            dynamics.matrix.reshape(n_state, n, width, n, width),
            offset,
            dynamics.noise.reshape(n_state, n, width, n, width),
        )
    own = np.arange(n)
    matrix, noise = (np.zeros((n_state, n, width, n, width)) for _ in range(2))
    matrix[:, own, :, own], noise[:, own, :, own] = (
        np.moveaxis(part, 1, 0) for part in (dynamics.matrix, dynamics.noise)
    )
    return Dynamics(matrix, offset, noise)
