"""Classes by name, so that a store can tell which estimator it holds without pickle.

Only classes that are already imported, or that lie in this package, are looked up: a store never makes a foreign
module run.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from importlib import import_module
from inspect import isabstract
from typing import Any, Self

import xarray as xr

from dynome.errors import StoreError


class Storable(ABC):
    """What `dynome.store.save` keeps besides xarray objects: a class that becomes a tree, and is made from one."""

    @abstractmethod
    def to_tree(self) -> xr.DataTree:
        """Everything that is to be kept."""

    @classmethod
    @abstractmethod
    def from_tree(cls, tree: xr.DataTree) -> Self:
        """Undo `to_tree`."""


def class_path(cls: type) -> str:
    """Where a class is found again, e.g. ``"dynome.dynamics.tensor.nonnegative_cp:NonnegativeCP"``.

    Parameters
    ----------
    cls : type
        A class at the top level of a module.

    Raises
    ------
    StoreError
        If it lies in a function or in another class and could not be found again.

    Examples
    --------
    >>> class_path(Storable)
    'dynome.store.classes:Storable'
    """
    if "." in cls.__qualname__:
        raise StoreError(f"{cls.__qualname__} cannot be stored by name; move the class to the top level of its module")
    return f"{cls.__module__}:{cls.__qualname__}"


def find(path: str, base: type) -> Any:
    """The class that `class_path` named.

    Parameters
    ----------
    path : str
        As `class_path` gives it.
    base : type
        What the class must derive from.

    Raises
    ------
    StoreError
        If there is no such class, or its module is foreign and not imported.
    """
    module, _, name = path.partition(":")
    if module not in sys.modules and module.split(".")[0] == "dynome":
        try:
            import_module(module)
        except (ImportError, ValueError) as error:
            raise StoreError(f"the store names {path!r}, which this dynome does not have: {error}") from error
    found = getattr(sys.modules.get(module), name, None)
    if not isinstance(found, type) or not issubclass(found, base) or isabstract(found):
        raise StoreError(f"the store names {path!r}, which is no estimator known here; import its module first")
    return found
