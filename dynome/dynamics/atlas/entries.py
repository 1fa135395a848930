"""How much each entry of an atlas tensor counts."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome.schema import ANIMAL, PAIR, TIME

_MISSING = 0.1


def entry_weights(tensor: xr.DataArray) -> xr.DataArray:
    """Weights of a fit in which missing entries are taken as 0, that is as chance.

    Where a pair was recorded only in animals in which a component is nearly silent, its loading would be nearly free,
    and could be of any size. A little weight on 0 for what is missing shrinks such loadings, and leaves those that the
    data determine.

    Parameters
    ----------
    tensor : (time, animal, pair)
        NaN where missing. With a coordinate ``n_events (animal)``, a mean over events.

    Returns
    -------
    (time, animal, pair), or (animal, pair) where what is missing is so at all times
        A tenth where missing. Means over events are divided by the mean square of their animal: animals then count
        equally, however lively they are and however few their events, so that motifs are those of most animals.
    """
    there = tensor.notnull()
    if bool((there.any(TIME) == there.all(TIME)).all()):
        there = there.any(TIME)
    weights = there.astype(np.float64).where(there, _MISSING)
    if "n_events" in tensor.coords:
        square = (tensor**2).mean((TIME, PAIR))
        weights *= (square.mean() / square.where(square > 0)).fillna(1.0)
    return weights.transpose(*(d for d in (TIME, ANIMAL, PAIR) if d in weights.dims))
