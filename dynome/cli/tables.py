"""``dynome info`` and ``dynome datasets``: what is installed, and what data can be had."""

from __future__ import annotations

from dynome._version import __version__
from dynome.cli.application import app


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
