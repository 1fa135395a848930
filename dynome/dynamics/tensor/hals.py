"""Nonnegative CP by hierarchical alternating least squares (HALS), all restarts in one matrix product.

The solver knows an `Operand` and factors, which carry the restart first: ``(n_restart, n_row, rank)``. How the tensor
is kept, what is missing in it, and whether factors are numpy arrays or torch tensors, is the operand's business.

Extrapolation follows Ang, Cohen, Hien and Gillis (2020), DOI 10.1109/ICASSP40776.2020.9053849: a step that raises the
cost is undone and followed by one without extrapolation, which can't raise it.

Modes that share a factor F are updated by a step from F towards the minimum over one copy, the other held. The mean
cost of the two copies is convex and has the slope of the cost itself, so the step goes downhill; its length is halved
until it does not overshoot. Half the way is the limit that an exact quadratic would allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.contract import OnePassOperand, Operand
from dynome.dynamics.tensor.penalties import (
    Block,
    Penalties,
    any_penalty,
    mean_block,
    minimise,
    no_penalties,
    on_operand,
    penalised_block,
    penalty_value,
    plain_block,
)

Array = NDArray[np.float64]

_SWEEPS = 3  # coordinate sweeps a mode; more cost time and hardly lower the error
_BETA, _GROW, _SHRINK = 0.5, 1.05, 1.5  # extrapolation: first step, growth after success, division after failure
_HALF, _SHORTEST = 0.5, 1e-4  # steps of shared factors
_ROUNDS = 20  # of `regress`, whose bound on the penalties of other modes is drawn anew in each


class CPFit(NamedTuple):
    """Nonnegative CP fits from several starts.

    Attributes
    ----------
    factors : list of (n_restart, n_row, rank)
        One array a mode, not normalised.
    error : (n_iter, n_restart)
        Squared residual over observed entries, relative to their sum of squares; NaN after a restart has stopped.
    objective : (n_iter, n_restart)
        The same with the penalties; never increases.
    converged : (n_restart,)
        Whether the change fell below the tolerance, or below what the arithmetic resolves.
    """

    factors: list[Array]
    error: Array
    objective: Array
    converged: NDArray[np.bool_]

    def final_error(self) -> Array:
        """Error of each start where it stopped: ``(n_restart,)``."""
        last = (~np.isnan(self.error)).sum(0) - 1
        return np.asarray(self.error[last, np.arange(last.size)])


class _Task(NamedTuple):
    """What stays the same from iteration to iteration."""

    x: Operand
    one_pass: OnePassOperand | None
    penalties: Penalties
    penalised: bool
    alone: list[int]
    groups: list[tuple[int, ...]]
    eye: Any


def factorize(
    x: Operand,
    factors: Sequence[Array],
    *,
    max_iter: int,
    tol: float,
    penalties: Penalties | None = None,
    fixed: Sequence[int] = (),
    shared: Sequence[tuple[int, int]] = (),
) -> CPFit:
    """Fit ``x ~ sum_r prod_n factor_n[., r]`` with nonnegative factors, from every start at once.

    Parameters
    ----------
    x : Operand
        The tensor.
    factors : sequence of (n_restart, n_n, rank)
        Starts; not modified.
    max_iter : int
        Outer iterations at most.
    tol : float
        A restart stops when its relative cost changes by less than `tol` in an iteration.
    penalties : Penalties or None
        What is asked of the components besides a good fit.
    fixed : sequence of int
        Modes whose factors stay as they start; not all.
    shared : sequence of (int, int)
        Pairs of modes with one factor, equal at the start; not fixed.

    Returns
    -------
    CPFit
    """
    task = _task(x, factors, penalties, fixed, shared)
    best = [x.asarray(f) * 1.0 for f in factors]
    n_restart = len(best[0])
    error, objective = np.full((2, max_iter, n_restart), np.nan)
    converged = np.zeros(n_restart, dtype=bool)
    lowest, reached = np.full(n_restart, np.inf), np.full(n_restart, np.inf)
    active = np.arange(n_restart)
    plain, ahead = list(best), list(best)
    beta, length = np.full(n_restart, _BETA), np.full(n_restart, _HALF)
    failed = np.zeros(n_restart, dtype=bool)
    for iteration in range(max_iter):
        step = np.where(failed, 0.0, beta[active])  # a plain step after a failed one never raises the cost
        found, squared = _iterate(task, plain, ahead, step, length[active])
        relative, cost = _costs(task, found, squared)
        change = lowest[active] - cost
        stuck, failed = failed & (change < 0), change < 0
        for m in range(len(best)):
            best[m] = _put(best[m], active[~failed], found[m], ~failed)
            plain[m] = _put(plain[m], failed, best[m], active[failed])
            ahead[m] = _put(ahead[m], failed, plain[m], failed)
        beta[active] = np.where(failed, beta[active] / _SHRINK, np.minimum(beta[active] * _GROW, 1.0))
        length[active[stuck]] /= 2
        reached[active] = np.where(failed, reached[active], relative)
        lowest[active] = np.minimum(lowest[active], cost)
        error[iteration, active], objective[iteration, active] = reached[active], lowest[active]
        resolved = stuck & (not task.groups or length[active] < _SHORTEST)
        stop = resolved | ((change >= 0) & (change < tol))
        if stop.any():
            converged[active[stop]] = True
            active, failed, keep = active[~stop], failed[~stop], np.flatnonzero(~stop).tolist()
            if not active.size:
                break
            plain, ahead = [f[keep] for f in plain], [f[keep] for f in ahead]
    return CPFit([x.to_numpy(f) for f in best], error[: iteration + 1], objective[: iteration + 1], converged)


def _task(
    x: Operand,
    factors: Sequence[Array],
    penalties: Penalties | None,
    fixed: Sequence[int],
    shared: Sequence[tuple[int, int]],
) -> _Task:
    asked = on_operand(penalties or no_penalties(len(factors)), x)
    together = [m for pair in shared for m in pair]
    alone = [m for m in range(len(factors)) if m not in fixed and m not in together]
    one_pass = x if isinstance(x, OnePassOperand) else None  # asked once: this check is slow
    return _Task(x, one_pass, asked, any_penalty(asked), alone, list(shared), x.asarray(np.eye(factors[0].shape[2])))


def _put(old: Any, where: NDArray[Any], new: Any, rows: NDArray[Any]) -> Any:
    """`old` with some restarts taken from `new`; both stay as they are."""
    positions, source = (np.flatnonzero(k) if k.dtype == bool else k for k in (where, rows))
    if not positions.size:
        return old
    if positions.size == len(old) == len(new):
        return new
    out = old * 1.0
    out[positions.tolist()] = new[source.tolist()]
    return out


def _iterate(task: _Task, plain: list[Any], ahead: list[Any], beta: Array, length: Array) -> tuple[list[Any], Any]:
    """Update every free mode of both lists; the factors at which the squared residual is cheap to have, and it."""
    x, momentum = task.x, task.x.asarray(beta)[:, None, None]
    found: list[Any] = []
    for group in task.groups:
        seen = [(n, _block(task, ahead, m, x.gram(ahead, m))) for m, n in x.numerators(ahead, sorted(group))]
        start = ahead[group[0]]
        new = minimise(x, start * 1.0, sum(n for n, _ in seen) / len(seen), mean_block([b for _, b in seen]), _SWEEPS)
        new = start + x.asarray(length)[:, None, None] * (new - start)
        extrapolated = (new + momentum * (new - plain[group[0]])).clip(min=0)
        for m in group:
            plain[m], ahead[m] = new, extrapolated
    for mode, numerator in _numerators(task, plain, ahead, momentum) if task.alone else ():
        gram = x.gram(ahead, mode)
        new = minimise(x, ahead[mode] * 1.0, numerator, _block(task, ahead, mode, gram), _SWEEPS)
        if mode == task.alone[-1]:
            found = [new if m == mode else f for m, f in enumerate(ahead)]
            squared = _expanded(x, numerator, gram, new)
        ahead[mode] = (new + momentum * (new - plain[mode])).clip(min=0)
        plain[mode] = new
    if task.alone:
        return found, squared
    group = task.groups[-1]
    found = [plain[m] if m in group else f for m, f in enumerate(ahead)]
    _, numerator = next(iter(x.numerators(found, [group[0]])))
    return found, _expanded(x, numerator, x.gram(found, group[0]), found[group[0]])


def _numerators(task: _Task, plain: list[Any], ahead: list[Any], momentum: Any) -> Iterator[tuple[int, Any]]:
    """Numerators of the modes without a partner; where that saves a pass, the first mode is updated on the way."""
    x, one_pass = task.x, task.one_pass
    if task.penalised or len(task.alone) < 2 or task.alone[0] != 0 or one_pass is None:
        return x.numerators(ahead, task.alone)
    gram = x.gram(ahead, 0)
    plain[0], ahead[0] = plain[0] * 1.0, ahead[0] * 1.0

    def update(rows: slice, numerator: Any) -> None:
        new = ahead[0][:, rows] * 1.0
        minimise(x, new, numerator, plain_block(gram if gram.shape[1] == 1 else gram[:, rows] * 1.0), _SWEEPS)
        ahead[0][:, rows] = (new + momentum * (new - plain[0][:, rows])).clip(min=0)
        plain[0][:, rows] = new

    return one_pass.fused_numerators(ahead, task.alone, update)


def _block(task: _Task, factors: list[Any], mode: int, gram: Any) -> Block:
    return penalised_block(task.penalties, factors, mode, gram, task.eye) if task.penalised else plain_block(gram)


def _expanded(x: Operand, numerator: Any, gram: Any, factor: Any) -> Any:
    """Squared residual from what an update has at hand."""
    model = ((factor[:, :, None, :] @ gram)[:, :, 0] * factor).sum((1, 2))
    return x.squared_norm - 2 * (factor * numerator).sum((1, 2)) + model


def _costs(task: _Task, factors: list[Any], squared: Any) -> tuple[Array, Array]:
    """Relative squared residual, and the same with the penalties."""
    x = task.x
    relative = np.asarray(squared.tolist()) / x.squared_norm
    if low := np.flatnonzero(relative < x.resolution).tolist():
        relative[low] = x.squared_residual([f[low] for f in factors]) / x.squared_norm
    if not task.penalised:
        return relative, relative
    return relative, relative + np.asarray(penalty_value(task.penalties, factors).tolist()) / x.squared_norm


def regress(x: Operand, factors: Sequence[Array], *, max_iter: int, penalties: Penalties | None = None) -> Array:
    """Nonnegative least squares for the first mode, all other factors held.

    Parameters
    ----------
    x : Operand
        The tensor.
    factors : sequence of (n_restart, n_n, rank)
        The first is the start.
    max_iter : int
        Sweeps over the rows, at least 20.
    penalties : Penalties or None
        As in `factorize`.

    Returns
    -------
    (n_restart, n_1, rank)
    """
    task = _task(x, factors, penalties, (), ())
    held = [x.asarray(f) * 1.0 for f in factors]
    _, numerator = next(iter(x.numerators(held, [0])))
    gram, rounds = x.gram(held, 0), _ROUNDS if task.penalised else 1
    for _ in range(rounds):
        held[0] = minimise(x, held[0], numerator, _block(task, held, 0, gram), max_iter // rounds)
    return x.to_numpy(held[0])
