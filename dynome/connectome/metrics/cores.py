"""Whether the nodes with many partners are joined among themselves: the rich club."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.connectome.metrics.adjacency import EdgeType, Ints, Matrix, joined
from dynome.connectome.nulls.kinds import NullKind, null_connectome
from dynome.connectome.selection import subgraph
from dynome.errors import InputError
from dynome.permutation import permutation_p_value, z_score
from dynome.units import DIMENSIONLESS


def rich_club(
    connectome: xr.Dataset,
    *,
    edge_type: EdgeType = None,
    n_null: int = 100,
    null: NullKind = "degree",
    random_state: int | None = None,
) -> xr.Dataset:
    r"""How densely the nodes above each degree are joined among themselves, against chance.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome; self-loops do not count, and edges of several types between two nodes count as one.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.
    n_null : int
        Null connectomes to compare with; 0 for none.
    null : str
        Kind of null connectome (`null_connectome`).
    random_state : int or None
        Seed; None draws a fresh one.

    Returns
    -------
    Dataset (degree), dimensionless
        ``rich_club``, the density among the nodes whose degree (partners in and out added) is larger; ``n_nodes``, how
        many they are, at least two. With nulls, ``null_mean``, ``null_sd``, ``normalized`` (the ratio to the mean),
        ``z_score`` and ``p_value``, one-sided: the chance of a club as dense.

    Raises
    ------
    InputError
        If `n_null` is negative or `null` unknown.

    Notes
    -----
    Hubs are joined more than others even by chance, so only the ratio to degree-preserving nulls says whether there
    is a club [1]_. Many degrees are looked at: one small p among them is no proof.

    References
    ----------
    .. [1] Colizza et al., Nature Physics 2006, doi:10.1038/nphys209.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> made = from_edges({"source": ["a", "a", "a", "b"], "target": ["b", "c", "d", "c"]})
    >>> rich_club(made, n_null=0).rich_club.values.round(2).tolist()
    [0.33, 0.5]
    """
    if n_null < 0:
        raise InputError(f"n_null must be at least 0, got {n_null}")
    made = subgraph(connectome, edge_type=edge_type)
    there = joined(made, None)
    levels = _levels(there)
    density, size = densities_above(there, levels)
    one = {"units": DIMENSIONLESS}
    out = xr.Dataset(
        {
            "rich_club": ("degree", density, {**one, "long_name": "density among nodes of larger degree"}),
            "n_nodes": ("degree", size, {"units": "count", "long_name": "nodes of larger degree"}),
        },
        coords={"degree": ("degree", levels, {"units": "count", "long_name": "degree"})},
    )
    if not n_null:
        return out
    seed = seeds.resolve(random_state)
    draws = np.full((levels.size, n_null), np.nan)
    with progress.task(f"null connectomes ({null})", total=n_null) as advance:
        for k in range(n_null):
            draw_seed = int(seeds.generator(seed, "rich_club", k).integers(2**31))
            draws[:, k] = densities_above(joined(null_connectome(made, null, random_state=draw_seed), None), levels)[0]
            advance(1)
    mean = draws.mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(mean > 0, density / mean, np.nan)
    return out.assign(
        null_mean=("degree", mean, one),
        null_sd=("degree", draws.std(axis=1, ddof=1) if n_null > 1 else np.full(levels.size, np.nan), one),
        normalized=("degree", ratio, {**one, "long_name": "rich club over that of chance"}),
        z_score=("degree", z_score(density, draws), one),
        p_value=("degree", permutation_p_value(density, draws), one),
    ).assign_attrs(null=null, n_null=n_null, random_state=seed)


def densities_above(there: Matrix, levels: Ints) -> tuple[NDArray[np.float64], Ints]:
    """Density among the nodes of larger degree, and how many they are, at each level; NaN for fewer than two."""
    coo = there.tocoo()
    total = np.bincount(coo.coords[0], minlength=there.shape[0]) + np.bincount(coo.coords[1], minlength=there.shape[0])
    lower = np.sort(np.minimum(total[coo.coords[0]], total[coo.coords[1]]))
    edges = lower.size - np.searchsorted(lower, levels, side="right")
    size = total.size - np.searchsorted(np.sort(total), levels, side="right")
    possible = size * (size - 1)
    return np.divide(edges, possible, out=np.full(levels.size, np.nan), where=possible > 0), size


def _levels(there: Matrix) -> Ints:
    total = np.diff(there.indptr) + np.diff(there.tocsc().indptr)
    ordered = np.sort(total)
    return np.arange(int(ordered[-2])) if ordered.size > 1 else np.zeros(0, dtype=np.int64)
