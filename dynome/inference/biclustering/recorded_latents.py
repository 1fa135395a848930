"""Latents of all chains as one labelled array, in memory or, where chains wrote to disk, lazy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.hmm.sequences import Sequences
from dynome.inference.biclustering.chains import ChainRun
from dynome.inference.biclustering.names import FACTOR, LATENT_DRAW
from dynome.inference.biclustering.placing import input_coords, placed
from dynome.schema import CHAIN, CLUSTER, COMPONENT, DRAW


def latents_dataset(runs: Sequence[ChainRun], sequences: Sequences, maps: NDArray[np.int64]) -> xr.Dataset:
    """Latents of all chains, as wide as the widest, with the new numbers of clusters."""
    n_cluster = maps.shape[-1]
    number = runs[0].recorded.latents["draw"]
    # Where the new cluster k was: the inverse of each permutation.
    old = np.argsort(maps[:, number], axis=-1)
    parts = [run.recorded.latents for run in runs]
    latent = _stacked([_wide(part["latent"], 2, n_cluster, np.nan) for part in parts])
    active = np.stack([_wide(part["active"], 1, n_cluster, False) for part in parts])
    active = np.take_along_axis(active, old[..., None], 2)
    latent = _taken(latent, old[:, :, None, :, None])
    before, after = (CHAIN, LATENT_DRAW), (CLUSTER, COMPONENT)
    names = ["common", *(f"factor{k}" for k in range(active.shape[-1]))]
    variables: dict[str, Any] = {
        "latent": placed(latent, sequences, before, after),
        "active": ((*before, CLUSTER, FACTOR), active, {"long_name": "whether nodes of a cluster read a factor"}),
    }
    variables["latent"].attrs.update(units="1", long_name="trajectory of a cluster")
    coords: dict[str, Any] = input_coords(sequences, tuple(map(str, sequences.layout.frame.dims)), ("latent", "active"))
    coords |= {
        CHAIN: np.arange(len(runs)),
        LATENT_DRAW: np.arange(number.size),
        DRAW: (LATENT_DRAW, number),
        CLUSTER: np.arange(n_cluster),
        COMPONENT: names,
        FACTOR: np.arange(active.shape[-1]),
    }
    return xr.Dataset(variables, coords)


def _wide(values: Any, axis: int, n: int, fill: Any) -> Any:
    """Padded at the end of an axis; numpy or dask."""
    if values.shape[axis] == n:
        return values
    shape = tuple(n - values.shape[axis] if k == axis else m for k, m in enumerate(values.shape))
    if isinstance(values, np.ndarray):
        return np.concatenate([values, np.full(shape, fill, dtype=values.dtype)], axis=axis)
    import dask.array as lazily

    lazy: Any = lazily
    return lazy.concatenate([values, lazy.full(shape, fill, dtype=values.dtype)], axis=axis)


def _stacked(parts: list[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.stack(parts)
    import dask.array as lazily

    lazy: Any = lazily
    whole = lazy.stack(parts)
    return whole.rechunk((1, 1, *whole.shape[2:]))


def _taken(latent: Any, old: NDArray[np.int64]) -> Any:
    """(chain, draw, bin, cluster, component) with clusters in another order in each draw."""
    if isinstance(latent, np.ndarray):
        out = np.empty_like(latent)
        for chain in range(latent.shape[0]):
            for draw in range(latent.shape[1]):
                out[chain, draw] = latent[chain, draw][:, old[chain, draw, 0, :, 0]]
        return out
    import dask.array as lazily

    lazy: Any = lazily
    index = lazy.from_array(old, chunks=(1, 1, *old.shape[2:]))
    return lazy.map_blocks(np.take_along_axis, latent, index, axis=3, dtype=latent.dtype, chunks=latent.chunks)
