"""What an analysis will do: which methods on which sessions, what is done already, how long the rest will take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import xarray as xr

from dynome import batch, schema, store
from dynome import study as studies
from dynome.batch.content import StoredStudy
from dynome.batch.plans import chosen_sessions, session_names
from dynome.errors import DynomeError, InputError, listed
from dynome.pipelines.analysis_estimates import estimate
from dynome.pipelines.analysis_settings import MODEL, Parameters, Settings, full_parameters, settings_of
from dynome.pipelines.methods import METHODS, Method
from dynome.pipelines.shared_models import fitting_model


class MethodPlan(NamedTuple):
    """What one method will do.

    Attributes
    ----------
    parameters : dict
        All of them, defaults too.
    sessions : dict
        Session to its state: "done", "failed", "changed" (computed from other data, parameters or version) or
        "missing". All but the first are computed.
    left_out : dict
        Session to the reason why the method does not apply.
    model : Path or None
        What the method learnt from the whole study already, where it does so.
    seconds, bytes : float
        What computing one session takes, NaN where nobody knows.
    basis : str
        What that is taken from.
    """

    parameters: dict[str, Any]
    sessions: dict[str, str]
    left_out: dict[str, str]
    model: Path | None
    seconds: float
    bytes: float
    basis: str

    @property
    def to_compute(self) -> list[str]:
        """Sessions that are not done."""
        return [session for session, state in self.sessions.items() if state != "done"]


class AnalysisPlan(NamedTuple):
    """What an analysis will do.

    Attributes
    ----------
    study : Path
        The stored study.
    random_state : int
        Seed.
    methods : dict
        Plan of each method that applies to a session.
    left_out : dict
        Method that applies to no session, to the reason.
    """

    study: Path
    random_state: int
    methods: dict[str, MethodPlan]
    left_out: dict[str, str]

    @property
    def table(self) -> pd.DataFrame:
        """Session by method: a state, or why the method does not apply."""
        columns = {name: {**plan.sessions, **plan.left_out} for name, plan in self.methods.items()}
        names = list(dict.fromkeys(session for column in columns.values() for session in column))
        frame = pd.DataFrame(columns, index=pd.Index(names, name="session"))
        return frame.fillna("")


def plan_analysis(
    study: str | os.PathLike[str],
    methods: Sequence[str] | str | None = None,
    *,
    out: str | os.PathLike[str],
    parameters: Parameters | None = None,
    only: Sequence[str] | str | None = None,
    random_state: int | None = None,
) -> AnalysisPlan:
    """What `run_analysis` would do with the same arguments; nothing is computed or written.

    Parameters
    ----------
    study : path
        A stored study.
    methods, out, parameters, only, random_state
        As in `run_analysis`.

    Returns
    -------
    AnalysisPlan
        Sessions and methods with their states, and what a session took where some were computed.

    Raises
    ------
    InputError, StoreError
        As `run_analysis`.
    """
    folder = Path(out).absolute()
    settings = settings_of(folder, methods=methods, parameters=parameters, only=only, random_state=random_state)
    return planned(Path(study).absolute(), folder, settings)


def planned(study: Path, folder: Path, settings: Settings) -> AnalysisPlan:
    """Look which methods apply to which sessions, and what there is already; nothing is computed or written.

    Parameters
    ----------
    study : Path
        A stored study.
    folder : Path
        The output, which need not exist.
    settings : Settings
        What was asked for.

    Raises
    ------
    InputError
        If no session is called so, or a method that was asked for applies to none.
    StoreError
        If the study cannot be read.
    """
    sessions = chosen_sessions(session_names(StoredStudy(study)), settings.only)
    wanted = [METHODS[name] for name in settings.methods or METHODS]
    reasons = _reasons(study, sessions, wanted)
    plans, left_out = {}, {}
    for method in wanted:
        outside = {s: why for s in sessions if (why := reasons[s][method.name])}
        inside = [s for s in sessions if s not in outside]
        if inside:
            plans[method.name] = _method_plan(method, study, folder, settings, inside, outside)
            continue
        left_out[method.name] = "; ".join(f"{listed(who, 3)} {why}" for why, who in _by_reason(outside).items())
    if settings.methods and left_out:
        told = "\n".join(f"  - {name}: {why}" for name, why in left_out.items())
        raise InputError(f"these methods apply to no session, leave them out:\n{told}")
    if not plans:
        raise InputError("no method applies to this study:\n" + "\n".join(f"  - {n}: {w}" for n, w in left_out.items()))
    return AnalysisPlan(study, settings.random_state, plans, left_out)


def _by_reason(outside: dict[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for session, why in outside.items():
        found.setdefault(why, []).append(session)
    return found


def _reasons(study: Path, sessions: list[str], methods: list[Method]) -> dict[str, dict[str, str]]:
    """Why each method cannot take each session; "" where it can. A damaged one is left to fail and tell."""
    connectome = connectome_of(study)
    found = {}
    for session in sessions:
        try:
            recording = studies.sessions(store.open_groups(study, [f"/{session}"]))[session]
            found[session] = {m.name: m.applies(recording, connectome) for m in methods}
        except DynomeError:
            found[session] = dict.fromkeys([m.name for m in methods], "")
    return found


def connectome_of(study: Path) -> xr.Dataset | None:
    """The connectome of a stored study, lazily; None where there is none."""
    if f"/{schema.CONNECTOME}" not in store.read_manifest(study).groups:
        return None
    tree = store.open_groups(study, [f"/{schema.CONNECTOME}"])
    return tree.children[schema.CONNECTOME].to_dataset(inherit=False)


def _method_plan(
    method: Method, study: Path, folder: Path, settings: Settings, inside: list[str], outside: dict[str, str]
) -> MethodPlan:
    parameters = full_parameters(method, settings.parameters.get(method.name, {}))
    own = folder / method.name
    model = None
    if method.prepare is not None:
        model = fitting_model(method, study, folder, parameters, settings.random_state)
        if model is None:
            return MethodPlan(parameters, dict.fromkeys(inside, "missing"), outside, None, *estimate(own))
    given = parameters if model is None else {**parameters, MODEL: model}
    plan = batch.plan_sessions(
        method.function, study, out=own, parameters=given, only=inside, random_state=settings.random_state
    )
    return MethodPlan(parameters, dict(plan.sessions), outside, model, *estimate(own))
