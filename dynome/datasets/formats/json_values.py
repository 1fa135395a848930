"""JSON: attributes that formats without a field for them keep in a text, and sidecar files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dynome.datasets.formats.files import reading
from dynome.errors import FormatError

_MAX_BYTES = 2**22


def plain(value: Any) -> Any:
    """A value that JSON knows: numpy scalars and arrays become Python numbers and lists.

    Examples
    --------
    >>> plain(np.int64(3)), plain(np.array([1.5, 2.0])), plain(("a", "b"))
    (3, [1.5, 2.0], ['a', 'b'])
    """
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(v) for v in (value.tolist() if isinstance(value, np.ndarray) else value)]
    return value.item() if isinstance(value, np.generic) else value


def plain_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes that JSON knows."""
    return {str(name): plain(value) for name, value in attrs.items()}


def json_object(path: Path) -> dict[str, Any]:
    """What a small JSON file holds.

    Raises
    ------
    FormatError
        If it is larger than any sidecar needs, no JSON, or no object.
    """
    with reading(path, "a JSON object") as found:
        if found.stat().st_size > _MAX_BYTES:
            raise FormatError(f"{found} has more than {_MAX_BYTES >> 20} MiB, which no sidecar needs")
        content = json.loads(found.read_text("utf-8"))
        if not isinstance(content, dict):
            raise FormatError(f"{found} must hold a JSON object, found {type(content).__name__}")
        return content
