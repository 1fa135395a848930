"""``dynome validate``, ``convert`` and ``fetch``: data in and out of files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from dynome.cli.application import app
from dynome.errors import InputError

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
