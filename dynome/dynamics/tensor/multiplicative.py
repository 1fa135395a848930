r"""Nonnegative CP under beta divergences by multiplicative updates: Kullback-Leibler for counts, and its relatives.

Each update minimises a function that lies above the divergence and touches it at the present factors, so the divergence
never rises (Fevotte and Idier 2011, DOI 10.1162/NECO_a_00168). The updates are made ahead of the last step, with a way
back when that fails (extrapolation as in Hien, Leplat and Gillis 2024, arXiv:2401.06646, here in logarithms, where
multiplicative updates move in straight lines).

Counts that follow a Poisson law have the Kullback-Leibler divergence as their negative log-likelihood, but for a
constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.divergences import exponent, mean_divergence
from dynome.dynamics.tensor.hals import CPFit
from dynome.dynamics.tensor.operands.contract import Operand
from dynome.dynamics.tensor.operands.slabs import Divergent, Slabbed, Terms, slab_terms, totals

Array = NDArray[np.float64]

_FLOOR = 1e-10  # of the size of a typical entry: an exact 0 could never grow again
_LIFT = 1e-3  # to where entries are lifted that want to grow from next to nothing
_STEP, _GROW, _SHRINK = 0.5, 1.1, 2.0  # extrapolation: first step, growth after success, division after failure


class _Squared(NamedTuple):
    """Squared error through products with the tensor: the model is never made."""

    x: Operand
    constant: float
    reference: float

    def terms(self, factors: list[Array], mode: int) -> Terms:
        _, attract = next(iter(self.x.numerators(factors, [mode])))
        repel = np.matmul(factors[mode][:, :, None, :], self.x.gram(factors, mode))[:, :, 0]
        return Terms(attract, repel, ((0.5 * repel - attract) * factors[mode]).sum((1, 2)))


class _Divergence(NamedTuple):
    """Any other beta: from the entries of the model, or as the operand knows better."""

    x: Divergent | Slabbed
    beta: float
    constant: float
    reference: float

    def terms(self, factors: list[Array], mode: int) -> Terms:
        if isinstance(self.x, Divergent):
            return self.x.divergence_terms(factors, mode, self.beta)
        return slab_terms(self.x, factors, mode, self.beta)


def factorize(
    x: Operand | Divergent | Slabbed,
    factors: Sequence[Array],
    *,
    beta: float = 1.0,
    max_iter: int,
    tol: float,
    fixed: Sequence[int] = (),
) -> CPFit:
    """Fit a nonnegative CP under a beta divergence, from every start at once.

    Parameters
    ----------
    x : Operand, Divergent or Slabbed
        The tensor. Beta 2 asks only for products with it, so that every operand will do; other beta need the entries,
        or an operand that has terms of its own.
    factors : sequence of (n_restart, n_n, rank)
        Starts; not modified.
    beta : float
        1 is Kullback-Leibler, 2 squared error, 0 Itakura-Saito; any other number is allowed. At 0 and below, every
        observed entry must be above 0.
    max_iter : int
        Outer iterations at most.
    tol : float
        A restart stops when its relative error changes by less than `tol` in an iteration.
    fixed : sequence of int
        Modes whose factors stay as they start; not all.

    Returns
    -------
    CPFit
        ``error`` is the divergence from the model, divided by the divergence from the mean of the observed data (the
        best constant model): below 1 as soon as the model says more than a mean. For beta 2 it is the squared residual
        divided by the squared data, as in `hals`, so that solvers can be compared. It never increases.

    Raises
    ------
    InputError
        If beta is 0 or less and an observed entry is 0.

    Notes
    -----
    Where the data have no mass, the update shrinks a factor towards 0 and never reaches it; entries are held above
    1e-10 of their typical size, because an exact 0 could not grow again. The minimum over that range differs from the
    minimum over all nonnegative factors by about as little. An entry down there that ought to grow takes long to be
    seen, so a start that has come to rest is tried once more with such entries lifted to 1e-3, and goes on if that
    helps (compare Chi and Kolda 2012, DOI 10.1137/110859063, on inadmissible zeros).
    """
    loss, power = _loss(x, beta), exponent(beta)
    floor = _FLOOR * float(np.mean([f.mean() for f in factors]))
    now = [np.maximum(f, floor) for f in factors]
    free = [m for m in range(len(now)) if m not in fixed]
    best, before = [f.copy() for f in now], [f.copy() for f in now]
    n_restart = now[0].shape[0]
    error = np.full((max_iter + 1, n_restart), np.nan)
    lowest, step = np.full(n_restart, np.inf), np.full(n_restart, _STEP)
    converged, lifted = np.zeros(n_restart, dtype=bool), np.zeros(n_restart, dtype=bool)
    failed = lifted.copy()
    active = np.arange(n_restart)
    for iteration in range(max_iter + 1):
        terms = loss.terms(
            now, free[0]
        )  # the error after an iteration comes free with the first update of the next one
        relative = np.maximum((loss.constant + terms.loss) / loss.reference, 0.0)
        was_plain, failed = failed, relative > lowest[active]
        if failed.any():
            for f, b, p in zip(now, best, before, strict=True):
                f[failed] = p[failed] = b[active[failed]]
            for part, again in zip(terms, loss.terms([f[failed] for f in now], free[0]), strict=True):
                part[failed] = again
            relative[failed] = lowest[active[failed]]
        # After a plain step the divergence rises by nothing but rounding.
        rests = np.where(failed, was_plain | lifted[active], lowest[active] - relative < tol)
        stop = rests & lifted[active]
        lifted[active] = rests
        for b, f in zip(best, now, strict=True):
            b[active] = f
        step[active] = np.where(failed, step[active] / _SHRINK, np.minimum(step[active] * _GROW, 1.0))
        lowest[active] = error[iteration, active] = relative
        converged[active[stop]] = True
        if iteration == max_iter or stop.all():
            break
        active, failed = active[~stop], failed[~stop]
        now, before = [f[~stop] for f in now], [f[~stop] for f in before]
        first = Terms(*(part[~stop] for part in terms))
        plain = failed | lifted[active]
        lift = np.where(lifted[active], _LIFT / _FLOOR * floor, 0.0)
        _update(loss, free, now, before, first, np.where(plain, 0.0, step[active]), lift, floor, power)
    found = [f.copy() if m in fixed else b for m, (f, b) in enumerate(zip(factors, best, strict=True))]
    return CPFit(found, error[1 : iteration + 1], error[1 : iteration + 1], converged)


def _update(
    loss: _Squared | _Divergence,
    free: list[int],
    now: list[Array],
    before: list[Array],
    first: Terms,
    ahead: Array,
    lift: Array,
    floor: float,
    power: float,
) -> None:
    """Update every free mode in place; all but the first from a point ahead of the last step."""
    for mode in free:
        last, start, terms = now[mode], now[mode], first
        if mode != free[0]:
            start = np.maximum(last * (last / before[mode]) ** ahead[:, None, None], floor)
            terms = loss.terms([*now[:mode], start, *now[mode + 1 :]], mode)
        ratio = np.divide(terms.attract, terms.repel, out=np.ones_like(start), where=terms.repel > 0)
        least = np.where(ratio > 1, np.maximum(lift, floor)[:, None, None], floor)
        before[mode], now[mode] = last, np.maximum(start * ratio**power, least)


def _loss(x: Any, beta: float) -> _Squared | _Divergence:
    """The divergence of this tensor."""
    if beta == 2:
        return _Squared(x, 0.5 * x.squared_norm, 0.5 * x.squared_norm)
    known = x.divergence_totals(beta) if isinstance(x, Divergent) else totals(x, beta)
    return _Divergence(x, beta, known.constant, mean_divergence(known, beta))
