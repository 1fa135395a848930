"""Run every tutorial from top to bottom, as CI does.

    python tutorials/run.py [NAME ...] [--html FOLDER]

A tutorial is a Markdown notebook (jupytext, MyST); a cell that raises makes this script fail. With ``--html`` the
executed notebooks are also written as pages, figures included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="tutorials without suffix; all by default")
    parser.add_argument("--html", type=Path, help="folder for executed pages")
    options = parser.parse_args()
    for path in sorted(HERE.glob("[0-9]*.md")):
        if options.names and path.stem not in options.names:
            continue
        began = time.perf_counter()
        notebook = jupytext.read(path)
        with tempfile.TemporaryDirectory() as folder:
            resources = {"metadata": {"path": folder}}
            NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
        if options.html:
            from nbconvert import HTMLExporter

            options.html.mkdir(parents=True, exist_ok=True)
            (options.html / f"{path.stem}.html").write_text(HTMLExporter().from_notebook_node(notebook)[0])
        sys.stdout.write(f"{path.name}: ran in {time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    main()
