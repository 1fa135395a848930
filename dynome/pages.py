"""HTML pages: one file that opens anywhere, in which every text is escaped, written whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

from dynome.errors import StoreError


def rendered(template: str, **parts: Any) -> str:
    """A page from one of the package's templates; what is not marked as safe is escaped.

    Parameters
    ----------
    template : str
        File name among the templates.
    **parts
        What the template names; a missing one is an error.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("dynome", "_templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return env.get_template(template).render(**parts)


def destination(path: str | os.PathLike[str]) -> Path:
    """The absolute path of a page that can be written there.

    Raises
    ------
    StoreError
        If its folder does not exist, or it is a folder itself.
    """
    final = Path(path).absolute()
    if not final.parent.is_dir():
        raise StoreError(f"the folder {final.parent} does not exist; make it first")
    if final.is_dir():
        raise StoreError(f"{final} is a folder; give the name of a file, e.g. {final / 'report.html'}")
    return final


def write_page(page: str, final: Path) -> None:
    """Write beside the final name and rename, so that a crash leaves no half of a page.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    partial = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, final)
    except OSError as error:
        raise StoreError(f"cannot write {final}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
