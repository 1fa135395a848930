"""Affinity around events: what changes together when something happens, more than it usually does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome.dynamics.preprocessing.epochs import to_trials
from dynome.errors import InputError, Problems, listed


def event_onsets(flag: xr.DataArray) -> NDArray[np.float64]:
    """Times at which a flag goes up.

    Parameters
    ----------
    flag : (time,)
        Boolean, or a number of which more than 0.5 is up; NaN is down.

    Returns
    -------
    (event,)
        Seconds, on the clock of `flag`; a flag that is up at the start has no onset there.

    Examples
    --------
    >>> event_onsets(xr.DataArray([0, 1, 1, 0, 1], dims="time", coords={"time": np.arange(5) / 2})).tolist()
    [0.5, 2.0]
    """
    up = flag.fillna(0).to_numpy() > 0.5
    stamps: NDArray[np.float64] = flag["time"].to_numpy()[1:][up[1:] & ~up[:-1]]
    return stamps


def event_affinity(
    affinity: xr.DataArray, onsets: Mapping[str, ArrayLike], *, before: float = 8.0, after: float = 12.0
) -> xr.DataArray:
    r"""Affinity around events, averaged over the events of each animal, above its mean over the session.

    Animals that move freely share no clock: what happens at 100 s in one has nothing to do with what happens at 100 s
    in another. Time from an event is a clock that they share.

    Parameters
    ----------
    affinity : (time, animal, pair)
        As `affinity` gives it.
    onsets : mapping of str to (event,)
        Event times in seconds for every animal. Events without a full window are left out.
    before, after : float
        Seconds around the event.

    Returns
    -------
    (time, animal, pair), unit of `affinity`
        ``time`` in seconds from the event; at least 0, NaN where a node is missing. ``n_events (animal)`` counts the
        events that were averaged.

    Raises
    ------
    InputError
        If an animal has no onset, or none with a full window.

    Notes
    -----
    :math:`x_{tap} = \max(0, \langle a_{ap}(t_e + t) \rangle_e - \langle a_{ap} \rangle)`

    Examples
    --------
    >>> t = np.arange(100) / 2
    >>> a = xr.DataArray((t % 10 == 5) * 1.0, dims="time", coords={"time": t}).expand_dims(animal=["w"], pair=["u|v"])
    >>> locked = event_affinity(a.transpose("time", "animal", "pair"), {"w": [15.0, 25.0]}, before=2, after=2)
    >>> one = locked.sel(animal="w", pair="u|v")
    >>> float(one.idxmax("time")), int(one.n_events)
    (0.0, 2)
    """
    problems = Problems("cannot average affinities around events")
    animals = affinity["animal"].to_numpy().tolist()
    if missing := [a for a in animals if np.size(onsets.get(a, ())) == 0]:
        problems.add(f"no event is given for {listed(missing)}; give onsets or drop the animals")
    problems.raise_if_any(InputError)
    excess: list[xr.DataArray] = []
    count = []
    for animal in animals:
        one = affinity.sel(animal=animal, drop=True)
        trials = to_trials(one, np.asarray(onsets[animal], dtype=float), before=before, after=after, incomplete="drop")
        excess.append((trials.mean("trial", skipna=False) - one.mean("time")).clip(min=0.0))
        count.append(trials.sizes["trial"])
    joined = xr.concat(excess, dim="animal", coords="minimal", compat="override", join="exact")
    return (
        joined.assign_coords(animal=animals, n_events=("animal", count))
        .transpose("time", "animal", "pair")
        .rename("event_affinity")
        .assign_attrs(affinity.attrs, long_name="affinity above its mean, around events")
    )
