"""Components of a factor model as labelled results: unit columns, weights, a canonical order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import align
from dynome.dynamics.tensor.hals import CPFit
from dynome.dynamics.tensor.operands.choice import Tensor
from dynome.errors import InputError, Problems

Array = NDArray[np.float64]


def labelled_components(
    factors: Sequence[Array],
    dims: Sequence[str],
    coords: Mapping[Any, Any],
    *,
    units: str,
    name: str,
    labels: ArrayLike | None = None,
) -> xr.Dataset:
    """Factors as a Dataset.

    Parameters
    ----------
    factors : sequence of (n_row, rank)
        One array a dim; any scale.
    dims : sequence of str
        Names of the dims.
    coords : mapping
        Coordinates over at most one of the dims each.
    units, name : str
        Of the tensor.
    labels : (rank,) or None
        Labels of the components, which then keep their order; None sorts them by weight and numbers them.

    Returns
    -------
    Dataset
        ``{dim}_factor (dim, component)`` with columns of norm 1, and ``weight (component)`` in the unit of the tensor.
    """
    norms = np.stack([np.linalg.norm(f, axis=0) for f in factors])
    weight = norms.prod(0)
    order = np.argsort(-weight, kind="stable") if labels is None else np.arange(weight.size)
    unit = [np.divide(f, n, out=np.zeros_like(f), where=n > 0)[:, order] for f, n in zip(factors, norms, strict=True)]
    data: dict[str, Any] = {
        f"{d}_factor": ((d, "component"), f, {"units": "1"}) for d, f in zip(dims, unit, strict=True)
    }
    data["weight"] = ("component", weight[order], {"units": units})
    component = np.arange(weight.size) if labels is None else np.asarray(labels)
    return xr.Dataset(data, {**coords, "component": component}, {"dims": list(dims), "tensor": name})


def labelled_fit(fit: CPFit, tensor: Tensor, labels: ArrayLike | None, *, squared: bool) -> tuple[xr.Dataset, int]:
    """The best start of a fit as labelled results, and which it is.

    Parameters
    ----------
    fit : CPFit
        Of every start.
    tensor : Tensor
        What was fitted.
    labels : (rank,) or None
        As in `labelled_components`.
    squared : bool
        Whether the cost is the squared error.

    Returns
    -------
    Dataset
        As `NonnegativeCP` describes it.
    int
        Position of the best start.
    """
    best = int(np.nanmin(fit.objective, axis=0).argmin())
    results = labelled_components(
        [f[best] for f in fit.factors], tensor.dims, tensor.coords, units=tensor.units, name=tensor.name, labels=labels
    )
    history = fit.objective[:, best][~np.isnan(fit.objective[:, best])]
    final = fit.final_error()
    ratio = "squared residual / squared data" if squared else "divergence / divergence from the mean"
    results = results.assign(
        history=("iteration", history, {"units": "1", "long_name": "relative cost"}),
        relative_error=((), final[best], {"units": "1", "long_name": ratio}),
        restart_error=("restart", final, {"units": "1"}),
        restart_similarity=("restart", restart_similarity(fit.factors, best), {"units": "1"}),
    )
    if squared:
        norms = {"units": "1", "long_name": "residual norm / data norm"}
        results = results.assign(residual_ratio=((), np.sqrt(final[best]), norms))
    return results, best


def factors_of(results: xr.Dataset) -> list[Array]:
    """One array a dim, the weights in the first: the inverse of `labelled_components`."""
    first, *rest = [results[f"{d}_factor"].transpose(d, "component").to_numpy() for d in results.attrs["dims"]]
    return [first * results["weight"].to_numpy(), *rest]


def restart_similarity(factors: Sequence[Array], best: int) -> Array:
    """How well each start found the components of the best one: the mean matched product of cosines.

    Parameters
    ----------
    factors : sequence of (n_restart, n_row, rank)
        One array a dim.
    best : int
        The start to compare with.

    Returns
    -------
    (n_restart,)
    """
    reference = [f[best] for f in factors]
    return np.array(
        [
            align.match(align.cp_similarity(reference, [f[k] for f in factors])).similarity.mean()
            for k in range(len(factors[0]))
        ]
    )


def model_of(results: xr.Dataset, samples: xr.DataArray | None = None) -> xr.DataArray:
    """The tensor that the components describe.

    Parameters
    ----------
    results : Dataset
        As `labelled_components` makes it.
    samples : (sample, component) or None
        Loadings of samples in the unit of the tensor; None takes those of `results`.

    Returns
    -------
    DataArray
        Dims, name and unit of the tensor.
    """
    sample, *others = results.attrs["dims"]
    model = results["weight"] * results[f"{sample}_factor"] if samples is None else samples
    for dim in others:
        model = model * results[f"{dim}_factor"]
    model = model.sum("component").transpose(*results.attrs["dims"]).rename(results.attrs["tensor"])
    return model.assign_attrs(units=results["weight"].attrs["units"])


def with_fitted_labels(X: Any, results: xr.Dataset) -> Any:
    """New samples with the labels of the fitted tensor along all dims but the first, in its order.

    Raises
    ------
    InputError
        If dims or labels are missing.
    """
    sample, *others = results.attrs["dims"]
    problems = Problems("new samples do not fit the fitted tensor")
    if not isinstance(X, xr.DataArray | xr.Dataset):
        problems.add(f"expected a DataArray or what affinity() gives, got a {type(X).__name__}")
        problems.fail(InputError)
    if isinstance(X, xr.DataArray) and set(X.dims) != {sample, *others}:
        problems.add(f"expected dims {(sample, *others)}, found {X.dims}")
        problems.fail(InputError)
    for dim in (d for d in others if d in X.dims):
        if X.sizes[dim] != results.sizes[dim]:
            problems.add(f"{dim} has {X.sizes[dim]} labels, expected the {results.sizes[dim]} that were fitted")
        elif dim in X.coords and dim in results.coords:
            if not np.isin(results[dim], X[dim]).all():
                problems.add(f"{dim} lacks fitted labels; select the ones that were fitted")
            else:
                X = X.sel({dim: results[dim].to_numpy()})
    problems.raise_if_any(InputError)
    return X.transpose(sample, *others) if isinstance(X, xr.DataArray) else X
