"""From the description of affinities to the tensor: whole in memory, in lazy chunks, or as a recipe for blocks."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema
from dynome.dynamics.affinities.kernels import Recipe, formed, mark_missing, recipe
from dynome.dynamics.preprocessing.clock import gapless_interval
from dynome.errors import InputError
from dynome.schema import ANIMAL, NODE, PAIR, SOURCE, TARGET, TIME

SIGN = "sign"
_CHUNK = 64e6  # bytes of a lazy chunk


def recipe_of(described: xr.Dataset, dtype: Literal["float64", "float32"] = "float64") -> Recipe:
    """What the entries of a described tensor are made of.

    Parameters
    ----------
    described : Dataset
        As `affinity` gives it, or a selection of its times, animals and pairs.
    dtype : {"float64", "float32"}
        Of the entries.

    Raises
    ------
    SchemaError
        If it is not a valid description.
    InputError
        If there is a lag and the clock is uneven after a selection.
    """
    schema.validate(described, "affinity")
    attrs, node = described.attrs, described[NODE].to_numpy()
    lag = 0
    if attrs["lag"] > 0 and described.sizes[TIME] > 1:
        lag = round(attrs["lag"] / gapless_interval(described, "look for lagged changes"))
    return recipe(
        described["rate"].transpose(ANIMAL, TIME, NODE).to_numpy().astype(dtype),
        labels.positions(described[SOURCE].to_numpy(), node),
        labels.positions(described[TARGET].to_numpy(), node),
        attrs["kernel"],
        lag=lag,
        bandwidth=attrs["bandwidth"] or 1.0,
        signed=bool(attrs["signed"]),
    )


def template_of(described: xr.Dataset) -> xr.DataArray:
    """Dims, coordinates, unit and name of the tensor; its values take no memory and mean nothing."""
    signs = {SIGN: ["co", "anti"]} if described.attrs["signed"] else {}
    dims = (TIME, ANIMAL, PAIR, *signs)
    sizes = {**described.sizes, SIGN: len(signs.get(SIGN, ()))}
    kept = {n: c for n, c in described.coords.items() if NODE not in c.dims}
    attrs = {name: value for name, value in described.attrs.items() if name != "kind"}
    return xr.DataArray(
        np.broadcast_to(np.float64(0), [sizes[d] for d in dims]),
        dims=dims,
        coords={**kept, **signs},
        name="affinity",
        attrs=attrs,
    )


def affinity_tensor(
    described: xr.Dataset,
    *,
    chunks: int | Literal["auto"] | None = None,
    dtype: Literal["float64", "float32"] = "float64",
    max_bytes: float = 4e9,
) -> xr.DataArray:
    """Form the tensor that `affinity` describes.

    Parameters
    ----------
    described : Dataset
        As `affinity` gives it, or a selection of its times, animals and pairs.
    chunks : int, "auto" or None
        None forms the whole tensor in memory. A number makes a lazy tensor, of which each chunk of so many samples is
        formed when it is read (needs dask); ``"auto"`` takes chunks of about 64 MB.
    dtype : {"float64", "float32"}
        Of the entries.
    max_bytes : float
        Refuse a tensor in memory that is larger than this.

    Returns
    -------
    (time, animal, pair) or (time, animal, pair, sign)
        At least 0, in ``described.attrs["units"]``; NaN where one of the two nodes, or its sample, is missing.
        ``pair`` carries ``source`` and ``target``; ``sign`` is ``"co"`` and ``"anti"``.

    Raises
    ------
    SchemaError
        If `described` is not a valid description.
    InputError
        If the tensor would be too large, or an argument is out of range.

    Examples
    --------
    >>> from dynome import schema
    >>> from dynome.dynamics import affinity
    >>> t = np.arange(40) / 4
    >>> x = np.stack([np.sin(t), np.sin(t), np.cos(t)], axis=1)
    >>> rec = schema.recording(x, time=t, node=["u", "v", "w"], units="dF/F")
    >>> described = affinity(rec, smooth=0.5)
    >>> affinity_tensor(described.sel(pair=["u|v", "u|w"]).isel(time=slice(10))).sizes
    Frozen({'time': 10, 'animal': 1, 'pair': 2})
    """
    if dtype not in ("float64", "float32"):
        raise InputError(f"dtype must be float64 or float32, got {dtype!r}")
    made_of = recipe_of(described, dtype)
    template = template_of(described)
    size = template.size * np.dtype(dtype).itemsize
    if chunks is not None:
        return template.copy(data=_lazy(made_of, template.shape, size, chunks))
    if size > max_bytes:
        raise InputError(
            f"cannot form the affinity tensor:\n  - it would take {size / 1e9:.1f} GB, max_bytes is "
            f"{max_bytes / 1e9:.1f} GB; give the description itself to NonnegativeCP, which never forms it, take "
            'chunks="auto", or keep fewer nodes or times'
        )
    return template.copy(data=tensor_block(made_of, np.arange(template.sizes[TIME])))


def tensor_block(made_of: Recipe, times: NDArray[np.int64]) -> NDArray[Any]:
    """Some time slices of the tensor, NaN where missing: ``(n, animal, pair[, sign])``."""
    n_animal = made_of.rise.shape[0]
    out = np.empty((times.size, n_animal, made_of.n_pair, made_of.signs), made_of.rise.dtype)
    for animal in range(n_animal):
        for sign in range(made_of.signs):
            out[:, animal, :, sign] = animal_block(made_of, animal, times, sign)
    return out if made_of.signs == 2 else out[..., 0]


def animal_block(made_of: Recipe, animal: int, times: NDArray[np.int64], sign: int) -> NDArray[Any]:
    """Some time slices of one animal in one channel of sign, NaN where missing: ``(n, pair)``."""
    block = formed(made_of, animal, times, sign)
    if not made_of.observed[animal, times].all():
        mark_missing(made_of, animal, times, slice(None), block)
    return block


def _lazy(made_of: Recipe, shape: tuple[int, ...], size: int, chunks: int | str) -> Any:
    import dask.array as da
    from dask.delayed import delayed

    if chunks == "auto":
        step = max(1, int(_CHUNK * shape[0] // max(size, 1)))
    elif isinstance(chunks, int | np.integer) and not isinstance(chunks, bool) and chunks >= 1:
        step = int(chunks)
    else:
        raise InputError(f'chunks must be a number of samples, "auto" or None, got {chunks!r}')
    shared, block = delayed(made_of, traverse=False), delayed(tensor_block)
    dtype = made_of.rise.dtype
    pieces = []
    for start in range(0, shape[0], step):
        times = np.arange(start, min(start + step, shape[0]))
        pieces.append(da.from_delayed(block(shared, times), (times.size, *shape[1:]), dtype))  # type: ignore[no-untyped-call]
    return da.concatenate(pieces)  # type: ignore[no-untyped-call]
