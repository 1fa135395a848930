"""The thin labelled layer: lifts a kernel on ``(n_time, n_series)`` arrays to recordings and DataArrays.

Kernels never see labels, and never write into what they are given. A dask array stays lazy: it is rechunked so that
time is in one piece and the other dims are split (chunks of dask's ``array.chunk-size``), because a filter needs its
neighbours and most kernels need the whole recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import units
from dynome.errors import InputError, SchemaError, listed
from dynome.schema import ACTIVITY, TIME

Array = NDArray[np.float64]
Kernel = Callable[[Array], Array]
Recording = TypeVar("Recording", xr.Dataset, xr.DataArray)


def on_activity(func: Callable[[xr.DataArray], xr.DataArray], rec: Recording, action: str) -> Recording:
    """Apply `func` to a DataArray, or to the ``activity`` of a recording whose other variables stay as they are."""
    _check_kind(rec, action)
    if isinstance(rec, xr.Dataset):
        if ACTIVITY not in rec.data_vars:
            raise SchemaError(
                f"cannot {action}: expected a variable activity, found {listed(rec.data_vars) or 'none'}; "
                "pass the variable itself, e.g. rec.spike_count"
            )
        return rec.assign({ACTIVITY: func(_numeric(rec[ACTIVITY], action))})
    return func(_numeric(rec, action))


def on_dataset(func: Callable[[xr.Dataset], xr.Dataset], rec: Recording) -> Recording:
    """Apply `func` to a recording, or to a DataArray as the only variable of one (``activity`` if it has no name)."""
    _check_kind(rec, "change this recording")
    if isinstance(rec, xr.Dataset):
        return func(rec)
    name = ACTIVITY if rec.name is None else rec.name
    return func(rec.to_dataset(name=name))[name].rename(rec.name)


def _check_kind(rec: object, action: str) -> None:
    if isinstance(rec, xr.DataTree):
        raise InputError(
            f"cannot {action}: expected one recording, found a DataTree; take it out, e.g. "
            'study["animal1"].to_dataset(), or all of them with dynome.study.sessions(study)'
        )
    if not isinstance(rec, xr.Dataset | xr.DataArray):
        raise InputError(f"cannot {action}: expected a recording or a DataArray, found {type(rec).__name__}")


def _numeric(x: xr.DataArray, action: str) -> xr.DataArray:
    if x.dtype.kind not in "iuf":
        raise InputError(f"cannot {action}: expected numbers, found dtype {x.dtype}")
    return x


def along_time(kernel: Kernel, x: xr.DataArray, *, n_out: int | None = None) -> xr.DataArray:
    """Apply a kernel along ``time``.

    Parameters
    ----------
    kernel : callable
        ``(n_time, n_series)`` float64 to ``(n_time or n_out, n_series)``.
    x : DataArray with ``time``
        Numbers; infinite values are refused (when they are read, if `x` is lazy).
    n_out : int or None
        Samples that come out; None when the clock stays the same.

    Returns
    -------
    DataArray
        Dims and attrs of `x`; without ``time`` coordinates when `n_out` is given. float32 stays, all else is float64.
    """
    return along(kernel, x, [TIME], n_out=n_out)


def along(kernel: Kernel, x: xr.DataArray, dims: Sequence[str], *, n_out: int | None = None) -> xr.DataArray:
    """As `along_time`, for several dims laid end to end in the order given (the last varies fastest)."""
    dtype = np.dtype(np.float32) if x.dtype == np.float32 else np.dtype(np.float64)

    def lifted(values: NDArray[np.number]) -> NDArray[np.floating]:
        loops, core = values.shape[: values.ndim - len(dims)], values.shape[values.ndim - len(dims) :]
        series = np.moveaxis(values.reshape(*loops, -1), -1, 0)
        flat = series.reshape(series.shape[0], -1).astype(np.float64, copy=False)
        if np.isinf(flat).any():
            raise InputError(
                f"found {int(np.isinf(flat).sum())} infinite values; NaN is the missing value, replace them"
            )
        out = kernel(flat)
        last = np.moveaxis(out.reshape(-1, *loops), 0, -1)
        return last.reshape(*loops, *(core if n_out is None else (n_out,))).astype(dtype, copy=False)

    if x.chunks is not None:
        x = x.chunk({d: -1 if d in dims else "auto" for d in x.dims})
    result = xr.apply_ufunc(
        lifted,
        x,
        input_core_dims=[list(dims)],
        output_core_dims=[list(dims)],
        exclude_dims=set() if n_out is None else set(dims),
        dask="parallelized",
        output_dtypes=[dtype],
        dask_gufunc_kwargs={} if n_out is None else {"output_sizes": {dims[0]: n_out}},
        keep_attrs=True,
    )
    restored: xr.DataArray = result.transpose(*x.dims)
    return restored


def with_unit(x: xr.DataArray, unit: str | None, prefix: str) -> xr.DataArray:
    """Set the unit and say in ``long_name`` what was done."""
    name = x.attrs.get("long_name") or x.name or ACTIVITY
    attrs = {**x.attrs, "long_name": f"{prefix} {name}"}
    return x.assign_attrs({**attrs, "units": unit} if unit else attrs)


def per_second(x: xr.DataArray) -> str | None:
    """The unit of a rate of change of `x`, None where `x` has no unit."""
    unit = units.of(x)
    return None if unit is None else f"{unit}/{units.SECONDS}"
