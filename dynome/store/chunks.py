"""What an array of a store and its chunks may be, so that no file makes Zarr spend memory for nothing.

A chunk of a few kilobytes can say, or unpack to, any number of bytes, and Zarr's codecs believe it. So arrays are only
those that `dynome.store.save` writes (plain numbers or text; zstd; CRC-32C), every chunk is there, and the frame of
each chunk says exactly the bytes that the array has for it, which is looked at before it is unpacked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from dynome.errors import StoreError, listed

MAX_CHUNK_BYTES = 256 * 2**20  # `save` makes chunks of at most 64 MiB
MAX_TEXT_BYTES = 2 * 2**30  # of the text of one chunk, as UTF-8 with its lengths
WIDTH = "dynome_string_width"

_NUMBERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
            "float64", "complex64", "complex128")  # fmt: skip
_CODECS = {"bytes": ["bytes", "zstd", "crc32c"], "string": ["vlen-utf8", "zstd", "crc32c"]}
_GRID = {"name": "default", "configuration": {"separator": "/"}}
_MAX_DIMS = 32
_TEXT_RATIO = 1000  # labels of a table are distinct and cannot be packed more tightly
_CHUNK = re.compile(r"(?P<array>.*)/c(?P<place>(?:/(?:0|[1-9][0-9]{0,17}))*)", re.DOTALL)
_FRAME = b"\x28\xb5\x2f\xfd"
_HEAD = 18  # bytes of the longest header of a zstd frame


class Layout(NamedTuple):
    """How an array lies in its chunks.

    Attributes
    ----------
    grid : tuple of int
        Number of chunks along each dim.
    items : int
        Values in a chunk.
    itemsize : int
        Bytes of a value; 0 for text.
    width : int or None
        Most characters of a value, where the array says so.
    """

    grid: tuple[int, ...]
    items: int
    itemsize: int
    width: int | None


def layout_of(node: dict[str, Any]) -> Layout:
    """How an array lies in its chunks, if it is one that `save` writes.

    Parameters
    ----------
    node : dict
        Metadata of the array.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is not, with the reason.
    """
    kind = node["data_type"]
    if kind not in (*_NUMBERS, "string"):
        raise ValueError(f"data type {kind!r:.80} is none of numbers, bool and string")
    if (found := [codec["name"] for codec in node["codecs"]]) != _CODECS["string" if kind == "string" else "bytes"]:
        raise ValueError(f"codecs {listed(found)} are not those of dynome")
    if (
        node["chunk_key_encoding"] != _GRID
        or node.get("storage_transformers")
        or node["chunk_grid"]["name"] != "regular"
    ):
        raise ValueError("the chunks are not named as dynome names them")
    shape, chunks = node["shape"], node["chunk_grid"]["configuration"]["chunk_shape"]
    if len(shape) != len(chunks) or len(shape) > _MAX_DIMS:
        raise ValueError(f"{len(shape)} dims in chunks of {len(chunks)} dims")
    if not all(type(n) is int and n >= 0 for n in shape) or not all(type(n) is int and n > 0 for n in chunks):
        raise ValueError(f"shape {shape!r:.80} in chunks of {chunks!r:.80}")
    itemsize = 0 if kind == "string" else np.dtype(kind).itemsize
    items = math.prod(chunks)
    if items * (itemsize or 16) > MAX_CHUNK_BYTES:
        raise ValueError(f"a chunk of {chunks!r:.80} values claims more than {MAX_CHUNK_BYTES >> 20} MiB")
    width = node.get("attributes", {}).get(WIDTH)
    return Layout(
        tuple(-(-n // c) for n, c in zip(shape, chunks, strict=True)),
        items,
        itemsize,
        width if type(width) is int and width >= 0 else None,
    )


def by_array(files: Iterable[str]) -> dict[str, list[tuple[int, ...]]]:
    """Places in the grid of all files that are named as chunks, by the array that they would belong to."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for file in files:
        if match := _CHUNK.fullmatch(file):
            found.setdefault(match["array"], []).append(tuple(map(int, match["place"].split("/")[1:])))
    return found


def lacking(layout: Layout, places: list[tuple[int, ...]]) -> str:
    """What is wrong with the chunks of an array: each place of its grid has one. Empty if nothing is."""
    expected = math.prod(layout.grid)
    if len(places) != expected:
        return f"needs {expected} chunks, found {len(places)}"
    outside = [
        p for p in places if len(p) != len(layout.grid) or any(k >= n for k, n in zip(p, layout.grid, strict=True))
    ]
    return f"has chunks outside its shape: {listed(outside)}" if outside else ""


def check_chunk(content: bytes, layout: Layout, name: str) -> None:
    """Refuse a chunk that would unpack to anything but the values of its array.

    Parameters
    ----------
    content : bytes
        What the file holds.
    layout : Layout
        Of its array.
    name : str
        For the message.

    Raises
    ------
    StoreError
        If it is no zstd frame, does not say how many bytes it holds, or says other than the array needs.
    """
    claimed = frame_bytes(content[:_HEAD])
    if claimed is None:
        raise StoreError(f"{name} is no chunk of a dynome store, or is damaged; restore the store from a copy")
    if layout.itemsize:
        if claimed != layout.items * layout.itemsize:
            raise StoreError(
                f"{name} claims {claimed} bytes, its array has {layout.items * layout.itemsize} for it; the store is "
                "damaged or not to be trusted"
            )
        return
    most = min(MAX_TEXT_BYTES, 4 + layout.items * (4 + 4 * (layout.width or MAX_TEXT_BYTES)))
    if layout.width is None:
        most = min(most, 2**20 + _TEXT_RATIO * len(content))
    if not 4 <= claimed <= most:
        raise StoreError(
            f"{name} claims {claimed} bytes of text, at most {most} are read; the store is damaged or not to be trusted"
        )
    from numcodecs.zstd import Zstd

    try:
        head = bytes(Zstd().decode(content[:-4]))[:4]
    except Exception as error:  # whatever the codec raises on damaged bytes
        raise StoreError(f"{name} is damaged ({error}); restore the store from a copy") from error
    if (found := int.from_bytes(head, "little")) != layout.items:
        raise StoreError(
            f"{name} claims {found} texts, its array has {layout.items} for it; the store is damaged or not to be "
            "trusted"
        )


def frame_bytes(head: bytes) -> int | None:
    """The bytes that a zstd frame says it holds; None where it does not say, or it is no frame.

    References
    ----------
    .. [1] RFC 8878, section 3.1.1.1.

    Examples
    --------
    >>> frame_bytes(bytes.fromhex("28b52ffd2005")), frame_bytes(b"something else")
    (5, None)
    """
    if head[:4] != _FRAME or len(head) < 6:
        return None
    flags = head[4]
    single, size_flag = flags >> 5 & 1, flags >> 6
    if flags & 0b1011 or not (single or size_flag):  # a dictionary, reserved bits, or no size
        return None
    start, length = (5 if single else 6), (1, 2, 4, 8)[size_flag]
    if len(head) < start + length:
        return None
    return int.from_bytes(head[start : start + length], "little") + (256 if size_flag == 1 else 0)


def array_of(key: str) -> str | None:
    """The array that a chunk belongs to; None for a key that is no chunk."""
    match = _CHUNK.fullmatch(key)
    return match["array"] if match else None
