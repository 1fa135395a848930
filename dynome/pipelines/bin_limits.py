"""At most so many bins: wider ones, and where trials allow no wider ones, some of the trials."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.pipelines.session_inputs import in_bins, stretches
from dynome.schema import TIME

_LEAST_IN_A_STRETCH = 6  # bins: fewer show no course


def at_most(recording: xr.Dataset, most: int) -> xr.Dataset:
    """A binned recording with at most so many bins.

    Parameters
    ----------
    recording : Dataset
        As `binned` returns it.
    most : int
        How many bins; at least 50.

    Returns
    -------
    Dataset
        Neighbouring bins are put together as long as a trial keeps 6 of them. If these are still too many, evenly
        spaced trials are kept. ``attrs["bin_width"]`` is the width in seconds, ``attrs["trials_left_out"]`` the number
        of trials (stretches without a gap) that are not looked at.

    Raises
    ------
    InputError
        If `most` is too small.
    """
    if most < 50:
        raise InputError(f"max_bins must be at least 50, got {most!r}")
    usual = int(np.median(np.diff(stretches(recording))))
    joined = min(-(-recording.sizes[TIME] // most), usual // _LEAST_IN_A_STRETCH)
    if joined > 1:
        step = float(recording.attrs["bin_width"])
        recording = in_bins(recording, joined * step, step)
    lengths = np.diff(stretches(recording))
    keep = _spaced(lengths, most)
    kept = recording.isel({TIME: np.repeat(keep, lengths)})
    return kept.assign_attrs(trials_left_out=int((~keep).sum()))


def _spaced(lengths: NDArray[np.int64], most: int) -> NDArray[np.bool_]:
    """As many evenly spaced trials as have so many bins together, at least one."""
    for n in range(lengths.size, 0, -1):
        keep = np.zeros(lengths.size, dtype=bool)
        keep[np.floor((np.arange(n) + 0.5) * lengths.size / n).astype(np.int64)] = True
        if lengths[keep].sum() <= most:
            break
    return keep
