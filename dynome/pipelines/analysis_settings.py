"""What an analysis was asked to do: from arguments, from a file of parameters, from an earlier run, or by default."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from dynome import seeds
from dynome.batch.content import plain_parameters
from dynome.batch.limits import bytes_of
from dynome.errors import InputError, Problems, listed
from dynome.pipelines.methods import METHODS, Method
from dynome.pipelines.parameter_files import ANALYSIS, known_parameters, parameters_of
from dynome.pipelines.provenance import FILE, read_provenance

MODEL = "model"  # the parameter that gets what `Method.prepare` made

Parameters = Mapping[str, Any] | str | os.PathLike[str]


class Settings(NamedTuple):
    """What an analysis was asked to do.

    Attributes
    ----------
    methods : list of str or None
        Names; None is all that apply.
    parameters : dict
        Method to what was given for it, without defaults.
    only : list of str or None
        Sessions, or patterns of their names; None is all.
    random_state : int
        Seed.
    threads, retries : int
        Of a session.
    memory : int, str or None
        Of a session.
    """

    methods: list[str] | None
    parameters: dict[str, dict[str, Any]]
    only: list[str] | None
    random_state: int
    threads: int
    memory: int | str | None
    retries: int

    def plain(self) -> dict[str, Any]:
        """As JSON holds them."""
        return plain_parameters(self._asdict())


def settings_of(
    folder: Path,
    *,
    methods: Sequence[str] | str | None = None,
    parameters: Parameters | None = None,
    only: Sequence[str] | str | None = None,
    **given: Any,
) -> Settings:
    """Put together what was asked for: what is given counts most, then the file, an earlier run, and defaults.

    Parameters
    ----------
    folder : Path
        The output, which may have results of an earlier run.
    methods, only : str, list of str or None
        As `Settings` has them.
    parameters : mapping, path or None
        Method to parameters, or a TOML file of them. They count before those of an earlier run, name by name.
    **given : int, str or None
        ``random_state``, ``threads``, ``memory``, ``retries``; None is not given.

    Raises
    ------
    InputError
        If a method or a parameter is unknown, or no session can be computed so.
    StoreError
        If what an earlier run left is damaged.
    """
    former: dict[str, Any] = read_provenance(folder)["settings"] if (folder / FILE).is_file() else {}
    named = checked_methods(methods) or checked_methods(former.get("methods"))
    told = parameters_of(parameters) if parameters is not None else {}
    shared = {**former, **told.pop(ANALYSIS, {}), **{name: value for name, value in given.items() if value is not None}}
    _check(shared)
    patterns = [only] if isinstance(only, str) else only
    return Settings(
        methods=named,
        parameters=_merged(former.get("parameters", {}), told),
        only=list(patterns) if patterns else former.get("only"),
        random_state=seeds.resolve(shared.get("random_state")),
        threads=shared.get("threads", 1),
        memory=shared.get("memory"),
        retries=shared.get("retries", 1),
    )


def _check(shared: Mapping[str, Any]) -> None:
    """Refuse what no session could be computed with, all at once, before anything is written."""
    problems = Problems("the settings of the analysis cannot be used")
    for name, least in (("threads", 1), ("retries", 0)):
        value = shared.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            problems.add(f"{name} must be a whole number, at least {least}, got {value!r}")
    try:
        bytes_of(shared.get("memory"))
    except InputError as error:
        problems.add(str(error))
    problems.raise_if_any(InputError)


def _merged(former: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {**former.get(name, {}), **told.get(name, {})} for name in dict.fromkeys([*former, *told])}


def checked_methods(names: Sequence[str] | str | None) -> list[str] | None:
    """Names of methods, each once; None where there are none.

    Parameters
    ----------
    names : str, list of str or None
        As a user wrote them.

    Raises
    ------
    InputError
        If one is unknown.
    """
    wanted = [names] if isinstance(names, str) else list(names or [])
    for name in wanted:
        if name not in METHODS:
            near = get_close_matches(str(name), list(METHODS), 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {listed(METHODS, 9)}"
            raise InputError(f"no method is called {name!r}; {hint}")
    return list(dict.fromkeys(wanted)) or None


def full_parameters(method: Method, given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a method: what was given, and defaults.

    Parameters
    ----------
    method : Method
        One of `METHODS`.
    given : mapping
        Name to value.
    """
    return {**{name: default for name, (_, default) in known_parameters(method.function).items()}, **given}
