"""Nonnegative Tucker: one set of curves a dim, and a core that says which of them go together, through tensorly."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.dynamics.tensor.operands.entries import observed
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator, MissingData, no_target

Array = NDArray[np.float64]

_SUBJECT = "cannot fit a nonnegative Tucker model"
_ROUND = 10  # tensorly allows the core as many inner steps as there are iterations in all; a few are enough


class TuckerFit(NamedTuple):
    """A Tucker model from one start.

    Attributes
    ----------
    core : (rank_1, ..., rank_N)
        How strongly one curve of each mode go together.
    factors : list of (n_row, rank_n)
        One a mode.
    error : (n_iter,)
        Relative squared residual.
    """

    core: Array
    factors: list[Array]
    error: Array


class NonnegativeTucker(Estimator):
    r"""Nonnegative Tucker factorisation: every dim has its own number of curves, and a core joins them.

    Parameters
    ----------
    rank : int or dict of dim to int
        Curves along each dim; one number for all of them, never more than the dim has labels.
    n_restarts : int
        Random starts; the best is kept.
    max_iter : int
        Iterations at most.
    tol : float
        A start stops when its relative residual (the norm, not its square) changes by less in an iteration.
    random_state : int or None
        Seed; None draws one, which ``results_.attrs["random_state"]`` records.

    Attributes
    ----------
    results_ : Dataset
        For a tensor over ``(time, animal, pair)``: ``time_factor (time, time_component)`` and so on, columns of norm 1,
        those with the larger part of the core first; ``core (time_component, animal_component, pair_component)`` in the
        unit of the tensor; ``history (iteration)``, ``relative_error`` (squared residual over squared data),
        ``residual_ratio`` (its root), ``restart_error (restart)``.

    Notes
    -----
    Minimises :math:`\lVert x - core \times_1 f^{(1)} \cdots \times_N f^{(N)} \rVert^2` by tensorly's
    ``non_negative_tucker_hals``. Unlike CP it is not unique: use it where one course in time is shared by several
    groups of pairs, or where dims need different numbers of curves. Needs complete data in memory: NaN is refused.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> core, a, b, c = rng.random((2, 2, 3)), rng.random((15, 2)), rng.random((4, 2)), rng.random((9, 3))
    >>> x = xr.DataArray(np.einsum("ijk,ti,aj,pk->tap", core, a, b, c), dims=("time", "animal", "pair"))
    >>> rank = {"time": 2, "animal": 2, "pair": 3}
    >>> found = NonnegativeTucker(rank, random_state=0).fit(x).results_
    >>> bool(found.relative_error < 1e-3), dict(found.core.sizes)
    (True, {'time_component': 2, 'animal_component': 2, 'pair_component': 3})
    """

    missing_data: ClassVar[MissingData] = "raise"

    def __init__(
        self,
        rank: int | Mapping[str, int] = 3,
        *,
        n_restarts: int = 5,
        max_iter: int = 200,
        tol: float = 1e-6,
        random_state: int | None = None,
    ) -> None:
        self.rank = rank
        self.n_restarts = n_restarts
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: xr.DataArray, y: None = None) -> Self:
        """Factorise a tensor.

        Parameters
        ----------
        X : (..., ...), any nonnegative unit
            At least two dims, no NaN.
        y : None
            Ignored.

        Raises
        ------
        InputError
            If a value is missing, negative or infinite, or a parameter is out of range.
        """
        started = time.perf_counter()
        no_target(y)
        ranks = self._checked(X)
        x, mask = observed(X)
        if mask is not None:
            raise InputError(f"{_SUBJECT}:\n  - found {int(X.isnull().sum())} missing values; use NonnegativeCP")
        seed = seeds.resolve(self.random_state)
        with progress.task(f"{self.n_restarts} starts of a Tucker model"):
            fits = [
                fit_tucker(x, ranks, seeds.generator(seed, "restart", k), max_iter=self.max_iter, tol=self.tol)
                for k in range(self.n_restarts)
            ]
        final = np.array([f.error[-1] for f in fits])
        best = fits[int(final.argmin())]
        results = _labelled(X, best).assign(
            history=("iteration", best.error, {"units": "1"}),
            relative_error=((), final.min(), {"units": "1", "long_name": "squared residual / squared data"}),
            residual_ratio=((), np.sqrt(final.min()), {"units": "1", "long_name": "residual norm / data norm"}),
            restart_error=("restart", final, {"units": "1"}),
        )
        n_iter = best.error.size
        return self._finish(
            results, started=started, converged=n_iter < self.max_iter, n_iter=n_iter, random_state=seed
        )

    def inverse_transform(self) -> xr.DataArray:
        """The tensor that core and factors describe, with the dims and the unit of the fitted one."""
        results = self._fitted()
        model: xr.DataArray = results["core"]
        for dim in results.attrs["dims"]:
            model = model.dot(results[f"{dim}_factor"], dim=f"{dim}_component")
        model = model.transpose(*results.attrs["dims"]).rename(results.attrs["tensor"])
        return model.assign_attrs(units=results["core"].attrs["units"])

    def _checked(self, X: Any) -> list[int]:
        problems = Problems(_SUBJECT)
        if not isinstance(X, xr.DataArray):
            problems.add(f"expected a DataArray, got a {type(X).__name__}; name its dims first")
            problems.fail(InputError)
        for name in ("n_restarts", "max_iter"):
            if not _is_count(getattr(self, name)):
                problems.add(f"{name} must be an integer of at least 1, got {getattr(self, name)!r}")
        if not self.tol >= 0:
            problems.add(f"tol must be >= 0, got {self.tol!r}")
        asked: dict[Any, Any] = dict(self.rank if isinstance(self.rank, Mapping) else dict.fromkeys(X.dims, self.rank))
        if set(asked) != set(X.dims) or not all(_is_count(r) for r in asked.values()):
            problems.add(
                f"rank must be an integer of at least 1, for all or for each dim of {X.dims}, got {self.rank!r}"
            )
            problems.fail(InputError)
        for dim, n in X.sizes.items():
            most = min(n, math.prod(asked[d] for d in X.dims if d != dim))
            if asked[dim] > most:
                problems.add(f"rank along {dim} is at most {most} here, got {asked[dim]}")
        problems.raise_if_any(InputError)
        return [int(asked[d]) for d in X.dims]


def fit_tucker(x: Array, ranks: list[int], rng: np.random.Generator, *, max_iter: int, tol: float) -> TuckerFit:
    """Fit from one random start with tensorly.

    Parameters
    ----------
    x : (n_1, ..., n_N)
        Nonnegative, complete.
    ranks : list of int
        Curves along each mode.
    rng : Generator
        Of the start.
    max_iter, tol
        As in `NonnegativeTucker`.
    """
    import tensorly
    from tensorly.decomposition import non_negative_tucker_hals

    scale = float(np.linalg.norm(x))
    core, factors = rng.random(ranks), [rng.random((n, r)) for n, r in zip(x.shape, ranks, strict=True)]
    path: list[float] = []
    with tensorly.backend_context("numpy", local_threadsafe=True):
        while len(path) < max_iter and not (len(path) > 1 and abs(path[-2] - path[-1]) < tol):
            n = min(_ROUND, max_iter - len(path))
            (core, factors), errors = non_negative_tucker_hals(
                x / scale, ranks, n_iter_max=n, init=(core, factors), tol=tol, return_errors=True
            )
            path.extend(float(e) for e in errors)
    return TuckerFit(core * scale, list(factors), np.array(path) ** 2)


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def _labelled(X: xr.DataArray, fit: TuckerFit) -> xr.Dataset:
    """Unit columns, sizes in the core, the larger parts first."""
    core, data = fit.core, {}
    for axis, (dim, factor) in enumerate(zip(X.dims, fit.factors, strict=True)):
        norms = np.linalg.norm(factor, axis=0)
        core = core * norms.reshape([-1 if k == axis else 1 for k in range(core.ndim)])
        data[dim] = np.divide(factor, norms, out=np.zeros_like(factor), where=norms > 0)
    found: dict[str, Any] = {}
    for axis, dim in enumerate(X.dims):
        part = np.sqrt((core**2).sum(tuple(k for k in range(core.ndim) if k != axis)))
        order = np.argsort(-part, kind="stable")
        core = core.take(order, axis)
        found[f"{dim}_factor"] = ((dim, f"{dim}_component"), data[dim][:, order], {"units": "1"})
    units = X.attrs.get("units", "1")
    found["core"] = (tuple(f"{d}_component" for d in X.dims), core, {"units": units})
    coords = {n: c for n, c in X.coords.items() if len(c.dims) <= 1}
    return xr.Dataset(found, coords, {"dims": [str(d) for d in X.dims], "tensor": str(X.name or "tensor")})
