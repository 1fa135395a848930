"""Latents of the draws of a posterior, brought to one form so that they can be summarized."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.biclustering.tree import Bins, Floats, Labels, averaged

MAX_DRAWS = 200
_least = 0.5  # of the nodes of either cluster: less in common is another cluster
_passes = 3


class Trajectories(NamedTuple):
    """Latents of one cluster of the point partition.

    Attributes
    ----------
    values : (n_draw, n_column, 1 + n_factor)
        Common log rate, then factors; mean 0 over time.
    n_draws : int
        Of how many draws; those without such a cluster are left out.
    """

    values: Floats
    n_draws: int


def trajectories(posterior: xr.Dataset, latent: xr.DataArray, point: Labels, wanted: list[int], bins: Bins,
                 columns: Labels) -> list[Trajectories]:  # fmt: skip
    """Latents of clusters of the point partition in up to 200 draws, of all chains.

    Parameters
    ----------
    posterior : Dataset
        ``cluster (chain, draw, node)``.
    latent : (chain, latent_draw, ..., time, cluster, component)
        NaN where a draw has fewer clusters. Read one draw at a time.
    point : (n_node,)
        The point partition.
    wanted : list of int
        Its clusters.
    bins : Bins
    columns : (n_column,)
        First bin of each run that is averaged.

    Notes
    -----
    A cluster of a draw stands for that of the point partition with which it shares most nodes, if these are half of the
    nodes of either (Jaccard index). Latents are then moved to mean 0, and factors rotated as a rigid whole onto the
    mean of all draws (generalized Procrustes): what the likelihood cannot tell is taken out, and the bands show the
    rest. The mean has orthogonal factors, the largest first, their largest excursion positive.
    """
    chosen = _draws(posterior, latent)
    found: list[list[Floats]] = [[] for _ in wanted]
    for chain, number, draw in chosen:
        labels = posterior["cluster"].isel(chain=chain, draw=draw).to_numpy().astype(np.int64)
        pairs = [(k, j) for k, c in enumerate(wanted) if (j := _alike(labels, point == c)) >= 0]
        if not pairs:
            continue
        whole = latent.isel(chain=chain, latent_draw=number).transpose(*bins.leading, "time", "cluster", "component")
        values = canvas.finite(whole).reshape(-1, *whole.shape[-2:])[bins.keep]
        for k, j in pairs:
            path = values[:, j] if j < values.shape[1] else np.full((1, 1), np.nan)
            if np.isfinite(path).all():
                found[k].append(averaged(path - path.mean(axis=0), columns))
    n_component = latent.sizes["component"]
    return [Trajectories(_aligned(np.array(f).reshape(-1, columns.size, n_component)), len(chosen)) for f in found]


def _draws(posterior: xr.Dataset, latent: xr.DataArray) -> list[tuple[int, int, int]]:
    """Chain, position among the draws with latents, and position among all draws."""
    known = posterior["draw"].to_numpy() if "draw" in posterior.coords else np.arange(posterior.sizes["draw"])
    if "draw" not in latent.coords:
        raise InputError("cannot draw latents: /latent must have the coordinate draw, which tells their draws")
    where = np.searchsorted(known, latent["draw"].to_numpy())
    if (where >= known.size).any() or (known[np.minimum(where, known.size - 1)] != latent["draw"]).any():
        raise InputError("cannot draw latents: a draw of /latent is not in /posterior")
    pairs = [(c, k, int(d)) for c in range(latent.sizes["chain"]) for k, d in enumerate(where)]
    step = max(-(-len(pairs) // MAX_DRAWS), 1)
    return pairs[::step]


def _alike(labels: Labels, members: xr.DataArray | np.ndarray) -> int:
    """The cluster that shares most of its nodes with `members`, -1 if they are fewer than half."""
    inside = np.asarray(members, dtype=bool)
    shared = np.bincount(labels, weights=inside)
    index = shared / (np.bincount(labels) + inside.sum() - shared)
    return int(index.argmax()) if index.max(initial=0) >= _least else -1


def _aligned(values: Floats) -> Floats:
    """Factors of all draws rotated onto their mean, which is rotated to its principal axes."""
    if not len(values) or values.shape[-1] < 2:
        return values
    factors = values[..., 1:]
    target = factors[-1]
    for _ in range(_passes):
        factors = np.array([f @ _rotation(f, target) for f in factors])
        target = factors.mean(axis=0)
    axes = np.linalg.svd(target, full_matrices=False)[2].T
    main = target @ axes
    axes = axes * np.where(main[np.abs(main).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    return np.concatenate([values[..., :1], factors @ axes], axis=-1)


def _rotation(x: Floats, target: Floats) -> Floats:
    """The orthogonal matrix that brings `x` closest to `target`."""
    u, _, vt = np.linalg.svd(x.T @ target)
    return np.asarray(u @ vt)
