"""At most so many bins: wider ones, and where trials allow no wider ones, some of the trials."""

from __future__ import annotations

import numpy as np
import xarray as xr

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
        recording = in_bins(recording, joined * float(recording.attrs["bin_width"]))
    starts = stretches(recording)
    n = starts.size - 1
    keep = min(n, max(1, int(n * most / recording.sizes[TIME])))
    chosen = np.zeros(n, dtype=bool)
    chosen[np.floor((np.arange(keep) + 0.5) * n / keep).astype(np.int64)] = True
    kept = recording.isel({TIME: np.repeat(chosen, np.diff(starts))})
    return kept.assign_attrs(trials_left_out=n - keep)
