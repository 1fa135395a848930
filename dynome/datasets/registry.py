"""The registry: every data set the package knows, its files, their addresses and checksums.

``registry.json`` is the single list. A new data set adds an entry there and one loader function; nothing here
changes. An address that nobody has tried yet is marked ``"checked": false``, and messages say so.
"""

from __future__ import annotations

import difflib
import json
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from dynome.errors import InputError

Kind = Literal["carried", "simulated", "fetched"]

_raw = "https://raw.githubusercontent.com"


class RemoteFile(NamedTuple):
    """One file of a data set, as its publisher has it.

    Attributes
    ----------
    name : str
        Name of the file, without folders.
    addresses : tuple of str
        Where it can be downloaded, best first; empty for a file that only a folder of yours can hold.
    sha256 : str
        Checksum of the decompressed content.
    size : int
        Bytes of the decompressed content.
    """

    name: str
    addresses: tuple[str, ...]
    sha256: str
    size: int


class DatasetInfo(NamedTuple):
    """What the registry says about one data set.

    Attributes
    ----------
    name : str
        The name for `dynome.datasets.fetch`.
    kind : {"carried", "simulated", "fetched"}
        Carried by the package, made on demand, or downloaded.
    function : str
        The function of `dynome.datasets` that returns it.
    what, species, shape, licence : str
        For people.
    paper : tuple of str
        DOIs of the papers to cite.
    repository, commit : str
        Where the files were published and in which state.
    checked : bool
        Whether somebody has downloaded every file from its address and found its checksum right.
    files : tuple of RemoteFile
        What is downloaded; empty for what is carried or simulated.
    """

    name: str
    kind: Kind
    function: str
    what: str
    species: str
    shape: str
    licence: str
    paper: tuple[str, ...]
    repository: str
    commit: str
    checked: bool
    files: tuple[RemoteFile, ...]


@cache
def entries() -> MappingProxyType[str, DatasetInfo]:
    """Every data set by name, in the order of ``registry.json``."""
    table = json.loads((files("dynome.datasets") / "registry.json").read_text(encoding="utf-8"))
    return MappingProxyType({name: _info(name, entry) for name, entry in table.items()})


def dataset_info(name: str) -> DatasetInfo:
    """What the package knows about a data set: licence, papers, files, addresses, checksums.

    Parameters
    ----------
    name : str
        One of the names that `list_datasets` prints, or the name of its function.

    Returns
    -------
    DatasetInfo
        A named tuple; ``info.files`` holds name, addresses, sha256 and size of each file.

    Raises
    ------
    InputError
        If there is no such data set; the message suggests a near name.

    Examples
    --------
    >>> info = dataset_info("fly_larva")
    >>> info.species, len(info.files), info.paper[0]
    ('Drosophila melanogaster (larva)', 2, '10.1126/science.add9330')
    >>> dataset_info("fly_lava")
    Traceback (most recent call last):
        ...
    dynome.errors.InputError: no data set is called 'fly_lava'; did you mean 'fly_larva'?
    """
    known = entries()
    if name in known:
        return known[name]
    if by_function := [info for info in known.values() if info.function == name]:
        return by_function[0]
    raise InputError(f"no data set is called {name!r}; {suggestion(name, list(known))}")


def suggestion(word: str, known: list[str]) -> str:
    """A hint for a word that is not among the known ones.

    Examples
    --------
    >>> suggestion("cook2091", ["cook2019", "white1986"])
    "did you mean 'cook2019'?"
    >>> suggestion("zzz", ["cook2019", "white1986"])
    "choose one of 'cook2019', 'white1986'"
    """
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(map(repr, known))}"


def _info(name: str, entry: dict[str, Any]) -> DatasetInfo:
    repository, commit = entry.get("repository", ""), entry.get("commit", "")
    found = []
    for file, record in entry.get("files", {}).items():
        paths = [record["path"]] if isinstance(record["path"], str) else record["path"]
        addresses = tuple(f"{_raw}/{repository}/{commit}/{path}" for path in paths)
        found.append(RemoteFile(file, addresses, record["sha256"], record["size"]))
    return DatasetInfo(
        name=name,
        kind=entry["kind"],
        function=entry["function"],
        what=entry["what"],
        species=entry["species"],
        shape=entry["shape"],
        licence=entry["licence"],
        paper=tuple(entry["paper"]),
        repository=repository,
        commit=commit,
        checked=entry.get("checked", True),
        files=tuple(found),
    )
