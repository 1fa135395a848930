"""Draws of chains taken back out of labelled results, so that chains go on in memory, also after loading."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from dynome.inference.biclustering.chains import ChainRun
from dynome.inference.biclustering.end_points import checkpoints_of
from dynome.inference.biclustering.names import CONCENTRATIONS, LATENT_DRAW
from dynome.inference.biclustering.placing import unplaced
from dynome.inference.biclustering.storage import LOG_LIKELIHOOD, STAT, Recorded
from dynome.schema import CHAIN, CLUSTER, COMPONENT, DRAW, NODE

_TRACE = "_trace"


def runs_of(results: xr.DataTree) -> list[ChainRun]:
    """The runs that results were made from, with clusters and states as they are numbered there.

    Parameters
    ----------
    results : DataTree
        As `results_tree` makes it.

    Returns
    -------
    list of ChainRun
        ``run_chain(step, run.end, None, n_draws, recorder=MemoryRecorder(run.recorded), ...)`` goes on.

    Raises
    ------
    StoreError
        If the results do not hold where their chains stand.
    """
    ends = checkpoints_of(results)
    return [ChainRun(end, _recorded(results, k)) for k, end in enumerate(ends)]


def _recorded(results: xr.DataTree, chain: int) -> Recorded:
    posterior = results["posterior"].to_dataset().isel({CHAIN: chain})
    state = posterior["state"]
    first = state.isel({DRAW: 0}).to_numpy().ravel()
    position = np.flatnonzero(first >= 0)
    cluster = posterior["cluster"].transpose(DRAW, NODE).to_numpy()
    coefficient = [posterior["bias"].to_numpy()[..., None], posterior["loading"].to_numpy()]
    stats = results["sample_stats"].to_dataset().isel({CHAIN: chain})
    draws: dict[str, Any] = {
        "cluster": np.stack([np.unique(row, return_inverse=True)[1] for row in cluster]).astype(cluster.dtype),
        "state": unplaced(state, (DRAW,), (), position),
        "coefficient": np.concatenate(coefficient, axis=-1),
        "dispersion": posterior["dispersion"].to_numpy(),
        "concentrations": np.stack([posterior[n].to_numpy() for n in CONCENTRATIONS], axis=-1),
        LOG_LIKELIHOOD: results["log_likelihood"]["y"].isel({CHAIN: chain}).transpose(DRAW, NODE).to_numpy(),
        "n_clusters": posterior["n_clusters"].to_numpy(),
        "n_states": posterior["n_states"].to_numpy(),
    }
    draws |= {f"{STAT}{n}": v.to_numpy() for n, v in stats.data_vars.items() if n != LOG_LIKELIHOOD}
    root = results.to_dataset().isel({CHAIN: chain})
    sweeps = {str(n).removesuffix(_TRACE): v.to_numpy() for n, v in root.data_vars.items() if str(n).endswith(_TRACE)}
    return Recorded(sweeps, draws, _latents(results, chain, cluster, position))


def _latents(results: xr.DataTree, chain: int, cluster: Any, position: Any) -> dict[str, Any]:
    """Latents with the clusters that a draw has first, as chains record them."""
    latents = results["latent"].to_dataset().isel({CHAIN: chain}).load()
    number = latents[DRAW].to_numpy()
    values = np.asarray(unplaced(latents["latent"], (LATENT_DRAW,), (CLUSTER, COMPONENT), position))
    active = latents["active"].transpose(LATENT_DRAW, CLUSTER, ...).to_numpy()
    used = [np.unique(cluster[draw]) for draw in number]
    widest = max(part.size for part in used)
    latent = np.full((*values.shape[:2], widest, values.shape[3]), np.nan, dtype=values.dtype)
    kept = np.zeros((active.shape[0], widest, active.shape[2]), dtype=bool)
    for k, part in enumerate(used):
        latent[k, :, : part.size], kept[k, : part.size] = values[k][:, part], active[k][part]
    return {"latent": latent, "active": kept, "draw": number}
