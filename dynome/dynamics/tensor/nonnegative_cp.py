"""Nonnegative CP: a tensor as a sum of few components, each a product of one nonnegative curve a mode."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import align, progress, seeds
from dynome.dynamics.tensor import hals
from dynome.dynamics.tensor.operands.dense import DenseOperand
from dynome.errors import InputError, Problems, listed
from dynome.estimator import Estimator, MissingData

Array = NDArray[np.float64]

_INNER_ITER = 500  # exact regression of new samples converges long before


class NonnegativeCP(Estimator):
    r"""Nonnegative canonical polyadic (CP, PARAFAC) factorisation of a tensor with missing entries.

    Parameters
    ----------
    rank : int
        Number of components.
    n_restarts : int
        Random starts; all are fitted at once and the best is kept.
    max_iter : int
        Iterations at most.
    tol : float
        A start stops when its relative error changes by less than this in an iteration.
    random_state : int or None
        Seed; None draws one, which ``results_.attrs["random_state"]`` records.

    Attributes
    ----------
    results_ : Dataset
        For a tensor over ``(time, animal, pair)``: ``time_factor (time, component)``, ``animal_factor``,
        ``pair_factor`` with columns of Euclidean norm 1; ``weight (component)`` in the unit of the tensor, largest
        first; ``history (iteration)``, the relative squared error of the best start; ``relative_error`` of it;
        ``restart_error (restart)`` and ``restart_similarity (restart)``, how well each start found the same components.

    Notes
    -----
    Minimises :math:`\sum_{observed} (x - \sum_r w_r \prod_n f^{(n)}_r)^2` over nonnegative factors by HALS
    (Cichocki & Phan 2009, DOI 10.1587/transfun.E92.A.708) with extrapolation. NaN is a missing entry and is left out
    of the sum exactly; nothing is imputed. ``restart_similarity`` is the matched product of cosines over modes
    (Acar et al. 2011, DOI 10.1002/cem.1335), averaged over components.

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
    """

    missing_data: ClassVar[MissingData] = "mask"

    def __init__(
        self,
        rank: int = 5,
        *,
        n_restarts: int = 10,
        max_iter: int = 500,
        tol: float = 1e-7,
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
            At least two dims, the sample dim first by custom. NaN is missing.
        y : None
            Ignored.

        Raises
        ------
        InputError
            If a value is negative or infinite, or a slice has no observed entry, or a parameter is out of range.
        """
        started = time.perf_counter()
        self._check_parameters()
        x, mask = _observed(X)
        seed = seeds.resolve(self.random_state)
        generators = [seeds.generator(seed, "restart", k) for k in range(self.n_restarts)]
        starts = hals.random_factors(x.shape, self.rank, float(np.linalg.norm(x)), generators)
        with progress.task(f"{self.n_restarts} starts of rank {self.rank}"):
            fit = hals.factorize(DenseOperand(x, mask), starts, max_iter=self.max_iter, tol=self.tol)
        final = np.nanmin(fit.error, axis=0)
        best = int(np.argmin(final))
        results = _labelled(X, [f[best] for f in fit.factors]).assign(
            history=("iteration", fit.error[:, best][~np.isnan(fit.error[:, best])], {"units": "1"}),
            relative_error=((), final[best], {"units": "1", "long_name": "squared residual / squared data"}),
            restart_error=("restart", final, {"units": "1"}),
            restart_similarity=("restart", _similarity(fit.factors, best), {"units": "1"}),
        )
        return self._finish(
            results,
            started=started,
            converged=bool(fit.converged[best]),
            n_iter=results.sizes["iteration"],
            random_state=seed,
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
            In the units of ``weight * factor``: its columns are not normalised.
        """
        results = self._fitted()
        sample, *others = results.attrs["dims"]
        X = _same_labels(X, results, sample, others)
        x, mask = _observed(X, samples_only=True)
        fixed = [results[f"{d}_factor"].to_numpy()[None] for d in others]
        start = [np.zeros((1, x.shape[0], fixed[0].shape[2])), *fixed]
        factor = hals.regress(DenseOperand(x, mask), start, max_iter=_INNER_ITER)
        coords = {n: c for n, c in X.coords.items() if set(c.dims) <= {sample}}
        return xr.DataArray(
            factor[0],
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
        residual = X - self.inverse_transform(self.transform(X))
        return 1.0 - float((residual**2).sum() / (X**2).sum())

    def _check_parameters(self) -> None:
        problems = Problems("cannot fit a nonnegative CP")
        for name in ("rank", "n_restarts", "max_iter"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                problems.add(f"{name} must be an integer of at least 1, got {value!r}")
        if not self.tol >= 0:
            problems.add(f"tol must be >= 0, got {self.tol!r}")
        problems.raise_if_any(InputError)


def _observed(X: xr.DataArray, *, samples_only: bool = False) -> tuple[Array, Array | None]:
    """Values with 0 for NaN, and the mask, of size 1 along dims where it does not vary."""
    if not isinstance(X, xr.DataArray):
        raise InputError(f"expected a DataArray, got {type(X).__name__}; name its dims first")
    problems = Problems("cannot factorise this tensor")
    if X.ndim < 2 or 0 in X.shape:
        problems.add(f"expected at least 2 dims, none empty, found {dict(X.sizes)}")
        problems.fail(InputError)
    x = np.ascontiguousarray(X.to_numpy(), dtype=np.float64)
    missing = np.isnan(x)
    if (negative := int((x < 0).sum())) > 0:
        problems.add(f"expected values >= 0, found {negative} negative ones; use a nonnegative affinity or split signs")
    if (infinite := int(np.isinf(x).sum())) > 0:
        problems.add(f"found {infinite} infinite values; NaN is the missing value")
    for axis, dim in enumerate(X.dims[:1] if samples_only else X.dims):
        if (empty := missing.all(tuple(k for k in range(x.ndim) if k != axis))).any():
            names = X[dim].to_numpy()[empty].tolist()
            problems.add(f"{len(names)} of {dim} have no observed entry: {listed(names)}; drop them")
    if not problems.found and not x[~missing].any():
        problems.add("every observed entry is 0; there is nothing to factorise")
    problems.raise_if_any(InputError)
    if not missing.any():
        return x, None
    mask = (~missing).astype(np.float64)
    for axis in range(x.ndim):
        first = mask.take([0], axis=axis)
        if (mask == first).all():
            mask = first
    return np.where(missing, 0.0, x), np.ascontiguousarray(mask)


def _labelled(X: xr.DataArray, factors: list[Array]) -> xr.Dataset:
    """Factors of norm 1 with the tensor's coordinates, components by weight."""
    norms = np.stack([np.linalg.norm(f, axis=0) for f in factors])
    weight = norms.prod(0)
    order = np.argsort(-weight, kind="stable")
    unit = [np.divide(f, n, out=np.zeros_like(f), where=n > 0)[:, order] for f, n in zip(factors, norms, strict=True)]
    coords = {n: c for n, c in X.coords.items() if len(c.dims) <= 1}
    units = X.attrs.get("units", "1")
    data: dict[str, Any] = {
        f"{d}_factor": ((d, "component"), f, {"units": "1"}) for d, f in zip(X.dims, unit, strict=True)
    }
    data["weight"] = ("component", weight[order], {"units": units})
    attrs = {"dims": [str(d) for d in X.dims], "tensor": str(X.name or "tensor")}
    return xr.Dataset(data, {**coords, "component": np.arange(weight.size)}, attrs)


def _similarity(factors: list[Array], best: int) -> Array:
    """How well each start found the components of the best one: the mean matched product of cosines."""
    reference = [f[best] for f in factors]
    return np.array(
        [
            align.match(align.cp_similarity(reference, [f[k] for f in factors])).similarity.mean()
            for k in range(len(factors[0]))
        ]
    )


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
