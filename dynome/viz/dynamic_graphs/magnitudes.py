"""Very small and very large values in numbers that fit on an axis."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome.viz import canvas

_least, _most = -2, 3  # powers of ten that are written out


def readable(array: xr.DataArray, default: str) -> tuple[xr.DataArray, str]:
    """Values, and what their axis is called; both by a power of ten where the largest is not between 0.01 and 10,000.

    Parameters
    ----------
    array : any dims
    default : str
        Name of what has none.

    Examples
    --------
    >>> found, label = readable(xr.DataArray([2e-5, -3e-6], name="share"), "value")
    >>> found.values.round(6).tolist(), label
    ([2.0, -0.3], 'share ($10^{-5}$)')
    """
    label = canvas.quantity(array, default)
    reach = float(np.nanmax(np.abs(canvas.finite(array)), initial=0.0))
    power = int(np.floor(np.log10(reach))) if reach > 0 else 0
    if _least <= power <= _most:
        return array, label
    return (array / 10.0**power).assign_attrs(array.attrs), f"{label} ($10^{{{power}}}$)"
