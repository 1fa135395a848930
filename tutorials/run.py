"""Run every tutorial from top to bottom, as CI does.

    python tutorials/run.py [NAME ...]

A tutorial is a Markdown notebook (jupytext, MyST); a cell that raises makes this script fail. Each runs in an empty
folder of its own. To see them with their figures, build the documentation (`make docs`), which runs them too.
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="tutorials without suffix; all by default")
    names = parser.parse_args().names
    known = {path.stem: path for path in sorted(HERE.glob("[0-9]*.md"))}
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no tutorial is called {', '.join(unknown)}; there are {', '.join(known)}")
    for path in [known[name] for name in names or known]:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(
                jupytext.read(path),
                timeout=600,
                kernel_name="python3",
                resources={"metadata": {"path": folder}},
                extra_arguments=["--log-level=ERROR"],
            ).execute()
        sys.stdout.write(f"{path.name}: ran in {time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    main()
