"""Epochs of a recording, such as stimuli and behaviours, as flags on the clock of an atlas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.preprocessing.epochs import to_trials
from dynome.errors import InputError, Problems, listed
from dynome.schema import ACTIVITY, ANIMAL, FEATURE, TIME, TRIAL

Epochs = Sequence[str] | Mapping[str, float] | None


def epoch_flags(aligned: xr.Dataset, epochs: Epochs) -> xr.DataArray:
    """Which epoch is on when, in every animal.

    Parameters
    ----------
    aligned : Dataset (animal, time, ...)
        As `align_animals` gives it.
    epochs : list of str, mapping of str to float, or None
        Names of flags (0 or 1 at every time); or numbers with a threshold each, above which the epoch is on. None
        takes every flag. A variable over ``feature`` gives one epoch a feature.

    Returns
    -------
    (animal, time, epoch)
        1 or 0, NaN where not recorded. Epochs are named ``"reversal"``, ``"stimulus:salt"`` or ``"velocity > 0.05"``.

    Raises
    ------
    InputError
        If a name is unknown, is no covariate, or holds numbers and has no threshold.

    Examples
    --------
    >>> rec = xr.Dataset({"velocity": (("animal", "time"), [[0.1, 0.0, 0.2]])}, {"animal": ["w"], "time": [0.0, 1, 2]})
    >>> epoch_flags(rec, {"velocity": 0.05}).epoch.item(), epoch_flags(rec, {"velocity": 0.05}).values.ravel().tolist()
    ('velocity > 0.05', [1.0, 0.0, 1.0])
    """
    known = {
        str(n): v
        for n, v in aligned.data_vars.items()
        if n != ACTIVITY
        and v.dtype.kind in "bif"
        and v.dims[:2] == (ANIMAL, TIME)
        and set(v.dims) <= {ANIMAL, TIME, FEATURE}
    }
    problems = Problems("cannot find the epochs")
    named = [n for n, v in known.items() if is_flag(v)] if epochs is None else [str(n) for n in epochs]
    thresholds = dict(epochs) if isinstance(epochs, Mapping) else {}
    flags: list[xr.DataArray] = []
    for name in named:
        if name not in known:
            problems.add(f"{name!r} is no covariate over time; there are {listed(known)}")
        elif name in thresholds:
            flags += _columns(f"{name} > {thresholds[name]:g}", _above(known[name], thresholds[name]))
        elif not is_flag(known[name]):
            problems.add(f'{name!r} holds numbers; give a threshold, as in epochs={{"{name}": 0.5}}')
        else:
            flags += _columns(name, known[name].astype(np.float64))
    problems.raise_if_any(InputError)
    if not flags:
        blank = np.empty((aligned.sizes[ANIMAL], aligned.sizes[TIME], 0))
        coords = {ANIMAL: aligned[ANIMAL].to_numpy(), TIME: aligned[TIME], "epoch": np.array([], dtype=np.str_)}
        return xr.DataArray(blank, dims=(ANIMAL, TIME, "epoch"), coords=coords)
    return xr.concat(flags, "epoch", coords="minimal", compat="override", join="exact").transpose(ANIMAL, TIME, "epoch")


def binned(flags: xr.DataArray, clock: NDArray[np.float64]) -> xr.DataArray:
    """Share of time that each epoch is on around each stamp of a coarser clock.

    Parameters
    ----------
    flags : (animal, time, epoch)
        As `epoch_flags` gives it.
    clock : (n_time,)
        Stamps; each sample of `flags` counts for the nearest.

    Returns
    -------
    (animal, time, epoch)
        0 to 1 over the samples that were recorded; NaN where none was.
    """
    nearest = np.searchsorted((clock[1:] + clock[:-1]) / 2, flags[TIME].to_numpy())
    values = flags.transpose(TIME, ANIMAL, "epoch").to_numpy()
    there = ~np.isnan(values)
    total, count = (np.zeros((clock.size, *values.shape[1:])) for _ in range(2))
    np.add.at(total, nearest, np.where(there, values, 0.0))
    np.add.at(count, nearest, there)
    share = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    coords = {ANIMAL: flags[ANIMAL].to_numpy(), TIME: clock, "epoch": flags["epoch"].to_numpy()}
    return xr.DataArray(share, dims=(TIME, ANIMAL, "epoch"), coords=coords).transpose(ANIMAL, TIME, "epoch")


def epochs_around(
    flags: xr.DataArray, onsets: Mapping[str, NDArray[np.float64]], *, before: float, after: float
) -> xr.DataArray:
    """Share of the events of each animal during which each epoch is on, by the time from the event.

    Parameters
    ----------
    flags : (animal, time, epoch)
        As `epoch_flags` gives it.
    onsets : mapping of str to (event,)
        Seconds, for every animal.
    before, after : float
        Seconds around an event.

    Returns
    -------
    (animal, time, epoch)
    """
    parts = [
        to_trials(flags.sel({ANIMAL: name}), times, before=before, after=after, incomplete="drop").mean(TRIAL)
        for name, times in onsets.items()
    ]
    joined = xr.concat(parts, ANIMAL, coords="different", compat="equals", join="exact")
    return joined.transpose(ANIMAL, TIME, "epoch")


def is_flag(variable: xr.DataArray) -> bool:
    """Whether a variable is 0 or 1 wherever it is recorded, and recorded somewhere."""
    values = variable.to_numpy()
    found = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return bool(found.size) and bool(np.isin(found, (0, 1)).all())


def _above(variable: xr.DataArray, threshold: float) -> xr.DataArray:
    return (variable > threshold).astype(np.float64).where(variable.notnull())


def _columns(name: str, flag: xr.DataArray) -> list[xr.DataArray]:
    bare = flag.drop_vars([n for n in flag.coords if n not in (ANIMAL, TIME, FEATURE)]).drop_attrs(deep=False)
    if FEATURE not in bare.dims:
        return [bare.rename("epoch_active").assign_coords(epoch=name)]
    labels = bare[FEATURE].to_numpy() if FEATURE in bare.coords else np.arange(bare.sizes[FEATURE])
    return [
        bare.isel({FEATURE: k})
        .drop_vars(FEATURE, errors="ignore")
        .rename("epoch_active")
        .assign_coords(epoch=f"{name}:{label}")
        for k, label in enumerate(labels.tolist())
    ]
