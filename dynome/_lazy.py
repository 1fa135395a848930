"""Lazy attributes: a package lists its public names in `__init__.pyi` and loads a module when a name is touched.

The stub is the single list: type checkers read it, and `attach_stub` reads it at run time (the pattern of
Scientific Python's SPEC 1). It is written here, in thirty lines, because the kernels must import on machines
that have little more than numpy, xarray and torch.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def attach_stub(package: str, init_file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Make `__getattr__`, `__dir__` and `__all__` of a package from its `__init__.pyi`.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    init_file : str
        ``__file__`` of the package; the stub lies beside it.

    Returns
    -------
    tuple
        ``(__getattr__, __dir__, __all__)``.
    """
    home: dict[str, tuple[str, str]] = {}
    for line in ast.parse(Path(init_file).with_suffix(".pyi").read_text(encoding="utf-8")).body:
        if isinstance(line, ast.ImportFrom):
            for name in line.names:
                module = f"{line.module}.{name.name}" if line.module == package else str(line.module)
                home[name.asname or name.name] = module, name.name
    public = sorted(home)

    def load(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        path, original = home[name]
        module = import_module(path)
        return module if path == f"{package}.{original}" else getattr(module, original)

    def names() -> list[str]:
        return public

    return load, names, public
