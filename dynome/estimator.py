"""Estimators: scikit-learn manners on labelled data.

A method subclasses `Estimator`: ``__init__`` stores its parameters, ``fit`` validates, runs a kernel on arrays, labels
the result and hands it to ``self._finish``. ``results_`` holds everything fitted, and nothing else is kept. Parameters
and results are saved as Zarr plus JSON.

How to add one: subclass at the top level of a module, set ``missing_data``, list it in ``tests/test_conformance.py``.
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, clone

from dynome import store
from dynome._version import __version__
from dynome.errors import InputError, NotFittedError, StoreError
from dynome.store.classes import Storable, class_path, find
from dynome.store.numpy_files import check_shape
from dynome.store.variables import as_dataset

Results = xr.Dataset | xr.DataTree
Arrays = dict[str, xr.DataArray | xr.Dataset | xr.DataTree]
MissingData = Literal["mask", "drop", "raise"]

_PARAMS, _RESULTS, _VALUES = "dynome_params", "results", "params"


class Estimator(BaseEstimator, Storable):  # type: ignore[misc]
    """Base of every estimator.

    Attributes
    ----------
    missing_data : {"mask", "drop", "raise"}
        What `fit` does with NaN.
    results_ : Dataset or DataTree
        Everything fitted. Its attrs hold ``estimator``, the name of the class, and
        ``converged n_iter seconds device dtype random_state dynome_version``.
    """

    missing_data: ClassVar[MissingData]
    results_: Any

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write parameters and results atomically; `load` reads them.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        StoreError
            If `path` exists or a parameter cannot be stored.
        """
        return store.save(self, path, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        StoreError
            If the store is damaged or holds something else.
        """
        loaded = store.open(path)
        if not isinstance(loaded, cls):
            raise StoreError(f"{path} holds {type(loaded).__name__}, expected {cls.__name__}")
        return loaded

    def to_tree(self) -> xr.DataTree:
        """Parameters and results as one tree, as `save` writes it."""
        results = self._fitted()
        arrays: Arrays = {}
        params = {k: _encode(v, k, arrays) for k, v in self.get_params(deep=False).items()}
        tree = xr.DataTree(xr.Dataset(attrs={_PARAMS: json.dumps(params)}))
        tree[_RESULTS] = _marked(results)
        for name, value in arrays.items():
            part = _wrap(value) if isinstance(value, xr.DataArray) else value
            tree[f"{_VALUES}/{name}"] = part if isinstance(part, xr.DataTree) else xr.DataTree(part)
        return tree

    @classmethod
    def from_tree(cls, tree: xr.DataTree) -> Self:
        """Rebuild what `to_tree` took apart.

        Parameters
        ----------
        tree : DataTree
            Parameters and results.

        Raises
        ------
        StoreError
            If the tree holds no estimator or its parameters do not fit this class.
        """
        try:
            params, results = json.loads(tree.attrs[_PARAMS]), tree.children[_RESULTS]
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise StoreError(f"this is no {cls.__name__}; its parameters or results cannot be read: {error}") from error
        estimator: Self = _build(cls, params, tree)
        estimator.results_ = _loaded(results)
        return estimator

    def _fitted(self) -> Any:
        if not hasattr(self, "results_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted; call .fit(data) first")
        return self.results_

    def _finish(
        self,
        results: Results,
        *,
        started: float,
        converged: bool,
        n_iter: int,
        random_state: int,
        device: str = "cpu",
        dtype: str = "float64",
    ) -> Self:
        """Stamp the results and keep them; `started` is ``time.perf_counter()`` at the start of `fit`."""
        results.attrs.update(
            estimator=type(self).__name__,
            converged=int(converged),
            n_iter=int(n_iter),
            seconds=round(time.perf_counter() - started, 6),
            device=device,
            dtype=str(dtype),
            random_state=random_state,
            dynome_version=__version__,
        )
        self.results_ = results
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "results_")

    def __sklearn_clone__(self) -> Self:
        """An unfitted copy; a parameter that is a fitted estimator, such as a pretrained encoder, stays fitted."""
        return type(self)(**{name: _kept(value) for name, value in self.get_params(deep=False).items()})


def no_target(y: object) -> None:
    """Refuse what an unsupervised fit would ignore, such as weights in the place of `y`.

    Parameters
    ----------
    y : None
        What `fit` was given as its target.

    Raises
    ------
    InputError
        If `y` is not None.
    """
    if y is not None:
        raise InputError(
            "this estimator has no target; y must be None (where a fit takes weights, pass them by name: weights=...)"
        )


def _kept(value: Any) -> Any:
    """A copy of a parameter; results are never changed in place, so that copies may share them."""
    fitted = isinstance(value, Estimator) and hasattr(value, "results_")
    return copy.copy(value) if fitted else clone(value, safe=False)


def _marked(results: Results) -> xr.DataTree:
    """Results as a tree that says what they were."""
    tree = results.copy() if isinstance(results, xr.DataTree) else xr.DataTree(results)
    tree.attrs[_RESULTS] = type(results).__name__
    return tree


def _loaded(results: xr.DataTree) -> Results:
    alone = results.copy()
    alone.orphan()
    alone.name = None
    check_shape((sum(part.nbytes for part in alone.subtree),), 1, "the results")
    alone.load()
    return alone.to_dataset() if alone.attrs.pop(_RESULTS, None) == xr.Dataset.__name__ else alone


def _build(cls: Any, params: dict[str, Any], tree: xr.DataTree) -> Any:
    try:
        return cls(**{k: _decode(v, tree) for k, v in params.items()})
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"the stored parameters do not fit {cls.__name__}: {error}") from error


def _encode(value: Any, name: str, arrays: Arrays) -> Any:
    """JSON for one parameter; arrays, and the results of an estimator, go into `arrays` and leave a reference."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, slice):
        return {"slice": [_encode(v, name, arrays) for v in (value.start, value.stop, value.step)]}
    if isinstance(value, list | tuple):
        items = [_encode(v, f"{name}_{k}", arrays) for k, v in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: _encode(v, f"{name}_{k}", arrays) for k, v in value.items()}}
    key = f"array{len(arrays)}"
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        arrays[key] = xr.DataArray(value)
        return {"array": key}
    if isinstance(value, xr.DataArray | xr.Dataset):
        arrays[key] = value
        return {"dataarray" if isinstance(value, xr.DataArray) else "dataset": key}
    if isinstance(value, BaseEstimator):
        params = {k: _encode(v, f"{name}_{k}", arrays) for k, v in value.get_params(deep=False).items()}
        told = {"object": class_path(type(value)), "params": params}
        if isinstance(value, Estimator) and hasattr(value, "results_"):
            key = f"array{len(arrays)}"
            arrays[key] = _marked(value.results_)
            told["results"] = key
        return told
    raise StoreError(f"parameter {name} is a {type(value).__name__} and cannot be stored; use plain values or arrays")


def _decode(value: Any, tree: xr.DataTree) -> Any:
    if not isinstance(value, dict):
        return value
    if "object" in value:
        found = find(value["object"], BaseEstimator)
        if value["params"].get("memory") is not None and not issubclass(found, Estimator):
            raise StoreError(f"{value['object']} would cache with pickle in {value['params']['memory']!r}; not loaded")
        built = _build(found, value["params"], tree)
        if "results" in value and isinstance(built, Estimator):
            built.results_ = _loaded(cast("xr.DataTree", tree[f"{_VALUES}/{value['results']}"]))
        return built
    (form, content), *_ = value.items()
    if form in ("array", "dataarray", "dataset"):
        data = tree[f"{_VALUES}/{content}"].to_dataset().load()
        if form == "dataset":
            return data
        (array,) = data.data_vars.values()
        return array.to_numpy() if form == "array" else array.rename(data.attrs.get("name") or None)
    plain: Any = (
        {k: _decode(v, tree) for k, v in content.items()} if form == "dict" else [_decode(v, tree) for v in content]
    )
    builders: dict[str, Callable[[Any], Any]] = {
        "tuple": tuple,
        "range": lambda v: range(*v),
        "slice": lambda v: slice(*v),
    }
    return builders.get(form, lambda v: v)(plain)


def _wrap(array: xr.DataArray) -> xr.Dataset:
    return as_dataset(array).assign_attrs(name="" if array.name is None else str(array.name))
