"""``dynome analyze``: named methods over all sessions of a study."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from dynome.cli.application import app
from dynome.errors import BatchError, InputError

if TYPE_CHECKING:
    import xarray as xr

    from dynome.pipelines.analysis_results import Analysis

SESSIONS_FAILED = 3


@app.command()
def analyze(
    study: Annotated[
        Path | None,
        typer.Argument(metavar="STUDY", help="A stored study, or what `dynome validate` reads as one."),
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="A method; repeatable. Without it: all that apply.", metavar="NAME")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results.zarr"),
    workers: Annotated[int, typer.Option(min=1, help="Worker processes: sessions at once.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A dask scheduler, such as tcp://host:8786, to compute on.")
    ] = None,
    parameters: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Parameters of the methods.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.NAME=VALUE", help="One parameter; repeatable, counts before the file."),
    ] = None,
    session: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help='Only these, such as "animal3/*"; repeatable.')
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Compute what is missing, failed or changed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; compute nothing.")] = False,
    time_first: Annotated[
        bool, typer.Option("--time-first", help="With --dry-run: compute one session by each method to estimate.")
    ] = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write a page of figures.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is random; recorded in any case.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="What a session may need, such as 2GB.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of a session.  [1]", show_default=False)] = None,
    retries: Annotated[
        int | None, typer.Option(help="How often a failed session is tried again.  [1]", show_default=False)
    ] = None,
    write_parameters: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Write a file of all parameters with their defaults, and end."),
    ] = None,
) -> None:
    """Analyse every session of a study by several methods; what is done already is not done again."""
    from dynome import pipelines, progress

    if write_parameters is not None:
        typer.secho(f"wrote {pipelines.write_parameters(write_parameters)}", fg="green")
        return
    if study is None:
        raise typer.BadParameter("expected a study", param_hint="STUDY")
    if report is not None and not report.absolute().parent.is_dir():
        raise InputError(f"there is no folder {report.absolute().parent} for the report; make it first")
    asked: dict[str, Any] = {"parameters": _parameters(parameters, settings), "only": session, "random_state": seed}
    if dry_run:
        with progress.show():
            lines = _planned(study, out, method, asked, time_first, workers)
        typer.echo("\n".join(lines))
        return
    with ExitStack() as stack:
        stack.enter_context(progress.show())
        where = stack.enter_context(_client(scheduler, workers))
        done = pipelines.run_analysis(
            _readable(study, out, resume=resume), method, out=out, resume=resume,
            threads=threads, memory=memory, retries=retries, **asked, **where,
        )  # fmt: skip
        if report is not None:
            written = pipelines.write_analysis_report(done, report)
    _tell(done)
    if report is not None:
        typer.secho(f"report:  {written}", fg="green")
    if done.failed or done.broken:
        raise typer.Exit(SESSIONS_FAILED)


def _parameters(path: Path | None, settings: list[str] | None) -> dict[str, dict[str, Any]] | None:
    """Parameters of a file, and those given one by one."""
    from dynome.pipelines import parameters_of

    if path is None and not settings:
        return None
    told = parameters_of(path) if path is not None else {}
    given: dict[str, dict[str, Any]] = {}
    for setting in settings or []:
        name, sign, value = setting.partition("=")
        method, dot, parameter = name.partition(".")
        if not (sign and dot and method and parameter):
            raise InputError(f"expected --set METHOD.NAME=VALUE, got {setting!r}")
        given.setdefault(method, {})[parameter] = _value(value)
    checked = parameters_of(given)
    return {name: {**told.get(name, {}), **checked.get(name, {})} for name in dict.fromkeys([*told, *checked])}


def _value(text: str) -> Any:
    """Numbers, true and false, and lists by their looks; all else is text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _readable(study: Path, out: Path, *, resume: bool) -> Path | xr.DataTree:
    """A stored study by its path; another layout is read, unless an earlier run stored it in its output."""
    from dynome import store
    from dynome.batch.plans import STUDY
    from dynome.store.manifest import METADATA

    if (study / METADATA).is_file() and store.read_manifest(study).kind == "study":
        return study
    if resume and (out / STUDY).is_dir():
        return out / STUDY
    return _read(study)


def _read(path: Path) -> xr.DataTree:
    """Any layout as a study: one recording is a study of one animal."""
    import xarray as xr

    from dynome import schema
    from dynome import study as studies
    from dynome.datasets import read_any

    found: Any = read_any(path)
    kind = schema.kind_of(found) if isinstance(found, xr.Dataset | xr.DataTree) else type(found).__name__
    if kind == "recording":
        return studies.build({path.name.partition(".")[0]: found})
    if kind != "study":
        raise InputError(f"{path} holds a {kind}, expected a study; build one with dynome.study.build and save it")
    return cast("xr.DataTree", found)


def _planned(
    study: Path, out: Path, methods: list[str] | None, asked: dict[str, Any], time_first: bool, workers: int
) -> list[str]:
    """The plan in words; what is no store is stored for as long as it takes to plan."""
    from dynome import pipelines, store
    from dynome.pipelines.analysis_estimates import plan_lines, timed

    readable = _readable(study, out, resume=True)
    with tempfile.TemporaryDirectory() as folder:
        path = readable if isinstance(readable, Path) else store.save(readable, Path(folder) / "study.zarr")
        plan = pipelines.plan_analysis(path, methods, out=out, **asked)
        return plan_lines(timed(plan) if time_first else plan, workers)


@contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[dict[str, Any]]:
    """Where to compute."""
    if scheduler is None:
        yield {"client": "processes", "n_workers": workers} if workers > 1 else {}
        return
    import distributed

    start: Any = distributed
    try:
        client = start.Client(scheduler, timeout="15s")
    except (OSError, ValueError, TimeoutError) as error:
        raise BatchError(f"no dask scheduler answers at {scheduler}: {error}") from error
    with client:
        yield {"client": client}


def _tell(done: Analysis) -> None:
    """What was done, and every session that failed, with its message."""
    for name, results in done.results.items():
        failed = f", {len(results.failed)} failed" if results.failed else ""
        typer.echo(f"{name}: {len(results)} done{failed}")
    for name, reason in done.broken.items():
        typer.secho(f"{name}: could not begin: {reason}", fg="red", err=True)
    for name, records in done.failed.items():
        for session, record in records.items():
            message = shorten(record.error["message"].replace("\n  - ", " "), 300, placeholder=" ...")
            typer.secho(f"failed: {name}: {session}: {record.error['type']}: {message}", fg="red", err=True)
    typer.secho(f"results: {done.path}   (dynome.pipelines.open_analysis reads it)", fg="green")
