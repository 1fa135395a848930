"""Affinity above chance: what two nodes share, less what two that know nothing of each other would.

Two such traces still change in one direction now and then, and in opposite ones as often, both the more so the livelier
they are. The *net* affinity is the former less the latter: 0 on average wherever nothing is shared, also while two
unrelated motifs are lively at once. What traces whose rises differ from their falls still give when they are moved
against each other is subtracted. Nothing is clipped: chance goes up and down alike, and a fit to both recovers weak
motifs that a fit to the positive part loses in its bias.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds
from dynome.dynamics.affinities.forming import animal_block, recipe_of, template_of
from dynome.dynamics.affinities.kernels import Recipe
from dynome.dynamics.atlas.shifts import shifted_affinity
from dynome.dynamics.preprocessing.clock import sampling_interval
from dynome.errors import InputError
from dynome.schema import ANIMAL, PAIR, TIME

Array = NDArray[np.float64]

_SHIFTS = 8  # copies of which the level of chance is the mean
_PER_WINDOW = 2  # samples that are kept of each window
_REACH = 4  # standard deviations
_HALF = 0.5  # of its weights must fall on recorded samples


def excess_affinity(aff: xr.Dataset, *, window: float = 4.0, random_state: int | None = None) -> xr.DataArray:
    r"""Net affinity of every pair above what independent traces would have, averaged over a few seconds.

    Parameters
    ----------
    aff : Dataset
        As `affinity` gives it, with one sign.
    window : float
        Standard deviation in seconds of the Gaussian over which affinities are averaged; two samples are kept of each.
        0 averages nothing.
    random_state : int or None
        Seed of the shifts.

    Returns
    -------
    (time, animal, pair), unit of the affinity
        0 on average where nothing is shared, negative where two nodes rather change in opposite directions; NaN where
        a node is missing.

    Raises
    ------
    InputError
        If `window` is out of range or `aff` is no affinity with one sign.

    Notes
    -----
    :math:`x_{ap}(t) = \langle a_{ap} - \bar a_{ap} \rangle_{window}(t) - \langle a_{ap}^{shifted} - \bar
    a_{ap}^{shifted} \rangle` with the affinity :math:`a` of changes in one direction and :math:`\bar a` of opposite
    ones (``signed`` in `affinity`). The second mean is over time and over copies of the recording in which every trace
    was turned in a circle by a lag of its own.

    Examples
    --------
    >>> from dynome.datasets import make_dynamic_communities
    >>> from dynome.dynamics import affinity
    >>> x = excess_affinity(affinity(make_dynamic_communities(n_nodes=20, random_state=0)), random_state=0)
    >>> x.sizes["time"], bool((x < 0).any())
    (150, True)
    """
    level = chance_level(aff, random_state=random_state)
    return averaged_affinity(aff, window) - level


def chance_level(aff: xr.Dataset, *, random_state: int | None = None) -> xr.DataArray:
    """Mean net affinity of every pair when every trace is moved in time by a lag of its own: ``(animal, pair)``."""
    rng = seeds.generator(random_state, "chance level")
    total = np.zeros((aff.sizes[ANIMAL], aff.sizes[PAIR]))
    for _ in range(_SHIFTS):
        moved = shifted_affinity(aff, rng)
        total += np.stack([_mean(one) for one in animal_blocks(moved)])
    return xr.DataArray(total / _SHIFTS, dims=(ANIMAL, PAIR), coords={ANIMAL: aff[ANIMAL].to_numpy()})


def averaged_affinity(aff: xr.Dataset, window: float) -> xr.DataArray:
    """Net affinity averaged over windows and thinned: ``(time, animal, pair)``."""
    clock = aff[TIME].to_numpy()
    rows = windows(clock, window, sampling_interval(aff))
    values = np.stack([window_means(one, rows) for one in animal_blocks(aff)], axis=1)
    blank = template_of(aff).isel({TIME: [k for k, _, _ in rows]}).transpose(TIME, ANIMAL, PAIR)
    attrs = {"units": str(aff.attrs["units"]), "long_name": "net affinity above chance"}
    return blank.copy(data=values).drop_attrs(deep=False).assign_attrs(attrs).rename("excess_affinity")


def animal_blocks(aff: xr.Dataset) -> Iterator[Array]:
    """The net affinities of one animal after the other, ``(time, pair)``, so that only one is in memory."""
    recipe, times = net_recipe(aff), np.arange(aff.sizes[TIME])
    for k in range(aff.sizes[ANIMAL]):
        yield net_block(recipe, k, times)


def net_recipe(aff: xr.Dataset) -> Recipe:
    """What affinities of both signs are made of."""
    return recipe_of(require_affinity(aff).assign_attrs(signed=1))


def net_block(recipe: Recipe, animal: int, times: NDArray[np.int64]) -> Array:
    """Affinity of changes in one direction less that of changes in opposite ones: ``(n, pair)``, NaN where missing."""
    if recipe.swing.size:  # product kernels: (p_i - n_i) (p_j - n_j) of rises p and falls n
        swing = np.where(recipe.observed[animal, times].T, recipe.swing[animal][:, times], np.nan)
        i, j = recipe.pairs()
        product: Array = (swing[i] * swing[j]).T
        return product
    block: Array = animal_block(recipe, animal, times, 0) - animal_block(recipe, animal, times, 1)
    return block


def _mean(x: Array) -> Array:
    """Over time; NaN where nothing is recorded."""
    count = (~np.isnan(x)).sum(axis=0)
    mean: Array = np.divide(np.nansum(x, axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean


def windows(clock: Array, window: float, interval: float) -> list[tuple[int, slice, Array]]:
    """Of each sample that is kept: its position, the samples in the window around it, and their weights."""
    length = clock[-1] - clock[0] + interval
    if not 0 <= window <= length:
        raise InputError(f"window must be between 0 s and {length:g} s, got {window!r}")
    step = max(round(window / _PER_WINDOW / interval), 1)
    width = max(window, 1e-3 * interval)
    found = []
    for k in range(min(step // 2, clock.size - 1), clock.size, step):
        lower, upper = np.searchsorted(clock, [clock[k] - _REACH * width, clock[k] + _REACH * width + 1e-9 * interval])
        found.append((k, slice(lower, upper), np.exp(-0.5 * ((clock[lower:upper] - clock[k]) / width) ** 2)))
    return found


def window_means(x: Array, rows: list[tuple[int, slice, Array]]) -> Array:
    """Weighted means ``(window, pair)`` of what was recorded; NaN where less than half of the weights falls on it."""
    there = ~np.isnan(x)
    if there.all():
        return np.stack([weights @ x[part] / weights.sum() for _, part, weights in rows])
    filled, counts = np.where(there, x, 0.0), there.astype(np.float64)
    out = np.full((len(rows), x.shape[1]), np.nan)
    for row, (_, part, weights) in zip(out, rows, strict=True):
        mass = weights @ counts[part]
        np.divide(weights @ filled[part], mass, out=row, where=mass >= _HALF * weights.sum())
    return out


def require_affinity(aff: xr.Dataset) -> xr.Dataset:
    """The affinity itself, if it is one with one sign."""
    if aff.attrs.get("kind") != "affinity" or "rate" not in aff:
        raise InputError("expected a Dataset as dynome.dynamics.affinity gives it; compute the affinity first")
    if aff.attrs.get("signed"):
        raise InputError("an atlas takes affinities of one sign, this one has two; pass signed=False to affinity")
    return aff
