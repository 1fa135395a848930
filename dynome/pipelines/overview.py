"""A first look at a study: connectivity, communities, motifs around an event, structure against function."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from dynome import connectome as wiring
from dynome import dynamics, inference, progress, schema, seeds, study
from dynome.errors import InputError

STEPS = 5
MOST = 0.75


def study_overview(
    data: xr.DataTree,
    *,
    connectome: xr.Dataset | None = None,
    event: str | None = "reversal",
    rate: float = 2.0,
    rank: int = 2,
    min_animals: int = 2,
    n_null: int = 100,
    random_state: int = 0,
) -> xr.DataTree:
    r"""Preprocess a study and measure what a first look should show.

    Parameters
    ----------
    data : DataTree
        Recordings of several animals with node labels that they share.
    connectome : Dataset or None
        The wiring; None takes the study's own, and without one structure is not compared with function.
    event : str or None
        A flag over time. Motifs are looked for around its onsets; None, or a flag that is not there, takes the clock
        of the session.
    rate : float
        Common sampling rate in Hz.
    rank : int
        Motifs of the atlas.
    min_animals : int
        Keep pairs of nodes that were recorded together in so many animals.
    n_null : int
        Rewired connectomes for the null distribution of structure against function.
    random_state : int
        Seed of everything that is random.

    Returns
    -------
    DataTree
        ``/recordings`` (aligned), ``/connectivity`` (each animal and the mean), ``/communities``, ``/atlas``,
        ``/structure_function`` and ``/homologues`` where they can be had.

    Raises
    ------
    InputError
        If fewer than `min_animals` animals share nodes.

    Notes
    -----
    The mean connectivity over animals is taken of Fisher's z, :math:`\tanh\langle \operatorname{artanh} r\rangle`.
    Communities are those of its positive part.

    Examples
    --------
    >>> import dynome as dy
    >>> worms = dy.datasets.make_worm(n_animals=3, duration=120, random_state=0)
    >>> found = study_overview(worms, n_null=10, rank=2)
    >>> sorted(found.children)
    ['atlas', 'communities', 'connectivity', 'homologues', 'recordings', 'structure_function']
    """
    if connectome is None and schema.CONNECTOME in data.children:
        connectome = study.connectome(data)
    with progress.task("first look", total=STEPS) as advance:
        with progress.task("aligning animals on one clock"):
            aligned = dynamics.standardize(dynamics.align_animals(data, rate=rate), dim="time")
        advance(1)
        with progress.task("functional connectivity"):
            connectivity = _connectivity(aligned, min_animals)
        advance(1)
        with progress.task("communities"):
            communities = _communities(connectivity["mean"], random_state)
        advance(1)
        parts = {
            "recordings": aligned,
            "connectivity": connectivity,
            "communities": communities.to_dataset(name="community"),
            "atlas": _atlas(aligned, event, rank, min_animals, random_state),
        }
        advance(1)
        with progress.task("structure against function"):
            parts |= _against_structure(connectivity["mean"], connectome, n_null, random_state)
        advance(1)
    attrs = {"rate": rate, "rank": rank, "min_animals": min_animals, "n_null": n_null, "event": event or ""}
    found = xr.DataTree.from_dict(parts)
    found.attrs.update(attrs, random_state=seeds.resolve(random_state))
    return found


def _connectivity(aligned: xr.Dataset, min_animals: int) -> xr.Dataset:
    """Correlation in each animal, and its mean over the animals that have the pair."""
    fc = dynamics.functional_connectivity(aligned["activity"], kind="correlation")
    mean = dynamics.mean_connectivity(fc, min_count=min_animals)
    enough = mean.notnull()
    if not bool(enough.any()):
        raise InputError(f"no two nodes were recorded together in {min_animals} animals; lower min_animals")
    known = mean["source"].to_numpy()[enough.any("target").to_numpy()]
    return xr.Dataset({"correlation": fc, "mean": mean}).sel(source=known, target=known)


def _communities(mean: xr.DataArray, random_state: int) -> xr.DataArray:
    positive = mean.clip(min=0).fillna(0.0)
    return wiring.find_communities(positive, random_state=random_state)


def _atlas(aligned: xr.Dataset, event: str | None, rank: int, min_animals: int, random_state: int) -> xr.Dataset:
    """Motifs of pairs that most animals have: one that few have is hardly determined where those load weakly."""
    most = max(min_animals, math.ceil(MOST * aligned.sizes["animal"]))
    model = dynamics.DynamicConnectome(
        rank=rank,
        smooth=1.5,
        min_animals=most,
        event=event if event in aligned else None,
        n_restarts=5,
        random_state=random_state,
    )
    results: xr.Dataset = model.fit(aligned).results_.assign_attrs(min_animals=most)
    return results


def _against_structure(
    mean: xr.DataArray, connectome: xr.Dataset | None, n_null: int, random_state: int
) -> dict[str, xr.Dataset]:
    if connectome is None:
        return {}
    parts = {
        "structure_function": inference.structure_function(connectome, mean, n_null=n_null, random_state=random_state)
    }
    partner = wiring.homologue(mean["source"])
    if np.isin(partner[partner != ""], mean["source"]).any():
        parts["homologues"] = inference.homologue_contrast(mean, random_state=random_state)
    return parts
