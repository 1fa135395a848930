"""Which solver minimises which cost, and what it can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dynome import seeds
from dynome.dynamics.tensor import hals, lbfgs, multiplicative
from dynome.dynamics.tensor.cp_constraints import Constraints
from dynome.dynamics.tensor.hals import CPFit
from dynome.dynamics.tensor.operands.choice import Tensor
from dynome.dynamics.tensor.penalties import Penalties, any_penalty
from dynome.dynamics.tensor.starts import constrained, extended, random_factors
from dynome.errors import Problems

Array = NDArray[np.float64]
Loss = Literal["frobenius", "kullback-leibler"]
Solver = Literal["auto", "hals", "mu", "lbfgs"]

_BETAS = {"frobenius": 2.0, "kullback-leibler": 1.0}
_INNER_ITER = 500  # exact regression of new samples converges long before
_MU_TOL = 1e-10
_LED_IN, _ROUGHLY = 50, 1e-4  # iterations without penalties before those with them, and their tolerance


def beta_of(loss: Loss | float) -> float:
    """The exponent of a beta divergence.

    Examples
    --------
    >>> beta_of("kullback-leibler"), beta_of(0.5)
    (1.0, 0.5)
    """
    return _BETAS[loss] if isinstance(loss, str) else float(loss)


def add_solver_problems(problems: Problems, loss: object, solver: object, negative: str) -> None:
    """Note what does not fit together in `loss`, `solver` and the policy for negative entries."""
    number = isinstance(loss, int | float | np.number) and not isinstance(loss, bool) and np.isfinite(loss)
    if not number and loss not in get_args(Loss):
        problems.add(f"loss must be one of {', '.join(get_args(Loss))} or a number (beta), got {loss!r}")
        return
    squared = loss == "frobenius" or loss == 2
    if solver not in get_args(Solver):
        problems.add(f"solver must be one of {', '.join(get_args(Solver))}, got {solver!r}")
    elif solver in ("hals", "lbfgs") and not squared:
        problems.add(f"solver {solver!r} minimises the squared error only; use 'mu' or 'auto' with loss={loss!r}")
    if negative == "fit" and (not squared or solver == "mu"):
        problems.add("negative entries can be fitted with the squared error by 'hals' or 'lbfgs' only")


def solver_of(loss: Loss | float, solver: Solver) -> str:
    """The solver that ``"auto"`` means."""
    return solver if solver != "auto" else "hals" if beta_of(loss) == 2 else "mu"


def starts_of(tensor: Tensor, asked: Constraints, rank: int, n_restarts: int, seed: int, solver: str) -> list[Array]:
    """Random factors, with what is known in them: ``(n_restart, n_row, rank)`` a mode."""
    x, known = tensor.operand, asked.known
    n = 1 if known is not None and known[0].shape[1] == rank else n_restarts
    generators = [seeds.generator(seed, "restart", k) for k in range(n)]
    starts = random_factors(x.shape, rank, float(np.sqrt(x.squared_norm)), generators)
    if known is not None:
        held = {*asked.fixed, *(m for pair in asked.shared for m in pair)}
        silent = next((m for m in range(len(starts)) if m not in held), None)
        starts = extended(known, starts, None if solver == "mu" else silent)  # a product can't leave 0
    return constrained(starts, asked.fixed, asked.shared)


def solve(
    tensor: Tensor,
    starts: Sequence[Array],
    asked: Constraints,
    *,
    loss: Loss | float,
    solver: str,
    max_iter: int,
    tol: float,
) -> CPFit:
    """Fit from every start, with the solver that `solver_of` named."""
    x, fixed = tensor.operand, list(asked.fixed)
    if solver == "mu":
        return multiplicative.factorize(x, starts, beta=beta_of(loss), max_iter=max_iter, tol=tol, fixed=fixed)
    if solver == "lbfgs":
        return lbfgs.factorize(x, starts, max_iter=max_iter, tol=tol, fixed=fixed)
    if any_penalty(asked.penalties):
        # At random factors a penalty is far larger than what a component explains, and would kill it.
        starts = hals.factorize(x, starts, max_iter=_LED_IN, tol=_ROUGHLY, fixed=fixed, shared=asked.shared).factors
    return hals.factorize(
        x, starts, max_iter=max_iter, tol=tol, penalties=asked.penalties, fixed=fixed, shared=asked.shared
    )


def add_demands_of_hals(problems: Problems, asked: Constraints, tensor: Tensor, solver: str) -> None:
    """Note what only HALS can do, where another solver was named."""
    if solver != "hals" and (any_penalty(asked.penalties) or asked.shared):
        problems.add(f"penalties and shared dims need solver 'hals' and the squared error, not {solver!r}")
    if solver != "hals" and tensor.device != "cpu":
        problems.add(f"solver {solver!r} works on the processor only; use device='cpu'")


def describe(tensor: Tensor, held: Sequence[Array], penalties: Penalties, loss: Loss | float) -> tuple[Array, float]:
    """Factor of new samples along the first mode, and the relative error.

    Parameters
    ----------
    tensor : Tensor
        New samples.
    held : sequence of (n_row, rank)
        Factors of all other modes.
    penalties : Penalties
        As in the fit.
    loss : str or float
        What is minimised.

    Returns
    -------
    factor : (n_sample, rank)
    error : float
        As in the fit: squared residual to squared data, or divergence to the divergence from the mean.
    """
    x, rank = tensor.operand, held[0].shape[1]
    others = [f[None] for f in held]
    if beta_of(loss) == 2:
        first = hals.regress(x, [np.zeros((1, x.shape[0], rank)), *others], max_iter=_INNER_ITER, penalties=penalties)
        error = x.squared_residual([x.asarray(f) for f in (first, *others)]) / x.squared_norm
        return first[0], float(error[0])
    size = np.sqrt(x.squared_norm / x.shape[0]) / np.prod([np.linalg.norm(f, axis=0) for f in held], axis=0).sum()
    start = np.full((1, x.shape[0], rank), size)
    fit = multiplicative.factorize(
        x, [start, *others], beta=beta_of(loss), max_iter=_INNER_ITER, tol=_MU_TOL, fixed=range(1, len(x.shape))
    )
    return fit.factors[0][0], float(fit.final_error()[0])
