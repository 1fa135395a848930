"""What each draw of a posterior says of every node and bin.

Only draws that were recorded with their latents do: a predictor for every node and bin. One draw is in memory at a
time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr

from dynome.dynamics.hmm.sequences import ChainInput, Sequences, stacked
from dynome.errors import InputError, Problems
from dynome.inference.biclustering.model import Array, Labels
from dynome.inference.biclustering.names import LATENT_DRAW
from dynome.inference.biclustering.observations import predictor
from dynome.inference.biclustering.placing import unplaced
from dynome.schema import ACTIVITY, CHAIN, CLUSTER, COMPONENT, DRAW, NODE, SPIKE_COUNT


class Predicted(NamedTuple):
    """One draw's view of the data.

    Attributes
    ----------
    psi : (n_node, n_bin)
        Predictor.
    dispersion : (n_node,)
    """

    psi: Array
    dispersion: Array


def predictors(results: xr.DataTree, position: Labels, number: list[tuple[int, int]]) -> Iterator[Predicted]:
    """Predictors of draws, one after the other.

    Parameters
    ----------
    results : DataTree
        Of the bi-clustering.
    position : (n_bin,)
        Bins of the flattened dims of the recording.
    number : list of (chain, latent draw)
    """
    posterior, latents = results["posterior"].to_dataset(), results["latent"].to_dataset()
    for chain, k in number:
        row = posterior.isel({CHAIN: chain, DRAW: int(latents[DRAW][k])})
        latent = unplaced(latents["latent"].isel({CHAIN: chain, LATENT_DRAW: k}), (), (CLUSTER, COMPONENT), position)
        bias, loading = row["bias"].to_numpy(), row["loading"].transpose(NODE, ...).to_numpy()
        coefficient = np.concatenate([bias[:, None], loading], axis=1).astype(np.float64)
        cluster = row["cluster"].to_numpy().astype(np.int64)
        paths = np.ascontiguousarray(np.asarray(latent), dtype=np.float64)
        yield Predicted(predictor(coefficient, paths, cluster), row["dispersion"].to_numpy().astype(np.float64))


def same_bins(tree: xr.DataTree, data: ChainInput, subject: str) -> Sequences:
    """The data as they are stacked, with the nodes and bins of the fit."""
    fitted = tree["observed_data"].to_dataset()["y"]
    order = (ACTIVITY, SPIKE_COUNT) if tree.attrs["observation"] == "gaussian" else (SPIKE_COUNT, ACTIVITY)
    own = stacked(data, order, nodes=fitted[NODE].to_numpy(), subject=subject)
    first = tree["posterior"].to_dataset()["state"].isel({CHAIN: 0, DRAW: 0})
    frame = own.layout.frame
    problems = Problems(subject)
    if dict(first.sizes) != dict(frame.sizes):
        problems.add(
            f"the model was fitted to bins {dict(first.sizes)}, found {dict(frame.sizes)}; pass the same recording"
        )
    elif not np.array_equal(np.flatnonzero(first.to_numpy().ravel() >= 0), own.layout.position):
        problems.add("padding is not where it was in the fit; pass the same recording")
    else:
        for name in frame.dims:
            if name in frame.coords and name in first.coords and not np.array_equal(frame[name], first[name]):
                problems.add(f"{name} has other labels than in the fit; pass the same recording")
    problems.raise_if_any(InputError)
    return own


def draw_numbers(tree: xr.DataTree, n_draws: int | None) -> list[tuple[int, int]]:
    """Chains and latent draws to look at, evenly spaced."""
    sizes = tree["latent"].sizes
    every = [(chain, k) for k in range(sizes[LATENT_DRAW]) for chain in range(sizes[CHAIN])]
    if n_draws is None or n_draws >= len(every):
        return every
    if n_draws < 1:
        raise InputError(f"n_draws must be at least 1, got {n_draws}")
    return [every[k] for k in np.linspace(0, len(every) - 1, n_draws).astype(int)]
