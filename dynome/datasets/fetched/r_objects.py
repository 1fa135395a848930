"""Read what R's ``saveRDS`` wrote: lists, numbers and strings, nothing that could run.

The format is the XDR serialisation of R, versions 2 and 3 (R Internals, section 1.8): every item begins with a
word of flags whose lowest byte is its type. Functions, environments and other types are refused.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.errors import FormatError

_nil, _reference, _symbol, _pairs, _string = 254, 255, 1, 2, 9
_logical, _integer, _real, _strings, _list = 10, 13, 14, 16, 19
_numbers = {_logical: ">i4", _integer: ">i4", _real: ">f8"}
_deepest = 100


def r_value(content: bytes) -> Any:
    """The value in an RDS file, gzip'ed or not.

    Parameters
    ----------
    content : bytes
        The whole file.

    Returns
    -------
    Any
        A named list as ``dict``, a list as ``list``, numbers as an array in the shape of their ``dim``, strings as
        ``list`` of str, NULL as None. A missing integer stays R's -2147483648, a missing string is None.

    Raises
    ------
    FormatError
        If it is not an RDS file, is cut short, or holds anything but lists, numbers and strings.
    """
    try:
        plain = zlib.decompress(content, wbits=31) if content[:2] == b"\x1f\x8b" else content
        if plain[:2] != b"X\n":
            raise FormatError("expected an RDS file in binary XDR form")
        return _Reader(plain).value()
    except (struct.error, zlib.error, ValueError, IndexError, TypeError, AttributeError, OverflowError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"the RDS file is cut short or damaged ({error})") from error


class _Reader:
    """A place in the bytes, and the symbols met so far (later items refer to them)."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self.place = 2
        self.symbols: list[str] = []
        version = self.integer()
        self.place += 8  # versions of the R that wrote it and of the oldest that reads it
        if version == 3:
            self.text()  # name of the native encoding
        elif version != 2:
            raise FormatError(f"expected version 2 or 3 of the RDS format, got {version}")

    def integer(self) -> int:
        self.place += 4
        return int(struct.unpack_from(">i", self.plain, self.place - 4)[0])

    def text(self) -> str | None:
        n = self.integer()
        if n == -1:
            return None
        found = self.plain[self.place : self.place + n]
        if len(found) != n:
            raise FormatError("the RDS file is cut short")
        self.place += n
        return found.decode("utf-8", "replace")

    def array(self, dtype: str) -> NDArray[Any]:
        n, width = self.integer(), np.dtype(dtype).itemsize
        if n < 0:
            raise FormatError(f"the RDS file claims an array of {n} values; it is damaged")
        found = np.frombuffer(self.plain, dtype, count=n, offset=self.place) if n else np.zeros(0, dtype)
        self.place += n * width
        return found.astype(found.dtype.newbyteorder("="))

    def value(self, depth: int = 0) -> Any:
        flags = self.integer()
        kind, has_attributes = flags & 0xFF, bool(flags & 0x200)
        if depth > _deepest:
            raise FormatError("the R object is nested too deeply")
        if kind == _nil:
            return None
        if kind == _symbol:
            self.symbols.append(self.value(depth + 1))
            return self.symbols[-1]
        if kind == _reference:
            return self.symbols[(flags >> 8) - 1]
        if kind == _string:
            return self.text()
        if kind == _pairs:
            return self.attributes(flags, depth)
        if kind in _numbers:
            found: Any = self.array(_numbers[kind])
        elif kind in (_strings, _list):
            found = [self.value(depth + 1) for _ in range(self.integer())]
        else:
            raise FormatError(f"R objects of type {kind} are not read; only lists, numbers and strings are")
        attributes = self.value(depth + 1) if has_attributes else {}
        return _shaped(found, attributes)

    def attributes(self, flags: int, depth: int) -> dict[str, Any]:
        """A pair list (tag, value, rest) as a dictionary."""
        found = {}
        while flags & 0xFF == _pairs:
            if flags & 0x200:
                self.value(depth + 1)
            tag = self.value(depth + 1) if flags & 0x400 else ""
            found[tag] = self.value(depth + 1)
            flags = self.integer()
        if flags & 0xFF != _nil:
            raise FormatError("a pair list in the RDS file does not end")
        return found


def _shaped(found: Any, attributes: dict[str, Any]) -> Any:
    if isinstance(found, np.ndarray) and attributes.get("dim") is not None:
        return found.reshape(attributes["dim"], order="F")
    if isinstance(found, list) and attributes.get("names"):
        return dict(zip(attributes["names"], found, strict=True))
    return found
