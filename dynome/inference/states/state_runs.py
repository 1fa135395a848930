"""States in time, cut into stretches over which the chain runs: sessions, trials, recordings."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.hmm.gathering import TIME_IN_SESSION
from dynome.errors import InputError
from dynome.schema import NODE, SESSION, STATE, TIME, TRIAL

MISSING = -1


class Stretch(NamedTuple):
    """One session or trial.

    Attributes
    ----------
    labels : dict
        Which one: label by name of dim or coordinate.
    state : (n_bin,)
        -1 where there is no state.
    time : (n_bin,)
        As the coordinate ``time``, or ``time_in_session`` of several recordings, says; counted in bins without one.
    """

    labels: dict[Hashable, object]
    state: NDArray[np.int64]
    time: NDArray[np.float64]


def decoded_states(states: xr.DataArray, what: str = "states") -> xr.DataArray:
    """The state of every bin, from decoded states or from posteriors.

    Parameters
    ----------
    states : (..., time) integers, or (..., time, state) probabilities
        As `decode` and `posterior` of a model give them; -1 or NaN where there is no bin.
    what : str
        Name of the argument, for messages.

    Returns
    -------
    (..., time)
        Of a posterior the most probable state of each bin; -1 where it is NaN.

    Raises
    ------
    InputError
        If it is neither.
    """
    given: object = states
    if not isinstance(given, xr.DataArray) or TIME not in given.dims:
        found = tuple(map(str, given.dims)) if isinstance(given, xr.DataArray) else type(given).__name__
        raise InputError(f"{what} must be a DataArray over time, as decode or posterior gives it, found {found}")
    if NODE in states.dims:
        raise InputError(
            f"{what} have a dim node, as spike counts have; give the states that decode or posterior of a model returns"
        )
    if STATE in states.dims:
        known = states.notnull().all(STATE)
        most = states.fillna(0).argmax(STATE).where(known, MISSING).astype(np.int64)
        return most.transpose(..., TIME)
    values = states.to_numpy()
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), MISSING, values)
    if values.dtype.kind not in "iuf" or (values != np.round(values)).any() or (values < MISSING).any():
        raise InputError(f"{what} must be whole numbers from 0, or -1 where there is no bin; give what decode returns")
    return states.copy(data=values.astype(np.int64)).transpose(..., TIME)


def state_shares(states: xr.DataArray, what: str = "states") -> xr.DataArray:
    """Probability of every state in every bin; of decoded states 1 for the one that was decoded.

    Parameters
    ----------
    states, what
        As in `decoded_states`.

    Returns
    -------
    (..., time, state)
        NaN where there is no bin. Of decoded states, the states are those from 0 to the largest that occurs.
    """
    given: object = states
    if isinstance(given, xr.DataArray) and {STATE, TIME} <= set(given.dims):
        return states.transpose(..., TIME, STATE)
    decoded = decoded_states(states, what)
    number = np.arange(int(decoded.max()) + 1)
    member = decoded.expand_dims({STATE: number}, axis=-1) == xr.DataArray(number, dims=STATE)
    return member.astype(np.float64).where(decoded != MISSING)


def clock(states: xr.DataArray) -> xr.DataArray:
    """When each bin was: ``time``, or the clock of every recording where several lie end to end; else bins.

    Parameters
    ----------
    states : (..., time)
        As a model gives it.

    Returns
    -------
    (time,)
        With ``attrs["units"]`` where they are known; ``"bin"`` where time has no coordinate.
    """
    for name in (TIME_IN_SESSION, TIME):
        if name in states.coords and states[name].dims == (TIME,):
            return states[name]
    return states[TIME].assign_attrs(units="bin")


def stretches(states: xr.DataArray) -> Iterator[Stretch]:
    """Every session or trial of decoded states, without its padding.

    Parameters
    ----------
    states : (..., time)
        As `decoded_states` gives it. A new stretch begins with every label of the leading dims, and where a coordinate
        ``session`` or ``trial`` on time changes.

    Yields
    ------
    Stretch
    """
    leading = [d for d in states.dims if d != TIME]
    time = clock(states).to_numpy().astype(np.float64)
    marks = [n for n in (SESSION, TRIAL) if n in states.coords and states[n].dims == (TIME,)]
    own = {n: states[n].to_numpy() for n in marks}
    change = np.zeros(time.size, dtype=bool)
    for values in own.values():
        change[1:] |= values[1:] != values[:-1]
    cuts = [0, *np.flatnonzero(change).tolist(), time.size]
    for place in np.ndindex(*(states.sizes[d] for d in leading)):
        one = states.isel(dict(zip(leading, place, strict=True)))
        names = {d: states[d].to_numpy()[k] for d, k in zip(leading, place, strict=True)}
        values = one.to_numpy()
        for a, b in pairwise(cuts):
            there = np.flatnonzero(values[a:b] != MISSING)
            if there.size:
                first, last = a + there[0], a + there[-1] + 1
                labels = names | {n: v[a] for n, v in own.items()}
                yield Stretch(labels, values[first:last], time[first:last])
