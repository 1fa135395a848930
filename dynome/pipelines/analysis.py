"""`run_analysis`: several methods on all sessions of a study, and what is common to animals."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from dynome import batch, interrupts, progress
from dynome.batch.limits import bytes_of
from dynome.batch.locks import LOCK, exclusive
from dynome.batch.plans import STUDY, stored_path
from dynome.batch.remnants import is_remnant, remove_remnants
from dynome.batch.schedulers import local_cluster
from dynome.errors import BatchError, InputError
from dynome.pipelines import group_results, shared_models
from dynome.pipelines.analysis_plan import AnalysisPlan, MethodPlan, planned
from dynome.pipelines.analysis_results import Analysis, open_analysis
from dynome.pipelines.analysis_settings import MODEL, Parameters, Settings, settings_of
from dynome.pipelines.methods import METHODS
from dynome.pipelines.provenance import FILE, begun, now, read_provenance, write_provenance

Study = str | os.PathLike[str] | xr.DataTree


def run_analysis(
    study: Study,
    methods: Sequence[str] | str | None = None,
    *,
    out: str | os.PathLike[str],
    parameters: Parameters | None = None,
    client: Any = None,
    n_workers: int | None = None,
    resume: bool = False,
    only: Sequence[str] | str | None = None,
    on_error: Literal["raise", "record"] = "record",
    threads: int | None = None,
    memory: int | str | None = None,
    retries: int | None = None,
    random_state: int | None = None,
) -> Analysis:
    """Analyse all sessions of a study by several methods; what is done already is not done again.

    Parameters
    ----------
    study : path or DataTree
        A stored study. One in memory is saved to ``out/study.zarr``.
    methods : str, list of str or None
        Names from `METHODS`, such as ``"dynamic-connectome"``; None is all that apply, or those of the earlier run.
    out : path
        A folder that is new or empty, or, with `resume`, that of an earlier run. Its parent exists.
    parameters : mapping, path or None
        Method to names and values, or a TOML file of them; `parameters_of` says what it may hold. Defaults are those of
        the functions.
    client : None, "synchronous", "threads", "processes" or distributed.Client
        Where to compute, as in `dynome.batch.map_sessions`.
    n_workers : int or None
        Threads or processes where `client` is "threads" or "processes".
    resume : bool
        Go on with an earlier run: its methods, parameters and seed hold where none are given, and only what is missing,
        failed or changed is computed.
    only : str, list of str or None
        Sessions, or patterns of their names.
    on_error : {"record", "raise"}
        Whether a session that fails is kept with its message, or ends the analysis.
    threads, retries : int or None
        Of a session; 1 if nowhere given.
    memory : int, str or None
        What one session may need, such as ``"2GB"``.
    random_state : int or None
        Seed of everything that is random; None takes that of the earlier run, or draws one.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If a method, parameter or session is unknown, a method that was asked for applies to no session, or there are
        results in `out` and `resume` is False.
    BatchError
        If the output cannot be written or is in use, or the scheduler is gone; what is finished stays.
    SessionError
        If a session fails and `on_error` is "raise".
    StoreError
        If the study cannot be read.

    Examples
    --------
    >>> import tempfile, dynome as dy
    >>> folder = tempfile.TemporaryDirectory()
    >>> study = dy.datasets.make_dynamic_communities(n_animals=2, n_nodes=12, n_communities=2, n_times=200)
    >>> quick = {"dynamic-connectome": {"rank": 2, "n_null": 20, "n_permutations": 20}}
    >>> done = run_analysis(study, "dynamic-connectome", out=folder.name + "/results.zarr", parameters=quick)
    >>> done.results["dynamic-connectome"]["animal_1"].sizes["component"], done.failed
    (2, {})
    >>> folder.cleanup()
    """
    folder = made_folder(out, resume=resume)
    with exclusive(folder):
        remove_remnants(folder, folder / group_results.FOLDER, folder / shared_models.FOLDER)
        settings = settings_of(
            folder, methods=methods, parameters=parameters, only=only,
            threads=threads, memory=memory, retries=retries, random_state=random_state,
        )  # fmt: skip
        path = stored_path(study, folder)
        with progress.task("looking at the sessions"):
            plan = planned(path, folder, settings)
        _run(plan, settings, folder, client=client, n_workers=n_workers, on_error=on_error)
    return open_analysis(folder)


def made_folder(out: str | os.PathLike[str], *, resume: bool) -> Path:
    """The output of an analysis, made if it is not there.

    Parameters
    ----------
    out : path
        The folder.
    resume : bool
        Whether it may hold results.

    Raises
    ------
    InputError
        If it holds results and `resume` is False.
    BatchError
        If it cannot be made, or holds something else.
    """
    folder = Path(out).absolute()
    if folder.is_file():
        raise BatchError(f"{folder} is a file; choose another out, such as results.zarr")
    try:
        folder.mkdir(exist_ok=True)
        there = {path.name for path in folder.iterdir() if not is_remnant(path)} - {LOCK}
    except OSError as error:
        raise BatchError(f"cannot write to {folder}: {error}; make its parent, or choose another out") from error
    if there & {FILE, STUDY} and not resume:
        raise InputError(f"{folder} holds an analysis; pass resume=True to go on with it, or choose another out")
    if there and not there & {FILE, STUDY}:
        raise BatchError(f"{folder} holds other files; choose an out that is empty or does not exist")
    return folder


def _run(
    plan: AnalysisPlan, settings: Settings, folder: Path, *, client: Any, n_workers: int | None, on_error: str
) -> None:
    began, former = time.perf_counter(), _former(folder)
    told = begun(plan.study, settings.plain())
    told["methods"] = {**former, **{name: former.get(name, {}) for name in plan.methods}}
    write_provenance(told, folder)
    with _workers(client, n_workers, settings.memory) as where:
        for number, (name, own) in enumerate(plan.methods.items(), 1):
            interrupts.check()
            with progress.task(f"{name} ({number} of {len(plan.methods)})"):
                told["methods"][name] = _one_method(
                    name, own, plan, settings, folder, former.get(name, {}), on_error, **where
                )
            told["seconds"] = round(time.perf_counter() - began, 3)
            write_provenance(told, folder)
    told["finished"] = now()
    write_provenance({**told, "left_out": plan.left_out}, folder)


def _former(folder: Path) -> dict[str, Any]:
    return dict(read_provenance(folder)["methods"]) if (folder / FILE).is_file() else {}


@contextmanager
def _workers(client: Any, n_workers: int | None, memory: int | str | None) -> Iterator[dict[str, Any]]:
    """One set of worker processes for all methods: to start them takes longer than many a session."""
    if client == "processes":
        with local_cluster(n_workers or os.cpu_count() or 1, bytes_of(memory)) as own:
            yield {"client": own}
    else:
        yield {"client": client, "n_workers": n_workers}


def _one_method(
    name: str, own: MethodPlan, plan: AnalysisPlan, settings: Settings, folder: Path, former: dict[str, Any],
    on_error: Any, **where: Any,
) -> dict[str, Any]:  # fmt: skip
    """Compute a method, and tell what became of it."""
    method, began, parameters = METHODS[name], time.perf_counter(), dict(own.parameters)
    about = {
        "about": method.about, "references": list(method.references), "parameters": own.parameters,
        "left_out": own.left_out, "started": now(),
    }  # fmt: skip
    try:
        model = shared_models.made_model(method, plan.study, folder, own.parameters, plan.random_state)
    except BatchError:
        raise
    except Exception as error:
        interrupts.check()
        if on_error == "raise":
            raise
        return {**about, "error": f"{type(error).__name__}: {error}"}
    if model is not None:
        parameters[MODEL] = model
    results = batch.map_sessions(
        method.function, plan.study, out=folder / name, parameters=parameters, only=list(own.sessions),
        on_error=on_error, retries=settings.retries, threads=settings.threads, memory=settings.memory,
        random_state=plan.random_state, **where,
    )  # fmt: skip
    group = group_results.matched(method, results, folder, former=former.get("group"), random_state=plan.random_state)
    return {
        **about, "done": len(results), "failed": {s: r.error["message"] for s, r in results.failed.items()},
        "computed": own.to_compute, "seconds": round(time.perf_counter() - began, 3), "group": group,
    }  # fmt: skip
