"""When a component is active: its time course against a threshold of its own."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.schema import COMPONENT, TIME
from dynome.units import SECONDS

Array = NDArray[np.float64]


def otsu_threshold(values: Array) -> float:
    """The cut that divides numbers into two classes of least variance within [1]_.

    Parameters
    ----------
    values : (n,)
        Finite.

    Returns
    -------
    float
        Half-way between the largest of the lower and the smallest of the upper class; the value itself where all are
        equal.

    References
    ----------
    .. [1] Otsu, IEEE Transactions on Systems, Man, and Cybernetics 1979, doi:10.1109/TSMC.1979.4310076.

    Examples
    --------
    >>> otsu_threshold(np.array([0.0, 0.1, 0.2, 0.9, 1.0]))
    0.55
    """
    ordered = np.sort(values)
    if ordered.size < 2 or ordered[0] == ordered[-1]:
        return float(ordered[-1])
    n = ordered.size
    lower = np.arange(1, n)
    sums = np.cumsum(ordered)
    difference = sums[:-1] / lower - (sums[-1] - sums[:-1]) / (n - lower)
    between = np.where(np.diff(ordered) > 0, lower * (n - lower) * difference**2, -1.0)
    cut = int(np.argmax(between))
    return float((ordered[cut] + ordered[cut + 1]) / 2)


def active_times(time_factor: xr.DataArray, *, min_duration: float) -> xr.DataArray:
    """When each component is active.

    Parameters
    ----------
    time_factor : (time, component)
        Loadings at least 0, time in seconds.
    min_duration : float
        Pauses shorter than this, in seconds, are bridged; then shorter intervals are dropped.

    Returns
    -------
    (time, component)
        True above the threshold of the component (`otsu_threshold` of its loadings).

    Examples
    --------
    >>> x = [[0.0], [1.0], [0.0], [1.0], [1.0], [0.0], [0.0], [1.0], [0.0], [0.0]]
    >>> factor = xr.DataArray(x, dims=("time", "component"), coords={"time": np.arange(10.0)})
    >>> active_times(factor, min_duration=2.0).values[:, 0].astype(int).tolist()
    [0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    """
    factor = time_factor.transpose(TIME, COMPONENT)
    clock, values = factor[TIME].to_numpy(), factor.to_numpy()
    step = float(np.median(np.diff(clock))) if clock.size > 1 else 1.0
    on = np.stack([values[:, k] > otsu_threshold(values[:, k]) for k in range(values.shape[1])], axis=1)
    for k in range(on.shape[1]):
        for value in (False, True):  # bridge pauses, then drop what is short
            for start, stop in runs(on[:, k] == value):
                inner = start > 0 and stop < clock.size
                if clock[stop - 1] - clock[start] + step < min_duration - 1e-9 and (value or inner):
                    on[start:stop, k] = not value
    return factor.copy(data=on).assign_attrs(units="1", long_name="active").rename("active")


def interval_table(active: xr.DataArray) -> xr.Dataset:
    """The intervals in which components are active.

    Parameters
    ----------
    active : (time, component)
        As `active_times` gives it.

    Returns
    -------
    Dataset over interval
        ``interval_component``, ``interval_start`` and ``interval_stop`` in seconds, by component and time. A sample
        lasts until the next one.
    """
    on = active.transpose(TIME, COMPONENT)
    clock = on[TIME].to_numpy()
    step = float(np.median(np.diff(clock))) if clock.size > 1 else 1.0
    edges = np.append(clock, clock[-1] + step)
    found = [
        (label, edges[start], edges[stop])
        for label, column in zip(on[COMPONENT].to_numpy().tolist(), on.to_numpy().T, strict=True)
        for start, stop in runs(column)
    ]
    columns = list(zip(*found, strict=True)) or [(), (), ()]
    return xr.Dataset(
        {
            "interval_component": ("interval", np.array(columns[0], dtype=np.int64)),
            "interval_start": ("interval", np.array(columns[1], dtype=np.float64), {"units": SECONDS}),
            "interval_stop": ("interval", np.array(columns[2], dtype=np.float64), {"units": SECONDS}),
        }
    )


def runs(on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of True, as ``(start, stop)``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
