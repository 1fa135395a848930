"""Texts behind an object: the docstrings of its methods, the papers of its data."""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import xarray as xr

from dynome import store
from dynome.batch.plans import BATCH
from dynome.batch.results import BatchResults, open_results
from dynome.datasets.registry import entries
from dynome.errors import InputError
from dynome.estimator import Estimator

_areas = ("connectome", "dynamics", "inference", "datasets", "pipelines")
_backticked = re.compile(r"`~?(?:[a-z_]+\.)*([A-Za-z_]\w*)`")


def texts_behind(obj: Any) -> Iterator[str]:
    """Texts that name the papers behind an object.

    Parameters
    ----------
    obj : estimator, class, function, Dataset, DataArray, DataTree, batch results, Analysis, path or str
        As `dynome.cite` takes it.

    Yields
    ------
    str
        Docstrings of methods, DOIs of the registry of data sets, attributes of data.

    Raises
    ------
    InputError
        If nothing can be known about such an object.
    """
    if isinstance(obj, str | os.PathLike):
        yield from _by_name(os.fspath(obj))
    elif isinstance(obj, BatchResults):
        yield from _of_batch(obj)
    elif isinstance(obj, import_module("dynome.pipelines").Analysis):
        for results in obj.results.values():
            yield from _of_batch(results)
    elif isinstance(obj, Estimator):
        yield from _documented(type(obj))
        for value in obj.get_params(deep=False).values():
            if isinstance(value, Estimator):
                yield from texts_behind(value)
        if hasattr(obj, "results_"):
            yield from texts_behind(obj.results_)
    elif isinstance(obj, xr.DataTree):
        for node in obj.subtree:
            yield from _attributes(node.to_dataset(inherit=False))
    elif isinstance(obj, xr.Dataset | xr.DataArray):
        yield from _attributes(obj)
    elif isinstance(obj, functools.partial):
        yield from texts_behind(obj.func)
    elif callable(obj):
        yield from _documented(obj)
    else:
        raise InputError(
            "cite takes estimators, functions, data sets and results (xarray objects, batches, analyses, or "
            f"their paths); got {type(obj).__name__}"
        )


def public_object(name: str) -> Any:
    """A public function or class of an area by its name, or None.

    Parameters
    ----------
    name : str
        e.g. ``"SwitchingGLM"``.

    Examples
    --------
    >>> public_object("affinity").__module__
    'dynome.dynamics.affinities.description'
    """
    for area in (import_module(f"dynome.{area}") for area in _areas):
        found = getattr(area, name) if name in area.__all__ else None
        if inspect.isclass(found) or inspect.isfunction(found):
            return found
    return None


def _by_name(name: str) -> Iterator[str]:
    """A data set, a public name, or what lies at a path."""
    if name in entries():
        yield from _documented(public_object(entries()[name].function))
    elif (found := public_object(name)) is not None:
        yield from _documented(found)
    elif Path(name).exists():
        batches = sorted(file.parent for file in [Path(name, BATCH), *Path(name).glob(f"*/{BATCH}")] if file.is_file())
        for obj in [open_results(folder) for folder in batches] or [store.open(name)]:
            yield from texts_behind(obj)
    else:
        raise InputError(
            f"{name!r} is no data set of list_datasets(), no public name of dynome and no path that exists; "
            "pass one of these, or the object itself"
        )


def _of_batch(results: BatchResults) -> Iterator[str]:
    """The function of a batch, its study, and one of its results: they are alike."""
    module, _, name = results.function.replace(":", ".").rpartition(".")
    if module.startswith("dynome.") and (found := public_object(name)) is not None:
        yield from _documented(found)
    if Path(results.provenance["study"]).exists():
        yield from texts_behind(store.open(results.provenance["study"]))
    for session in list(results)[:1]:
        yield from texts_behind(results[session])


def _documented(obj: Any, *, follow: bool = True) -> Iterator[str]:
    """Docstrings of a function or class and of its module; of what a pipeline joins as well."""
    own = inspect.getdoc(obj) or ""
    home = str(getattr(obj, "__module__", ""))
    yield own
    if not home.startswith("dynome."):
        return
    yield inspect.getdoc(sys.modules[home]) or ""
    yield from (" ".join(info.paper) for info in entries().values() if info.function == obj.__name__)
    if follow and home.startswith("dynome.pipelines."):
        methods = import_module("dynome.pipelines.methods").METHODS.values()
        yield from (" ".join(method.references) for method in methods if method.function is obj)
        for name in sorted(set(_backticked.findall(own))):
            if (found := public_object(name)) is not None:
                yield from _documented(found, follow=False)


def _attributes(data: xr.Dataset | xr.DataArray) -> Iterator[str]:
    """Texts among the attributes of data and of their variables; what they say of method and data set."""
    parts = [data, *(data.variables.values() if isinstance(data, xr.Dataset) else data.coords.values())]
    for attrs in (part.attrs for part in parts):
        for key, value in attrs.items():
            texts = [value] if isinstance(value, str) else [v for v in _items(value) if isinstance(v, str)]
            yield from texts
            if key in ("estimator", "name"):
                yield from (text for name in texts for text in _told(name))


def _told(name: str) -> Iterator[str]:
    """What an attribute names: the estimator that made a result, the data set that it is, the function that made it."""
    if name in entries():
        yield " ".join(entries()[name].paper)
    elif (found := public_object(name.partition("(")[0])) is not None:  # such as make_connectome(sbm)
        yield from _documented(found)


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
