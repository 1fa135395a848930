"""What a result depends on, as a checksum: data of the session, parameters, function, version, seed."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from dynome._version import __version__
from dynome.errors import InputError, Problems, StoreError
from dynome.store.manifest import METADATA, by_group, read_manifest

TAIL = 16  # bytes at the end of a chunk, among them its own checksum


class StoredStudy:
    """Checksums of the groups of a stored study, from its metadata and the checksums of its chunks.

    Parameters
    ----------
    path : Path
        A dynome store that holds a study.

    Raises
    ------
    StoreError
        If it is missing, foreign or no study.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        manifest = read_manifest(path)
        if manifest.kind != "study":
            raise StoreError(f"{path} holds a {manifest.kind}, expected a study; save what dynome.study.build makes")
        self.groups = {
            group: [name for name, is_coord in names.items() if not is_coord]
            for group, names in manifest.groups.items()
        }
        self._files = by_group(manifest.groups, manifest.files)

    def checksum(self, group: str) -> str:
        """Checksum of a group and of those that it lies in; a damaged group has one of its own, by what is wrong."""
        digest = hashlib.sha256()
        while True:
            digest.update(self._own(group).encode())
            if group == "/":
                return digest.hexdigest()
            group = group.rpartition("/")[0] or "/"

    def _own(self, group: str) -> str:
        digest = hashlib.sha256()
        for name, size in self._files.get(group, {}).items():
            digest.update(f"\n{name} {size} ".encode())
            try:
                if not (self.path / name).is_file():  # a pipe would be waited for without end
                    raise FileNotFoundError(name)
                with (self.path / name).open("rb") as file:
                    if Path(name).name != METADATA:
                        file.seek(max(0, size - TAIL))
                    digest.update(file.read())
            except OSError as error:
                digest.update(f"unreadable: {type(error).__name__}".encode())
        return digest.hexdigest()


def changed_groups(path: Path, checksums: Mapping[str, str]) -> list[str]:
    """Groups of a stored study that are not, or no longer, what their checksums say.

    Parameters
    ----------
    path : Path
        The study; one that is gone has changed altogether.
    checksums : mapping
        Group to its checksum, as `StoredStudy.checksum` had it.
    """
    try:
        stored = StoredStudy(path)
    except StoreError:
        return list(checksums)
    return [group for group, was in checksums.items() if stored.checksum(group) != was]


def checksum_of_path(path: Path) -> str:
    """Checksum of what lies at a path: a dynome store, or a file."""
    if path.is_dir():
        return f"{read_manifest(path).sha256} {hashlib.sha256(_tails(path)).hexdigest()}"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _tails(folder: Path) -> bytes:
    found = []
    for name, size in read_manifest(folder).files.items():
        with (folder / name).open("rb") as file:
            file.seek(max(0, size - TAIL))
            found.append(f"\n{name} {size} ".encode() + file.read())
    return b"".join(found)


def plain_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as values that JSON holds; a path becomes a text.

    Parameters
    ----------
    parameters : mapping
        Numbers, texts, None, paths, and lists and mappings of these.

    Raises
    ------
    InputError
        With every parameter that is something else.
    """
    problems = Problems("parameters travel to the workers and are kept beside the results")
    plain = {str(name): _plain(value, str(name), problems) for name, value in parameters.items()}
    problems.raise_if_any(InputError)
    return plain


def _plain(value: Any, name: str, problems: Problems) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, float):
        return {"float": str(value)}
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, list | tuple):
        return [_plain(v, f"{name}[{k}]", problems) for k, v in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        return {k: _plain(v, f"{name}[{k!r}]", problems) for k, v in value.items()}
    problems.add(
        f"{name} must be a number, a text, None, a Path, or a list or mapping of these, found a "
        f"{type(value).__name__}; save it and pass its pathlib.Path"
    )
    return None


def checksum_of_parameters(parameters: Mapping[str, Any]) -> str:
    """Checksum of parameters; that of a `Path` is that of what lies there, so that its name does not matter.

    Raises
    ------
    InputError
        If a parameter is not plain, or nothing lies at a path.
    """
    return _digest(plain_parameters({name: _by_content(value, str(name)) for name, value in parameters.items()}))


def _by_content(value: Any, name: str) -> Any:
    if isinstance(value, Path):
        try:
            return f"content {checksum_of_path(value)}"
        except OSError as error:
            raise InputError(f"{name}: nothing can be read at {value}: {error}") from error
    if isinstance(value, list | tuple):
        return [_by_content(v, f"{name}[{k}]") for k, v in enumerate(value)]
    if isinstance(value, Mapping):
        return {k: _by_content(v, f"{name}[{k!r}]") for k, v in value.items()}
    return value


def function_name(func: Callable[..., Any]) -> str:
    """The full name of a function, for a reader."""
    while isinstance(func, functools.partial):
        func = func.func
    return f"{getattr(func, '__module__', '?')}.{getattr(func, '__qualname__', type(func).__name__)}"


def checksum_of_function(func: Callable[..., Any]) -> str:
    """Checksum of a function: its name and the version if it is dynome's, else also its text and what it closes over.

    Parameters
    ----------
    func : callable
        A function, a class, or a `functools.partial` of one with plain values.

    Raises
    ------
    InputError
        If it depends on values that cannot be told.
    """
    given: list[Any] = []
    while isinstance(func, functools.partial):
        if func.args:
            raise InputError("a partial function may give values by name only; use functools.partial(func, name=value)")
        given.append(checksum_of_parameters(func.keywords))
        func = func.func
    if not (inspect.isfunction(func) or inspect.isclass(func)):
        found = type(func).__name__
        raise InputError(f"func must be a function, found a {found}; write def func(recording): ... around it")
    name = function_name(func)
    if name.startswith("dynome."):
        return _digest([name, __version__, given])
    return _digest([name, __version__, _text(func), _closed_over(func), _plain_around(func), given])


def _text(func: Any) -> str:
    try:
        return inspect.getsource(func)
    except (OSError, TypeError):
        code = getattr(func, "__code__", None)
        return _code(code) if code is not None else ""


def _code(code: Any) -> str:
    constants = [_code(c) if hasattr(c, "co_code") else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {constants} {code.co_names}"


def _closed_over(func: Any) -> dict[str, Any]:
    """Values from the function around it, which its text does not tell."""
    if not inspect.isfunction(func):
        return {}
    found: dict[str, Any] = {}
    for name, value in inspect.getclosurevars(func).nonlocals.items():
        if inspect.isfunction(value) or inspect.isclass(value) or inspect.ismodule(value):
            found[name] = function_name(value) if not inspect.ismodule(value) else value.__name__
        else:
            found[name] = value
    try:
        return plain_parameters(found)
    except InputError as error:
        raise InputError(f"{function_name(func)} uses values of the function around it. {error}") from None


def _plain_around(func: Any) -> dict[str, Any]:
    """Plain values that its text names without telling them: defaults, and constants of its module."""
    if not inspect.isfunction(func):
        return {}
    values = {f"default {k}": v for k, v in enumerate(func.__defaults__ or ())} | (func.__kwdefaults__ or {})
    values |= {f"global {name}": func.__globals__[name] for name in _names(func.__code__) & {*func.__globals__}}
    found: dict[str, Any] = {}
    for name, value in values.items():
        with suppress(InputError):  # modules, functions, arrays: what they hold is not looked at
            found |= plain_parameters({name: value})
    return found


def _names(code: CodeType) -> set[str]:
    return {*code.co_names}.union(*(_names(c) for c in code.co_consts if isinstance(c, CodeType)))


def session_key(parts: Mapping[str, str | int]) -> str:
    """One checksum from those of the parts, and the version of dynome.

    Parameters
    ----------
    parts : mapping
        Checksums and the seed.

    Examples
    --------
    >>> session_key({"session": "ab", "seed": 1}) == session_key({"seed": 1, "session": "ab"})
    True
    """
    return _digest({**parts, "dynome": __version__})


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
