"""Nonnegative CP: a tensor as a sum of few components, each a product of one nonnegative curve a mode."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.dynamics.tensor.components import labelled_fit, model_of, with_fitted_labels
from dynome.dynamics.tensor.cp_constraints import constraints_of, penalties_of
from dynome.dynamics.tensor.cp_solvers import (
    Loss,
    Solver,
    add_demands_of_hals,
    add_solver_problems,
    beta_of,
    describe,
    solve,
    solver_of,
    starts_of,
)
from dynome.dynamics.tensor.operands.choice import Precision, Tensor, operand_of
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator, MissingData, no_target

Array = NDArray[np.float64]
Negative = Literal["raise", "fit"]

_SUBJECT = "cannot fit a nonnegative CP"


class NonnegativeCP(Estimator):
    r"""Nonnegative canonical polyadic (CP, PARAFAC) factorisation of a tensor with missing entries.

    Parameters
    ----------
    rank : int
        Number of components.
    n_restarts : int
        Random starts; all are fitted at once and the best is kept.
    loss : "frobenius", "kullback-leibler" or float
        Squared error; the divergence of Poisson counts; or the beta divergence with this exponent (2 and 1 are the
        former two, 0 is Itakura-Saito, which needs data > 0).
    solver : {"auto", "hals", "mu", "lbfgs"}
        ``"auto"`` is HALS for the squared error and multiplicative updates for all else. ``"lbfgs"`` moves all factors
        at once (squared error). Penalties and shared dims need HALS.
    smoothness : dict of dim to length, or None
        Loadings along the dim follow a curve that is smooth over this length, in the unit of the dim's coordinate
        (``{"time": 2.0}``: 2 s), or in samples where it has none.
    sparsity : dict of dim to float, or None
        Loadings below so many times the mean loading of their component become 0 (``{"pair": 0.5}``).
    orthogonality : dict of dim to float, or None
        Components avoid the same labels of the dim; at 1, as strongly as if they were equal along all other dims.
    shared : list of (dim, dim), or None
        Dims that have one factor in common, as ``[("source", "target")]`` of a symmetric matrix in time.
    fixed : dict of dim to (dim, component), or None
        Factors that are given and stay; the components keep the order and the labels they have there.
    init : None, "random" or Dataset
        Components to begin with: the ``results_`` of a fit of equal or smaller rank over the same labels. The missing
        components begin at 0 along one dim, so that a larger rank never has a larger error. With an equal rank there
        is one start.
    negative : {"raise", "fit"}
        What to do with negative entries. ``"fit"`` takes them as they are, which is right for what scatters around 0
        where there is nothing (an affinity less its chance level); the factors are nonnegative all the same.
    max_iter : int
        Iterations at most.
    tol : float
        A start stops when its relative cost changes by less than this in an iteration.
    dtype : {"float64", "float32"}
        How the tensor is stored; all else is float64.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``, for tensors in memory.
    random_state : int or None
        Seed; None draws one, which ``results_.attrs["random_state"]`` records.

    Attributes
    ----------
    results_ : Dataset
        For a tensor over ``(time, animal, pair)``: ``time_factor (time, component)``, ``animal_factor``,
        ``pair_factor`` with columns of Euclidean norm 1; ``weight (component)`` in the unit of the tensor, largest
        first; ``relative_error``, the squared residual over the squared data, and its square root ``residual_ratio``;
        ``history (iteration)``, the relative cost (error and penalties) of the best start; ``restart_error (restart)``
        and ``restart_similarity (restart)``, how well each start found the same components.

    Notes
    -----
    Minimises :math:`\sum_{observed} v (x - \sum_r w_r \prod_n f^{(n)}_r)^2` over nonnegative factors by HALS
    (Cichocki & Phan 2009, DOI 10.1587/transfun.E92.A.708) with extrapolation; :math:`v` are the weights of the entries.
    NaN is a missing entry and is left out of the sum exactly; nothing is imputed. A fibre may be missing as a whole, a
    label that has no observed entry at all is an error. ``restart_similarity`` is the matched product of cosines over
    modes (Acar et al. 2011, DOI 10.1002/cem.1335), averaged over components.

    Penalties are functions of the normalised columns times :math:`w_r^2` (`dynome.dynamics.tensor.penalties`), so
    that their strengths mean the same in every unit of the data. Clocks may be irregular: smoothness weighs each step
    by its length.

    What the data do not determine, the fit does not invent: where a pair was observed only in animals in which a
    component is nearly silent, the loading of that pair is nearly free and can be large. Keep pairs that most animals
    have (``min_animals`` of `affinity`).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b, c = rng.random((20, 2)), rng.random((4, 2)), rng.random((9, 2))
    >>> x = xr.DataArray(np.einsum("tr,ar,pr->tap", a, b, c), dims=("time", "animal", "pair"))
    >>> model = NonnegativeCP(rank=2, n_restarts=5, random_state=0).fit(x)
    >>> bool(model.results_.relative_error < 1e-3)
    True
    >>> bool(NonnegativeCP(rank=3, init=model.results_).fit(x).results_.relative_error <= model.results_.relative_error)
    True
    """

    missing_data: ClassVar[MissingData] = "mask"

    def __init__(
        self,
        rank: int = 5,
        *,
        n_restarts: int = 10,
        loss: Loss | float = "frobenius",
        solver: Solver = "auto",
        smoothness: Mapping[str, float] | None = None,
        sparsity: Mapping[str, float] | None = None,
        orthogonality: Mapping[str, float] | None = None,
        shared: Sequence[tuple[str, str]] | None = None,
        fixed: Mapping[str, xr.DataArray] | None = None,
        init: xr.Dataset | str | None = None,
        negative: Negative = "raise",
        max_iter: int = 500,
        tol: float = 1e-7,
        dtype: Precision = "float64",
        device: str = "cpu",
        random_state: int | None = None,
    ) -> None:
        self.rank = rank
        self.n_restarts = n_restarts
        self.loss = loss
        self.solver = solver
        self.smoothness = smoothness
        self.sparsity = sparsity
        self.orthogonality = orthogonality
        self.shared = shared
        self.fixed = fixed
        self.init = init
        self.negative = negative
        self.max_iter = max_iter
        self.tol = tol
        self.dtype = dtype
        self.device = device
        self.random_state = random_state

    def fit(self, X: xr.DataArray, y: None = None, *, weights: xr.DataArray | None = None) -> Self:
        """Factorise a tensor.

        Parameters
        ----------
        X : (..., ...), any nonnegative unit
            At least two dims, the sample dim first by custom. NaN is missing.
        y : None
            Ignored.
        weights : DataArray or None
            How much each entry counts, at least 0, over some or all of the dims (``1 / variance`` of each animal, say).
            Only ratios matter.

        Raises
        ------
        InputError
            If a value is negative or infinite, or a label has no observed entry, or a parameter is out of range or
            does not fit the tensor.
        """
        started = time.perf_counter()
        no_target(y)
        self._check_parameters()
        tensor = self._tensor(X, weights)
        asked = constraints_of(
            tensor,
            self.rank,
            smoothness=self.smoothness,
            sparsity=self.sparsity,
            orthogonality=self.orthogonality,
            shared=self.shared,
            fixed=self.fixed,
            init=self.init,
        )
        solver = solver_of(self.loss, self.solver)
        problems = Problems(_SUBJECT)
        add_demands_of_hals(problems, asked, tensor, solver)
        problems.raise_if_any(InputError)
        seed = seeds.resolve(self.random_state)
        starts = starts_of(tensor, asked, self.rank, self.n_restarts, seed, solver)
        with progress.task(f"{len(starts[0])} starts of rank {self.rank}"):
            fit = solve(tensor, starts, asked, loss=self.loss, solver=solver, max_iter=self.max_iter, tol=self.tol)
        results, best = labelled_fit(fit, tensor, asked.labels, squared=beta_of(self.loss) == 2)
        return self._finish(
            results,
            started=started,
            converged=bool(fit.converged[best]),
            n_iter=results.sizes["iteration"],
            random_state=seed,
            device=tensor.device,
            dtype=self.dtype,
        )

    def transform(self, X: xr.DataArray | xr.Dataset) -> xr.DataArray:
        """Factor of the first fitted dim for new samples, the other factors held.

        Parameters
        ----------
        X : DataArray or Dataset
            The dims of the fitted tensor; any samples along the first, the fitted labels along the others.

        Returns
        -------
        (sample, component)
            In the units of ``weight * factor``: its columns are not normalised. Penalties hold as in `fit`.
        """
        results = self._fitted()
        tensor, factor, _ = self._described(X)
        sample = tensor.dims[0]
        coords = {n: c for n, c in tensor.coords.items() if set(c.dims) <= {sample}}
        return xr.DataArray(
            factor,
            dims=(sample, "component"),
            coords={**coords, "component": results["component"].to_numpy()},
            name=f"{sample}_factor",
            attrs={"units": results["weight"].attrs["units"]},
        )

    def inverse_transform(self, Z: xr.DataArray | None = None) -> xr.DataArray:
        """The tensor that the factors describe.

        Parameters
        ----------
        Z : (sample, component) or None
            As `transform` gives it; None takes the fitted samples.

        Returns
        -------
        DataArray
            Dims and unit of the fitted tensor.
        """
        return model_of(self._fitted(), Z)

    def score(self, X: xr.DataArray | xr.Dataset, y: None = None) -> float:
        """One minus the relative error of new samples over their observed entries; 1 is best."""
        return 1.0 - self._described(X)[2]

    def _described(self, X: xr.DataArray | xr.Dataset) -> tuple[Tensor, Array, float]:
        """New samples, the factor that describes them, and its relative error."""
        results = self._fitted()
        others = results.attrs["dims"][1:]
        tensor = self._tensor(with_fitted_labels(X, results), samples_only=True)
        penalties = penalties_of(tensor, self.shared, self.smoothness, self.sparsity, self.orthogonality)
        held = [results[f"{d}_factor"].to_numpy() for d in others]
        return tensor, *describe(tensor, held, penalties, self.loss)

    def _tensor(
        self, X: xr.DataArray | xr.Dataset, weights: xr.DataArray | None = None, *, samples_only: bool = False
    ) -> Tensor:
        return operand_of(
            X,
            weights=weights,
            dtype=self.dtype,
            device=self.device,
            samples_only=samples_only,
            negative=self.negative == "fit",
        )

    def _check_parameters(self) -> None:
        problems = Problems(_SUBJECT)
        for name in ("rank", "n_restarts", "max_iter"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                problems.add(f"{name} must be an integer of at least 1, got {value!r}")
        if not self.tol >= 0:
            problems.add(f"tol must be >= 0, got {self.tol!r}")
        for name, allowed in (("dtype", get_args(Precision)), ("negative", get_args(Negative))):
            if getattr(self, name) not in allowed:
                problems.add(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        add_solver_problems(problems, self.loss, self.solver, self.negative)
        problems.raise_if_any(InputError)
