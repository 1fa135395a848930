"""Which entries of a tensor are hidden from a fit, and how well the fit foretells them.

What shares its noise must be hidden together, or a fit that learnt the noise would seem to foretell it: neighbours in
time, and the pairs of one node. So blocks of time are hidden, with all pairs; only along other dims, such as animals,
is an entry hidden while its neighbour is seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.affinities.forming import affinity_tensor
from dynome.dynamics.tensor.operands.rows import sweep_rows
from dynome.schema import ANIMAL, PAIR, TIME

Array = NDArray[np.float64]
Data = xr.DataArray | xr.Dataset
Pattern = Literal["blocks", "entries"]

_BLOCKS = 10  # of time
_ENTRIES = 2_000_000  # of a piece that is worked on at once
_DETERMINED = 0.2  # of the squared loadings that speak for a label must be in sight
_SWEEPS = 300  # of a regression with as many unknowns as components
_SIGN = "sign"


def sizes_of(data: Data) -> dict[str, int]:
    """Dims and sizes of the tensor, formed or described."""
    if isinstance(data, xr.DataArray):
        return {str(d): n for d, n in data.sizes.items()}
    signs = {_SIGN: 2} if data.attrs.get("signed") else {}
    return {**{d: data.sizes[d] for d in (TIME, ANIMAL, PAIR)}, **signs}


def hidden_cells(data: Data, share: float, pattern: Pattern, fold: int, rng: np.random.Generator) -> xr.DataArray:
    """A random share of the cells, True where hidden, over the dims that tell cells apart.

    Parameters
    ----------
    data : DataArray, or Dataset of an affinity
        Gives dims and sizes.
    share : float
        Part of the cells.
    pattern : {"blocks", "entries"}
        Cells are tenths of the time in every animal (or whatever other dim there is), with all pairs; or single
        entries.
    fold : int
        Which share: folds hide other cells until all were hidden once.
    rng : Generator
        Draws the order of cells; in the same state for all folds.

    Returns
    -------
    DataArray of bool
        Along every dim, a label keeps at least one cell in sight.
    """
    sizes = sizes_of(data)
    split = dict(sizes)
    if pattern == "blocks":
        apart = {d: n for d, n in sizes.items() if d not in (PAIR, _SIGN)}
        if math.prod(n for d, n in apart.items() if d != TIME) > 1:
            split = apart
        if TIME in split:
            split[TIME] = min(_BLOCKS, sizes[TIME])
    shape = tuple(split.values())
    total = math.prod(shape)
    hidden = np.zeros(total, dtype=bool)
    n = max(round(share * total), 1)
    hidden[rng.permutation(total)[np.arange(fold * n, (fold + 1) * n) % total]] = True
    cells = _kept_in_sight(hidden.reshape(shape), rng)
    if pattern == "blocks" and TIME in split:
        axis = list(split).index(TIME)
        cells = cells.take(np.arange(sizes[TIME]) * split[TIME] // sizes[TIME], axis=axis)
    return _observed_in_sight(data, xr.DataArray(cells, dims=tuple(split)))


def _kept_in_sight(hidden: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Show one cell of every label that would lose all of them."""
    for axis in range(hidden.ndim):
        front = np.moveaxis(hidden, axis, 0)
        for label in np.flatnonzero(front.reshape(front.shape[0], -1).all(1)):
            place = np.unravel_index(rng.integers(front[label].size), front[label].shape)
            front[(label, *place)] = False
    return hidden


def _observed_in_sight(data: Data, hidden: xr.DataArray) -> xr.DataArray:
    """Show what is hidden of a label that has no other observed entry."""
    seen = (data if isinstance(data, xr.DataArray) else data["rate"]).notnull()
    seen = seen.drop_vars(list(seen.coords))
    for dim in seen.dims:
        others = [d for d in seen.dims if d != dim]
        lost = seen.any(others) & ~(seen & ~hidden).any(others)
        if lost.any():
            inner = [d for d in seen.dims if d not in hidden.dims]
            hidden = hidden & ~(seen & lost).any(inner)
    return hidden


def without(data: Data, hidden: xr.DataArray) -> Data:
    """The data with NaN where hidden."""
    if isinstance(data, xr.DataArray):
        return data.where(~hidden).assign_attrs(data.attrs)
    return data.assign(rate=data["rate"].where(~hidden).transpose(*data["rate"].dims).assign_attrs(data["rate"].attrs))


def determined(factors: Sequence[Array], dims: Sequence[str], hidden: xr.DataArray) -> list[Array]:
    """Factors of a fit, with 0 where what it saw did not determine them.

    The loading of a component at a time is free where all animals that express it were hidden then. Least squares puts
    any number there; nothing was learnt, so nothing is foretold.

    Parameters
    ----------
    factors : sequence of (n_row, rank)
        One array a dim.
    dims : sequence of str
        Names of the modes.
    hidden : DataArray of bool
        As `hidden_cells` gives it.
    """
    known = list(factors)
    split = [d for d in dims if d in hidden.dims]
    seen = ~hidden.transpose(*split).to_numpy()
    letters = "abcdefghijklmnopqrstuvw"[: len(split)]
    for k, dim in enumerate(split):
        shares = []
        for other in split:
            squares = known[dims.index(other)] ** 2
            total = squares.sum(0)
            shares.append(np.divide(squares, total, out=np.zeros_like(squares), where=total > 0))
        terms = ",".join([letters, *(f"{c}z" for c in letters if c != letters[k])])
        others = [s for m, s in enumerate(shares) if m != k]
        evidence = np.einsum(f"{terms}->{letters[k]}z", seen, *others, optimize=True)
        mode = dims.index(dim)
        known[mode] = np.where(evidence < _DETERMINED * (1.0 if others else 0.0), 0.0, known[mode])
    return known


def pieces(data: Data, dims: Sequence[str]) -> Iterator[tuple[str, slice, Array]]:
    """The tensor bit by bit: along which dim, which labels, and the entries in the order of `dims`."""
    if isinstance(data, xr.Dataset):
        for k in range(data.sizes[ANIMAL]):
            one = affinity_tensor(data.isel({ANIMAL: slice(k, k + 1)}))
            yield ANIMAL, slice(k, k + 1), one.transpose(*dims).to_numpy()
        return
    first, n = dims[0], data.sizes[dims[0]]
    step = max(_ENTRIES * n // max(data.size, 1), 1)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        yield first, rows, data.isel({first: rows}).transpose(*dims).to_numpy().astype(np.float64)


def squared_errors(
    data: Data, dims: Sequence[str], factors: Sequence[Array], where: xr.DataArray
) -> tuple[float, float]:
    """Squared residual and squared data over chosen entries that were observed.

    Parameters
    ----------
    data : DataArray, or Dataset of an affinity
        All of the data.
    dims : sequence of str
        Dims of the tensor in the order of `factors`.
    factors : sequence of (n_row, rank)
        Their product is the model.
    where : DataArray of bool
        Entries that count, over some of the dims.
    """
    residual = total = 0.0
    chosen = where.transpose(*[d for d in dims if d in where.dims])
    for dim, rows, x in pieces(data, dims):
        part = chosen.isel({dim: rows}) if dim in chosen.dims else chosen
        if not part.any():
            continue
        here = [f[rows] if d == dim else f for d, f in zip(dims, factors, strict=True)]
        counts = part.to_numpy().reshape([part.sizes.get(d, 1) for d in dims]) & ~np.isnan(x)
        residual += float((((x - product_of(here)) ** 2)[counts]).sum())
        total += float((x[counts] ** 2).sum())
    return residual, total


def product_of(factors: Sequence[Array]) -> Array:
    """The tensor of a model."""
    first, *rest = factors
    others = reduce(lambda a, b: (a[:, None] * b[None]).reshape(-1, b.shape[1]), rest)
    return np.asarray(first @ others.T).reshape([f.shape[0] for f in factors])


def foretold(x: Array, factors: Sequence[Array], known: NDArray[np.bool_]) -> tuple[float, float]:
    """How well components that were found in others foretell a newcomer.

    Parameters
    ----------
    x : (n_1, ..., n_N)
        Entries of the newcomer; NaN is missing.
    factors : sequence of (n_row, rank)
        One array a mode of `x`.
    known : (n_N,)
        Labels of the last mode from which its loadings are regressed; the others are foretold.

    Returns
    -------
    residual, total : float
        Squared, over the observed entries that are not known.
    """
    rank = factors[0].shape[1]
    flat, first = x.reshape(x.shape[0], -1), factors[0]
    others = reduce(lambda a, b: (a[:, None] * b[None]).reshape(-1, b.shape[1]), factors[1:])
    seen = np.broadcast_to(known, x.shape).reshape(flat.shape)
    there = ~np.isnan(flat)
    filled = np.where(there, flat, 0.0)
    products = (first[:, :, None] * first[:, None, :]).reshape(-1, rank**2)
    squares = (others[:, :, None] * others[:, None, :]).reshape(-1, rank**2)
    numerator = ((first.T @ (filled * seen)) * others.T).sum(1)
    gram = (products * ((there & seen).astype(np.float64) @ squares)).sum(0).reshape(1, 1, rank, rank)
    loading = np.zeros((1, 1, rank))
    sweep_rows(loading, np.ascontiguousarray(numerator[None, None]), np.ascontiguousarray(gram), _SWEEPS)
    left = there & ~seen
    residual = ((filled - (first * loading[0]) @ others.T) ** 2)[left].sum()
    return float(residual), float((filled[left] ** 2).sum())
