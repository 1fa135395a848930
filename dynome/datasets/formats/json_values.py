"""Attributes as JSON and back: what formats without a field for them keep in a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


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
