"""One doorway for posteriors: whatever PyMC and ArviZ return, on either side of ArviZ 1, becomes a DataTree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from dynome.errors import InputError, listed
from dynome.extras import require
from dynome.schema import CHAIN, DRAW

ARVIZ_GROUPS = (
    "posterior", "posterior_predictive", "predictions", "log_likelihood", "log_prior", "sample_stats", "observed_data",
    "constant_data", "predictions_constant_data", "prior", "prior_predictive", "sample_stats_prior",
)  # fmt: skip


def to_datatree(obj: object) -> xr.DataTree:
    """A posterior as a DataTree.

    Parameters
    ----------
    obj : DataTree, InferenceData, Dataset or dict
        What ``pm.sample`` returns (PyMC 6 and 5); a Dataset with the dims ``chain`` and ``draw``, which becomes the
        group ``posterior``; a dict of such groups, or of variables of the posterior. Variables are DataArrays or arrays
        ``(chain, draw, ...)``; in ``observed_data`` and ``constant_data`` there are no chains and draws.

    Returns
    -------
    DataTree
        A group each. A DataTree is returned as it is.

    Raises
    ------
    InputError
        If `obj` is something else.

    Examples
    --------
    >>> tree = to_datatree({"rate": np.zeros((4, 100, 3))})
    >>> dict(tree["posterior"].sizes)
    {'chain': 4, 'draw': 100, 'rate_dim_0': 3}
    """
    if isinstance(obj, xr.DataTree):
        return obj
    if isinstance(obj, xr.Dataset):
        return xr.DataTree.from_dict({"/posterior": obj})
    if isinstance(obj, Mapping):
        return _from_mapping(obj)
    given: Any = obj
    if type(given).__name__ == "InferenceData" and callable(getattr(given, "groups", None)):
        tree = xr.DataTree.from_dict({f"/{name}": given[name] for name in given.groups()})
        tree.attrs.update(given.attrs)
        return tree
    raise InputError(
        f"expected a DataTree, an InferenceData, a Dataset or a dict of draws, got a {type(obj).__name__}; pass what "
        "pm.sample returns"
    )


def to_arviz(tree: xr.DataTree) -> Any:
    """What functions of the installed ArviZ take: an InferenceData before ArviZ 1, a DataTree from then on.

    Parameters
    ----------
    tree : DataTree
        As `to_datatree` or a Bayesian estimator gives it.

    Returns
    -------
    InferenceData or DataTree
        Groups that ArviZ knows; the others stay behind.

    Raises
    ------
    InputError
        If there is no such group.
    MissingExtraError
        If ArviZ is not installed.

    Examples
    --------
    >>> len(to_arviz(to_datatree({"rate": np.zeros((4, 100))}))["posterior"].data_vars)
    1
    """
    arviz: Any = require("arviz", extra="bayes")
    groups = {name: tree[name].to_dataset() for name in ARVIZ_GROUPS if name in tree.children}
    if not groups:
        found = listed(tree.children) or "none"
        raise InputError(f"expected groups such as posterior and sample_stats, found {found}")
    if int(str(arviz.__version__).split(".")[0]) < 1:
        return arviz.InferenceData(attrs=dict(tree.attrs), **groups)
    return xr.DataTree.from_dict({f"/{name}": dataset for name, dataset in groups.items()})


def _from_mapping(given: Mapping[Any, Any]) -> xr.DataTree:
    nested = all(isinstance(v, Mapping | xr.Dataset) for v in given.values())
    groups: Mapping[Any, Any] = given if nested and given else {"posterior": given}
    return xr.DataTree.from_dict({f"/{name}": _dataset(str(name), group) for name, group in groups.items()})


def _dataset(group: str, variables: Mapping[Any, Any] | xr.Dataset) -> xr.Dataset:
    if isinstance(variables, xr.Dataset):
        return variables
    sample = () if group in ("observed_data", "constant_data", "predictions_constant_data") else (CHAIN, DRAW)
    found: dict[str, Any] = {}
    for name, values in variables.items():
        if isinstance(values, xr.DataArray):
            found[str(name)] = values
            continue
        array = np.asarray(values)
        if array.ndim < len(sample) or array.dtype.kind not in "biufUT":
            raise InputError(
                f"{group}: {name} must be an array of numbers or strings with the dims {', '.join(sample)} first, "
                f"found shape {array.shape} of {array.dtype}"
            )
        rest = [f"{name}_dim_{k}" for k in range(array.ndim - len(sample))]
        found[str(name)] = ((*sample, *rest), array)
    dataset = xr.Dataset(found)
    missing = {d: np.arange(dataset.sizes[d]) for d in sample if d in dataset.dims and d not in dataset.coords}
    return dataset.assign_coords(missing)
