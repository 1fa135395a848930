"""``dynome demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dynome.cli.application import app


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
