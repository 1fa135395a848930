"""Does a component show more during an epoch than at other times? A test by circular shifts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds
from dynome.permutation import permutation_p_value, q_value
from dynome.schema import ANIMAL, COMPONENT, TIME

Array = NDArray[np.float64]

_ALIKE = 0.5  # correlation of the flags of two animals
_LEAST = 2  # samples in and out of the epoch


def epoch_overlap(
    course: xr.DataArray,
    flags: xr.DataArray,
    loading: xr.DataArray,
    *,
    n_permutations: int = 1000,
    random_state: int | None = None,
    untested: Sequence[str] = (),
) -> xr.Dataset:
    r"""How much more a component shows during each epoch than outside it.

    Parameters
    ----------
    course : (animal, time, component)
        Expression of each component in each animal; NaN where not recorded.
    flags : (animal, time, epoch)
        0 to 1, how far the epoch is on; NaN where not recorded. On the clock of `course`.
    loading : (animal, component)
        How strongly each animal counts.
    n_permutations : int
        Shifts.
    random_state : int or None
        Seed of the shifts.
    untested : list of str
        Epochs by which the components were selected, so that a test would find what was put in; ``overlap`` is given,
        p and q are NaN.

    Returns
    -------
    Dataset over component and epoch
        ``overlap``: mean in the epoch less mean outside, in standard deviations of the course, averaged over animals
        by their loadings. ``overlap_p``: chance of as much under shifts, one-sided. ``overlap_q``: false discovery
        rate over all components and epochs. NaN where no animal has the epoch and is without it for two samples.

    Notes
    -----
    The course of an animal is turned in a circle against its epochs, which keeps the autocorrelation of both. Animals
    whose epochs coincide (flags correlated above 0.5, as under a common stimulus) are turned by one lag: they are one
    observation of that stimulus, not several, and independent lags would call chance significant. Other animals are
    turned each by a lag of its own.
    """
    values = course.transpose(ANIMAL, TIME, COMPONENT).to_numpy()
    on = flags.transpose(ANIMAL, TIME, "epoch").to_numpy()
    weight = loading.transpose(ANIMAL, COMPONENT).to_numpy()
    observed = np.full((values.shape[2], on.shape[2]), np.nan)
    p = np.full_like(observed, np.nan)
    for e in range(on.shape[2]):
        rng = seeds.generator(random_state, "overlap", str(flags["epoch"].to_numpy()[e]))
        profiles = [lagged_contrast(x, f) for x, f in zip(values, on[:, :, e], strict=True)]
        known = np.flatnonzero([profile is not None for profile in profiles])
        if known.size:
            group = alike(on[known, :, e])
            turns = rng.random((n_permutations, group.max() + 1))[:, group]
            found = [profiles[a] for a in known]
            null = np.stack([c[(turns[:, k] * len(c)).astype(np.int64)] for k, c in enumerate(found) if c is not None])
            share = weight[known] / np.where((total := weight[known].sum(0)) > 0, total, np.nan)
            observed[:, e] = sum(share[k] * c[0] for k, c in enumerate(found) if c is not None)
            if flags["epoch"].to_numpy()[e] not in untested:
                p[:, e] = permutation_p_value(observed[:, e], np.einsum("ac,anc->cn", share, null))
    dims = (COMPONENT, "epoch")
    return xr.Dataset(
        {
            "overlap": (dims, observed, {"units": "1", "long_name": "expression in the epoch less outside, in sd"}),
            "overlap_p": (dims, p, {"units": "1", "long_name": "p-value, circular shifts"}),
            "overlap_q": (dims, q_value(p), {"units": "1", "long_name": "false discovery rate"}),
        },
        coords={COMPONENT: course[COMPONENT].to_numpy(), "epoch": flags["epoch"].to_numpy()},
    )


def lagged_contrast(course: Array, flag: Array) -> Array | None:
    """Mean in the epoch less mean outside, in standard deviations, for every circular lag of the course.

    Parameters
    ----------
    course : (n_time, n_component)
        NaN where not recorded.
    flag : (n_time,)
        0 to 1; NaN where not recorded.

    Returns
    -------
    (n_lag, n_component) or None
        The first is the observed one. None if the epoch is never on, or never off.
    """
    there = ~np.isnan(flag) & ~np.isnan(course).any(axis=1)
    f, x = flag[there], course[there]
    inside, outside = f.sum(), (1 - f).sum()
    if min(inside, outside) < _LEAST:
        return None
    spread = x.std(0)
    z = (x - x.mean(0)) / np.where(spread > 0, spread, np.inf)
    spectrum = np.conj(np.fft.rfft(z, axis=0)) * np.fft.rfft(f)[:, None]
    turned = np.fft.irfft(spectrum, f.size, axis=0)  # sum of z in the epoch, at each lag; that of all z is 0
    return np.asarray(turned * (1 / inside + 1 / outside))


def alike(flags: Array) -> NDArray[np.int64]:
    """Groups of animals whose flags ``(animal, time)`` coincide; animals are linked one by one."""
    n = flags.shape[0]
    group = np.arange(n)
    for a in range(n):
        for b in range(a):
            both = ~np.isnan(flags[a]) & ~np.isnan(flags[b])
            x, y = flags[a][both], flags[b][both]
            if both.any() and x.std() > 0 and y.std() > 0 and np.corrcoef(x, y)[0, 1] > _ALIKE:
                group[group == group[a]] = group[b]
    return np.unique(group, return_inverse=True)[1].astype(np.int64)
