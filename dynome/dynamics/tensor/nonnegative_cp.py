"""Nonnegative CP: a tensor as a sum of few components, each a product of one nonnegative curve a mode."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.dynamics.tensor import hals
from dynome.dynamics.tensor.components import labelled_components, restart_similarity
from dynome.dynamics.tensor.cp_constraints import Constraints, constraints_of, penalties_of
from dynome.dynamics.tensor.operands.choice import Precision, Tensor, operand_of
from dynome.dynamics.tensor.starts import constrained, extended, random_factors
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator, MissingData

Array = NDArray[np.float64]
Negative = Literal["raise", "fit"]

_INNER_ITER = 500  # exact regression of new samples converges long before


class NonnegativeCP(Estimator):
    r"""Nonnegative canonical polyadic (CP, PARAFAC) factorisation of a tensor with missing entries.

    Parameters
    ----------
    rank : int
        Number of components.
    n_restarts : int
        Random starts; all are fitted at once and the best is kept.
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
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
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
        self._check_parameters()
        tensor = operand_of(X, weights=weights, dtype=self.dtype, device=self.device, negative=self.negative == "fit")
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
        seed = seeds.resolve(self.random_state)
        starts = self._starts(tensor, asked, seed)
        with progress.task(f"{len(starts[0])} starts of rank {self.rank}"):
            fit = hals.factorize(
                tensor.operand,
                starts,
                max_iter=self.max_iter,
                tol=self.tol,
                penalties=asked.penalties,
                fixed=list(asked.fixed),
                shared=asked.shared,
            )
        best = int(np.nanmin(fit.objective, axis=0).argmin())
        results = labelled_components(
            [f[best] for f in fit.factors],
            tensor.dims,
            tensor.coords,
            units=tensor.units,
            name=tensor.name,
            labels=asked.labels,
        )
        history = fit.objective[:, best][~np.isnan(fit.objective[:, best])]
        final = fit.final_error()
        return self._finish(
            results.assign(
                history=("iteration", history, {"units": "1", "long_name": "relative cost"}),
                relative_error=((), final[best], {"units": "1", "long_name": "squared residual / squared data"}),
                residual_ratio=((), np.sqrt(final[best]), {"units": "1", "long_name": "residual norm / data norm"}),
                restart_error=("restart", final, {"units": "1"}),
                restart_similarity=("restart", restart_similarity(fit.factors, best), {"units": "1"}),
            ),
            started=started,
            converged=bool(fit.converged[best]),
            n_iter=history.size,
            random_state=seed,
            device=tensor.device,
            dtype=self.dtype,
        )

    def transform(self, X: xr.DataArray) -> xr.DataArray:
        """Factor of the first fitted dim for new samples, the other factors held.

        Parameters
        ----------
        X : DataArray
            The dims of the fitted tensor; any samples along the first, the fitted labels along the others.

        Returns
        -------
        (sample, component)
            In the units of ``weight * factor``: its columns are not normalised. Penalties hold as in `fit`.
        """
        results = self._fitted()
        tensor, factors = self._regressed(X)
        sample = tensor.dims[0]
        coords = {n: c for n, c in tensor.coords.items() if set(c.dims) <= {sample}}
        return xr.DataArray(
            factors[0][0],
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
        results = self._fitted()
        sample, *others = results.attrs["dims"]
        model = results["weight"] * results[f"{sample}_factor"] if Z is None else Z
        for dim in others:
            model = model * results[f"{dim}_factor"]
        model = model.sum("component").transpose(*results.attrs["dims"]).rename(results.attrs["tensor"])
        return model.assign_attrs(units=results["weight"].attrs["units"])

    def score(self, X: xr.DataArray, y: None = None) -> float:
        """One minus the relative squared error of new samples over their observed entries; 1 is best."""
        tensor, factors = self._regressed(X)
        x = tensor.operand
        return 1.0 - float(x.squared_residual([x.asarray(f) for f in factors])[0] / x.squared_norm)

    def _regressed(self, X: xr.DataArray) -> tuple[Tensor, list[Array]]:
        """New samples, and the factors that describe them."""
        results = self._fitted()
        sample, *others = results.attrs["dims"]
        tensor = operand_of(
            _same_labels(X, results, sample, others),
            dtype=self.dtype,
            device=self.device,
            samples_only=True,
            negative=self.negative == "fit",
        )
        held = [results[f"{d}_factor"].to_numpy()[None] for d in others]
        start = [np.zeros((1, tensor.operand.shape[0], held[0].shape[2])), *held]
        penalties = penalties_of(tensor, self.shared, self.smoothness, self.sparsity, self.orthogonality)
        first = hals.regress(tensor.operand, start, max_iter=_INNER_ITER, penalties=penalties)
        return tensor, [first, *held]

    def _starts(self, tensor: Tensor, asked: Constraints, seed: int) -> list[Array]:
        """Random factors, with what is known in them."""
        known = asked.known
        n = 1 if known is not None and known[0].shape[1] == self.rank else self.n_restarts
        generators = [seeds.generator(seed, "restart", k) for k in range(n)]
        x = tensor.operand
        starts = random_factors(x.shape, self.rank, float(np.sqrt(x.squared_norm)), generators)
        if known is not None:
            held = {*asked.fixed, *(m for pair in asked.shared for m in pair)}
            starts = extended(known, starts, next((m for m in range(len(starts)) if m not in held), None))
        return constrained(starts, asked.fixed, asked.shared)

    def _check_parameters(self) -> None:
        problems = Problems("cannot fit a nonnegative CP")
        for name in ("rank", "n_restarts", "max_iter"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                problems.add(f"{name} must be an integer of at least 1, got {value!r}")
        if not self.tol >= 0:
            problems.add(f"tol must be >= 0, got {self.tol!r}")
        for name, allowed in (("dtype", get_args(Precision)), ("negative", get_args(Negative))):
            if getattr(self, name) not in allowed:
                problems.add(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        problems.raise_if_any(InputError)


def _same_labels(X: xr.DataArray, results: xr.Dataset, sample: str, others: list[str]) -> xr.DataArray:
    problems = Problems("new samples do not fit the fitted tensor")
    if set(X.dims) != {sample, *others}:
        problems.add(f"expected dims {(sample, *others)}, found {X.dims}")
        problems.fail(InputError)
    for dim in others:
        if X.sizes[dim] != results.sizes[dim]:
            problems.add(f"{dim} has {X.sizes[dim]} labels, expected the {results.sizes[dim]} that were fitted")
        elif dim in X.coords and dim in results.coords:
            if not np.isin(results[dim], X[dim]).all():
                problems.add(f"{dim} lacks fitted labels; select the ones that were fitted")
            else:
                X = X.sel({dim: results[dim].to_numpy()})
    problems.raise_if_any(InputError)
    return X.transpose(sample, *others)
