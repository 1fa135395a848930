"""Parameters of methods in a TOML file: read with every problem told at once, and written with the defaults.

Signatures and docstrings of the functions in `METHODS` are the single source of names, types, defaults and comments.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import textwrap
import tomllib
import types
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from dynome.batch.tasks import GIVEN
from dynome.errors import FormatError, InputError, Problems, StoreError, listed
from dynome.pipelines.methods import METHODS

ANALYSIS = "analysis"
MOST_BYTES, MOST_IN_A_LINE = 2**16, 10_000  # a parser of TOML takes the square of the length of a dotted key

_MODEL = "model"  # made by the analysis itself
_SHARED: dict[str, tuple[Any, Any, str]] = {
    "random_state": (int, 0, "Seed of everything that is random."),
    "threads": (int, 1, "Threads of the numerical libraries within one session."),
    "memory": (int | str, "", 'What one session may need, such as "2GB" (or bytes); "" is no limit.'),
    "retries": (int, 1, "How often a session is tried again after its worker died."),
}
_LEAST = {"random_state": 0, "threads": 1, "retries": 0}
_WIDTH = 100


def parameters_of(source: Mapping[str, Any] | str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Parameters by method, checked.

    Parameters
    ----------
    source : mapping or path
        Method (as in `METHODS`, or ``"analysis"`` for what holds for all: ``random_state``, ``threads``, ``memory``,
        ``retries``) to names and values; or a TOML file with a table for each. At most 64 KiB, lines of 10,000
        characters.

    Returns
    -------
    dict
        Of the same form, with what was given and nothing else.

    Raises
    ------
    InputError
        With every unknown table and name (and what was probably meant) and every value of a wrong type.
    FormatError
        If the file is no TOML, or too large.
    StoreError
        If there is no such file, or it cannot be read.

    Examples
    --------
    >>> parameters_of({"dynamic-connectome": {"rank": 2}})
    {'dynamic-connectome': {'rank': 2}}
    >>> parameters_of({"switching-glm": {"n_state": 3}})
    Traceback (most recent call last):
    dynome.errors.InputError: parameters cannot be used:
      - switching-glm has no parameter 'n_state'; did you mean 'n_states'?
    """
    told = source if isinstance(source, Mapping) else _read(Path(source))
    problems = Problems("parameters cannot be used")
    for table, values in told.items():
        if table not in METHODS and table != ANALYSIS:
            problems.add(f"there is no method {table!r}; {_meant(str(table), [*METHODS, ANALYSIS])}")
        elif not isinstance(values, Mapping):
            problems.add(f"{table} must be a table of names and values, found {values!r}")
        else:
            _check(str(table), values, problems)
    problems.raise_if_any(InputError)
    return {str(table): _plain(values) for table, values in told.items()}


def write_parameters(path: str | os.PathLike[str]) -> Path:
    """Write a TOML file with every parameter of every method, its default and what it means.

    Parameters
    ----------
    path : path
        A file that does not exist.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StoreError
        If the file exists or cannot be written.
    """
    lines = ["# Parameters of `dynome analyze`. What is absent or commented out has its default.", ""]
    lines += [f"[{ANALYSIS}]"]
    for name, (_, default, about) in _SHARED.items():
        lines += [*_comment(about), f"{name} = {_literal(default)}"]
    for method in METHODS.values():
        lines += ["", *_comment(method.about), f"[{method.name}]"]
        told, before = _described(method.function), ""
        for name, (_, default) in known_parameters(method.function).items():
            about = told.get(name, "")
            lines += [*(_comment(about) if about != before else []), f"{name} = {_literal(default)}"]
            before = about
    target = Path(path)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except FileExistsError:
        raise StoreError(f"{target} exists; choose another name or remove it") from None
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error}") from error
    return target


def known_parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Type and default of every parameter that a user may set.

    Parameters
    ----------
    function : callable
        Of a `Method`.
    """
    hints = get_type_hints(function)
    return {
        name: (hints[name], parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in (*GIVEN, _MODEL)
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise StoreError(f"cannot read the parameters {path}: {error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise FormatError(f"{path} is larger than {MOST_BYTES // 1024} KiB, which no file of parameters is")
    if any(len(line) > MOST_IN_A_LINE for line in content.split(b"\n")):
        raise FormatError(f"{path} has a line of more than {MOST_IN_A_LINE} characters; break lists into lines")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        told = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FormatError(f"{path} is not valid TOML: {told}") from error


def _check(table: str, values: Mapping[str, Any], problems: Problems) -> None:
    if table == ANALYSIS:
        known = {name: hint for name, (hint, _, _) in _SHARED.items()}
    else:
        known = {name: hint for name, (hint, _) in known_parameters(METHODS[table].function).items()}
    for name, value in values.items():
        if name not in known:
            problems.add(f"{table} has no parameter {name!r}; {_meant(str(name), list(known))}")
        elif not _fits(value, known[name]):
            problems.add(f"{name} of {table} must be {_told(known[name])}, got {_short(value)}")
        elif table == ANALYSIS and name in _LEAST and value < _LEAST[name]:
            problems.add(f"{name} of {table} must be at least {_LEAST[name]}, got {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple:
        return isinstance(value, list | tuple) and all(_fits(item, inner[0]) for item in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _told(hint: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_told(option) for option in inner)
    if origin is Literal:
        return listed(inner, len(inner)) if len(inner) == 1 else f"one of {listed(inner, len(inner))}"
    if origin is tuple:
        return {str: "a list of strings", int: "a list of whole numbers"}.get(inner[0], "a list of numbers")
    return {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}[hint]


def _meant(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {listed(known, len(known))}"


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 60 else f"{told[:60]}..."


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Lists for tuples, and no limit of memory where it is empty."""
    plain = {str(name): list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return {name: value for name, value in plain.items() if (name, value) != ("memory", "")}


def _literal(value: Any) -> str:
    """A plain value as TOML."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _described(function: Callable[..., Any]) -> dict[str, str]:
    """What the docstring says of each parameter."""
    section = (inspect.getdoc(function) or "").partition("Parameters\n----------\n")[2].partition("\nReturns\n")[0]
    told: dict[str, str] = {}
    for head, body in re.findall(r"^(\w[\w, ]*?)(?: : .*)?\n((?:    .*\n?)*)", section, re.MULTILINE):
        text = " ".join(body.split()).replace("``", "").replace("`", "")
        told |= dict.fromkeys(head.split(", "), text)
    return told
