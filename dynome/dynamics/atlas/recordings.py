"""What an atlas can be made of, brought to one form."""

from __future__ import annotations

import math
from typing import NamedTuple

import xarray as xr

from dynome import study
from dynome.dynamics.affinities.description import affinity
from dynome.dynamics.affinities.kernels import Kernel
from dynome.dynamics.atlas.excess import require_affinity
from dynome.dynamics.preprocessing.animals import align_animals
from dynome.errors import InputError
from dynome.schema import ACTIVITY, ANIMAL, NODE, PAIR, TIME

Input = xr.DataTree | xr.Dataset | xr.DataArray

_MOST = 0.75  # of the animals must have a pair


class Given(NamedTuple):
    """An input, as far as it goes.

    Attributes
    ----------
    tensor : (time, animal, pair) or None
        Where a tensor was given, which is all there is.
    affinity : Dataset or None
        Of the recordings.
    aligned : Dataset or None
        The recordings with their covariates.
    """

    tensor: xr.DataArray | None
    affinity: xr.Dataset | None
    aligned: xr.Dataset | None


def given(data: Input, *, kernel: Kernel, smooth: float, min_animals: int | None) -> Given:
    """Bring any input to one form.

    Parameters
    ----------
    data : study, aligned recordings (animal, time, node), affinity, or tensor (time, animal, pair)
        What an atlas is to be made of.
    kernel, smooth
        As in `affinity`, for recordings.
    min_animals : int or None
        Keep pairs that so many animals have; None takes three quarters of them.

    Raises
    ------
    InputError
        If it is none of these, or no pair is left.
    """
    if isinstance(data, xr.DataArray) and set(data.dims) == {TIME, ANIMAL, PAIR}:
        return Given(data.transpose(TIME, ANIMAL, PAIR), None, None)
    if isinstance(data, xr.Dataset) and "kind" in data.attrs:
        return Given(None, require_affinity(data), None)
    if isinstance(data, xr.Dataset) and ACTIVITY in data and set(data[ACTIVITY].dims) == {TIME, NODE}:
        data = study.build({"animal": data})
    aligned = align_animals(data) if isinstance(data, xr.DataTree) else data
    if isinstance(aligned, xr.DataArray) and set(aligned.dims) == {ANIMAL, TIME, NODE}:
        aligned = aligned.to_dataset(name=ACTIVITY)
    if not (
        isinstance(aligned, xr.Dataset) and ACTIVITY in aligned and {ANIMAL, TIME, NODE} == set(aligned[ACTIVITY].dims)
    ):
        found = dict(data.sizes) if isinstance(data, xr.Dataset | xr.DataArray) else type(data).__name__
        raise InputError(
            "expected a study, recordings with activity (animal, time, node) as align_animals gives them, an affinity, "
            f"or a tensor (time, animal, pair), found {found}"
        )
    least = min_animals if min_animals is not None else math.ceil(_MOST * aligned.sizes[ANIMAL])
    return Given(None, affinity(aligned, kernel=kernel, smooth=smooth, min_animals=max(least, 1)), aligned)
