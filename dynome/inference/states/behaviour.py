"""What animals do, see or are in each state."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds
from dynome.errors import InputError, Problems
from dynome.inference.states.state_runs import state_shares
from dynome.permutation import permutation_p_value, q_value
from dynome.schema import ANIMAL, SESSION, STATE, TIME

Array = NDArray[np.float64]


class _Record(NamedTuple):
    """One recording: probabilities (n_row, n_state) and covariate (n_row,); `block` rows are turned together."""

    probability: Array
    covariate: Array
    block: int


def state_covariates(
    posterior: xr.DataArray, covariate: xr.DataArray, *, n_null: int = 1000, random_state: int | None = None
) -> xr.Dataset:
    r"""Mean of a covariate in each state, against recordings in which the two were turned against each other.

    Parameters
    ----------
    posterior : (..., time, state) probabilities, or (..., time) decoded states
        As `posterior` or `decode` of a model gives it. Bins of NaN or -1 do not count.
    covariate : any of the other dims of `posterior`
        A number for each bin (running speed), or for each trial (contrast; correct 1, wrong 0). NaN does not count.
    n_null : int
        Draws of the null.
    random_state : int or None
        Seed; None draws one. Kept in ``attrs["random_state"]``.

    Returns
    -------
    Dataset over state
        ``mean``, in the unit of the covariate; ``difference`` to the mean over all bins; ``null_mean`` and
        ``null_standard_deviation`` of that difference; ``z``, the difference from chance in these; ``p_value``
        (two-sided); ``q_value`` (false discovery rate over states).
        ``attrs["overall_mean"]``, ``attrs["n_records"]``.

    Raises
    ------
    InputError
        If the covariate is not numeric, has dims or labels that the posterior has not, or never varies.

    Notes
    -----
    :math:`m_s = \sum_t \gamma_{ts} c_t / \sum_t \gamma_{ts}`. States and behaviour are both slow, so that they agree by
    chance far more often than independent bins would. In the null, the covariate of each recording is turned in a
    circle by a random lag of its own, which keeps how slow both are. Where recordings differ in both, chance is not
    centred at zero; the test is about its mean. Recordings are the labels of the dims ``session`` and ``animal`` and
    the values of a coordinate ``session`` on time; the trials of a recording follow one another, and
    a covariate of trials is turned by whole trials. A lag can be any, also zero: it needs recordings much longer than
    either changes, or many of them. With few bins or trials the smallest p-value is one over their number.

    Examples
    --------
    >>> state = np.repeat([0, 1, 0, 0, 1, 1, 0, 1], 50)
    >>> speed = xr.DataArray(state * 2.0 + 1, dims="time", attrs={"units": "cm/s"})
    >>> found = state_covariates(xr.DataArray(state, dims="time"), speed, random_state=0)
    >>> found["mean"].to_numpy().tolist(), bool((found.p_value < 0.02).all())
    ([1.0, 3.0], True)
    """
    shares = state_shares(posterior, "posterior")
    records = _records(shares, _checked(shares, covariate, n_null))
    seed = seeds.resolve(random_state)
    rng = seeds.generator(seed, "state_covariates")
    n_state = shares.sizes[STATE]
    observed, total = np.zeros((2, n_state)), np.zeros(2)
    null = np.zeros((2, n_null, n_state))
    for record in records:
        values = np.stack([np.nan_to_num(record.covariate), np.isfinite(record.covariate).astype(np.float64)])
        p = np.nan_to_num(record.probability)
        observed += values @ p
        total += values @ p.sum(axis=1)
        null += _turned(p, values, record.block, n_null, rng)
    if total[1] == 0:
        raise InputError("no bin has both a state and a value of the covariate")
    overall = total[0] / total[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(observed[1] > 1e-9, observed[0] / observed[1], np.nan)
        drawn = np.where(null[1] > 1e-9, null[0] / null[1], np.nan) - overall
    difference = mean - overall
    # Recordings may differ in both, which turning keeps: chance is not centred at zero.
    by_chance, spread = _moments(drawn)
    beyond = difference - by_chance
    p_value = permutation_p_value(np.abs(beyond), np.abs(drawn - by_chance).T)
    unit = {"units": str(covariate.attrs.get("units", "1"))}
    name = str(covariate.attrs.get("long_name", covariate.name or "covariate"))
    return xr.Dataset(
        {
            "mean": (STATE, mean, unit | {"long_name": f"mean {name}"}),
            "difference": (STATE, difference, unit | {"long_name": f"mean {name}, minus that of all bins"}),
            "null_mean": (STATE, by_chance, unit | {"long_name": "difference by chance"}),
            "null_standard_deviation": (STATE, spread, unit),
            "z": (STATE, beyond / np.where(spread > 0, spread, np.nan), {"units": "1"}),
            "p_value": (STATE, p_value, {"units": "1"}),
            "q_value": (STATE, q_value(p_value), {"units": "1"}),
        },
        coords={STATE: shares[STATE]},
        attrs={"overall_mean": float(overall), "n_records": len(records), "n_null": n_null, "random_state": seed},
    )


def _moments(drawn: Array) -> tuple[Array, Array]:
    """Mean and standard deviation over draws that are known; NaN for a state that no bin is ever in."""
    known = ~np.isnan(drawn)
    n = np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    mean = np.where(known, drawn, 0.0).sum(axis=0) / n
    return mean, np.sqrt((np.where(known, drawn - mean, 0.0) ** 2).sum(axis=0) / n)


def _checked(shares: xr.DataArray, covariate: xr.DataArray, n_null: int) -> xr.DataArray:
    problems = Problems("cannot compare states with a covariate")
    given: object = covariate
    if n_null < 1:
        problems.add(f"n_null must be at least 1, got {n_null}")
    if not isinstance(given, xr.DataArray):
        problems.add(f"the covariate must be a DataArray, got {type(given).__name__}")
        problems.fail(InputError)
    if covariate.dtype.kind not in "biuf":
        problems.add(f"the covariate must be numeric, found dtype {covariate.dtype}; compare each class: c == 'label'")
    elif np.isinf(covariate.to_numpy().astype(np.float64)).any():
        problems.add("the covariate has infinite values; NaN is the missing value")
    elif covariate.size and np.nanmin(covariate.to_numpy()) == np.nanmax(covariate.to_numpy()):
        problems.add(f"the covariate never varies, it is always {covariate.to_numpy().ravel()[0]}")
    if unknown := [str(d) for d in covariate.dims if d not in shares.dims or d == STATE]:
        problems.add(f"the covariate has dims {unknown} that the states have not; select one, or average")
    elif not covariate.dims:
        problems.add("the covariate must have at least one dim of the states")
    problems.raise_if_any(InputError)
    try:
        xr.align(shares, covariate, join="exact", copy=False)
    except ValueError as error:
        raise InputError(f"states and covariate must lie on the same labels: {error}") from error
    return covariate.astype(np.float64)


def _records(shares: xr.DataArray, covariate: xr.DataArray) -> list[_Record]:
    """Recordings, in each of which rows follow one another in time."""
    apart = [d for d in shares.dims if d in (SESSION, ANIMAL)]
    if set(covariate.dims) <= set(apart):
        apart = []  # nothing varies within a recording: whole recordings are turned
    within = [d for d in shares.dims if d not in (*apart, STATE)]
    by_time = TIME in covariate.dims
    block = 1 if by_time else shares.sizes[TIME]
    p = shares.transpose(*apart, *within, STATE)
    c = covariate.broadcast_like(p.isel({STATE: 0}, drop=True)).transpose(*apart, *within)
    n = int(np.prod([p.sizes[d] for d in apart], dtype=int))
    rows, values = p.to_numpy().reshape(n, -1, p.sizes[STATE]), c.to_numpy().reshape(n, -1)
    cuts = [0, rows.shape[1]]
    if SESSION in shares.coords and shares[SESSION].dims == (TIME,) and within == [TIME]:
        session = shares[SESSION].to_numpy()
        cuts = [0, *(np.flatnonzero(session[1:] != session[:-1]) + 1).tolist(), session.size]
    return [_Record(rows[k, a:b], values[k, a:b], block) for k in range(n) for a, b in pairwise(cuts)]


def _turned(p: Array, values: Array, block: int, n_null: int, rng: np.random.Generator) -> Array:
    """Sums of values by state for random lags: (2, n_null, n_state)."""
    n = p.shape[0] // block
    lag = rng.integers(n, size=n_null)
    if block > 1:  # what is constant within a block is turned block by block
        p, values = p.reshape(n, block, -1).sum(axis=1), values[:, ::block]
    spectrum = np.conj(np.fft.rfft(values, axis=1))[:, :, None] * np.fft.rfft(p, axis=0)
    return np.asarray(np.fft.irfft(spectrum, n=n, axis=1)[:, lag])
