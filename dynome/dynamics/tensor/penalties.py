r"""Penalties on the components of a nonnegative CP model that do not depend on how a component's size is split.

A CP component can move its size from one mode to another. A penalty on the plain factors of one mode could therefore be
driven to 0 for nothing. Here every penalty is a number of the *shape* of a column (a unit vector) times the squared
weight of the component, which is what the data term is made of:

.. math::
    P = \sum_r w_r^2 \Big(\sum_n \hat f^{(n)\prime}_r L_n \hat f^{(n)}_r
        + \tfrac{\lambda_n}{I_n} \lVert \hat f^{(n)}_r \rVert_1^2\Big)
        + \sum_n \omega_n \sum_{r \ne q} w_r w_q \langle \hat f^{(n)}_r, \hat f^{(n)}_q \rangle

with :math:`\hat f` of norm 1 and :math:`w_r = \prod_n \lVert f^{(n)}_r \rVert`. It follows that strengths have no unit
of the data, that the penalised cost has a minimum (the data term of a nonnegative model grows with every weight), and
that in the block of one mode the penalties of all *other* modes are a ridge of matching strength.

* smoothness: :math:`L` is the graph Laplacian of first differences; with :math:`\ell` the length, neighbours are
  linked by :math:`\ell^2 / (h_i \bar h)`, :math:`h_i` being the steps of the coordinate and :math:`\bar h` their
  median. A component that shares nothing with others is smoothed by the kernel :math:`e^{-|t|/\ell} / 2\ell`.
* sparsity: entries of a column below :math:`\lambda` times the mean of the column become 0, the others fall by as much
  (squared L1 norm: soft thresholding at a level that the column sets itself).
* orthogonality: 1 makes an overlap in this mode cost as much as if the components were equal in all others.

Written with operators that numpy arrays and torch tensors share; linked rows are solved in numpy, wherever the operand
lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.contract import Operand
from dynome.dynamics.tensor.smooth_columns import sweep_columns

_TINY = 1e-150  # a norm below this is that of a component which has died
_ROOT_STEPS = 12  # Newton on a convex piecewise linear function: exact once the zeros no longer change


class Penalties(NamedTuple):
    """What is asked of the components besides a good fit, one entry a mode.

    Attributes
    ----------
    links : sequence of (n_row - 1,) or None
        Smoothness: strength between neighbouring rows; None for none.
    sparsity : sequence of float
        In units of the mean loading of a column.
    orthogonality : sequence of float
        1 is the weight of the data term.
    """

    links: Sequence[Any]
    sparsity: Sequence[float]
    orthogonality: Sequence[float]


class Block(NamedTuple):
    """The penalised cost as a function of one mode, besides ``-2 n f``.

    Attributes
    ----------
    gram : (n_restart, 1 or n_row, rank, rank)
        Quadratic form of each row.
    links : (n_row - 1,) or None
        Coupling of neighbouring rows, times `size`.
    threshold : float
        Coupling of a column's sum with itself, times `size`.
    size : (n_restart, rank)
        Squared norm of each component over the other modes.
    """

    gram: Any
    links: Any
    threshold: float
    size: Any


def smoothness_links(length: float, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Strength between neighbouring samples for smoothing over `length`.

    Parameters
    ----------
    length : float
        In the unit of `positions`.
    positions : (n,)
        Strictly increasing; steps may differ.

    Returns
    -------
    (n - 1,)

    Examples
    --------
    >>> smoothness_links(2.0, np.array([0.0, 1.0, 2.0])).tolist()
    [4.0, 4.0]
    """
    steps = np.diff(positions)
    return np.asarray(length**2 / (steps * np.median(steps)) if steps.size else steps)


def no_penalties(order: int) -> Penalties:
    """Nothing asked besides a good fit."""
    return Penalties([None] * order, [0.0] * order, [0.0] * order)


def on_operand(penalties: Penalties, x: Operand) -> Penalties:
    """The links in the library of the operand."""
    return penalties._replace(links=[None if k is None else x.asarray(np.asarray(k)) for k in penalties.links])


def any_penalty(penalties: Penalties) -> bool:
    """Whether anything is asked at all."""
    links, *strengths = penalties
    return any(k is not None for k in links) or any(any(s) for s in strengths)


def penalty_value(penalties: Penalties, factors: Sequence[Any]) -> Any:
    """The sum of all penalties, in squared units of the data: ``(n_restart,)``."""
    norms = [_norms(f) for f in factors]
    weights = reduce(mul, norms)
    total = (weights * 0).sum(1)
    for mode, factor in enumerate(factors):
        total = total + (weights**2 * _shape(penalties, mode, factor)).sum(1)
        if penalties.orthogonality[mode]:
            total = total + ((_overlap(penalties, mode, factor) @ weights[:, :, None])[:, :, 0] * weights).sum(1)
    return total


def penalised_block(penalties: Penalties, factors: Sequence[Any], mode: int, gram: Any, eye: Any) -> Block:
    r"""The penalised cost of one mode around the current factors.

    Parameters
    ----------
    penalties : Penalties
        Of every mode.
    factors : sequence of (n_restart, n_row, rank)
        Where the other modes are held, and where this one starts.
    mode : int
        The mode to be updated.
    gram : (n_restart, 1 or n_row, rank, rank)
        Of the data term.
    eye : (rank, rank)
        Identity, in the library of the factors.

    Returns
    -------
    Block
        Exact in this mode, but for the orthogonality of other modes: there an upper bound that touches at the start
        (:math:`2 ab \le a^2 b_0/a_0 + b^2 a_0/b_0`), so that lowering it lowers the cost.
    """
    others = [m for m in range(len(factors)) if m != mode]
    outer = reduce(mul, [_norms(factors[m]) for m in others])
    ridge = outer**2 * sum(_shape(penalties, m, factors[m]) for m in others)
    own = _norms(factors[mode])
    for m in others:
        if penalties.orthogonality[m]:
            overlap = _overlap(penalties, m, factors[m])
            ridge = ridge + outer * (overlap @ (outer * own)[:, :, None])[:, :, 0] / own.clip(min=_TINY)
    gram = gram + (ridge[:, None, :, None] * eye)
    if strength := penalties.orthogonality[mode]:
        gram = gram + strength * (outer[:, None, :, None] * outer[:, None, None, :]) * (1 - eye)
    threshold = penalties.sparsity[mode] / factors[mode].shape[1]
    return Block(gram, penalties.links[mode], threshold, outer**2)


def plain_block(gram: Any) -> Block:
    """The cost of one mode where no penalty is asked for."""
    return Block(gram, None, 0.0, 0.0)


def mean_block(blocks: Sequence[Block]) -> Block:
    """The mean cost of modes that share one factor."""
    if len(blocks) == 1:
        return blocks[0]
    n = len(blocks)
    first = blocks[0]
    return Block(sum(b.gram for b in blocks) / n, first.links, first.threshold, sum(b.size for b in blocks) / n)


def minimise(x: Operand, factor: Any, numerator: Any, block: Block, sweeps: int) -> Any:
    """A factor with a lower ``block(f) - 2 n f`` over ``f >= 0``, or the same; `factor` is not kept."""
    if block.links is not None:
        out = np.ascontiguousarray(x.to_numpy(factor))
        known = [x.to_numpy(v) for v in (numerator, block.gram, block.links, block.size)]
        sweep_columns(out, *known, block.threshold, sweeps)
        return x.asarray(out)
    if not block.threshold:
        x.sweep(factor, numerator, block.gram, sweeps)
        return factor
    for _ in range(sweeps):
        for r in range(factor.shape[2]):
            curvature = block.gram[:, :, r, r]
            others = (factor * block.gram[:, :, :, r]).sum(2) - curvature * factor[:, :, r]
            strength = block.size[:, r, None] * block.threshold
            factor[:, :, r] = _thresholded(numerator[:, :, r] - others, curvature, strength, factor[:, :, r])
    return factor


def _thresholded(target: Any, curvature: Any, strength: Any, start: Any) -> Any:
    """Minimum of ``sum(c f^2 - 2 t f) + strength (sum f)^2`` over ``f >= 0``, by the root for the sum."""
    alive = curvature > 0
    scale = alive / (curvature + ~alive)
    total = start.sum(1)[:, None]
    for _ in range(_ROOT_STEPS):
        left = target - strength * total
        active = (left > 0) * scale
        total = total + ((left * active).sum(1)[:, None] - total) / (1 + strength * active.sum(1)[:, None])
    return (target - strength * total).clip(min=0) * scale


def _norms(factor: Any) -> Any:
    return (factor * factor).sum(1) ** 0.5


def _shape(penalties: Penalties, mode: int, factor: Any) -> Any:
    """Roughness and squared L1 norm of the columns, as if they had norm 1: ``(n_restart, rank)``."""
    links, sparsity = penalties.links[mode], penalties.sparsity[mode]
    squared = (factor * factor).sum(1)
    out = squared * 0
    if links is not None:
        out = out + (links[None, :, None] * (factor[:, 1:] - factor[:, :-1]) ** 2).sum(1)
    if sparsity:
        out = out + sparsity / factor.shape[1] * factor.sum(1) ** 2
    return out / squared.clip(min=_TINY**2)


def _overlap(penalties: Penalties, mode: int, factor: Any) -> Any:
    """Strength times the cosines between different columns: ``(n_restart, rank, rank)``."""
    unit = factor / _norms(factor)[:, None].clip(min=_TINY)
    cosines = unit.swapaxes(1, 2) @ unit
    rank = list(range(factor.shape[2]))
    cosines[:, rank, rank] = 0
    return penalties.orthogonality[mode] * cosines
