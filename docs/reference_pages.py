"""The reference: one page an area, made from the lists of public names, so that it cannot go stale.

The list of an area is its ``__init__.pyi``; a module without one is public as far as its names have no underscore.
Functions and classes are grouped by the file or folder that they come from, under the first paragraph of its docstring.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

AREAS = ("connectome", "dynamics", "inference", "datasets", "viz", "pipelines")
FLOORS = (
    *("schema", "study", "store", "batch", "report"),
    *("estimator", "align", "testing", "errors", "units", "seeds", "progress", "device"),
)
FUNCTIONS = ("cite",)


def write_reference(folder: Path) -> None:
    """Write ``index.md`` and a page for each area; a page that would not change keeps its date."""
    folder.mkdir(exist_ok=True)
    modules = {name: import_module(f"dynome.{name}") for name in (*AREAS, *FLOORS)}
    pages = {f"{name}.md": area_page(module) for name, module in modules.items()}
    pages["index.md"] = _index(modules)
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def area_page(module: ModuleType) -> str:
    """One page: a heading, then the public names of each file or folder of the area."""
    groups: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    for name in _public_names(module):
        home = _home(getattr(module, name))
        if home is None:
            values[name] = getattr(module, name)
        else:
            groups.setdefault(_part(home, module), []).append(name)
    parts = [f"# {module.__name__}\n\n{_opening(module)}"]
    for part, names in sorted(groups.items()):
        if part != module.__name__:
            parts.append(f"## {part.removeprefix(module.__name__ + '.').replace('_', ' ')}")
            parts.append(_opening(import_module(part)))
        parts.append(_summary(module, names))
    if values:
        rows = "\n".join(f"| `{name}` | `{_shown(value)}` |" for name, value in values.items())
        parts.append(f"## constants and types\n\n| name | value |\n|---|---|\n{rows}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _public_names(module: ModuleType) -> list[str]:
    if hasattr(module, "__path__"):
        return list(module.__all__)
    return [n for n, obj in vars(module).items() if not n.startswith("_") and _home(obj) == module.__name__]


def _home(obj: object) -> str | None:
    """The module of a function or class of dynome; None for anything else."""
    if inspect.isfunction(obj) or inspect.isclass(obj):
        return obj.__module__ if obj.__module__.startswith("dynome") else None
    return None


def _part(home: str, module: ModuleType) -> str:
    """The file or folder of an area that a module belongs to."""
    depth = module.__name__.count(".") + 2
    return ".".join(home.split(".")[:depth])


def _opening(module: ModuleType) -> str:
    """The first paragraph of the docstring."""
    return " ".join((inspect.getdoc(module) or "").split("\n\n")[0].split()).replace("``", "`")


def _summary(module: ModuleType, names: list[str]) -> str:
    head = f".. currentmodule:: {module.__name__}\n\n.. autosummary::\n   :toctree: api\n   :nosignatures:\n\n"
    return "```{eval-rst}\n" + head + "\n".join(f"   {name}" for name in names) + "\n```"


def _shown(value: object) -> str:
    return str(value).replace("typing.", "").replace("|", "\\|")


def _index(modules: dict[str, ModuleType]) -> str:
    def table(names: tuple[str, ...]) -> str:
        rows = "\n".join(f"| [`dynome.{n}`]({n}.md) | {_opening(modules[n])} |" for n in names)
        return f"| module | what it holds |\n|---|---|\n{rows}"

    return (
        "# Reference\n\nEvery public name. `import dynome as dy` loads a module when it is first touched.\n\n"
        f"## Areas\n\n{table(AREAS)}\n\n## What the areas share\n\n{table(FLOORS)}\n\n"
        f"## Functions\n\n{_summary(import_module('dynome'), [*FUNCTIONS])}\n\n"
        "```{toctree}\n:hidden:\n\n" + "\n".join((*AREAS, *FLOORS)) + "\n```\n"
    )
