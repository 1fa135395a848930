"""Which nodes a component links, how strongly, and how they group."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome.connectome import find_communities
from dynome.dynamics.atlas.intervals import otsu_threshold
from dynome.dynamics.tensor.pairs import fold
from dynome.schema import ANIMAL, COMPONENT, NODE, PAIR, SOURCE, TARGET

_KNOWN = 0.1  # of a component's squared animal loadings must lie in animals that have the pair
_FEW = 3  # nodes that can be divided


def determined_pairs(pair_factor: xr.DataArray, animal_factor: xr.DataArray, observed: xr.DataArray) -> xr.DataArray:
    """Pair loadings that the data determine; 0 where they do not.

    Parameters
    ----------
    pair_factor : (pair, component)
        Loadings at least 0.
    animal_factor : (animal, component)
        Columns of norm 1.
    observed : (animal, pair)
        Whether the animal has the pair.

    Returns
    -------
    (component, pair)
        A pair that was recorded only in animals in which the component is nearly silent (a tenth of its squared
        loadings or less) has a loading that is nearly free, and counts as 0.
    """
    seen = (observed * animal_factor**2).sum(ANIMAL)
    return pair_factor.where(seen > _KNOWN, 0.0).transpose(COMPONENT, PAIR)


def node_strength(pairs: xr.DataArray) -> xr.DataArray:
    """Sum of the loadings of the pairs of each node: ``(component, node)``.

    Parameters
    ----------
    pairs : (component, pair)
        With ``source`` and ``target``.
    """
    strength = fold(pairs, fill=0.0).sum(TARGET).rename({SOURCE: NODE})
    return strength.rename("node_strength").assign_attrs(units="1", long_name="summed loading of the pairs of the node")


def motif_communities(
    pairs: xr.DataArray, strength: xr.DataArray, *, method: str, n_restarts: int, random_state: int
) -> xr.DataArray:
    """Communities of the nodes that take part in each component.

    Parameters
    ----------
    pairs : (component, pair)
        As `determined_pairs` gives it.
    strength : (component, node)
        As `node_strength` gives it.
    method, n_restarts, random_state
        As in `find_communities`.

    Returns
    -------
    community (component, node)
        0 for the largest; -1 for nodes that take no part: those in the lower class of the strengths of the component
        (`otsu_threshold`).
    """
    community = np.full(strength.shape, -1, dtype=np.int64)
    matrices = fold(pairs, fill=0.0)
    for k, row in enumerate(strength.to_numpy()):
        members = np.flatnonzero(row > otsu_threshold(row))
        part = matrices.isel({COMPONENT: k, SOURCE: members, TARGET: members}, drop=True)
        community[k, members] = (
            find_communities(part, method=method, n_restarts=n_restarts, random_state=random_state).to_numpy()
            if members.size > _FEW and bool((part > 0).any())
            else 0
        )
    return strength.copy(data=community).rename("community").assign_attrs(long_name="community", method=method)
