"""What a user asks of components, by dim name, as what a solver takes, by mode number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.choice import Tensor
from dynome.dynamics.tensor.penalties import Penalties, smoothness_links
from dynome.errors import InputError, Problems, listed

Array = NDArray[np.float64]
Strengths = Mapping[str, float]


class Constraints(NamedTuple):
    """Penalties, fixed and shared modes, by mode number.

    Attributes
    ----------
    penalties : Penalties
        One entry a mode.
    fixed : dict of int to (n_row, rank)
        Factors that stay as they are.
    shared : list of (int, int)
        Pairs of modes with one factor.
    labels : (rank,) or None
        Labels of the components where a factor was fixed.
    known : list of (n_row, n_known) or None
        Components to begin with.
    """

    penalties: Penalties
    fixed: dict[int, Array]
    shared: list[tuple[int, int]]
    labels: NDArray[Any] | None
    known: list[Array] | None


def constraints_of(
    tensor: Tensor,
    rank: int,
    *,
    smoothness: Strengths | None,
    sparsity: Strengths | None,
    orthogonality: Strengths | None,
    shared: Sequence[tuple[str, str]] | None,
    fixed: Mapping[str, xr.DataArray] | None,
    init: xr.Dataset | str | None,
) -> Constraints:
    """Translate and check what is asked of the components; see `NonnegativeCP` for the parameters.

    Raises
    ------
    InputError
        With everything that cannot be met.
    """
    problems = Problems("cannot fit a nonnegative CP")
    shape = dict(zip(tensor.dims, tensor.operand.shape, strict=True))
    bound = min(math.prod(n for d, n in shape.items() if d != dim) for dim in shape)
    if rank > bound:
        problems.add(f"rank {rank} is above {bound}, with which any tensor of shape {tuple(shape.values())} is exact")
    pairs = _checked_pairs(shared or (), tensor, shape, problems)
    asked = _penalties(tensor, pairs, smoothness, sparsity, orthogonality, problems)
    factors = {d: _checked_fixed(d, f, tensor, shape, rank, problems) for d, f in (fixed or {}).items()}
    if len(factors) == len(shape):
        problems.add("every dim is fixed; leave at least one free")
    if both := sorted({d for pair in pairs for d in pair} & set(factors)):
        problems.add(f"{listed(both)} cannot be both fixed and shared")
    known = _known(init, tensor, rank, problems)
    problems.raise_if_any(InputError)
    position = {d: k for k, d in enumerate(tensor.dims)}
    label_of = next((f["component"].to_numpy() for f in (fixed or {}).values()), None)
    return Constraints(
        asked,
        {position[d]: f for d, f in factors.items() if f is not None},
        [(position[a], position[b]) for a, b in pairs],
        label_of,
        known,
    )


def penalties_of(
    tensor: Tensor,
    shared: Sequence[tuple[str, str]] | None,
    smoothness: Strengths | None,
    sparsity: Strengths | None,
    orthogonality: Strengths | None,
) -> Penalties:
    """The penalties alone, for new samples of a fitted tensor."""
    problems = Problems("cannot describe new samples")
    penalties = _penalties(tensor, shared or (), smoothness, sparsity, orthogonality, problems)
    problems.raise_if_any(InputError)
    return penalties


def _penalties(
    tensor: Tensor,
    pairs: Sequence[tuple[str, str]],
    smoothness: Strengths | None,
    sparsity: Strengths | None,
    orthogonality: Strengths | None,
    problems: Problems,
) -> Penalties:
    lengths, thresholds, overlaps = (
        _strengths(asked, name, tensor.dims, pairs, problems)
        for name, asked in (("smoothness", smoothness), ("sparsity", sparsity), ("orthogonality", orthogonality))
    )
    links = [_links(tensor, d, length, problems) for d, length in zip(tensor.dims, lengths, strict=True)]
    return Penalties(links, thresholds, overlaps)


def _strengths(
    asked: Any, name: str, dims: Sequence[str], pairs: Sequence[tuple[str, str]], problems: Problems
) -> list[float]:
    """One strength a dim; dims that share a factor share the strength that either was given."""
    asked = {} if asked is None else asked
    if not isinstance(asked, Mapping):
        problems.add(f"{name} must be a dict of dim to strength, got {asked!r}")
        return [0.0] * len(dims)
    if unknown := [d for d in asked if d not in dims]:
        problems.add(f"{name} names {listed(unknown)}, expected dims of {tuple(dims)}")
    for dim, value in asked.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
            problems.add(f"{name} along {dim} must be a finite number >= 0, got {value!r}")
            return [0.0] * len(dims)
    partner = {**dict(pairs), **{b: a for a, b in pairs}}
    for a, b in pairs:
        if a in asked and b in asked and asked[a] != asked[b]:
            problems.add(f"{name} differs between {a} and {b}, which share a factor; give it once")
    return [float(asked.get(d, asked.get(partner.get(d, ""), 0.0))) for d in dims]


def _links(tensor: Tensor, dim: str, length: float, problems: Problems) -> Array | None:
    n = tensor.operand.shape[tensor.dims.index(dim)]
    if not length or n < 2:
        return None
    positions = np.asarray(tensor.coords[dim]) if dim in tensor.coords else np.arange(n)
    if positions.dtype.kind not in "iuf" or not (np.diff(positions.astype(np.float64)) > 0).all():
        problems.add(
            f"smoothness along {dim} needs strictly increasing numbers as its coordinate, in which its length is"
        )
        return None
    return smoothness_links(length, positions.astype(np.float64))


def _checked_pairs(
    shared: Sequence[tuple[str, str]], tensor: Tensor, shape: Mapping[str, int], problems: Problems
) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for pair in shared:
        if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(shape):
            problems.add(f"shared must hold pairs of different dims of {tuple(shape)}, got {pair!r}")
            continue
        a, b = pair
        if any(d in p for p in pairs for d in pair):
            problems.add(f"shared names {a} or {b} twice; a factor is shared by two dims")
        elif shape[a] != shape[b]:
            problems.add(f"{a} and {b} cannot share a factor: they have {shape[a]} and {shape[b]} labels")
        elif {a, b} <= set(tensor.coords) and not np.array_equal(tensor.coords[a], tensor.coords[b]):
            problems.add(f"{a} and {b} cannot share a factor: their labels differ; put them in one order")
        else:
            pairs.append((a, b))
    return pairs


def _checked_fixed(
    dim: str, factor: Any, tensor: Tensor, shape: Mapping[str, int], rank: int, problems: Problems
) -> Array | None:
    if dim not in shape:
        problems.add(f"fixed names {dim!r}, expected dims of {tuple(shape)}")
    elif not isinstance(factor, xr.DataArray) or set(factor.dims) != {dim, "component"}:
        problems.add(f"the fixed factor of {dim} must be a DataArray over ({dim!r}, 'component')")
    elif factor.sizes[dim] != shape[dim] or factor.sizes["component"] != rank:
        problems.add(
            f"the fixed factor of {dim} is {dict(factor.sizes)}, expected {shape[dim]} labels, {rank} components"
        )
    elif (ordered := _in_order(factor, dim, tensor)) is None:
        problems.add(f"the fixed factor of {dim} has other labels than the tensor")
    else:
        values = ordered.transpose(dim, "component").to_numpy().astype(np.float64)
        if (np.isfinite(values) & (values >= 0)).all() and (values > 0).any(0).all():
            return np.asarray(values)
        problems.add(f"the fixed factor of {dim} must be finite and >= 0, with no column of zeros")
    return None


def _in_order(data: Any, dim: str, tensor: Tensor) -> Any:
    """Rows in the order of the tensor's labels; None where one is unknown."""
    if dim not in data.coords or dim not in tensor.coords:
        return data
    labels = np.asarray(tensor.coords[dim])
    return data.sel({dim: labels}) if np.isin(labels, data[dim]).all() else None


def _known(init: Any, tensor: Tensor, rank: int, problems: Problems) -> list[Array] | None:
    """Components of a former fit, rows in the order of the tensor's labels."""
    if init is None or (isinstance(init, str) and init == "random"):
        return None
    if not isinstance(init, xr.Dataset) or not {"weight", *(f"{d}_factor" for d in tensor.dims)} <= set(init):
        problems.add(f"init must be None, 'random' or the results_ of a fit over {tensor.dims}, got {_short(init)}")
        return None
    if init.sizes["component"] > rank:
        problems.add(f"init has {init.sizes['component']} components, expected at most the rank, {rank}")
        return None
    known = []
    for dim, n in zip(tensor.dims, tensor.operand.shape, strict=True):
        factor = _in_order(init[f"{dim}_factor"], dim, tensor)
        if factor is None or factor.sizes[dim] != n:
            problems.add(f"init has other labels along {dim} than the tensor")
        else:
            known.append(factor.transpose(dim, "component").to_numpy())
    if not problems.found:
        known[0] = known[0] * init["weight"].to_numpy()
    return known


def _short(value: object) -> str:
    return repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
