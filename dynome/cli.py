"""The command line: ``dynome demo``, ``info``, ``validate``, ``convert``, ``fetch``, ``datasets``.

Exit codes: 0 done, 1 an error that dynome explains, 2 a wrong call, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from dynome._version import __version__
from dynome.errors import DynomeError, InputError

INTERRUPTED = 130

app = typer.Typer(
    name="dynome",
    help="Connectomes and neural dynamics on one labelled data layer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> NoReturn:
    """Run the command line; errors that dynome explains are told in plain words, without a traceback."""
    try:
        returned = app(standalone_mode=False)
        code = returned if isinstance(returned, int) else 0
    except DynomeError as error:
        told = str(error).replace("pass overwrite=True", "pass --overwrite")
        typer.secho(f"error: {told}", fg="red", err=True)
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):  # a wrong call, which click words itself
            raise
        typer.secho(f"error: {error.format_message()}", fg="red", err=True)
        code = 2
    if code == INTERRUPTED:
        typer.secho("interrupted; nothing half-written is left", fg="yellow", err=True)
    sys.exit(code)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"dynome {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Connectomes and neural dynamics on one labelled data layer."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for report.html, atlas.html and results.zarr.")] = Path(
        "demo_results"
    ),
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Use simulated worms even where real ones can be had.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of everything that is random.")] = 0,
) -> None:
    """Analyse real worms (or simulated ones, and it says so) and write a page of figures."""
    from dynome import progress
    from dynome.pipelines import write_demo

    with progress.show():
        written = write_demo(out, simulated=simulated, random_state=seed)
    typer.echo(written.summary)
    typer.secho(f"report:  {written.report}", fg="green")
    typer.secho(f"atlas:   {written.atlas}   (interactive)", fg="green")
    typer.secho(f"results: {written.results}   (dynome.store.open reads it)", fg="green")


@app.command()
def info() -> None:
    """Show versions, optional parts, devices and where data are looked for."""
    from rich.console import Console
    from rich.table import Table

    from dynome.environment import environment_report

    table = Table(title=f"dynome {__version__}", show_header=False, title_justify="left")
    for name, value in environment_report().items():
        table.add_row(name, value)
    Console().print(table)


Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="An option of the reader, e.g. units=synapses or rate=3; repeatable."
    ),
]


def _options_of(settings: list[str] | None) -> dict[str, Any]:
    """Reader options from ``NAME=VALUE``; numbers and true/false are told by their looks, all else is text.

    A unit is always text, because "1" is the unit of what has none.
    """
    options: dict[str, Any] = {}
    for setting in settings or []:
        name, sign, value = setting.partition("=")
        if not sign or not name:
            raise InputError(f"expected --set NAME=VALUE, got {setting!r}")
        try:
            options[name] = value if name == "units" else json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def _clocks(obj: Any) -> dict[str, Any]:
    """The clock of each recording: a wrong unit of time shows in its rate and duration."""
    from dynome import schema, study

    if schema.kind_of(obj) == "recording":
        return {"recording": obj["time"].to_numpy()}
    if schema.kind_of(obj) == "study":
        return {path: rec["time"].to_numpy() for path, rec in study.sessions(obj).items()}
    return {}


@app.command()
def validate(
    path: Annotated[Path, typer.Argument(help="A dynome store, NWB file, edge list, Parquet, GraphML or BIDS folder.")],
    settings: Settings = None,
) -> None:
    """Check a file or store against the schema, values included, and say what is wrong."""
    from dynome import schema, store
    from dynome.datasets import read_any

    obj = read_any(path, **_options_of(settings))
    if path.suffix == ".zarr":
        store.verify(path)
    if hasattr(obj, "dims"):
        kind = schema.kind_of(obj)
        schema.validate(obj, kind, lazy=True)
        sizes = ", ".join(f"{n} {d}" for d, n in obj.sizes.items()) or f"{len(obj.children)} branches"
        typer.secho(f"valid {kind.replace('_', ' ')}: {sizes}", fg="green")
        for name, clock in _clocks(obj).items():
            span = float(clock[-1] - clock[0])
            typer.echo(f"  {name}: {clock.size} samples at {(clock.size - 1) / span:.3g} Hz, {span / 60:.3g} minutes")
    else:
        typer.secho(f"valid estimator: {obj}", fg="green")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="What to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="What to write; the suffix says the format.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
    settings: Settings = None,
) -> None:
    """Convert between Zarr, NWB, Parquet, CSV, GraphML and BIDS time series."""
    from dynome.datasets import convert as convert_file

    written = convert_file(source, target, overwrite=overwrite, **_options_of(settings))
    typer.secho(f"wrote {written}", fg="green")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A data set; `dynome datasets` lists them.")],
    out: Annotated[Path | None, typer.Option(help="Also keep it as a dynome store at this path.")] = None,
) -> None:
    """Obtain a data set: from DYNOME_DATA_DIR, the cache, or its address; always checked by checksum."""
    from dynome import datasets, progress, store

    with progress.show():
        data = datasets.fetch(name)
    typer.echo(data)
    if out is not None:
        typer.secho(f"wrote {store.save(data, out)}", fg="green")


@app.command("datasets")
def list_all() -> None:
    """List the data sets: carried, simulated and fetched; `dynome.datasets.dataset_info` tells all of one."""
    from rich.console import Console
    from rich.table import Table

    from dynome.datasets import list_datasets

    listing = list_datasets()[["name", "kind", "what", "shape", "offline"]]
    table = Table()
    for column in listing.columns:
        table.add_column(str(column), overflow="fold", no_wrap=column == "name")
    for row in listing.astype(str).itertuples(index=False):
        table.add_row(*row)
    Console().print(table)
