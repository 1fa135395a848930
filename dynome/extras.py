"""Optional dependencies, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from dynome.errors import MissingExtraError


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional dependency or say how to install it.

    Parameters
    ----------
    module : str
        Import name, e.g. ``"torch_geometric"``.
    extra : str
        The extra of dynome that brings it, e.g. ``"torch"``.

    Raises
    ------
    MissingExtraError
        If the module is not installed. A failure *inside* an installed module is not hidden.

    Examples
    --------
    >>> require("math", extra="torch").sqrt(4)
    2.0
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{module} is needed here and is not installed; install it with: pip install 'dynome[{extra}]'"
        ) from error
