"""How long a state lasts, and how often it is there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.inference.states.state_runs import MISSING, clock, decoded_states, state_shares, stretches
from dynome.schema import STATE, TIME


def dwell_times(states: xr.DataArray) -> pd.DataFrame:
    """Every visit to a state: when it began, how long it lasted, whether its ends were seen.

    Parameters
    ----------
    states : (..., time) integers, or (..., time, state) probabilities
        As `decode` or `posterior` of a model gives it; of a posterior the most probable state of each bin is taken.
        A visit never crosses the end of a session or trial (labels of leading dims, changes of a coordinate
        ``session`` or ``trial`` on time). Bins without a state (-1, NaN) end a visit.

    Returns
    -------
    DataFrame
        One row a visit: labels of the leading dims and of ``session`` and ``trial``; ``state``; ``start``, the time of
        its first bin; ``n_bins``; ``duration``, bins times the width of a bin; ``censored``, True where the visit
        touches the first or last bin of its session or trial or a bin without a state, so that it lasted longer than
        what was seen. ``start`` and ``duration`` are in the unit of the coordinate ``time``, or of ``time_in_session``
        where recordings lie end to end, and in bins where time has no coordinate; ``attrs["units"]`` says which
        (``""`` where the coordinate does not say).

    Raises
    ------
    InputError
        If `states` holds no states over time.

    Notes
    -----
    The mean of uncensored durations is too low: long visits are censored more often. Where many visits are censored,
    ``n_bins[~censored]`` and the diagonal of the transition matrix tell different things.

    Examples
    --------
    >>> states = xr.DataArray([0, 0, 1, 1, 1, 0], dims="time", coords={"time": np.arange(6) / 2})
    >>> dwell_times(states)[["state", "start", "duration", "censored"]]
       state  start  duration  censored
    0      0    0.0       1.0      True
    1      1    1.0       1.5     False
    2      0    2.5       0.5      True
    """
    decoded = decoded_states(states)
    usual = _bin_width(np.concatenate([np.diff(one.time) for one in stretches(decoded)] or [np.empty(0)]), 1.0)
    rows: list[dict[object, object]] = []
    for one in stretches(decoded):
        width = _bin_width(np.diff(one.time), usual)
        cuts = np.flatnonzero(np.diff(one.state, prepend=one.state[0] - 1, append=one.state[-1] - 1))
        for a, b in pairwise(cuts):
            if one.state[a] == MISSING:
                continue
            whole = a > 0 and b < one.state.size and MISSING not in (one.state[a - 1], one.state[b])
            rows.append(
                one.labels
                | {"state": int(one.state[a]), "start": float(one.time[a]), "n_bins": int(b - a)}
                | {"duration": float((b - a) * width), "censored": not whole}
            )
    marks = list(rows[0]) if rows else ["state", "start", "n_bins", "duration", "censored"]
    table = pd.DataFrame(rows, columns=pd.Index(marks))
    table.attrs["units"] = str(clock(states).attrs.get("units", ""))
    return table


def _bin_width(steps: NDArray[np.float64], otherwise: float) -> float:
    """Median step of a clock; `otherwise` where it has none."""
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else otherwise


def occupancy(states: xr.DataArray, by: str | None = None) -> xr.DataArray:
    """Share of the bins that each state takes.

    Parameters
    ----------
    states : (..., time) integers, or (..., time, state) probabilities
        As `decode` or `posterior` of a model gives it. Bins without a state (-1, NaN) do not count.
    by : str or None
        A leading dim, or a coordinate on a dim, such as ``"session"`` or ``"animal"``: one row for each of its values.
        None takes all bins together.

    Returns
    -------
    (state,) or (by, state)
        Shares that sum to 1 over states; NaN where a row has no bin. Of decoded states, the states are those from 0 to
        the largest that occurs.

    Raises
    ------
    InputError
        If `states` holds no states over time or `by` is neither a dim nor a coordinate of one dim.

    Examples
    --------
    >>> states = xr.DataArray([0, 0, 1, 1, 1, 1], dims="time", coords={"session": ("time", list("aaabbb"))})
    >>> occupancy(states, by="session").to_numpy().round(2).tolist()
    [[0.67, 0.33], [0.0, 1.0]]
    """
    shares = state_shares(states)
    if by is None:
        mean = shares.mean([d for d in shares.dims if d != STATE])
    elif by in shares.dims and by not in (STATE, TIME):
        mean = shares.mean([d for d in shares.dims if d not in (STATE, by)])
    elif by in shares.coords and shares[by].ndim == 1 and shares[by].dims != (STATE,):
        others = [d for d in shares.dims if d not in (STATE, *shares[by].dims)]
        # Rows have equal numbers of bins only without padding: sums are divided, not means averaged.
        total = shares.sum(others).groupby(by).sum()
        mean = total / shares.notnull().sum(others).groupby(by).sum().where(lambda n: n > 0)
    else:
        here = sorted({*map(str, shares.dims), *map(str, shares.coords)} - {STATE, TIME})
        raise InputError(f"by must be a leading dim or a coordinate of one dim, got {by!r}; there are {here}")
    return mean.rename("occupancy").assign_attrs(units="1", long_name="share of bins")
