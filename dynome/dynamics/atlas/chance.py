"""Which components are more than chance: the same fit to recordings that share nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from dynome import progress, seeds
from dynome.permutation import permutation_p_value, q_value
from dynome.schema import COMPONENT

ALPHA = 0.05


def null_weights(
    draw: Callable[[np.random.Generator], xr.DataArray],
    weights: Callable[[xr.DataArray, int], xr.DataArray],
    *,
    n_null: int,
    random_state: int,
) -> xr.DataArray:
    """Weights of the components that are fitted to draws under the null.

    Parameters
    ----------
    draw : function of Generator
        Makes a tensor under the null.
    weights : function of a tensor and a seed
        Fits as many components as to the data and gives their ``weight (component)``.
    n_null : int
        Draws.
    random_state : int
        Seed; draw ``k`` does not depend on how many there are.

    Returns
    -------
    (null, component)
        Largest first.
    """
    found = []
    with progress.task("components of shifted recordings", total=n_null) as advance:
        for k in range(n_null):
            found.append(weights(draw(seeds.generator(random_state, "null", k)), k))
            advance(1)
    return xr.concat(found, "null", coords="minimal", compat="override").rename("null_weight")


def chance_of(weight: xr.DataArray, null_weight: xr.DataArray) -> xr.Dataset:
    """What the weights of components mean against those that chance gives.

    Parameters
    ----------
    weight : (component,)
        Of the fit to the data.
    null_weight : (null, component)
        As `null_weights` gives it.

    Returns
    -------
    Dataset over component
        ``p_value``: share of all components of all draws, the observed one included, that weigh as much. Where the
        data are chance, the components are like those of another draw and p is uniform, on average over components.
        ``q_value``: false discovery rate (Benjamini & Hochberg). ``above_chance``: whether that is at most 0.05.
    """
    p = permutation_p_value(
        weight.to_numpy(), np.broadcast_to(null_weight.to_numpy().ravel(), (weight.size, null_weight.size))
    )
    q = q_value(p)
    return xr.Dataset(
        {
            "p_value": (COMPONENT, p, {"units": "1", "long_name": "p-value, shifted recordings"}),
            "q_value": (COMPONENT, q, {"units": "1", "long_name": "false discovery rate"}),
            "above_chance": (COMPONENT, q <= ALPHA),
        },
        coords={COMPONENT: weight[COMPONENT].to_numpy()},
    )
