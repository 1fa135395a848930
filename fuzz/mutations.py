"""Changes of sound files that keep enough of their form to get past the first check: with and without a fuzzer."""

from __future__ import annotations

import gzip
import io
import random
import re
import struct
import zipfile
import zlib

_NUMBERS = [b"0", b"-1", b"1", b"2", b"255", b"65536", b"2147483648", b"-9223372036854775809", b"1000000000000000",
            b"1e308", b"1e999", b"NaN", b"-0", b"0.5", b"true", b"null", b"[]", b"{}", b'""', b'"x"']  # fmt: skip
_TEXTS = [b"", b"..", b"../../x", b"/etc/passwd", b"\0", b"\xff\xfe", b"nan", b"time", b"node", b"a" * 2000,
          b"\xef\xbb\xbf", b"\n", b"\r", b"\t", b'"', b",", b"{", b"[" * 3000,
          b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"\xc3\xa9"]  # fmt: skip
_BYTES = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x01\0\0\0", b"\0\0\0\x80", b"\x10\x27\0\0"]


def mutate(content: bytes, rng: random.Random) -> bytes:
    """A changed copy: of one part where the bytes are a zip archive, gzip or a packed store, else of the bytes.

    Parameters
    ----------
    content : bytes
        A sound or an already changed input.
    rng : Random
        Decides everything.
    """
    form = rng.random()
    if form < 0.7:
        if content.startswith(b"PK\3\4") and (changed := _zip(content, rng)) is not None:
            return changed
        if content.startswith(b"\x1f\x8b"):
            return gzip.compress(_flat(_plain(content), rng), 1, mtime=0)
        if (files := _files(content.removeprefix(b"!"))) is not None:
            return content[: content[:1] == b"!"] + _packed(_changed_files(files, rng))
    return _flat(content, rng)


def _plain(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(content, 1 << 20)
    except zlib.error:
        return content


def _flat(content: bytes, rng: random.Random) -> bytes:
    """A few changes of bytes."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 6])):
        place = rng.randrange(len(changed) + 1)
        kind = rng.randrange(9)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1 and place < len(changed):
            changed[place] = rng.randrange(256)
        elif kind == 2:
            del changed[place:]
        elif kind == 3:
            del changed[place : place + rng.choice([1, 2, 4, 8, 30])]
        elif kind == 4:
            changed[place:place] = changed[place : place + rng.choice([1, 4, 16, 200])]
        elif kind == 5:
            changed[place:place] = rng.choice(_TEXTS)
        elif kind == 6:
            changed[place : place + 4] = rng.choice(_BYTES)
        elif kind == 7 and (found := list(re.finditer(rb"-?\d+(?:\.\d+)?", bytes(changed)))):
            start, stop = rng.choice(found).span()
            changed[start:stop] = rng.choice(_NUMBERS)
        elif found := list(re.finditer(rb"[A-Za-z_/][\w/.-]*", bytes(changed))):
            start, stop = rng.choice(found).span()
            changed[start:stop] = rng.choice([rng.choice(found).group(), rng.choice(_TEXTS)])
    return bytes(changed)


def _zip(content: bytes, rng: random.Random) -> bytes | None:
    """An archive of which one member is changed, and the checksums are right again."""
    stream = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
            members = [(info.filename, old.read(info)) for info in old.infolist() if info.file_size < 1 << 20]
            if not members:
                return None
            chosen = rng.randrange(len(members))
            name, body = members[chosen]
            if rng.random() < 0.15:
                name = _flat(name.encode(), rng).decode("utf-8", "replace") or "a"
            members[chosen] = (name, body if name != members[chosen][0] else _flat(body, rng))
            if rng.random() < 0.1:
                members.append(rng.choice(members))
            for name, body in members:
                new.writestr(zipfile.ZipInfo(name[:60_000]), body)
    except Exception:  # no sound archive any more
        return None
    return stream.getvalue()


def _files(content: bytes) -> list[tuple[bytes, bytes]] | None:
    """The files of a packed store; None where it is none."""
    found, place = [], 0
    while place + 6 <= len(content):
        n_name, n_body = struct.unpack_from("<HI", content, place)
        name, body = content[place + 6 : place + 6 + n_name], content[place + 6 + n_name :][:n_body]
        if len(body) != n_body or not name:
            return None
        found.append((name, body))
        place += 6 + n_name + n_body
    return found if found and place == len(content) and any(n.endswith(b"zarr.json") for n, _ in found) else None


def _packed(files: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(struct.pack("<HI", len(name), len(body)) + name + body for name, body in files)


def _changed_files(files: list[tuple[bytes, bytes]], rng: random.Random) -> list[tuple[bytes, bytes]]:
    one, other = rng.randrange(len(files)), rng.randrange(len(files))
    kind = rng.randrange(10)
    (name, body), (its_name, its_body) = files[one], files[other]
    files = list(files)
    if kind == 0:
        files[one], files[other] = (name, its_body), (its_name, body)  # two change places
    elif kind == 1:
        del files[one]
    elif kind == 2:
        files.append((_flat(name, rng)[:200] or b"a", body))
    else:
        files[one] = (name, _flat(body, rng))
    return files
