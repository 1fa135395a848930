"""Affinity around events: what changes together when something happens, more than it usually does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome.dynamics.affinities.forming import animal_block, recipe_of, template_of
from dynome.dynamics.affinities.kernels import Recipe
from dynome.dynamics.preprocessing.epochs import to_trials
from dynome.errors import InputError, Problems, listed

_AT_ONCE = 64  # samples of which the mean is taken at a time


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
    affinity: xr.Dataset | xr.DataArray,
    onsets: Mapping[str, ArrayLike],
    *,
    before: float = 8.0,
    after: float = 12.0,
) -> xr.DataArray:
    r"""Affinity around events, averaged over the events of each animal, above its mean over the session.

    Animals that move freely share no clock: what happens at 100 s in one has nothing to do with what happens at 100 s
    in another. Time from an event is a clock that they share.

    Parameters
    ----------
    affinity : Dataset, or (time, animal, pair[, sign])
        A description as `affinity` gives it, of which only the windows and the mean are formed, or a tensor.
    onsets : mapping of str to (event,)
        Event times in seconds for every animal. Events without a full window are left out.
    before, after : float
        Seconds around the event.

    Returns
    -------
    (time, animal, pair[, sign]), unit of `affinity`
        ``time`` in seconds from the event; at least 0, NaN where a node is missing. ``n_events (animal)`` counts the
        events that were averaged.

    Raises
    ------
    InputError
        If an animal has no onset, or none with a full window.
    SchemaError
        If a Dataset is not a valid description.

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
    made_of = recipe_of(affinity) if isinstance(affinity, xr.Dataset) else None
    tensor = template_of(affinity) if isinstance(affinity, xr.Dataset) else affinity
    excess: list[xr.DataArray] = []
    count = []
    for k, animal in enumerate(animals):
        times = np.asarray(onsets[animal], dtype=float)
        one = tensor.isel(animal=k, drop=True)
        if made_of is None:
            trials = to_trials(one, times, before=before, after=after, incomplete="drop")
            around, usual = trials.mean("trial", skipna=False), one.mean("time")
            count.append(trials.sizes["trial"])
        else:
            index = xr.DataArray(np.arange(one.sizes["time"]), dims="time", coords={"time": one["time"]})
            cut = to_trials(index, times, before=before, after=after, incomplete="drop")
            flat = one.isel(time=0, drop=True)
            usual = flat.copy(data=_usual(made_of, k))
            around = flat.expand_dims(time=cut["time"]).copy(data=_around(made_of, k, cut.to_numpy()))
            count.append(cut.sizes["trial"])
        excess.append((around - usual).clip(min=0.0))
    joined = xr.concat(excess, dim="animal", coords="minimal", compat="override", join="exact")
    return (
        joined.assign_coords(animal=animals, n_events=("animal", count))
        .transpose("time", "animal", "pair", ...)
        .rename("event_affinity")
        .assign_attrs(tensor.attrs, long_name="affinity above its mean, around events")
    )


def _around(made_of: Recipe, animal: int, trials: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean over trials ``(n_trial, n_sample)`` of the samples they name: ``(n_sample, pair[, sign])``."""
    total = sum(_slices(made_of, animal, times) for times in trials)
    return np.asarray(total) / len(trials)


def _usual(made_of: Recipe, animal: int) -> NDArray[np.float64]:
    """Mean over the samples that are there: ``(pair[, sign])``; NaN where there is none."""
    total, count = 0.0, 0.0
    for start in range(0, made_of.rise.shape[1], _AT_ONCE):
        values = _slices(made_of, animal, np.arange(start, min(start + _AT_ONCE, made_of.rise.shape[1])))
        total, count = total + np.nansum(values, axis=0), count + (~np.isnan(values)).sum(axis=0)
    counted = np.asarray(count, dtype=np.float64)
    mean: NDArray[np.float64] = np.divide(total, counted, out=np.full(counted.shape, np.nan), where=counted > 0)
    return mean


def _slices(made_of: Recipe, animal: int, times: NDArray[np.int64]) -> NDArray[np.float64]:
    channels = [animal_block(made_of, animal, times, sign) for sign in range(made_of.signs)]
    return channels[0] if made_of.signs == 1 else np.stack(channels, axis=-1)
