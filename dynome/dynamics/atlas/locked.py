"""Net affinity around events, less its mean over the session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.affinities.forming import template_of
from dynome.dynamics.affinities.kernels import Recipe
from dynome.dynamics.atlas.excess import net_block, net_recipe, require_affinity
from dynome.dynamics.preprocessing.epochs import to_trials
from dynome.errors import InputError, listed
from dynome.schema import ANIMAL, PAIR, TIME

Array = NDArray[np.float64]
Onsets = Mapping[str, NDArray[np.float64]]

_AT_ONCE = 64  # samples of which the mean is taken at a time


class Events(NamedTuple):
    """Affinities, and the windows around the events of each animal.

    Attributes
    ----------
    recipe : Recipe
        What affinities are made of.
    windows : list of (event, sample)
        Positions of the samples, an array for each animal.
    usual : list of (pair,)
        Mean net affinity over the session of each animal.
    blank : (time, animal, pair)
        Dims, coordinates and unit of the result.
    """

    recipe: Recipe
    windows: list[NDArray[np.int64]]
    usual: list[Array]
    blank: xr.DataArray


def events_of(aff: xr.Dataset, onsets: Onsets, *, before: float, after: float) -> Events:
    """Find the samples around events.

    Parameters
    ----------
    aff : Dataset
        As `affinity` gives it, with one sign.
    onsets : mapping of str to (event,)
        Seconds on the clock of `aff`, for every animal. Events without a full window are left out.
    before, after : float
        Seconds around an event.

    Raises
    ------
    InputError
        If an animal has no event with a full window.
    """
    animals = [str(a) for a in require_affinity(aff)[ANIMAL].to_numpy()]
    if missing := [a for a in animals if not np.size(onsets.get(a, ()))]:
        raise InputError(f"no event is given for {listed(missing)}; give onsets or leave the animals out")
    recipe, template = net_recipe(aff), template_of(aff)
    index = xr.DataArray(np.arange(aff.sizes[TIME]), dims=TIME, coords={TIME: aff[TIME]})
    cuts = [to_trials(index, onsets[a], before=before, after=after, incomplete="drop") for a in animals]
    blank = template.isel({TIME: [0] * cuts[0].sizes[TIME]}).assign_coords({TIME: cuts[0][TIME]})
    blank = blank.assign_coords(n_events=(ANIMAL, [len(cut) for cut in cuts]))
    attrs = {"units": template.attrs["units"], "long_name": "affinity above its mean, around events"}
    blank = blank.transpose(TIME, ANIMAL, PAIR).drop_attrs(deep=False).assign_attrs(attrs)
    return Events(recipe, [cut.to_numpy() for cut in cuts], [_mean(recipe, k) for k in range(len(animals))], blank)


def locked_affinity(events: Events, rng: np.random.Generator | None = None) -> xr.DataArray:
    r"""Net affinity averaged over the events of each animal, less its mean over the session.

    Parameters
    ----------
    events : Events
        As `events_of` finds them.
    rng : Generator or None
        Turns the affinities of each animal in a circle by one lag, which unlocks them from the events and leaves all
        else. None leaves them.

    Returns
    -------
    (time, animal, pair), unit of the affinity
        ``time`` in seconds from the event; not clipped, NaN where a node is missing. ``n_events (animal)``.
    """
    out = np.empty(events.blank.shape)
    for k, window in enumerate(events.windows):
        recorded = np.flatnonzero(events.recipe.observed[k].any(axis=1))
        first, n = recorded[0], recorded[-1] - recorded[0] + 1
        lag = 0 if rng is None else int(rng.integers(n))
        turned = (window - first + lag) % n + first
        total = sum(net_block(events.recipe, k, times) for times in turned)
        out[:, k] = np.asarray(total) / len(turned) - events.usual[k]
    return events.blank.copy(data=out)


def _mean(recipe: Recipe, animal: int) -> Array:
    """Mean over the samples that are there; NaN where there is none."""
    total, count = np.zeros(recipe.n_pair), np.zeros(recipe.n_pair)
    n_time = recipe.observed.shape[1]
    for start in range(0, n_time, _AT_ONCE):
        block = net_block(recipe, animal, np.arange(start, min(start + _AT_ONCE, n_time)))
        total += np.nansum(block, axis=0)
        count += (~np.isnan(block)).sum(axis=0)
    mean: Array = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean
