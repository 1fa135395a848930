"""Components of a factor model as labelled results: unit columns, weights, a canonical order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import align

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
