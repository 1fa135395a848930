"""In whom a component shows: loadings of animals, their own patterns, and how alike these are."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.rows import sweep_rows
from dynome.schema import ANIMAL, COMPONENT, PAIR, TIME

Array = NDArray[np.float64]

_SHARE = 0.2  # of the largest loading
_SWEEPS = 200


def expressed_in(animal_factor: xr.DataArray) -> xr.DataArray:
    """Which animals express a component: a fifth of its largest loading or more.

    Parameters
    ----------
    animal_factor : (animal, component)
        Loadings at least 0.

    Returns
    -------
    (component, animal)
    """
    factor = animal_factor.transpose(COMPONENT, ANIMAL)
    top = factor.max(ANIMAL)
    return ((factor >= _SHARE * top) & (top > 0)).rename("expressed").assign_attrs(long_name="expressed")


def with_plain_loadings(found: xr.Dataset, tensor: xr.DataArray) -> xr.Dataset:
    """Components whose loadings of animals, and weights, are fitted anew without the penalty that shrinks them.

    Parameters
    ----------
    found : Dataset
        As `NonnegativeCP.results_`.
    tensor : (time, animal, pair)
        What it was fitted to, NaN where missing.

    Returns
    -------
    Dataset
        `found` with ``animal_factor`` and ``weight`` as `animal_loadings` gives them, components by weight.
    """
    loading = animal_loadings(tensor, found["time_factor"], found["pair_factor"]).fillna(0.0)
    values = loading.transpose(*found["animal_factor"].dims).to_numpy()
    weight = np.linalg.norm(values, axis=0)
    found = found.assign(
        animal_factor=found["animal_factor"].copy(data=values / np.where(weight > 0, weight, 1.0)),
        weight=found["weight"].copy(data=weight),
    )
    order = np.argsort(-weight, kind="stable")
    return found.isel({COMPONENT: order}).assign_coords({COMPONENT: np.arange(order.size)})


def animal_loadings(tensor: xr.DataArray, time_factor: xr.DataArray, pair_factor: xr.DataArray) -> xr.DataArray:
    """How strongly animals express components that are given.

    Parameters
    ----------
    tensor : (time, animal, pair)
        NaN where missing.
    time_factor : (time, component)
        Columns of norm 1.
    pair_factor : (pair, component)
        Columns of norm 1.

    Returns
    -------
    (animal, component), unit of `tensor`
        Nonnegative least squares over what was observed; NaN for an animal of which nothing was.
    """
    x = tensor.transpose(ANIMAL, TIME, PAIR).to_numpy()
    course, pattern = (
        time_factor.transpose(TIME, COMPONENT).to_numpy(),
        pair_factor.transpose(PAIR, COMPONENT).to_numpy(),
    )
    rank = course.shape[1]
    products = (course[:, :, None] * course[:, None, :]).reshape(-1, rank * rank)
    squares = (pattern[:, :, None] * pattern[:, None, :]).reshape(-1, rank * rank)
    out = np.full((x.shape[0], rank), np.nan)
    for k, one in enumerate(x):
        there = ~np.isnan(one)
        if there.any():
            numerator = ((course.T @ np.where(there, one, 0.0)) * pattern.T).sum(1)
            gram = (products * (there @ squares)).sum(0).reshape(1, 1, rank, rank)
            row = np.zeros((1, 1, rank))
            sweep_rows(row, np.ascontiguousarray(numerator[None, None]), np.ascontiguousarray(gram), _SWEEPS)
            out[k] = row[0, 0]
    coords = {n: c for n, c in tensor.coords.items() if set(c.dims) <= {ANIMAL}}
    return xr.DataArray(
        out,
        dims=(ANIMAL, COMPONENT),
        coords={**coords, COMPONENT: time_factor[COMPONENT].to_numpy()},
        name="loading",
        attrs={"units": tensor.attrs.get("units", "1"), "long_name": "loading"},
    )


def courses(tensor: xr.DataArray, pair_factor: xr.DataArray) -> xr.DataArray:
    """How strongly each animal shows the patterns of given components at each time.

    Parameters
    ----------
    tensor : (time, animal, pair)
        NaN where missing; a pair that an animal lacks at some time is left out for that animal.
    pair_factor : (pair, component)
        The patterns.

    Returns
    -------
    (animal, time, component), unit of `tensor`
        Least squares, so that chance gives numbers around 0; NaN where nothing was recorded.
    """
    x = tensor.transpose(ANIMAL, TIME, PAIR).to_numpy()
    pattern = pair_factor.transpose(PAIR, COMPONENT).to_numpy()
    out = np.full((*x.shape[:2], pattern.shape[1]), np.nan)
    for k, one in enumerate(x):
        times, pairs = recorded(one)
        if times.size and pairs.size:
            out[k, times] = np.linalg.lstsq(pattern[pairs], one[np.ix_(times, pairs)].T, rcond=None)[0].T
    return xr.DataArray(
        out,
        dims=(ANIMAL, TIME, COMPONENT),
        coords={
            ANIMAL: tensor[ANIMAL].to_numpy(),
            TIME: tensor[TIME],
            COMPONENT: pair_factor[COMPONENT].to_numpy(),
        },
        attrs={"units": tensor.attrs.get("units", "1")},
    )


def animal_similarity(tensor: xr.DataArray, time_factor: xr.DataArray, expressed: xr.DataArray) -> xr.DataArray:
    """How alike the patterns are that single animals show for a component.

    Parameters
    ----------
    tensor : (time, animal, pair)
        NaN where missing.
    time_factor : (time, component)
        When the components are active.
    expressed : (component, animal)
        As `expressed_in` gives it.

    Returns
    -------
    (component, animal, other_animal)
        Cosine over the pairs that both animals have, of the patterns that least squares finds in each animal alone, so
        that unrelated patterns give numbers around 0; 1 on the diagonal. NaN where one does not express the component.
    """
    x = tensor.transpose(ANIMAL, TIME, PAIR).to_numpy()
    course = time_factor.transpose(TIME, COMPONENT).to_numpy()
    patterns = np.full((course.shape[1], x.shape[0], x.shape[2]), np.nan)
    for k, one in enumerate(x):
        times, pairs = recorded(one)
        if times.size and pairs.size:
            patterns[:, k, pairs] = np.linalg.lstsq(course[times], one[np.ix_(times, pairs)], rcond=None)[0]
    patterns[~expressed.transpose(COMPONENT, ANIMAL).to_numpy()] = np.nan
    there = ~np.isnan(patterns)
    values = np.where(there, patterns, 0.0)
    product = np.einsum("kap,kbp->kab", values, values)
    square = np.einsum("kap,kbp->kab", values**2, there.astype(np.float64))
    norm = np.sqrt(square * square.transpose(0, 2, 1))
    cosine = np.divide(product, norm, out=np.full(norm.shape, np.nan), where=norm > 0)
    name = tensor[ANIMAL].to_numpy()
    return xr.DataArray(
        cosine,
        dims=(COMPONENT, ANIMAL, "other_animal"),
        coords={COMPONENT: time_factor[COMPONENT].to_numpy(), ANIMAL: name, "other_animal": name},
        attrs={"units": "1", "long_name": "cosine of patterns of single animals"},
    )


def recorded(one: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times and pairs of one animal ``(time, pair)`` that together have no gap."""
    times = np.flatnonzero(~np.isnan(one).all(axis=1))
    pairs = np.flatnonzero(~np.isnan(one[times]).any(axis=0))
    return times, pairs
